//! Keeps the hub in order while it runs: reloads, sweeps, and the last steps
//! of a shutdown.

use super::bodies::Bodies;
use super::ready::Banner;
use super::reload::Reloader;
use super::succession::PidFile;
use super::tls::CertificateResolver;
use crate::access::KeyUse;
use crate::config::Watch;
use crate::proxy::Plane;
use crate::telemetry::LogGuard;
use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

const SWEEP: Duration = Duration::from_secs(5);
/// How often is looked for what has expired.
const EXPIRY: Duration = Duration::from_secs(1);
/// The count of requests must stay at zero this long: one may be between accept and its first line.
const QUIET: Duration = Duration::from_millis(50);

pub(super) struct Keeper {
    plane: Arc<Plane>,
    reloader: Arc<Reloader>,
    certificate: Option<Arc<CertificateResolver>>,
    banner: Banner,
    bodies: Bodies,
    /// What ends with the process.
    last: Mutex<Option<(LogGuard, PidFile)>>,
}

impl Keeper {
    pub(super) fn new(
        plane: Arc<Plane>,
        reloader: Arc<Reloader>,
        certificate: Option<Arc<CertificateResolver>>,
        last: (LogGuard, PidFile),
        banner: Banner,
    ) -> Self {
        let bodies = Bodies::start(&plane, reloader.directory());
        Self { plane, reloader, certificate, banner, bodies, last: Mutex::new(Some(last)) }
    }

    async fn reload(&self) {
        if let Some(certificate) = &self.certificate
            && let Err(error) = certificate.reload()
        {
            tracing::warn!(error, "the new certificate is bad; the old one stays");
        }
        let reloader = Arc::clone(&self.reloader);
        let _ = tokio::task::spawn_blocking(move || reloader.reload().map(drop)).await;
    }

    async fn sweep(&self) {
        self.plane.sweep();
        if self.plane.snapshot.load().billing.is_some() {
            self.wallets().await;
        }
        self.audit(self.plane.uses.take_over(self.plane.clock.wall())).await;
        if self.plane.store.predecessors() > 0 {
            let reloader = Arc::clone(&self.reloader);
            let _ = tokio::task::spawn_blocking(move || reloader.inherit()).await;
        }
    }

    /// Writes down how keys were used, and takes away records that are too old.
    async fn audit(&self, uses: Vec<KeyUse>) {
        let directory = self.reloader.directory();
        let work = move || {
            directory.note_uses(&uses);
            directory.prune_when_due();
        };
        let _ = tokio::task::spawn_blocking(work).await;
    }

    /// Something that is managed may have expired.
    async fn expire(&self) {
        let (reloader, now) = (Arc::clone(&self.reloader), self.plane.clock.wall());
        if reloader.expires(now) {
            let _ = tokio::task::spawn_blocking(move || reloader.expire(now)).await;
        }
    }

    /// Credits that are over leave the wallets; those that are due come in.
    async fn wallets(&self) {
        for movement in self.plane.store.wallets().expire(self.plane.clock.wall()) {
            if let Err(error) = self.plane.store.moved(movement).await {
                return tracing::error!(%error, "what has expired could not be queued");
            }
        }
        let reloader = Arc::clone(&self.reloader);
        let _ = tokio::task::spawn_blocking(move || reloader.give()).await;
    }

    fn watch(&self, paths: &[PathBuf], changed: &mpsc::Sender<()>) -> Option<Watch> {
        let changed = changed.clone();
        Watch::start(paths, move || {
            // A reload that is waiting already will see this change, too.
            let _ = changed.try_send(());
        })
        .inspect_err(|error| tracing::warn!(%error, "cannot watch the configuration; use SIGHUP"))
        .ok()
    }

    /// Files in use now, and the certificate.
    fn watched(&self) -> Vec<PathBuf> {
        let mut paths = self.reloader.watched();
        if let Some(tls) = &self.plane.snapshot.load().public.tls {
            paths.extend([tls.certificate.clone(), tls.key.clone()]);
        }
        paths
    }

    /// Waits for the last request, writes the books, and ends the process: Pingora itself would
    /// always sleep the whole grace time.
    async fn finish(&self) {
        self.plane.drain.begin();
        let until = Instant::now() + self.plane.snapshot.load().shutdown.grace;
        let mut quiet_since = None;
        loop {
            let now = Instant::now();
            match (self.plane.drain.in_flight(), quiet_since) {
                (0, Some(since)) if now.duration_since(since) >= QUIET => break,
                (0, None) => quiet_since = Some(now),
                (0, Some(_)) => {}
                (cut, _) if now >= until => {
                    tracing::warn!(cut, "the grace time is over; the last requests are cut");
                    break;
                }
                _ => quiet_since = None,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.audit(self.plane.uses.take_all()).await;
        self.bodies.close(&self.plane);
        self.plane.close();
        self.plane.store.close();
        tracing::info!("stopped");
        if let Some((logs, pid_file)) = self.last.lock().ok().and_then(|mut last| last.take()) {
            pid_file.remove();
            drop(logs);
        }
        std::process::exit(0);
    }
}

#[async_trait]
impl BackgroundService for Keeper {
    /// Runs as long as the process; `shutdown` changes once, when it is to end.
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let (sender, mut changed) = mpsc::channel(1);
        let mut paths = self.watched();
        let mut watch = self.watch(&paths, &sender);
        let Ok(mut hang_up) = signal(SignalKind::hangup()) else { return };
        let mut sweep = tokio::time::interval(SWEEP);
        let mut expiry = tokio::time::interval(EXPIRY);
        let mut fetching: Option<tokio::task::JoinHandle<()>> = None;
        let snapshot = self.plane.snapshot.load_full();
        let mut models = snapshot.model_names();
        // Every vendor's models have names without being written; the simulator's are known.
        if snapshot.providers.contains_key("simulator") && !models.iter().any(|name| name.contains("echo")) {
            models.push("simulator/echo".to_owned());
        }
        tokio::select! {
            () = self.banner.say(&models) => {}
            _ = shutdown.changed() => return self.finish().await,
        }
        loop {
            tokio::select! {
                _ = shutdown.changed() => return self.finish().await,
                _ = hang_up.recv() => self.reload().await,
                _ = changed.recv() => self.reload().await,
                _ = sweep.tick() => { self.sweep().await; continue }
                _ = expiry.tick() => {
                    self.expire().await;
                    // One at a time. It ends by itself, and with the process.
                    if fetching.as_ref().is_none_or(|running| running.is_finished()) {
                        let plane = Arc::clone(&self.plane);
                        fetching = Some(tokio::spawn(async move { plane.refresh_issuers().await }));
                    }
                    continue
                }
            }
            let now = self.watched();
            if now != paths {
                paths = now;
                drop(watch.take());
                watch = self.watch(&paths, &sender);
            }
        }
    }
}
