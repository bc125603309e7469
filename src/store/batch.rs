//! How a batch of records is written: one value of the journal.
//!
//! ```text
//! version   1 byte, 4; 3, 2 and 1 in older books
//! before   32 bytes, digest of the batch before (zeros at the first)
//! count     4 bytes, records, big endian
//! span     16 bytes, earliest and latest `at` of the records, big endian
//! records  postcard, one after the other
//! digest   32 bytes, SHA-256 of the sequence number and of all of the above
//! ```
//!
//! The digests are a chain, so a batch that is missing, changed or moved is
//! found. Old books stay readable: a change of the records' fields is a new
//! version, and the old types stay beside their reader (`batch/old.rs`).
//! Tests hold the bytes of all versions fast.

use crate::ledger::wallet::{Carried, Movement};
use crate::ledger::{Intent, Record, Settlement};
use crate::types::Wall;
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 4;
/// The oldest version that is still read.
const OLDEST: u8 = 1;
/// The version since which records say who is behind a key.
const WITH_PARTY: u8 = 3;
const HEADER_BYTES: usize = 1 + 32 + 4 + 16;
const DIGEST_BYTES: usize = 32;

/// A link of the chain.
pub(super) type Digest = [u8; DIGEST_BYTES];

/// Why a value is no batch; the text completes "batch 7 of 2026-11-20 …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadBatch {
    #[error("is cut short")]
    Short,
    #[error("has version {0}, which this program does not know")]
    Version(u8),
    #[error("is damaged: its digest does not fit")]
    Digest,
    #[error("holds a record that cannot be read")]
    Record,
}

/// [`Record`] by reference; must stay encoded like it.
#[derive(serde::Serialize)]
enum Borrowed<'a> {
    Intent(&'a Intent),
    Settlement(&'a Settlement),
    Movement(&'a Movement),
    Carried(&'a Carried),
}

/// Builds the value of one batch, record by record.
pub(super) struct Builder {
    bytes: Vec<u8>,
    count: u32,
    span: (i64, i64),
}

impl Builder {
    pub(super) fn new(before: &Digest) -> Self {
        let mut bytes = Vec::with_capacity(8 << 10);
        bytes.push(VERSION);
        bytes.extend_from_slice(before);
        bytes.resize(HEADER_BYTES, 0);
        Self { bytes, count: 0, span: (i64::MAX, i64::MIN) }
    }

    pub(super) fn intent(&mut self, intent: &Intent) {
        self.push(intent.at, &Borrowed::Intent(intent));
    }

    pub(super) fn settlement(&mut self, settlement: &Settlement) {
        self.push(settlement.at, &Borrowed::Settlement(settlement));
    }

    pub(super) fn movement(&mut self, movement: &Movement) {
        self.push(movement.at, &Borrowed::Movement(movement));
    }

    pub(super) fn carried(&mut self, carried: &Carried) {
        self.push(carried.at, &Borrowed::Carried(carried));
    }

    fn push(&mut self, at: Wall, record: &Borrowed<'_>) {
        // Encoding into memory fails only for types without a length, which
        // records do not have.
        match postcard::to_extend(record, std::mem::take(&mut self.bytes)) {
            Ok(bytes) => self.bytes = bytes,
            Err(error) => unreachable!("a record can always be encoded: {error}"),
        }
        self.count += 1;
        self.span = (self.span.0.min(at.0), self.span.1.max(at.0));
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The value, and the digest that the next batch begins with.
    pub(super) fn seal(mut self, sequence: u64) -> (Vec<u8>, Digest) {
        let head = 1 + DIGEST_BYTES;
        let numbers = [&self.count.to_be_bytes()[..], &self.span.0.to_be_bytes(), &self.span.1.to_be_bytes()];
        self.bytes[head..HEADER_BYTES].copy_from_slice(&numbers.concat());
        let digest = digest(sequence, &self.bytes);
        self.bytes.extend_from_slice(&digest);
        (self.bytes, digest)
    }
}

fn digest(sequence: u64, bytes: &[u8]) -> Digest {
    Sha256::new().chain_update(sequence.to_be_bytes()).chain_update(bytes).finalize().into()
}

/// A batch that was read; its digest fits.
pub(super) struct Batch<'a> {
    pub(super) before: Digest,
    pub(super) digest: Digest,
    version: u8,
    count: u32,
    /// Earliest and latest `at`.
    span: (Wall, Wall),
    records: &'a [u8],
}

impl<'a> Batch<'a> {
    pub(super) fn read(sequence: u64, value: &'a [u8]) -> Result<Self, BadBatch> {
        let (version, rest) = value.split_first().ok_or(BadBatch::Short)?;
        if !(OLDEST..=VERSION).contains(version) {
            return Err(BadBatch::Version(*version));
        }
        let (body, found) = value.split_last_chunk::<DIGEST_BYTES>().ok_or(BadBatch::Short)?;
        if digest(sequence, body) != *found {
            return Err(BadBatch::Digest);
        }
        let (before, rest) = rest.split_first_chunk::<DIGEST_BYTES>().ok_or(BadBatch::Short)?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(BadBatch::Short)?;
        let (first, rest) = rest.split_first_chunk::<8>().ok_or(BadBatch::Short)?;
        let (last, rest) = rest.split_first_chunk::<8>().ok_or(BadBatch::Short)?;
        let (records, _) = rest.split_last_chunk::<DIGEST_BYTES>().ok_or(BadBatch::Short)?;
        Ok(Self {
            before: *before,
            digest: *found,
            version: *version,
            count: u32::from_be_bytes(*count),
            span: (Wall(i64::from_be_bytes(*first)), Wall(i64::from_be_bytes(*last))),
            records,
        })
    }

    /// Can a record with `from <= at < to` be in it?
    pub(super) fn overlaps(&self, from: Wall, to: Wall) -> bool {
        self.span.1 >= from && self.span.0 < to
    }

    pub(super) fn each(&self, mut take: impl FnMut(Record)) -> Result<(), BadBatch> {
        let mut rest = self.records;
        for _ in 0..self.count {
            let (record, after) = self.record(rest).ok_or(BadBatch::Record)?;
            rest = after;
            take(record);
        }
        if rest.is_empty() { Ok(()) } else { Err(BadBatch::Record) }
    }

    /// The record that `bytes` begin with, and what follows it.
    fn record<'b>(&self, bytes: &'b [u8]) -> Option<(Record, &'b [u8])> {
        match self.version {
            VERSION => postcard::take_from_bytes(bytes).ok(),
            WITH_PARTY => converted::<old::Record3>(bytes),
            _ => converted::<old::Record>(bytes),
        }
    }
}

/// A record of an older version.
fn converted<'b, R: serde::Deserialize<'b> + Into<Record>>(bytes: &'b [u8]) -> Option<(Record, &'b [u8])> {
    let (record, after) = postcard::take_from_bytes::<R>(bytes).ok()?;
    Some((record.into(), after))
}

mod old;
#[cfg(test)]
mod tests;
