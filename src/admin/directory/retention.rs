//! Audit records that are older than they are kept. What is taken away leaves a signed anchor, and
//! a record of its own.

use super::{Directory, Draft, Unwritten};
use crate::control::{
    AUDIT_ANCHOR, AUDIT_PREFIX, Anchor, Entry, Moment, Outcome, Seal, Who, audit_row_key, open_row,
    sequence_of,
};
use crate::types::Wall;
use serde_json::json;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Records that go in one batch.
const TOGETHER: usize = 2_000;
/// How often is looked.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// What is to go.
struct Old {
    rows: Vec<Vec<u8>>,
    last: Seal,
}

impl Directory {
    /// Takes away audit records and bodies that are older than the configuration keeps them. Does
    /// nothing unless it is time for it again. Blocks.
    pub fn prune_when_due(&self) {
        let now = self.clock.wall();
        let next = self.prune_next.load(Ordering::Relaxed);
        if now.0 < next {
            return;
        }
        self.prune_next.store(now.after(EVERY).0, Ordering::Relaxed);
        match self.prune_bodies(now) {
            Ok(0) => {}
            Ok(pruned) => tracing::info!(pruned, "kept bodies were older than they are kept"),
            Err(error) => tracing::error!(error, "old bodies cannot be taken away"),
        }
        let Some(keep) = self.snapshot().and_then(|snapshot| snapshot.audit_keep) else { return };
        let micros = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
        match self.prune_audit(Wall(now.0.saturating_sub(micros))) {
            Ok(0) => {}
            Ok(pruned) => tracing::info!(pruned, "audit records were older than they are kept"),
            Err(error) => tracing::error!(error, "old audit records cannot be taken away"),
        }
    }

