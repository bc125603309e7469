//! The dialects, one row each: what the golden tests, the laws and the fuzz targets
//! know of them. A new dialect is a row here and its fixtures.

use aigne_hub::chat::{Adapted, Dialect, Request, Response, StreamIn, StreamOut};
use aigne_hub::error::Result;
use aigne_hub::types::Op;
use aigne_hub::wire::openai::Counting;
use aigne_hub::wire::openai_chat::StreamOptions;
use aigne_hub::wire::sse::{self, Cutter};
use aigne_hub::wire::translate::{self, InPath};
use aigne_hub::wire::{anthropic, gemini, openai_chat};
use bytes::Bytes;

/// One event of the transport: its name and its payload.
pub type Frame = (Option<Vec<u8>>, Vec<u8>);

type RequestIn = fn(&[u8]) -> Result<Request>;
type RequestOut = fn(&Request, &mut Adapted) -> Result<Vec<u8>>;
type ResponseIn = fn(&[u8]) -> Result<Response>;

/// Texts by their names.
pub type Fixtures = &'static [(&'static str, &'static [u8])];

/// What a dialect can do; `None` where it has no such side.
pub struct Row {
    pub name: &'static str,
    pub request_in: Option<RequestIn>,
    pub request_out: Option<RequestOut>,
    pub response_in: Option<ResponseIn>,
    pub response_out: Option<fn(&Response) -> Vec<u8>>,
    pub stream_in: Option<fn() -> Box<dyn StreamIn>>,
    pub stream_out: Option<fn() -> Box<dyn StreamOut>>,
    /// Cuts the transport's bytes, which arrive in these pieces, into events.
    pub frames: fn(&[&[u8]]) -> Vec<Frame>,
    /// Bodies of callers, by name.
    pub requests: Fixtures,
    /// Whole answers of vendors.
    pub responses: Fixtures,
    /// Streams of vendors.
    pub streams: Fixtures,
}

/// Every dialect, once.
pub const DIALECTS: &[Row] = &[
    Row {
        name: "openai",
        request_in: Some(openai_chat::request_in),
        request_out: Some(|request, adapted| {
            openai_chat::request_out(request, &openai_chat::model_traits(&request.model), adapted)
        }),
        response_in: Some(|body| openai_chat::response_in(body, Counting::Inclusive)),
        response_out: Some(openai_chat::response_out),
        stream_in: Some(|| Box::new(openai_chat::StreamReader::new(Counting::Inclusive))),
        stream_out: Some(|| {
            let options = StreamOptions { include_usage: true, created: 1_700_000_000, model: None };
            Box::new(openai_chat::StreamWriter::new(options))
        }),
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/openai_chat/fixtures/request.json"))],
        responses: &[("response", include_bytes!("../../src/wire/openai_chat/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/openai_chat/fixtures/stream.sse")),
            ("odd", include_bytes!("../../src/wire/openai_chat/fixtures/stream_odd.sse")),
        ],
    },
    Row {
        name: "anthropic",
        request_in: Some(anthropic::request_in),
        request_out: Some(|request, adapted| {
            anthropic::request_out(request, &anthropic::model_traits("claude-sonnet-4-5"), adapted)
        }),
        response_in: Some(anthropic::response_in),
        response_out: Some(anthropic::response_out),
        stream_in: Some(|| Box::new(anthropic::StreamReader::new())),
        stream_out: Some(|| Box::new(anthropic::StreamWriter::new(None))),
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/anthropic/fixtures/request.json"))],
        responses: &[("response", include_bytes!("../../src/wire/anthropic/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/anthropic/fixtures/stream.sse")),
            ("odd", include_bytes!("../../src/wire/anthropic/fixtures/stream_odd.sse")),
            ("error", include_bytes!("../../src/wire/anthropic/fixtures/stream_error.sse")),
        ],
    },
    Row {
        name: "gemini",
        // The model and the wish for a stream stand in the path.
        request_in: Some(|body| {
            let in_path =
                InPath { model: Some("gemini-3-pro".to_owned()), stream: true, ..InPath::default() };
            let body = Bytes::copy_from_slice(body);
            let received = translate::received(Dialect::Gemini, Op::Chat, &in_path, body)?;
            gemini::request_in(&received.body)
        }),
        request_out: Some(|request, adapted| {
            gemini::request_out(request, &gemini::model_traits("gemini-3-pro"), adapted)
        }),
        response_in: Some(gemini::response_in),
        response_out: Some(gemini::response_out),
        stream_in: Some(|| Box::new(gemini::StreamReader::new())),
        stream_out: Some(|| Box::new(gemini::StreamWriter::new(None))),
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/gemini/fixtures/request.json"))],
        responses: &[("response", include_bytes!("../../src/wire/gemini/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/gemini/fixtures/stream.sse")),
            ("odd", include_bytes!("../../src/wire/gemini/fixtures/stream_odd.sse")),
            ("error", include_bytes!("../../src/wire/gemini/fixtures/stream_error.sse")),
        ],
    },
];

/// Server-sent events, also the last one if its blank line is missing. What is too long ends it.
pub fn sse_frames(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut cutter = Cutter::new(1 << 20);
    let mut frames = Vec::new();
    let mut take = |event: &[u8]| {
        let fields = sse::fields(event);
        if let Some(data) = fields.data {
            frames.push((fields.name.map(<[u8]>::to_vec), data.into_owned()));
        }
    };
    for piece in pieces {
        if cutter.push(Bytes::copy_from_slice(piece)).is_err() {
            return frames;
        }
        while let Some(event) = cutter.next_event() {
            take(&event);
        }
    }
    take(&cutter.rest());
    frames
}
