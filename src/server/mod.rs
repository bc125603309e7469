//! Assembly: configuration, store, planes and Pingora's server, started in the
//! one order that works, and stopped so that nothing is lost. How a new process
//! takes over from an old one is told in `succession`.

mod bodies;
mod console;
mod gifts;
mod keeper;
mod listen;
mod quotas;
mod ready;
mod reload;
mod signals;
mod succession;
mod tls;

use crate::admin::{self, Control, Readiness};
use crate::config::{Boot, Document, Environment, Registry, Snapshot};
use crate::ledger::{Price, PriceTable};
use crate::proxy::{Front, Gateway, Plane};
use crate::store::{Options, Store, StoreError};
use crate::telemetry::{LogGuard, Metrics, init_logs};
use crate::types::Clock;
use keeper::Keeper;
use listen::Addresses;
use pingora::server::configuration::{Opt, ServerConf};
use pingora::server::{RunArgs, Server};
use pingora::services::listening::Service;
use reload::Reloader;
pub use reload::{inputs, pepper};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use succession::{PidFile, Successor};

/// How long a new process waits for the old one to give the books free.
const HANDOVER: Duration = Duration::from_secs(60);
/// Names the threads that serve callers.
const PUBLIC_SERVICE: &str = "gateway";
/// Longer than any drain: [`keeper`] ends the process when the last request has ended.
const PINGORA_GRACE_SECONDS: u64 = 24 * 60 * 60;

/// How to serve.
pub struct ServeOptions {
    /// The configuration file; `None` = the built-in defaults.
    pub config: Option<PathBuf>,
    /// What to do when a hub is running on the same data.
    pub upgrade: Upgrade,
    /// Log lines as JSON.
    pub json_logs: bool,
    /// Log filter, as `info` or `aigne_hub=debug`.
    pub log_level: String,
}

/// What to do when a hub is running on the same data. Without one, all three are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Refuse to start.
    No,
    /// Take over when it is sent SIGQUIT.
    Await,
    /// Send it SIGQUIT and take over.
    Demand,
}

/// The prices that come with the hub, parsed.
///
/// # Errors
/// Only when the embedded table is damaged, with its lines.
pub fn embedded_prices() -> Result<Vec<Price>, String> {
    PriceTable::built_in().map_err(|problems| problems.join("\n"))
}

/// Opens the store of a configuration.
///
/// # Errors
/// See [`Store::open`].
pub fn open_store(boot: &Boot, clock: &Clock, metrics: Option<Arc<Metrics>>) -> Result<Store, StoreError> {
    let options = Options {
        queue: boot.ledger.queue,
        flush_interval: boot.ledger.flush_interval,
        flush_entries: boot.ledger.flush_entries,
        cache_bytes: boot.ledger.cache_bytes,
    };
    let on_flush = Box::new(move |took, entries| {
        if let Some(metrics) = &metrics {
            metrics.flush(took, entries);
        }
    });
    Store::open(&boot.data_dir, options, clock.clone(), on_flush)
}

/// Runs the hub until it is told to stop. Does not return after a graceful stop.
///
/// # Errors
/// Everything that keeps it from starting, for the operator to read.
pub fn serve(options: &ServeOptions) -> Result<(), String> {
    // Before any connector exists: with two providers in the tree, the first user would panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let logs = init_logs(options.json_logs, &options.log_level)?;
    let environment = Environment::capture();
    let document = Document::read(options.config.as_deref()).map_err(|p| p.to_string())?;
    let boot = document.boot(&environment).map_err(|p| p.to_string())?;
    let clock = Clock::machine();
    let metrics = Metrics::new();
    let prices = embedded_prices()?;
    check_before_opening(&document, &environment, &boot, &prices)?;
    let successor = succeed(options.upgrade, &boot.data_dir)?;
    let store = open_patiently(&boot, &clock, &metrics, successor.is_some())?;
    let reloader =
        Reloader::start(options.config.clone(), environment, &boot, store.clone(), prices, &clock)?;
    let notices = reloader.directory().notices().clone();
    let plane = Plane::new(reloader.first()?, clock, metrics, store, notices);
    reloader.attach(&plane);
    reloader.connect();
    run(successor, &boot.data_dir, &plane, reloader, logs)
}

