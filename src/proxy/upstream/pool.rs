//! Idle HTTP/1.1 connections, newest first.
//!
//! Pingora's pool watches every idle connection with a task of its own, which
//! costs more than the rest of a release. Here a connection is looked at when
//! it is taken, and a sweep closes those that nobody took.

use super::http1::Http1;
use dashmap::DashMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(super) struct Pool {
    idle: DashMap<u64, VecDeque<Idle>, ahash::RandomState>,
    per_key: usize,
    keep: Duration,
}

struct Idle {
    conn: Box<Http1>,
    since: Instant,
}

impl Pool {
    pub(super) fn new(per_key: usize, keep: Duration) -> Self {
        Self { idle: DashMap::default(), per_key, keep }
    }

    /// The connection that was used last and is still silent.
    pub(super) fn take(&self, key: u64) -> Option<Box<Http1>> {
        let mut idle = self.idle.get_mut(&key)?;
        while let Some(mut entry) = idle.pop_back() {
            if entry.since.elapsed() < self.keep && entry.conn.silent() {
                return Some(entry.conn);
            }
        }
        None
    }

    pub(super) fn put(&self, key: u64, conn: Box<Http1>) {
        let mut idle = self.idle.entry(key).or_default();
        if idle.len() >= self.per_key {
            idle.pop_front();
        }
        idle.push_back(Idle { conn, since: Instant::now() });
    }

    /// Closes what is too old, and what the vendor has closed.
    pub(super) fn sweep(&self) {
        self.idle.retain(|_, idle| {
            idle.retain_mut(|entry| entry.since.elapsed() < self.keep && entry.conn.silent());
            idle.shrink_to_fit();
            !idle.is_empty()
        });
    }
}
