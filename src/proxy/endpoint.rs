//! Method and path → one value, which decides both what is authorised and
//! what is dispatched.

use super::aigne::Ask;
use super::connect::Step;
use super::console::is_console;
use super::videos::Question;
use crate::chat::Dialect;
use crate::error::{Failure, Kind, Result};
use crate::types::Op;
use crate::wire::translate::{AnswerForm, InPath};
use http::Method;
use percent_encoding::percent_decode_str;

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A vendor's operation, in the caller's dialect, and what of the request stands in the path.
    Inference(Op, Dialect, InPath),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model(String),
    /// `POST /v1/tokenize`
    Tokenize,
    /// `POST /v1/messages/count_tokens`, Anthropic's name for it
    CountTokens,
    /// `POST /v1/responses/input_tokens`, and for Responses
    InputTokens,
    /// Something about one kept response.
    Response(String, Act),
    /// Something about one order of a video; of the list of them, the id is empty.
    Video(String, Question),
    /// `GET /v1beta/models`, as Google's clients list them.
    GoogleModels,
    /// `GET /v1beta/models/{id}`
    GoogleModel(String),
    /// `POST /v1beta/models/{id}:countTokens`
    GoogleCount(String),
    /// `GET /healthz`: the process lives.
    Health,
    /// `GET /readyz`: traffic is welcome.
    Ready,
    /// `GET /`: says what this is.
    Home,
    /// What AIGNE's clients ask besides inference.
    Aigne(Ask),
    /// A step by which AIGNE's command line gets a key.
    Connect(Step),
    /// Something of the control plane.
    Console,
}

/// What is asked of a kept response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// `GET /v1/responses/{id}`
    Read,
    /// `DELETE /v1/responses/{id}`
    Delete,
    /// `GET /v1/responses/{id}/input_items`
    InputItems,
    /// `POST /v1/responses/{id}/cancel`
    Cancel,
}

const OPENAI: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;

/// What follows a response's id, by method.
const ACTS: &[(Method, Option<&str>, Act)] = &[
    (Method::GET, None, Act::Read),
    (Method::DELETE, None, Act::Delete),
    (Method::GET, Some("input_items"), Act::InputItems),
    (Method::POST, Some("cancel"), Act::Cancel),
];

const TABLE: &[(Method, &str, Op, Dialect)] = &[
    (Method::POST, "chat/completions", Op::Chat, OPENAI),
    (Method::POST, "completions", Op::Completion, OPENAI),
    (Method::POST, "embeddings", Op::Embedding, OPENAI),
    (Method::POST, "images/generations", Op::ImageGeneration, OPENAI),
    (Method::POST, "images/edits", Op::ImageEdit, OPENAI),
    (Method::POST, "audio/speech", Op::Speech, OPENAI),
    (Method::POST, "audio/transcriptions", Op::Transcription, OPENAI),
    (Method::POST, "moderations", Op::Moderation, OPENAI),
    (Method::GET, "realtime", Op::Realtime, OPENAI),
    (Method::POST, "videos", Op::Video, OPENAI),
    (Method::GET, "models", Op::Models, OPENAI),
    (Method::POST, "tokenize", Op::Tokenize, OPENAI),
    (Method::POST, "messages", Op::Chat, Dialect::Anthropic),
    (Method::POST, "messages/count_tokens", Op::Tokenize, Dialect::Anthropic),
    (Method::POST, "responses", Op::Chat, Dialect::OpenAiResponses),
    (Method::POST, "responses/input_tokens", Op::Tokenize, Dialect::OpenAiResponses),
];

const AIGNE: Dialect = Dialect::Aigne;
const COMPLETIONS: Dialect = Dialect::AigneCompletions;

