//! Opening what is damaged, locked, or gone.

use super::*;
use crate::store::sled_disk::{SledDisk, Whole};
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
    assert!(SledDisk::open(&books, 1 << 20, Whole::Required).is_err(), "sled alone does not open it");
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

/// Turns some bytes over, at a part of the log's length.
fn damage_log(dir: &Path, numerator: usize, denominator: usize) {
    let log = dir.join("books").join("db");
    let mut bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let at = end * numerator / denominator;
    for byte in &mut bytes[at..at + 64] {
        *byte = !*byte;
    }
    fs::write(&log, bytes).unwrap();
}

#[test]
fn records_that_were_safe_are_never_missing_without_a_word() {
    for part in 1..8 {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path());
        damage_log(dir.path(), part, 8);
        match open(dir.path()) {
            Err(StoreError::Damaged(text)) => assert!(text.contains("set aside"), "{text}"),
            Err(other) => unreachable!("part {part}: {other:?}"),
            // The damage was in what had been written anew since.
            Ok(store) => assert_eq!(records(&store.archive().unwrap()).len(), 300, "part {part}"),
        }
    }
}

#[test]
fn what_is_left_of_damaged_books_can_be_read_when_the_operator_says_so() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let books = dir.path().join("books");
    // As if sled had taken a place in the middle for the end.
    fs::write(books.join(mark::FILE), format!("{:020}\n", 1_000)).unwrap();
    let archive = Archive::open(dir.path(), 1 << 20).unwrap();
    let report = archive.verify(&prices()).unwrap();
    assert!(report.problems[0].contains("to 1000 were on disk and are gone"), "{:?}", report.problems);
    assert_eq!(records(&archive).len(), 300, "it is there for export");
    drop(archive);
    let text = open(dir.path()).err().unwrap().to_string();
    assert!(text.contains("batch 1000 was on disk") && text.contains("last-batch"), "{text}");
    let aside = dir.path().read_dir().unwrap().next().unwrap().unwrap().path();
    fs::rename(aside, &books).unwrap();
    fs::remove_file(books.join(mark::FILE)).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(records(&store.archive().unwrap()).len(), 300);
    assert!(store.verify(&prices()).unwrap().is_sound());
}

#[test]
fn new_data_is_for_its_owner_alone_and_an_operators_directory_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    open(&data).unwrap().close();
    assert_eq!(mode(&data), 0o700);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).unwrap();
    open(&data).unwrap().close();
    assert_eq!(mode(&data), 0o750);
}
