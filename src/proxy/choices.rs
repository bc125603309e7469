//! A streamed chat with several answers, of a vendor that gives one at a time: as
//! many calls, whose streams are woven into one. Each keeps its number; usage and
//! end are told once, for all. The whole worst case was held before.

use super::answer::AnswerHead;
use super::exchange::{End, Missed, missed_by};
use super::guard::Waited;
use super::hold::COUNT_BUDGET;
use super::relay::{Stage, estimate};
use super::settle;
use super::several::{AT_ONCE, Calls, begun, whole};
use super::sink::Sink;
use super::stream::{MAX_EVENT_BYTES, ended_badly};
use super::upstream::{Broken, Head, Reading, Taken};
use super::visit::Visit;
use crate::cache::Thoughts;
use crate::chat::{Dialect, Event, Finish, StreamIn, StreamOut};
use crate::error::{Failure, Kind};
use crate::ledger::Outcome;
use crate::provider::{HealthEffect, judge_error};
use crate::tokens;
use crate::types::{Usage, UsageSource};
use crate::wire::openai::VendorError;
use crate::wire::openai_chat::StreamOptions;
use crate::wire::translate;
use crate::wire::transport::{Transport, is_events};
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::header;
use std::pin::{Pin, pin};
use tokio::time::Instant;

/// Text of one answer that is collected before it is counted and let go.
const MAX_TEXT_BYTES: usize = 32 * 1024;

/// One read of one of the streams, which gives the connection back.
type Read = Pin<Box<dyn Future<Output = (usize, Taken, Result<Reading, Broken>)> + Send>>;

/// Makes all calls and relays what they say, as it comes. `Err` only while the caller has seen nothing.
pub(super) async fn call<S: Sink>(
    mut stage: Stage<'_, S>,
    calls: Calls<'_>,
    from: Dialect,
) -> Result<End, Missed> {
    let opened = open(&mut stage, &calls).await?;
    let mut reads: FuturesUnordered<Read> = FuturesUnordered::new();
    let mut woven = Woven::new(&stage, from, opened.len());
    let mut answer_head = None;
    for (number, (taken, head)) in opened.into_iter().enumerate() {
        let relayed = || AnswerHead::relayed(stage.job, stage.visit, &head, &stage.adapted);
        answer_head.get_or_insert_with(relayed);
        reads.push(read(number, taken));
    }
    let mut head = answer_head;
    let mut deadline = Instant::now() + stage.job.clocks.first_token;
    loop {
        let waited = stage.guard.watch(stage.sink, deadline, reads.next()).await;
        let mut out = Vec::new();
        let step = match waited {
            Waited::Done(None) => return Ok(woven.finish(stage, head).await),
            Waited::Done(Some((number, taken, Ok(Reading::Piece(piece))))) => {
                let step = woven.feed(&stage, number, piece, &mut out);
                reads.push(read(number, taken));
                step
            }
            Waited::Done(Some((number, taken, Ok(Reading::End)))) => {
                stage.job.plane.upstreams.release(stage.provider, taken).await;
                woven.close(&stage, number, &mut out)
            }
            // A vendor that has said all and then forgets to close has answered well.
            Waited::Done(Some((number, _, Err(_)))) if woven.is_complete(number) => Ok(()),
            Waited::Done(Some((_, _, Err(broken)))) => Err(missed_by(broken)),
            Waited::Gone => return woven.left(&stage),
            Waited::Late => {
                let (text, detail) =
                    ("The model's vendor stopped answering", "no bytes within the idle time");
                Err(Missed::new(Kind::VendorTimeout, text, detail))
            }
        };
        if woven.write(&mut stage, &mut head, out).await.is_err() {
            return woven.left(&stage);
        }
        if let Err(missed) = step {
            return woven.cut(stage, head.is_none(), missed).await;
        }
        if head.is_none() {
            deadline = Instant::now() + stage.job.clocks.idle;
        }
    }
}

