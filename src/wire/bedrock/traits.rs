//! What the models behind the vendor take, by the makers in their ids.

use crate::chat::{Effort, ModelTraits, ThinkingStyle};
use crate::wire::anthropic;

/// Whose model it is, as far as Converse treats makers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude,
    /// Amazon's own.
    Nova,
    /// OpenAI's open models.
    GptOss,
    /// Mistral's.
    Mistral,
    /// Anyone else's, and what an ARN does not tell.
    Other,
}

const FAMILIES: [(&str, Family); 5] = [
    ("claude", Family::Claude),
    ("amazon.nova", Family::Nova),
    ("gpt-oss", Family::GptOss),
    ("mistral", Family::Mistral),
    ("magistral", Family::Mistral),
];

/// Models that are held to a schema (`outputConfig`), by a part of their ids; Claude's are known by version.
const SCHEMA: [&str; 10] = [
    "qwen.qwen3",
    "gpt-oss",
    "deepseek.v3",
    "google.gemma-3",
    "minimax.",
    "magistral",
    "ministral",
    "mistral-large-3",
    "moonshot",
    "nvidia.nemotron",
];

/// Models that call no tools, by a part of their ids.
const NO_TOOLS: [&str; 9] = [
    "titan-text",
    "llama2",
    "llama3-8b",
    "llama3-70b",
    "deepseek.r1",
    "mistral-7b",
    "mixtral-8x7b",
    "cohere.command-text",
    "cohere.command-light",
];

/// Models that hear, by a part of their ids.
const HEARS: [&str; 2] = ["voxtral", "nova-2-omni"];

impl Family {
    /// The family of a model, from its id in small letters.
    pub(super) fn of(name: &str) -> Self {
        FAMILIES.iter().find(|(part, _)| name.contains(part)).map_or(Family::Other, |(_, family)| *family)
    }

    /// Can it be made to call a tool, and be told that one failed?
    pub(super) fn takes_choice(self) -> bool {
        matches!(self, Family::Claude | Family::Nova | Family::Mistral)
    }
}

/// The traits of a model, by its id, its profile's id or an ARN that names either.
pub fn model_traits(model: &str) -> ModelTraits {
    let name = model.to_ascii_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let family = Family::of(&name);
    let traits = match family {
        Family::Claude => ModelTraits { user: false, ..anthropic::model_traits(&name) },
        _ => ModelTraits {
            max_temperature: Some(1.0),
            penalties: false,
            seed: false,
            logprobs: false,
            top_k: matches!(family, Family::Nova | Family::Mistral),
            thinking: ThinkingStyle::None,
            efforts: Vec::new(),
            json_schema: any(&SCHEMA),
            json_object: false,
            strict_tools: false,
            tools: !any(&NO_TOOLS),
            cache_hints: family == Family::Nova,
            mid_system: false,
            user: false,
            ..ModelTraits::default()
        },
    };
    let chooses = family == Family::GptOss || any(&["nova-2"]);
    ModelTraits {
        // Addresses of Amazon's own store only, and only for its own models.
        media_urls: family == Family::Nova,
        audio: any(&HEARS),
        parallel_tool_calls: false,
        thinking: if chooses { ThinkingStyle::Effort } else { traits.thinking },
        efforts: if chooses { vec![Effort::Low, Effort::Medium, Effort::High] } else { traits.efforts },
        ..traits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_in_every_kind_of_id() {
        for (id, expected) in [
            ("anthropic.claude-3-haiku-20240307-v1:0", Family::Claude),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", Family::Claude),
            ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", Family::Nova),
            ("openai.gpt-oss-120b-1:0", Family::GptOss),
            ("mistral.mistral-large-2402-v1:0", Family::Mistral),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", Family::Other),
        ] {
            assert_eq!(Family::of(id), expected, "{id}");
        }
    }

    #[test]
    fn models_take_what_their_makers_say() {
        let claude = model_traits("us.anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!(claude.thinking, ThinkingStyle::Budget);
        assert!(
            claude.json_schema && claude.top_k && claude.cache_hints && !claude.media_urls && !claude.user
        );
        let nova = model_traits("amazon.nova-lite-v1:0");
        assert!(nova.top_k && nova.cache_hints && !nova.json_schema && nova.media_urls);
        assert_eq!(nova.thinking, ThinkingStyle::None);
        assert_eq!(model_traits("us.amazon.nova-2-lite-v1:0").thinking, ThinkingStyle::Effort);
        let llama = model_traits("meta.llama3-70b-instruct-v1:0");
        assert!(!llama.tools && !llama.top_k && model_traits("meta.llama3-1-70b-instruct-v1:0").tools);
        assert!(model_traits("openai.gpt-oss-20b-1:0").json_schema);
    }
}
