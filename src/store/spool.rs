//! The file that a process goes on writing to after it has handed the books
//! over to a successor: a continuation of the journal, batch for batch.
//!
//! ```text
//! magic    8 bytes
//! header   4 bytes of length, big endian; postcard; SHA-256 of it
//! frames   4 bytes of length, the same inverted, 8 bytes of sequence number, a batch
//! ```
//!
//! The process holds the file's lock as long as it writes; who gets the lock
//! knows that nothing more will come. Files are made, renamed and removed only
//! by who holds the lock of the books, so there is never a race for them.

use super::batch::{Batch, Digest};
use super::disk::Sealed;
use super::journal::{Chain, ChainError};
use crate::ledger::Record;
use crate::types::RequestId;
use ahash::HashSet;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"hubspl\x00\x01";
const DIGEST_BYTES: usize = 32;
/// Nothing of it is in the journal.
const WRITTEN: &str = "log";
/// Some of it may be in the journal.
const BEGUN: &str = "importing";
/// What could be read of it is in the journal; kept for people to look at.
const DAMAGED: &str = "damaged";

/// Where spools are, inside the directory of the books.
pub(super) fn dir_in(books: &Path) -> PathBuf {
    books.join("spool")
}

/// What the successor must know before the first record.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Header {
    /// The journal's last batch when the books were handed over.
    pub(super) through: u64,
    /// Its digest.
    pub(super) head: Digest,
    /// Open intents of the journal that this process will end.
    pub(super) owned: Vec<RequestId>,
}

/// The writing side.
pub(super) struct Spool {
    /// Locked until it is dropped.
    file: File,
    path: PathBuf,
    /// So much of the file is whole.
    length: u64,
}

impl Spool {
    /// Makes and locks the file. Names sort as spools follow each other. On return the header is on disk.
    pub(super) fn create(dir: &Path, name: &str, header: &Header) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let path = dir.join(format!("{name}.{WRITTEN}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let mut spool = Self { file, path, length: 0 };
        spool.begin(dir, header).inspect_err(|_| drop(fs::remove_file(&spool.path)))?;
        Ok(spool)
    }

    fn begin(&mut self, dir: &Path, header: &Header) -> io::Result<()> {
        self.file.try_lock()?;
        let header = super::books::encode(header);
        let length = u32::try_from(header.len()).map_err(io::Error::other)?;
        let digest: Digest = Sha256::digest(&header).into();
        self.write(&[MAGIC, &length.to_be_bytes()[..], &header, &digest].concat())?;
        sync_dir(dir)?;
        dir.parent().map_or(Ok(()), sync_dir)
    }

    /// Writes batches and returns when they are on disk. After an error it may be repeated.
    pub(super) fn append(&mut self, batches: &[Sealed]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for batch in batches {
            let length = u32::try_from(batch.value.len()).map_err(io::Error::other)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&(!length).to_be_bytes());
            bytes.extend_from_slice(&batch.sequence.to_be_bytes());
            bytes.extend_from_slice(&batch.value);
        }
        self.write(&bytes)
    }

    /// What a failed attempt left is overwritten.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// The file as its reader sees it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file has another name now.
    pub(super) fn moved(&mut self, path: &Path) {
        path.clone_into(&mut self.path);
    }
}

/// A process that handed the books over and may still be running.
pub(super) struct Predecessor {
    path: PathBuf,
    owned: HashSet<RequestId>,
}

