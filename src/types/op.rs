//! What a caller asks for. One value decides both what is authorised and what
//! is dispatched.

/// An operation of the inference API.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completion,
    /// `POST /v1/embeddings`
    Embedding,
    /// `POST /v1/images/generations`
    ImageGeneration,
    /// `POST /v1/images/edits`
    ImageEdit,
    /// `POST /v1/audio/speech`
    Speech,
    /// `POST /v1/audio/transcriptions`
    Transcription,
    /// `POST /v1/moderations`
    Moderation,
    /// `GET /v1/realtime` (WebSocket)
    Realtime,
    /// `GET /v1/models` and `GET /v1/models/{id}`; answered by the hub itself
    Models,
    /// `POST /v1/tokenize`; answered by the hub itself
    Tokenize,
    /// `POST /v1/videos`, and `POST /v1/videos/{id}/remix`
    Video,
}

impl Op {
    /// Every operation, for tables and tests.
    pub const ALL: [Op; 12] = [
        Op::Chat,
        Op::Completion,
        Op::Embedding,
        Op::ImageGeneration,
        Op::ImageEdit,
        Op::Speech,
        Op::Transcription,
        Op::Moderation,
        Op::Realtime,
        Op::Models,
        Op::Tokenize,
        Op::Video,
    ];

    /// The name used in metrics, logs, rules and the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Op::Chat => "chat",
            Op::Completion => "completion",
            Op::Embedding => "embedding",
            Op::ImageGeneration => "image_generation",
            Op::ImageEdit => "image_edit",
            Op::Speech => "speech",
            Op::Transcription => "transcription",
            Op::Moderation => "moderation",
            Op::Realtime => "realtime",
            Op::Models => "models",
            Op::Tokenize => "tokenize",
            Op::Video => "video",
        }
    }

    /// What it is in words for people.
    pub fn title(self) -> &'static str {
        match self {
            Op::Chat => "chat",
            Op::Completion => "text completions",
            Op::Embedding => "embeddings",
            Op::ImageGeneration => "image generation",
            Op::ImageEdit => "image edits",
            Op::Speech => "speech",
            Op::Transcription => "transcriptions",
            Op::Moderation => "moderations",
            Op::Realtime => "realtime sessions",
            Op::Models => "a list of models",
            Op::Tokenize => "token counts",
            Op::Video => "videos",
        }
    }
}
