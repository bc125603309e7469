//! The shell: Pingora's `ProxyHttp`. Inference is handled inside
//! `request_filter`; only WebSockets take Pingora's own way.

use super::aigne::{self, Ask};
use super::answer::{AnswerHead, EVENT_STREAM};
use super::buffered::Share;
use super::decide::{Arrival, Refused, decide};
use super::endpoint::Endpoint;
use super::exchange::{End, exchange};
use super::failure;
use super::intake;
use super::job::Job;
use super::realtime::Pipe;
use super::sink::{Direct, Sink, early_head, response};
use super::visit::Visit;
use super::{Plane, connect, listing, resend, settle, shared};
use crate::chat::Dialect;
use crate::config::{Caller, Snapshot};
use crate::error::{Failure, Kind, Result};
use crate::ledger::Outcome;
use crate::limit::Standing;
use crate::types::Op;
use crate::wire::translate::{self, InPath};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::proxy::{ProxyHttp, Session};
use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// The public service.
pub struct Gateway {
    plane: Arc<Plane>,
}

impl Gateway {
    /// A gateway over a plane.
    pub fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }
}

/// What is kept of a request between Pingora's phases.
#[derive(Default)]
pub struct Context {
    /// Only WebSockets reach the later phases.
    pipe: Option<Box<Pipe>>,
    /// The connection has carried a request before.
    reused: bool,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::default()
    }

    /// Called after each request on a connection that stays open; the unit marks it as used.
    fn persist_connection_context(
        &self,
        _session: &Session,
        _ctx: &Context,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        Some(Box::new(()))
    }

    /// Called before `request_filter`, for every request but a connection's first.
    fn on_connection_reuse(
        &self,
        _session: &mut Session,
        ctx: &mut Context,
        _mark: Box<dyn Any + Send + Sync>,
    ) {
        ctx.reused = true;
    }

    /// Runs once per request, before any upstream is chosen. `true`: the answer has been written.
    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<bool> {
        if self.plane.drain.draining() {
            session.set_keepalive(None);
        }
        let request = session.req_header();
        let snapshot = self.plane.snapshot.load();
        let endpoint = Endpoint::find(&snapshot.aigne.mount, &request.method, request.uri.path());
        drop(snapshot);
        match endpoint {
            Ok(Endpoint::Inference(Op::Realtime, ..)) => self.realtime(session, ctx).await,
            Ok(Endpoint::Inference(op, dialect, in_path)) => {
                let accept = if ctx.reused { Duration::ZERO } else { since_accept(session) };
                match Box::pin(self.inference(session, op, dialect, &in_path, accept)).await {
                    Whole::Yes => Ok(true),
                    // Anything but an error here would end the body as if it were complete.
                    Whole::Cut => pingora::Error::e_explain(
                        pingora::ErrorType::ConnectionClosed,
                        "the vendor cut a body",
                    ),
                }
            }
            Ok(Endpoint::Health | Endpoint::Home) => self.say(session, 200, listing::home()).await,
            Ok(Endpoint::Aigne(Ask::Discovery)) => {
                let asked = session.req_header().uri.query().unwrap_or_default();
                let (content_type, map) = aigne::discovery(&self.plane.snapshot.load().aigne.mount, asked);
                self.say_as(session, 200, content_type, map).await
            }
            Ok(Endpoint::Ready) => {
                let ready = !self.plane.drain.draining();
                self.say(session, if ready { 200 } else { 503 }, listing::readiness(&self.plane)).await
            }
            Ok(endpoint) => self.local(session, endpoint).await,
            Err(failure) => {
                let mut visit = Visit::new(Op::Models, &self.plane.clock);
                visit.address = Some(intake::address(&self.plane.snapshot.load(), session));
                self.refuse(session, visit, failure, &Standing::default()).await;
                Ok(true)
            }
        }
    }

    /// Only for pipes: everything else was answered in `request_filter`.
    async fn upstream_peer(
        &self,
        _session: &mut Session,
        ctx: &mut Context,
    ) -> pingora::Result<Box<HttpPeer>> {
        match &ctx.pipe {
            Some(pipe) => Ok(Box::new(pipe.peer())),
            None => pingora::Error::e_explain(pingora::ErrorType::InternalError, "no pipe"),
        }
    }

    /// Called once per attempt: the vendor's own path, host and credential.
    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Context,
    ) -> pingora::Result<()> {
        match &ctx.pipe {
            Some(pipe) => pipe.rewrite(request),
            None => Ok(()),
        }
    }

    /// The answer was cut on purpose; nothing more is to be written.
    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &pingora::Error,
        ctx: &mut Context,
    ) -> pingora::proxy::FailToProxy {
        if ctx.pipe.is_some() && session.response_written().is_none() {
            let failure =
                Failure::new(Kind::VendorUnreachable, "The model's vendor cannot be reached").detail(error);
            let mut sink = Direct::new(session, None);
            failure::tell(&mut sink, Dialect::OpenAiChat, "", &failure, &Standing::default()).await;
        }
        pingora::proxy::FailToProxy { error_code: 0, can_reuse_downstream: false }
    }

    /// Cut answers are in the request's own log line.
    fn suppress_error_log(&self, _session: &Session, ctx: &Context, _error: &pingora::Error) -> bool {
        ctx.pipe.is_none()
    }

    /// Runs last, always; settles a pipe. Other requests have settled before.
    async fn logging(&self, session: &mut Session, error: Option<&pingora::Error>, ctx: &mut Context) {
        if let Some(pipe) = ctx.pipe.take() {
            let status = session.response_written().map_or(0, |h| h.status.as_u16());
            let bytes = session.body_bytes_sent() as u64;
            pipe.settle(status, bytes, error).await;
        }
    }
}

