//! The vendor table. Adding a vendor with OpenAI's dialect is adding a row;
//! what is odd about it is a column, never a branch elsewhere.

use crate::chat::Dialect;
use crate::error::Kind;
use crate::provider::verdict::{Reading, Sign};
use crate::types::Op;
use crate::wire::images::Draws;
use crate::wire::openai::{Counting, Shape};
use crate::wire::video::Films;

/// How a credential is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`
    Bearer,
    /// Nothing is sent when no credential is configured; Bearer otherwise.
    Optional,
    /// The key alone, in a header of the vendor's own.
    Header(&'static str),
    /// AWS's signature for this service where the credential is a pair of keys, Bearer otherwise.
    SigV4(&'static str),
    /// None at all (the simulator).
    None,
}

impl Auth {
    /// Does the vendor answer nobody without a key?
    pub fn needs_key(self) -> bool {
        matches!(self, Auth::Bearer | Auth::Header(_) | Auth::SigV4(_))
    }
}

/// The cheapest call that shows whether a credential works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// A question that costs nothing and needs the credential; its path is below the base.
    Ask(&'static str),
    /// The same, with a path from the host's root.
    AskHost(&'static str),
    /// An answer of one token, where no question is answered at the same host. By this model, if the
    /// configuration names none.
    OneToken(&'static str),
    /// There is none.
    None,
}

/// One vendor and its API.
#[derive(Debug)]
pub struct Vendor {
    /// The name in configuration, prices, metrics and logs.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Scheme, host and path prefix. Empty: must be configured. `{region}` stands for a region.
    pub base_url: &'static str,
    /// Environment variable that holds another base (`OLLAMA_HOST`), if the vendor has one.
    pub base_env: Option<&'static str>,
    /// Environment variables that hold a key, in order.
    pub env: &'static [&'static str],
    /// How a credential is sent.
    pub auth: Auth,
    /// What it speaks on its chat endpoint.
    pub dialect: Dialect,
    /// Further doors for chats, for callers of these dialects.
    pub doors: &'static [Door],
    /// In whose words it is asked for embeddings.
    pub embeds: Dialect,
    /// How it is asked for pictures.
    pub draws: Draws,
    /// How it is asked for videos.
    pub films: Films,
    /// Sent with every request.
    pub headers: &'static [(&'static str, &'static str)],
    /// Operations and their paths below the base.
    pub serves: &'static [(Op, &'static str)],
    /// How a credential is tried.
    pub trial: Trial,
    /// How its usage numbers nest.
    pub counting: Counting,
    /// What its door refuses or calls by another name.
    pub shape: Shape,
    /// Answers whose meaning differs from what their status says; the first match wins.
    pub readings: &'static [Reading],
    /// The built-in simulated vendor: no network.
    pub simulated: bool,
    /// Public lists know all its models, so that one they do not know is worth a word.
    pub is_listed: bool,
}

/// Where a vendor takes a chat, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// What is spoken there.
    pub dialect: Dialect,
    /// The path below the base URL.
    pub path: &'static str,
    /// What it refuses or calls by another name.
    pub shape: Shape,
}

impl Vendor {
    /// Does its address name a region?
    pub fn is_regional(&self) -> bool {
        self.base_url.contains("{region}")
    }

    /// The path of an operation below the base URL.
    pub fn path(&self, op: Op) -> Option<&'static str> {
        self.serves.iter().find(|(o, _)| *o == op).map(|(_, path)| *path)
    }

    /// Is it asked for an operation other than chat in words that are not OpenAI's?
    pub fn has_own_words(&self, op: Op) -> bool {
        match op {
            Op::Embedding => self.embeds != Dialect::OpenAiChat,
            Op::ImageGeneration | Op::ImageEdit => self.draws != Draws::OpenAi,
            _ => false,
        }
    }

    /// In whose words it is asked for an operation.
    pub fn speaks(&self, op: Op) -> Dialect {
        match op {
            Op::Chat => self.dialect,
            Op::Embedding => self.embeds,
            Op::ImageGeneration | Op::ImageEdit => self.draws.dialect(),
            _ => Dialect::OpenAiChat,
        }
    }
}

/// A vendor by name.
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|v| v.name == name)
}

