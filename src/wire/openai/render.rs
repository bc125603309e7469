//! The body for one target: only what has to change changes.

use super::request::{Member, Request, StreamOptions, stream_options};
use crate::types::Op;
use crate::wire::json::{Patch, Reader, quote};
use bytes::Bytes;
use std::ops::Range;

const ASK_FOR_USAGE: &str = r#"{"include_usage":true}"#;

/// The names of the output's bound, the newer one first.
const OUTPUT_LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// What a vendor's door refuses or calls by another name. Columns of the vendor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Top-level fields removed (and reported as dropped). With prefixes, only
    /// for upstream models whose names begin with one of them.
    pub drop: &'static [(&'static str, Option<&'static [&'static str]>)],
    /// Top-level fields renamed. A field whose new name is already there is removed.
    pub rename: &'static [(&'static str, &'static str)],
    /// Does it know `stream_options.include_usage`?
    pub stream_usage: bool,
}

/// What happens to one top-level field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Rename(&'static str),
    Remove,
}

impl Request {
    /// The body for one target: model replaced, usage asked for, shape applied.
    /// `body` is the one that was read; what does not change is not copied.
    /// The result is in pieces, to be sent one behind the other. Names of
    /// dropped and renamed fields, as the caller wrote them, are appended to
    /// `adapted`.
    pub fn render(&self, body: &Bytes, model: &str, shape: &Shape, adapted: &mut Vec<String>) -> Vec<Bytes> {
        let mut patch = Patch::new();
        let mut any_kept = false;
        for (index, member) in self.members.iter().enumerate() {
            let fate = self.fate(member, body, model, shape);
            any_kept |= fate != Fate::Remove;
            match fate {
                Fate::Keep => continue,
                Fate::Rename(name) => patch.replace(member.key.clone(), name),
                Fate::Remove => patch.replace(self.removal(index, any_kept), ""),
            }
            let name = body.get(member.key.clone()).unwrap_or_default();
            adapted.push(String::from_utf8_lossy(name).into_owned());
        }
        if self.model != model {
            patch.replace(self.model_span.clone(), quote(model));
        }
        if self.stream && self.usage_on_demand && shape.stream_usage && !self.include_usage {
            self.ask_for_usage(&mut patch, body, model, shape);
        }
        patch.pieces(body)
    }

    /// The body with the output capped at `most` tokens for each choice; the same bytes when the
    /// caller asked for no more. Read it again afterwards: spans have moved.
    pub fn cap_output(&self, op: Op, body: &Bytes, most: u64) -> Bytes {
        if self.max_output_tokens.is_some_and(|asked| asked <= most) {
            return body.clone();
        }
        let mut patch = Patch::new();
        if self.member(body, "contents").is_some() {
            self.cap_contents(&mut patch, body, most);
            return Bytes::from(patch.apply(body));
        }
        let limits = self.members.iter().filter(|m| OUTPUT_LIMITS.iter().any(|name| m.is(body, name)));
        for limit in limits {
            patch.replace(limit.value.clone(), most.to_string());
        }
        if patch.is_empty() {
            let [newer, older] = OUTPUT_LIMITS;
            let name = if op == Op::Chat { newer } else { older };
            let end = self.model_span.end;
            patch.replace(end..end, format!(",\"{name}\":{most}"));
        }
        Bytes::from(patch.apply(body))
    }

    /// Google's callers nest the bound.
    fn cap_contents(&self, patch: &mut Patch, body: &[u8], most: u64) {
        let config = ["generationConfig", "generation_config"].into_iter();
        match config.filter_map(|name| self.member(body, name)).next() {
            Some(member) => super::contents::cap(patch, body, member.value.clone(), most),
            None => {
                // Behind the stream, which stands behind the model.
                let end = self.members.get(1).map_or(self.model_span.end, |member| member.value.end);
                patch.replace(end..end, format!(",\"generationConfig\":{{\"maxOutputTokens\":{most}}}"));
            }
        }
    }

    /// What to cut out with a field: the comma before it, or the one behind it
    /// when nothing before it stays.
    fn removal(&self, index: usize, any_kept_before: bool) -> Range<usize> {
        let field = |index: usize| self.members.get(index);
        let Some(member) = field(index) else { return 0..0 };
        let key_start = |member: &Member| member.key.start.saturating_sub(1);
        if any_kept_before {
            let previous = index.checked_sub(1).and_then(field);
            return previous.map_or(key_start(member), |previous| previous.value.end)..member.value.end;
        }
        key_start(member)..field(index + 1).map_or(member.value.end, key_start)
    }

    fn fate(&self, member: &Member, body: &[u8], model: &str, shape: &Shape) -> Fate {
        if member.is(body, "model") {
            return Fate::Keep;
        }
        let applies = |prefixes: &Option<&[&str]>| {
            prefixes.is_none_or(|prefixes| prefixes.iter().any(|prefix| model.starts_with(prefix)))
        };
        if shape.drop.iter().any(|(name, prefixes)| applies(prefixes) && member.is(body, name)) {
            return Fate::Remove;
        }
        match shape.rename.iter().find(|(from, _)| member.is(body, from)) {
            None => Fate::Keep,
            Some((_, to)) if self.member(body, to).is_some() => Fate::Remove,
            Some((_, to)) => Fate::Rename(to),
        }
    }

    /// Where there is no `stream_options` yet it goes behind the model, a place that always exists.
    fn ask_for_usage(&self, patch: &mut Patch, body: &[u8], model: &str, shape: &Shape) {
        match self.member(body, "stream_options") {
            Some(member) if self.fate(member, body, model, shape) == Fate::Keep => {
                ask_in(patch, body, member.value.clone());
            }
            Some(_) => {}
            None => {
                let end = self.model_span.end;
                patch.replace(end..end, format!(",\"stream_options\":{ASK_FOR_USAGE}"));
            }
        }
    }
}

/// Asks for usage inside the `stream_options` at `span`, whose other fields stay.
fn ask_in(patch: &mut Patch, body: &[u8], span: Range<usize>) {
    let mut reader = Reader::new(body.get(span.clone()).unwrap_or_default());
    match stream_options(&mut reader) {
        Ok(StreamOptions { include_usage: Some(value), .. }) => {
            patch.replace(span.start + value.start..span.start + value.end, "true");
        }
        Ok(StreamOptions { filled: true, .. }) => {
            patch.replace(span.start + 1..span.start + 1, r#""include_usage":true,"#);
        }
        _ => patch.replace(span, ASK_FOR_USAGE),
    }
}

#[cfg(test)]
mod tests;
