//! The data plane: takes requests in, decides, speaks to vendors, relays,
//! settles. The only module besides `server` that knows Pingora.

mod able;
mod aigne;
mod answer;
mod body;
mod buffered;
mod choices;
mod chunked;
mod connect;
mod console;
mod cors;
mod decide;
mod drain;
mod endpoint;
mod exchange;
mod failure;
mod flood;
mod front;
mod funds;
mod guard;
mod hold;
mod intake;
mod job;
mod keeping;
mod kept;
mod listing;
mod long_body;
mod models;
mod outgoing;
mod outsiders;
mod pipes;
mod probe;
mod quotas;
mod realtime;
mod recording;
mod relay;
mod resend;
mod service;
mod settle;
mod several;
mod shared;
mod simulator;
mod sink;
mod stream;
mod talk;
mod translated;
mod tried;
mod upstream;
mod videos;
mod visit;

pub use console::{Answering, Console, Pieces};
pub use drain::Drain;
pub use front::Front;
pub use keeping::KeptResponses;
pub use probe::{Said, probe};
pub use recording::{Recorder, Recording};
pub use service::Gateway;

use crate::access::{Sessions, Uses};
use crate::cache::{Cache, Flights, Recall};
use crate::config::Snapshot;
use crate::notify::Notices;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::types::Clock;
use arc_swap::ArcSwap;
use buffered::Buffered;
use flood::Flood;
use keeping::Keeping;
use outsiders::Outsiders;
use resend::Waiting;
use std::sync::{Arc, OnceLock};
use upstream::Upstreams;

/// What all requests share. Built once; only the snapshot is replaced.
pub struct Plane {
    /// The configuration in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// The time.
    pub clock: Clock,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The books.
    pub store: Store,
    /// What tells people and programs by itself.
    pub notices: Notices,
    /// Answers kept.
    pub cache: Cache,
    /// Identical requests in flight.
    pub flights: Flights,
    /// Programs that wait for a key.
    pub connect: Arc<Sessions>,
    /// Thoughts behind calls of tools, for callers that cannot return them.
    pub recall: Recall,
    /// What answers the control plane's paths here, once it runs.
    pub console: OnceLock<Arc<dyn Console>>,
    /// Requests in flight, and whether new ones are still welcome.
    pub drain: Drain,
    /// How keys are used, by the hour.
    pub uses: Uses,
    /// Bodies of tenants that want them kept.
    pub recorder: Recorder,
    videos: videos::Running,
    keeping: Keeping,
    upstreams: Upstreams,
    buffered: Buffered,
    flood: Flood,
    waiting: Waiting,
    outsiders: Outsiders,
}

/// What is kept of thoughts for callers that cannot return them.
const MAX_RECALL_BYTES: u64 = 32 * 1024 * 1024;
/// The largest answer that identical requests share while it is in flight.
const MAX_FLIGHT_BYTES: usize = 8 * 1024 * 1024;

impl Plane {
    /// A plane that serves `snapshot`. Reads the responses that an earlier one kept, and blocks for that.
    pub fn new(
        snapshot: Arc<Snapshot>,
        clock: Clock,
        metrics: Arc<Metrics>,
        store: Store,
        notices: Notices,
    ) -> Arc<Self> {
        Arc::new(Self {
            keeping: Keeping::open(&snapshot, &store, clock.wall()),
            cache: Cache::new(snapshot.cache.max_bytes),
            flights: Flights::new(MAX_FLIGHT_BYTES),
            connect: Arc::default(),
            recall: Recall::new(MAX_RECALL_BYTES),
            drain: Drain::default(),
            uses: Uses::default(),
            recorder: Recorder::default(),
            videos: videos::Running::default(),
            upstreams: Upstreams::new(),
            buffered: Buffered::default(),
            flood: Flood::default(),
            waiting: Waiting::default(),
            outsiders: Outsiders::default(),
            console: OnceLock::new(),
            snapshot: ArcSwap::new(snapshot),
            clock,
            metrics,
            store,
            notices,
        })
    }

    /// Bytes of request bodies held at this moment.
    pub fn buffered_bytes(&self) -> u64 {
        self.buffered.bytes() as u64
    }

    /// What is kept of responses at this moment.
    pub fn kept_responses(&self) -> KeptResponses {
        self.keeping.stats()
    }

    /// Answers whose callers are gone, and that wait to be asked for again.
    pub fn waiting_answers(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Housekeeping, to be called every few seconds.
    pub fn sweep(&self) {
        self.upstreams.sweep();
        self.waiting.sweep(self.clock.mono());
        self.keeping.sweep(self.clock.wall());
        let snapshot = self.snapshot.load();
        snapshot.tokens.sweep(self.clock.wall());
        snapshot.outside_gates.sweep();
    }

    /// Brings to disk what is still waiting, before the store closes. Blocks.
    pub fn close(&self) {
        self.keeping.close();
    }
}