const CHAT: (Op, &str) = (Op::Chat, "/chat/completions");
const COMPLETION: (Op, &str) = (Op::Completion, "/completions");
const EMBEDDING: (Op, &str) = (Op::Embedding, "/embeddings");
const IMAGE_GENERATION: (Op, &str) = (Op::ImageGeneration, "/images/generations");
const IMAGE_EDIT: (Op, &str) = (Op::ImageEdit, "/images/edits");
const MODELS: (Op, &str) = (Op::Models, "/models");
const VIDEO: (Op, &str) = (Op::Video, "/videos");

/// Everything OpenAI has, and what a compatible server may have.
const OPENAI_SERVES: &[(Op, &str)] = &[
    CHAT,
    COMPLETION,
    EMBEDDING,
    IMAGE_GENERATION,
    IMAGE_EDIT,
    (Op::Speech, "/audio/speech"),
    (Op::Transcription, "/audio/transcriptions"),
    (Op::Moderation, "/moderations"),
    (Op::Realtime, "/realtime"),
    VIDEO,
    MODELS,
];

/// Takes everything that OpenAI takes.
const PLAIN: Shape = Shape { drop: &[], rename: &[], stream_usage: true, set: &[] };

/// OpenAI's Responses. The hub remembers conversations itself, so a vendor is told to keep nothing:
/// what it kept would mean nothing to the next vendor, and nobody could delete it.
pub const RESPONSES: Door = Door {
    dialect: Dialect::OpenAiResponses,
    path: "/responses",
    shape: Shape { stream_usage: false, set: &[("store", "false")], ..PLAIN },
};

/// The same at a vendor that is to keep answers, if the operator wants it so.
pub const RESPONSES_KEPT: Door = Door { shape: Shape { set: &[], ..RESPONSES.shape }, ..RESPONSES };

/// Knows the output bound only by its older name and ignores the newer one,
/// which would leave the output unbounded.
const OLD_MAX_TOKENS: Shape = Shape { rename: &[("max_completion_tokens", "max_tokens")], ..PLAIN };

/// OpenAI's later models answer pictures as bytes and refuse to be asked for it.
const OPENAI: Shape = Shape { drop: &[("response_format", Some(&["gpt-image", "chatgpt-image"]))], ..PLAIN };

/// Models of xAI that think, and refuse the sampling fields below.
const GROK_THINKERS: &[&str] = &["grok-4", "grok-3-mini", "grok-code"];

/// Models of xAI whose effort cannot be chosen. Plain `grok-4` is not here
/// because as a prefix it would also catch those that can.
const GROK_FIXED_EFFORT: &[&str] = &["grok-4-", "grok-4.20"];

/// Bedrock tells kinds of errors by a header. A 403 may be about the key, about the
/// clock, or about a model that the account or the key may not use.
const BEDROCK: &[Reading] = &[
    // The clock of this machine is wrong; the keys may be good.
    Reading { status: 0, sign: Sign::Message("signature expired"), kind: Kind::VendorError },
    Reading { status: 0, sign: Sign::Message("signature not yet current"), kind: Kind::VendorError },
    Reading { status: 0, sign: Sign::Code("RequestTimeTooSkewed"), kind: Kind::VendorError },
    Reading { status: 0, sign: Sign::Code("RequestExpired"), kind: Kind::VendorError },
    Reading { status: 400, sign: Sign::Code("ExpiredToken"), kind: Kind::VendorAuth },
    Reading { status: 400, sign: Sign::Code("UnrecognizedClient"), kind: Kind::VendorAuth },
    Reading { status: 400, sign: Sign::Code("IncompleteSignature"), kind: Kind::VendorAuth },
    Reading { status: 400, sign: Sign::Code("MissingAuthenticationToken"), kind: Kind::VendorAuth },
    Reading { status: 403, sign: Sign::Message("API key"), kind: Kind::VendorAuth },
    Reading { status: 403, sign: Sign::Message("bearer token"), kind: Kind::VendorAuth },
    Reading { status: 403, sign: Sign::Message("INVALID_PAYMENT_INSTRUMENT"), kind: Kind::VendorBilling },
    Reading { status: 403, sign: Sign::Code("AccessDenied"), kind: Kind::VendorUnknownModel },
    Reading {
        status: 400,
        sign: Sign::Message("model identifier is invalid"),
        kind: Kind::VendorUnknownModel,
    },
    Reading { status: 400, sign: Sign::Message("on-demand throughput"), kind: Kind::VendorUnknownModel },
    Reading { status: 400, sign: Sign::Code("ServiceQuotaExceeded"), kind: Kind::VendorRateLimited },
    Reading { status: 429, sign: Sign::Code("ModelNotReady"), kind: Kind::VendorOverloaded },
    // The model itself failed.
    Reading { status: 424, sign: Sign::Any, kind: Kind::VendorError },
];

