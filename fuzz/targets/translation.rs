//! The dialects: what one of them reads is written by all, and reads as JSON.

use super::dialects::{DIALECTS, Fixtures, Row};
use super::streams::{borrowed, owned, relayed, written};
use aigne_hub::cache::{Recall, Thoughts};
use aigne_hub::chat::{Adapted, Event, Origin};
use aigne_hub::types::{Mono, TenantId};

/// Fails unless the bytes are JSON.
fn is_json(bytes: &[u8], who: &str) {
    let read = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
    assert!(read.is_ok(), "{who} wrote no JSON: {}", String::from_utf8_lossy(bytes));
}

/// A request that is taken is written for every vendor, or refused with a reason; and its
/// own dialect takes what it has written, and writes it the same again.
pub fn request_in(data: &[u8]) {
    for from in DIALECTS {
        let Some(Ok(mut request)) = from.request_in.map(|read| read(data)) else { continue };
        recalls(&mut request);
        for to in DIALECTS {
            let Some(write) = to.request_out else { continue };
            let Ok(body) = write(&request, &mut Adapted::default()) else { continue };
            is_json(&body, to.name);
            let Some(again) = to.request_in.map(|read| read(&body)) else { continue };
            let Ok(again) = again else { continue };
            if let Ok(second) = write(&again, &mut Adapted::default()) {
                is_json(&second, to.name);
            }
        }
    }
}

fn recalls(request: &mut aigne_hub::chat::Request) {
    let tenant = TenantId::parse("t").unwrap_or_else(|_| panic!("`t` is a tenant"));
    let recall = Recall::new(1 << 20);
    for message in &request.messages {
        recall.keep(&tenant, Thoughts::of(&message.parts), Mono(0));
    }
    recall.restore(&tenant, Origin::Anthropic, request, Mono(1));
}

/// An answer that is taken is written for every caller.
pub fn response_in(data: &[u8]) {
    for from in DIALECTS {
        let Some(Ok(response)) = from.response_in.map(|read| read(data)) else { continue };
        assert!(!response.choices.is_empty(), "{} gives an answer without answers", from.name);
        for to in DIALECTS {
            let Some(write) = to.response_out else { continue };
            let body = write(&response);
            is_json(&body, to.name);
        }
    }
}

/// A stream says the same by both ways, and keeps the order that writers rely on.
pub fn stream_in(data: &[u8]) {
    for from in DIALECTS {
        let Some(reader) = from.stream_in else { continue };
        let frames = (from.frames)(&[&(from.framed)(data)]);
        let Ok(events) = owned(&mut *reader(), &frames) else {
            _ = borrowed(&mut *reader(), &frames);
            continue;
        };
        keeps_order(&events, from.name);
        let found = borrowed(&mut *reader(), &frames);
        let found =
            found.unwrap_or_else(|failure| panic!("{} refuses its own deltas: {failure:?}", from.name));
        assert_eq!(found.events, events, "{}", from.name);
        for to in DIALECTS {
            let Some(writer) = to.stream_out else { continue };
            let whole = written(&mut *writer(), &events);
            let relayed = relayed(&mut *reader(), &mut *writer(), &frames);
            assert_eq!(relayed.ok(), Some(whole), "{} to {}", from.name, to.name);
        }
    }
}

fn keeps_order(events: &[Event], who: &str) {
    let (mut calls, mut finished) = (0, false);
    let mut ended = Vec::new();
    for event in events {
        match event {
            Event::TextDelta(text) | Event::ThinkingDelta(text) | Event::RefusalDelta(text) => {
                assert!(!text.is_empty(), "{who}: an empty delta");
                assert!(!finished, "{who}: content behind the reason");
            }
            Event::ToolCallStart { index, id, .. } => {
                assert_eq!(*index, calls, "{who}: calls are numbered in order");
                assert!(!id.is_empty(), "{who}: a call without an id");
                calls += 1;
                ended.push(false);
            }
            Event::ToolCallDelta { index, fragment } => {
                assert!(
                    !fragment.is_empty() && ended.get(*index) == Some(&false),
                    "{who}: a call that is not open"
                );
            }
            Event::ToolCallEnd { index } => {
                let place = ended.get_mut(*index).unwrap_or_else(|| panic!("{who}: no such call"));
                assert!(!std::mem::replace(place, true), "{who}: a call ends twice");
            }
            Event::Finish(_) => assert!(!std::mem::replace(&mut finished, true), "{who}: two reasons"),
            _ => {}
        }
    }
}

fn fixtures(of: fn(&Row) -> Fixtures) -> Vec<Vec<u8>> {
    DIALECTS.iter().flat_map(of).map(|(_, bytes)| bytes.to_vec()).collect()
}

pub fn request_corpus() -> Vec<Vec<u8>> {
    fixtures(|row| row.requests)
}

pub fn response_corpus() -> Vec<Vec<u8>> {
    fixtures(|row| row.responses)
}

pub fn stream_corpus() -> Vec<Vec<u8>> {
    fixtures(|row| row.streams)
}
