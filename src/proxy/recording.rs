//! Bodies for tenants that want them kept. A request hands over what it has, and waits for nobody:
//! what the queue cannot take is dropped and counted. Redacting, sealing and writing are not done
//! here.

use super::Plane;
use super::job::Job;
use super::visit::Visit;
use crate::config::{BodyPolicy, Caller};
use crate::types::{TenantId, Wall};
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Requests that may wait to be written down.
const WAITING: usize = 256;

/// A request and its answer, as they were.
pub struct Recording {
    /// The request's id.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// What is kept of it.
    pub policy: Arc<BodyPolicy>,
    /// When it came.
    pub at: Wall,
    /// With which key.
    pub caller: Arc<Caller>,
    /// For whom, as the caller says.
    pub end_user: Option<Arc<str>>,
    /// The model, as the caller named it.
    pub model: Arc<str>,
    /// What the caller was told.
    pub status: u16,
    /// The beginning of the request's body.
    pub request: Bytes,
    /// Was it longer?
    pub request_cut: bool,
    /// The beginning of the answer's body.
    pub response: Vec<u8>,
    /// Was it longer?
    pub response_cut: bool,
}

/// What is kept of a request on its way.
pub(super) struct Tee {
    policy: Arc<BodyPolicy>,
    request: Bytes,
    request_cut: bool,
    response: Vec<u8>,
    response_cut: bool,
}

impl Tee {
    /// Bytes of the answer go out.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let room = self.policy.max_bytes.saturating_sub(self.response.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.response.extend_from_slice(taken);
        self.response_cut |= taken.len() < bytes.len();
    }
}

/// See the module.
pub struct Recorder {
    sender: Mutex<Option<SyncSender<Recording>>>,
    receiver: Mutex<Option<Receiver<Recording>>>,
    dropped: Arc<AtomicU64>,
}

impl Default for Recorder {
    fn default() -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        Self {
            sender: Mutex::new(Some(sender)),
            receiver: Mutex::new(Some(receiver)),
            dropped: Arc::default(),
        }
    }
}

impl Recorder {
    /// What comes, for the one who writes it down. Once.
    pub fn receiver(&self) -> Option<Receiver<Recording>> {
        self.receiver.lock().take()
    }

    /// Counts recordings that the queue could not take, since start.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// No more come; who receives sees the end when all are taken.
    pub fn close(&self) {
        drop(self.sender.lock().take());
    }

    fn hand_over(&self, recording: Recording) {
        let sent = self.sender.lock().as_ref().is_some_and(|sender| sender.try_send(recording).is_ok());
        if !sent {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

/// Begins to keep a request, if its tenant wants that and the dice fall so.
pub(super) fn begin(job: &Job) -> Option<Box<Tee>> {
    // The usual hub keeps nothing.
    if job.snapshot.bodies.is_empty() {
        return None;
    }
    let (policy, body) = (job.snapshot.bodies.get(&job.caller.key.tenant)?, &job.said);
    if policy.percent < 100 && drawn() >= policy.percent {
        return None;
    }
    let end = body.len().min(policy.max_bytes);
    Some(Box::new(Tee {
        policy: Arc::clone(policy),
        request: body.slice(..end),
        request_cut: end < body.len(),
        response: Vec::new(),
        response_cut: false,
    }))
}

/// A number below 100.
fn drawn() -> u8 {
    let mut random = [0_u8; 4];
    // Without randomness nothing is left out.
    let _ = getrandom::fill(&mut random);
    u8::try_from(u32::from_le_bytes(random) % 100).unwrap_or(0)
}

/// The request has ended.
pub(super) fn end(plane: &Plane, visit: &mut Visit) {
    let (Some(tee), Some(caller)) = (visit.tee.take(), &visit.caller) else { return };
    let tee = *tee;
    plane.recorder.hand_over(Recording {
        id: visit.id.to_string(),
        tenant: caller.key.tenant.clone(),
        policy: tee.policy,
        at: visit.at,
        caller: Arc::clone(caller),
        end_user: visit.end_user.clone(),
        model: Arc::clone(&visit.model),
        status: visit.status,
        request: tee.request,
        request_cut: tee.request_cut,
        response: tee.response,
        response_cut: tee.response_cut,
    });
}
