//! Which credential of which target next: health, weights, latency, affinity,
//! back-off. Decisions only; the attempt itself is `proxy/exchange`.
//!
//! Knows nothing of vendors or requests. Time and chance are arguments.

mod health;
mod latency;
mod order;
mod picker;
mod random;
#[cfg(test)]
mod simulation;

pub use health::{Attempt, Fault, Health, HealthPolicy, Standing, State};
pub use order::{back_off, order};
pub use picker::{Candidate, Picker};

/// How a provider's credentials are chosen among those that are ready.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Smooth weighted round-robin.
    #[default]
    RoundRobin,
    /// Power of two choices by peak-EWMA latency × (in flight + 1) ÷ weight.
    Latency,
}
