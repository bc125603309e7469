//! A notice, who gets it, and how far it has come.

use super::rfc3339;
use crate::types::{NoticeKind, Secret, TenantId, Wall};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Something that happened, to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Unique; receivers tell by it what they have had already. Ids ascend with time.
    pub id: Arc<str>,
    /// What it is about.
    pub kind: NoticeKind,
    /// Whose it is; `None`: the hub's own.
    pub tenant: Option<TenantId>,
    /// The thing that it is about. Notices about the same one arrive in order.
    pub subject: Arc<str>,
    /// When it happened.
    pub at: Wall,
    /// What its kind carries.
    pub data: Value,
}

impl Notice {
    /// A notice that happened at `at`.
    pub fn new(kind: NoticeKind, tenant: Option<TenantId>, subject: &str, data: Value, at: Wall) -> Self {
        debug_assert!(
            kind.row().data.iter().all(|(member, _)| data.get(member).is_some()),
            "{kind} carries what its row says, but not {data}"
        );
        let id = format!("ntc_{}", uuid::Uuid::now_v7().simple()).into();
        Self { id, kind, tenant, subject: subject.into(), at, data }
    }

    /// What is sent, the same bytes at every attempt.
    pub fn body(&self) -> String {
        let body = json!({
            "id": &*self.id,
            "type": self.kind,
            "at": rfc3339(self.at),
            "tenant": self.tenant,
            "subject": &*self.subject,
            "data": self.data,
        });
        body.to_string()
    }
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be tried, or tried again.
    Pending,
    /// The receiver has it.
    Delivered,
    /// Given up; can be replayed.
    Dead,
}

impl State {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// The last attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// When.
    pub at: Wall,
    /// The receiver's status; none when it could not be reached, or for e-mail.
    pub status: Option<u16>,
    /// What went wrong; empty when nothing did.
    pub error: String,
}

/// One notice on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Unique; ascends with the notice's.
    pub id: Arc<str>,
    /// Id of the endpoint.
    pub endpoint: Arc<str>,
    /// What is told.
    pub notice: Notice,
    /// How far it has come.
    pub state: State,
    /// Attempts since it was made or replayed.
    pub attempts: u32,
    /// Since when it is tried; the time to give up counts from here.
    pub since: Wall,
    /// When it is tried next, while it is pending.
    pub next: Wall,
    /// When it was delivered or given up.
    pub ended: Option<Wall>,
    /// The last attempt.
    pub last: Option<Said>,
}

impl Delivery {
    /// A delivery that has not been tried.
    pub fn new(notice: Notice, endpoint: Arc<str>, now: Wall) -> Self {
        let id = format!("{}.{endpoint}", notice.id).into();
        let state = State::Pending;
        Self { id, endpoint, notice, state, attempts: 0, since: now, next: now, ended: None, last: None }
    }

    /// As people see it.
    pub fn shown(&self) -> Value {
        json!({
            "id": &*self.id,
            "webhook": &*self.endpoint,
            "notice": &*self.notice.id,
            "type": self.notice.kind,
            "tenant": self.notice.tenant,
            "subject": &*self.notice.subject,
            "at": rfc3339(self.notice.at),
            "state": self.state.name(),
            "attempts": self.attempts,
            "next_attempt_at": (self.state == State::Pending).then(|| rfc3339(self.next)),
            "ended_at": self.ended.map(rfc3339),
            "last_status": self.last.as_ref().and_then(|said| said.status),
            "last_error": self.last.as_ref().map(|said| &said.error).filter(|error| !error.is_empty()),
            "data": self.notice.data,
        })
    }
}

/// How an endpoint is reached.
#[derive(Clone, Debug)]
pub enum Way {
    /// By `POST`, signed with each of the secrets.
    Web {
        /// Where.
        url: String,
        /// The secret in use, then those before it that still count.
        secrets: Vec<Secret>,
    },
    /// By e-mail.
    Mail {
        /// To whom.
        to: Vec<String>,
    },
}

/// Who is told.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: Arc<str>,
    /// Whose it is; the hub's own hears of all tenants.
    pub tenant: Option<TenantId>,
    /// What it wants to hear of; empty: everything.
    pub kinds: Vec<NoticeKind>,
    /// Switched off, it hears of nothing, and what is on its way waits.
    pub enabled: bool,
}

impl Endpoint {
    /// Is this notice for it?
    pub fn hears(&self, notice: &Notice) -> bool {
        self.enabled
            && (self.kinds.is_empty() || self.kinds.contains(&notice.kind))
            && self.tenant.as_ref().is_none_or(|own| notice.tenant.as_ref() == Some(own))
    }
}
