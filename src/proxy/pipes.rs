//! Pingora's own proxying, for what is carried and not read: WebSockets.

use super::Plane;
use super::failure;
use super::realtime::Pipe;
use super::service::refuse_early;
use super::sink::Direct;
use super::visit::Visit;
use crate::chat::Dialect;
use crate::error::{Failure, Kind};
use crate::limit::Standing;
use crate::types::Op;
use async_trait::async_trait;
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::proxy::{ProxyHttp, Session};
use std::sync::Arc;

/// Takes over a connection whose request the gateway has looked at.
pub(super) struct Pipes {
    plane: Arc<Plane>,
}

impl Pipes {
    pub(super) fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }
}

#[async_trait]
impl ProxyHttp for Pipes {
    /// The open pipe.
    type CTX = Option<Box<Pipe>>;

    fn new_ctx(&self) -> Self::CTX {
        None
    }

    /// Admits the pipe, or answers why not (`true`).
    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> pingora::Result<bool> {
        let session = &mut *session.downstream_session;
        let mut visit = Visit::new(Op::Realtime, &self.plane.clock);
        visit.in_flight = Some(self.plane.metrics.enter(Op::Realtime));
        match Pipe::open(&self.plane, session, &mut visit).await {
            Ok(open) => {
                *ctx = Some(Box::new(open.with(visit)));
                Ok(false)
            }
            Err(failure) => {
                refuse_early(&self.plane, session, visit, failure).await;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        match ctx {
            Some(pipe) => Ok(Box::new(pipe.peer())),
            None => pingora::Error::e_explain(pingora::ErrorType::InternalError, "no pipe"),
        }
    }

    /// The vendor's own path, host and credential.
    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> pingora::Result<()> {
        match ctx {
            Some(pipe) => pipe.rewrite(request),
            None => Ok(()),
        }
    }

    /// A vendor that cannot be reached is told like any other failure.
    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &pingora::Error,
        _ctx: &mut Self::CTX,
    ) -> pingora::proxy::FailToProxy {
        if session.response_written().is_none() {
            let failure =
                Failure::new(Kind::VendorUnreachable, "The model's vendor cannot be reached").detail(error);
            let mut sink = Direct::new(&mut session.downstream_session, None);
            failure::tell(&mut sink, Dialect::OpenAiChat, "", &failure, &Standing::default()).await;
        }
        pingora::proxy::FailToProxy { error_code: 0, can_reuse_downstream: false }
    }

    /// Runs last, always: settles the pipe.
    async fn logging(&self, session: &mut Session, error: Option<&pingora::Error>, ctx: &mut Self::CTX) {
        if let Some(pipe) = ctx.take() {
            let status = session.response_written().map_or(0, |h| h.status.as_u16());
            let bytes = session.body_bytes_sent() as u64;
            pipe.settle(status, bytes, error).await;
        }
    }
}
