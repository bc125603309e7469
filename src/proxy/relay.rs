//! A vendor's answer on its way to the caller: event by event as it arrives,
//! or whole, with a reader looking on for usage, errors and the end.

use super::answer::AnswerHead;
use super::body::Body;
use super::exchange::{End, Missed, missed_by};
use super::failure;
use super::funds;
use super::guard::{Guard, Waited};
use super::hold::{COUNT_BUDGET, count_input};
use super::job::{Job, Payload};
use super::settle;
use super::several;
use super::sink::{Gone, Sink};
use super::stream::Reader;
use super::talk::Keeper;
use super::translated::translated;
use super::upstream::{Head, Reading, Taken};
use super::videos;
use super::visit::Visit;
use crate::config::Provider;
use crate::error::{Failure, Kind};
use crate::ledger::Outcome;
use crate::provider::{HealthEffect, judge, judge_error};
use crate::tokens;
use crate::types::{Op, Usage, UsageSource};
use crate::wire::openai::{self, Step, VendorError};
use crate::wire::translate::{Final, Plan, Watch};
use crate::wire::transport::is_events;
use bytes::Bytes;
use http::header;
use std::pin::pin;
use tokio::time::Instant;

/// The largest JSON answer; images in base64 are the large ones.
pub(super) const MAX_WHOLE_BYTES: usize = 128 * 1024 * 1024;

/// What a relay works with.
pub(super) struct Stage<'a, S> {
    pub job: &'a Job,
    pub visit: &'a mut Visit,
    pub sink: &'a mut S,
    pub guard: &'a mut Guard,
    pub provider: &'a Provider,
    /// Fields that were adapted or dropped for this vendor.
    pub adapted: Vec<String>,
    /// How the answer of an operation other than chat is read, if it is translated.
    pub plan: Option<Plan>,
}

/// Relays a success. `Err` only while the caller has seen no content.
pub(super) async fn relay<S: Sink>(stage: Stage<'_, S>, taken: Taken, head: Head) -> Result<End, Missed> {
    let content_type = head.text(header::CONTENT_TYPE);
    let reads_events = matches!(stage.visit.op, Op::Chat | Op::Completion);
    let encoding = head.text(header::CONTENT_ENCODING);
    if !encoding.is_empty() && encoding != "identity" {
        let detail = format!("content-encoding {encoding} although identity was asked for");
        return Err(Missed::new(
            Kind::VendorMalformed,
            "The model's vendor sent an unreadable answer",
            detail,
        ));
    }
    if let Payload::Video(ordered) = &stage.job.payload {
        return Box::pin(videos::begun(stage, ordered, taken, head)).await;
    }
    if is_events(content_type) && reads_events {
        Box::pin(events(stage, taken, head)).await
    } else if is_events(content_type) || !is_json(content_type) {
        Box::pin(pieces(stage, taken, head)).await
    } else {
        Box::pin(whole(stage, taken, head)).await
    }
}

/// No type at all is taken for JSON: some compatible servers forget it.
fn is_json(content_type: &str) -> bool {
    content_type.is_empty() || content_type.contains("json")
}

/// One read of the vendor under the clocks of a stream.
enum Next {
    Piece(Bytes),
    End,
    Gone,
    Broken(Missed),
}

async fn next<S: Sink>(stage: &mut Stage<'_, S>, taken: &mut Taken, deadline: Instant) -> Next {
    match stage.guard.watch(stage.sink, deadline, pin!(taken.conn.read_body())).await {
        Waited::Done(Ok(Reading::Piece(piece))) => Next::Piece(piece),
        Waited::Done(Ok(Reading::End)) => Next::End,
        Waited::Done(Err(broken)) => Next::Broken(missed_by(broken)),
        Waited::Gone => Next::Gone,
        Waited::Late => Next::Broken(Missed::new(
            Kind::VendorTimeout,
            "The model's vendor stopped answering",
            "no bytes within the idle or first-token time",
        )),
    }
}