fn read(number: usize, mut taken: Taken) -> Read {
    Box::pin(async move {
        let read = taken.conn.read_body().await;
        (number, taken, read)
    })
}

/// Opens all streams, a few at a time. The first that cannot be opened lets the others go.
async fn open<S: Sink>(stage: &mut Stage<'_, S>, calls: &Calls<'_>) -> Result<Vec<(Taken, Head)>, Missed> {
    let (job, first) = (stage.job, &calls.bodies.0);
    let began = job.plane.clock.mono();
    let waited = {
        let visit: &Visit = stage.visit;
        let more = calls.bodies.1.iter().map(std::slice::from_ref);
        let bodies: Vec<&[Bytes]> = std::iter::once(first.as_slice()).chain(more).collect();
        let steps: Vec<Pin<Box<dyn Future<Output = _> + Send>>> = bodies
            .into_iter()
            .map(|body| -> Pin<Box<dyn Future<Output = _> + Send>> {
                Box::pin(async move {
                    let (taken, head) = begun(job, visit, calls, body).await?;
                    if head.status == 200 && is_events(head.text(header::CONTENT_TYPE)) {
                        return Ok((taken, head));
                    }
                    let (head, _) = whole(job, &calls.target.provider, taken, head).await?;
                    let detail = format!("no stream but {}", head.text(header::CONTENT_TYPE));
                    let text = "The model's vendor sent an unexpected answer";
                    Err(Missed::new(Kind::VendorMalformed, text, detail))
                })
            })
            .collect();
        let opened = stream::iter(steps).buffered(AT_ONCE).try_collect::<Vec<_>>();
        stage.guard.watch(stage.sink, stage.guard.total, pin!(opened)).await
    };
    stage.visit.phases.upstream_wait += job.plane.clock.mono().since(began);
    match waited {
        Waited::Done(opened) => opened,
        Waited::Gone => Err(Missed::gone(true)),
        Waited::Late => {
            let text = "The model's vendor did not answer in time";
            Err(Missed::new(Kind::VendorTimeout, text, "the request's time is over"))
        }
    }
}

/// One of the streams.
struct Strand {
    transport: Transport,
    input: Box<dyn StreamIn>,
    output: Box<dyn StreamOut>,
    usage: Option<Usage>,
    /// Output text that was not counted yet.
    text: String,
    counted: u64,
    /// The reason for its end has come.
    complete: bool,
    thoughts: Option<Thoughts>,
}

/// All streams together.
struct Woven {
    strands: Vec<Strand>,
    /// The name of the answer: that of the stream which begins first.
    start: Option<Event>,
    /// Written before the first content, and held back until it comes.
    held: Vec<u8>,
    content: bool,
    events: Vec<Event>,
}

impl Woven {
    fn new<S>(stage: &Stage<'_, S>, from: Dialect, count: usize) -> Self {
        let (job, visit) = (stage.job, &*stage.visit);
        let id = visit.id.to_string();
        let strand = |choice: u32| {
            let options = StreamOptions {
                include_usage: job.request().is_some_and(|r| r.include_usage),
                created: visit.at.seconds(),
                model: None,
                choice,
            };
            Strand {
                transport: translate::transport(from, MAX_EVENT_BYTES),
                input: translate::stream_in(from, stage.provider.vendor.counting),
                output: translate::stream_out(visit.dialect, options, job.asked(&id), job.telling(visit)),
                usage: None,
                text: String::new(),
                counted: 0,
                complete: false,
                thoughts: job.keeps_thoughts(from).then(Thoughts::default),
            }
        };
        let strands = (0..u32::try_from(count).unwrap_or(u32::MAX)).map(strand).collect();
        Self { strands, start: None, held: Vec::new(), content: false, events: Vec::new() }
    }

    fn is_complete(&self, number: usize) -> bool {
        self.strands.get(number).is_some_and(|strand| strand.complete)
    }

