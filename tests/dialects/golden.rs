//! Every fixture in every dialect, as snapshots: who changes a translation sees
//! what else it changes.

use crate::targets::dialects::{DIALECTS, Row};
use crate::targets::streams::{owned, relayed, written};
use aigne_hub::chat::Adapted;
use serde_json::{Value, json};

/// Every row with every other and itself.
fn pairs() -> impl Iterator<Item = (&'static Row, &'static Row)> {
    DIALECTS.iter().flat_map(|from| DIALECTS.iter().map(move |to| (from, to)))
}

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn requests_in_every_dialect() {
    for (from, to) in pairs() {
        let (Some(read), Some(write)) = (from.request_in, to.request_out) else { continue };
        for (name, body) in from.requests {
            let request = read(body).unwrap();
            let mut adapted = Adapted::default();
            let told = match write(&request, &mut adapted) {
                Ok(body) => json!({ "body": value(&body), "adapted": adapted.header() }),
                Err(failure) => json!({ "refused": failure.public, "param": failure.param }),
            };
            insta::assert_json_snapshot!(format!("{}_{name}_to_{}", from.name, to.name), told);
        }
    }
}

#[test]
fn answers_in_every_dialect() {
    for (from, to) in pairs() {
        let (Some(read), Some(write)) = (from.response_in, to.response_out) else { continue };
        for (name, body) in from.responses {
            let told = value(&write(&read(body).unwrap()));
            insta::assert_json_snapshot!(format!("{}_{name}_to_{}", from.name, to.name), told);
        }
    }
}

#[test]
fn streams_in_every_dialect() {
    for (from, to) in pairs() {
        let (Some(reader), Some(writer)) = (from.stream_in, to.stream_out) else { continue };
        for (name, stream) in from.streams {
            let frames = (from.frames)(&[&(from.framed)(stream)]);
            let whole = written(&mut *writer(), &owned(&mut *reader(), &frames).unwrap());
            let told = String::from_utf8(whole.clone()).unwrap();
            insta::assert_snapshot!(format!("{}_{name}_to_{}", from.name, to.name), told);
            assert_eq!(relayed(&mut *reader(), &mut *writer(), &frames).unwrap(), whole, "{name}");
        }
    }
}

#[test]
fn a_stream_is_the_same_wherever_it_is_cut() {
    for row in DIALECTS {
        for (name, stream) in row.streams {
            let stream = &(row.framed)(stream);
            let whole = (row.frames)(&[stream]);
            for at in 0..stream.len() {
                let (a, b) = stream.split_at(at);
                assert_eq!((row.frames)(&[a, b]), whole, "{} {name} cut at {at}", row.name);
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!((row.frames)(&bytes), whole, "{} {name} byte by byte", row.name);
        }
    }
}

#[test]
fn every_dialect_has_fixtures_for_what_it_reads() {
    for row in DIALECTS {
        assert_eq!(row.request_in.is_some(), !row.requests.is_empty(), "{}", row.name);
        assert_eq!(row.response_in.is_some(), !row.responses.is_empty(), "{}", row.name);
        assert_eq!(row.stream_in.is_some(), !row.streams.is_empty(), "{}", row.name);
    }
}
