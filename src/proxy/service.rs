//! The shell: what Pingora calls with each HTTP session of the public listeners.
//! Everything but WebSockets is answered right here; those go on to Pingora's own
//! proxying (`pipes`).

use super::aigne::{self, Ask};
use super::answer::{AnswerHead, EVENT_STREAM};
use super::buffered::Share;
use super::decide::{Arrival, Refused, decide};
use super::endpoint::{Endpoint, dialect_of};
use super::exchange::{End, exchange};
use super::failure;
use super::intake;
use super::job::Job;
use super::pipes::Pipes;
use super::sink::{Direct, Sink, early_head, response};
use super::visit::Visit;
use super::{
    Plane, connect, console, cors, kept, listing, models, recording, resend, settle, shared, videos,
};
use crate::chat::Dialect;
use crate::config::{Caller, Snapshot};
use crate::error::{Failure, Kind, Result};
use crate::ledger::Outcome;
use crate::limit::Standing;
use crate::types::Op;
use crate::wire::translate::{self, AnswerForm, InPath};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What most answers are.
const JSON: &str = "application/json";

/// The public service. It speaks HTTP by Pingora's sessions and not by its `ProxyHttp`, whose
/// state of a whole proxied exchange (13 KB) each connection would carry for nothing.
pub struct Gateway {
    plane: Arc<Plane>,
    /// Carries what is not answered here.
    pipes: Arc<HttpProxy<Pipes>>,
    options: HttpServerOptions,
    closing: AtomicBool,
    closed: Notify,
}

impl Gateway {
    /// A gateway over a plane. `h2c`: HTTP/2 without TLS is spoken too.
    pub fn new(plane: Arc<Plane>, conf: &Arc<ServerConf>, h2c: bool) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = h2c;
        let pipes = Arc::new(pingora::proxy::http_proxy(conf, Pipes::new(Arc::clone(&plane))));
        Self { plane, pipes, options, closing: AtomicBool::new(false), closed: Notify::new() }
    }
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The session is to be finished; another request may come.
    Again,
    /// The session has been finished, and stands for the next request.
    Anew,
    /// Nothing more is to be said over it.
    Close,
    /// It asked for a WebSocket, which `Gateway::hand_on` takes.
    HandOn,
}

/// Requests over HTTP/2; those over HTTP/1.1 come by `front`.
#[async_trait]
impl HttpServerApp for Gateway {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        _shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if self.request(&mut session, false).await == After::Again {
            session.finish().await.ok()?;
        }
        None
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    /// The listeners are closed: connections on which nobody asks anything are let go.
    async fn http_cleanup(&self) {
        self.closing.store(true, Ordering::Release);
        self.closed.notify_waiters();
        self.pipes.http_cleanup().await;
    }
}

impl Gateway {
    /// Is HTTP/2 spoken without TLS?
    pub(super) fn http2_cleartext(&self) -> bool {
        self.options.h2c
    }

    /// One request. `reused`: others came over this connection before.
    pub(super) async fn request(&self, session: &mut ServerSession, reused: bool) -> After {
        if !self.read_header(session).await {
            return After::Close;
        }
        if self.plane.drain.draining() {
            session.set_keepalive(None);
        }
        intake::hide_key(session);
        let snapshot = self.plane.snapshot.load();
        let request = session.req_header();
        let endpoint = Endpoint::find(&snapshot.aigne.mount, &request.method, request.uri.path());
        if !matches!(endpoint, Ok(Endpoint::Console)) {
            cors::hide_stranger(session, &snapshot.origins);
        }
        drop(snapshot);
        let request = session.req_header();
        let whole = match endpoint {
            Ok(Endpoint::Inference(Op::Realtime, ..)) if session.is_upgrade_req() => return After::HandOn,
            Ok(Endpoint::Inference(op, dialect, mut in_path)) if op != Op::Realtime => {
                let events = |query: &str| query.split('&').any(|pair| pair == "alt=sse");
                if in_path.form == AnswerForm::List && request.uri.query().is_some_and(events) {
                    in_path.form = AnswerForm::Usual;
                }
                let accept = if reused { Duration::ZERO } else { since_accept(session) };
                Box::pin(self.inference(session, op, dialect, &in_path, accept)).await
            }
            other => Box::pin(self.other(session, other)).await,
        };
        match whole {
            Whole::Yes => After::Again,
            Whole::Anew => After::Anew,
            // Anything but dropping the connection would end the body as if it were complete.
            Whole::Cut => After::Close,
        }
    }

    /// Gives a WebSocket to Pingora's proxying, which reads the header once more.
    pub(super) async fn hand_on(
        &self,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let ServerSession::H1(session) = session else { return None };
        let header = BytesMut::from(&session.get_headers_raw_bytes()[..]);
        let mut again = ServerSession::new_http1(session.into_inner());
        again.set_pipelined_prefix(header);
        self.pipes.process_new_http(again, shutdown).await
    }

