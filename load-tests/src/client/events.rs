//! Reads the events of a stream as they arrive, checks that none is missing,
//! doubled or out of order, and measures how long each was on its way. Events may
//! be split anywhere. The Anthropic dialect is understood as far as the texts go,
//! because a translated stream carries the same texts.

use crate::http1::Sink;
use anyhow::{Result, bail};
use memchr::{memchr, memmem};

const OPENING_BYTES: usize = 300;

/// What has been seen of one stream.
#[derive(Debug, Default)]
pub struct StreamCheck {
    /// When the bytes being read arrived, in nanoseconds.
    arrived_ns: u64,
    /// The first bytes, to be shown if this was no stream.
    opening: Vec<u8>,
    /// A line whose end has not come yet.
    carry: Vec<u8>,
    events: u32,
    usage: bool,
    done: bool,
    first_ns: Option<u64>,
    delays: Vec<u64>,
}

impl StreamCheck {
    /// Says when the bytes read next arrived.
    pub fn arrived(&mut self, now_ns: u64) {
        self.arrived_ns = now_ns;
    }

    /// The first bytes of the body.
    pub fn opening(&self) -> &[u8] {
        &self.opening
    }

    /// When the first content event was complete.
    pub fn first_ns(&self) -> Option<u64> {
        self.first_ns
    }

    /// The delays of the events seen since the last call, in nanoseconds.
    pub fn take_delays(&mut self) -> impl Iterator<Item = u64> + '_ {
        self.delays.drain(..)
    }

    /// Checks a stream that has ended.
    pub fn finish(&self, expected: u32) -> Result<()> {
        if self.events != expected {
            bail!("{} events instead of {expected}", self.events);
        }
        if !self.done {
            bail!("stream without its end mark");
        }
        if !self.usage {
            bail!("stream without the usage that was asked for");
        }
        if !self.carry.is_empty() {
            bail!("stream ends inside a line");
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<()> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(text) = line.strip_prefix(b"data:") else { return Ok(()) };
        let text = text.trim_ascii_start();
        if self.done {
            bail!("event behind the end mark");
        }
        if let Some(at) = memmem::find(text, b"\"t=") {
            return self.content(text.get(at + 3..).unwrap_or_default());
        }
        self.usage |= memmem::find(text, b"\"usage\":{").is_some();
        self.done = text == b"[DONE]" || memmem::find(text, b"\"message_stop\"").is_some();
        if memmem::find(text, b"\"error\":{").is_some() {
            bail!(
                "error event: {}",
                String::from_utf8_lossy(text.get(..200.min(text.len())).unwrap_or_default())
            );
        }
        Ok(())
    }

    fn content(&mut self, text: &[u8]) -> Result<()> {
        let (sent_ns, rest) = number(text);
        let (number, _) = number(rest.strip_prefix(b" n=").unwrap_or_default());
        if number != u64::from(self.events) {
            bail!("event {number} where {} was due", self.events);
        }
        self.events += 1;
        self.first_ns.get_or_insert(self.arrived_ns);
        self.delays.push(self.arrived_ns.saturating_sub(sent_ns));
        Ok(())
    }
}

/// The decimal number at the start of a text, and what follows it.
fn number(text: &[u8]) -> (u64, &[u8]) {
    let mut value = 0_u64;
    let mut rest = text;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        rest = after;
    }
    (value, rest)
}

impl Sink for StreamCheck {
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        if self.opening.is_empty() {
            self.opening.extend_from_slice(bytes.get(..OPENING_BYTES.min(bytes.len())).unwrap_or_default());
        }
        let mut rest = bytes;
        while let Some(at) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at(at);
            if self.carry.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.carry);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.carry = whole;
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.carry.extend_from_slice(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"delta\":{\"content\":\"t=100 n=0 a\"}}\n\nevent: x\r\ndata: {\"content\":\"t=150 n=1\"}\r\n\r\n\
        data: {\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";

    fn read(text: &str, piece: usize) -> Result<StreamCheck> {
        let mut check = StreamCheck::default();
        check.arrived(200);
        for bytes in text.as_bytes().chunks(piece) {
            check.piece(bytes)?;
        }
        Ok(check)
    }

    #[test]
    fn events_are_the_same_for_every_split() {
        for piece in 1..=STREAM.len() {
            let mut check = read(STREAM, piece).unwrap();
            check.finish(2).unwrap();
            assert_eq!(check.take_delays().collect::<Vec<_>>(), vec![100, 50], "pieces of {piece}");
        }
    }

    #[test]
    fn lost_doubled_and_cut_events_are_refused() {
        assert!(read(&STREAM.replace("n=1", "n=2"), 50).is_err());
        assert!(read(&STREAM.replace("n=1", "n=0"), 50).is_err());
        assert!(read(STREAM, 50).unwrap().finish(3).is_err());
        assert!(read(&STREAM.replace("data: [DONE]\n\n", ""), 50).unwrap().finish(2).is_err());
        assert!(read(&STREAM.replace("\"usage\"", "\"other\""), 50).unwrap().finish(2).is_err());
        assert!(read(&format!("{STREAM}data: {{\"content\":\"t=9 n=2\"}}\n\n"), 50).is_err());
        assert!(read("data: {\"error\":{\"message\":\"x\"}}\n\n", 50).is_err());
    }
}
