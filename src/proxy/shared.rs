//! Answers that are kept, and answers that several identical requests share
//! while they are made. The vendor call of a shared answer runs in a task of
//! its own: whoever leaves, leaves; the last one stops the vendor.

use super::Plane;
use super::answer::{AnswerHead, X_AIGNE_ADAPTED};
use super::exchange::End;
use super::failure;
use super::guard::{Guard, Waited};
use super::job::{Caching, Job};
use super::recording::{self, Tee};
use super::service::{Whole, carry_out, direct};
use super::settle;
use super::sink::{Direct, Early, Gone, Sink, early_head};
use super::visit::Visit;
use crate::cache::{CacheKey, Head, Part, Piece, Reader, Stored, Writer};
use crate::chat::Dialect;
use crate::error::{Failure, Kind};
use crate::ledger::Outcome;
use crate::telemetry::CacheStatus;
use crate::types::{Usage, UsageSource};
use crate::wire::translate;
use crate::wire::transport::is_events;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use pingora::protocols::http::ServerSession;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Answers a request that may come from, or go to, the cache.
pub(super) async fn answer(
    session: &mut ServerSession,
    job: Box<Job>,
    mut visit: Box<Visit>,
    caching: Caching,
) -> Whole {
    let now = job.plane.clock.mono();
    if caching.read
        && let Some(stored) = job.plane.cache.get(&caching.key, now)
    {
        return replay(session, job, visit, &stored).await;
    }
    if caching.only_if_cached {
        let failure = Failure::new(Kind::NotCached, "The answer is not in the cache");
        let mut sink = Direct::new(session, None);
        failure::tell(&mut sink, visit.dialect, &visit.id.to_string(), &failure, &job.standing).await;
        visit.status = failure.status();
        settle::settle(job, visit, End::failed(failure)).await;
        return Whole::Yes;
    }
    if !caching.write {
        visit.cache = CacheStatus::Bypass;
        return direct(session, job, visit).await;
    }
    // Who does not want to read a kept answer does not want to share a running one either.
    let flight = if caching.read { caching.key } else { private_key() };
    match job.plane.flights.join(flight) {
        Part::Lead(writer, reader) => {
            visit.cache = CacheStatus::Miss;
            lead(session, job, visit, Kept::Cached(caching), writer, reader).await
        }
        Part::Follow(reader) => follow(session, job, visit, Kept::Cached(caching), reader).await,
    }
}

/// Answers a request that may be one that was sent before; see `resend`.
pub(super) async fn answer_again(
    session: &mut ServerSession,
    job: Box<Job>,
    visit: Box<Visit>,
    key: CacheKey,
) -> Whole {
    let plane = Arc::clone(&job.plane);
    if let Some(reader) = plane.waiting.take(&key) {
        return follow(session, job, visit, Kept::Again(key), reader).await;
    }
    match plane.flights.join(private_key()) {
        Part::Lead(writer, reader) => lead(session, job, visit, Kept::Again(key), writer, reader).await,
        Part::Follow(_) => direct(session, job, visit).await,
    }
}

/// What becomes of a shared answer beside being read.
#[derive(Clone, Copy)]
enum Kept {
    /// It may go into the cache.
    Cached(Caching),
    /// It waits for the same request, if its caller is lost before it comes.
    Again(CacheKey),
}

impl Kept {
    /// Lets an answer wait that its caller did not live to see.
    fn leave(self, plane: &Plane, seen: &Seen, reader: Reader, patience: Duration) {
        if let (Kept::Again(key), true) = (self, seen.gone && !seen.began) {
            plane.waiting.leave(key, reader, plane.clock.mono(), patience);
        }
    }
}

fn private_key() -> CacheKey {
    let mut key = [0; 32];
    // Without randomness the key would be shared, which is only less private, not wrong.
    let _ = getrandom::fill(&mut key);
    CacheKey(key)
}

async fn replay(session: &mut ServerSession, job: Box<Job>, mut visit: Box<Visit>, stored: &Stored) -> Whole {
    visit.cache = CacheStatus::Hit;
    visit.provider = Arc::clone(&stored.provider);
    visit.upstream_model = Arc::clone(&stored.upstream_model);
    let mut head = AnswerHead::new(stored.status, &stored.content_type);
    head.ours(&job, &visit);
    let age = job.plane.clock.mono().since(stored.stored_at).as_secs();
    head.headers.push((header::AGE, HeaderValue::from(age)));
    if stored.stream {
        head.events();
    } else {
        head.length = Some(stored.chunks.iter().map(|c| c.len() as u64).sum());
    }
    let mut sink = Direct::new(session, None);
    sink.tee = recording::begin(&job);
    let sent = async {
        sink.head(head).await?;
        for chunk in &stored.chunks {
            sink.write(chunk.clone()).await?;
        }
        sink.last(Bytes::new()).await
    };
    let reusable = sent.await.is_ok();
    visit.status = stored.status;
    (visit.response_bytes, visit.tee) = (sink.bytes, sink.tee.take());
    let end =
        End { outcome: Outcome::CacheHit, failure: None, usage: stored.usage, source: UsageSource::None };
    settle::settle(job, visit, end).await;
    sink.finish(reusable).await
}