/// Announces this process to the one that serves, if one does.
fn succeed(upgrade: Upgrade, data: &Path) -> Result<Option<Successor>, String> {
    if upgrade == Upgrade::No {
        return Ok(None);
    }
    let Some(running) = PidFile::running(data) else {
        tracing::info!("no hub is running here; an ordinary start");
        return Ok(None);
    };
    let successor = Successor::announce(data)?;
    if upgrade == Upgrade::Demand {
        let process = nix::unistd::Pid::from_raw(running);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGQUIT)
            .map_err(|error| format!("cannot signal the running hub, process {running}: {error}"))?;
    }
    tracing::info!(running, "waiting for the running hub to hand over");
    Ok(Some(successor))
}

/// A bad configuration is told before anything on disk is touched.
fn check_before_opening(
    document: &Document,
    environment: &Environment,
    boot: &Boot,
    prices: &[Price],
) -> Result<(), String> {
    let registry = Registry::new(boot.health, Default::default());
    let nothing = crate::config::Extra::default();
    let inputs = reload::inputs(environment, &registry, &nothing, &[0; 32], prices);
    document.resolve(&inputs).map(drop).map_err(|p| p.to_string())?;
    let masters = document.master_keys(environment).map_err(|p| p.to_string())?;
    crate::control::Vault::new(&masters).map(drop).map_err(|error| format!("control.master_key: {error}"))
}