/// A stream of events, read on the way.
struct Events {
    reader: Reader,
    /// Content has gone to the caller: no other vendor may be tried any more.
    committed: bool,
    /// Output tokens of text that was counted already and let go.
    counted: u64,
}

async fn events<S: Sink>(mut stage: Stage<'_, S>, mut taken: Taken, head: Head) -> Result<End, Missed> {
    let clocks = stage.job.clocks;
    let reader = Reader::new(stage.job, stage.visit, stage.provider);
    let mut events = Box::new(Events { reader, committed: false, counted: 0 });
    let mut deadline = Instant::now() + clocks.first_token;
    loop {
        let piece = next(&mut stage, &mut taken, deadline).await;
        let now = stage.job.plane.clock.mono();
        let step = match piece {
            Next::Piece(piece) => match events.reader.feed(piece) {
                Ok(step) => step,
                Err(failure) => {
                    let missed = Missed { failure, health: HealthEffect::Failed, gone: false, sent: false };
                    taken.conn.abort().await;
                    return Box::pin(events.cut(stage, missed)).await;
                }
            },
            Next::End => {
                let step = events.reader.end();
                stage.job.plane.upstreams.release(stage.provider, taken).await;
                return Box::pin(events.finish(stage, &head, step)).await;
            }
            Next::Gone => {
                taken.conn.abort().await;
                return events.left(&stage);
            }
            Next::Broken(missed) => {
                taken.conn.abort().await;
                let step = events.reader.broken_off();
                // A vendor that has said all and then forgets to close has answered well.
                if events.reader.complete() {
                    return Box::pin(events.finish(stage, &head, step)).await;
                }
                return Box::pin(events.cut(stage, missed)).await;
            }
        };
        if let Some(error) = step.error {
            taken.conn.abort().await;
            return Box::pin(events.refused(stage, &head, step.out, error)).await;
        }
        // Before it is forwarded: what a caller gets is paid for.
        if stage.job.pays && !events.is_paid_for(&stage).await {
            taken.conn.abort().await;
            return Box::pin(events.spent(stage, &head)).await;
        }
        if events.forward(&mut stage, &head, step.out).await.is_err() {
            taken.conn.abort().await;
            return events.left(&stage);
        }
        if events.reader.content_seen() {
            deadline = Instant::now() + clocks.idle;
        }
        if events.reader.text_due() {
            events.count(&stage.visit.upstream_model);
        }
        stage.visit.phases.relay += stage.job.plane.clock.mono().since(now);
    }
}

impl Events {
    async fn forward<S: Sink>(
        &mut self,
        stage: &mut Stage<'_, S>,
        head: &Head,
        out: Vec<Bytes>,
    ) -> Result<(), Gone> {
        if let Some(thoughts) = self.reader.take_thoughts() {
            stage.job.keep_thoughts(thoughts);
        }
        let given = self.reader.take_given();
        if !given.is_empty() {
            stage.job.note_thoughts(given, stage.provider);
        }
        if out.is_empty() {
            return Ok(());
        }
        if !self.committed {
            self.committed = true;
            let now = stage.job.plane.clock.mono();
            stage.visit.first_token.get_or_insert(now.since(stage.visit.started));
            let head = AnswerHead::relayed(stage.job, stage.visit, head, &stage.adapted);
            stage.sink.head(head).await?;
        }
        for bytes in out {
            stage.sink.write(bytes).await?;
        }
        stage.guard.wrote(Instant::now());
        Ok(())
    }

