//! The hub's own end of a stream in Anthropic's form.

use super::stream_out::write_event;
use super::usage::write_usage;
use crate::error::Failure;
use crate::wire::tail::Tail;

/// Says in the stream why it ends: an event of a name that clients pass over.
pub fn notice(why: &Failure) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_event(&mut out, "aigne_hub", |object| {
        object.put("code", why.openai().1);
        object.put("message", why.public.as_ref());
    });
    out
}

/// Closes the block that is open, ends the message as one that is too long, and the stream.
pub fn too_long(tail: &Tail<'_>, open_block: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    if let Some(block) = open_block {
        write_event(&mut out, "content_block_stop", |object| object.put("index", &block));
    }
    write_event(&mut out, "message_delta", |object| {
        object.object("delta", |delta| {
            delta.put("stop_reason", "max_tokens");
            delta.put("stop_sequence", &());
        });
        if let Some(usage) = tail.usage {
            object.object("usage", |object| write_usage(object, usage));
        }
    });
    write_event(&mut out, "message_stop", |_| ());
    out
}

/// The block that is open after an event of this name. Blocks are numbered from 0; `begun` counts them.
pub fn open_block(name: Option<&[u8]>, open: Option<u64>, begun: &mut u64) -> Option<u64> {
    match name {
        Some(b"content_block_start") => {
            *begun += 1;
            Some(*begun - 1)
        }
        Some(b"content_block_stop") => None,
        _ => open,
    }
}
