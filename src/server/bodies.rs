//! The thread between the data plane, which hands over bodies, and the control plane, which seals
//! and keeps them.

use crate::admin::Directory;
use crate::control::{KeptBody, Moment, redacted};
use crate::proxy::{Plane, Recording};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

/// Bodies that are written together.
const TOGETHER: usize = 32;

/// See the module.
pub(super) struct Bodies(Mutex<Option<JoinHandle<()>>>);

impl Bodies {
    /// Starts it.
    pub(super) fn start(plane: &Arc<Plane>, directory: Arc<Directory>) -> Self {
        let Some(receiver) = plane.recorder.receiver() else { return Self(Mutex::new(None)) };
        directory.watch_dropped(plane.recorder.dropped());
        let work = move || write(&receiver, &directory);
        let thread = std::thread::Builder::new().name("bodies".into()).spawn(work);
        let thread = thread.inspect_err(|error| tracing::error!(%error, "no thread for kept bodies")).ok();
        Self(Mutex::new(thread))
    }

    /// Writes what is waiting, and ends. Blocks.
    pub(super) fn close(&self, plane: &Plane) {
        plane.recorder.close();
        if let Some(thread) = self.0.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for kept bodies ended in a panic");
        }
        let dropped = plane.recorder.dropped().load(Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "bodies were not kept, because too many came at once");
        }
    }
}

fn write(receiver: &Receiver<Recording>, directory: &Directory) {
    while let Ok(first) = receiver.recv() {
        let more = std::iter::from_fn(|| receiver.try_recv().ok()).take(TOGETHER - 1);
        let bodies: Vec<_> = std::iter::once(first).chain(more).map(kept).collect();
        if let Err(error) = directory.keep_bodies(&bodies) {
            tracing::warn!(error, bodies = bodies.len(), "bodies cannot be kept");
        }
    }
}

/// As it is kept, and for how long.
fn kept(one: Recording) -> (KeptBody, std::time::Duration) {
    let party = &one.caller.key.party;
    let users = party.user.iter().chain(&one.end_user).map(|user| user.to_string()).collect();
    let body = KeptBody {
        request: redacted(&one.policy, &one.request, one.request_cut),
        response: redacted(&one.policy, &one.response, one.response_cut),
        id: one.id,
        tenant: one.tenant,
        at: Moment(one.at),
        key: one.caller.key.id.as_str().to_owned(),
        users,
        model: one.model.to_string(),
        status: one.status,
        request_cut: one.request_cut,
        response_cut: one.response_cut,
    };
    (body, one.policy.keep)
}
