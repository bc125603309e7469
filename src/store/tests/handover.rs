//! Books that pass from one process to the next. Two stores in one process
//! stand for two processes: the locks do not know the difference.

use super::*;
use crate::store::batch::Builder;
use crate::store::disk::Sealed;
use crate::store::spool::{Content, Header, Predecessor, Spool};
use std::fs;

fn open(dir: &Path) -> Store {
    Store::open(dir, options(), Clock::test(), silent()).unwrap()
}

/// Takes over; gives what was recovered and what ended.
fn recover(store: &Store) -> (u64, Vec<RequestId>) {
    let mut ended = Vec::new();
    let count = store.recover(&mut |intent| find_price(intent), &mut |s| ended.push(s.id)).unwrap();
    (count, ended)
}

fn begin(store: &Store, numbers: Range<u64>) {
    block_on(async {
        for n in numbers {
            store.intend(intent(n)).await.unwrap();
        }
        store.flush().await.unwrap();
    });
}

fn end(store: &Store, numbers: Range<u64>) {
    block_on(async {
        for n in numbers {
            store.settle(settlement(&intent(n))).await.unwrap();
        }
        store.flush().await.unwrap();
    });
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("books/spool")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Sound, with every intent ended, and so many of both.
fn sound(store: &Store, requests: u64) {
    let report = store.verify(&prices()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.intents, report.settlements), (requests, requests));
    assert_eq!(store.stats().open_intents, 0);
}

fn sums(dir: &Path) -> HashMap<KeyId, Spent> {
    Archive::open(dir, 8 << 20).unwrap().spent()
}

#[test]
fn requests_that_run_across_a_hand_over_end_once_and_by_their_own_process() {
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path());
    begin(&old, 0..5);
    end(&old, 0..1);
    old.hand_over().unwrap();
    old.hand_over().unwrap();

    let new = open(dir.path());
    assert_eq!(recover(&new), (0, vec![]), "the old process still runs them");
    assert_eq!((new.predecessors(), new.stats().open_intents), (1, 4));
    begin(&new, 100..103);
    end(&old, 1..4);
    begin(&old, 5..8);
    end(&old, 5..7);
    end(&old, 5..6);
    assert_eq!(old.stats().duplicates, 1);
    end(&new, 100..103);
    assert_eq!(recover(&new), (0, vec![]));
    old.close();

    let (recovered, mut ended) = recover(&new);
    ended.sort_unstable();
    assert_eq!(ended, [1, 2, 3, 4, 5, 6, 7].map(id));
    assert_eq!(recovered, 2, "4, begun before, and 7, begun after");
    assert_eq!(new.predecessors(), 0);
    assert_eq!(recover(&new), (0, vec![]));
    assert!(files(dir.path()).is_empty());
    sound(&new, 11);
    let spent = new.spent();
    new.close();
    assert_eq!(spent, sums(dir.path()));
}

#[test]
fn when_both_processes_die_the_next_start_has_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path());
    begin(&old, 0..4);
    old.hand_over().unwrap();
    let new = open(dir.path());
    recover(&new);
    begin(&new, 10..12);
    end(&old, 0..2);
    begin(&old, 4..6);
    old.close();
    new.close();

    let next = open(dir.path());
    let (recovered, ended) = recover(&next);
    assert_eq!((recovered, ended.len()), (6, 8));
    sound(&next, 8);
}

#[test]
fn a_spool_that_is_imported_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path());
    begin(&old, 0..3);
    old.hand_over().unwrap();
    end(&old, 0..3);
    begin(&old, 3..9);
    end(&old, 3..7);
    old.close();
    let [spool] = &files(dir.path())[..] else { panic!("one spool") };
    let bytes = fs::read(spool).unwrap();

    let new = open(dir.path());
    recover(&new);
    sound(&new, 9);
    let spent = new.spent();
    new.close();
    // As a crash leaves it between the last record and the removal.
    fs::write(spool.with_extension("importing"), bytes).unwrap();
    let next = open(dir.path());
    assert_eq!(recover(&next), (0, vec![]));
    sound(&next, 9);
    assert_eq!(next.spent(), spent);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn an_import_that_died_halfway_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path());
    begin(&old, 0..2);
    old.hand_over().unwrap();
    end(&old, 0..2);
    begin(&old, 2..6);
    end(&old, 2..6);
    old.close();
    let [spool] = &files(dir.path())[..] else { panic!("one spool") };
    let begun = spool.with_extension("importing");
    fs::rename(spool, &begun).unwrap();
    let aside = dir.path().join("aside");
    fs::rename(&begun, &aside).unwrap();
    // The half that was written: whole requests, an intent without its end, and an end.
    let new = open(dir.path());
    begin(&new, 2..4);
    end(&new, 2..3);
    end(&new, 0..1);
    new.close();
    fs::rename(&aside, &begun).unwrap();

    let next = open(dir.path());
    let (recovered, ended) = recover(&next);
    assert_eq!((recovered, ended), (0, vec![id(1), id(3), id(4), id(5)]));
    sound(&next, 6);
}

#[test]
fn books_that_nobody_took_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    begin(&store, 0..4);
    store.hand_over().unwrap();
    assert!(
        store.put_control(Vec::new()).is_err()
            && store.archive().is_err()
            && store.put_meta("a", b"b").is_err()
    );
    end(&store, 0..1);
    begin(&store, 4..6);

    let successor = open(dir.path());
    recover(&successor);
    successor.put_meta("a", b"b").unwrap();
    assert!(store.take_back().is_err(), "somebody else has the books");
    end(&store, 4..5);
    assert!(store.healthy());
    successor.close();

    store.take_back().unwrap();
    store.take_back().unwrap();
    assert_eq!(store.meta("a").unwrap().as_deref(), Some(b"b".as_slice()));
    assert_eq!(recover(&store), (0, vec![]), "all that is open runs in this process");
    assert_eq!(store.stats().open_intents, 4);
    end(&store, 0..6);
    assert!(files(dir.path()).is_empty());
    sound(&store, 6);
    store.hand_over().unwrap();
    store.close();
    let next = open(dir.path());
    assert_eq!(recover(&next), (0, vec![]));
    sound(&next, 6);
}

