//! What is needed of a request, read in one pass.
//!
//! A field that two parsers could read differently is refused: a key that
//! occurs twice, and a key that differs from a known one only in case, which
//! some servers take for the known one.

use super::needs;
use super::wrong::{Wrong, expect, refuse, wrong_type};
use super::{contents, messages};
use crate::chat::{Abilities, Ability, Dialect};
use crate::error::Result;
use crate::types::Op;
use crate::wire::json::{self, Reader, Str};
use std::borrow::Cow;
use std::ops::Range;

/// How many top-level fields a body may have.
pub const MAX_FIELDS: usize = 128;
/// How many bytes of `user` are kept.
const MAX_USER_BYTES: usize = 256;

/// The fields that are read here. The order is of no importance.
const KNOWN: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "stream_format",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "previous_response_id",
    "store",
    "n",
    "best_of",
    "user",
    "messages",
    "prompt",
    "input",
    "tools",
    "functions",
];

/// Where an operation's input stands.
struct Input {
    op: Op,
    field: &'static str,
    required: bool,
    kinds: &'static [json::Kind],
    wanted: &'static str,
}

const INPUTS: &[Input] = {
    const TEXT: &[json::Kind] = &[json::Kind::String];
    const TEXT_OR_LIST: &[json::Kind] = &[json::Kind::String, json::Kind::Array];
    const LIST: &[json::Kind] = &[json::Kind::Array];
    const fn input(op: Op, field: &'static str, kinds: &'static [json::Kind]) -> Input {
        let wanted = match kinds {
            [json::Kind::String] => "a string",
            [json::Kind::Array] => "an array",
            _ => "a string or an array",
        };
        Input { op, field, required: !matches!(op, Op::Completion), kinds, wanted }
    }
    &[
        input(Op::Chat, "messages", LIST),
        input(Op::Completion, "prompt", TEXT_OR_LIST),
        input(Op::Embedding, "input", TEXT_OR_LIST),
        input(Op::Moderation, "input", TEXT_OR_LIST),
        input(Op::Speech, "input", TEXT),
        input(Op::ImageGeneration, "prompt", TEXT),
    ]
};

/// The input of OpenAI's Responses; it may be missing where another field stands for it.
const ITEMS: Input = Input {
    op: Op::Chat,
    field: "input",
    required: false,
    kinds: &[json::Kind::String, json::Kind::Array],
    wanted: "a string or an array",
};

/// How the body of a chat names its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// `messages` and `max_tokens`: chat completions, and Anthropic's Messages.
    #[default]
    Messages,
    /// `input` and `max_output_tokens`: Responses.
    Items,
}

/// One top-level field of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The key, between its quotes.
    pub key: Range<usize>,
    /// The value.
    pub value: Range<usize>,
    /// The key is ASCII without escapes.
    plain: bool,
}

/// What is needed of a request, read in one pass; spans point into the body.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The model that was asked for.
    pub model: String,
    /// The value of `model`, with its quotes.
    pub model_span: Range<usize>,
    /// Is the answer to be a stream?
    pub stream: bool,
    /// The caller asked for the usage chunk itself.
    pub include_usage: bool,
    /// A stream of this operation reports usage only when asked to, by `stream_options`.
    pub usage_on_demand: bool,
    /// `max_completion_tokens` or `max_tokens`; the larger when both are there,
    /// because vendors differ in which one they obey.
    pub max_output_tokens: Option<u64>,
    /// `n`, at least 1; for completions also `best_of`, which is billed alike.
    pub choices: u64,
    /// Upper bound of the input's tokens: a token is at least one byte, so the
    /// bytes of the body bound it. Images count [`super::IMAGE_TOKEN_BOUND`]
    /// each instead of their bytes, other media
    /// [`super::MEDIA_TOKEN_BOUND`] on top of theirs.
    pub input_bound: u64,
    /// How many images are in the messages.
    pub images: u64,
    /// Parts of the input that are no text (images, audio, files) are present.
    pub has_media: bool,
    /// Tools or functions are offered to the model.
    pub has_tools: bool,
    /// What a model must be able to do for it, as far as the body says so.
    pub needs: Abilities,
    /// `user`, if sent (its first 256 bytes).
    pub user: Option<String>,
    /// A hash of what makes a conversation the same one (what stands before
    /// the first user message, and that message), for affinity. 0: none.
    pub conversation: u64,
    /// All top-level fields in order.
    pub members: Vec<Member>,
    /// How its fields are named.
    pub(super) form: Form,
}

