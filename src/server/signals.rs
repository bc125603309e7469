//! What the process is told from outside: end, hand over, or stop at once.

use super::succession::{LOOK, Successor, socket};
use crate::proxy::Drain;
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

/// How long a hub that is told to hand over looks for somebody to hand over to.
const SUCCESSOR: Duration = Duration::from_secs(10);

/// Waits for SIGTERM (drain), SIGQUIT (hand over to a new process) or SIGINT (now).
pub(super) struct Signals {
    pub drain: Drain,
    pub lame_duck: Duration,
    pub store: Store,
    pub data: PathBuf,
    /// Set when a successor takes over.
    pub handed_over: Arc<AtomicBool>,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    /// Called once. Between SIGTERM and the answer, `/readyz` says no while requests are still
    /// taken, so that load balancers can look away first. After the answer to SIGQUIT there is no
    /// way back, so it comes only when the successor is waiting for the sockets.
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
                sleep(self.lame_duck).await;
                ShutdownSignal::GracefulTerminate
            }
            () = self.upgraded(&mut quit) => {
                tracing::info!("handing the sockets over to a new process");
                self.handed_over.store(true, Ordering::Release);
                ShutdownSignal::GracefulUpgrade
            }
            _ = interrupt.recv() => {
                self.drain.begin();
                ShutdownSignal::GracefulTerminate
            }
        }
    }
}

impl Signals {
    /// Completes when a successor has everything but the sockets.
    async fn upgraded(&self, quit: &mut Signal) {
        loop {
            quit.recv().await;
            if !self.successor_comes().await {
                tracing::warn!("told to hand over, but no process was started with --upgrade; serving on");
                continue;
            }
            // One that is left from an earlier attempt must not be taken for the successor's.
            let _ = std::fs::remove_file(socket(&self.data));
            match self.blocking(Store::hand_over).await {
                Err(error) => tracing::error!(%error, "the books cannot be handed over; serving on"),
                Ok(()) if self.successor_is_ready().await => return,
                Ok(()) => tracing::warn!("the new process ended before it was ready; serving on"),
            }
        }
    }

    async fn successor_comes(&self) -> bool {
        let until = Instant::now() + SUCCESSOR;
        while !Successor::waits(&self.data) {
            if Instant::now() >= until {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    /// `false` when it ended, and the books are back.
    async fn successor_is_ready(&self) -> bool {
        let socket = socket(&self.data);
        loop {
            sleep(LOOK).await;
            if Successor::waits(&self.data) {
                if socket.exists() {
                    return true;
                }
                continue;
            }
            let _ = std::fs::remove_file(&socket);
            match self.blocking(Store::take_back).await {
                Ok(()) => return false,
                Err(error) => tracing::warn!(%error, "the books cannot be taken back yet; trying again"),
            }
            sleep(LOOK * 10).await;
        }
    }

    async fn blocking(
        &self,
        call: impl FnOnce(&Store) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || call(&store)).await;
        done.unwrap_or_else(|error| Err(StoreError::Write(error.to_string())))
    }
}
