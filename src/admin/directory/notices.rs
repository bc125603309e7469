//! What notices need of what is managed, and the other way round.

use super::{Directory, Draft};
use crate::config::NoticeSettings;
use crate::control::{Private, State, Webhook, mail_addresses};
use crate::notify::{Delivery, Endpoint, Failed, Notice, Notices, OUTBOX_PREFIX, Ties, Way};
use crate::store::{Archive, ControlRow};
use std::ops::ControlFlow;
use std::sync::Arc;

/// What was on its way when the last process ended. A row that cannot be read is left out and told:
/// no notice may keep the hub from starting.
pub(super) fn load(archive: &Archive) -> Result<Vec<Delivery>, String> {
    let mut known = Vec::new();
    let each = &mut |key: &[u8], value: &[u8]| {
        match serde_json::from_slice(value) {
            Ok(delivery) => known.push(delivery),
            Err(error) => {
                tracing::warn!(%error, row = %String::from_utf8_lossy(key), "a notice cannot be read");
            }
        }
        ControlFlow::Continue(())
    };
    archive.control(OUTBOX_PREFIX.as_bytes(), each).map_err(|error| error.to_string())?;
    Ok(known)
}

/// Who can be told.
fn endpoints(state: &State) -> Vec<Endpoint> {
    let endpoint = |(record, webhook): (&Arc<crate::control::Record>, &Webhook)| Endpoint {
        id: Arc::clone(&record.id),
        tenant: record.tenant.clone(),
        kinds: webhook.events.clone(),
        enabled: webhook.enabled.0
            && record.tenant.as_ref().is_none_or(|tenant| state.tenant_enabled(tenant)),
    };
    state.each::<Webhook>().map(endpoint).collect()
}

impl Directory {
    /// What tells people and programs by itself.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The deliveries of a draft, and their rows, to be written with it.
    pub(super) fn deliveries(&self, draft: &Draft, next: &State) -> (Vec<Delivery>, Vec<ControlRow>) {
        let mut deliveries = draft.deliveries.clone();
        if !draft.notices.is_empty() {
            let endpoints = endpoints(next);
            let addressed = |notice: &Notice| self.notices.addressed(notice, &endpoints);
            deliveries.extend(draft.notices.iter().flat_map(addressed));
        }
        let rows = deliveries.iter().map(Notices::row).collect();
        (deliveries, rows)
    }
}

impl Ties for Directory {
    fn endpoints(&self) -> Vec<Endpoint> {
        endpoints(&self.state())
    }

    fn way(&self, endpoint: &str) -> Result<Way, Failed> {
        let state = self.state();
        let known = endpoints(&state).into_iter().find(|known| *known.id == *endpoint).ok_or(Failed::Gone)?;
        if !known.enabled {
            return Err(Failed::Off);
        }
        let record = state.get(crate::control::Kind::Webhook, endpoint).ok_or(Failed::Gone)?;
        let webhook = record.is::<Webhook>().ok_or(Failed::Gone)?;
        if let Some(to) = mail_addresses(&webhook.url) {
            return Ok(Way::Mail { to });
        }
        let Private::Webhook(secret) = &record.private else {
            return Err(Failed::Unable("it has no secret to sign with; rotate it".to_owned()));
        };
        let secrets = secret.open(&self.vault(), endpoint, self.clock.wall());
        let secrets = secrets.map_err(|error| Failed::Unable(format!("its secret: {error}")))?;
        Ok(Way::Web { url: webhook.url.clone(), secrets })
    }

    fn write(&self, rows: Vec<ControlRow>) -> Result<(), String> {
        self.store.put_control(rows).map_err(|error| error.to_string())
    }

    fn settings(&self) -> NoticeSettings {
        self.snapshot().map(|snapshot| snapshot.notices.clone()).unwrap_or_default()
    }
}
