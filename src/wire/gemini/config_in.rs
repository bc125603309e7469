//! What a caller of this dialect says about its answer: `generationConfig`, read into its meaning.

use crate::chat::{Effort, Extra, Fields, Json, Output, Reasoning, Request, Show, ThinkingMode};
use crate::error::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The name under which what nobody read of it is kept.
pub(super) const CONFIG: &str = "generationConfig";

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(alias = "include_thoughts")]
    include_thoughts: Option<bool>,
    #[serde(alias = "thinking_budget")]
    thinking_budget: Option<i64>,
    #[serde(alias = "thinking_level")]
    thinking_level: Option<String>,
}

/// Reads the members of the configuration. What has no canonical place is kept for the same dialect.
pub(super) fn read(mut fields: Fields<'_>, request: &mut Request) -> Result<()> {
    let sampling = &mut request.sampling;
    sampling.temperature = fields.take("temperature")?;
    sampling.top_p = fields.take("topP")?;
    // Some clients write it as a number with a fraction.
    sampling.top_k = fields.take::<f64>("topK")?.map(|top_k| top_k as u64);
    sampling.max_output_tokens = fields.take("maxOutputTokens")?;
    sampling.stop = fields.take("stopSequences")?.unwrap_or_default();
    sampling.choices = fields.take("candidateCount")?;
    sampling.seed = fields.take("seed")?;
    sampling.presence_penalty = fields.take("presencePenalty")?;
    sampling.frequency_penalty = fields.take("frequencyPenalty")?;
    sampling.logprobs = fields.take("responseLogprobs")?;
    sampling.top_logprobs = fields.take("logprobs")?;
    if let Some(thinking) = fields.take("thinkingConfig")? {
        request.reasoning = reasoning(thinking);
    }
    if fields.peek("responseMimeType").is_some_and(|mime| mime.get() == "\"application/json\"") {
        fields.take_raw("responseMimeType");
        let plain: Option<Json> = fields.take("responseJsonSchema")?;
        let google: Option<Value> = fields.take("responseSchema")?;
        request.output = output(plain.or(google.map(json_schema)));
    }
    let rest: Map<String, Value> =
        fields.rest().into_iter().filter_map(|extra| Some((extra.name, extra.json.read()?))).collect();
    if !rest.is_empty() {
        request.extra.push(Extra { name: CONFIG.to_owned(), json: Json::of(&rest) });
    }
    Ok(())
}

fn output(schema: Option<Json>) -> Output {
    let Some(schema) = schema else { return Output::JsonObject };
    Output::JsonSchema { name: "response".to_owned(), description: None, schema, strict: None }
}

/// Nothing is shown of the thoughts unless the caller says so.
fn reasoning(config: ThinkingConfig) -> Reasoning {
    let (mode, budget_tokens) = match config.thinking_budget {
        Some(0) => (Some(ThinkingMode::Disabled), None),
        Some(tokens) => match u64::try_from(tokens) {
            Ok(tokens) => (None, Some(tokens)),
            Err(_) => (Some(ThinkingMode::Adaptive), None),
        },
        None => (None, None),
    };
    let effort = config.thinking_level.and_then(|level| Effort::parse(&level.to_ascii_lowercase()));
    let shown = config.include_thoughts == Some(true);
    Reasoning {
        mode,
        effort,
        budget_tokens,
        show: Some(if shown { Show::Summarized } else { Show::Omitted }),
    }
}

/// Limits that Google's clients write as texts.
const LIMITS: [&str; 6] =
    ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// JSON Schema for Google's dialect of it: types in lower case, limits as numbers.
pub(super) fn json_schema(mut schema: Value) -> Json {
    to_plain(&mut schema);
    Json::of(&schema)
}

fn to_plain(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                match member {
                    Value::String(name) if key == "type" => name.make_ascii_lowercase(),
                    Value::String(limit) if LIMITS.contains(&key.as_str()) => {
                        if let Ok(limit) = limit.parse::<u64>() {
                            *member = limit.into();
                        }
                    }
                    member => to_plain(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(to_plain),
        _ => {}
    }
}