/// Inference under `/api/`: the protocol of AIGNE's client, its older endpoints, and the names
/// by which AIGNE's documents call them.
const AIGNE_TABLE: &[(&str, Op, Dialect)] = &[
    ("v2/chat", Op::Chat, AIGNE),
    ("v2/image", Op::ImageGeneration, AIGNE),
    ("v2/video", Op::Video, AIGNE),
    ("v2/embeddings", Op::Embedding, AIGNE),
    ("v1/embeddings", Op::Embedding, AIGNE),
    ("embeddings", Op::Embedding, AIGNE),
    ("v2/chat/completions", Op::Chat, COMPLETIONS),
    ("v2/completions", Op::Chat, COMPLETIONS),
    ("v1/chat/completions", Op::Chat, COMPLETIONS),
    ("v1/completions", Op::Chat, COMPLETIONS),
    ("chat/completions", Op::Chat, COMPLETIONS),
    ("v2/image/generations", Op::ImageGeneration, COMPLETIONS),
    ("v2/images/generations", Op::ImageGeneration, COMPLETIONS),
    ("v2/images/generate", Op::ImageGeneration, COMPLETIONS),
    ("v1/image/generations", Op::ImageGeneration, COMPLETIONS),
    ("images/generations", Op::ImageGeneration, COMPLETIONS),
    ("v2/audio/speech", Op::Speech, OPENAI),
    ("v1/audio/speech", Op::Speech, OPENAI),
    ("v2/audio/transcriptions", Op::Transcription, OPENAI),
    ("v1/audio/transcriptions", Op::Transcription, OPENAI),
];

/// Questions under `/api/`.
const AIGNE_ASKS: &[(Method, &str, Ask)] = &[
    (Method::GET, "ai/models", Ask::Models),
    (Method::GET, "ai-providers/models", Ask::Models),
    (Method::GET, "v2/status", Ask::Status),
    (Method::GET, "v1/status", Ask::Status),
    (Method::GET, "user/info", Ask::Account),
];

/// Steps of a session under `/.well-known/service/`.
const STEPS: &[(Method, &str, Step)] = &[
    (Method::POST, "api/access-key/session", Step::Begin),
    (Method::GET, "api/access-key/session", Step::Look),
    (Method::DELETE, "api/access-key/session", Step::End),
    (Method::GET, "gen-simple-access-key", Step::Page),
];

/// What is under the mount point is also at the origin, and the other way round.
fn below<'a>(mount: &str, path: &'a str) -> &'a str {
    let rest = path.strip_prefix(mount).filter(|_| mount != "/");
    rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

/// What Google's callers ask of a model, behind the colon of the path.
const GOOGLE: &[(&str, Op, AnswerForm)] = &[
    ("generateContent", Op::Chat, AnswerForm::Usual),
    // Unless the query says otherwise.
    ("streamGenerateContent", Op::Chat, AnswerForm::List),
    ("embedContent", Op::Embedding, AnswerForm::Single),
    ("batchEmbedContents", Op::Embedding, AnswerForm::Usual),
    ("countTokens", Op::Tokenize, AnswerForm::Usual),
];

impl Endpoint {
    /// Finds the endpoint. Paths under `/v1` answer without the prefix too, and all paths under
    /// `mount`, where AIGNE's clients are told to look.
    ///
    /// # Errors
    /// `UnknownEndpoint`, or `MethodNotAllowed` when only the method is wrong.
    pub(super) fn find(mount: &str, method: &Method, path: &str) -> Result<Self> {
        if is_console(path) {
            return Ok(Endpoint::Console);
        }
        let path = below(mount, path);
        let is_get = method == Method::GET || method == Method::HEAD;
        let outside = match path {
            "/healthz" => Some(Endpoint::Health),
            "/readyz" => Some(Endpoint::Ready),
            "/" | "" => Some(Endpoint::Home),
            "/__blocklet__.js" => Some(Endpoint::Aigne(Ask::Discovery)),
            _ => None,
        };
        if let Some(endpoint) = outside {
            return if is_get { Ok(endpoint) } else { Err(wrong_method(method, path)) };
        }
        if let Some(name) = path.strip_prefix("/api/") {
            return Self::find_aigne(method, name).unwrap_or_else(|| Err(unknown(method, path)));
        }
        if let Some(name) = path.strip_prefix("/.well-known/service/") {
            return find_step(method, name).unwrap_or_else(|| Err(unknown(method, path)));
        }
        if let Some(found) = Self::find_google(method, path) {
            return found;
        }
        let name = path.strip_prefix("/v1/").or_else(|| path.strip_prefix('/')).unwrap_or(path);
        if let Some(id) = name.strip_prefix("models/").filter(|id| !id.is_empty()) {
            return if is_get { Ok(Endpoint::Model(decode(id))) } else { Err(wrong_method(method, path)) };
        }
        if name == "videos" && is_get {
            return Ok(Endpoint::Video(String::new(), Question::List));
        }
        match TABLE.iter().find(|(_, known, ..)| *known == name) {
            Some((wanted, _, op, dialect)) if wanted == method => Ok(match (op, dialect) {
                (Op::Models, _) => Endpoint::Models,
                (Op::Tokenize, Dialect::Anthropic) => Endpoint::CountTokens,
                (Op::Tokenize, Dialect::OpenAiResponses) => Endpoint::InputTokens,
                (Op::Tokenize, _) => Endpoint::Tokenize,
                (op, dialect) => Endpoint::Inference(*op, *dialect, InPath::default()),
            }),
            Some(_) => Err(wrong_method(method, path)),
            None if name.starts_with("responses/") => Self::response(method, path, name),
            None if name.starts_with("videos/") => Self::video(method, path, name),
            None => Err(unknown(method, path)),
        }
    }