impl Predecessor {
    /// The processes that left a spool, the oldest first.
    pub(super) fn all(dir: &Path) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == WRITTEN || kind == BEGUN) {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        paths.into_iter().map(Self::at).collect()
    }

    pub(super) fn at(path: PathBuf) -> io::Result<Self> {
        // Without a header nothing is known to be its own; reading it will say what is wrong.
        let header = Content::parse(&fs::read(&path)?).map(|content| content.header.owned);
        Ok(Self { path, owned: header.unwrap_or_default().into_iter().collect() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Is it for this process to end the request?
    pub(super) fn owns(&self, id: RequestId) -> bool {
        self.owned.contains(&id)
    }

    /// Has the process ended, or let go? Then it never comes back to this spool.
    pub(super) fn is_gone(&self) -> io::Result<bool> {
        match File::open(&self.path)?.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Everything that it wrote.
    pub(super) fn read(&self) -> io::Result<Content> {
        let bytes = fs::read(&self.path)?;
        Ok(Content::parse(&bytes).unwrap_or_else(|damage| Content::unreadable(&bytes, damage)))
    }

    /// May records of it be in the journal already?
    pub(super) fn is_begun(&self) -> bool {
        self.path.extension().is_some_and(|kind| kind == BEGUN)
    }

    /// To be called before the first record goes to the journal.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.rename(BEGUN)
    }

    /// To be called when every record is in the journal, on disk.
    pub(super) fn finish(&mut self, damaged: bool) -> io::Result<()> {
        if damaged {
            return self.rename(DAMAGED);
        }
        fs::remove_file(&self.path)?;
        self.path.parent().map_or(Ok(()), sync_dir)
    }

    fn rename(&mut self, kind: &str) -> io::Result<()> {
        let path = self.path.with_extension(kind);
        fs::rename(&self.path, &path)?;
        self.path = path;
        self.path.parent().map_or(Ok(()), sync_dir)
    }
}

/// What a spool holds, as far as it can be read.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) header: Header,
    pub(super) records: Vec<Record>,
    /// The first thing that is wrong. A group that was being written when the
    /// process died is nothing wrong: nobody was told that it is safe.
    pub(super) damage: Option<String>,
}

impl Content {
    fn unreadable(bytes: &[u8], damage: &'static str) -> Self {
        let header = Header { through: 0, head: [0; DIGEST_BYTES], owned: Vec::new() };
        // A process that died while it made the file has written no record.
        let unborn = bytes.iter().all(|byte| *byte == 0) || bytes.len() < MAGIC.len();
        Self { header, records: Vec::new(), damage: (!unborn).then(|| damage.to_owned()) }
    }

    /// The error says what is wrong with the header.
    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as a spool of this version does")?;
        let cut = "its header is cut short";
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(cut)?;
        let (header, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(cut)?;
        let (digest, frames) = rest.split_first_chunk::<DIGEST_BYTES>().ok_or(cut)?;
        if Digest::from(Sha256::digest(header)) != *digest {
            return Err("its header is damaged");
        }
        let header: Header = postcard::from_bytes(header).map_err(|_| "its header cannot be read")?;
        let mut content = Self { header, records: Vec::new(), damage: None };
        content.frames(frames);
        Ok(content)
    }

    fn frames(&mut self, mut rest: &[u8]) {
        let mut chain = Chain::new(self.header.through.saturating_add(1), Some(self.header.head));
        while !rest.is_empty() {
            let (sequence, value) = match frame(&mut rest) {
                Frame::Whole(sequence, value) => (sequence, value),
                Frame::Torn => return,
                Frame::Damaged => return self.damaged("a length does not fit; the rest is not read".into()),
            };
            let batch = match chain.try_check(sequence, value) {
                Err(error @ (ChainError::Gap(_) | ChainError::Broken)) => {
                    self.damaged(format!("batch {sequence} {error}"));
                    Batch::read(sequence, value)
                }
                Err(ChainError::Bad(error)) => Err(error),
                Ok(batch) => Ok(batch),
            };
            let mut records = Vec::new();
            match batch.and_then(|batch| batch.each(|record| records.push(record))) {
                Ok(()) => self.records.append(&mut records),
                Err(_) if rest.is_empty() => return,
                Err(error) => self.damaged(format!("batch {sequence} {error}")),
            }
        }
    }

    fn damaged(&mut self, what: String) {
        self.damage.get_or_insert(what);
    }
}

enum Frame<'a> {
    Whole(u64, &'a [u8]),
    Torn,
    Damaged,
}

/// Takes the next frame off. Zeros are what a file system may leave of a write that was cut.
fn frame<'a>(rest: &mut &'a [u8]) -> Frame<'a> {
    let bytes = *rest;
    if bytes.iter().all(|byte| *byte == 0) {
        return Frame::Torn;
    }
    let Some((length, bytes)) = bytes.split_first_chunk::<4>() else { return Frame::Torn };
    let Some((inverted, bytes)) = bytes.split_first_chunk::<4>() else { return Frame::Torn };
    let length = u32::from_be_bytes(*length);
    if u32::from_be_bytes(*inverted) != !length {
        return Frame::Damaged;
    }
    let Some((sequence, bytes)) = bytes.split_first_chunk::<8>() else { return Frame::Torn };
    let Some((value, bytes)) = bytes.split_at_checked(length as usize) else { return Frame::Torn };
    *rest = bytes;
    Frame::Whole(u64::from_be_bytes(*sequence), value)
}

/// A file is there after a loss of power only when its directory is on disk.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::batch::Builder;
    use crate::store::tests::intent;
    use proptest::prelude::*;

    /// A whole spool of three batches.
    fn whole() -> Vec<u8> {
        let header =
            super::super::books::encode(&Header { through: 4, head: [7; DIGEST_BYTES], owned: vec![] });
        let length = u32::try_from(header.len()).unwrap();
        let digest: Digest = Sha256::digest(&header).into();
        let mut bytes = [MAGIC, &length.to_be_bytes()[..], &header, &digest].concat();
        let mut before = [7; DIGEST_BYTES];
        for sequence in 5..8 {
            let mut builder = Builder::new(&before);
            builder.intent(&intent(sequence));
            let (value, digest) = builder.seal(sequence);
            before = digest;
            let length = u32::try_from(value.len()).unwrap();
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&(!length).to_be_bytes());
            bytes.extend_from_slice(&sequence.to_be_bytes());
            bytes.extend_from_slice(&value);
        }
        bytes
    }

    #[test]
    fn a_whole_spool_is_read_without_damage() {
        let content = Content::parse(&whole()).unwrap();
        assert_eq!((content.records.len(), content.damage), (3, None));
    }

    proptest! {
        #[test]
        fn a_damaged_spool_is_read_without_a_panic_and_says_so(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let good = whole();
            let mut bytes = good.clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let changed = bytes != good;
            bytes.truncate(cut.index(good.len() * 2).min(good.len()));
            let cut = bytes.len() < good.len();
            let Ok(content) = Content::parse(&bytes) else { return Ok(()) };
            prop_assert!(content.records.len() <= 3);
            let missing = content.records.len() < 3;
            prop_assert!(!missing || cut || content.damage.is_some() || changed);
        }
    }
}
