//! WebSockets: admitted and booked like any request, then carried byte for
//! byte by Pingora's own proxying.

use super::Plane;
use super::buffered::Share;
use super::decide::{Arrival, decide, draw};
use super::exchange::End;
use super::intake;
use super::job::Job;
use super::outgoing::{authority, authorization};
use super::settle;
use super::visit::Visit;
use crate::error::{Failure, Kind, Result};
use crate::ledger::Outcome;
use crate::route::{Attempt, Candidate, Fault};
use crate::types::{Op, Usage, UsageSource};
use crate::wire::translate::InPath;
use bytes::Bytes;
use http::{Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::ServerSession;
use std::sync::Arc;

/// What a query leaves as it is (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A pipe that is about to be, or is, open.
pub(super) struct Pipe {
    opened: Opened,
    visit: Box<Visit>,
}

/// A pipe without its visit.
pub(super) struct Opened {
    job: Box<Job>,
    peer: Arc<HttpPeer>,
    credential: usize,
    attempt: Attempt,
}

impl Opened {
    pub(super) fn with(self, visit: Box<Visit>) -> Pipe {
        Pipe { opened: self, visit }
    }
}

impl Pipe {
    /// Everything that may refuse a pipe.
    pub(super) async fn open(
        plane: &Arc<Plane>,
        session: &mut ServerSession,
        visit: &mut Visit,
    ) -> Result<Opened> {
        let present = plane.drain.enter();
        let snapshot = plane.snapshot.load_full();
        let caller = intake::admit(plane, &snapshot, session, visit)?;
        let share: Share = plane.buffered.share();
        let header = session.req_header();
        let query = header.uri.query().unwrap_or("");
        let headers = &header.headers;
        let (body, in_path) = (Bytes::new(), &InPath::default());
        let arrival = Arrival { plane, snapshot, caller, headers, query, in_path, body, share, present };
        let job = decide(arrival, visit).map_err(|refused| refused.failure)?;
        let (credential, attempt) = choose(&job)?;
        let target = job.targets.first().ok_or_else(|| Failure::new(Kind::Internal, "No target"))?;
        let peer = plane.upstreams.peer(&target.provider).await.map_err(|detail| {
            Failure::new(Kind::VendorUnreachable, "The model's vendor cannot be reached").detail(detail)
        })?;
        if let Some(credential) = target.provider.credentials.get(credential) {
            visit.credential = Arc::clone(credential.id.shared());
        }
        visit.stream = true;
        visit.attempts = 1;
        settle::intend(&job, visit).await?;
        Ok(Opened { job, peer, credential, attempt })
    }

    /// Upgrades exist on HTTP/1.1 only.
    pub(super) fn peer(&self) -> HttpPeer {
        let mut peer = (*self.opened.peer).clone();
        peer.options.set_http_version(1, 1);
        peer
    }

    /// The vendor's path, host and credential instead of ours.
    pub(super) fn rewrite(&self, request: &mut RequestHeader) -> pingora::Result<()> {
        let job = &self.opened.job;
        let Some(target) = job.targets.first() else { return Ok(()) };
        let provider = &target.provider;
        let path = provider.vendor.path(Op::Realtime).unwrap_or("/realtime");
        let model = percent_encoding::utf8_percent_encode(&target.upstream_model, UNRESERVED);
        let uri = format!("{}{path}?model={model}", provider.base.path);
        if let Ok(uri) = uri.parse::<Uri>() {
            request.set_uri(uri);
        }
        for name in ["x-api-key", "cookie", "x-forwarded-for", "authorization"] {
            request.remove_header(name);
        }
        request.insert_header(header::HOST, authority(provider))?;
        if let Some((name, value)) = authorization(provider, self.opened.credential) {
            request.insert_header(name, value)?;
        }
        for (name, value) in &provider.headers {
            request.insert_header(name, value)?;
        }
        Ok(())
    }

    /// The pipe is closed: one entry, one log line.
    pub(super) async fn settle(self, status: u16, bytes: u64, error: Option<&pingora::Error>) {
        let Pipe { opened: Opened { job, attempt, .. }, mut visit } = self;
        let now = job.plane.clock.mono();
        let open = status == 101;
        if open {
            attempt.succeed(now);
        } else {
            attempt.fail(Fault::Failed, now);
        }
        (visit.status, visit.response_bytes) = (status, bytes);
        let outcome = if open { Outcome::Ok } else { Outcome::UpstreamError };
        let failure = (!open).then(|| {
            let detail = error.map(ToString::to_string).unwrap_or_default();
            Failure::new(Kind::VendorUnreachable, "The model's vendor cannot be reached").detail(detail)
        });
        let usage = Usage { requests: u64::from(open), ..Usage::default() };
        let source = if open { UsageSource::Estimated } else { UsageSource::None };
        settle::settle(job, visit, End { outcome, failure, usage, source }).await;
    }
}

fn choose(job: &Job) -> Result<(usize, Attempt)> {
    let none = || Failure::new(Kind::NoCapacity, "No credential is available for this model right now");
    let target = job.targets.first().ok_or_else(none)?;
    let provider = &target.provider;
    let candidates: Vec<Candidate<'_>> =
        provider.credentials.iter().map(|c| Candidate { weight: c.weight, health: &c.health }).collect();
    let excluded = vec![false; candidates.len()];
    let now = job.plane.clock.mono();
    provider.picker.pick(&candidates, &excluded, provider.strategy, None, draw(), now).map_err(|_| none())
}
