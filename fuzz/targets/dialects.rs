//! The dialects, one row each: what the golden tests, the laws and the fuzz targets
//! know of them. A new dialect is a row here and its fixtures.

use super::mirrors::{self, Mirror};
use aigne_hub::chat::{Adapted, Dialect, Request, Response, StreamIn, StreamOut};
use aigne_hub::error::Result;
use aigne_hub::types::Op;
use aigne_hub::wire::openai::Counting;
use aigne_hub::wire::openai_chat::StreamOptions;
use aigne_hub::wire::translate::{self, InPath, Telling, Tells};
use aigne_hub::wire::transport::{Message, Transport};
use aigne_hub::wire::{anthropic, bedrock, gemini, ollama, openai_chat, openai_responses};
use bytes::Bytes;

/// One event of the transport: its name and its payload.
pub type Frame = (Option<Vec<u8>>, Vec<u8>);

pub type RequestIn = fn(&[u8]) -> Result<Request>;
pub type RequestOut = fn(&Request, &mut Adapted) -> Result<Vec<u8>>;
pub type ResponseIn = fn(&[u8]) -> Result<Response>;
pub type ResponseOut = fn(&Response) -> Vec<u8>;
pub type StreamReads = fn() -> Box<dyn StreamIn>;
pub type StreamWrites = fn() -> Box<dyn StreamOut>;

/// Texts by their names.
pub type Fixtures = &'static [(&'static str, &'static [u8])];

/// What a dialect can do; `None` where it has no such side.
pub struct Row {
    pub name: &'static str,
    pub request_in: Option<RequestIn>,
    pub request_out: Option<RequestOut>,
    pub response_in: Option<ResponseIn>,
    pub response_out: Option<ResponseOut>,
    pub stream_in: Option<StreamReads>,
    pub stream_out: Option<StreamWrites>,
    /// The sides that only the laws need.
    pub mirror: Mirror,
    pub keeps: Keeps,
    /// Cuts the transport's bytes, which arrive in these pieces, into events.
    pub frames: fn(&[&[u8]]) -> Vec<Frame>,
    /// Bodies of callers, by name.
    pub requests: Fixtures,
    /// Whole answers of vendors.
    pub responses: Fixtures,
    /// Streams of vendors, as [`Row::framed`] takes them.
    pub streams: Fixtures,
    /// Makes the transport's bytes of a stream that is written down; most are written down as they are.
    pub framed: fn(&[u8]) -> Vec<u8>,
}

/// What of a conversation a dialect has words for.
#[derive(Clone, Copy, PartialEq)]
pub struct Keeps {
    /// Ids of calls, the order of a message's parts, and which tool must be called.
    pub parts: bool,
    /// Texts that end an answer.
    pub stop: bool,
    /// Thoughts beside what is seen, when output is counted, and what was cached.
    pub buckets: bool,
}

impl Keeps {
    const ALL: Keeps = Keeps { parts: true, stop: true, buckets: true };

    /// What both of two keep.
    pub fn and(self, other: Keeps) -> Keeps {
        Keeps {
            parts: self.parts && other.parts,
            stop: self.stop && other.stop,
            buckets: self.buckets && other.buckets,
        }
    }
}

/// A dialect's sides, those that only the laws need included.
impl Row {
    pub fn reads_request(&self) -> Option<RequestIn> {
        self.request_in.or(self.mirror.request_in)
    }

    pub fn writes_request(&self) -> Option<RequestOut> {
        self.request_out.or(self.mirror.request_out)
    }

    pub fn reads_response(&self) -> Option<ResponseIn> {
        self.response_in.or(self.mirror.response_in)
    }

    pub fn writes_response(&self) -> Option<ResponseOut> {
        self.response_out.or(self.mirror.response_out)
    }

    pub fn reads_stream(&self) -> Option<StreamReads> {
        self.stream_in.or(self.mirror.stream_in)
    }

    pub fn writes_stream(&self) -> Option<StreamWrites> {
        self.stream_out.or(self.mirror.stream_out)
    }
}

