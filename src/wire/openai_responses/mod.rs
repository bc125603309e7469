//! OpenAI's Responses: callers of `/v1/responses` reach any vendor.
//!
//! Requests come in and answers go out through the canonical conversation;
//! towards a vendor that has the same door a body passes as it came, and the
//! events are only looked at. What a conversation has said before is put into
//! `input` by [`expand`], so that no vendor needs to remember it.

mod delta_in;
mod echo;
mod error;
mod expand;
mod item_in;
mod items;
mod listing;
mod native;
mod parts;
mod request_in;
mod response_out;
mod stream_in;
mod stream_out;
mod unfinished;
mod usage;

pub use echo::Asked;
pub use error::{error_event, error_event_at};
pub use expand::{Front, expand};
pub use items::response_id;
pub use listing::{Page, deleted, input_items, token_count};
pub use native::{ForVendor, for_vendor};
pub use parts::{id_of, ids_of, output_of, thoughts_of};
pub use request_in::request_in;
pub use response_out::response_out;
pub use stream_in::{Final, StreamReader, final_of};
pub use stream_out::StreamWriter;
pub use unfinished::Unfinished;
pub use usage::usage_in;

#[cfg(test)]
mod tests;
