//! The control plane on the public listener: neither plane knows the other,
//! so they meet here.

use crate::admin::{self, Control, Visitor};
use crate::proxy::{Answering, Console, Pieces};
use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// See the module.
#[derive(Default)]
pub(super) struct Inside(OnceLock<admin::Console>);

impl Inside {
    /// To be called once, from the control plane's own runtime.
    pub(super) fn open(&self, control: &Arc<Control>) {
        let _ = self.0.set(admin::Console::new(Arc::clone(control), tokio::runtime::Handle::current()));
    }
}

impl Console for Inside {
    fn answer(&self, request: Request<Bytes>, address: IpAddr, secure: bool) -> Answering<'_> {
        Box::pin(async move {
            let answer = self.0.get()?.answer(request, Visitor { address, secure }).await?;
            Some(answer.map(|body| -> Pieces {
                Box::pin(body.into_data_stream().map(|piece| piece.map_err(|error| error.to_string())))
            }))
        })
    }
}
