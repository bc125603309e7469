//! Configured vendors, and those that the environment configures.

use super::aws::{Proof, signing_region};
use super::base::{base_url, ollama_host};
use super::{Inputs, Resolver};
use crate::chat::Dialect;
use crate::config::at::At;
use crate::config::check::nearest;
use crate::config::raw::TextOrSecret;
use crate::config::{BaseUrl, Clocks, ConnectProxy, Credential, Http2, Provider, Registry, raw};
use crate::provider::{Door, RESPONSES, RESPONSES_KEPT, VENDORS, Vendor, vendor};
use crate::route::{Picker, Strategy};
use crate::types::{CredentialId, ProviderName, Secret};
use http::{HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

const LARGEST_WEIGHT: u32 = 1_000_000;

/// Headers that the hub sets itself.
const OWN_HEADERS: &[&str] = &[
    "authorization",
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "proxy-authorization",
];

/// Parts of names of headers whose values are secrets.
const SECRET_HEADERS: &[&str] = &["key", "token", "secret", "cookie", "password", "auth"];

/// All providers of a configuration.
pub(super) struct Providers {
    pub(super) ready: HashMap<ProviderName, Arc<Provider>>,
    /// Also those that are wrong or switched off, so that targets that name
    /// them are not told to be unknown.
    pub(super) declared: BTreeSet<String>,
    /// Those that the file itself names.
    pub(super) of_file: BTreeSet<String>,
}

impl Resolver<'_> {
    pub(super) fn providers(&mut self, raw: &raw::File, clocks: Clocks, inputs: &Inputs<'_>) -> Providers {
        let registry = inputs.registry;
        let mut providers =
            Providers { ready: HashMap::new(), declared: BTreeSet::new(), of_file: BTreeSet::new() };
        for at in &raw.provider {
            let named = at.value.name.as_ref().or(at.value.vendor.as_ref());
            if let Some(name) = named.filter(|name| !providers.declared.insert(name.value.clone())) {
                self.notes.at(&name.span, format!("{} is already the name of another provider", name.value));
            }
            let mut provider = self.provider(at, clocks, registry);
            if let Some(provider) = &mut provider {
                let wanted = at.value.responses.as_ref();
                provider.doors = self.doors(provider.vendor, wanted, &raw.responses);
            }
            if let Some(ready) = provider.filter(|_| at.value.enabled.unwrap_or(true)) {
                providers.ready.insert(ready.name.clone(), Arc::new(ready));
            }
        }
        providers.of_file = providers.declared.clone();
        self.extra_providers(&inputs.extra.providers, clocks, registry, &mut providers);
        if raw.discover.environment.unwrap_or(true) {
            self.discover(&mut providers, raw, clocks, registry);
        }
        providers
    }

    /// The vendor's further doors, and OpenAI's Responses where the file says that there are, or are not.
    fn doors(&mut self, vendor: &Vendor, wanted: Option<&At<bool>>, raw: &raw::Responses) -> Vec<Door> {
        let mut doors = vendor.doors.to_vec();
        let has = doors.iter().any(|door| door.dialect == Dialect::OpenAiResponses);
        match wanted {
            Some(at) if at.value && vendor.dialect != Dialect::OpenAiChat => {
                self.notes.at(&at.span, format!("vendor {} does not speak OpenAI's dialect", vendor.name));
            }
            Some(at) if at.value && !has => doors.push(RESPONSES),
            Some(at) if !at.value => doors.retain(|door| door.dialect != Dialect::OpenAiResponses),
            _ => {}
        }
        if raw.vendor_store == Some(true) {
            doors.iter_mut().filter(|door| **door == RESPONSES).for_each(|door| *door = RESPONSES_KEPT);
        }
        doors
    }

    /// Vendors whose key is in the environment; Ollama always, because a local
    /// one needs no key and an absent one only fails over.
    fn discover(&mut self, providers: &mut Providers, raw: &raw::File, clocks: Clocks, registry: &Registry) {
        for vendor in VENDORS.iter().filter(|v| !v.base_url.is_empty()) {
            let region = self.region_around();
            let proof = self.proof_around(vendor, region.as_deref());
            let keyless = matches!(proof, Proof::Nothing) && vendor.auth.needs_key();
            // A key of AWS may be there for other purposes; without a region it is for nothing.
            let nowhere = vendor.is_regional() && region.is_none();
            if providers.declared.contains(vendor.name) || keyless || nowhere {
                continue;
            }
            let Ok(name) = ProviderName::parse(vendor.name) else { continue };
            let Some(base) = self.default_base(vendor, region.as_deref(), &(0..0)) else { continue };
            let credential = credential(&name, "default", proof, 1, Vec::new(), registry);
            let provider = Provider {
                connection_hash: hash_of(&(name.as_str(), &base)),
                base,
                vendor,
                doors: self.doors(vendor, None, &raw.responses),
                credentials: credential.into_iter().collect(),
                strategy: Strategy::default(),
                affinity: true,
                picker: Picker::new(),
                headers: Vec::new(),
                clocks,
                models: None,
                http2: Http2::Auto,
                ca_file: None,
                ca: None,
                verify_certificate: true,
                connect_proxy: None,
                name,
            };
            providers.declared.insert(vendor.name.to_owned());
            providers.ready.insert(provider.name.clone(), Arc::new(provider));
        }
    }

    pub(super) fn provider(
        &mut self,
        at: &At<raw::Provider>,
        clocks: Clocks,
        registry: &Registry,
    ) -> Option<Provider> {
        let raw = &at.value;
        let vendor = raw.vendor.as_ref().and_then(|named| self.vendor(named));
        let named = raw.name.as_ref().or(raw.vendor.as_ref())?;
        let name = self.note(&named.span, ProviderName::parse(&named.value));
        let region = vendor.and_then(|vendor| self.region(raw, vendor));
        let base = match &raw.base_url {
            Some(url) => self.note(&url.span, base_url(&url.value)),
            // A region that is wrong has been noted.
            None if raw.region.is_some() && region.is_none() => None,
            None => vendor.and_then(|vendor| self.default_base(vendor, region.as_deref(), &at.span)),
        };
        let region = signing_region(raw, base.as_ref(), region.as_deref());
        let clocks = self.clocks(&raw.timeouts, clocks);
        let headers = self.headers(raw);
        let ca = raw.ca_file.as_ref().and_then(|file| self.ca(file));
        let connect_proxy = self.connect_proxy(raw);
        let (name, vendor) = (name?, vendor?);
        // A provider that is switched off may lack its secrets.
        let credentials = match raw.enabled {
            Some(false) => Vec::new(),
            _ => self.credentials(at, &name, vendor, region.as_deref(), registry),
        };
        let mut provider = Provider {
            name,
            vendor,
            doors: Vec::new(),
            base: base?,
            credentials,
            strategy: raw.strategy.unwrap_or_default(),
            affinity: raw.affinity.unwrap_or(true),
            picker: Picker::new(),
            headers,
            clocks,
            models: raw.models.as_ref().map(|list| list.iter().map(|m| m.value.clone()).collect()),
            http2: match raw.http2 {
                Some(raw::Http2::Never) => Http2::Never,
                Some(raw::Http2::Always) => Http2::Always,
                Some(raw::Http2::Auto) | None => Http2::Auto,
            },
            ca_file: raw.ca_file.as_ref().map(|file| self.path(&file.value)),
            ca,
            verify_certificate: raw.verify_certificate.unwrap_or(true),
            connect_proxy,
            connection_hash: 0,
        };
        provider.connection_hash = connection_hash(&provider);
        Some(provider)
    }

    fn vendor(&mut self, named: &At<String>) -> Option<&'static Vendor> {
        let found = vendor(&named.value);
        if found.is_none() {
            let names: Vec<&str> = VENDORS.iter().map(|v| v.name).collect();
            let hint = match nearest(&named.value, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known are {}", names.join(", ")),
            };
            self.notes.at(&named.span, format!("there is no vendor {}; {hint}", named.value));
        }
        found
    }

    /// Where a vendor is when the file does not say.
    fn default_base(
        &mut self,
        vendor: &Vendor,
        region: Option<&str>,
        span: &Range<usize>,
    ) -> Option<BaseUrl> {
        if vendor.simulated {
            return Some(BaseUrl { tls: false, host: "simulator".into(), port: 0, path: String::new() });
        }
        if let Some((name, host)) =
            vendor.base_env.and_then(|n| self.environment.get(n).map(|host| (n, host)))
        {
            let read = ollama_host(host, vendor)
                .map_err(|error| format!("the environment variable {name}: {error}"));
            return self.note(span, read);
        }
        if vendor.base_url.is_empty() {
            self.notes.below(span, "base_url", format!("is missing: vendor {} has no default", vendor.name));
            return None;
        }
        let url = self.regional(vendor.base_url, region, span)?;
        self.note(span, base_url(&url))
    }

    fn credentials(
        &mut self,
        at: &At<raw::Provider>,
        provider: &ProviderName,
        vendor: &'static Vendor,
        region: Option<&str>,
        registry: &Registry,
    ) -> Vec<Credential> {
        let Some(list) = &at.value.credentials else {
            return self.default_credential(at, provider, vendor, region, registry);
        };
        if list.is_empty() && vendor.auth.needs_key() {
            self.notes.below(&at.span, "credentials", "is empty");
        }
        let mut names = HashSet::new();
        let mut found = Vec::new();
        for item in list {
            let name = item.value.name.as_ref().map_or("default", |name| &name.value);
            if !names.insert(name) {
                let text = format!("there are two credentials named {name}; give each a name of its own");
                self.notes.below(&item.span, "name", text);
            }
            let proof = self.proof(item, vendor, region);
            found.extend(self.credential(item, provider, name, proof, registry));
        }
        // Without any, there is still one whose health is watched.
        if found.is_empty() && list.is_empty() {
            found.extend(credential(provider, "default", Proof::Nothing, 1, Vec::new(), registry));
        }
        found
    }

    /// What a written credential proves itself by.
    fn proof(&mut self, item: &At<raw::Credential>, vendor: &Vendor, region: Option<&str>) -> Option<Proof> {
        let raw = &item.value;
        if Self::names_keys(raw) {
            return self.keys(item, vendor, region).map(Proof::Keys);
        }
        let source = raw::SecretSource { env: raw.env.clone(), file: raw.file.clone() };
        self.secret(&item.span, &source).map(Proof::Secret)
    }

    fn credential(
        &mut self,
        item: &At<raw::Credential>,
        provider: &ProviderName,
        name: &str,
        proof: Option<Proof>,
        registry: &Registry,
    ) -> Option<Credential> {
        let raw = &item.value;
        let weight = raw.weight.as_ref().map_or(1, |weight| weight.value);
        if let Some(at) = raw.weight.as_ref().filter(|at| !(1..=LARGEST_WEIGHT).contains(&at.value)) {
            let text = format!("must be from 1 to {LARGEST_WEIGHT}; remove the credential to stop using it");
            self.notes.at(&at.span, text);
        }
        if ProviderName::parse(name).is_err() {
            self.notes.below(&item.span, "name", "may have letters, digits, '-', '_', '.', at most 64");
        }
        let models = raw.models.iter().map(|m| m.value.clone()).collect();
        credential(provider, name, proof?, weight, models, registry)
    }

    /// The vendor's own environment variable, if nothing is written.
    fn default_credential(
        &mut self,
        at: &At<raw::Provider>,
        provider: &ProviderName,
        vendor: &'static Vendor,
        region: Option<&str>,
        registry: &Registry,
    ) -> Vec<Credential> {
        let proof = self.proof_around(vendor, region);
        if matches!(proof, Proof::Nothing) && vendor.auth.needs_key() {
            let name = vendor.env.first().unwrap_or(&"NAME");
            let text =
                format!("is missing, and {name} is not set; write credentials = [{{ env = \"{name}\" }}]");
            self.notes.below(&at.span, "credentials", text);
        }
        credential(provider, "default", proof, 1, Vec::new(), registry).into_iter().collect()
    }

    /// What the environment holds for a vendor.
    fn proof_around(&self, vendor: &Vendor, region: Option<&str>) -> Proof {
        let secret = vendor.env.iter().find_map(|name| self.environment.get(name)).map(Secret::new);
        match secret {
            Some(secret) => Proof::Secret(secret),
            None => self.keys_around(vendor, region).map_or(Proof::Nothing, Proof::Keys),
        }
    }

    fn headers(&mut self, raw: &raw::Provider) -> Vec<(HeaderName, HeaderValue)> {
        raw.headers.iter().filter_map(|(name, at)| self.header(name, at)).collect()
    }

    fn header(&mut self, name: &str, at: &At<TextOrSecret>) -> Option<(HeaderName, HeaderValue)> {
        let parsed = name.parse::<HeaderName>().map_err(|_| format!("{name:?} is no name of a header"));
        let name = self.note(&at.span, parsed)?;
        if OWN_HEADERS.contains(&name.as_str()) {
            self.notes.at(&at.span, "is a header that the hub sets itself");
            return None;
        }
        let (text, secret) = match &at.value {
            TextOrSecret::Secret(source) => (self.secret(&at.span, source)?, true),
            TextOrSecret::Text(text) => (Secret::new(text.as_str()), false),
        };
        if !secret && SECRET_HEADERS.iter().any(|part| name.as_str().contains(part)) {
            self.notes.at(&at.span, "looks like a secret; use { env = \"NAME\" } or { file = \"path\" }");
        }
        let value =
            HeaderValue::from_str(text.expose()).map_err(|_| "has characters that no header may have");
        let mut value = self.note(&at.span, value)?;
        value.set_sensitive(secret);
        Some((name, value))
    }

    pub(super) fn ca(&mut self, file: &At<String>) -> Option<Vec<Vec<u8>>> {
        let text = self.text_file(&file.span, &file.value)?;
        self.certificates(&file.span, &format!("{:?}", file.value), &text)
    }

    /// The certificates in a PEM text, as DER; noted when there are none. `what` holds them.
    pub(super) fn certificates(
        &mut self,
        span: &std::ops::Range<usize>,
        what: &str,
        text: &str,
    ) -> Option<Vec<Vec<u8>>> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match read {
            Ok(list) if !list.is_empty() => Some(list.into_iter().map(|der| der.as_ref().to_vec()).collect()),
            _ => {
                self.notes.at(span, format!("{what} holds no certificates in PEM form"));
                None
            }
        }
    }

    fn connect_proxy(&mut self, raw: &raw::Provider) -> Option<ConnectProxy> {
        let authorization =
            raw.connect_proxy_authorization.as_ref().and_then(|at| self.secret(&at.span, &at.value));
        let at = raw.connect_proxy.as_ref()?;
        let url = self.note(&at.span, base_url(&at.value))?;
        if url.tls || !url.path.is_empty() {
            self.notes.at(&at.span, "must be http://host:port");
        }
        Some(ConnectProxy { host: url.host, port: url.port, authorization })
    }
}

pub(super) fn credential(
    provider: &ProviderName,
    name: &str,
    proof: Proof,
    weight: u32,
    models: Vec<String>,
    registry: &Registry,
) -> Option<Credential> {
    let id = CredentialId::parse(&format!("{provider}/{name}")).ok()?;
    let health = registry.health(&id);
    let (secret, aws) = match proof {
        Proof::Nothing => (None, None),
        Proof::Secret(secret) => (Some(secret), None),
        Proof::Keys(keys) => (None, Some(keys)),
    };
    Some(Credential { id, secret, aws, weight, models, health })
}

/// Everything that makes two connections different.
pub(super) fn connection_hash(provider: &Provider) -> u64 {
    let proxy = provider.connect_proxy.as_ref();
    let proxy = proxy.map(|p| (&p.host, p.port, p.authorization.as_ref().map(Secret::expose)));
    let http2 = provider.http2 as u8;
    hash_of(&(
        provider.name.as_str(),
        &provider.base,
        http2,
        &provider.ca,
        provider.verify_certificate,
        proxy,
    ))
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
