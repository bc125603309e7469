//! Usage in the words of Responses: what was cached is part of the input, and
//! thoughts are part of the output.

use crate::chat::Object;
use crate::types::{Op, Usage};
use crate::wire::openai::{self, Counting};

/// Appends the members of a usage.
pub(super) fn write_usage(object: &mut Object<'_>, usage: &Usage) {
    let (input, output) = (usage.input_tokens(), usage.output_tokens());
    object.put("input_tokens", &input);
    object.object("input_tokens_details", |details| {
        details.put("cached_tokens", &usage.cache_read);
        details.put("cache_write_tokens", &usage.cache_write_5m.saturating_add(usage.cache_write_1h));
    });
    object.put("output_tokens", &output);
    object.object("output_tokens_details", |details| details.put("reasoning_tokens", &usage.reasoning));
    object.put("total_tokens", &input.saturating_add(output));
}

/// What a vendor's whole answer used. The names are those of other answers of OpenAI's.
pub fn usage_in(body: &[u8], counting: Counting) -> Option<Usage> {
    openai::usage(Op::Chat, counting, body)
}
