//! The laws of streams: the borrowed way says what the owned way says, and what was
//! written is read again with the same meaning.

use super::any;
use crate::targets::dialects::{DIALECTS, Frame, Row};
use crate::targets::streams::{borrowed, owned, relayed, written};
use aigne_hub::chat::{Delta, DeltaKind, Event, Quoted};
use proptest::prelude::*;

/// The fixtures with as many random bytes changed, so that events are cut, doubled or spoiled.
fn damaged(stream: &[u8], changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = stream.to_vec();
    for &(at, byte) in changes {
        let at = at % bytes.len();
        bytes[at] = byte;
    }
    bytes
}

/// Both ways of one stream. A frame that the borrowed way takes although the owned one
/// finds fault with it has its fault in a field that nobody reads.
fn both_ways(row: &Row, frames: &[Frame]) {
    let Some(reader) = row.stream_in else { return };
    let Ok(expected) = owned(&mut *reader(), frames) else { return };
    let found = borrowed(&mut *reader(), frames).unwrap();
    assert_eq!(found.events, expected, "{}", row.name);
    for to in DIALECTS {
        let Some(writer) = to.stream_out else { continue };
        let whole = written(&mut *writer(), &expected);
        let relayed = relayed(&mut *reader(), &mut *writer(), frames).unwrap();
        assert_eq!(relayed, whole, "{} to {}", row.name, to.name);
    }
}

#[test]
fn fixtures_say_the_same_by_both_ways_and_some_of_it_is_borrowed() {
    for row in DIALECTS {
        let mut taken = 0;
        for (_, stream) in row.streams {
            let frames = (row.frames)(&[&(row.framed)(stream)]);
            both_ways(row, &frames);
            if let Some(reader) = row.stream_in {
                taken += borrowed(&mut *reader(), &frames).unwrap().borrowed;
            }
        }
        assert!(taken > 0 || row.stream_in.is_none(), "{} never takes the shorter way", row.name);
    }
}

proptest! {
    #[test]
    fn damaged_fixtures_say_the_same_by_both_ways(
        changes in prop::collection::vec((any::<usize>(), prop_oneof![any::<u8>(), any::<char>().prop_map(|c| c as u8),
            prop::sample::select(&b"\"\\{}[],:nu0"[..])]), 1..4),
    ) {
        for row in DIALECTS {
            for (_, stream) in row.streams {
                both_ways(row, &(row.frames)(&[&(row.framed)(&damaged(stream, &changes))]));
            }
        }
    }

    #[test]
    fn a_delta_is_written_as_its_event_is(text in "(?s).{1,20}", kind in 0..3_usize) {
        let kind = [DeltaKind::Text, DeltaKind::Thinking, DeltaKind::Arguments(0)][kind];
        let delta = Delta { kind, text: Quoted::of(&text), usage: None };
        let call = Event::ToolCallStart { index: 0, id: "a".into(), name: "n".into(), signature: None };
        let start = Event::Start { id: "1".into(), model: "m".into(), created: Some(5) };
        for row in DIALECTS {
            let Some(writer) = row.stream_out else { continue };
            let (mut short, mut long) = (writer(), writer());
            let (mut by_delta, mut by_event) = (Vec::new(), Vec::new());
            for event in [&start, &call] {
                short.emit(event, &mut by_delta);
                long.emit(event, &mut by_event);
            }
            for _ in 0..2 {
                short.delta(&delta, &mut by_delta);
                long.emit(&delta.event(), &mut by_event);
            }
            for event in [Event::ToolCallEnd { index: 0 }, Event::End] {
                short.emit(&event, &mut by_delta);
                long.emit(&event, &mut by_event);
            }
            prop_assert_eq!(String::from_utf8(by_delta).unwrap(), String::from_utf8(by_event).unwrap(), "{}", row.name);
        }
    }

    #[test]
    fn a_stream_that_was_written_is_read_with_the_same_meaning(events in any::stream()) {
        for row in DIALECTS {
            let (Some(reader), Some(writer)) = (row.reads_stream(), row.writes_stream()) else { continue };
            let bytes = written(&mut *writer(), &events);
            let frames = (row.frames)(&[&bytes]);
            let again = owned(&mut *reader(), &frames).unwrap();
            let meaning = |events: &[Event]| any::Meaning::of(events).kept(row.keeps);
            prop_assert_eq!(meaning(&again), meaning(&events), "{}", row.name);
            both_ways(row, &frames);
        }
    }
}
