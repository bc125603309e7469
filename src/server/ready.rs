//! What is said when the hub is up, and the numbers it tells when asked.

use super::listen::Addresses;
use super::reload::Reloader;
use crate::admin::{Incoming, ROOT, answer_operator};
use crate::control::to_hex;
use crate::notify::Counts;
use crate::proxy::Plane;
use crate::route::State;
use crate::telemetry::{CredentialGauge, Gauges};
use crate::types::Secret;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the first key when there is none, so that a fresh hub can be used at once.
pub(super) fn first_key(plane: &Plane, reloader: &Reloader) -> Result<Option<String>, String> {
    if !plane.snapshot.load().callers.is_empty() {
        return Ok(None);
    }
    let wanted = Incoming {
        method: "POST".into(),
        path: "/keys".into(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: br#"{"name":"first key"}"#.to_vec(),
        address: None,
        request: "start".into(),
    };
    let reply = answer_operator(&reloader.directory(), &wanted).map_err(|problem| problem.detail)?;
    let secret = reply.once.into_iter().find(|(name, _)| *name == "secret");
    Ok(secret.and_then(|(_, secret)| secret.as_str().map(str::to_owned)))
}

/// Makes the token for the first owner while there is none: the environment's, or a fresh one,
/// which is to be shown. `None` when there is nothing to show.
pub(super) fn await_owner(reloader: &Reloader) -> Result<Option<Secret>, String> {
    let given = reloader.bootstrap_token();
    let shown = given.is_none();
    let token = match given {
        Some(token) => token,
        None => {
            let mut random = [0; 24];
            getrandom::fill(&mut random).map_err(|error| format!("no randomness: {error}"))?;
            Secret::new(to_hex(&random))
        }
    };
    let awaited = reloader.directory().await_owner(token.clone());
    Ok((awaited && shown).then_some(token))
}

/// Said once, when every listener answers.
pub(super) struct Banner {
    pub addresses: Addresses,
    pub first_key: Option<String>,
    /// The token that makes the first owner, while there is none.
    pub set_up: Option<Secret>,
    /// Set when the listeners accept.
    pub open: Arc<AtomicBool>,
}

impl Banner {
    /// Waits until the listeners accept, then tells people and, in one JSON line, machines.
    pub(super) async fn say(&self, models: &[String]) {
        let Addresses { public, tls, admin, .. } = &self.addresses;
        for address in public.iter().chain(tls).chain([admin]) {
            while tokio::net::TcpStream::connect(reachable(*address)).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        }
        self.open.store(true, Ordering::Release);
        let text = self.text(models);
        let line = serde_json::json!({
            "event": "ready",
            "public": public.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "tls": tls.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "admin": admin.to_string(),
        });
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}{line}");
        let _ = out.flush();
    }

    fn text(&self, models: &[String]) -> String {
        let mut text = format!("aigne-hub {} is ready\n", env!("CARGO_PKG_VERSION"));
        for address in &self.addresses.public {
            text.push_str(&format!("  API      http://{address}/v1\n"));
        }
        for address in &self.addresses.tls {
            text.push_str(&format!("  API      https://{address}/v1\n"));
        }
        text.push_str(&format!("  Metrics  http://{}/metrics\n", self.addresses.admin));
        if !models.is_empty() {
            let shown: Vec<&str> = models.iter().take(8).map(String::as_str).collect();
            let more = if models.len() > shown.len() { ", …" } else { "" };
            text.push_str(&format!("  Models   {}{more}\n", shown.join(", ")));
        }
        if let Some(token) = &self.set_up {
            let token = token.expose();
            text.push_str(&format!(
                "  Set up   POST http://{}{ROOT}/bootstrap with the token {token}   (makes the first owner, once)\n",
                self.addresses.admin
            ));
        }
        let Some(key) = &self.first_key else { return text };
        let base = self.addresses.public.first().map(|a| format!("http://{a}")).unwrap_or_default();
        text.push_str(&format!("  Key      {key}   (shown only now)\n\n"));
        let echo = models.iter().find(|m| m.contains("echo"));
        let model = echo.or(models.first());
        match model {
            Some(model) => text.push_str(&format!(
                "Try it:\n  curl {base}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n    \
                 -H 'Content-Type: application/json' \\\n    \
                 -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello, hub!\"}}]}}'\n\n"
            )),
            None => text.push_str("There is no provider yet: write a [[provider]] into the configuration.\n\n"),
        }
        text
    }
}

/// A wildcard address is reached through loopback.
fn reachable(mut address: std::net::SocketAddr) -> std::net::SocketAddr {
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}

/// Numbers that live elsewhere, read when the metrics are scraped.
pub(super) fn gauges(plane: &Plane, reload_failures: u64, notices: Counts) -> Gauges {
    let snapshot = plane.snapshot.load();
    let now = plane.clock.mono();
    let stats = plane.store.stats();
    let kept = plane.kept_responses();
    let credentials = snapshot
        .providers
        .values()
        .flat_map(|provider| provider.credentials.iter().map(move |c| (provider, c)))
        .map(|(provider, credential)| CredentialGauge {
            provider: Arc::clone(provider.name.shared()),
            credential: Arc::clone(credential.id.shared()),
            state: state(credential.health.state(now)),
            in_flight: credential.health.in_flight(),
        })
        .collect();
    Gauges {
        credentials,
        quotas: super::quotas::gauges(plane, &snapshot),
        cache_bytes: plane.cache.bytes(),
        cache_entries: plane.cache.entries(),
        responses_bytes: kept.bytes,
        responses_entries: kept.entries,
        responses_unwritten: kept.unwritten,
        flights: plane.flights.len() as u64,
        waiting_answers: plane.waiting_answers(),
        ledger_queue: stats.queue,
        ledger_open_intents: stats.open_intents,
        ledger_appended: stats.appended,
        ledger_settled: stats.settled,
        ledger_recovered: stats.recovered,
        ledger_errors: stats.errors,
        ledger_disk_bytes: stats.disk_bytes,
        buffered_bytes: plane.buffered_bytes(),
        snapshot_version: snapshot.version,
        reload_failures,
        notices_pending: notices.pending,
        notices_dead: notices.dead,
        notices_delivered: notices.delivered,
        notices_failed: notices.failed,
        notices_dropped: notices.dropped,
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::CoolingDown => "cooling_down",
        State::Rejected => "rejected",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}