/// What every row starts from.
const BASE: Vendor = Vendor {
    name: "",
    title: "",
    base_url: "",
    base_env: None,
    env: &[],
    auth: Auth::Bearer,
    dialect: Dialect::OpenAiChat,
    doors: &[],
    embeds: Dialect::OpenAiChat,
    draws: Draws::OpenAi,
    films: Films::OpenAi,
    headers: &[],
    serves: &[CHAT],
    trial: Trial::Ask("/models"),
    counting: Counting::Inclusive,
    shape: PLAIN,
    readings: &[],
    simulated: false,
    is_listed: false,
};

/// All vendors.
pub static VENDORS: &[Vendor] = &[
    Vendor {
        name: "openai",
        title: "OpenAI",
        base_url: "https://api.openai.com/v1",
        env: &["OPENAI_API_KEY"],
        doors: &[RESPONSES],
        serves: OPENAI_SERVES,
        is_listed: true,
        shape: OPENAI,
        ..BASE
    },
    Vendor {
        name: "anthropic",
        title: "Anthropic",
        base_url: "https://api.anthropic.com/v1",
        env: &["ANTHROPIC_API_KEY"],
        auth: Auth::Header("x-api-key"),
        dialect: Dialect::Anthropic,
        headers: &[("anthropic-version", "2023-06-01")],
        serves: &[(Op::Chat, "/messages")],
        trial: Trial::Ask("/models?limit=1"),
        shape: Shape { stream_usage: false, ..PLAIN },
        readings: &[Reading {
            status: 400,
            sign: Sign::Message("credit balance is too low"),
            kind: Kind::VendorBilling,
        }],
        is_listed: true,
        ..BASE
    },
    Vendor {
        name: "bedrock",
        title: "Amazon Bedrock",
        base_url: "https://bedrock-runtime.{region}.amazonaws.com",
        env: &["AWS_BEARER_TOKEN_BEDROCK"],
        auth: Auth::SigV4("bedrock"),
        dialect: Dialect::Bedrock,
        embeds: Dialect::Bedrock,
        // All paths name the model, see `wire::translate::path`.
        serves: &[(Op::Chat, "/model"), (Op::Embedding, "/model")],
        // Its list of models is at another host, and needs a permission that inference does not.
        trial: Trial::OneToken("amazon.nova-lite-v1:0"),
        shape: Shape { stream_usage: false, ..PLAIN },
        readings: BEDROCK,
        ..BASE
    },
    Vendor {
        name: "gemini",
        title: "Google Gemini",
        base_url: "https://generativelanguage.googleapis.com",
        env: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        auth: Auth::Header("x-goog-api-key"),
        dialect: Dialect::Gemini,
        embeds: Dialect::Gemini,
        draws: Draws::Gemini,
        films: Films::Veo,
        // All paths name the model, see `wire::translate::path`.
        serves: &[
            (Op::Chat, "/v1beta/models"),
            (Op::Embedding, "/v1beta/models"),
            (Op::ImageGeneration, "/v1beta/models"),
            (Op::ImageEdit, "/v1beta/models"),
            (Op::Video, "/v1beta/models"),
        ],
        trial: Trial::Ask("/v1beta/models?pageSize=1"),
        shape: Shape { stream_usage: false, ..PLAIN },
        // Thoughts are part of the total only.
        counting: Counting::ReasoningApart,
        readings: &[
            Reading { status: 400, sign: Sign::Body("API_KEY_INVALID"), kind: Kind::VendorAuth },
            Reading { status: 400, sign: Sign::Message("API key not valid"), kind: Kind::VendorAuth },
            Reading { status: 400, sign: Sign::Message("API key expired"), kind: Kind::VendorAuth },
        ],
        is_listed: true,
        ..BASE
    },
    Vendor {
        name: "deepseek",
        title: "DeepSeek",
        base_url: "https://api.deepseek.com/v1",
        env: &["DEEPSEEK_API_KEY"],
        serves: &[CHAT, MODELS],
        shape: OLD_MAX_TOKENS,
        is_listed: true,
        ..BASE
    },
    Vendor {
        name: "openrouter",
        title: "OpenRouter",
        base_url: "https://openrouter.ai/api/v1",
        env: &["OPENROUTER_API_KEY"],
        draws: Draws::InChat,
        serves: &[
            CHAT,
            COMPLETION,
            EMBEDDING,
            (Op::ImageGeneration, "/chat/completions"),
            (Op::ImageEdit, "/chat/completions"),
            MODELS,
        ],
        // The list of models is for everybody.
        trial: Trial::Ask("/key"),
        readings: &[
            Reading { status: 403, sign: Sign::Message("limit exceeded"), kind: Kind::VendorBilling },
            // Any other 403 is moderation of the input; a bad key is a 401.
            Reading { status: 403, sign: Sign::Any, kind: Kind::VendorRefused },
            Reading { status: 400, sign: Sign::Message("not a valid model"), kind: Kind::VendorUnknownModel },
        ],
        ..BASE
    },
    Vendor {
        name: "xai",
        title: "xAI",
        base_url: "https://api.x.ai/v1",
        env: &["XAI_API_KEY"],
        doors: &[RESPONSES],
        draws: Draws::Xai,
        serves: &[CHAT, EMBEDDING, IMAGE_GENERATION, IMAGE_EDIT, MODELS],
        counting: Counting::ReasoningApart,
        shape: Shape {
            drop: &[
                ("stop", Some(GROK_THINKERS)),
                ("presence_penalty", Some(GROK_THINKERS)),
                ("frequency_penalty", Some(GROK_THINKERS)),
                ("reasoning_effort", Some(GROK_FIXED_EFFORT)),
            ],
            rename: &[("max_completion_tokens", "max_tokens")],
            ..PLAIN
        },
        readings: &[
            Reading { status: 400, sign: Sign::Message("Incorrect API key"), kind: Kind::VendorAuth },
            Reading { status: 403, sign: Sign::Message("usage guidelines"), kind: Kind::VendorRefused },
            Reading { status: 403, sign: Sign::Message("credits"), kind: Kind::VendorBilling },
        ],
        is_listed: true,
        ..BASE
    },
    Vendor {
        name: "doubao",
        title: "Doubao (Volcengine Ark)",
        base_url: "https://ark.cn-beijing.volces.com/api/v3",
        env: &["ARK_API_KEY", "DOUBAO_API_KEY"],
        draws: Draws::Ark,
        films: Films::Ark,
        serves: &[
            CHAT,
            EMBEDDING,
            IMAGE_GENERATION,
            (Op::ImageEdit, "/images/generations"),
            (Op::Video, "/contents/generations/tasks"),
        ],
        trial: Trial::Ask("/contents/generations/tasks?page_num=1&page_size=1"),
        readings: &[
            Reading { status: 403, sign: Sign::Code("AccountOverdueError"), kind: Kind::VendorBilling },
            Reading { status: 400, sign: Sign::Code("InvalidEndpoint"), kind: Kind::VendorUnknownModel },
        ],
        ..BASE
    },
    Vendor {
        name: "poe",
        title: "Poe",
        base_url: "https://api.poe.com/v1",
        env: &["POE_API_KEY"],
        serves: &[CHAT, MODELS],
        // The list of models is for everybody.
        trial: Trial::AskHost("/usage/current_balance"),
        ..BASE
    },
    Vendor {
        name: "ollama",
        title: "Ollama",
        base_url: "http://127.0.0.1:11434/v1",
        base_env: Some("OLLAMA_HOST"),
        env: &["OLLAMA_API_KEY"],
        auth: Auth::Optional,
        serves: &[CHAT, COMPLETION, EMBEDDING, MODELS],
        shape: OLD_MAX_TOKENS,
        ..BASE
    },
    Vendor {
        name: "ollama-native",
        title: "Ollama (its own API)",
        base_url: "http://127.0.0.1:11434",
        base_env: Some("OLLAMA_HOST"),
        env: &["OLLAMA_API_KEY"],
        auth: Auth::Optional,
        dialect: Dialect::Ollama,
        embeds: Dialect::Ollama,
        serves: &[(Op::Chat, "/api/chat"), (Op::Embedding, "/api/embed")],
        trial: Trial::Ask("/api/tags"),
        shape: Shape { stream_usage: false, ..PLAIN },
        ..BASE
    },
    Vendor {
        name: "openai-compatible",
        title: "OpenAI-compatible server",
        auth: Auth::Optional,
        serves: OPENAI_SERVES,
        ..BASE
    },
    Vendor {
        name: "simulator",
        title: "Built-in simulator",
        auth: Auth::None,
        serves: &[CHAT, COMPLETION, EMBEDDING],
        trial: Trial::None,
        simulated: true,
        ..BASE
    },
];

#[cfg(test)]
mod tests;