    /// Google's form of a path: the model, a colon, and what is asked of it. Its newest clients
    /// write `/v1` for `/v1beta`.
    fn find_google(method: &Method, path: &str) -> Option<Result<Self>> {
        let beta = path.strip_prefix("/v1beta/");
        let name = beta.or_else(|| path.strip_prefix("/v1/"))?;
        let is_get = method == Method::GET || method == Method::HEAD;
        let rest = match name.strip_prefix("models") {
            Some("" | "/") => return beta.map(|_| listed(is_get, Endpoint::GoogleModels, method, path)),
            rest => rest.and_then(|rest| rest.strip_prefix('/')),
        };
        let called = rest.and_then(|rest| {
            // A model's own name may have colons.
            let (model, call) = rest.rsplit_once(':').or_else(|| rest.rsplit_once("%3A"))?;
            let known = GOOGLE.iter().find(|(known, ..)| *known == call);
            known.map(|(call, op, form)| (decode(model), *call, *op, *form))
        });
        match (called, rest) {
            (Some(_), _) if method != Method::POST => Some(Err(wrong_method(method, path))),
            (Some((model, _, Op::Tokenize, _)), _) => Some(Ok(Endpoint::GoogleCount(model))),
            (Some((model, call, op, form)), _) => {
                let stream = call == "streamGenerateContent";
                Some(Ok(Endpoint::Inference(
                    op,
                    GEMINI,
                    InPath { model: Some(model), stream, form, source: None },
                )))
            }
            (None, Some(id)) if beta.is_some() && is_get => Some(Ok(Endpoint::GoogleModel(decode(id)))),
            (None, _) => beta.map(|_| Err(unknown(method, path))),
        }
    }

    /// An endpoint of one order of a video.
    fn video(method: &Method, path: &str, name: &str) -> Result<Self> {
        let rest = name.strip_prefix("videos/").unwrap_or_default();
        let (id, act) = rest.split_once('/').map_or((rest, None), |(id, act)| (id, Some(act)));
        let id = decode(id);
        let question = match (method, act) {
            _ if id.is_empty() => return Err(unknown(method, path)),
            (&Method::GET, None) => Question::State,
            (&Method::DELETE, None) => Question::Delete,
            (&Method::GET, Some("content")) => Question::Content,
            (&Method::POST, Some("remix")) => {
                let in_path = InPath { source: Some(id), ..InPath::default() };
                return Ok(Endpoint::Inference(Op::Video, OPENAI, in_path));
            }
            (_, None | Some("content" | "remix")) => return Err(wrong_method(method, path)),
            _ => return Err(unknown(method, path)),
        };
        Ok(Endpoint::Video(id, question))
    }

    /// An endpoint of one kept response.
    fn response(method: &Method, path: &str, name: &str) -> Result<Self> {
        let rest = name.strip_prefix("responses/").unwrap_or_default();
        let (id, act) = rest.split_once('/').map_or((rest, None), |(id, act)| (id, Some(act)));
        let mut known = ACTS.iter().filter(|(_, named, _)| *named == act).peekable();
        if id.is_empty() || known.peek().is_none() {
            return Err(unknown(method, path));
        }
        let found = known.find(|(wanted, ..)| wanted == method).ok_or_else(|| wrong_method(method, path))?;
        Ok(Endpoint::Response(decode(id), found.2))
    }

