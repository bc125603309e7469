//! A caller's chat, read into the canonical request and unfolded.

use super::message_in::{self, CacheControl, hint};
use super::{Envelope, snake};
use crate::chat::{
    Adapted, CacheHint, Dialect, Effort, Extra, Fields, Json, Message, ModelTraits, Output, Part, Reasoning,
    ReasoningHistory, Request, Sampling, Text, ThinkingMode, ThinkingStyle, Tool,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Op;
use crate::wire::openai_chat;
use crate::wire::received::{Received, Tells};
use serde::Deserialize;

/// Unfolds a chat into OpenAI's members, hints of the prompt cache among them.
pub(super) fn received(body: &[u8]) -> Result<Received> {
    let request = request_in(body)?;
    let json = request.output != Output::Text;
    // Nothing is left out here: what a model does not take is known when there is one.
    let traits = ModelTraits {
        max_temperature: Some(f64::MAX),
        thinking: ThinkingStyle::Object,
        reasoning_history: ReasoningHistory::Kept,
        ..ModelTraits::default()
    };
    let body = openai_chat::request_out(&request, &traits, &mut Adapted::default())?;
    let tells = Tells { json, ..Tells::default() };
    Ok(Received { op: Op::Chat, body: body.into(), speaks: Dialect::Aigne, content_type: None, tells })
}

fn request_in(body: &[u8]) -> Result<Request> {
    let Envelope { mut input, options, model, streaming } = Envelope::open(body)?;
    let (system, messages) = message_in::read(&mut input)?;
    let tools: Vec<ToolIn> = input.take("tools")?.unwrap_or_default();
    let choice: Option<openai_chat::Choice> = input.take("toolChoice")?;
    let mut request = Request {
        // What is left of the options has OpenAI's names.
        dialect: Some(Dialect::OpenAiChat),
        model,
        system,
        messages,
        tools: tools.into_iter().map(ToolIn::canonical).collect(),
        tool_choice: choice.map(|choice| choice.canonical("toolChoice")).transpose()?,
        output: output(&mut input)?,
        stream: streaming,
        include_usage: streaming,
        ..Request::default()
    };
    if let Some(options) = options {
        read_options(&mut request, options)?;
    }
    Ok(request)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolIn {
    function: openai_chat::Function,
    cache_control: Option<CacheControl>,
}

impl ToolIn {
    fn canonical(self) -> Tool {
        self.function.canonical(self.cache_control.as_ref().map(CacheControl::hint))
    }
}

fn output(input: &mut Fields<'_>) -> Result<Output> {
    let Some(format) = input.take::<openai_chat::Format>("responseFormat")? else { return Ok(Output::Text) };
    format.canonical().ok_or_else(|| {
        let text = "`responseFormat` must be of type \"text\" or \"json_schema\" with a `jsonSchema.schema`.";
        Failure::new(Kind::InvalidRequest, text).param("responseFormat")
    })
}

/// A word, or a budget of tokens.
#[derive(Deserialize)]
#[serde(untagged)]
enum EffortIn {
    Word(String),
    Tokens(u64),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CacheConfig {
    enabled: Option<bool>,
    ttl: Option<Json>,
    strategy: Option<String>,
    auto_breakpoints: Breakpoints,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Breakpoints {
    tools: Option<bool>,
    system: Option<bool>,
    last_message: Option<bool>,
}

fn read_options(request: &mut Request, mut options: Fields<'_>) -> Result<()> {
    let stop = openai_chat::Stop::take(&mut options)?;
    let mut limit = None;
    for name in ["maxTokens", "maxOutputTokens", "maxCompletionTokens", "max_tokens"] {
        limit = limit.or(options.take::<u64>(name)?);
    }
    request.sampling = Sampling {
        temperature: options.take("temperature")?,
        top_p: options.take("topP")?,
        top_k: options.take("topK")?,
        seed: options.take("seed")?,
        frequency_penalty: options.take("frequencyPenalty")?,
        presence_penalty: options.take("presencePenalty")?,
        stop,
        max_output_tokens: limit,
        ..Sampling::default()
    };
    let parallel: Option<bool> = options.take("parallelToolCalls")?;
    request.parallel_tool_calls = parallel.filter(|_| !request.tools.is_empty());
    request.reasoning = reasoning(&mut options)?;
    let config: CacheConfig = options.take("cacheConfig")?.unwrap_or_default();
    set_hints(request, &config);
    // Only for the client, which turns addresses into files before it sends them.
    options.take_raw("preferInputFileType");
    let rest = options.rest().into_iter();
    request.extra = rest.map(|extra| Extra { name: snake(&extra.name), json: extra.json }).collect();
    Ok(())
}

fn reasoning(options: &mut Fields<'_>) -> Result<Reasoning> {
    match options.take("reasoningEffort")? {
        None => Ok(Reasoning::default()),
        Some(EffortIn::Tokens(0)) => {
            Ok(Reasoning { mode: Some(ThinkingMode::Disabled), ..Reasoning::default() })
        }
        Some(EffortIn::Tokens(tokens)) => {
            Ok(Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() })
        }
        Some(EffortIn::Word(word)) => match Effort::parse(&word) {
            Some(effort) => Ok(Reasoning { effort: Some(effort), ..Reasoning::default() }),
            None => {
                let text = "`reasoningEffort` must be a number of tokens, or minimal, low, medium or high.";
                Err(Failure::new(Kind::InvalidRequest, text).param("reasoningEffort"))
            }
        },
    }
}

/// Where the prompt cache may end by itself: behind the tools, behind the
/// instructions, behind the last message. What the caller has marked stays.
fn set_hints(request: &mut Request, config: &CacheConfig) {
    if config.enabled == Some(false) || config.strategy.as_deref() == Some("manual") {
        return;
    }
    let ttl: Option<String> = config.ttl.as_ref().and_then(Json::read);
    let hint = Some(hint(ttl.as_deref()));
    let points = &config.auto_breakpoints;
    if let Some(tool) = request.tools.last_mut().filter(|_| points.tools != Some(false)) {
        tool.cache = tool.cache.or(hint);
    }
    if let Some(text) = request.system.last_mut().filter(|_| points.system != Some(false)) {
        text.cache = text.cache.or(hint);
    }
    if let Some(message) = request.messages.last_mut().filter(|_| points.last_message == Some(true)) {
        hint_last(message, hint);
    }
}

fn hint_last(message: &mut Message, hint: Option<CacheHint>) {
    match message.parts.last_mut() {
        Some(Part::Text(Text { cache, .. })) => *cache = cache.or(hint),
        Some(Part::Image(image)) => image.cache = image.cache.or(hint),
        Some(Part::Document(document)) => document.cache = document.cache.or(hint),
        Some(Part::ToolResult(result)) => result.cache = result.cache.or(hint),
        _ => {}
    }
}
