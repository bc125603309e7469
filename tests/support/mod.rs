//! The harness: a scripted vendor, the real hub as a child process, and a
//! client that holds every byte in its hands. Ports are the system's choice;
//! nothing sleeps, and whoever waits waits for an event.

pub mod client;
pub mod conf;
pub mod gateway;
pub mod receiver;
pub mod upstream;

pub use client::{Answer, Client, Request};
pub use conf::{Conf, Provider};
pub use gateway::Gateway;
pub use upstream::{
    Framing, Gate, Reply, Rules, Upstream, anthropic, bedrock, gemini, ollama, pictures, responses, vendor,
    videos,
};

use std::time::Duration;

/// Waits for an event that is certain to come; a hub that never lets it come
/// fails the test instead of stopping the run.
pub async fn patiently<T>(what: &str, event: impl Future<Output = T>) -> T {
    within(Duration::from_secs(30), what, event).await
}

/// The same for programs in other languages, which take their time to start on a busy machine.
pub async fn patiently_for_a_program<T>(what: &str, event: impl Future<Output = T>) -> T {
    within(Duration::from_secs(240), what, event).await
}

async fn within<T>(patience: Duration, what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(patience, event).await {
        Ok(value) => value,
        Err(_) => panic!("waited {patience:?} in vain for {what}"),
    }
}