    /// Takes one read of one stream.
    fn feed<S>(
        &mut self,
        stage: &Stage<'_, S>,
        number: usize,
        piece: Bytes,
        out: &mut Vec<u8>,
    ) -> Result<(), Missed> {
        let Some(strand) = self.strands.get_mut(number) else { return Ok(()) };
        strand.transport.push(piece).map_err(unreadable)?;
        while let Some(strand) = self.strands.get_mut(number)
            && let Some(message) = strand.transport.next_message().map_err(unreadable)?
        {
            let Some((name, data)) = message.fields() else { continue };
            strand.input.feed(name, &data, &mut self.events).map_err(unreadable)?;
            self.say(stage, number, out)?;
        }
        Ok(())
    }

    /// The vendor closed one stream.
    fn close<S>(&mut self, stage: &Stage<'_, S>, number: usize, out: &mut Vec<u8>) -> Result<(), Missed> {
        let Some(strand) = self.strands.get_mut(number) else { return Ok(()) };
        if let Some(rest) = strand.transport.rest()
            && let Some((name, data)) = rest.fields()
        {
            strand.input.feed(name, &data, &mut self.events).map_err(unreadable)?;
        }
        // Without a reason for its end it was cut.
        strand.input.end(&mut self.events).map_err(unreadable)?;
        self.say(stage, number, out)?;
        let thoughts = self.strands.get_mut(number).and_then(|strand| strand.thoughts.take());
        thoughts.into_iter().for_each(|thoughts| stage.job.keep_thoughts(thoughts));
        Ok(())
    }

    /// Writes what one stream has said. Usage and end wait for those of all.
    fn say<S>(&mut self, stage: &Stage<'_, S>, number: usize, out: &mut Vec<u8>) -> Result<(), Missed> {
        let Some(strand) = self.strands.get_mut(number) else { return Ok(()) };
        for mut event in self.events.drain(..) {
            if let Some(thoughts) = &mut strand.thoughts {
                thoughts.take(&event);
            }
            match &mut event {
                Event::Start { id, model, .. } => {
                    if id.is_empty() {
                        *id = stage.visit.id.to_string();
                    }
                    if model.is_empty() {
                        *model = stage.visit.upstream_model.to_string();
                    }
                    strand.output.emit(self.start.get_or_insert(event), out);
                    continue;
                }
                Event::Usage(usage) => {
                    strand.usage = Some(*usage);
                    continue;
                }
                Event::Error(error) => {
                    let error = std::mem::take(error);
                    let (message, kind, code, param) = (error.message, error.kind, error.code, error.param);
                    return Err(judged(stage, &VendorError { message, kind, code, param }));
                }
                Event::Finish(Finish::Error(word)) => return Err(judged(stage, &ended_badly(word))),
                Event::Finish(_) => strand.complete = true,
                Event::End => {
                    strand.complete = true;
                    continue;
                }
                Event::TextDelta(text)
                | Event::ThinkingDelta(text)
                | Event::RefusalDelta(text)
                | Event::ToolCallDelta { fragment: text, .. }
                | Event::ToolCallStart { name: text, .. } => {
                    self.content = true;
                    strand.text.push_str(text);
                }
                Event::Part(_) | Event::Citation(_) => self.content = true,
                Event::PartStart(_) | Event::SignatureDelta(_) | Event::ToolCallEnd { .. } | Event::Ping => {}
            }
            strand.output.emit(&event, out);
        }
        if strand.text.len() >= MAX_TEXT_BYTES {
            strand.count(&stage.visit.upstream_model);
        }
        Ok(())
    }

    /// Sends what was written, with the head before the first of it. What comes before the first
    /// content waits for it, so that another vendor can still be tried.
    async fn write<S: Sink>(
        &mut self,
        stage: &mut Stage<'_, S>,
        head: &mut Option<AnswerHead>,
        mut out: Vec<u8>,
    ) -> Result<(), super::sink::Gone> {
        if !self.content {
            self.held.append(&mut out);
            return Ok(());
        }
        if let Some(head) = head.take() {
            let now = stage.job.plane.clock.mono();
            stage.visit.first_token.get_or_insert(now.since(stage.visit.started));
            stage.sink.head(head).await?;
            self.held.append(&mut out);
            out = std::mem::take(&mut self.held);
        }
        if !out.is_empty() {
            stage.sink.write(out.into()).await?;
            stage.guard.wrote(Instant::now());
        }
        Ok(())
    }

