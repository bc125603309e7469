//! The canonical conversation: what a chat request, its answer and its stream
//! mean, whatever dialect they are written in.
//!
//! A dialect translates to and from these types and never to another dialect,
//! so that N dialects need N translators. Everything here is owned, plain data
//! without invariants that a dialect could break by building a value; the few
//! rules that hold between fields are said where the fields are. Nothing here
//! knows how a dialect writes a field.
//!
//! A dialect's folder in `wire` offers, where it applies:
//!
//! | | |
//! |---|---|
//! | `request_in(&[u8]) -> Result<Request>` | a caller's body |
//! | `request_out(&Request, &ModelTraits, &mut Adapted) -> Result<Vec<u8>>` | a vendor's body |
//! | `response_in(&[u8]) -> Result<Response>` | a vendor's whole answer |
//! | `response_out(&Response) -> Vec<u8>` | a caller's whole answer |
//! | a type that is a [`StreamIn`] | a vendor's stream, event by event |
//! | a type that is a [`StreamOut`] | a caller's stream, event by event |

mod ability;
mod adapt;
mod build;
mod delta;
mod event;
mod fields;
mod json;
mod part;
mod request;
mod response;
mod signature;
mod traits;
mod turn;

pub use ability::{Abilities, Ability};
pub use adapt::{Adapted, Change, Fate, Field, Policy, Stance};
pub use build::{Array, Joined, Object, write_array, write_object};
pub use delta::{Delta, DeltaKind, Quoted};
pub use event::{Event, PartKind, StreamError, StreamIn, StreamOut};
pub use fields::Fields;
pub use json::{Json, MAX_DEPTH, Whole, parse};
pub use part::{
    Audio, CacheHint, Citation, Document, Image, Other, Part, Source, Text, Thinking, ToolCall, ToolResult,
    data_url, plain_text,
};
pub use request::{
    Dialect, Effort, Extra, HostedTool, Message, Output, Reasoning, Request, Role, Sampling, Show,
    ThinkingMode, Tool, ToolChoice,
};
pub use response::{Choice, Finish, Response};
pub use signature::{MAX_CALL_ID_BYTES, Origin, Signature, sign_call_id, split_call_id};
pub use traits::{MaxTokensField, ModelTraits, ReasoningHistory, ThinkingStyle};
pub use turn::{MidSystem, Speaker, ToolNames, Turn, system_texts, turns};
