//! Metrics and logs. Names follow the field's conventions; labels are bounded;
//! prompts, completions and secrets never come here.
//!
//! The request path hands over one [`Done`] per request, after the answer is
//! out: [`Metrics::done`] counts it and [`log_request`] writes its one line.
//! Neither waits for anything.

mod values;

mod metrics;
mod series;

mod events;
mod line;
mod log;
mod redact;

pub use line::{Format, Stamp, request_line};
pub use log::{LogGuard, init_logs, log_request};
pub use metrics::{InFlight, Metrics};
pub use values::{CacheStatus, CredentialGauge, Done, Gauges, Phases, QuotaGauge};
