//! Records as versions 1 and 2 have them: they do not say who is behind a key.

use crate::ledger::wallet::Movement;
use crate::ledger::{self, Charge, Outcome};
use crate::types::{KeyId, Op, Pico, RequestId, TenantId, Usage, UsageSource, Wall};
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
        }
    }
}
