//! Opening books with care: a damaged snapshot is made again, damaged books
//! are set aside, and nobody starts with empty books by accident.

use super::disk::DiskError;
use super::mark;
use super::options::StoreError;
use super::sled_disk::{SledDisk, Whole, is_locked};
use crate::ledger::day_text;
use crate::types::Wall;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

const BOOKS: &str = "books";
const SET_ASIDE: &str = "books.corrupt-";

/// Where the database is, inside the store's directory.
pub(super) fn books_dir(dir: &Path) -> PathBuf {
    dir.join(BOOKS)
}

/// Are there books, or some that were set aside?
pub(super) fn exist(dir: &Path) -> bool {
    books_dir(dir).exists() || set_aside_before(dir).is_some()
}

/// Opens for writing; makes new books only where there never were any, or
/// where the operator made an empty directory for them.
pub(super) fn open(dir: &Path, cache_bytes: u64, now: Wall) -> Result<SledDisk, StoreError> {
    let books = books_dir(dir);
    if !books.exists()
        && let Some(aside) = set_aside_before(dir)
    {
        return Err(StoreError::Damaged(how_to_go_on(&aside, &books)));
    }
    make_private(dir).map_err(|error| write_error(dir, &error))?;
    let first = match SledDisk::open(&books, cache_bytes, Whole::Required) {
        Ok(disk) => return Ok(disk),
        Err(error) => refuse_unless_corrupt(&books, error)?,
    };
    tracing::error!(error = %first, "the books cannot be opened; trying again without sled's snapshot");
    remove_snapshots(&books).map_err(|error| write_error(&books, &error))?;
    let second = match SledDisk::open(&books, cache_bytes, Whole::Required) {
        Ok(disk) => {
            tracing::warn!("the books are whole; sled's snapshot was not");
            return Ok(disk);
        }
        Err(error) => refuse_unless_corrupt(&books, error)?,
    };
    let aside = set_aside(dir, &books, now)?;
    Err(StoreError::Damaged(format!("{second}. {}", how_to_go_on(&aside, &books))))
}

/// Makes the directory for its owner alone: it holds who called when, the
/// pepper and the admin token. One that others can enter is the operator's own
/// doing, and told.
fn make_private(dir: &Path) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::metadata(dir)?;
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let (dir, mode) = (dir.display(), format!("{mode:o}"));
        tracing::warn!(%dir, mode, "others on this machine may look into the data directory; chmod 700 it");
    }
    Ok(())
}

/// Opens books that exist, whole or not, and sets nothing aside.
pub(super) fn open_existing(dir: &Path, cache_bytes: u64) -> Result<SledDisk, StoreError> {
    let books = books_dir(dir);
    if !books.join("db").is_file() {
        return Err(StoreError::Damaged(format!("there are no books in {}", books.display())));
    }
    SledDisk::open(&books, cache_bytes, Whole::Wished).map_err(|error| {
        if is_locked(&error) {
            return StoreError::Locked(books.display().to_string());
        }
        StoreError::Damaged(format!("cannot open {}: {error}", books.display()))
    })
}

/// Gives back the corruption, and makes an error of anything else: a lock or a
/// full disk is no reason to set books aside.
fn refuse_unless_corrupt(books: &Path, error: DiskError) -> Result<String, StoreError> {
    if is_locked(&error) {
        return Err(StoreError::Locked(books.display().to_string()));
    }
    match error {
        DiskError::Corrupt(text) => Ok(text),
        DiskError::Io(text) => Err(StoreError::Write(format!("cannot open {}: {text}", books.display()))),
    }
}

/// sled's snapshots only save time at the start; the log has everything.
fn remove_snapshots(books: &Path) -> io::Result<()> {
    for entry in fs::read_dir(books)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn set_aside(dir: &Path, books: &Path, now: Wall) -> Result<PathBuf, StoreError> {
    let day = day_text(crate::ledger::day_of(now));
    let aside = dir.join(format!("{SET_ASIDE}{day}-{}", now.seconds()));
    fs::rename(books, &aside).map_err(|error| write_error(books, &error))?;
    Ok(aside)
}

/// The latest books that were set aside.
fn set_aside_before(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?.filter_map(Result::ok);
    let aside = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SET_ASIDE));
    aside.map(|entry| entry.path()).max()
}

fn how_to_go_on(aside: &Path, books: &Path) -> String {
    format!(
        "The books were damaged and are set aside in {}. Put a backup in {}; or move them back without \
         the file `{}` to go on with what can be read of them; or make that directory (empty) to start \
         with new books: keys and budgets then begin anew",
        aside.display(),
        books.display(),
        mark::FILE
    )
}

fn write_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Write(format!("{}: {error}", path.display()))
}
