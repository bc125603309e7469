//! Records as older versions have them. Versions 1 and 2 do not say who is behind a key, version 3
//! not which tags rules have put on a request.

use crate::ledger::wallet::Movement;
use crate::ledger::{self, Charge, Outcome, Tried};
use crate::types::{KeyId, Op, Party, Pico, RequestId, TenantId, Usage, UsageSource, Wall};
use std::sync::Arc;

#[derive(serde::Deserialize)]
pub(super) enum Record {
    Intent(Box<Intent>),
    Settlement(Box<Settlement>),
    Movement(Box<Movement>),
}

#[derive(serde::Deserialize)]
pub(super) struct Intent {
    id: RequestId,
    at: Wall,
    tenant: TenantId,
    key: KeyId,
    op: Op,
    model: Arc<str>,
    provider: Arc<str>,
    upstream_model: Arc<str>,
    input_bound: u64,
    output_bound: u64,
    hold: Pico,
}

#[derive(serde::Deserialize)]
pub(super) struct Settlement {
    id: RequestId,
    at: Wall,
    duration_us: u64,
    first_token_us: Option<u64>,
    intended: bool,
    tenant: TenantId,
    key: KeyId,
    op: Op,
    stream: bool,
    model: Arc<str>,
    provider: Arc<str>,
    upstream_model: Arc<str>,
    credential: Arc<str>,
    attempts: u32,
    status: u16,
    outcome: Outcome,
    error: Arc<str>,
    usage: Usage,
    usage_source: UsageSource,
    charge: Option<Charge>,
    saved: Pico,
    end_user: Option<Arc<str>>,
}

#[derive(serde::Deserialize)]
pub(super) enum Record3 {
    Intent(Box<ledger::Intent>),
    Settlement(Box<Settlement3>),
    Movement(Box<Movement>),
}

/// Fields of a struct within a struct are encoded one after the other, as if they were its own.
#[derive(serde::Deserialize)]
pub(super) struct Settlement3 {
    first: Settlement,
    party: Arc<Party>,
    tried: Vec<Tried>,
}

impl From<Record3> for ledger::Record {
    fn from(record: Record3) -> Self {
        match record {
            Record3::Intent(intent) => ledger::Record::Intent(intent),
            Record3::Settlement(settlement) => {
                let Settlement3 { first, party, tried } = *settlement;
                ledger::Record::Settlement(Box::new(ledger::Settlement { party, tried, ..first.into() }))
            }
            Record3::Movement(movement) => ledger::Record::Movement(movement),
        }
    }
}

impl From<Record> for ledger::Record {
    fn from(record: Record) -> Self {
        match record {
            Record::Intent(intent) => ledger::Record::Intent(Box::new((*intent).into())),
            Record::Settlement(settlement) => ledger::Record::Settlement(Box::new((*settlement).into())),
            Record::Movement(movement) => ledger::Record::Movement(movement),
        }
    }
}

impl From<Intent> for ledger::Intent {
    fn from(old: Intent) -> Self {
        Self {
            id: old.id,
            at: old.at,
            tenant: old.tenant,
            key: old.key,
            op: old.op,
            model: old.model,
            provider: old.provider,
            upstream_model: old.upstream_model,
            input_bound: old.input_bound,
            output_bound: old.output_bound,
            hold: old.hold,
            party: Arc::default(),
        }
    }
}

impl From<Settlement> for ledger::Settlement {
    fn from(old: Settlement) -> Self {
        Self {
            id: old.id,
            at: old.at,
            duration_us: old.duration_us,
            first_token_us: old.first_token_us,
            intended: old.intended,
            tenant: old.tenant,
            key: old.key,
            op: old.op,
            stream: old.stream,
            model: old.model,
            provider: old.provider,
            upstream_model: old.upstream_model,
            credential: old.credential,
            attempts: old.attempts,
            status: old.status,
            outcome: old.outcome,
            error: old.error,
            usage: old.usage,
            usage_source: old.usage_source,
            charge: old.charge,
            saved: old.saved,
            end_user: old.end_user,
            party: Arc::default(),
            tried: Vec::new(),
            tags: Vec::new(),
        }
    }
}
