//! What the process is told from outside: end, hand over, or stop at once.

use crate::proxy::Drain;
use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM (drain), SIGQUIT (hand the sockets to a new process) or SIGINT (now).
pub(super) struct Signals {
    drain: Drain,
    lame_duck: Duration,
}

impl Signals {
    pub(super) fn new(drain: Drain, lame_duck: Duration) -> Self {
        Self { drain, lame_duck }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    /// Called once. Between the signal and its answer, `/readyz` says no while requests are still
    /// taken, so that load balancers can look away first.
    async fn recv(&self) -> ShutdownSignal {
        let (Ok(mut terminate), Ok(mut quit), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::quit()), signal(SignalKind::interrupt()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {
                tracing::info!(in_flight = self.drain.in_flight(), "told to stop; draining");
                self.drain.begin();
                tokio::time::sleep(self.lame_duck).await;
                ShutdownSignal::GracefulTerminate
            }
            _ = quit.recv() => {
                tracing::info!("handing the sockets over to a new process");
                ShutdownSignal::GracefulUpgrade
            }
            _ = interrupt.recv() => {
                self.drain.begin();
                ShutdownSignal::GracefulTerminate
            }
        }
    }
}
