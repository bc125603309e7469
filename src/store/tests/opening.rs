//! Opening what is damaged, locked, or gone.

use super::*;
use crate::store::sled_disk::SledDisk;
use std::fs;

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, options(), Clock::test(), silent())
}

fn written(dir: &Path) {
    let store = open(dir).unwrap();
    block_on(async {
        for n in 0..300 {
            store.settle(Settlement { intended: false, ..settlement(&intent(n)) }).await.unwrap();
        }
        store.flush().await.unwrap();
    });
    store.close();
}

#[test]
fn books_have_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let second = open(dir.path());
    assert!(matches!(second.err(), Some(StoreError::Locked(text)) if text.contains("books")));
    store.close();
    assert!(open(dir.path()).is_ok(), "close gives the lock back");
}

#[test]
fn a_damaged_snapshot_of_sled_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let books = dir.path().join("books");
    for entry in fs::read_dir(&books).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    fs::write(books.join("snap.0000000000001000"), b"no snapshot").unwrap();
    assert!(SledDisk::open(&books, 1 << 20).is_err(), "sled alone does not open it");
    let store = open(dir.path()).unwrap();
    assert_eq!(records(&store.archive().unwrap()).len(), 300);
}

#[test]
fn damaged_books_are_set_aside_and_nobody_starts_empty_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let books = dir.path().join("books");
    fs::write(books.join("conf"), b"no configuration of sled at all").unwrap();
    let text = match open(dir.path()) {
        Err(StoreError::Damaged(text)) => text,
        other => unreachable!("{:?}", other.err()),
    };
    assert!(text.contains("books.corrupt-2026-01-01") && text.contains("Put a backup"), "{text}");
    assert!(!books.exists());
    let aside = dir.path().read_dir().unwrap().next().unwrap().unwrap().path();
    assert!(aside.join("db").is_file(), "nothing was deleted");

    assert!(matches!(open(dir.path()), Err(StoreError::Damaged(text)) if text.contains("Put a backup")));
    fs::create_dir(&books).unwrap();
    assert!(open(dir.path()).is_ok(), "the operator has decided");
}

#[test]
fn a_directory_that_cannot_be_made_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(open(&file.join("store")).err(), Some(StoreError::Write(_))));
}
