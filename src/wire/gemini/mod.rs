//! Google's Gemini, from the canonical conversation and back: `generateContent`,
//! its stream, and embeddings.
//!
//! Only the vendor's side: callers do not speak this dialect to the hub. What a
//! model of the family takes is in [`model_traits`].

mod citation;
mod embed;
mod logprobs;
mod media_out;
mod part_in;
mod part_out;
mod path;
mod request_out;
mod response_in;
mod result_out;
mod stream_in;
mod thinking;
mod traits;
mod usage;

pub use embed::{EmbedPlan, Encoding, embed_in, embed_out};
pub use path::{Method, path};
pub use request_out::request_out;
pub use response_in::response_in;
pub use stream_in::StreamReader;
pub use traits::model_traits;

#[cfg(test)]
mod tests;