/// Starts the vendor call in a task of its own and reads along like everybody else.
async fn lead(
    session: &mut ServerSession,
    job: Box<Job>,
    visit: Box<Visit>,
    kept: Kept,
    writer: Writer,
    mut reader: Reader,
) -> Whole {
    let mut watch = Watch::of(&job, &visit);
    let (plane, patience) = (Arc::clone(&job.plane), job.snapshot.aigne.resend);
    // Its owner is the drain count in the job: a shutdown waits for it.
    tokio::spawn(fly(job, visit, kept, writer));
    let seen = watch.read(session, &mut reader).await;
    kept.leave(&plane, &seen, reader, patience);
    seen.whole
}

async fn follow(
    session: &mut ServerSession,
    job: Box<Job>,
    mut visit: Box<Visit>,
    kept: Kept,
    mut reader: Reader,
) -> Whole {
    visit.cache = CacheStatus::Coalesced;
    let mut watch = Watch::of(&job, &visit);
    watch.tee = recording::begin(&job);
    let seen = watch.read(session, &mut reader).await;
    visit.status = seen.status;
    (visit.response_bytes, visit.tee) = (seen.bytes, watch.tee.take());
    if let Some(head) = &seen.head {
        visit.provider = Arc::clone(&head.provider);
        visit.upstream_model = Arc::clone(&head.upstream_model);
    }
    let now = job.plane.clock.mono();
    let stored = match kept {
        Kept::Cached(caching) => job.plane.cache.get(&caching.key, now),
        Kept::Again(_) => None,
    };
    let usage = stored.map_or_else(Usage::default, |s| s.usage);
    kept.leave(&job.plane, &seen, reader, job.snapshot.aigne.resend);
    let outcome = if seen.gone { Outcome::ClientGone } else { Outcome::Coalesced };
    let end = End { outcome, failure: seen.failure, usage, source: UsageSource::None };
    settle::settle(job, visit, end).await;
    seen.whole
}

/// The vendor call of a flight, from intent to settlement.
async fn fly(job: Box<Job>, mut visit: Box<Visit>, kept: Kept, writer: Writer) {
    let bound = job.snapshot.cache.max_entry_bytes;
    let chunks = matches!(kept, Kept::Cached(_)).then(Vec::new);
    let tee = recording::begin(&job);
    let mut sink =
        Flight { writer, head: None, failure: None, kept: chunks, kept_bytes: 0, bytes: 0, bound, tee };
    let end = carry_out(&job, &mut visit, &mut sink).await;
    let failed = sink.failure.as_ref().map(|failure| translate::status(visit.dialect, failure));
    visit.status = sink.head.as_ref().map(|head| head.status).or(failed).unwrap_or(499);
    (visit.response_bytes, visit.tee) = (sink.bytes, sink.tee.take());
    if let (Kept::Cached(caching), Outcome::Ok, Some(head), Some(chunks)) =
        (kept, end.outcome, &sink.head, sink.kept.take())
        && head.status == 200
        && end.failure.is_none()
    {
        let stored = Stored {
            status: head.status,
            content_type: Arc::clone(&head.content_type),
            stream: head.stream,
            chunks,
            usage: end.usage,
            provider: Arc::clone(&visit.provider),
            upstream_model: Arc::clone(&visit.upstream_model),
            stored_at: job.plane.clock.mono(),
            ttl: caching.ttl,
        };
        job.plane.cache.put(caching.key, stored);
    }
    // Only now: whoever comes after the flight finds the answer in the cache.
    match sink.failure {
        None => sink.writer.finish(),
        Some(failure) => sink.writer.fail(failure),
    }
    settle::settle(job, visit, end).await;
}

/// A sink that several callers read, and that keeps what may be stored.
struct Flight {
    writer: Writer,
    head: Option<Head>,
    /// In place of an answer: each reader is told in its own way.
    failure: Option<Failure>,
    /// `None` once the answer is too large to be stored.
    kept: Option<Vec<Bytes>>,
    kept_bytes: usize,
    bytes: u64,
    bound: usize,
    /// What a tenant wants to keep of it.
    tee: Option<Box<Tee>>,
}

impl Sink for Flight {
    fn head_sent(&self) -> bool {
        self.head.is_some()
    }

    fn takes(&mut self, failure: &Failure) -> bool {
        if self.head.is_none() {
            self.failure = Some(failure.clone());
        }
        self.failure.is_some()
    }