    /// `name` is what stands behind `/api/`. The oldest clients write `v1/sdk/` for `v1/`.
    fn find_aigne(method: &Method, name: &str) -> Option<Result<Self>> {
        let older = name.strip_prefix("v1/sdk/").map(|rest| format!("v1/{rest}"));
        let name = older.as_deref().unwrap_or(name);
        let asked = AIGNE_ASKS.iter().find(|(_, known, _)| *known == name);
        let called = AIGNE_TABLE.iter().find(|(known, ..)| *known == name);
        let (wanted, found) = match (asked, called) {
            (Some((wanted, _, ask)), _) => (wanted, Endpoint::Aigne(*ask)),
            (None, Some((_, op, dialect))) => {
                (&Method::POST, Endpoint::Inference(*op, *dialect, InPath::default()))
            }
            (None, None) => return None,
        };
        Some(if wanted == method { Ok(found) } else { Err(wrong_method(method, name)) })
    }

    /// The operation, for the metrics.
    pub(super) fn op(&self) -> Option<Op> {
        match self {
            Endpoint::Inference(op, ..) => Some(*op),
            Endpoint::Models | Endpoint::Model(_) | Endpoint::GoogleModels | Endpoint::GoogleModel(_) => {
                Some(Op::Models)
            }
            Endpoint::Tokenize | Endpoint::CountTokens | Endpoint::InputTokens | Endpoint::GoogleCount(_) => {
                Some(Op::Tokenize)
            }
            Endpoint::Response(..) => Some(Op::Chat),
            Endpoint::Video(..) => Some(Op::Video),
            Endpoint::Health | Endpoint::Ready | Endpoint::Home => None,
            Endpoint::Aigne(_) | Endpoint::Connect(_) | Endpoint::Console => None,
        }
    }
}

impl Endpoint {
    /// What the caller speaks: decides the shape of errors too.
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Endpoint::Inference(_, dialect, _) => *dialect,
            Endpoint::CountTokens => Dialect::Anthropic,
            Endpoint::Aigne(_) | Endpoint::Connect(_) => AIGNE,
            Endpoint::GoogleModels | Endpoint::GoogleModel(_) | Endpoint::GoogleCount(_) => GEMINI,
            _ => OPENAI,
        }
    }
}

impl Endpoint {
    /// Like [`Endpoint::dialect`], but for the list of models, which has one path in two dialects:
    /// Anthropic's clients say which version of theirs they speak.
    pub(super) fn dialect_of(&self, headers: &http::HeaderMap) -> Dialect {
        let is_list = matches!(self, Endpoint::Models | Endpoint::Model(_));
        if is_list && headers.contains_key("anthropic-version") { Dialect::Anthropic } else { self.dialect() }
    }
}

/// In which dialect a path that is no endpoint is refused.
pub(super) fn dialect_of(mount: &str, path: &str) -> Dialect {
    if below(mount, path).starts_with("/v1beta/") { GEMINI } else { OPENAI }
}

fn decode(id: &str) -> String {
    percent_decode_str(id).decode_utf8_lossy().into_owned()
}

/// A step of a session, by what stands behind `/.well-known/service/`.
fn find_step(method: &Method, name: &str) -> Option<Result<Endpoint>> {
    let mut steps = STEPS.iter().filter(|(_, known, _)| *known == name).peekable();
    steps.peek()?;
    let found = steps.find(|(wanted, ..)| wanted == method);
    Some(found.map_or_else(|| Err(wrong_method(method, name)), |(.., step)| Ok(Endpoint::Connect(*step))))
}

fn listed(is_get: bool, endpoint: Endpoint, method: &Method, path: &str) -> Result<Endpoint> {
    if is_get { Ok(endpoint) } else { Err(wrong_method(method, path)) }
}

fn unknown(method: &Method, path: &str) -> Failure {
    Failure::new(Kind::UnknownEndpoint, format!("Unknown request URL: {method} {}", shown(path)))
}

fn wrong_method(method: &Method, path: &str) -> Failure {
    Failure::new(Kind::MethodNotAllowed, format!("{method} is not allowed on {}", shown(path)))
}

