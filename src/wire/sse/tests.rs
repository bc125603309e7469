use super::*;
use proptest::prelude::*;

const BOUND: usize = 1 << 20;

const FIXTURES: &[&str] = &[
    "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n",
    "data: a\r\n\r\ndata: b\r\n\r\n",
    "data: a\r\rdata: b\r\r",
    "data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\r",
    "\u{feff}data: first\n\n: comment\n\ndata:no space\n\n",
    ": OPENROUTER PROCESSING\n\n\n\nevent: error\ndata: x\ndata: y\n\n",
    "\n\n\r\r\n\n",
    "data: line\u{2028}separator\u{85}\n\ndata: unterminated",
    "data: unterminated\n",
    "data: 中文😀\r\n\r\nid: 1\r\nevent: x\r\ndata: y\r\n\r\n",
    "",
];

fn cut(chunks: &[&[u8]]) -> (Vec<Bytes>, Bytes) {
    let mut cutter = Cutter::new(BOUND);
    let mut events = Vec::new();
    for chunk in chunks {
        cutter.push(Bytes::copy_from_slice(chunk)).unwrap();
        while let Some(event) = cutter.next_event() {
            events.push(event);
        }
    }
    let rest = cutter.rest();
    (events, rest)
}

fn assert_nothing_lost(input: &[u8], (events, rest): &(Vec<Bytes>, Bytes)) {
    let mut all: Vec<u8> = events.concat();
    all.extend_from_slice(rest);
    assert_eq!(all, input);
}

#[test]
fn every_split_gives_the_same_events() {
    for fixture in FIXTURES {
        let bytes = fixture.as_bytes();
        let whole = cut(&[bytes]);
        assert_nothing_lost(bytes, &whole);
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(cut(&[left, right]), whole, "{fixture:?} at {at}");
            for second in 0..=right.len() {
                let (middle, right) = right.split_at(second);
                assert_eq!(cut(&[left, middle, right]), whole, "{fixture:?} at {at}, {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(cut(&single), whole, "{fixture:?} byte by byte");
    }
}

#[test]
fn events_that_were_not_taken_before_the_next_push_are_kept() {
    let mut cutter = Cutter::new(BOUND);
    for part in ["data: a\n\ndata: b\n\nda", "ta: c\n\n", "data: d"] {
        cutter.push(Bytes::from_static(part.as_bytes())).unwrap();
    }
    assert_eq!(cutter.next_event().unwrap(), "data: a\n\n");
    assert_eq!(cutter.rest(), "data: b\n\ndata: c\n\ndata: d");
    assert_eq!(cutter.next_event(), None);
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from("data: a\n\ndata: b\n\n".to_owned());
    let mut cutter = Cutter::new(BOUND);
    cutter.push(chunk.clone()).unwrap();
    assert_eq!(cutter.next_event().unwrap().as_ptr(), chunk.as_ptr());
    assert_eq!(cutter.next_event().unwrap().as_ptr(), chunk.slice(9..).as_ptr());
}

#[test]
fn the_bound_counts_whole_and_open_events_alike() {
    let event = |bytes: usize| Bytes::from("x".repeat(bytes - 2) + "\n\n");
    assert_eq!(Cutter::new(10).push(event(10)), Ok(()));
    assert_eq!(Cutter::new(10).push(event(11)), Err(TooLong));
    assert_eq!(Cutter::new(10).push(Bytes::from("x".repeat(11))), Err(TooLong));
    let mut cutter = Cutter::new(10);
    cutter.push(Bytes::from_static(b"12345")).unwrap();
    assert!(cutter.next_event().is_none());
    assert_eq!(cutter.push(Bytes::from_static(b"678\n\n1234567890")), Ok(()));
    assert_eq!(cutter.push(Bytes::from_static(b"1")), Err(TooLong));
}

#[test]
fn fields_are_read_as_the_standard_says() {
    assert_eq!(data(b"data: x\n\n").unwrap().as_ref(), b"x");
    assert_eq!(data(b"data:x\r\n\r\n").unwrap().as_ref(), b"x");
    assert_eq!(data(b"data:  x\n\n").unwrap().as_ref(), b" x");
    assert_eq!(data(b"data\n\n").unwrap().as_ref(), b"");
    assert_eq!(data(b"event: e\ndata: x\ndata:\ndata: y\n\n").unwrap().as_ref(), b"x\n\ny");
    assert_eq!(data("\u{feff}data: x\n\n".as_bytes()).unwrap().as_ref(), b"x");
    assert_eq!(data(b": data: x\n\n"), None);
    assert_eq!(data(b"database: x\n\n"), None);
    assert_eq!(data(b"\n"), None);
    assert_eq!(name(b"event: error\ndata: x\n\n"), Some(&b"error"[..]));
    assert_eq!(name(b"data: x\nevent:error\n\n"), Some(&b"error"[..]));
    assert_eq!(name(b"data: the event: x\n\n"), None);
}

proptest! {
    #[test]
    fn any_bytes_come_out_as_they_went_in(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), any::<u8>()], 0..120),
        sizes in prop::collection::vec(1usize..9, 1..40),
    ) {
        let whole = cut(&[&bytes]);
        assert_nothing_lost(&bytes, &whole);
        let mut chunks = Vec::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        prop_assert_eq!(cut(&chunks), whole);
        let _ = (name(&bytes), data(&bytes));
    }
}