    async fn head(&mut self, head: AnswerHead) -> Result<(), Gone> {
        if self.head.is_some() {
            return Ok(());
        }
        let text = |name: &HeaderName| {
            head.headers.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.to_str().ok()).unwrap_or("")
        };
        let content_type = text(&header::CONTENT_TYPE);
        let shared = Head {
            status: head.status,
            content_type: content_type.into(),
            stream: is_events(content_type),
            provider: text(&HeaderName::from_static("x-aigne-provider")).into(),
            upstream_model: text(&HeaderName::from_static("x-aigne-model")).into(),
            headers: head
                .headers
                .iter()
                .filter(|(name, _)| [header::RETRY_AFTER, X_AIGNE_ADAPTED].contains(name))
                .filter_map(|(name, value)| Some((name.as_str().into(), value.to_str().ok()?.into())))
                .collect(),
        };
        self.writer.head(shared.clone());
        self.head = Some(shared);
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Gone> {
        self.bytes += bytes.len() as u64;
        if let Some(tee) = &mut self.tee {
            tee.take(&bytes);
        }
        self.kept_bytes += bytes.len();
        match &mut self.kept {
            Some(kept) if self.kept_bytes <= self.bound => kept.push(bytes.clone()),
            kept => *kept = None,
        }
        self.writer.chunk(bytes).await;
        Ok(())
    }

    async fn last(&mut self, bytes: Bytes) -> Result<(), Gone> {
        if bytes.is_empty() { Ok(()) } else { self.write(bytes).await }
    }

    fn cut(&mut self) {
        self.kept = None;
    }

    /// Each reader keeps its own caller alive.
    async fn beat(&mut self) -> Result<(), Gone> {
        Ok(())
    }

    async fn gone(&mut self) {
        self.writer.abandoned().await;
    }
}

/// What one caller saw of a shared answer.
struct Seen {
    whole: Whole,
    status: u16,
    bytes: u64,
    gone: bool,
    /// Something of the answer has been taken.
    began: bool,
    head: Option<Arc<Head>>,
    failure: Option<Failure>,
}

/// What one caller needs to read along, once its job is gone into the flight.
struct Watch {
    guard: Guard,
    id: String,
    dialect: Dialect,
    standing: crate::limit::Standing,
    ours: AnswerHead,
    early: Option<Early>,
    /// What a tenant wants to keep of the answer, for a reader who has a settlement of its own.
    tee: Option<Box<Tee>>,
}

impl Watch {
    fn of(job: &Job, visit: &Visit) -> Self {
        let mut ours = AnswerHead { status: 200, headers: Vec::new(), length: None };
        let mut nameless = Visit::new(visit.op, &job.plane.clock);
        (nameless.id, nameless.cache) = (visit.id, visit.cache);
        ours.ours(job, &nameless);
        Self {
            guard: Guard::new(job.clocks.total + Duration::from_secs(5), job.heartbeat(visit)),
            id: visit.id.to_string(),
            dialect: visit.dialect,
            standing: job.standing,
            ours,
            early: early_head(visit),
            tee: None,
        }
    }

    async fn read(&mut self, session: &mut ServerSession, reader: &mut Reader) -> Seen {
        let mut sink = Direct::new(session, self.early.take());
        sink.tee = self.tee.take();
        let mut seen = Seen {
            whole: Whole::Yes,
            status: 0,
            bytes: 0,
            gone: false,
            began: false,
            head: None,
            failure: None,
        };
        loop {
            let far = Instant::now() + Duration::from_secs(86_400);
            let waited = self.guard.watch(&mut sink, far, pin!(reader.next())).await;
            seen.began |= matches!(waited, Waited::Done(_));
            let sent = match waited {
                Waited::Done(Piece::Head(head)) => {
                    let answer = self.head(&head);
                    seen.head = Some(head);
                    sink.head(answer).await
                }
                Waited::Done(Piece::Chunk(bytes)) => sink.write(bytes).await,
                Waited::Done(Piece::End) => {
                    seen.gone = sink.last(Bytes::new()).await.is_err();
                    break;
                }
                Waited::Done(Piece::Failed(failure)) => {
                    failure::tell(&mut sink, self.dialect, &self.id, &failure, &self.standing).await;
                    seen.failure = Some(failure);
                    break;
                }
                Waited::Gone | Waited::Late => Err(Gone),
            };
            if sent.is_err() {
                seen.gone = true;
                break;
            }
        }
        (seen.status, seen.bytes) = (sink.status, sink.bytes);
        self.tee = sink.tee.take();
        // A failure in place of an answer is an answer, and the connection goes on.
        let broken = seen.gone || (seen.failure.is_some() && seen.head.is_some());
        seen.whole = sink.finish(!broken).await;
        seen
    }

    fn head(&self, from: &Head) -> AnswerHead {
        let mut head = AnswerHead::new(from.status, &from.content_type);
        head.headers.extend(self.ours.headers.iter().cloned());
        if !from.provider.is_empty() {
            head.text(HeaderName::from_static("x-aigne-provider"), &from.provider);
            head.text(HeaderName::from_static("x-aigne-model"), &from.upstream_model);
        }
        for (name, value) in &from.headers {
            if let Ok(name) = HeaderName::try_from(&**name) {
                head.text(name, value);
            }
        }
        if from.stream {
            head.events();
        }
        head
    }
}
