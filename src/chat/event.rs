//! An answer as it arrives.

use super::{Citation, Delta, Finish, Part, Signature};
use crate::error::{Failure, Result};
use crate::types::Usage;

/// One step of an answer. A stream has one answer: `n` above 1 is not translated in streams.
///
/// Parts come one after the other. A delta belongs to the open part of its
/// kind; where none is open it opens one, so `PartStart` is only needed to
/// begin a second part of the kind that is open. Calls of tools are numbered
/// from 0 in the order they start, whatever numbers the dialect has for them.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins. Comes once and first; a dialect that never says it
    /// (Bedrock has no id) makes it up from what it knows.
    Start {
        /// The vendor's id; may be empty.
        id: String,
        /// The model that answers; may be empty.
        model: String,
        /// Seconds since the Unix epoch, if the vendor says.
        created: Option<i64>,
    },
    /// A new part of this kind begins, also if one of the same kind is open.
    PartStart(PartKind),
    /// More text. Never empty.
    TextDelta(String),
    /// More of a refusal. Never empty.
    RefusalDelta(String),
    /// More thoughts. Never empty.
    ThinkingDelta(String),
    /// The signature of the open thoughts; of several, each appends.
    SignatureDelta(Signature),
    /// A call of a tool begins.
    ToolCallStart {
        /// Its number, from 0.
        index: usize,
        /// Its id; never empty, unique in the answer.
        id: String,
        /// The tool.
        name: String,
        /// What has to come back with it.
        signature: Option<Signature>,
    },
    /// More of a call's arguments. Deltas of two calls may alternate.
    ToolCallDelta {
        /// The call.
        index: usize,
        /// JSON text; never empty.
        fragment: String,
    },
    /// A call's arguments are whole. If there was no delta, they are `{}`, and it
    /// is the [`StreamOut`] that writes so. A dialect that cannot tell says it before [`Event::Finish`].
    ToolCallEnd {
        /// The call.
        index: usize,
    },
    /// A part that comes whole: a picture, redacted thoughts, a part only its dialect knows.
    Part(Part),
    /// The open text cites this.
    Citation(Citation),
    /// Usage so far. A later one replaces an earlier one; it may come before or after `Finish`.
    Usage(Usage),
    /// Why the answer ended. Once; no content after it.
    Finish(Finish),
    /// The vendor is alive and has nothing to say.
    Ping,
    /// The vendor reports that it failed; nothing follows. The proxy judges it and ends
    /// the caller's stream by [`StreamOut::fail`].
    Error(StreamError),
    /// The vendor says that the stream is over. Once and last.
    End,
}

/// What kind of part begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Text.
    Text,
    /// A refusal.
    Refusal,
    /// Thoughts.
    Thinking,
}

/// A vendor's error amid a stream, before anyone has judged it. The texts may
/// hold secrets and go to no caller as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamError {
    /// What the vendor says.
    pub message: String,
    /// `type`, Google's `status`, or Bedrock's exception.
    pub kind: Option<String>,
    /// `code`, also when it is a number.
    pub code: Option<String>,
    /// The field the vendor complains about.
    pub param: Option<String>,
}

/// Reads a vendor's stream. One for each stream; does no I/O.
pub trait StreamIn: Send {
    /// Takes one event of the transport and appends what it means. `name` is
    /// the `event:` field of server-sent events or the `:event-type` of AWS frames; `data` the
    /// payload without framing. Called for each event in order, not for comments. After an
    /// [`Event::Error`] everything is ignored.
    ///
    /// # Errors
    /// [`crate::error::Kind::VendorMalformed`] when the data cannot be read.
    fn feed(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) -> Result<()>;

    /// Takes an event that says one [`Delta`] and nothing else, without a copy. `None`: it says
    /// something else, or it is easier read whole; then nothing has happened, and `feed` is called
    /// with the same event. What it gives is what `feed` would have given. A dialect need not offer it.
    fn delta<'a>(&mut self, name: Option<&[u8]>, data: &'a [u8]) -> Option<Delta<'a>> {
        let _ = (name, data);
        None
    }

    /// The vendor closed the stream. Called once, after the last `feed`; appends
    /// what was still owed ([`Event::End`] for a stream that was complete without saying so).
    ///
    /// # Errors
    /// [`crate::error::Kind::VendorCut`] when neither an end nor a reason for it
    /// was seen. The caller's stream then ends by [`StreamOut::fail`], never by a stop.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<()>;

    /// The number of an event that would follow the last one, in a dialect that
    /// numbers its events (Responses). For an error behind events that were passed on as they came.
    fn next_number(&self) -> u64 {
        0
    }
}

/// Writes a caller's stream. One for each stream; does no I/O.
pub trait StreamOut: Send {
    /// Appends the bytes of one event, framing included; some events are
    /// written later together with others, and some never. [`Event::End`] writes whatever closes the stream.
    /// [`Event::Error`] writes nothing: it has to be judged first.
    fn emit(&mut self, event: &Event, out: &mut Vec<u8>);

    /// Appends the bytes of a delta, whose usage is emitted afterwards by itself: the
    /// same bytes as [`StreamOut::emit`] of its event, and a dialect may have a shorter way to them.
    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        self.emit(&delta.event(), out);
    }

    /// Appends the error event that ends the stream in place of [`Event::End`].
    fn fail(&mut self, failure: &Failure, out: &mut Vec<u8>);

    /// Why the stream ended in an error although the vendor ended it well: the answer is not what
    /// the caller asked for. Asked after [`Event::End`].
    fn refusal(&mut self) -> Option<Failure> {
        None
    }
}