impl Request {
    /// Reads a JSON body.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], naming the field: `model` or the operation's
    /// input is missing, a type is wrong, a key occurs twice, the body is no
    /// JSON (with line and column) or nests too deep.
    pub fn read(op: Op, body: &[u8]) -> Result<Self> {
        Self::read_form(Form::Messages, op, body)
    }

    /// Reads a JSON body of a dialect, which may name its fields otherwise.
    ///
    /// # Errors
    /// Like [`Request::read`].
    pub fn read_in(dialect: Dialect, op: Op, body: &[u8]) -> Result<Self> {
        let items = op == Op::Chat && dialect == Dialect::OpenAiResponses;
        Self::read_form(if items { Form::Items } else { Form::Messages }, op, body)
    }

    fn read_form(form: Form, op: Op, body: &[u8]) -> Result<Self> {
        let mut request = Self {
            form,
            choices: 1,
            input_bound: body.len() as u64,
            usage_on_demand: form == Form::Messages && matches!(op, Op::Chat | Op::Completion),
            members: Vec::with_capacity(16),
            ..Self::default()
        };
        request.read_members(op, body).map_err(|wrong| wrong.failure(body))?;
        request.check(op, body)?;
        request.needs.insert_if(Ability::Tools, request.has_tools);
        Ok(request)
    }

