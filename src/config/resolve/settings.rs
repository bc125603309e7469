//! The sections that stand alone.

use super::Resolver;
use crate::access::Pepper;
use crate::cache;
use crate::config::at::{At, Period};
use crate::config::raw;
use crate::config::{
    Admin, Aigne, Bounds, CacheSettings, Clocks, Flood, LedgerSettings, Origins, Public, ResponseSettings,
    Retry, Shutdown, Tls, Unpriced, VisibleTo,
};
use crate::responses;
use crate::route::HealthPolicy;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const MEGABYTE: u64 = 1_000_000;
const SHORTEST_PEPPER: usize = 32;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn milliseconds(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What happens to a model without a price.
pub(super) fn unpriced(raw: &raw::Ledger) -> Unpriced {
    match raw.unpriced {
        Some(raw::Unpriced::Refuse) => Unpriced::Refuse,
        Some(raw::Unpriced::Flag) | None => Unpriced::Flag,
    }
}

/// A whole number of bytes or things that must also fit the machine.
fn fit(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// An origin as browsers write it: no path, no port that goes without saying, nothing in capitals.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "://",
    };
    let Ok(parsed) = host.parse::<http::uri::Authority>() else { return false };
    let port = parsed.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    !parsed.host().is_empty()
        && format!("{}{port}", parsed.host()) == host
        && scheme.parse::<http::uri::Scheme>().is_ok()
        && !text.ends_with(usual)
        && !text.contains(char::is_uppercase)
}