/// A model of Bedrock's that takes everything.
const CLAUDE: &str = "anthropic.claude-sonnet-4-5-20250929-v1:0";

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
            let options =
                StreamOptions { include_usage: true, created: 1_700_000_000, ..StreamOptions::default() };
            Box::new(openai_chat::StreamWriter::new(options))
        }),
        mirror: Mirror::NONE,
        keeps: Keeps::ALL,
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/openai_chat/fixtures/request.json"))],
        responses: &[("response", include_bytes!("../../src/wire/openai_chat/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/openai_chat/fixtures/stream.sse")),
            ("odd", include_bytes!("../../src/wire/openai_chat/fixtures/stream_odd.sse")),
        ],
        framed: <[u8]>::to_vec,
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
        mirror: Mirror::NONE,
        keeps: Keeps::ALL,
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/anthropic/fixtures/request.json"))],
        responses: &[("response", include_bytes!("../../src/wire/anthropic/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/anthropic/fixtures/stream.sse")),
            ("odd", include_bytes!("../../src/wire/anthropic/fixtures/stream_odd.sse")),
            ("error", include_bytes!("../../src/wire/anthropic/fixtures/stream_error.sse")),
        ],
        framed: <[u8]>::to_vec,
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
        mirror: Mirror::NONE,
        keeps: Keeps::ALL,
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/gemini/fixtures/request.json"))],
        responses: &[("response", include_bytes!("../../src/wire/gemini/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/gemini/fixtures/stream.sse")),
            ("odd", include_bytes!("../../src/wire/gemini/fixtures/stream_odd.sse")),
            ("error", include_bytes!("../../src/wire/gemini/fixtures/stream_error.sse")),
        ],
        framed: <[u8]>::to_vec,
    },
    // Towards a vendor that speaks it nothing is translated, so of its answers only streams are read, to look on.
    Row {
        name: "responses",
        request_in: Some(openai_responses::request_in),
        request_out: None,
        response_in: None,
        response_out: Some(|response| openai_responses::response_out(response, RESPONSE_ASKED)),
        stream_in: Some(|| Box::new(openai_responses::StreamReader::new(Counting::Inclusive))),
        stream_out: Some(|| Box::new(openai_responses::StreamWriter::new(RESPONSE_ASKED, 1_700_000_000))),
        mirror: Mirror {
            request_out: Some(mirrors::responses::request_out),
            response_in: Some(mirrors::responses::response_in),
            ..Mirror::NONE
        },
        keeps: Keeps { stop: false, ..Keeps::ALL },
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/openai_responses/fixtures/request.json"))],
        responses: &[],
        streams: &[
            ("stream", include_bytes!("../../src/wire/openai_responses/fixtures/stream.sse")),
            ("error", include_bytes!("../../src/wire/openai_responses/fixtures/stream_error.sse")),
        ],
        framed: <[u8]>::to_vec,
    },
    Row {
        name: "bedrock",
        request_in: None,
        request_out: Some(|request, adapted| {
            // What a model takes follows from its name.
            let request = Request { model: CLAUDE.to_owned(), ..request.clone() };
            bedrock::request_out(&request, &bedrock::model_traits(CLAUDE), adapted)
        }),
        response_in: Some(bedrock::response_in),
        response_out: None,
        stream_in: Some(|| Box::new(bedrock::StreamReader::new())),
        stream_out: None,
        mirror: Mirror {
            request_in: Some(mirrors::bedrock::request_in),
            response_out: Some(mirrors::bedrock::response_out),
            stream_out: Some(|| Box::new(mirrors::bedrock::StreamWriter::new())),
            ..Mirror::NONE
        },
        keeps: Keeps { buckets: false, ..Keeps::ALL },
        frames: |pieces| frames(Transport::frames(1 << 20), pieces),
        requests: &[],
        responses: &[("response", include_bytes!("../../src/wire/bedrock/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/bedrock/fixtures/stream.txt")),
            ("odd", include_bytes!("../../src/wire/bedrock/fixtures/stream_odd.txt")),
            ("error", include_bytes!("../../src/wire/bedrock/fixtures/stream_error.txt")),
        ],
        framed: mirrors::bedrock::frames_of,
    },
    Row {
        name: "ollama",
        request_in: None,
        request_out: Some(|request, adapted| {
            ollama::request_out(request, &ollama::model_traits(&request.model), adapted)
        }),
        response_in: Some(ollama::response_in),
        response_out: None,
        // Two readers of one stream are to give the calls the same ids.
        stream_in: Some(|| Box::new(ollama::StreamReader::with_call_ids("0123"))),
        stream_out: None,
        mirror: Mirror {
            request_in: Some(mirrors::ollama::request_in),
            response_out: Some(mirrors::ollama::response_out),
            stream_out: Some(|| Box::new(mirrors::ollama::StreamWriter::default())),
            ..Mirror::NONE
        },
        keeps: Keeps { parts: false, stop: true, buckets: false },
        frames: |pieces| frames(Transport::lines(1 << 20), pieces),
        requests: &[],
        responses: &[("response", include_bytes!("../../src/wire/ollama/fixtures/response.json"))],
        streams: &[
            ("stream", include_bytes!("../../src/wire/ollama/fixtures/stream.ndjson")),
            ("odd", include_bytes!("../../src/wire/ollama/fixtures/stream_odd.ndjson")),
            ("error", include_bytes!("../../src/wire/ollama/fixtures/stream_error.ndjson")),
        ],
        framed: <[u8]>::to_vec,
    },
    Row {
        name: "aigne",
        // An envelope is unfolded when it arrives.
        request_in: Some(|body| {
            let body = Bytes::copy_from_slice(body);
            let received = translate::received(Dialect::Aigne, Op::Chat, &InPath::default(), body)?;
            translate::request_in(received.speaks, &received.body)
        }),
        request_out: None,
        response_in: None,
        response_out: Some(|response| {
            translate::response_out(Dialect::Aigne, response, RESPONSE_ASKED, Some(&telling()))
                .unwrap_or_default()
        }),
        stream_in: None,
        stream_out: Some(|| {
            let options =
                StreamOptions { include_usage: true, created: 1_700_000_000, ..StreamOptions::default() };
            translate::stream_out(Dialect::Aigne, options, RESPONSE_ASKED, Some(telling()))
        }),
        mirror: Mirror {
            request_out: Some(mirrors::aigne::request_out),
            response_in: Some(mirrors::aigne::response_in),
            stream_in: Some(|| Box::new(mirrors::aigne::StreamReader::default())),
            ..Mirror::NONE
        },
        keeps: Keeps { buckets: false, ..Keeps::ALL },
        frames: sse_frames,
        requests: &[("request", include_bytes!("../../src/wire/aigne/fixtures/request.json"))],
        responses: &[],
        streams: &[],
        framed: <[u8]>::to_vec,
    },
];

/// What answers in AIGNE's dialect tell of the hub.
fn telling() -> Telling {
    let (provider, model) = ("openai".into(), "gpt-x".into());
    Telling { tells: Tells::default(), provider, model, call_id: "0123".to_owned(), cost_of: None }
}

/// What answers in the dialect of Responses repeat of their request.
const RESPONSE_ASKED: openai_responses::Asked<'static> = openai_responses::Asked {
    id: "0123456789abcdef",
    body: include_bytes!("../../src/wire/openai_responses/fixtures/request.json"),
};

/// Server-sent events, also the last one if its blank line is missing. What is too long ends it.
pub fn sse_frames(pieces: &[&[u8]]) -> Vec<Frame> {
    frames(Transport::sse(1 << 20), pieces)
}

fn frames(mut transport: Transport, pieces: &[&[u8]]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut take = |message: &Message| {
        if let Some((name, data)) = message.fields() {
            frames.push((name.map(<[u8]>::to_vec), data.into_owned()));
        }
    };
    for piece in pieces {
        if transport.push(Bytes::copy_from_slice(piece)).is_err() {
            return frames;
        }
        while let Ok(Some(message)) = transport.next_message() {
            take(&message);
        }
    }
    transport.rest().iter().for_each(take);
    frames
}