/// While an old process hands over, its books are still locked.
fn open_patiently(boot: &Boot, clock: &Clock, metrics: &Arc<Metrics>, wait: bool) -> Result<Store, String> {
    let until = Instant::now() + HANDOVER;
    loop {
        match open_store(boot, clock, Some(Arc::clone(metrics))) {
            Ok(store) => return Ok(store),
            Err(StoreError::Locked(_)) if wait && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn pingora_server(upgrade: bool, data_dir: &Path, threads: usize) -> Server {
    let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let conf = ServerConf {
        upgrade_sock: succession::socket(&absolute).display().to_string(),
        grace_period_seconds: Some(PINGORA_GRACE_SECONDS),
        graceful_shutdown_timeout_seconds: Some(1),
        // One thread has nobody to take work from, and a runtime that need not look is cheaper.
        work_stealing: threads > 1,
        ..ServerConf::default()
    };
    let opt = Opt { upgrade, ..Opt::default() };
    Server::new_with_opt_and_conf(Some(opt), conf)
}

fn run(
    successor: Option<Successor>,
    data: &Path,
    plane: &Arc<Plane>,
    reloader: Arc<Reloader>,
    logs: LogGuard,
) -> Result<(), String> {
    let snapshot = plane.snapshot.load_full();
    let threads = threads(&snapshot);
    let mut server = pingora_server(successor.is_some(), data, threads);
    let addresses = Addresses::reserve(&snapshot, successor.is_some())?;
    let conf = Arc::clone(&server.configuration);
    let gateway = Gateway::new(Arc::clone(plane), &conf, snapshot.public.http2_cleartext);
    let mut public = Service::new(PUBLIC_SERVICE.to_owned(), Front::new(gateway));
    public.threads = Some(threads);
    let resolver = listen::add(&mut public, &snapshot, &addresses)?;
    server.add_service(public);

    let open = Arc::new(AtomicBool::new(false));
    let control = Arc::new(control(plane, &reloader, &open));
    let console = Arc::new(console::Inside::default());
    let _ = plane.console.set(Arc::clone(&console) as Arc<dyn crate::proxy::Console>);
    let listener = std::sync::Mutex::new(Some(listen::admin(addresses.admin)?));
    let handed_over = Arc::new(AtomicBool::new(false));
    let service = AdminService { control, console, listener, handed_over: Arc::clone(&handed_over) };
    server.add_service(pingora::services::background::background_service("admin", service));
    // Everything that can fail has been done: from here on the old process gives up its place.
    match successor {
        None => server.bootstrap(),
        Some(successor) => successor.while_the_old_one_lives(|| server.bootstrap()),
    }
    let pid_file = PidFile::write(data)?;
    // Only now is it certain that somebody will see it.
    let first_key = ready::first_key(plane, &reloader)?;
    let set_up = ready::await_owner(&reloader)?;
    let banner = ready::Banner { addresses: addresses.clone(), first_key, set_up, open };
    let keeper = Keeper::new(Arc::clone(plane), reloader, resolver, (logs, pid_file), banner);
    server.add_service(pingora::services::background::background_service("keeper", keeper));
    let (drain, lame_duck) = (plane.drain.clone(), snapshot.shutdown.lame_duck);
    let (store, data) = (plane.store.clone(), data.to_owned());
    let watch = signals::Signals { drain, lame_duck, store, data, handed_over };
    server.run(RunArgs { shutdown_signal: Box::new(watch) });
    Ok(())
}

/// One worker per core, unless told otherwise.
fn threads(snapshot: &Snapshot) -> usize {
    match snapshot.public.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

fn control(plane: &Arc<Plane>, reloader: &Arc<Reloader>, open: &Arc<AtomicBool>) -> Control {
    let (for_gauges, drain, open) = (Arc::clone(plane), plane.drain.clone(), Arc::clone(open));
    let for_verify = Arc::clone(plane);
    let reload = Arc::clone(reloader);
    let failures = Arc::clone(reloader);
    let notices = reloader.directory().notices().clone();
    Control {
        metrics: Arc::clone(&plane.metrics),
        store: plane.store.clone(),
        connect: Arc::clone(&plane.connect),
        clock: plane.clock.clone(),
        token: reloader.admin_token(),
        gauges: Box::new(move || ready::gauges(&for_gauges, failures.failures(), notices.counts())),
        ready: Box::new(move || match (drain.draining(), open.load(Ordering::Acquire)) {
            (true, _) => Readiness::Draining,
            (false, true) => Readiness::Ready,
            (false, false) => Readiness::Starting,
        }),
        reload: Box::new(move || reload.reload().map_err(|problems| problems.to_string())),
        verify: Box::new(move || {
            let snapshot = for_verify.snapshot.load_full();
            for_verify.store.verify(&snapshot.prices).map_err(|e| e.to_string())
        }),
        directory: reloader.directory(),
    }
}

/// The control plane, on a runtime of its own.
struct AdminService {
    control: Arc<Control>,
    /// The same on the public listener, from when the runtime is there.
    console: Arc<console::Inside>,
    listener: std::sync::Mutex<Option<socket2::Socket>>,
    /// Has a successor taken this process's place?
    handed_over: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl pingora::services::background::BackgroundService for AdminService {
    /// Called once. The listener was bound before, so that a taken address is an error at start.
    /// It answers to the end of the process, for a drain wants to be watched; but with a
    /// successor it shares its address, and then only one of them must answer.
    async fn start(&self, mut shutdown: pingora::server::ShutdownWatch) {
        let listener = self.listener.lock().ok().and_then(|mut slot| slot.take());
        let Some(listener) = listener else { return };
        let listener = match listen::listen(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "the admin listener failed"),
        };
        self.console.open(&self.control);
        let handed_over = Arc::clone(&self.handed_over);
        let stop = async move {
            let _ = shutdown.changed().await;
            if !handed_over.load(Ordering::Acquire) {
                std::future::pending::<()>().await;
            }
        };
        let directory = Arc::clone(&self.control.directory);
        let (ended, over) = tokio::sync::oneshot::channel::<()>();
        let over = async { drop(over.await) };
        let courier = crate::notify::run(directory.notices().clone(), directory, over);
        let serving = async move {
            if let Err(error) = admin::serve(listener, Arc::clone(&self.control), stop).await {
                tracing::error!(%error, "the admin listener failed");
            }
            drop(ended);
        };
        tokio::join!(courier, serving);
    }
}