impl Resolver<'_> {
    pub(super) fn public(&mut self, raw: &raw::Public) -> Public {
        let listen = match &raw.listen {
            Some(list) => self.listeners(list),
            None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
        };
        let tls = raw.tls.as_ref().and_then(|at| self.tls(at));
        if raw.listen.as_ref().is_some_and(Vec::is_empty) && raw.tls.is_none() {
            self.notes.push(&(0..0), "public.listen".into(), "names no address, so nobody could call");
        }
        Public {
            listen,
            tls,
            threads: raw.threads.as_ref().map_or(0, |at| usize::from(at.value)),
            http2_cleartext: raw.http2_cleartext.unwrap_or(false),
            console: raw.console.unwrap_or(true),
        }
    }

    pub(super) fn origins(&mut self, raw: &raw::Cors) -> Origins {
        let Some(list) = &raw.origins else { return Origins::Any };
        let mut known = Vec::with_capacity(list.len());
        for at in list {
            match at.value.as_str() {
                "*" => return Origins::Any,
                origin if is_origin(origin) => known.push(origin.to_owned()),
                _ => self.notes.at(
                    &at.span,
                    "must be \"*\", or an origin as browsers write it, such as \"https://app.example.com\"",
                ),
            }
        }
        Origins::These(known)
    }

    fn listeners(&mut self, list: &[At<String>]) -> Vec<SocketAddr> {
        list.iter().filter_map(|at| self.listener(at)).collect()
    }

    fn listener(&mut self, at: &At<String>) -> Option<SocketAddr> {
        let wrong = |_| format!("{:?} is no address to listen on; write it like \"0.0.0.0:8080\"", at.value);
        let parsed = at.value.parse::<SocketAddr>().map_err(wrong);
        self.note(&at.span, parsed)
    }

    fn tls(&mut self, at: &At<raw::Tls>) -> Option<Tls> {
        let raw = &at.value;
        let listen = self.listeners(&raw.listen);
        if raw.listen.is_empty() {
            self.notes.below(&at.span, "listen", "names no address");
        }
        let (certificate, key) = (raw.certificate.as_ref()?, raw.key.as_ref()?);
        let certificate_path =
            self.pem(certificate, "certificate", |pem| CertificateDer::from_pem_slice(pem).map(drop));
        let key_path = self.pem(key, "private key", |pem| PrivateKeyDer::from_pem_slice(pem).map(drop));
        Some(Tls { listen, certificate: certificate_path?, key: key_path? })
    }

    /// The path of a PEM file that was looked into.
    fn pem(
        &mut self,
        at: &At<String>,
        what: &str,
        holds: fn(&[u8]) -> Result<(), rustls_pki_types::pem::Error>,
    ) -> Option<PathBuf> {
        let text = self.text_file(&at.span, &at.value)?;
        if holds(text.as_bytes()).is_err() {
            self.notes.at(&at.span, format!("{:?} holds no {what} in PEM form", at.value));
        }
        Some(self.path(&at.value))
    }

    pub(super) fn admin(&mut self, raw: &raw::Admin, public: &Public) -> Admin {
        let listen = self.admin_address(raw);
        let Some(at) = &raw.listen else { return Admin { listen } };
        let tls = public.tls.iter().flat_map(|tls| &tls.listen);
        if listen.port() != 0 && public.listen.iter().chain(tls).any(|taken| *taken == listen) {
            self.notes.at(&at.span, "is taken by the public listener");
        }
        Admin { listen }
    }

    pub(crate) fn admin_address(&mut self, raw: &raw::Admin) -> SocketAddr {
        let named = raw.listen.as_ref().and_then(|at| self.listener(at));
        named.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)))
    }

    pub(crate) fn data_dir(&mut self, raw: &raw::Data) -> PathBuf {
        match &raw.dir {
            Some(at) if at.value.is_empty() => {
                self.notes.at(&at.span, "names no folder");
                PathBuf::new()
            }
            Some(at) => self.path(&at.value),
            None => self.path("data"),
        }
    }

    pub(super) fn bounds(&mut self, raw: &raw::File) -> Bounds {
        let max_body = self.size(raw.bounds.max_body.as_ref(), 50 * MEGABYTE);
        let max_buffered = self.size(raw.bounds.max_buffered.as_ref(), 1_000 * MEGABYTE);
        if max_buffered < max_body {
            let at = raw.bounds.max_buffered.as_ref().or(raw.bounds.max_body.as_ref());
            let span = at.map_or(0..0, |at| at.span.clone());
            self.notes.at(&span, "max_buffered must be at least max_body");
        }
        let clocks = &raw.timeouts;
        Bounds {
            max_body_bytes: fit(max_body),
            max_buffered_bytes: fit(max_buffered),
            body: self.positive(clocks.body.as_ref(), seconds(60)),
            write: self.positive(clocks.write.as_ref(), seconds(30)),
            heartbeat: self.period(clocks.heartbeat.as_ref(), seconds(15)),
            video_poll: self.positive(clocks.video_poll.as_ref(), seconds(5)),
            video: self.positive(clocks.video.as_ref(), seconds(3_600)),
            clocks: Clocks {
                connect: self.positive(clocks.connect.as_ref(), seconds(5)),
                response_header: self.positive(clocks.response_header.as_ref(), seconds(300)),
                first_token: self.positive(clocks.first_token.as_ref(), seconds(300)),
                idle: self.positive(clocks.idle.as_ref(), seconds(120)),
                total: self.positive(clocks.total.as_ref(), seconds(1200)),
            },
            retry: self.retry(&raw.retry),
        }
    }

    /// What a provider or a model says, over the general clocks.
    pub(super) fn clocks(&mut self, raw: &raw::Timeouts, general: Clocks) -> Clocks {
        Clocks {
            connect: self.positive(raw.connect.as_ref(), general.connect),
            response_header: self.positive(raw.response_header.as_ref(), general.response_header),
            first_token: self.positive(raw.first_token.as_ref(), general.first_token),
            idle: self.positive(raw.idle.as_ref(), general.idle),
            total: self.positive(raw.total.as_ref(), general.total),
        }
    }

    fn retry(&mut self, raw: &raw::Retry) -> Retry {
        let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Retry {
            max_attempts: count(self.count(raw.max_attempts.as_ref(), 4)),
            per_target: count(self.count(raw.per_target.as_ref(), 2)),
            base_back_off: self.period(raw.base_back_off.as_ref(), milliseconds(200)),
            max_back_off: self.period(raw.max_back_off.as_ref(), seconds(5)),
            budget: self.period(raw.budget.as_ref(), seconds(60)),
        }
    }

    pub(super) fn cache(&mut self, raw: &raw::Cache) -> CacheSettings {
        let default = raw.ttl.as_ref().map(|at| self.cache_policy(at)).unwrap_or_default();
        CacheSettings {
            max_bytes: self.size(raw.max_size.as_ref(), 256 * MEGABYTE),
            max_entry_bytes: fit(self.size(raw.max_entry.as_ref(), MEGABYTE)),
            default,
            max_ttl: self.period(raw.max_ttl.as_ref(), seconds(86_400)),
            by_request: raw.by_request.unwrap_or(true),
        }
    }

    /// `0s` switches it off.
    pub(super) fn cache_policy(&mut self, at: &At<Period>) -> cache::Policy {
        let ttl = self.period(Some(at), Duration::ZERO);
        cache::Policy { enabled: !ttl.is_zero(), ttl }
    }

    pub(super) fn responses(&mut self, raw: &raw::Responses) -> ResponseSettings {
        ResponseSettings {
            store: raw.store.unwrap_or(true),
            visible_to: match raw.visible_to {
                Some(raw::VisibleTo::Key) => VisibleTo::Key,
                Some(raw::VisibleTo::Tenant) | None => VisibleTo::Tenant,
            },
            ttl: self.positive(raw.ttl.as_ref(), seconds(86_400)),
            bounds: responses::Bounds {
                total_bytes: fit(self.size(raw.max_size.as_ref(), 256 * MEGABYTE)),
                tenant_bytes: fit(self.size(raw.max_tenant_size.as_ref(), 64 * MEGABYTE)),
                entry_bytes: fit(self.size(raw.max_entry.as_ref(), 16 * MEGABYTE)),
            },
        }
    }

    pub(crate) fn ledger(&mut self, raw: &raw::Ledger) -> LedgerSettings {
        LedgerSettings {
            strict: raw.strict.unwrap_or(false),
            queue: fit(self.count(raw.queue.as_ref(), 65_536)),
            flush_interval: self.positive(raw.flush_interval.as_ref(), milliseconds(25)),
            flush_entries: fit(self.count(raw.flush_entries.as_ref(), 1_024)),
            cache_bytes: self.size(raw.cache.as_ref(), 64 * MEGABYTE),
        }
    }

    pub(crate) fn health(&mut self, raw: &raw::Health) -> HealthPolicy {
        let faults = self.count(raw.breaker_faults.as_ref(), 5);
        HealthPolicy {
            breaker_faults: u32::try_from(faults).unwrap_or(u32::MAX),
            base_pause: self.positive(raw.base_pause.as_ref(), seconds(1)),
            max_pause: self.positive(raw.max_pause.as_ref(), seconds(60)),
            default_cool_down: self.positive(raw.default_cool_down.as_ref(), seconds(5)),
            base_recheck: self.positive(raw.base_recheck.as_ref(), seconds(30)),
            max_recheck: self.positive(raw.max_recheck.as_ref(), seconds(900)),
        }
    }

    pub(super) fn aigne(&mut self, raw: &raw::Aigne) -> Aigne {
        let mut mount = "/";
        if let Some(at) = &raw.mount {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
            let trimmed = at.value.trim_end_matches('/');
            mount = if trimmed.is_empty() { "/" } else { trimmed };
            if !at.value.starts_with('/') || !at.value.chars().all(plain) || at.value.contains("//") {
                self.notes.at(&at.span, "must be a path like \"/\" or \"/ai-kit\"");
            }
        }
        Aigne {
            mount: mount.into(),
            public_models: raw.public_models.unwrap_or(true),
            connect: raw.connect.unwrap_or(true),
            resend: self.period(raw.resend.as_ref(), seconds(15)),
        }
    }

    pub(super) fn flood(&mut self, raw: &raw::Security) -> Flood {
        let failures = self.count(raw.failures_per_minute.as_ref(), 120);
        Flood { failures_per_minute: u32::try_from(failures).unwrap_or(u32::MAX) }
    }

    pub(super) fn shutdown(&mut self, raw: &raw::Shutdown) -> Shutdown {
        Shutdown {
            grace: self.period(raw.grace.as_ref(), seconds(30)),
            lame_duck: self.period(raw.lame_duck.as_ref(), Duration::ZERO),
        }
    }

    pub(crate) fn pepper(&mut self, raw: &raw::Security, stored: &[u8]) -> Pepper {
        let Some(at) = &raw.pepper else { return Pepper::new(stored) };
        let Some(secret) = self.secret(&at.span, &at.value) else { return Pepper::new(stored) };
        if secret.expose().len() < SHORTEST_PEPPER {
            self.notes.at(&at.span, format!("is shorter than {SHORTEST_PEPPER} bytes"));
        }
        Pepper::new(secret.expose().as_bytes())
    }
}
