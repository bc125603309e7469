//! One request as one line of log, written by hand: a request pays for the
//! bytes of its line and for nothing else. A field that does not apply is left
//! out, so a missing field and `null` mean the same to a reader.

use super::redact::redact;
use super::values::Done;
use crate::types::{Pico, UsageSource};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Texts from outside are cut after this many bytes.
const LONGEST_TEXT: usize = 1_024;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object.
    Json,
    /// `name=value` pairs for people.
    Text,
}

/// The time of a line, in RFC 3339 with microseconds. Keeps the text of the
/// second it last saw, because thousands of lines share it.
#[derive(Clone, Debug)]
pub struct Stamp {
    second: u64,
    text: String,
    micros: u32,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { second: u64::MAX, text: String::new(), micros: 0 }
    }
}

impl Stamp {
    /// Takes the machine's time.
    pub fn now(&mut self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.set(since.as_secs(), since.subsec_micros());
    }

    fn set(&mut self, second: u64, micros: u32) {
        self.micros = micros;
        if self.second == second {
            return;
        }
        self.second = second;
        let time = i64::try_from(second).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
        self.text = time.unwrap_or_default().to_string();
        self.text.truncate("2026-01-01T00:00:00".len());
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.as_bytes());
        out.push(b'.');
        padded(out, u64::from(self.micros), 6);
        out.push(b'Z');
    }
}

/// Appends the request's line and a line feed.
pub fn request_line(done: &Done, format: Format, stamp: &Stamp, out: &mut Vec<u8>) {
    match format {
        Format::Json => {
            out.extend_from_slice(b"{\"timestamp\":\"");
            stamp.write(out);
            out.extend_from_slice(b"\",\"level\":\"INFO\",\"target\":\"request\"");
        }
        Format::Text => {
            stamp.write(out);
            out.extend_from_slice(b"  INFO request:");
        }
    }
    let mut line = Line { out, format };
    who(&mut line, done);
    what(&mut line, done);
    how(&mut line, done);
    if format == Format::Json {
        out.push(b'}');
    }
    out.push(b'\n');
}

fn who(line: &mut Line, done: &Done) {
    let mut id = uuid::Uuid::encode_buffer();
    line.plain("request_id", done.id.0.as_simple().encode_lower(&mut id));
    line.plain("op", done.op.name());
    line.outside("model", &done.model);
    line.filled("provider", &done.provider);
    line.outside("upstream_model", &done.upstream_model);
    line.filled("credential", &done.credential);
    line.filled("key", &done.key);
    line.filled("tenant", &done.tenant);
    line.address(done);
    line.filled("dialect_in", done.dialect_in);
    line.filled("dialect_out", done.dialect_out);
}

fn what(line: &mut Line, done: &Done) {
    line.number("status", u64::from(done.status));
    line.filled("outcome", done.outcome);
    line.filled("error", done.error);
    line.outside("detail", &done.detail);
    line.flag("stream", done.stream);
    line.number("input_tokens", done.usage.input_tokens());
    line.number("cache_read_tokens", done.usage.cache_read);
    line.number("output_tokens", done.usage.output_tokens());
    line.number("reasoning_tokens", done.usage.reasoning);
    let source = match done.usage_source {
        UsageSource::Provider => "provider",
        UsageSource::Estimated => "estimated",
        UsageSource::None => "none",
    };
    line.plain("usage_source", source);
    if let Some(cost) = done.cost {
        line.money("cost_usd", cost);
    }
}

fn how(line: &mut Line, done: &Done) {
    if let Some(time) = done.first_token {
        line.millis("first_token_ms", time);
    }
    line.millis("duration_ms", done.duration);
    line.number("overhead_us", micros(done.phases.overhead()));
    line.number("attempts", u64::from(done.attempts));
    line.number("retries", u64::from(done.retries));
    line.number("fallbacks", u64::from(done.fallbacks));
    line.plain("cache", done.cache.name());
    line.number("request_bytes", done.request_bytes);
    line.number("response_bytes", done.response_bytes);
    line.list("tags", &done.tags);
}