    /// Waits for a request and reads its header. `false`: there will be none.
    async fn read_header(&self, session: &mut ServerSession) -> bool {
        let read = tokio::select! {
            biased;
            read = session.read_request() => read,
            () = self.closed() => return false,
        };
        match read {
            Ok(true) => true,
            Ok(false) => false,
            Err(error) => {
                if matches!(error.etype, pingora::ErrorType::InvalidHTTPHeader) {
                    Box::pin(unreadable(session)).await;
                }
                session.shutdown().await;
                false
            }
        }
    }

    async fn closed(&self) {
        let mut notified = pin!(self.closed.notified());
        // From here on no notification is missed.
        notified.as_mut().enable();
        if !self.closing.load(Ordering::Acquire) {
            notified.await;
        }
    }

    /// What no vendor is asked for.
    async fn other(&self, session: &mut ServerSession, endpoint: Result<Endpoint>) -> Whole {
        let said = match endpoint {
            Ok(Endpoint::Health | Endpoint::Home) => say(session, 200, JSON, listing::home()).await,
            Ok(Endpoint::Aigne(Ask::Discovery)) => {
                let asked = session.req_header().uri.query().unwrap_or_default();
                let (content_type, map) = aigne::discovery(&self.plane.snapshot.load().aigne.mount, asked);
                say(session, 200, content_type, map).await
            }
            Ok(Endpoint::Ready) => {
                let ready = !self.plane.drain.draining();
                say(session, if ready { 200 } else { 503 }, JSON, listing::readiness(&self.plane)).await
            }
            Ok(Endpoint::Video(id, question)) => {
                return Box::pin(videos::answer(&self.plane, session, &id, question)).await;
            }
            Ok(Endpoint::Console) => return Box::pin(console::carry(&self.plane, session)).await,
            Ok(endpoint) => self.local(session, endpoint).await,
            Err(failure) => self.nowhere(session, failure).await,
        };
        if said.is_ok() { Whole::Yes } else { Whole::Cut }
    }
}

impl Gateway {
    /// There is no such endpoint, or no such method of it.
    async fn nowhere(&self, session: &mut ServerSession, failure: Failure) -> pingora::Result<()> {
        let snapshot = self.plane.snapshot.load_full();
        let (mount, request) = (&snapshot.aigne.mount, session.req_header());
        let path = request.uri.path();
        if let Some(head) = cors::preflight(mount, &request.method, path, &request.headers) {
            return session.write_response_header(response(head, false)).await;
        }
        let mut visit = Visit::new(Op::Models, &self.plane.clock);
        visit.dialect = dialect_of(mount, path);
        let failure = match failure.kind {
            Kind::MethodNotAllowed => failure.allowing(cors::methods(mount, path)),
            _ => failure,
        };
        visit.address = Some(intake::address(&snapshot, session));
        refuse(&self.plane, session, visit, failure, &Standing::default()).await;
        Ok(())
    }

    /// An inference request from the first header to the settlement.
    async fn inference(
        &self,
        session: &mut ServerSession,
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
                Box::pin(refuse_early(plane, session, visit, failure)).await;
                return Whole::Yes;
            }
        };
        let admitted = plane.clock.mono();
        visit.phases.auth = admitted.since(visit.started);
        let body = match intake::body(session, &snapshot.bounds, &mut share).await {
            Ok(body) => body,
            Err(failure) => {
                Box::pin(refuse_early(plane, session, visit, failure)).await;
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
                Box::pin(refuse(plane, session, visit, failure, &standing)).await;
                Whole::Yes
            }
        }
    }

    /// Endpoints that the hub answers by itself, for callers with a key.
    async fn local(&self, session: &mut ServerSession, endpoint: Endpoint) -> pingora::Result<()> {
        let plane = &self.plane;
        let _present = plane.drain.enter();
        let snapshot = plane.snapshot.load_full();
        let mut visit = Visit::new(endpoint.op().unwrap_or(Op::Models), &plane.clock);
        visit.dialect = endpoint.dialect_of(&session.req_header().headers);
        let private = matches!(endpoint, Endpoint::Connect(_));
        let result = match endpoint {
            Endpoint::Connect(step) => connect::answer(plane, &snapshot, session, &mut visit, step),
            endpoint => {
                let body = self.local_body(session, &snapshot, &mut visit, endpoint).await;
                body.map(|body| (JSON, body))
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
            Err(failure) => Box::pin(refuse_early(plane, session, visit, failure)).await,
        }
        Ok(())
    }

    async fn local_body(
        &self,
        session: &mut ServerSession,
        snapshot: &Arc<Snapshot>,
        visit: &mut Visit,
        endpoint: Endpoint,
    ) -> Result<Bytes> {
        if let Endpoint::Aigne(ask) = endpoint {
            return aigne::answer(&self.plane, snapshot, session, visit, ask);
        }
        let caller: Arc<Caller> = intake::admit(&self.plane, snapshot, session, visit)?;
        // Google's newest clients ask where OpenAI's do, and are known by their header.
        let google = session.req_header().headers.get(intake::GOOGLE_KEY).is_some();
        match endpoint {
            Endpoint::GoogleModels => Ok(listing::google_models(snapshot, &caller)),
            Endpoint::Models if google => Ok(listing::google_models(snapshot, &caller)),
            Endpoint::GoogleModel(id) => listing::google_model(snapshot, &caller, &id),
            Endpoint::Model(id) if google => listing::google_model(snapshot, &caller, &id),
            Endpoint::GoogleCount(model) => {
                let mut share: Share = self.plane.buffered.share();
                let body = intake::body(session, &snapshot.bounds, &mut share).await?;
                let body = translate::count_received(&body, &model)?;
                Ok(listing::tokenize(snapshot, &caller, &body)?.as_google())
            }
            Endpoint::Models | Endpoint::Model(_) => {
                let query = session.req_header().uri.query().unwrap_or("");
                let (dialect, now) = (visit.dialect, visit.at);
                let asked = models::Asked { snapshot, caller: &caller, dialect, query, now };
                if let Endpoint::Model(id) = &endpoint {
                    models::one(&asked, id)
                } else {
                    models::list(&asked)
                }
            }
            Endpoint::Tokenize | Endpoint::CountTokens => {
                let mut share: Share = self.plane.buffered.share();
                let body = intake::body(session, &snapshot.bounds, &mut share).await?;
                let counted = listing::tokenize(snapshot, &caller, &body)?;
                Ok(if endpoint == Endpoint::Tokenize { counted.shown() } else { counted.as_anthropic() })
            }
            Endpoint::InputTokens => {
                let mut share: Share = self.plane.buffered.share();
                let body = intake::body(session, &snapshot.bounds, &mut share).await?;
                listing::input_tokens(&self.plane, snapshot, &caller, &body)
            }
            Endpoint::Response(id, act) => {
                let query = session.req_header().uri.query().unwrap_or_default();
                kept::answer(&self.plane, snapshot, &caller, &id, act, query)
            }
            Endpoint::Inference(..) => {
                let text = "This endpoint takes WebSocket upgrades only";
                Err(Failure::new(Kind::InvalidRequest, text))
            }
            _ => Err(Failure::new(Kind::UnknownEndpoint, "Unknown request URL")),
        }
    }
}

