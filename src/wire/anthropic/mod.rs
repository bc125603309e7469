//! Anthropic's Messages, to and from the canonical conversation.
//!
//! Both ways round: callers of `/v1/messages` reach any vendor, and any caller
//! reaches Claude. What a model of the family takes is in [`model_traits`].

mod block_in;
mod block_out;
mod count;
mod delta_in;
mod error;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod stream_in;
mod stream_out;
mod thinking;
mod traits;
mod usage;

pub use count::{count_tokens_body, count_tokens_in, count_tokens_out};
pub use error::{error_body, error_event};
pub use request_in::request_in;
pub use request_out::request_out;
pub use response_in::{response_in, usage_in};
pub use response_out::response_out;
pub use stream_in::StreamReader;
pub use stream_out::StreamWriter;
pub(in crate::wire) use thinking::{Plan, is_signed, plan_within};
pub use traits::model_traits;

#[cfg(test)]
mod tests;
