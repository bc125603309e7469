//! A request that is sent again because its connection broke.
//!
//! AIGNE's client sends a request up to four times when no header reaches it,
//! each time as a new one. A whole answer that nobody waits for any more is
//! therefore kept going for a while: the same request of the same key takes it
//! over, and the vendor is paid once. Two requests that are alike and both
//! still connected are two requests; a model may answer them differently.

use super::job::Job;
use super::visit::Visit;
use crate::cache::{CacheKey, Reader};
use crate::types::Mono;
use crate::wire::translate;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::time::Duration;

/// Answers that may wait at once. Each holds at most what a flight holds.
const MOST_WAITING: usize = 64;

/// Answers whose callers are gone.
#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<CacheKey, Answer>>);

struct Answer {
    /// Its seat keeps the flight going.
    reader: Reader,
    until: Mono,
}

/// By what a request is known again: key, endpoint and every byte of its body. `None`: its
/// caller sends nothing again, or would not be answered once the head is out.
pub(super) fn key(job: &Job, visit: &Visit) -> Option<CacheKey> {
    let wanted = translate::beats_whole(visit.dialect) && !visit.stream;
    if !wanted || job.snapshot.aigne.resend.is_zero() {
        return None;
    }
    let mut sha = Sha256::new();
    for part in [job.caller.key.id.as_str(), translate::name(visit.dialect), visit.op.name()] {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    sha.update(&job.body);
    Some(CacheKey(sha.finalize().into()))
}

impl Waiting {
    /// Takes an answer over.
    pub(super) fn take(&self, key: &CacheKey) -> Option<Reader> {
        self.0.lock().remove(key).map(|answer| answer.reader)
    }

    /// Lets an answer wait. Where there is no room it is given up, which stops the vendor.
    pub(super) fn leave(&self, key: CacheKey, reader: Reader, now: Mono, patience: Duration) {
        let mut waiting = self.0.lock();
        if waiting.len() < MOST_WAITING {
            waiting.insert(key, Answer { reader, until: now.after(patience) });
        }
    }

    /// How many answers wait.
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Gives up what nobody asked for again.
    pub(super) fn sweep(&self, now: Mono) {
        self.0.lock().retain(|_, answer| now < answer.until);
    }
}