    /// Every stream has come to its end: what all used together, and the end itself.
    async fn finish<S: Sink>(mut self, mut stage: Stage<'_, S>, mut head: Option<AnswerHead>) -> End {
        let (usage, source) = self.usage(&stage);
        let mut out = Vec::new();
        if let Some(first) = self.strands.first_mut() {
            first.output.emit(&Event::Usage(usage), &mut out);
            first.output.emit(&Event::End, &mut out);
        }
        self.content = true;
        settle::release(stage.job, stage.visit, &usage).await;
        let sent = async {
            self.write(&mut stage, &mut head, out).await?;
            stage.sink.last(Bytes::new()).await
        };
        if sent.await.is_err() {
            return gone(usage, source);
        }
        End { outcome: Outcome::Ok, failure: None, usage, source }
    }

    /// Before content another vendor may be tried; after it an error event ends the stream.
    async fn cut<S: Sink>(
        mut self,
        stage: Stage<'_, S>,
        committed: bool,
        missed: Missed,
    ) -> Result<End, Missed> {
        if !committed {
            return Err(missed);
        }
        let mut out = Vec::new();
        if let Some(first) = self.strands.first_mut() {
            first.output.fail(&missed.failure, &mut out);
        }
        let _ = stage.sink.last(out.into()).await;
        let (usage, source) = self.usage(&stage);
        Ok(End { outcome: Outcome::Truncated, failure: Some(missed.failure), usage, source })
    }

    fn left<S: Sink>(mut self, stage: &Stage<'_, S>) -> Result<End, Missed> {
        let (usage, source) = self.usage(stage);
        Ok(gone(usage, source))
    }

    /// What all used: by the vendor's numbers, as far as it told them to the end, and otherwise counted here.
    fn usage<S>(&mut self, stage: &Stage<'_, S>) -> (Usage, UsageSource) {
        let mut source = UsageSource::Provider;
        let mut sum = Usage::default();
        for strand in &mut self.strands {
            strand.count(&stage.visit.upstream_model);
            let used = match strand.usage {
                Some(usage) if strand.complete || strand.counted <= usage.output_tokens() => usage,
                // Some report the input first and the output last; what came in between is counted here.
                Some(usage) => {
                    source = UsageSource::Estimated;
                    Usage { output: strand.counted.saturating_sub(usage.reasoning), ..usage }
                }
                None => {
                    source = UsageSource::Estimated;
                    estimate(stage.job, stage.visit, "", strand.counted)
                }
            };
            sum = sum.plus(&Usage { requests: 1, ..used });
        }
        (sum, source)
    }
}

impl Strand {
    /// Counts collected text and lets it go.
    fn count(&mut self, model: &str) {
        let text = std::mem::take(&mut self.text);
        // Most vendors tell, and then nothing needs to be counted at the end.
        if self.usage.is_none() || !self.complete {
            self.counted += tokens::count(tokens::family(model).0, &text, COUNT_BUDGET).tokens;
        }
    }
}

fn gone(usage: Usage, source: UsageSource) -> End {
    let failure = Failure::new(Kind::CallerGone, "The client closed the connection");
    End { outcome: Outcome::ClientGone, failure: Some(failure), usage, source }
}

fn judged<S>(stage: &Stage<'_, S>, error: &VendorError) -> Missed {
    let wall = stage.job.plane.clock.wall().seconds();
    Missed::judged(judge_error(stage.provider.vendor, error, &http::HeaderMap::new(), wall))
}

fn unreadable(failure: Failure) -> Missed {
    Missed { failure, health: HealthEffect::Failed, gone: false, sent: false }
}
