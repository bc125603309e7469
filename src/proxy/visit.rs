//! What is known of one request while it is on its way. Grows from intake to
//! settle; nothing decides by it.

use super::recording::Tee;
use super::videos::Begun;
use crate::chat::Dialect;
use crate::config::Caller;
use crate::ledger::Tried;
use crate::telemetry::{CacheStatus, InFlight, Phases};
use crate::types::{Clock, Mono, Op, RequestId, Wall};
use crate::wire::translate::AnswerForm;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct Visit {
    pub id: RequestId,
    pub op: Op,
    /// What the caller speaks.
    pub dialect: Dialect,
    /// What the vendor that answered speaks.
    pub vendor_dialect: Dialect,
    pub started: Mono,
    pub at: Wall,
    pub address: Option<IpAddr>,
    pub caller: Option<Arc<Caller>>,
    /// As the caller named it.
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub upstream_model: Arc<str>,
    pub credential: Arc<str>,
    pub end_user: Option<Arc<str>>,
    pub stream: bool,
    /// In which form of its dialect the caller wants its answer.
    pub form: AnswerForm,
    /// What the caller was told.
    pub status: u16,
    pub first_token: Option<Duration>,
    pub attempts: u32,
    pub retries: u32,
    pub fallbacks: u32,
    pub phases: Phases,
    pub cache: CacheStatus,
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// What is kept of the bodies, if anything.
    pub tee: Option<Box<Tee>>,
    /// An order that a vendor works on, which settles when that ends.
    pub video: Option<Box<Begun>>,
    /// The shorter side of what was ordered, in pixels, which a price may depend on.
    pub resolution: Option<u32>,
    /// An intent is in the books.
    pub intended: bool,
    pub tags: Vec<String>,
    /// The single attempts, once one has failed.
    pub tried: Vec<Tried>,
    /// Keeps the in-flight gauge until the visit is over.
    pub in_flight: Option<InFlight>,
}

impl Visit {
    /// Boxed: it is handed from step to step, and each step would copy it.
    pub(super) fn new(op: Op, clock: &Clock) -> Box<Self> {
        let none: Arc<str> = Arc::clone(nothing());
        Box::new(Self {
            id: RequestId::generate(),
            op,
            dialect: Dialect::OpenAiChat,
            vendor_dialect: Dialect::OpenAiChat,
            started: clock.mono(),
            at: clock.wall(),
            address: None,
            caller: None,
            model: none.clone(),
            provider: none.clone(),
            upstream_model: none.clone(),
            credential: none,
            end_user: None,
            stream: false,
            form: AnswerForm::Usual,
            status: 0,
            first_token: None,
            attempts: 0,
            retries: 0,
            fallbacks: 0,
            phases: Phases::default(),
            cache: CacheStatus::Off,
            request_bytes: 0,
            response_bytes: 0,
            tee: None,
            video: None,
            resolution: None,
            intended: false,
            tags: Vec::new(),
            tried: Vec::new(),
            in_flight: None,
        })
    }
}

/// The empty text, shared.
fn nothing() -> &'static Arc<str> {
    static NOTHING: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "".into());
    &NOTHING
}