    /// The vendor closed the stream: well, if everything was said.
    async fn finish<S: Sink>(
        mut self: Box<Self>,
        mut stage: Stage<'_, S>,
        head: &Head,
        step: Step,
    ) -> Result<End, Missed> {
        if let Some(error) = step.error {
            return Box::pin(self.refused(stage, head, step.out, error)).await;
        }
        if !self.reader.complete() {
            let detail = "the stream ended without a finish reason";
            let missed = Missed::new(Kind::VendorCut, "The model's vendor cut the answer short", detail);
            return Box::pin(self.cut(stage, missed)).await;
        }
        if self.forward(&mut stage, head, step.out).await.is_err() {
            return self.left(&stage);
        }
        let (usage, source) = self.usage(&stage);
        settle::release(stage.job, stage.visit, &usage).await;
        if stage.sink.last(Bytes::new()).await.is_err() {
            let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
            return Ok(End { outcome: Outcome::ClientGone, failure: Some(failure), usage, source });
        }
        Ok(End { outcome: Outcome::Ok, failure: self.reader.refusal(), usage, source })
    }

    /// The vendor said in the stream that it failed, after `out`. A caller that has seen
    /// nothing yet does not see that either: another vendor may begin anew.
    async fn refused<S: Sink>(
        mut self: Box<Self>,
        mut stage: Stage<'_, S>,
        head: &Head,
        out: Vec<Bytes>,
        error: VendorError,
    ) -> Result<End, Missed> {
        if self.committed && self.forward(&mut stage, head, out).await.is_err() {
            return self.left(&stage);
        }
        let wall = stage.job.plane.clock.wall().seconds();
        let verdict = judge_error(stage.provider.vendor, &error, &http::HeaderMap::new(), wall);
        let missed = Missed::judged(verdict);
        self.cut(stage, missed).await
    }

    /// Before content: another may be tried. After: an error event ends the stream, never an invented end.
    async fn cut<S: Sink>(mut self: Box<Self>, stage: Stage<'_, S>, missed: Missed) -> Result<End, Missed> {
        if !self.committed {
            return Err(missed);
        }
        let event = self.reader.fail(&missed.failure);
        let _ = stage.sink.last(event).await;
        let (usage, source) = self.usage(&stage);
        Ok(End { outcome: Outcome::Truncated, failure: Some(missed.failure), usage, source })
    }

    /// May the answer go on? The bytes that came bound its tokens; only near the end of what is
    /// held are they counted, and then more is held.
    async fn is_paid_for<S: Sink>(&mut self, stage: &Stage<'_, S>) -> bool {
        let Some(covered) = funds::covered(stage.job) else { return true };
        let bound = self.counted.saturating_add(self.reader.text_bytes());
        // Ahead of time, so that a wallet that is filled meanwhile is asked again before it ends.
        let soon = covered - covered / 4;
        if bound <= soon || self.reader.complete() {
            return true;
        }
        self.count(&stage.visit.upstream_model);
        self.counted <= soon
            || funds::extend(stage.job, stage.visit, self.counted).await
            || self.counted <= covered
    }

    /// The wallet carries no more: the answer ends as one that is too long does, and says why.
    async fn spent<S: Sink>(
        mut self: Box<Self>,
        mut stage: Stage<'_, S>,
        head: &Head,
    ) -> Result<End, Missed> {
        let failure = funds::spent(stage.job);
        let (usage, source) = self.usage(&stage);
        let out = self.reader.end_early(stage.job, stage.visit, &failure, &usage);
        if self.forward(&mut stage, head, out).await.is_err() {
            return self.left(&stage);
        }
        let _ = stage.sink.last(Bytes::new()).await;
        Ok(End { outcome: Outcome::OutOfFunds, failure: Some(failure), usage, source })
    }

    fn left<S: Sink>(mut self: Box<Self>, stage: &Stage<'_, S>) -> Result<End, Missed> {
        let (usage, source) = self.usage(stage);
        let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
        Ok(End { outcome: Outcome::ClientGone, failure: Some(failure), usage, source })
    }

    /// Counts collected output and lets it go, so that a long stream holds little of it.
    fn count(&mut self, model: &str) {
        let text = self.reader.take_text();
        let (family, _) = tokens::family(model);
        self.counted += tokens::count(family, &text, COUNT_BUDGET).tokens;
    }

