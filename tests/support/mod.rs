//! The harness: a scripted vendor, the real hub as a child process, and a
//! client that holds every byte in its hands. Ports are the system's choice;
//! nothing sleeps, and whoever waits waits for an event.

pub mod client;
pub mod conf;
pub mod gateway;
pub mod upstream;

pub use client::{Answer, Client, Request};
pub use conf::{Conf, Provider};
pub use gateway::Gateway;
pub use upstream::{Framing, Gate, Reply, Rules, Upstream, vendor};

use std::time::Duration;

/// Waits for an event that is certain to come; a hub that never lets it come
/// fails the test instead of stopping the run.
pub async fn patiently<T>(what: &str, event: impl Future<Output = T>) -> T {
    const PATIENCE: Duration = Duration::from_secs(30);
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
