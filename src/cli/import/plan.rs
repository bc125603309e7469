//! What an import would do. Nothing is done here.

use crate::access::is_sealed;
use crate::cli::out;
use crate::provider::{Vendor, vendor};
use crate::store::aikit::{Aikit, OldCredential, OldProvider, OldRate};
use crate::types::{ProviderName, Secret};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the old hub calls a vendor, and what this one does. What is missing has no such API here.
const VENDORS: [(&str, &str); 10] = [
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("bedrock", "bedrock"),
    ("deepseek", "deepseek"),
    ("google", "gemini"),
    ("ollama", "ollama"),
    ("openrouter", "openrouter"),
    ("xai", "xai"),
    ("doubao", "doubao"),
    ("poe", "poe"),
];
const LONGEST_NAME: usize = 64;

/// What this hub has already.
pub(super) struct Known {
    pub(super) providers: Vec<Value>,
    pub(super) credentials: Vec<Value>,
}

/// A provider to be made.
pub(super) struct NewProvider {
    pub(super) name: String,
    pub(super) body: Value,
}

/// A credential to be made.
pub(super) struct NewCredential {
    /// Name of its provider.
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) body: Value,
    /// Members of the body that are never printed.
    pub(super) secrets: Vec<(&'static str, Secret)>,
}

/// A price that this hub does not know.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NewPrice {
    pub(super) provider: String,
    pub(super) model: String,
    /// Names of rates, and dollars per million.
    pub(super) rates: Vec<(&'static str, String)>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) providers: Vec<NewProvider>,
    pub(super) credentials: Vec<NewCredential>,
    pub(super) prices: Vec<NewPrice>,
    /// Ids of providers that are there already, by their names.
    pub(super) ids: HashMap<String, String>,
    /// Names of providers, by their ids in the old database.
    pub(super) names: BTreeMap<String, String>,
    /// What is there already.
    present: Vec<String>,
    /// What stands in the way.
    pub(super) conflicts: Vec<String>,
    /// What cannot be read or has no place here.
    unreadable: Vec<String>,
    notes: Vec<String>,
}

/// Is there a price for this provider, vendor and model?
pub(super) type HasPrice<'p> = &'p dyn Fn(&str, &str, &str) -> bool;
/// Opens a secret of the old database.
pub(super) type Open<'o> = &'o dyn Fn(&str) -> Option<Secret>;

impl Plan {
    /// What it would take to know here what is known there.
    ///
    /// # Errors
    /// The database is damaged.
    pub(super) fn of(
        aikit: &Aikit,
        known: &Known,
        open: Open<'_>,
        priced: HasPrice<'_>,
    ) -> Result<Self, String> {
        let mut plan = Self::default();
        let providers = aikit.providers()?;
        plan.unreadable.extend(providers.unreadable);
        for provider in &providers.rows {
            plan.provider(provider, known);
        }
        let credentials = aikit.credentials()?;
        plan.unreadable.extend(credentials.unreadable);
        let mut taken = HashSet::new();
        for credential in &credentials.rows {
            plan.credential(credential, known, open, &mut taken);
        }
        let rates = aikit.rates()?;
        plan.unreadable.extend(rates.unreadable);
        for rate in rates.rows.iter().filter(|rate| !rate.deprecated) {
            plan.price(rate, priced);
        }
        Ok(plan)
    }

    fn provider(&mut self, old: &OldProvider, known: &Known) {
        self.names.insert(old.id.clone(), old.name.clone());
        let found = VENDORS.iter().find(|(name, _)| *name == old.name);
        let Some(own) = found.and_then(|(_, own)| vendor(own)) else {
            self.unreadable.push(format!("provider {}: this hub knows no such vendor", old.name));
            return;
        };
        let mut body = Map::new();
        body.insert("name".into(), json!(old.name));
        body.insert("vendor".into(), json!(own.name));
        body.insert("enabled".into(), json!(old.enabled));
        body.insert("labels".into(), json!({ "imported": old.title }));
        if let Some(url) = old.base_url.as_deref().filter(|url| !is_usual(url, own)) {
            body.insert("base_url".into(), json!(url.trim_end_matches('/')));
        }
        if let Some(region) = &old.region {
            body.insert("region".into(), json!(region));
        }
        let Some(here) = known.providers.iter().find(|here| here["name"] == *old.name) else {
            self.providers.push(NewProvider { name: old.name.clone(), body: Value::Object(body) });
            return;
        };
        let same = here["source"] == "control" && here["vendor"] == own.name;
        match (same, here["id"].as_str()) {
            (true, Some(id)) => {
                self.ids.insert(old.name.clone(), id.to_owned());
                self.present.push(format!("provider {}", old.name));
            }
            _ => self.conflicts.push(format!(
                "provider {}: there is another one of this name ({}); its credentials stay out",
                old.name,
                here["source"].as_str().unwrap_or("control")
            )),
        }
    }

