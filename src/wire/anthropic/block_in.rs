//! Content blocks, read into canonical parts; of callers and of the vendor alike.

use crate::chat::{
    CacheHint, Citation, Dialect, Document, Image, Json, Origin, Other, Part, Signature, Source, Text,
    Thinking, ToolCall, ToolResult, split_call_id,
};
use serde::Deserialize;

/// The kinds that [`known`] knows.
const KINDS: [&str; 7] =
    ["text", "thinking", "redacted_thinking", "tool_use", "tool_result", "image", "document"];

/// All kinds of blocks in one: a tagged enum would read each of them twice,
/// and could not carry JSON as text.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Block {
    #[serde(rename = "type")]
    pub kind: String,
    pub text: Option<String>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    pub data: Option<String>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub input: Option<Json>,
    tool_use_id: Option<String>,
    content: Option<Json>,
    is_error: Option<bool>,
    source: Option<SourceIn>,
    title: Option<String>,
    context: Option<String>,
    /// A list on texts, a switch on documents.
    citations: Option<Json>,
    cache_control: Option<CacheControl>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SourceIn {
    r#type: String,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
    file_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CitationIn {
    url: Option<String>,
    title: Option<String>,
    document_title: Option<String>,
    cited_text: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Switch {
    enabled: bool,
}

/// `cache_control` of blocks, tools and the request.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CacheControl {
    ttl: Option<String>,
}

impl CacheControl {
    pub(super) fn hint(self) -> CacheHint {
        if self.ttl.as_deref() == Some("1h") { CacheHint::OneHour } else { CacheHint::FiveMinutes }
    }
}

/// Reads a string or a list of blocks.
pub(super) fn read_content(content: &str) -> Result<Vec<Part>, serde_json::Error> {
    if content.starts_with('"') {
        return Ok(vec![Part::text(serde_json::from_str::<String>(content)?)]);
    }
    let blocks: Vec<Block> =
        serde_json::from_str(content).or_else(|error| one_by_one(content).ok_or(error))?;
    let mut raw: Option<Vec<Json>> = None;
    let mut parts = Vec::with_capacity(blocks.len());
    for (number, block) in blocks.into_iter().enumerate() {
        parts.push(match known(block)? {
            Ok(part) => part,
            Err(kind) => {
                // Only blocks without a meaning here are read a second time.
                let raw = match &mut raw {
                    Some(raw) => raw,
                    None => raw.insert(serde_json::from_str(content)?),
                };
                let json = raw.get(number).cloned().unwrap_or_else(Json::empty_object);
                Part::Other(Other { dialect: Dialect::Anthropic, kind, json })
            }
        });
    }
    Ok(parts)
}

/// The blocks of a list in which one has known fields of unknown types.
fn one_by_one(content: &str) -> Option<Vec<Block>> {
    let raw: Vec<Json> = serde_json::from_str(content).ok()?;
    raw.iter().map(read_block).collect()
}

/// Reads a block; of a kind without a meaning here only the kind, whatever else is in it.
pub(super) fn read_block(json: &Json) -> Option<Block> {
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    let known = |kind: &str| KINDS.contains(&kind);
    json.read().or_else(|| {
        let kind = json.read::<Kind>().map(|kind| kind.r#type).filter(|kind| !known(kind))?;
        Some(Block { kind, ..Block::default() })
    })
}

/// The part a block means; its type if it means none.
fn known(block: Block) -> Result<Result<Part, String>, serde_json::Error> {
    let cache = block.cache_control.clone().map(CacheControl::hint);
    Ok(Ok(match block.kind.as_str() {
        "text" => {
            let citations = block.citations.as_ref().and_then(Json::read::<Vec<Json>>).unwrap_or_default();
            let citations = citations.into_iter().map(citation).collect();
            Part::Text(Text { text: block.text.unwrap_or_default(), citations, cache })
        }
        "thinking" => Part::Thinking(Thinking {
            text: block.thinking.unwrap_or_default(),
            signature: block.signature.filter(|text| !text.is_empty()).map(signature),
        }),
        "redacted_thinking" => redacted(block.data.unwrap_or_default()),
        "tool_use" => Part::ToolCall(tool_call(block, cache)),
        "tool_result" => Part::ToolResult(tool_result(block, cache)?),
        "image" | "document" => match media(block, cache) {
            Ok(part) => part,
            Err(kind) => return Ok(Err(kind)),
        },
        _ => return Ok(Err(block.kind)),
    }))
}

/// A signature, which is another vendor's if it was marked so on its way out.
pub(super) fn signature(text: String) -> Signature {
    Signature::from_field(text, Origin::Anthropic)
}

/// Redacted thoughts, marked in the same way.
pub(super) fn redacted(data: String) -> Part {
    let Signature { origin, text } = Signature::from_field(data, Origin::Anthropic);
    Part::RedactedThinking { data: text, origin }
}

fn tool_call(block: Block, cache: Option<CacheHint>) -> ToolCall {
    let (id, signature) = split_call_id(block.id.unwrap_or_default());
    let arguments = block.input.map_or_else(|| "{}".to_owned(), |input| input.as_str().to_owned());
    ToolCall { id, name: block.name.unwrap_or_default(), arguments, signature, cache }
}

fn tool_result(block: Block, cache: Option<CacheHint>) -> Result<ToolResult, serde_json::Error> {
    let (call_id, _) = split_call_id(block.tool_use_id.unwrap_or_default());
    let content = block.content.filter(|content| !content.is_null());
    let parts = content.map(|content| read_content(content.as_str())).transpose()?.unwrap_or_default();
    Ok(ToolResult { call_id, name: None, parts, is_error: block.is_error.unwrap_or(false), cache })
}

/// A picture or a document; its type if its source means nothing here.
fn media(block: Block, cache: Option<CacheHint>) -> Result<Part, String> {
    let Some(source) = block.source.and_then(SourceIn::canonical) else { return Err(block.kind) };
    if block.kind == "image" {
        return Ok(Part::Image(Image { source, detail: None, cache }));
    }
    let cite = block.citations.and_then(|json| json.read::<Switch>()).is_some_and(|switch| switch.enabled);
    Ok(Part::Document(Document { source, name: block.title, context: block.context, cite, cache }))
}

impl SourceIn {
    fn canonical(self) -> Option<Source> {
        match self.r#type.as_str() {
            "base64" => Some(Source::Base64 { mime: self.media_type.unwrap_or_default(), data: self.data? }),
            "url" => self.url.map(Source::Url),
            "text" => self.data.map(Source::Text),
            "file" => self.file_id.map(Source::FileId),
            _ => None,
        }
    }
}

/// What a text cites.
pub(super) fn citation(json: Json) -> Citation {
    let read: CitationIn = json.read().unwrap_or_default();
    Citation {
        url: read.url,
        title: read.title.or(read.document_title),
        quote: read.cited_text,
        span: None,
        original: Some((Dialect::Anthropic, json)),
    }
}