/// A path as it may be shown again: bounded, and without what breaks a line.
fn shown(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_answers_with_and_without_the_prefix() {
        for (method, path, op, _) in TABLE {
            for prefix in ["/v1/", "/"] {
                let found = Endpoint::find("/", method, &format!("{prefix}{path}")).unwrap();
                assert_eq!(found.op(), Some(*op), "{prefix}{path}");
            }
        }
    }

    #[test]
    fn a_model_id_is_one_percent_encoded_segment_or_several() {
        for path in ["/v1/models/openai%2Fgpt-4o", "/models/openai/gpt-4o"] {
            assert_eq!(
                Endpoint::find("/", &Method::GET, path).unwrap(),
                Endpoint::Model("openai/gpt-4o".into())
            );
        }
    }

    #[test]
    fn googles_paths_name_the_model_and_what_is_asked_of_it() {
        let find = |path: &str| Endpoint::find("/", &Method::POST, path).unwrap();
        let chat = |model: &str, stream, form| {
            Endpoint::Inference(
                Op::Chat,
                GEMINI,
                InPath { model: Some(model.into()), stream, form, source: None },
            )
        };
        let (usual, list) = (AnswerForm::Usual, AnswerForm::List);
        for prefix in ["/v1beta", "/v1"] {
            let at = |rest: &str| find(&format!("{prefix}/models/{rest}"));
            assert_eq!(at("gpt:generateContent"), chat("gpt", false, usual));
            assert_eq!(at("gpt:streamGenerateContent"), chat("gpt", true, list));
            assert_eq!(at("ollama/qwen3:0.6b:generateContent"), chat("ollama/qwen3:0.6b", false, usual));
            assert_eq!(at("openai%2Fgpt-4o%3AgenerateContent"), chat("openai/gpt-4o", false, usual));
            assert_eq!(at("gpt:countTokens"), Endpoint::GoogleCount("gpt".into()));
        }
        let get = |path: &str| Endpoint::find("/", &Method::GET, path);
        assert_eq!(get("/v1beta/models").unwrap(), Endpoint::GoogleModels);
        assert_eq!(get("/v1beta/models/qwen3:0.6b").unwrap(), Endpoint::GoogleModel("qwen3:0.6b".into()));
        assert_eq!(get("/v1/models/qwen3:0.6b").unwrap(), Endpoint::Model("qwen3:0.6b".into()));
        assert_eq!(get("/v1beta/models/a:generateContent").unwrap_err().kind, Kind::MethodNotAllowed);
        for path in ["/v1beta/models/a:predict", "/v1beta/files", "/v1beta/models/a"] {
            let failure = Endpoint::find("/", &Method::POST, path).unwrap_err();
            assert_eq!((failure.kind, dialect_of("/", path)), (Kind::UnknownEndpoint, GEMINI), "{path}");
        }
    }

    #[test]
    fn unknown_paths_and_methods_are_told_apart() {
        let kind = |m: Method, p: &str| Endpoint::find("/", &m, p).unwrap_err().kind;
        assert_eq!(kind(Method::GET, "/v1/chat/completions"), Kind::MethodNotAllowed);
        assert_eq!(kind(Method::POST, "/v1/chat"), Kind::UnknownEndpoint);
        assert_eq!(kind(Method::POST, "/v1/v1/chat/completions"), Kind::UnknownEndpoint);
        assert_eq!(kind(Method::DELETE, "/healthz"), Kind::MethodNotAllowed);
    }

    #[test]
    fn aignes_paths_answer_at_the_origin_and_below_the_mount_point() {
        for (path, op, dialect) in AIGNE_TABLE {
            for prefix in ["/api/", "/ai-kit/api/"] {
                let found = Endpoint::find("/ai-kit", &Method::POST, &format!("{prefix}{path}")).unwrap();
                assert_eq!(found, Endpoint::Inference(*op, *dialect, InPath::default()), "{prefix}{path}");
            }
        }
        let find = |path: &str| Endpoint::find("/ai-kit", &Method::GET, path);
        assert_eq!(find("/ai-kit").unwrap(), Endpoint::Home);
        assert_eq!(find("/ai-kit/v1/models").unwrap(), Endpoint::Models);
        assert_eq!(find("/ai-kit/__blocklet__.js").unwrap(), Endpoint::Aigne(Ask::Discovery));
        assert_eq!(find("/ai-kitchen/v1/models").unwrap_err().kind, Kind::UnknownEndpoint);
        assert_eq!(find("/api/v2/chat").unwrap_err().kind, Kind::MethodNotAllowed);
        assert_eq!(find("/api/ai-providers").unwrap_err().kind, Kind::UnknownEndpoint);
        let older = Endpoint::find("/", &Method::POST, "/api/v1/sdk/completions").unwrap();
        assert_eq!(older.op(), Some(Op::Chat));
    }
}