    fn usage<S: Sink>(&mut self, stage: &Stage<'_, S>) -> (Usage, UsageSource) {
        if let Some(mut usage) = self.reader.usage() {
            usage.requests = 1;
            if self.reader.complete() {
                return (usage, UsageSource::Provider);
            }
            // Anthropic reports the input first and the output last; what came in between is counted here.
            self.count(&stage.visit.upstream_model);
            if self.counted <= usage.output_tokens() {
                return (usage, UsageSource::Provider);
            }
            usage.output = self.counted.saturating_sub(usage.reasoning);
            return (usage, UsageSource::Estimated);
        }
        let text = self.reader.take_text();
        (estimate(stage.job, stage.visit, &text, self.counted), UsageSource::Estimated)
    }
}

/// Usage by our own count: the input, what was counted of the output, and `text`.
pub(super) fn estimate(job: &Job, visit: &Visit, text: &str, counted: u64) -> Usage {
    let mut usage = Usage { requests: 1, ..Usage::default() };
    if let Payload::Video(ordered) = &job.payload {
        return ordered.bound();
    }
    let family = job.family(&visit.upstream_model);
    if job.request().is_some() {
        usage.input = count_input(visit.op, family, &visit.upstream_model, &job.body);
    }
    usage.output = counted.saturating_add(tokens::count(family, text, COUNT_BUDGET).tokens);
    usage
}

/// A JSON answer: read whole, judged, then sent in one piece.
async fn whole<S: Sink>(mut stage: Stage<'_, S>, mut taken: Taken, head: Head) -> Result<End, Missed> {
    let mut body = Body::default();
    loop {
        let deadline = Instant::now() + stage.job.clocks.idle;
        match next(&mut stage, &mut taken, deadline).await {
            Next::Piece(piece) if body.len() + piece.len() > MAX_WHOLE_BYTES => {
                drop(piece);
                taken.conn.abort().await;
                let text = "The model's vendor sent an unreadable answer";
                return Err(Missed::new(Kind::VendorMalformed, text, "the answer is larger than 128 MiB"));
            }
            Next::Piece(piece) => body.push(piece),
            Next::End => break,
            Next::Gone => {
                taken.conn.abort().await;
                return Err(Missed::gone(true));
            }
            Next::Broken(missed) => {
                taken.conn.abort().await;
                return Err(missed);
            }
        }
    }
    let body = body.freeze();
    stage.job.plane.upstreams.release(stage.provider, taken).await;
    let now = stage.job.plane.clock.mono();
    let wall = stage.job.plane.clock.wall().seconds();
    if let Some(verdict) = judge(stage.provider.vendor, head.status, &head.headers, &body, wall) {
        return Err(Missed::judged(verdict));
    }
    let told = match translated(&stage, &head, &body) {
        Ok(read) => read,
        Err(missed) => return several::spent(&stage, &[body], missed),
    };
    let kept = told.body.as_ref().ok().and_then(|body| Final::of(body));
    if let (Some(keeper), Some(answer)) = (Keeper::of(stage.job), kept) {
        keeper.done(&answer);
    }
    let mut answer = AnswerHead::relayed(stage.job, stage.visit, &head, &stage.adapted);
    if told.events {
        answer = answer.into_events();
    }
    let end = match told.body {
        Ok(body) => send_whole(&mut stage, answer, body, told.used).await,
        Err(failure) => Box::pin(unfit(stage.job, stage.visit, stage.sink, failure, told.used)).await,
    };
    stage.visit.phases.relay += stage.job.plane.clock.mono().since(now);
    Ok(end)
}

/// An answer that was paid for, and in place of which the caller gets an error.
pub(super) async fn unfit<S: Sink>(
    job: &Job,
    visit: &Visit,
    sink: &mut S,
    failure: Failure,
    (usage, source): (Usage, UsageSource),
) -> End {
    failure::tell(sink, visit.dialect, &visit.id.to_string(), &failure, &job.standing).await;
    End { outcome: Outcome::Ok, failure: Some(failure), usage, source }
}