    /// The name of a provider that is there, or is going to be.
    fn provider_of(&self, id: &str) -> Option<String> {
        let name = self.names.get(id)?;
        let coming = self.ids.contains_key(name) || self.providers.iter().any(|new| new.name == *name);
        coming.then(|| name.clone())
    }

    fn credential(
        &mut self,
        old: &OldCredential,
        known: &Known,
        open: Open<'_>,
        taken: &mut HashSet<(String, String)>,
    ) {
        let Some(provider) = self.provider_of(&old.provider) else {
            self.unreadable.push(format!("credential {:?}: its provider is not taken over", old.name));
            return;
        };
        let name = plain_name(&old.name, &old.id);
        let name = match taken.insert((provider.clone(), name.clone())) {
            true => name,
            false => plain_name(&format!("{} {}", old.name, old.id), &old.id),
        };
        let told = format!("credential {provider}/{name}");
        let id = self.ids.get(&provider);
        let is_same = |here: &&Value| {
            here["name"] == *name.as_str() && id.is_some_and(|id| here["provider"] == *id.as_str())
        };
        if known.credentials.iter().any(|here| is_same(&here)) {
            self.present.push(told);
            return;
        }
        match secrets(old, open) {
            Ok((kind, secrets, plain)) => {
                if plain {
                    self.notes.push(format!("{told}: its secret was stored without encryption"));
                }
                let weight = old.weight.filter(|weight| (1..=1_000_000).contains(weight));
                let body = json!({ "name": name, "type": kind, "weight": weight, "enabled": old.active });
                self.credentials.push(NewCredential { provider, name, body, secrets });
            }
            Err(why) => self.unreadable.push(format!("{told}: {why}")),
        }
    }

    fn price(&mut self, old: &OldRate, priced: HasPrice<'_>) {
        let Some(provider) = self.provider_of(&old.provider) else { return };
        let own = VENDORS.iter().find(|(name, _)| *name == provider).map_or("", |(_, own)| *own);
        let told = format!("price of {provider}/{}", old.model);
        if priced(&provider, own, &old.model) {
            self.present.push(told);
            return;
        }
        match super::prices::rates(&old.kind, old.unit_costs.as_deref()) {
            Ok(rates) => self.prices.push(NewPrice { provider, model: old.model.clone(), rates }),
            Err(why) => self.unreadable.push(format!("{told}: {why}")),
        }
    }

    /// Says what it would do.
    ///
    /// # Errors
    /// Nobody can be told.
    pub(super) fn tell(&self, prices: usize) -> Result<(), String> {
        let mut lines = Vec::new();
        for provider in &self.providers {
            lines.push(format!("new       provider {} {}", provider.name, provider.body));
        }
        for credential in &self.credentials {
            lines.push(format!(
                "new       credential {}/{} {}",
                credential.provider, credential.name, credential.body
            ));
        }
        lines.extend(
            self.prices
                .iter()
                .map(|row| format!("new       price of {}/{} {:?}", row.provider, row.model, row.rates)),
        );
        lines.extend(self.present.iter().map(|text| format!("there     {text}")));
        lines.extend(self.notes.iter().map(|text| format!("note      {text}")));
        lines.extend(self.conflicts.iter().map(|text| format!("conflict  {text}")));
        lines.extend(self.unreadable.iter().map(|text| format!("left out  {text}")));
        lines.push(format!(
            "in all: {} providers, {} credentials and {prices} prices to make, {} there already, {} conflicts, {} left out",
            self.providers.len(), self.credentials.len(), self.present.len(), self.conflicts.len(), self.unreadable.len()
        ));
        out::print(lines.join("\n"))
    }
}