#[test]
fn three_processes_in_a_row_each_end_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    begin(&first, 0..2);
    first.hand_over().unwrap();
    let second = open(dir.path());
    recover(&second);
    begin(&second, 10..12);
    second.hand_over().unwrap();
    let third = open(dir.path());
    assert_eq!((recover(&third), third.predecessors()), ((0, vec![]), 2));
    begin(&third, 20..22);
    end(&second, 10..11);
    second.close();
    assert_eq!(recover(&third), (1, vec![id(10), id(11)]), "the first still runs its own");
    assert_eq!(third.predecessors(), 1);
    end(&first, 0..2);
    first.close();
    assert_eq!(recover(&third), (0, vec![id(0), id(1)]));
    end(&third, 20..22);
    sound(&third, 6);
}

#[test]
fn what_can_be_read_of_a_damaged_spool_is_imported_and_the_file_kept() {
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path());
    begin(&old, 0..2);
    old.hand_over().unwrap();
    end(&old, 0..1);
    let whole = fs::metadata(&files(dir.path())[0]).unwrap().len() as usize;
    end(&old, 1..2);
    old.close();
    let [spool] = &files(dir.path())[..] else { panic!("one spool") };
    let mut bytes = fs::read(spool).unwrap();
    bytes[whole - 40] ^= 1;
    fs::write(spool, bytes).unwrap();

    let new = open(dir.path());
    assert_eq!(recover(&new), (1, vec![id(1), id(0)]), "what was lost is recovered");
    sound(&new, 2);
    assert_eq!(files(dir.path()), [spool.with_extension("damaged")]);
    new.close();
    assert_eq!(recover(&open(dir.path())), (0, vec![]));
}

/// A spool of three groups: its path, and where each of its parts ends.
fn three_groups(dir: &Path) -> (PathBuf, [usize; 4]) {
    let header = Header { through: 7, head: [9; 32], owned: vec![id(1)], leases: vec![] };
    let mut spool = Spool::create(dir, "0", &header).unwrap();
    let length = |spool: &Spool| fs::metadata(spool.path()).unwrap().len() as usize;
    let (mut ends, mut head) = ([length(&spool); 4], header.head);
    for group in 1..4 {
        let mut builder = Builder::new(&head);
        builder.intent(&intent(group));
        builder.settlement(&settlement(&intent(group)));
        let sequence = 7 + group;
        let (value, digest) = builder.seal(sequence);
        spool.append(&[Sealed { sequence, day: 0, value, count: 2 }]).unwrap();
        (ends[group as usize], head) = (length(&spool), digest);
    }
    (spool.path().to_owned(), ends)
}

fn read(path: &Path) -> Content {
    Predecessor::at(path.to_owned()).unwrap().read().unwrap()
}

#[test]
fn a_spool_is_read_as_written_and_is_its_writers_until_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = three_groups(dir.path());
    let content = read(&path);
    assert_eq!((content.header.through, content.header.head), (7, [9; 32]));
    assert_eq!((content.records.len(), content.damage), (6, None));
    let header = Header { through: 0, head: [0; 32], owned: vec![], leases: vec![] };
    let spool = Spool::create(dir.path(), "1", &header).unwrap();
    assert!(Spool::create(dir.path(), "1", &header).is_err(), "never written over");
    let all = Predecessor::all(dir.path()).unwrap();
    let [first, second] = &all[..] else { panic!("{}", all.len()) };
    assert!(first.owns(id(1)) && !first.owns(id(2)));
    assert!(first.is_gone().unwrap() && !second.is_gone().unwrap());
    drop(spool);
    assert!(second.is_gone().unwrap());
}

#[test]
fn a_tail_that_was_torn_off_is_no_damage_and_costs_only_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let (path, ends) = three_groups(dir.path());
    let bytes = fs::read(&path).unwrap();
    for cut in ends[0]..=ends[3] {
        let groups = ends[1..].iter().filter(|end| **end <= cut).count();
        for zeros in [0, 5, 4_096] {
            fs::write(&path, [&bytes[..cut], &vec![0; zeros]].concat()).unwrap();
            let content = read(&path);
            assert_eq!(content.records.len(), 2 * groups, "cut at {cut}");
            let torn = zeros < 4_096 || ends.contains(&cut);
            assert!(!torn || content.damage.is_none() || zeros == 5, "cut at {cut}: {:?}", content.damage);
        }
    }
    for cut in 0..8 {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert_eq!(read(&path).damage, None, "it died while it made the file");
    }
}

#[test]
fn any_changed_byte_is_noticed_and_costs_only_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let (path, ends) = three_groups(dir.path());
    let bytes = fs::read(&path).unwrap();
    for at in 0..ends[2] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        let content = read(&path);
        assert!(content.damage.is_some(), "byte {at}");
        let lengths = ends[..3].iter().any(|end| (*end..*end + 8).contains(&at));
        match at {
            _ if at < ends[0] => assert!(content.records.is_empty()),
            _ if lengths => assert!(content.records.len() < 6),
            _ => assert_eq!(content.records.len(), 4, "byte {at}"),
        }
    }
}
