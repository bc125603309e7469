//! A vendor's numbers, and the hub's disjoint buckets.

use crate::types::{Op, Usage};
use crate::wire::json::{Kind, Reader, Syntax};

/// How a vendor's usage numbers nest. A column of the vendor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// `cached` is part of `prompt_tokens`, `reasoning` of `completion_tokens` (OpenAI and most).
    Inclusive,
    /// `reasoning` is not part of `completion_tokens`; `cached` is (xAI; told apart by `total_tokens`).
    ReasoningApart,
}

/// The numbers as the vendor names them; `None` where it has said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_written: Option<u64>,
    audio_input: Option<u64>,
    audio_output: Option<u64>,
    reasoning: Option<u64>,
    milliseconds: Option<u64>,
}

impl Counts {
    /// Takes any value; an object is read as a `usage`. Numbers that were
    /// already there are replaced, because vendors that repeat them count up;
    /// but not by zero. Gives whether the value was an object.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Result<bool, Syntax> {
        if reader.kind()? != Kind::Object {
            reader.skip()?;
            return Ok(false);
        }
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            let slot = match key.raw {
                b"prompt_tokens" | b"input_tokens" => &mut self.input,
                b"completion_tokens" | b"output_tokens" => &mut self.output,
                b"total_tokens" => &mut self.total,
                b"prompt_cache_hit_tokens" | b"cached_tokens" => &mut self.cached,
                b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details" => {
                    self.read_details(reader, true)?;
                    continue;
                }
                b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details" => {
                    self.read_details(reader, false)?;
                    continue;
                }
                b"seconds" => {
                    self.read_seconds(reader)?;
                    continue;
                }
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            take(slot, reader.count_or_skip()?);
        }
        Ok(true)
    }

    fn read_details(&mut self, reader: &mut Reader<'_>, of_input: bool) -> Result<(), Syntax> {
        if reader.kind()? != Kind::Object {
            return reader.ignore();
        }
        reader.enter_object()?;
        while let Some(key) = reader.key()? {
            let slot = match (key.raw, of_input) {
                (b"cached_tokens", true) => &mut self.cached,
                (b"cache_write_tokens" | b"cache_creation_tokens", true) => &mut self.cache_written,
                (b"audio_tokens", true) => &mut self.audio_input,
                (b"audio_tokens", false) => &mut self.audio_output,
                (b"reasoning_tokens", false) => &mut self.reasoning,
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            take(slot, reader.count_or_skip()?);
        }
        Ok(())
    }

    /// Takes any value; a number, or a text that is one, is a length in seconds.
    pub(super) fn read_seconds(&mut self, reader: &mut Reader<'_>) -> Result<(), Syntax> {
        let seconds = reader.decimal_or_skip()?.filter(|seconds| *seconds >= 0.0);
        take(&mut self.milliseconds, seconds.map(|seconds| (seconds * 1000.0).ceil() as u64));
        Ok(())
    }

    /// The buckets; `None` when there are no numbers, or only zeros, which no
    /// answered request has.
    pub(super) fn usage(&self, counting: Counting) -> Option<Usage> {
        let input = self.input.or(self.total).unwrap_or(0);
        let total = self.total.unwrap_or(0);
        let visible = self.output.unwrap_or(total.saturating_sub(input));
        let (output, reasoning) = match counting {
            Counting::Inclusive => part(visible, self.reasoning),
            Counting::ReasoningApart => self.reasoning_apart(input, visible),
        };
        let (output, audio_output) = part(output, self.audio_output);
        let (input, cache_read) = part(input, self.cached);
        let (input, cache_write_5m) = part(input, self.cache_written);
        let (input, audio_input) = part(input, self.audio_input);
        let usage = Usage {
            input,
            cache_read,
            cache_write_5m,
            output,
            reasoning,
            audio_input,
            audio_output,
            milliseconds: self.milliseconds.unwrap_or(0),
            ..Usage::default()
        };
        (usage != Usage::default()).then_some(usage)
    }

    /// Output and reasoning when the first should not hold the second. The
    /// total says how it is: a vendor may change its mind. Where reasoning is
    /// not reported it is what the total has too much.
    fn reasoning_apart(&self, input: u64, output: u64) -> (u64, u64) {
        let both = input.saturating_add(output);
        match (self.reasoning, self.total) {
            (Some(_), Some(total)) if total == both => part(output, self.reasoning),
            (Some(reasoning), _) => (output, reasoning),
            (None, Some(total)) => (output, total.saturating_sub(both)),
            (None, None) => (output, 0),
        }
    }
}

fn take(slot: &mut Option<u64>, number: Option<u64>) {
    match number {
        Some(number) if number > 0 || slot.is_none() => *slot = Some(number),
        _ => {}
    }
}

/// Splits a part off a whole, which may not be more than the whole.
fn part(whole: u64, part: Option<u64>) -> (u64, u64) {
    let part = part.unwrap_or(0).min(whole);
    (whole - part, part)
}

/// Usage of a whole answer; `None` when it reports none. `requests` is left 0.
pub fn usage(op: Op, counting: Counting, body: &[u8]) -> Option<Usage> {
    let mut counts = Counts::default();
    let mut images = 0;
    read_answer(op, body, &mut counts, &mut images).ok()?;
    let usage = counts.usage(counting);
    match images {
        0 => usage,
        _ => Some(Usage { images, ..usage.unwrap_or_default() }),
    }
}

fn read_answer(op: Op, body: &[u8], counts: &mut Counts, images: &mut u64) -> Result<(), Syntax> {
    let mut reader = Reader::new(body);
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match (key.raw, op) {
            (b"usage", _) => _ = counts.read(&mut reader)?,
            (b"data", Op::ImageGeneration | Op::ImageEdit) => *images = count_elements(&mut reader)?,
            (b"duration", Op::Transcription) => counts.read_seconds(&mut reader)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn count_elements(reader: &mut Reader<'_>) -> Result<u64, Syntax> {
    if reader.kind()? != Kind::Array {
        return reader.skip().map(|_| 0);
    }
    reader.enter_array()?;
    let mut elements = 0;
    while reader.element()? {
        reader.skip()?;
        elements += 1;
    }
    Ok(elements)
}

#[cfg(test)]
mod tests;