    fn read_members(&mut self, op: Op, body: &[u8]) -> Result<(), Wrong> {
        let mut reader = Reader::new(body);
        if reader.kind()? != json::Kind::Object {
            return Err(refuse("The body must be a JSON object.").into());
        }
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            self.check_key(&key, body)?;
            let kind = reader.kind()?;
            let start = reader.offset();
            check_input(input_of(self.form, op), &key, kind)?;
            self.read_value(op, &key, &mut reader)?;
            let plain = is_plain(&key);
            self.members.push(Member { key: reader.span_of(&key), value: start..reader.offset(), plain });
        }
        Ok(reader.finish()?)
    }

    fn read_value(&mut self, op: Op, key: &Str<'_>, reader: &mut Reader<'_>) -> Result<(), Wrong> {
        match (key.bytes().as_ref(), op) {
            (b"model", _) => {
                let text = expect(reader.string_or_skip()?, "model", "a string")?;
                self.model = text.text().into_owned();
            }
            (b"stream", _) => self.stream = flag(reader, "stream")?,
            (b"stream_format", Op::Speech) => {
                self.stream = reader.string_or_skip()?.is_some_and(|format| format.bytes() == &b"sse"[..]);
            }
            (b"stream_options", _) => self.include_usage = stream_options(reader)?.asked,
            (b"max_tokens", _) => self.read_bound(reader, "max_tokens")?,
            (b"max_completion_tokens", _) => self.read_bound(reader, "max_completion_tokens")?,
            (b"n", _) => self.read_choices(reader, "n")?,
            (b"best_of", Op::Completion) => self.read_choices(reader, "best_of")?,
            (b"user", _) if reader.kind()? != json::Kind::Null => {
                self.user = bounded_user(&expect(reader.string_or_skip()?, "user", "a string")?);
            }
            (b"messages", Op::Chat) if self.reads_list(Form::Messages, reader)? => {
                self.read_messages(reader, "messages")?;
            }
            (b"input", Op::Chat) if self.reads_list(Form::Items, reader)? => {
                self.read_messages(reader, "input")?;
            }
            (b"input", Op::Chat) if self.form == Form::Items => {
                let span = reader.skip()?;
                self.conversation = messages::hash(&[reader.slice(span)]);
            }
            (b"max_output_tokens", _) if self.form == Form::Items => {
                self.read_bound(reader, "max_output_tokens")?;
            }
            (b"safety_identifier", _) if self.form == Form::Items && self.user.is_none() => {
                self.user = reader.string_or_skip()?.and_then(|user| bounded_user(&user));
            }
            // Google's callers, whose model and stream were put in front of these.
            (b"contents", Op::Chat | Op::Tokenize) => {
                let found = contents::read(reader)?;
                self.note(&found);
            }
            (b"generationConfig" | b"generation_config", Op::Chat) => {
                let (output, answers) = contents::bounds(reader)?;
                self.max_output_tokens = self.max_output_tokens.max(output);
                self.choices = self.choices.max(answers.unwrap_or(1));
            }
            (b"prompt", Op::Completion) => {
                let span = reader.skip()?;
                self.conversation = messages::hash(&[reader.slice(span)]);
            }
            (b"tools", _) => self.has_tools |= filled(reader, "tools")?,
            (b"functions", _) => self.has_tools |= filled(reader, "functions")?,
            (name, Op::Chat) => self.needs = self.needs.union(needs::of_field(name, reader)?),
            _ => reader.ignore()?,
        }
        Ok(())
    }

    fn read_bound(&mut self, reader: &mut Reader<'_>, field: &'static str) -> Result<(), Wrong> {
        let bound = whole(reader, field, "a whole number that is not negative")?;
        self.max_output_tokens = self.max_output_tokens.max(bound);
        Ok(())
    }

    fn read_choices(&mut self, reader: &mut Reader<'_>, field: &'static str) -> Result<(), Wrong> {
        const WANTED: &str = "a whole number of at least 1";
        let choices = whole(reader, field, WANTED)?.unwrap_or(1);
        self.choices = self.choices.max(choices);
        if choices == 0 { Err(wrong_type(field, WANTED).into()) } else { Ok(()) }
    }

    /// Is this the list that a body of this form has for its conversation?
    fn reads_list(&self, form: Form, reader: &mut Reader<'_>) -> Result<bool, Wrong> {
        Ok(self.form == form && reader.kind()? == json::Kind::Array)
    }

    fn read_messages(&mut self, reader: &mut Reader<'_>, field: &'static str) -> Result<(), Wrong> {
        let found = messages::read(reader, field)?;
        self.note(&found);
        Ok(())
    }

    fn note(&mut self, found: &messages::Messages) {
        self.images = found.images;
        self.has_media = found.images + found.other_media > 0;
        self.conversation = found.conversation;
        self.needs = self.needs.union(found.needs);
        let media = found
            .images
            .saturating_mul(messages::IMAGE_TOKEN_BOUND)
            .saturating_add(found.other_media.saturating_mul(messages::MEDIA_TOKEN_BOUND));
        self.input_bound = self.input_bound.saturating_sub(found.image_bytes).saturating_add(media);
    }

    /// Refuses a key that some parser could take for another field.
    fn check_key(&self, key: &Str<'_>, body: &[u8]) -> Result<(), Wrong> {
        let name = folded(key);
        if self.members.len() == MAX_FIELDS {
            return Err(refuse(format!("The body has more than {MAX_FIELDS} fields.")).into());
        }
        let repeated = self.members.iter().any(|member| {
            let raw = body.get(member.key.clone()).unwrap_or_default();
            match member.plain {
                true => raw.eq_ignore_ascii_case(&name),
                false => folded(&Str { raw, escaped: true }).eq_ignore_ascii_case(&name),
            }
        });
        if repeated {
            let shown = shown(key);
            return Err(refuse(format!("`{shown}` is given more than once.")).param(shown).into());
        }
        let lookalike = KNOWN.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(&name));
        match lookalike {
            Some(known) if key.bytes() != known.as_bytes() => {
                let shown = shown(key);
                let text = format!("`{shown}` is no field. Did you mean `{known}`?");
                Err(refuse(text).param(shown).into())
            }
            _ => Ok(()),
        }
    }

    fn check(&mut self, op: Op, body: &[u8]) -> Result<()> {
        let input = input_of(self.form, op).filter(|input| input.required);
        let required = match input.map_or("model", |input| input.field) {
            "messages" if self.member(body, "contents").is_some() => "contents",
            field => field,
        };
        for field in ["model", required] {
            let member = self.member(body, field);
            let given = member.and_then(|member| body.get(member.value.clone()));
            if matches!(given, None | Some(b"null")) {
                return Err(refuse(format!("`{field}` is required.")).param(field));
            }
        }
        self.model_span = self.member(body, "model").map(|member| member.value.clone()).unwrap_or_default();
        if self.model.is_empty() {
            return Err(refuse("`model` must not be empty.").param("model"));
        }
        Ok(())
    }

    /// The top-level field of that name.
    pub(super) fn member(&self, body: &[u8], name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.is(body, name))
    }
}

