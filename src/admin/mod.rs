//! The control plane's listener: metrics, health, keys, books, reload. Knows
//! the data plane only by what [`Control`] hands it.

mod api;
mod books;
mod connect;
mod console;
mod directory;
mod identities;
mod oauth;
mod page;
mod till;
mod token;
mod wallets;

pub use api::{
    Access, Incoming, Pour, Problem, ROOT, Reply, Route, Visitor, answer, answer_operator, document, routes,
};
pub use books::reach;
pub use console::Console;
pub use directory::{Directory, Hooks, Probed, audit_public_key, managed_prices, verify_audit};
pub use till::{open_till, prunable, sweep_till};
pub use token::{Missing, token};
pub use wallets::{NewOperation, shown_done, shown_wallet, shown_wallets};

use crate::access::Sessions;
use crate::ledger::Report;
use crate::store::Store;
use crate::telemetry::{Gauges, Metrics};
use crate::types::{Clock, Secret};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What the control plane may see and do.
pub struct Control {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Keys and books.
    pub store: Store,
    /// Programs that wait for a key.
    pub connect: Arc<Sessions>,
    /// The time.
    pub clock: Clock,
    /// What callers of the administrative paths present.
    pub token: Secret,
    /// Numbers that are read when the metrics are scraped.
    pub gauges: Box<dyn Fn() -> Gauges + Send + Sync>,
    /// Is traffic welcome?
    pub ready: Box<dyn Fn() -> Readiness + Send + Sync>,
    /// Reads the configuration again; the problems as text, or its new number.
    pub reload: Box<dyn Fn() -> Result<u64, String> + Send + Sync>,
    /// Proves the books with the prices in force.
    pub verify: Box<dyn Fn() -> Result<Report, String> + Send + Sync>,
    /// What is managed.
    pub directory: Arc<Directory>,
}

/// What whoever sends traffic here wants to know first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Not every listener accepts yet.
    Starting,
    /// Traffic is welcome.
    Ready,
    /// On its way out: what is being served is served to the end.
    Draining,
}

/// Serves until `stop` completes.
///
/// # Errors
/// When the socket cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    control: Arc<Control>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let service = router(control).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

fn router(control: Arc<Control>) -> Router {
    let guarded = Router::new()
        .route("/admin/connect", get(connect::list))
        .route("/admin/connect/{code}", post(connect::approve))
        .route("/admin/reload", post(reload))
        .route("/admin/ledger", delete(books::prune))
        .route("/admin/ledger/export", get(books::export))
        .route("/admin/ledger/verify", get(books::verify))
        .route("/admin/wallets", get(wallets::list))
        .route("/admin/wallets/{tenant}", get(wallets::show).post(wallets::operate))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&control), authorise));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .merge(guarded)
        .with_state(Arc::clone(&control))
        .merge(console_router(control))
}

/// What may be within reach on the public listener too.
fn console_router(control: Arc<Control>) -> Router {
    Router::new()
        .route(&format!("{ROOT}/{{*path}}"), any(api::handle))
        .route("/oauth/{*path}", any(oauth::handle))
        .route(oauth::METADATA, any(oauth::handle))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "no such path") })
        .with_state(control)
}

/// A failure in the form of RFC 9457.
fn problem(status: StatusCode, detail: impl std::fmt::Display) -> Response {
    let title = status.canonical_reason().unwrap_or("error");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail.to_string() });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn authorise(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    if presented(request.headers()).is_some_and(|token| same(token, &control.token)) {
        return next.run(request).await;
    }
    problem(StatusCode::UNAUTHORIZED, "send the admin token: 'Authorization: Bearer TOKEN'")
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn same(token: &str, wanted: &Secret) -> bool {
    token.as_bytes().ct_eq(wanted.expose().as_bytes()).into()
}

async fn metrics(State(control): State<Arc<Control>>) -> Response {
    let text = control.metrics.render(&(control.gauges)());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn readiness(State(control): State<Arc<Control>>) -> Response {
    let (status, word) = match (control.ready)() {
        Readiness::Ready => (StatusCode::OK, "ready\n"),
        Readiness::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    };
    (status, word).into_response()
}

async fn reload(State(control): State<Arc<Control>>) -> Response {
    let done = tokio::task::spawn_blocking(move || (control.reload)()).await;
    match done {
        Ok(Ok(version)) => axum::Json(json!({ "configuration": version })).into_response(),
        Ok(Err(problems)) => problem(StatusCode::UNPROCESSABLE_ENTITY, problems),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

/// Runs blocking work of the store off the listener's own thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Response> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, error)),
        Err(error) => Err(problem(StatusCode::INTERNAL_SERVER_ERROR, error)),
    }
}
