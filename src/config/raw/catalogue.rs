//! `[catalogue]`: what models can do, and how much that decides.

use crate::config::at::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// What is known of models, and what is made of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Catalogue {
    /// What becomes of a request that needs what a model is known not to have. Default: lenient.
    pub(crate) capabilities: Option<Capabilities>,
    /// Models that the built-in table does not know, or knows otherwise.
    pub(crate) model: Vec<At<CatalogueModel>>,
}

/// What becomes of a request that needs what a model is known not to have.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Capabilities {
    /// It goes to no such model, and is refused when none is left.
    Strict,
    /// The same, but for what can be adapted (a JSON schema, the answer's limit): then models that have it come first.
    Lenient,
    /// Nothing; vendors judge.
    Off,
}

/// What is known of a model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["provider", "model"]))]
pub(crate) struct CatalogueModel {
    /// A provider's name, or a vendor's.
    pub(crate) provider: Option<At<String>>,
    /// The vendor's name for the model; may end in `*`.
    pub(crate) model: Option<At<String>>,
    /// The name for people.
    pub(crate) title: Option<At<String>>,
    /// Tokens that fit into it, input and output together.
    pub(crate) context_length: Option<At<u64>>,
    /// The most tokens of one answer.
    pub(crate) max_output_tokens: Option<At<u64>>,
    /// What it can do: image, document, audio, video, tools, thinking, json_schema, …
    pub(crate) can: Vec<At<String>>,
    /// What it cannot do; what is in neither list is taken from the built-in table, or assumed.
    pub(crate) cannot: Vec<At<String>>,
    /// How it cuts text into tokens: o200k_base or cl100k_base.
    pub(crate) tokenizer: Option<At<String>>,
    /// When it came out, such as 2026-11-20.
    pub(crate) released: Option<At<String>>,
    /// When the vendor takes it away.
    pub(crate) retires: Option<At<String>>,
    /// The vendor calls it deprecated. Default: false.
    pub(crate) deprecated: Option<bool>,
}
