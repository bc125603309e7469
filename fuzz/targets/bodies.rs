//! Bodies of callers and vendors below the dialects: JSON, events, forms, and OpenAI's
//! dialect as it is passed through.

use super::dialects::sse_frames;
use aigne_hub::cache::CacheKey;
use aigne_hub::chat::{sign_call_id, split_call_id};
use aigne_hub::types::{Op, TenantId};
use aigne_hub::wire::json::{Kind, Patch, Reader, Syntax};
use aigne_hub::wire::openai::{self, Counting, Request, Shape, StreamReader};
use aigne_hub::wire::sse::Cutter;
use aigne_hub::wire::{multipart, sse};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// Our reader takes what `serde_json` takes, and the strings mean the same.
pub fn json(data: &[u8]) {
    let mut reader = Reader::new(data);
    let read = reader.skip().and_then(|_| reader.finish());
    let known = serde_json::from_slice::<IgnoredAny>(data).is_ok();
    match read {
        Ok(()) => assert!(known, "only our reader takes it"),
        Err(Syntax { why: "it nests too deep", .. }) => {}
        Err(wrong) => assert!(!known, "only `serde_json` takes it: {wrong:?}"),
    }
    let mut walker = Reader::new(data);
    let walked = walk(&mut walker).and_then(|()| walker.finish());
    assert_eq!(walked.is_ok(), read.is_ok());
    patch(data);
}

fn walk(reader: &mut Reader<'_>) -> Result<(), Syntax> {
    match reader.kind()? {
        Kind::Object => {
            reader.enter_object()?;
            while let Some(key) = reader.key()? {
                means_the_same(reader, &key);
                walk(reader)?;
            }
        }
        Kind::Array => {
            reader.enter_array()?;
            while reader.element()? {
                walk(reader)?;
            }
        }
        Kind::String => {
            let text = reader.string()?;
            means_the_same(reader, &text);
        }
        Kind::Number => _ = reader.count_or_skip()?,
        Kind::Bool => _ = reader.bool_or_skip()?,
        Kind::Null => reader.ignore()?,
    }
    Ok(())
}

fn means_the_same<'a>(reader: &Reader<'a>, text: &aigne_hub::wire::json::Str<'a>) {
    let span = reader.span_of(text);
    assert_eq!(reader.slice(span), text.raw);
    let quoted = [b"\"", text.raw, b"\""].concat();
    if let Ok(known) = serde_json::from_slice::<String>(&quoted) {
        assert_eq!(text.text(), known);
    }
    let mut meaning = String::new();
    text.quoted().push_to(&mut meaning);
    assert_eq!(meaning, text.text());
    let again = format!("\"{}\"", text.quoted().as_str());
    assert_eq!(again, serde_json::to_string(&meaning).unwrap_or_default());
}

/// Edits of any spans: in pieces they come to the same, and nothing is lost outside of them.
fn patch(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let third = data.len() / 3;
    let mut patch = Patch::new();
    patch.replace(third..third * 2, "x");
    patch.replace(third..third, "y");
    patch.replace(data.len()..data.len(), "z");
    let whole = patch.apply(data);
    assert!(whole.starts_with(data.get(..third).unwrap_or_default()) && whole.ends_with(b"z"));
    assert_eq!(patch.pieces(&body).concat(), whole);
}