impl Member {
    /// Does its key mean `name`?
    pub(super) fn is(&self, body: &[u8], name: &str) -> bool {
        let raw = body.get(self.key.clone()).unwrap_or_default();
        raw == name.as_bytes() || (!self.plain && Str { raw, escaped: true }.bytes() == name.as_bytes())
    }
}

/// The parts of `stream_options` that matter.
#[derive(Debug, Default)]
pub(super) struct StreamOptions {
    /// `include_usage` is true.
    pub asked: bool,
    /// The span of the value of `include_usage`.
    pub include_usage: Option<Range<usize>>,
    /// There is another field, or this one.
    pub filled: bool,
}

pub(super) fn stream_options(reader: &mut Reader<'_>) -> Result<StreamOptions, Wrong> {
    let mut options = StreamOptions::default();
    match reader.kind()? {
        json::Kind::Object => reader.enter_object()?,
        json::Kind::Null => {
            reader.skip()?;
            return Ok(options);
        }
        _ => return Err(wrong_type("stream_options", "an object").into()),
    }
    while let Some(key) = reader.key()? {
        options.filled = true;
        if !folded(&key).eq_ignore_ascii_case(b"include_usage") {
            reader.skip()?;
            continue;
        }
        if options.include_usage.is_some() || key.bytes() != &b"include_usage"[..] {
            let text = "`stream_options.include_usage` is given more than once.";
            return Err(refuse(text).param("stream_options.include_usage").into());
        }
        let _ = reader.kind()?;
        let start = reader.offset();
        options.asked = flag(reader, "stream_options.include_usage")?;
        options.include_usage = Some(start..reader.offset());
    }
    Ok(options)
}

fn flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, Wrong> {
    if reader.kind()? == json::Kind::Null {
        reader.skip()?;
        return Ok(false);
    }
    Ok(expect(reader.bool_or_skip()?, field, "true or false")?)
}

fn whole(reader: &mut Reader<'_>, field: &'static str, wanted: &str) -> Result<Option<u64>, Wrong> {
    if reader.kind()? == json::Kind::Null {
        reader.skip()?;
        return Ok(None);
    }
    Ok(Some(expect(reader.whole_or_skip()?, field, wanted)?))
}

/// What the input of an operation is to look like, if it has one.
fn input_of(form: Form, op: Op) -> Option<&'static Input> {
    match form {
        Form::Items => Some(&ITEMS),
        Form::Messages => INPUTS.iter().find(|input| input.op == op),
    }
}

fn bounded_user(user: &Str<'_>) -> Option<String> {
    let user = user.text();
    user.get(..user.floor_char_boundary(MAX_USER_BYTES)).map(str::to_owned)
}

/// Refuses an operation's input of the wrong type; `null` counts as missing.
fn check_input(input: Option<&Input>, key: &Str<'_>, kind: json::Kind) -> Result<(), Wrong> {
    let name = key.bytes();
    let input = input.filter(|input| input.field.as_bytes() == name.as_ref());
    match input {
        Some(input) if kind != json::Kind::Null && !input.kinds.contains(&kind) => {
            Err(wrong_type(input.field, input.wanted).into())
        }
        _ => Ok(()),
    }
}

/// Is the array filled?
fn filled(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, Wrong> {
    match reader.kind()? {
        json::Kind::Null => reader.skip().map(|_| false).map_err(Wrong::from),
        json::Kind::Array => {
            reader.enter_array()?;
            let mut any = false;
            while reader.element()? {
                reader.skip()?;
                any = true;
            }
            Ok(any)
        }
        _ => Err(wrong_type(field, "an array").into()),
    }
}

/// A key as case-insensitive parsers see it: they also take U+017F for `s`
/// and U+212A for `k`.
fn folded<'a>(key: &Str<'a>) -> Cow<'a, [u8]> {
    if is_plain(key) {
        return Cow::Borrowed(key.raw);
    }
    Cow::Owned(key.text().replace('\u{17f}', "s").replace('\u{212a}', "k").into_bytes())
}

fn is_plain(key: &Str<'_>) -> bool {
    !key.escaped && key.raw.is_ascii()
}

/// A key as it may stand in an error: short and without control characters.
fn shown(key: &Str<'_>) -> String {
    key.text().chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests;
