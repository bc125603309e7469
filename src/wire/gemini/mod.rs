//! Google's Gemini, to and from the canonical conversation: `generateContent`,
//! its stream, embeddings, and pictures.
//!
//! Both ways round, but for embeddings and pictures, which callers ask for in OpenAI's words. What
//! a model of the family takes is in [`model_traits`].

mod citation;
mod config_in;
mod delta_in;
mod draw;
mod embed;
mod error;
mod logprobs;
mod media_out;
mod part_in;
mod part_out;
mod path;
mod received;
mod request_in;
mod request_out;
mod response_in;
mod response_out;
mod result_out;
mod said_out;
mod stream_in;
mod stream_out;
mod tail;
mod thinking;
mod traits;
mod usage;

pub use super::embed::{EmbedPlan, Encoding};
pub use draw::{draw_in, draw_out, draw_path, draw_usage};
pub use embed::{embed_in, embed_out, embed_usage};
pub use error::{error_body, error_event};
pub use path::{Method, path};
pub use received::{List, as_sent, chat_received, count_received, count_told, embed_received, embed_told};
pub use request_in::request_in;
pub use request_out::request_out;
pub use response_in::{response_in, usage_in};
pub use response_out::response_out;
pub use stream_in::StreamReader;
pub use stream_out::StreamWriter;
pub use tail::too_long;
pub use traits::model_traits;

#[cfg(test)]
mod tests;