/// Is it where the vendor is anyway? The old hub wrote its address with other paths.
fn is_usual(url: &str, vendor: &Vendor) -> bool {
    let host =
        |url: &str| url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase));
    host(url).is_some() && host(url) == host(vendor.base_url)
}

/// A name for logs: what is no letter, digit or sign of one becomes `-`.
fn plain_name(name: &str, id: &str) -> String {
    let plain: String = name
        .trim()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    let plain: String = plain.trim_matches('-').chars().take(LONGEST_NAME).collect();
    match ProviderName::parse(&plain) {
        Ok(_) => plain,
        Err(_) => format!("imported-{id}"),
    }
}

type Secrets = (&'static str, Vec<(&'static str, Secret)>, bool);

/// The type, the secret members, and whether they were stored without encryption.
fn secrets(old: &OldCredential, open: Open<'_>) -> Result<Secrets, String> {
    let value: Value = serde_json::from_str(&old.value).map_err(|_| "its value is no JSON")?;
    let mut plain = false;
    let mut secret = |text: &str| -> Result<Secret, String> {
        if !is_sealed(text) {
            plain = true;
            return Ok(Secret::new(text));
        }
        let opened = open(text).filter(|secret| {
            let text = secret.expose();
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        });
        opened.ok_or_else(|| "cannot be decrypted; give the old BLOCKLET_APP_EK and BLOCKLET_DID".to_owned())
    };
    let member = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
    let (kind, secrets) = match old.kind.as_str() {
        "api_key" => {
            let key = value.as_str().or_else(|| member("api_key")).ok_or("has no api_key")?;
            ("api_key", vec![("secret", secret(key)?)])
        }
        "access_key_pair" => {
            let id = member("access_key_id").ok_or("has no access_key_id")?;
            let key = member("secret_access_key").ok_or("has no secret_access_key")?;
            let pair = vec![("access_key_id", Secret::new(id)), ("secret_access_key", secret(key)?)];
            ("access_key_pair", pair)
        }
        other => return Err(format!("is of the type {other}, which has no place here")),
    };
    Ok((kind, secrets, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(kind: &str, value: &str) -> OldCredential {
        let (id, provider, name) = ("7".to_owned(), "1".to_owned(), "Key 1".to_owned());
        OldCredential {
            id,
            provider,
            name,
            kind: kind.into(),
            value: value.into(),
            active: true,
            weight: None,
        }
    }

    #[test]
    fn secrets_are_taken_as_they_were_stored_and_nonsense_is_not() {
        let nothing = |_: &str| None;
        let (_, found, plain) = secrets(&old("api_key", r#"{"api_key":"sk-1"}"#), &nothing).unwrap();
        assert!(plain && found[0].0 == "secret" && found[0].1.expose() == "sk-1");
        let sealed = old("api_key", r#"{"api_key":"U2FsdGVkX1abc"}"#);
        assert!(secrets(&sealed, &nothing).err().unwrap().contains("BLOCKLET_APP_EK"));
        assert!(secrets(&sealed, &|_| Some(Secret::new("\u{1}\u{fffd}"))).is_err(), "another key's garbage");
        for bad in [
            ("api_key", "{"),
            ("api_key", "{}"),
            ("custom", "{}"),
            ("access_key_pair", r#"{"access_key_id":"A"}"#),
        ] {
            assert!(secrets(&old(bad.0, bad.1), &nothing).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_fit_into_logs() {
        assert_eq!(plain_name("My Key (prod)", "7"), "My-Key--prod");
        assert_eq!(plain_name("密钥", "7"), "imported-7");
        assert_eq!(plain_name(&"x".repeat(100), "7").len(), 64);
    }

    #[test]
    fn a_usual_address_is_left_to_the_vendors_row() {
        let openai = vendor("openai").unwrap();
        assert!(is_usual("https://API.openai.com/v1/", openai));
        assert!(!is_usual("https://proxy.test/v1", openai) && !is_usual("", openai));
    }
}
