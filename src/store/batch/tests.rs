use super::*;
use crate::ledger::Record;
use crate::store::tests::{intent, settlement};

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
/// version 2, and keep the types of version 1 beside their reader.
#[test]
fn version_1_is_encoded_as_ever() {
    let (value, _, records) = both();
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex);
    assert_eq!(read(&value).unwrap(), records);
}