/// Sends an answer of known length and says what it used.
pub(super) async fn send_whole<S: Sink>(
    stage: &mut Stage<'_, S>,
    head: AnswerHead,
    body: Bytes,
    used: (Usage, UsageSource),
) -> End {
    settle::release(stage.job, stage.visit, &used.0).await;
    hand_over(stage, head, body, used).await
}

/// The same without letting go of what is held: what was used may be known later only.
pub(super) async fn hand_over<S: Sink>(
    stage: &mut Stage<'_, S>,
    mut head: AnswerHead,
    body: Bytes,
    (usage, source): (Usage, UsageSource),
) -> End {
    head.length = Some(body.len() as u64);
    let sent = async {
        stage.sink.head(head).await?;
        stage.sink.last(body).await
    };
    let left = sent.await.is_err();
    let failure = left.then(|| Failure::new(Kind::CallerGone, "The client closed the connection"));
    let outcome = if left { Outcome::ClientGone } else { Outcome::Ok };
    End { outcome, failure, usage, source }
}

/// An answer that is no JSON (audio, text, other streams): passed on as it comes.
async fn pieces<S: Sink>(mut stage: Stage<'_, S>, mut taken: Taken, head: Head) -> Result<End, Missed> {
    let mut answer = AnswerHead::relayed(stage.job, stage.visit, &head, &stage.adapted);
    answer.length = head.content_length();
    let mut answer = Some(answer);
    let mut usage = Usage { requests: 1, ..Usage::default() };
    if stage.visit.op == Op::Speech {
        usage.characters = spoken(stage.job);
    }
    let draws = matches!(stage.visit.op, Op::ImageGeneration | Op::ImageEdit);
    let mut pictures = draws.then(|| Watch::new(stage.provider.vendor.counting));
    let end = |outcome, failure, pictures: Option<Watch>| {
        let (usage, source) = match pictures.and_then(|watch| watch.usage()) {
            Some(drawn) => (drawn, UsageSource::Provider),
            None => (usage, UsageSource::Estimated),
        };
        End { outcome, failure, usage, source }
    };
    loop {
        let deadline = Instant::now() + stage.job.clocks.idle;
        let bytes = match next(&mut stage, &mut taken, deadline).await {
            Next::Piece(piece) => piece,
            Next::End => break,
            Next::Gone => {
                taken.conn.abort().await;
                let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
                return Ok(end(Outcome::ClientGone, Some(failure), pictures));
            }
            Next::Broken(missed) if answer.is_some() => {
                taken.conn.abort().await;
                return Err(missed);
            }
            // Not `last`: a body that is cut must not look complete.
            Next::Broken(missed) => {
                taken.conn.abort().await;
                stage.sink.cut();
                return Ok(end(Outcome::Truncated, Some(missed.failure), pictures));
            }
        };
        if let Some(watch) = &mut pictures {
            watch.feed(bytes.clone());
        }
        let sent = async {
            if let Some(head) = answer.take() {
                stage.sink.head(head).await?;
            }
            stage.sink.write(bytes).await
        };
        if sent.await.is_err() {
            taken.conn.abort().await;
            let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
            return Ok(end(Outcome::ClientGone, Some(failure), pictures));
        }
        let now = stage.job.plane.clock.mono();
        stage.visit.first_token.get_or_insert(now.since(stage.visit.started));
    }
    stage.job.plane.upstreams.release(stage.provider, taken).await;
    if let Some(head) = answer.take() {
        let _ = stage.sink.head(head).await;
    }
    let _ = stage.sink.last(Bytes::new()).await;
    Ok(end(Outcome::Ok, None, pictures))
}

/// Characters of the text to be spoken, which is what speech is billed by.
fn spoken(job: &Job) -> u64 {
    let mut characters = 0;
    openai::texts(Op::Speech, &job.body, &mut |text| characters += text.chars().count() as u64);
    characters
}