pub fn json_corpus() -> Vec<Vec<u8>> {
    let mut corpus = super::translation::request_corpus();
    let nested = "[".repeat(130) + &"]".repeat(130);
    let texts =
        [r#"{"a":[1,-0.5e+7,"é\ud83d\ude00\n\u0000",true,null,{"":[]}]}"#, r#""\ud83d""#, "0", &nested];
    corpus.extend(texts.map(|text| text.as_bytes().to_vec()));
    corpus
}

/// Whatever comes in comes out again, wherever it is cut.
pub fn sse(data: &[u8]) {
    let whole = events(&[data]);
    assert_eq!(whole.concat(), data);
    let (a, b) = data.split_at(data.len() / 2);
    assert_eq!(sse_frames(&[a, b]), sse_frames(&[data]));
    for pieces in [data.chunks(1).collect::<Vec<_>>(), data.chunks(7).collect()] {
        let cut = events(&pieces);
        assert_eq!(cut, whole);
    }
    for event in whole {
        assert_eq!(sse::fields(&event).name, sse::name(&event));
    }
}

fn events(pieces: &[&[u8]]) -> Vec<Bytes> {
    let mut cutter = Cutter::new(usize::MAX / 2);
    let mut events = Vec::new();
    for piece in pieces {
        assert!(cutter.push(Bytes::copy_from_slice(piece)).is_ok(), "too long without a bound");
        events.extend(std::iter::from_fn(|| cutter.next_event()));
    }
    events.push(cutter.rest());
    events
}

/// A field is a part of the body, and the only one of its name.
pub fn multipart(data: &[u8]) {
    let text = String::from_utf8_lossy(data.get(..80).unwrap_or(data));
    let boundary = multipart::boundary(text.lines().next().unwrap_or_default());
    for boundary in [boundary.as_deref().unwrap_or("b"), "b", "X-Y"] {
        for name in ["model", "file", ""] {
            if let Some(span) = multipart::field(data, boundary, name) {
                let value = data.get(span).unwrap_or_else(|| panic!("a span outside of the body"));
                let delimiter = format!("\r\n--{boundary}\r\n");
                assert!(!value.windows(delimiter.len()).any(|window| window == delimiter.as_bytes()));
            }
        }
    }
}

pub fn multipart_corpus() -> Vec<Vec<u8>> {
    let part = |name: &str, value: &str| {
        format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
                Content-Type: audio/wav\r\n\r\nRIFF\r\n--x\r\n";
    let whole = part("model", "whisper-1") + file + &part("language", "de") + "--b--\r\n";
    let twice = part("model", "a") + &part("model", "b") + "--b--";
    let head = "multipart/form-data; charset=utf-8; boundary=\"b\"\r\n".to_owned() + &whole;
    [whole, twice, head].map(String::into_bytes).to_vec()
}

const OPS: &[Op] =
    &[Op::Chat, Op::Completion, Op::Embedding, Op::ImageGeneration, Op::Speech, Op::Moderation, Op::Tokenize];

/// What is taken stays JSON when it is rendered for a vendor, and is taken again.
pub fn openai_request(data: &[u8]) {
    const SHAPE: Shape = Shape {
        drop: &[("seed", None)],
        rename: &[("max_tokens", "max_completion_tokens")],
        stream_usage: true,
    };
    let body = Bytes::copy_from_slice(data);
    let tenant = TenantId::parse("t").unwrap_or_else(|_| panic!("`t` is a tenant"));
    for op in OPS {
        let mut bytes = 0;
        openai::texts(*op, data, &mut |text| bytes += text.len());
        _ = CacheKey::of(&tenant, *op, "m", data);
        let Ok(request) = Request::read(*op, data) else { continue };
        assert!(request.choices >= 1);
        let rendered = request.render(&body, "other\"model", &SHAPE, &mut Vec::new()).concat();
        let again = Request::read(*op, &rendered);
        let again = again.unwrap_or_else(|failure| panic!("{op:?} refuses what was rendered: {failure:?}"));
        assert_eq!(
            (again.stream, again.choices, again.has_tools),
            (request.stream, request.choices, request.has_tools)
        );
        let capped = request.cap_output(*op, &body, 5);
        assert!(Request::read(*op, &capped).is_ok(), "{op:?} refuses what was capped");
    }
    openai::images(data, &mut |_| ());
}

/// Usage, texts and errors of any answer.
pub fn openai_answer(data: &[u8]) {
    for op in OPS {
        for counting in [Counting::Inclusive, Counting::ReasoningApart] {
            let usage = openai::usage(*op, counting, data).unwrap_or_default();
            assert!(usage.total_tokens() >= usage.output_tokens());
        }
        _ = openai::answer_text(*op, data);
    }
    _ = openai::vendor_error(data);
}

/// A stream on its way through says the same wherever it is cut, and gives only what came.
pub fn openai_stream(data: &[u8]) {
    let whole = through(&[data]);
    let (a, b) = data.split_at(data.len() / 2);
    for pieces in [vec![a, b], data.chunks(3).collect()] {
        assert_eq!(through(&pieces), whole);
    }
}

/// What went through; complete; failed.
fn through(pieces: &[&[u8]]) -> (Vec<u8>, bool, bool) {
    let mut reader = StreamReader::new(Op::Chat, Counting::Inclusive, true);
    let (mut out, mut failed) = (Vec::new(), false);
    for piece in pieces {
        let Ok(step) = reader.feed(Bytes::copy_from_slice(piece)) else { return (out, false, true) };
        step.out.iter().for_each(|bytes| out.extend_from_slice(bytes));
        failed |= step.error.is_some();
    }
    let step = reader.end();
    step.out.iter().for_each(|bytes| out.extend_from_slice(bytes));
    (out, reader.complete(), failed | step.error.is_some())
}

/// An id that was split is put together again.
pub fn call_id(data: &[u8]) {
    let id = String::from_utf8_lossy(data).into_owned();
    let (bare, signature) = split_call_id(id.clone());
    if signature.is_none() {
        assert_eq!(bare, id);
        return;
    }
    let again = sign_call_id(&bare, signature.as_ref());
    assert_eq!(split_call_id(again), (bare, signature));
}

pub fn call_id_corpus() -> Vec<Vec<u8>> {
    ["call_1", "fc-1~sig_g_UTJGc2JBPT0", "a~sig_a_RXFSa1xx", "~sig_o_"]
        .map(|id| id.as_bytes().to_vec())
        .to_vec()
}