impl Gateway {
    /// An inference request from the first header to the settlement.
    async fn inference(
        &self,
        session: &mut Session,
        op: Op,
        dialect: Dialect,
        in_path: &InPath,
        accept: Duration,
    ) -> Whole {
        let plane = &self.plane;
        let present = plane.drain.enter();
        let snapshot = plane.snapshot.load_full();
        let mut visit = Visit::new(op, &plane.clock);
        visit.dialect = dialect;
        visit.in_flight = Some(plane.metrics.enter(op));
        visit.phases.accept = accept;
        session.set_write_timeout(Some(snapshot.bounds.write));
        let mut share = plane.buffered.share();
        let caller = match intake::admit(plane, &snapshot, session, &mut visit) {
            Ok(caller) => caller,
            Err(failure) => {
                Box::pin(self.refuse_early(session, visit, failure)).await;
                return Whole::Yes;
            }
        };
        let admitted = plane.clock.mono();
        visit.phases.auth = admitted.since(visit.started);
        let body = match intake::body(session, &snapshot.bounds, &mut share).await {
            Ok(body) => body,
            Err(failure) => {
                Box::pin(self.refuse_early(session, visit, failure)).await;
                return Whole::Yes;
            }
        };
        visit.phases.body = plane.clock.mono().since(admitted);
        visit.request_bytes = body.len() as u64;
        let headers = &session.req_header().headers;
        let in_path = &with_accept(in_path, dialect, headers);
        let query = "";
        let arrival = Arrival { plane, snapshot, caller, headers, query, in_path, body, share, present };
        match decide(arrival, &mut visit) {
            Ok(job) => answer(session, job, visit).await,
            Err(Refused { failure, standing }) => {
                Box::pin(self.refuse(session, visit, failure, &standing)).await;
                Whole::Yes
            }
        }
    }

    /// Endpoints that the hub answers by itself, for callers with a key.
    async fn local(&self, session: &mut Session, endpoint: Endpoint) -> pingora::Result<bool> {
        let plane = &self.plane;
        let _present = plane.drain.enter();
        let snapshot = plane.snapshot.load_full();
        let mut visit = Visit::new(endpoint.op().unwrap_or(Op::Models), &plane.clock);
        visit.dialect = endpoint.dialect();
        let private = matches!(endpoint, Endpoint::Connect(_));
        let result = match endpoint {
            Endpoint::Connect(step) => connect::answer(plane, &snapshot, session, &mut visit, step),
            endpoint => {
                let body = self.local_body(session, &snapshot, &mut visit, endpoint).await;
                body.map(|body| ("application/json", body))
            }
        };
        match result {
            Ok((content_type, body)) => {
                visit.status = 200;
                visit.response_bytes = body.len() as u64;
                let mut head = AnswerHead::new(200, content_type);
                if private {
                    head.text(header::CACHE_CONTROL, "no-store");
                }
                head.id(visit.dialect, &visit.id.to_string());
                head.length = Some(body.len() as u64);
                let mut sink = Direct::new(session, None);
                if sink.head(head).await.is_ok() {
                    let _ = sink.last(body).await;
                }
                settle::answered(plane, visit);
            }
            Err(failure) => Box::pin(self.refuse_early(session, visit, failure)).await,
        }
        Ok(true)
    }

    async fn local_body(
        &self,
        session: &mut Session,
        snapshot: &Arc<Snapshot>,
        visit: &mut Visit,
        endpoint: Endpoint,
    ) -> Result<Bytes> {
        if let Endpoint::Aigne(ask) = endpoint {
            return aigne::answer(&self.plane, snapshot, session, visit, ask);
        }
        let caller: Arc<Caller> = intake::admit(&self.plane, snapshot, session, visit)?;
        match endpoint {
            Endpoint::Models => Ok(listing::models(snapshot, &caller)),
            Endpoint::Model(id) => listing::model(snapshot, &caller, &id),
            Endpoint::Tokenize | Endpoint::CountTokens => {
                let mut share: Share = self.plane.buffered.share();
                let body = intake::body(session, &snapshot.bounds, &mut share).await?;
                let counted = listing::tokenize(snapshot, &caller, &body)?;
                Ok(if endpoint == Endpoint::Tokenize { counted.shown() } else { counted.as_anthropic() })
            }
            _ => Err(Failure::new(Kind::UnknownEndpoint, "Unknown request URL")),
        }
    }