/// A refusal before the body was read. What is left of a small body is read away and the
/// connection goes on; a large one is not waited for.
pub(super) async fn refuse_early(
    plane: &Plane,
    session: &mut ServerSession,
    visit: Box<Visit>,
    failure: Failure,
) {
    let body_left = failure.kind != Kind::CallerGone && !session.is_body_done();
    let small = intake::small_body(&session.req_header().headers);
    if body_left && !small {
        session.set_keepalive(None);
    }
    refuse(plane, session, visit, failure, &Standing::default()).await;
    if body_left {
        intake::linger(session).await;
    }
}

async fn refuse(
    plane: &Plane,
    session: &mut ServerSession,
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
    settle::refused(plane, visit, failure);
}

async fn say(
    session: &mut ServerSession,
    status: u16,
    content_type: &str,
    body: Bytes,
) -> pingora::Result<()> {
    let mut head = AnswerHead::new(status, content_type);
    head.length = Some(body.len() as u64);
    cors::open(&mut head, &session.req_header().headers);
    let http1 = !session.is_http2();
    session.write_response_header(response(head, http1)).await?;
    session.write_response_body(body, true).await
}

/// A header that is no HTTP: nothing is known of the caller but that it waits for an answer.
async fn unreadable(session: &mut ServerSession) {
    let failure = Failure::new(Kind::InvalidRequest, "The request's header cannot be read");
    let body: Bytes = translate::error_body(Dialect::OpenAiChat, &failure).into();
    let mut head = AnswerHead::new(failure.status(), JSON);
    head.length = Some(body.len() as u64);
    session.set_keepalive(None);
    let _ = session.write_error_response(*response(head, true), body).await;
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
fn since_accept(session: &ServerSession) -> Duration {
    let timing = session.digest().and_then(|d| d.timing_digest.first().cloned().flatten());
    timing.and_then(|t| t.established_ts.elapsed().ok()).unwrap_or_default()
}

/// Answers a job: from the cache, from a flight, or from a vendor.
async fn answer(session: &mut ServerSession, job: Box<Job>, visit: Box<Visit>) -> Whole {
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
    /// Yes, and the connection already waits for the next request.
    Anew,
    Cut,
}

/// Straight from the vendor to this caller.
pub(super) async fn direct(session: &mut ServerSession, job: Box<Job>, mut visit: Box<Visit>) -> Whole {
    let mut sink = Direct::new(session, early_head(&visit));
    sink.tee = recording::begin(&job);
    let end = carry_out(&job, &mut visit, &mut sink).await;
    let broken = end.outcome == Outcome::Truncated;
    visit.status =
        if sink.status == 0 { end.failure.as_ref().map_or(499, Failure::status) } else { sink.status };
    (visit.response_bytes, visit.tee) = (sink.bytes, sink.tee.take());
    let reusable = !broken && end.outcome != Outcome::ClientGone;
    settle::settle(job, visit, end).await;
    sink.finish(reusable).await
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
