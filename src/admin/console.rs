//! The part of the control plane that may be within reach on the public
//! listener, answered inside this process: who asks is told by the listener
//! that took the request, and by nobody else.

use super::api::Visitor;
use super::{Control, console_router};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use std::sync::Arc;
use tokio::runtime::Handle;
use tower_service::Service;

/// See the module.
pub struct Console {
    router: Router,
    /// The control plane's own, so that it takes no thread from callers.
    runtime: Handle,
}

impl Console {
    /// Over a control plane; its work is done on `runtime`.
    pub fn new(control: Arc<Control>, runtime: Handle) -> Self {
        Self { router: console_router(control), runtime }
    }

    /// Answers a request; the body comes piece by piece. `None` when the runtime is going down.
    pub async fn answer(&self, request: Request<Bytes>, from: Visitor) -> Option<Response<Body>> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(from);
        let mut router = self.router.clone();
        let answered = self.runtime.spawn(async move { router.call(request).await }).await;
        answered.ok().map(|Ok(response)| response)
    }
}