    /// A WebSocket: admitted here, carried by Pingora's own proxying.
    async fn realtime(&self, session: &mut Session, ctx: &mut Context) -> pingora::Result<bool> {
        let mut visit = Visit::new(Op::Realtime, &self.plane.clock);
        visit.in_flight = Some(self.plane.metrics.enter(Op::Realtime));
        match Pipe::open(&self.plane, session, &mut visit).await {
            Ok(open) => {
                ctx.pipe = Some(Box::new(open.with(visit)));
                Ok(false)
            }
            Err(failure) => {
                Box::pin(self.refuse_early(session, visit, failure)).await;
                Ok(true)
            }
        }
    }

    /// A refusal before the body was read. What is left of a small body is read away and the
    /// connection goes on; a large one is not waited for.
    async fn refuse_early(&self, session: &mut Session, visit: Box<Visit>, failure: Failure) {
        let body_left = failure.kind != Kind::CallerGone && !session.is_body_done();
        let small = intake::small_body(&session.req_header().headers);
        if body_left && !small {
            session.set_keepalive(None);
        }
        self.refuse(session, visit, failure, &Standing::default()).await;
        if body_left {
            intake::linger(session).await;
        }
    }

    async fn refuse(
        &self,
        session: &mut Session,
        mut visit: Box<Visit>,
        failure: Failure,
        standing: &Standing,
    ) {
        let mut sink = Direct::new(session, None);
        if failure.kind != Kind::CallerGone {
            failure::tell(&mut sink, visit.dialect, &visit.id.to_string(), &failure, standing).await;
        }
        visit.status = translate::status(visit.dialect, &failure);
        visit.response_bytes = sink.bytes;
        settle::refused(&self.plane, visit, failure);
    }

    async fn say(&self, session: &mut Session, status: u16, body: Bytes) -> pingora::Result<bool> {
        self.say_as(session, status, "application/json", body).await
    }

    async fn say_as(
        &self,
        session: &mut Session,
        status: u16,
        content_type: &str,
        body: Bytes,
    ) -> pingora::Result<bool> {
        let mut head = AnswerHead::new(status, content_type);
        head.length = Some(body.len() as u64);
        let http1 = !session.is_http2();
        session.downstream_session.write_response_header(response(head, http1)).await?;
        session.downstream_session.write_response_body(body, true).await?;
        Ok(true)
    }
}

/// What the header adds to the path, for the dialects that read it.
fn with_accept<'a>(in_path: &'a InPath, dialect: Dialect, headers: &HeaderMap) -> Cow<'a, InPath> {
    let asks = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(EVENT_STREAM));
    if translate::streams_by_accept(dialect) && headers.get_all(header::ACCEPT).iter().any(asks) {
        return Cow::Owned(InPath { stream: true, ..in_path.clone() });
    }
    Cow::Borrowed(in_path)
}

/// From accept to the request's header, of a connection's first request.
fn since_accept(session: &Session) -> Duration {
    let timing = session.digest().and_then(|d| d.timing_digest.first().cloned().flatten());
    timing.and_then(|t| t.established_ts.elapsed().ok()).unwrap_or_default()
}

/// Answers a job: from the cache, from a flight, or from a vendor.
async fn answer(session: &mut Session, job: Box<Job>, visit: Box<Visit>) -> Whole {
    match job.caching {
        Some(caching) => Box::pin(shared::answer(session, job, visit, caching)).await,
        None => match resend::key(&job, &visit) {
            Some(key) => Box::pin(shared::answer_again(session, job, visit, key)).await,
            None => direct(session, job, visit).await,
        },
    }
}

/// Did the caller get a whole answer (be it an error), or must the connection show that it was cut?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    Cut,
}

/// Straight from the vendor to this caller.
pub(super) async fn direct(session: &mut Session, job: Box<Job>, mut visit: Box<Visit>) -> Whole {
    let mut sink = Direct::new(session, early_head(&visit));
    let end = carry_out(&job, &mut visit, &mut sink).await;
    let broken = end.outcome == Outcome::Truncated;
    visit.status =
        if sink.status == 0 { end.failure.as_ref().map_or(499, Failure::status) } else { sink.status };
    visit.response_bytes = sink.bytes;
    let whole = if sink.is_cut { Whole::Cut } else { Whole::Yes };
    if broken || end.outcome == Outcome::ClientGone {
        session.set_keepalive(None);
    }
    settle::settle(job, visit, end).await;
    whole
}

/// Intent, exchange, and the failure told when nothing else was.
pub(super) async fn carry_out<S: Sink>(job: &Job, visit: &mut Visit, sink: &mut S) -> End {
    if let Err(failure) = settle::intend(job, visit).await {
        Box::pin(failure::tell(sink, visit.dialect, &visit.id.to_string(), &failure, &job.standing)).await;
        return End::failed(failure);
    }
    let end = exchange(job, visit, sink).await;
    if let (Outcome::UpstreamError, Some(failure)) = (end.outcome, &end.failure) {
        Box::pin(failure::tell(sink, visit.dialect, &visit.id.to_string(), failure, &job.standing)).await;
    }
    end
}