/// Writes fields in one of the two forms.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
}

impl Line<'_> {
    fn name(&mut self, name: &str) {
        let (before, after): (&[u8], &[u8]) = match self.format {
            Format::Json => (b",\"", b"\":"),
            Format::Text => (b" ", b"="),
        };
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(after);
    }

    /// A text of our own that needs no escaping.
    fn plain(&mut self, name: &str, text: &str) {
        self.name(name);
        if self.format == Format::Text {
            return self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// Any text; nothing when empty.
    fn filled(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.name(name);
        self.value(text);
    }

    /// A text that somebody else wrote: cut, and looked through for secrets.
    fn outside(&mut self, name: &str, text: &str) {
        let end = text.floor_char_boundary(LONGEST_TEXT);
        self.filled(name, &redact(text.get(..end).unwrap_or_default()));
    }

    fn value(&mut self, text: &str) {
        let bare = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'=' | b'\\' | b',');
        if self.format == Format::Text && text.bytes().all(bare) {
            return self.out.extend_from_slice(text.as_bytes());
        }
        quoted(self.out, text);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        integer(self.out, value);
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Milliseconds with three decimals, from whole microseconds: no float has a part in it.
    fn millis(&mut self, name: &str, time: std::time::Duration) {
        self.name(name);
        let micros = micros(time);
        integer(self.out, micros / 1_000);
        self.out.push(b'.');
        padded(self.out, micros % 1_000, 3);
    }

    fn money(&mut self, name: &str, amount: Pico) {
        self.name(name);
        let quote: &[u8] = if self.format == Format::Json { b"\"" } else { b"" };
        self.out.extend_from_slice(quote);
        decimal(self.out, amount);
        self.out.extend_from_slice(quote);
    }

    fn address(&mut self, done: &Done) {
        let Some(address) = done.address else { return };
        self.name("address");
        let quote: &[u8] = if self.format == Format::Json { b"\"" } else { b"" };
        self.out.extend_from_slice(quote);
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{address}");
        self.out.extend_from_slice(quote);
    }

    fn list(&mut self, name: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.name(name);
        let (open, close): (&[u8], &[u8]) = match self.format {
            Format::Json => (b"[", b"]"),
            Format::Text => (b"", b""),
        };
        self.out.extend_from_slice(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(item);
        }
        self.out.extend_from_slice(close);
    }
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The same text as `Pico`'s `Display`, without its allocations.
fn decimal(out: &mut Vec<u8>, amount: Pico) {
    const PER_UNIT: u128 = 1_000_000_000_000;
    let magnitude = amount.0.unsigned_abs();
    let (Ok(whole), Ok(fraction)) =
        (u64::try_from(magnitude / PER_UNIT), u64::try_from(magnitude % PER_UNIT))
    else {
        let _ = write!(out, "{amount}");
        return;
    };
    if amount.0 < 0 {
        out.push(b'-');
    }
    integer(out, whole);
    if fraction > 0 {
        out.push(b'.');
        padded(out, fraction, 12);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

fn integer(out: &mut Vec<u8>, value: u64) {
    padded(out, value, 1);
}

/// Decimal digits, at least `width` (at most 20).
fn padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        if value == 0 && used >= width {
            break;
        }
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// A JSON string: quotes, backslashes and control characters escaped, the rest as it is.
fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Without an early exit, so that the compiler looks at many bytes at once.
    if text.bytes().fold(true, |plain, byte| plain & !needs_escape(byte)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text);
    }
    out.push(b'"');
}

/// DEL is legal in JSON, but a terminal acts on it.
fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.extend_from_slice(text.as_bytes().get(plain..at).unwrap_or_default());
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(text.as_bytes().get(plain..).unwrap_or_default());
}

#[cfg(test)]
mod tests;
