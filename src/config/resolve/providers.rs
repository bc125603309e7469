//! Configured vendors, and those that the environment configures.

use super::Resolver;
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
const OLLAMA_PORT: u16 = 11434;

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
}

impl Resolver<'_> {
    pub(super) fn providers(&mut self, raw: &raw::File, clocks: Clocks, registry: &Registry) -> Providers {
        let mut providers = Providers { ready: HashMap::new(), declared: BTreeSet::new() };
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
            let secret = vendor.env.iter().find_map(|name| self.environment.get(name)).map(Secret::new);
            if providers.declared.contains(vendor.name) || (secret.is_none() && vendor.auth.needs_key()) {
                continue;
            }
            let Ok(name) = ProviderName::parse(vendor.name) else { continue };
            let Some(base) = self.default_base(vendor, &(0..0)) else { continue };
            let credential = credential(&name, "default", secret, 1, Vec::new(), registry);
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

    fn provider(&mut self, at: &At<raw::Provider>, clocks: Clocks, registry: &Registry) -> Option<Provider> {
        let raw = &at.value;
        let vendor = raw.vendor.as_ref().and_then(|named| self.vendor(named));
        let named = raw.name.as_ref().or(raw.vendor.as_ref())?;
        let name = self.note(&named.span, ProviderName::parse(&named.value));
        let base = match &raw.base_url {
            Some(url) => self.note(&url.span, base_url(&url.value)),
            None => vendor.and_then(|vendor| self.default_base(vendor, &at.span)),
        };
        let clocks = self.clocks(&raw.timeouts, clocks);
        let headers = self.headers(raw);
        let ca = raw.ca_file.as_ref().and_then(|file| self.ca(file));
        let connect_proxy = self.connect_proxy(raw);
        let (name, vendor) = (name?, vendor?);
        // A provider that is switched off may lack its secrets.
        let credentials = match raw.enabled {
            Some(false) => Vec::new(),
            _ => self.credentials(at, &name, vendor, registry),
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
    fn default_base(&mut self, vendor: &Vendor, span: &Range<usize>) -> Option<BaseUrl> {
        if vendor.simulated {
            return Some(BaseUrl { tls: false, host: "simulator".into(), port: 0, path: String::new() });
        }
        if let Some((name, host)) =
            vendor.base_env.and_then(|n| self.environment.get(n).map(|host| (n, host)))
        {
            let read = ollama_host(host).map_err(|error| format!("the environment variable {name}: {error}"));
            return self.note(span, read);
        }
        if vendor.base_url.is_empty() {
            self.notes.below(span, "base_url", format!("is missing: vendor {} has no default", vendor.name));
            return None;
        }
        self.note(span, base_url(vendor.base_url))
    }

    fn credentials(
        &mut self,
        at: &At<raw::Provider>,
        provider: &ProviderName,
        vendor: &'static Vendor,
        registry: &Registry,
    ) -> Vec<Credential> {
        let Some(list) = &at.value.credentials else {
            return self.default_credential(at, provider, vendor, registry);
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
            found.extend(self.credential(item, provider, name, registry));
        }
        // Without any, there is still one whose health is watched.
        if found.is_empty() && list.is_empty() {
            found.extend(credential(provider, "default", None, 1, Vec::new(), registry));
        }
        found
    }

    fn credential(
        &mut self,
        item: &At<raw::Credential>,
        provider: &ProviderName,
        name: &str,
        registry: &Registry,
    ) -> Option<Credential> {
        let raw = &item.value;
        let source = raw::SecretSource { env: raw.env.clone(), file: raw.file.clone() };
        let secret = self.secret(&item.span, &source);
        let weight = raw.weight.as_ref().map_or(1, |weight| weight.value);
        if let Some(at) = raw.weight.as_ref().filter(|at| !(1..=LARGEST_WEIGHT).contains(&at.value)) {
            let text = format!("must be from 1 to {LARGEST_WEIGHT}; remove the credential to stop using it");
            self.notes.at(&at.span, text);
        }
        if ProviderName::parse(name).is_err() {
            self.notes.below(&item.span, "name", "may have letters, digits, '-', '_', '.', at most 64");
        }
        let models = raw.models.iter().map(|m| m.value.clone()).collect();
        credential(provider, name, Some(secret?), weight, models, registry)
    }

    /// The vendor's own environment variable, if nothing is written.
    fn default_credential(
        &mut self,
        at: &At<raw::Provider>,
        provider: &ProviderName,
        vendor: &'static Vendor,
        registry: &Registry,
    ) -> Vec<Credential> {
        let secret = vendor.env.iter().find_map(|name| self.environment.get(name)).map(Secret::new);
        if secret.is_none() && vendor.auth.needs_key() {
            let name = vendor.env.first().unwrap_or(&"NAME");
            let text =
                format!("is missing, and {name} is not set; write credentials = [{{ env = \"{name}\" }}]");
            self.notes.below(&at.span, "credentials", text);
        }
        credential(provider, "default", secret, 1, Vec::new(), registry).into_iter().collect()
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

    fn ca(&mut self, file: &At<String>) -> Option<Vec<Vec<u8>>> {
        let text = self.text_file(&file.span, &file.value)?;
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match read {
            Ok(list) if !list.is_empty() => Some(list.into_iter().map(|der| der.as_ref().to_vec()).collect()),
            _ => {
                self.notes.at(&file.span, format!("{:?} holds no certificates in PEM form", file.value));
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

fn credential(
    provider: &ProviderName,
    name: &str,
    secret: Option<Secret>,
    weight: u32,
    models: Vec<String>,
    registry: &Registry,
) -> Option<Credential> {
    let id = CredentialId::parse(&format!("{provider}/{name}")).ok()?;
    let health = registry.health(&id);
    Some(Credential { id, secret, weight, models, health })
}

/// Everything that makes two connections different.
fn connection_hash(provider: &Provider) -> u64 {
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

/// Reads a base URL. The text of an error does not repeat it, for it may hold a secret.
pub(super) fn base_url(text: &str) -> Result<BaseUrl, String> {
    let uri: http::Uri = text.parse().map_err(|_| "is no URL; write it like \"https://host/v1\"")?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("must begin with https:// or http://".into()),
    };
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("must not hold a user or password; secrets go to credentials or headers".into());
    }
    if uri.query().is_some() || text.contains('#') {
        return Err("must not have a query or a fragment".into());
    }
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return Err("names no host".into());
    }
    let port = match (authority.port_u16(), authority.as_str().strip_prefix(authority.host())) {
        (Some(0), _) | (None, Some(":")) => return Err("names no port after the colon".into()),
        (None, Some(rest)) if rest.starts_with(':') => return Err("its port is no number up to 65535".into()),
        (port, _) => port.unwrap_or(if tls { 443 } else { 80 }),
    };
    Ok(BaseUrl { tls, host, port, path: uri.path().trim_end_matches('/').to_owned() })
}

/// `OLLAMA_HOST` may be a host, `:port`, `host:port` or a URL. It also tells
/// Ollama itself where to listen, so that "any address" means this machine.
fn ollama_host(text: &str) -> Result<BaseUrl, String> {
    let (with_scheme, has_scheme) = match text.contains("://") {
        true => (text.to_owned(), true),
        false if text.starts_with(':') => (format!("http://127.0.0.1{text}"), false),
        false => (format!("http://{text}"), false),
    };
    let mut base = base_url(&with_scheme)?;
    let names_port = with_scheme.trim_end_matches('/').rsplit('/').next().is_some_and(|h| {
        h.rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
    });
    if !has_scheme && !names_port {
        base.port = OLLAMA_PORT;
    }
    if matches!(base.host.as_str(), "0.0.0.0" | "[::]") {
        base.host = "127.0.0.1".into();
    }
    if base.path.is_empty() {
        base.path = "/v1".into();
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(tls: bool, host: &str, port: u16, path: &str) -> BaseUrl {
        BaseUrl { tls, host: host.into(), port, path: path.into() }
    }

    #[test]
    fn base_urls_are_taken_apart() {
        assert_eq!(base_url("https://api.x.ai/v1/"), Ok(base(true, "api.x.ai", 443, "/v1")));
        assert_eq!(base_url("http://LOCALHOST:8000"), Ok(base(false, "localhost", 8000, "")));
        assert_eq!(base_url("http://[::1]:9/a"), Ok(base(false, "[::1]", 9, "/a")));
    }

    #[test]
    fn urls_that_could_lead_elsewhere_or_hold_secrets_are_refused() {
        for bad in [
            "",
            "api.x.ai",
            "/v1",
            "ftp://x",
            "https://",
            "https://user:canary@host",
            "https://h/v1?key=canary",
            "https://h/#f",
            "https://h:0",
            "https://h:99999",
            "https://h:/v1",
            "https://a b",
        ] {
            let error = base_url(bad).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn every_vendors_own_base_is_a_base() {
        for vendor in VENDORS.iter().filter(|v| !v.base_url.is_empty()) {
            assert!(base_url(vendor.base_url).is_ok(), "{}", vendor.name);
        }
    }

    #[test]
    fn ollama_is_found_in_every_form_of_its_variable() {
        for (text, host, port, path) in [
            ("127.0.0.1", "127.0.0.1", 11434, "/v1"),
            ("0.0.0.0", "127.0.0.1", 11434, "/v1"),
            (":9000", "127.0.0.1", 9000, "/v1"),
            ("box:9000", "box", 9000, "/v1"),
            ("http://box:9000/", "box", 9000, "/v1"),
            ("http://box/ollama/v1", "box", 80, "/ollama/v1"),
            ("[::]:9000", "127.0.0.1", 9000, "/v1"),
        ] {
            assert_eq!(ollama_host(text), Ok(base(false, host, port, path)), "{text}");
        }
    }
}
