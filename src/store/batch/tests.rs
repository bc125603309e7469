use super::*;
use crate::ledger::{Record, Tried};
use crate::store::tests::{intent, settlement};
use crate::types::Party;
use proptest::prelude::*;
use std::sync::Arc;

fn both() -> (Vec<u8>, Digest, [Record; 2]) {
    let intent = intent(1);
    let settlement = settlement(&intent);
    let mut builder = Builder::new(&[9; 32]);
    builder.intent(&intent);
    builder.settlement(&settlement);
    assert_eq!(builder.count(), 2);
    let (value, digest) = builder.seal(7);
    (value, digest, [Record::Intent(Box::new(intent)), Record::Settlement(Box::new(settlement))])
}

fn read(value: &[u8]) -> Result<Vec<Record>, BadBatch> {
    let mut records = Vec::new();
    Batch::read(7, value)?.each(|record| records.push(record))?;
    Ok(records)
}

#[test]
fn what_is_written_is_what_is_read() {
    let (value, digest, records) = both();
    let batch = Batch::read(7, &value).unwrap();
    assert_eq!((batch.before, batch.digest), ([9; 32], digest));
    assert_eq!(read(&value).unwrap(), records);
    let at = records[0].at();
    assert!(batch.overlaps(at, Wall(at.0 + 1)));
    assert!(!batch.overlaps(Wall(at.0 + 1), Wall(i64::MAX)) && !batch.overlaps(Wall(0), at));
}

#[test]
fn every_changed_byte_and_every_cut_is_found() {
    let (value, _, _) = both();
    assert_eq!(Batch::read(8, &value).err(), Some(BadBatch::Digest), "in another place");
    for at in 0..value.len() {
        let mut changed = value.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "byte {at}");
        assert!(read(&value[..at]).is_err(), "cut at {at}");
    }
}

/// If this fails, books that exist cannot be read any more. Make the change a
/// new version, and move the types of this one to `old.rs`.
#[test]
fn version_4_is_encoded_as_ever() {
    let (value, _, records) = both();
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex);
    assert_eq!(read(&value).unwrap(), records);
}

/// As this program once wrote them.
#[test]
fn older_versions_are_still_read() {
    for (version, hex) in [(1, include_str!("version_1.hex")), (3, include_str!("version_3.hex"))] {
        let hex = hex.trim();
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let value: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        assert_eq!(value[0], version);
        assert_eq!(read(&value).unwrap(), both().2, "version {version}");
    }
    let mut unknown = both().0;
    for version in [0, 5] {
        unknown[0] = version;
        assert_eq!(read(&unknown), Err(BadBatch::Version(version)));
    }
}

#[test]
fn who_is_behind_a_key_what_was_tried_and_what_rules_say_is_kept() {
    let (mut intent, name) = (intent(1), |text: &str| Some(text.into()));
    intent.party = Arc::new(Party { user: name("usr_1"), app: name("app_1"), team: name("team_1") });
    let tried = Tried {
        after_us: 12,
        duration_us: 34,
        provider: "openai".into(),
        upstream_model: "gpt-4o".into(),
        credential: "openai/main".into(),
        status: 429,
        error: "rate_limited".into(),
    };
    let tags = vec!["beta".into(), "a b".into()];
    let settlement = Settlement { tried: vec![tried], tags, ..settlement(&intent) };
    let mut builder = Builder::new(&[9; 32]);
    builder.intent(&intent);
    builder.settlement(&settlement);
    let records = read(&builder.seal(7).0).unwrap();
    assert_eq!(records, [Record::Intent(Box::new(intent)), Record::Settlement(Box::new(settlement))]);
}

proptest! {
    /// The digest finds every damage, so it is made to fit: what lies behind it has to stand on its own.
    #[test]
    fn records_of_any_bytes_are_read_without_a_panic_and_never_wrongly(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        count in prop::option::of(any::<u32>()),
    ) {
        let (mut value, _, _) = both();
        value.truncate(value.len() - DIGEST_BYTES);
        for (at, byte) in changes {
            let at = at.index(value.len() - HEADER_BYTES) + HEADER_BYTES;
            value[at] = byte;
        }
        if let Some(count) = count {
            value[33..37].copy_from_slice(&count.to_be_bytes());
            value.truncate(cut.index(value.len() - HEADER_BYTES) + HEADER_BYTES);
        }
        let digest = digest(7, &value);
        value.extend_from_slice(&digest);
        let Ok(records) = read(&value) else { return Ok(()) };
        let mut again = Builder::new(&[9; 32]);
        for record in &records {
            match record {
                Record::Intent(intent) => again.intent(intent),
                Record::Settlement(settlement) => again.settlement(settlement),
                Record::Movement(movement) => again.movement(movement),
                Record::Carried(carried) => again.carried(carried),
            }
        }
        prop_assert_eq!(read(&again.seal(7).0), Ok(records));
    }
}
