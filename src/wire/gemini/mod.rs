//! Google's Gemini, to and from the canonical conversation: `generateContent`,
//! its stream, and embeddings.
//!
//! Both ways round, but for embeddings, which callers ask for in OpenAI's words. What
//! a model of the family takes is in [`model_traits`].

mod citation;
mod config_in;
mod delta_in;
mod embed;
mod error;
mod logprobs;
mod media_out;
mod part_in;
mod part_out;
mod path;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod result_out;
mod said_out;
mod stream_in;
mod stream_out;
mod thinking;
mod traits;
mod usage;

pub use embed::{EmbedPlan, Encoding, embed_in, embed_out};
pub use error::error_body;
pub use path::{Method, path};
pub use request_in::request_in;
pub use request_out::request_out;
pub use response_in::response_in;
pub use response_out::response_out;
pub use stream_in::StreamReader;
pub use stream_out::StreamWriter;
pub use traits::model_traits;

#[cfg(test)]
mod tests;