    /// Takes away records from before a point in time; the newest one always stays. Gives how many
    /// went. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub(in crate::admin) fn prune_audit(&self, before: Wall) -> Result<u64, String> {
        let mut pruned = 0_u64;
        loop {
            let count = self
                .change::<usize, Unwritten>(|_| {
                    let Some(old) = self.old_records(before).map_err(Unwritten::Disk)? else {
                        return Ok((0, Draft::default()));
                    };
                    let count = old.rows.len();
                    Ok((count, self.pruning(old, before)))
                })
                .map_err(|error| error.to_string())?;
            pruned = pruned.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            if count < TOGETHER {
                return Ok(pruned);
            }
        }
    }

    /// The oldest records, if they are from before a point in time.
    fn old_records(&self, before: Wall) -> Result<Option<Old>, String> {
        let archive = self.archive()?;
        let newest = super::disk::load_head(&archive)?.sequence;
        let first = super::disk::anchor(&archive)?.map_or(0, |anchor| anchor.sequence).saturating_add(1);
        let (mut rows, mut last) = (Vec::new(), None);
        let each = &mut |key: &[u8], value: &[u8]| {
            let (Some(sequence), Some((digest, entry))) = (sequence_of(key), open_row(value)) else {
                return ControlFlow::Break(());
            };
            if entry.at.0 >= before || sequence >= newest || rows.len() >= TOGETHER {
                return ControlFlow::Break(());
            }
            rows.push(key.to_vec());
            last = Some(Seal { sequence, digest });
            ControlFlow::Continue(())
        };
        archive
            .control_from(AUDIT_PREFIX.as_bytes(), &audit_row_key(first), each)
            .map_err(|error| error.to_string())?;
        Ok(last.map(|last| Old { rows, last }))
    }

    /// Their going, in one batch with the anchor and a record that tells of it.
    fn pruning(&self, old: Old, before: Wall) -> Draft {
        let anchor = Anchor::new(&self.signer, old.last);
        let about = json!({ "records": old.rows.len(), "through": anchor.sequence, "before": Moment(before), "digest": anchor.digest });
        let mut rows: Vec<_> = old.rows.into_iter().map(|key| (key, None)).collect();
        // Three plain fields always have a JSON text.
        rows.push((AUDIT_ANCHOR.into(), serde_json::to_vec(&anchor).ok()));
        let who = Who { kind: "operator".into(), id: None, name: "retention".into(), tenant: None };
        let entry = Entry {
            sequence: 0,
            at: Moment(self.clock.wall()),
            who,
            action: "audit.prune".into(),
            outcome: Outcome::Done,
            reason: None,
            target: None,
            before: None,
            after: Some(about),
            address: None,
            request: "retention".into(),
            previous: String::new(),
        };
        Draft { rows, entries: vec![entry], ..Draft::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Broken, to_hex};
    use crate::store::{Options, Store};
    use crate::types::Clock;

    fn directory(folder: &std::path::Path) -> (Directory, Store) {
        let options = Options {
            queue: 64,
            flush_interval: Duration::from_millis(1),
            flush_entries: 1,
            cache_bytes: 1 << 20,
        };
        let clock = Clock::test();
        let store = Store::open(folder, options, clock.clone(), Box::new(|_, _| ())).unwrap();
        (Directory::open(store.clone(), clock, folder).unwrap(), store)
    }

    /// Notes so many records, a second apart.
    fn note(directory: &Directory, count: u64) {
        for n in 0..count {
            let draft = directory.pruning(Old { rows: Vec::new(), last: Seal::default() }, Wall(0));
            let mut entry = draft.entries.into_iter().next().unwrap();
            entry.action = format!("test.{n}");
            directory.note(entry);
            directory.clock.advance(Duration::from_secs(1));
        }
    }

    fn proved(directory: &Directory) -> Result<u64, Broken> {
        directory.verify_audit().unwrap()
    }

    #[test]
    fn what_is_left_is_proved_from_its_first_record_on() {
        let folder = tempfile::tempdir().unwrap();
        let (hub, store) = directory(folder.path());
        note(&hub, 10);
        let begin = hub.clock.wall().0 - 10_000_000;
        assert_eq!(hub.prune_audit(Wall(begin)), Ok(0));
        assert_eq!(hub.prune_audit(Wall(begin + 4_000_000)), Ok(4));
        assert_eq!(proved(&hub), Ok(11), "with the record that tells of it");
        assert_eq!(hub.prune_audit(Wall(i64::MAX)), Ok(6), "all but the newest");
        assert_eq!(proved(&hub), Ok(12));
        note(&hub, 3);
        drop(hub);
        store.close();
        drop(store);
        let (hub, store) = directory(folder.path());
        assert_eq!(proved(&hub), Ok(15), "the chain goes on after a restart");
        let mut seen = Vec::new();
        hub.audit_before(u64::MAX, &mut |entry| {
            seen.push(entry.sequence);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(seen, [15, 14, 13, 12, 11]);

        // Nobody else can say that more of it was pruned, or less.
        let anchor = super::super::disk::anchor(&hub.archive().unwrap()).unwrap().unwrap();
        let record = |sequence: u64| audit_row_key(sequence);
        let put = |rows: Vec<(Vec<u8>, Option<Vec<u8>>)>| store.put_control(rows).unwrap();
        let forged = Anchor { sequence: 11, digest: to_hex(&[1; 32]), ..anchor.clone() };
        put(vec![(AUDIT_ANCHOR.into(), serde_json::to_vec(&forged).ok()), (record(11), None)]);
        assert_eq!(proved(&hub).unwrap_err().sequence, 11);
        put(vec![(AUDIT_ANCHOR.into(), serde_json::to_vec(&anchor).ok())]);
        assert_eq!(proved(&hub).unwrap_err().sequence, 11, "it is missing");
        put(vec![(AUDIT_ANCHOR.into(), None)]);
        assert_eq!(proved(&hub).unwrap_err().sequence, 1);
    }

    #[test]
    fn many_records_go_in_several_batches() {
        let folder = tempfile::tempdir().unwrap();
        let (hub, _store) = directory(folder.path());
        let entries = (0..TOGETHER * 2 + 5).map(|_| {
            let draft = hub.pruning(Old { rows: Vec::new(), last: Seal::default() }, Wall(0));
            draft.entries.into_iter().next().unwrap()
        });
        let draft = Draft { entries: entries.collect(), ..Draft::default() };
        hub.change::<(), Unwritten>(|_| Ok(((), draft))).unwrap();
        hub.clock.advance(Duration::from_secs(1));
        let pruned = hub.prune_audit(hub.clock.wall()).unwrap();
        // The first batch writes a record of its own, which is the newest from then on.
        assert_eq!(pruned, (TOGETHER * 2 + 5) as u64);
        assert!(proved(&hub).is_ok());
    }
}
