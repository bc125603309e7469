//! OpenAI's chat completions, to and from the canonical conversation.
//!
//! `wire::openai` forwards this dialect; here it is translated, for the case
//! that the other side speaks another one. Serves every vendor that speaks
//! the dialect; what a vendor or model does not take is in its traits.

mod delta_in;
mod draw;
mod message_in;
mod message_out;
mod reasoning;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod stream_in;
mod stream_out;
mod tail;
mod traits;

pub use draw::{draw_in, draw_out};
pub use request_in::request_in;
pub(in crate::wire) use request_in::{Choice, Format, Function, Stop};
pub use request_out::request_out;
pub use response_in::response_in;
pub use response_out::{response_out, write_answer, write_calls, write_usage};
pub use stream_in::StreamReader;
pub use stream_out::{StreamOptions, StreamWriter};
pub use tail::{notice, too_long};
pub use traits::model_traits;

#[cfg(test)]
pub(super) mod tests;
