//! What the fuzzers run: for each parser a function that takes any bytes, reads them, and
//! asserts what has to hold whatever they are. The test run feeds them with mutated
//! corpora; `cargo fuzz` does, where there is a nightly compiler.

pub mod bodies;
pub mod dialects;
pub mod files;
pub mod identities;
pub mod mirrors;
pub mod mutate;
pub mod streams;
pub mod translation;
pub mod videos;

/// A parser under test.
pub struct Target {
    pub name: &'static str,
    /// Fails by a panic.
    pub run: fn(&[u8]),
    /// Where mutation begins.
    pub corpus: fn() -> Vec<Vec<u8>>,
}

/// Every target, once.
pub const TARGETS: &[Target] = &[
    Target { name: "json", run: bodies::json, corpus: bodies::json_corpus },
    Target { name: "sse", run: bodies::sse, corpus: translation::stream_corpus },
    Target { name: "multipart", run: bodies::multipart, corpus: bodies::multipart_corpus },
    Target { name: "openai_request", run: bodies::openai_request, corpus: translation::request_corpus },
    Target { name: "openai_answer", run: bodies::openai_answer, corpus: translation::response_corpus },
    Target { name: "openai_stream", run: bodies::openai_stream, corpus: translation::stream_corpus },
    Target { name: "request_in", run: translation::request_in, corpus: translation::request_corpus },
    Target { name: "response_in", run: translation::response_in, corpus: translation::response_corpus },
    Target { name: "stream_in", run: translation::stream_in, corpus: translation::stream_corpus },
    Target { name: "videos", run: videos::videos, corpus: videos::videos_corpus },
    Target { name: "native_end", run: videos::native_end, corpus: translation::stream_corpus },
    Target { name: "call_id", run: bodies::call_id, corpus: bodies::call_id_corpus },
    Target { name: "rules", run: files::rules, corpus: files::rules_corpus },
    Target { name: "config", run: files::config, corpus: files::config_corpus },
    Target { name: "prices", run: files::prices, corpus: files::prices_corpus },
    Target { name: "id_token", run: identities::id_token, corpus: identities::id_token_corpus },
    Target { name: "client_address", run: files::client_address, corpus: files::address_corpus },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
