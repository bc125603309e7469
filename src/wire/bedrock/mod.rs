//! Amazon Bedrock: the canonical conversation to Converse and back, its binary
//! stream, and embeddings by InvokeModel. Nobody calls the hub in these words,
//! so there is only the way to the vendor.
//!
//! Names, alphabets and bounds are those of the service model that AWS
//! publishes with its own clients (`bedrock-runtime`, 2023-09-30).

mod block_in;
mod block_out;
mod delta_in;
mod embed;
mod frames;
mod ids;
mod output;
mod path;
mod request_out;
mod response_in;
mod stream_in;
mod thinking;
mod tools_out;
mod traits;
mod usage;

pub use embed::{embed_in, embed_out, embed_usage};
pub use frames::{Frame, Frames};
pub use path::{Method, path};
pub use request_out::request_out;
pub use response_in::response_in;
pub use stream_in::StreamReader;
pub use traits::model_traits;

#[cfg(test)]
mod tests;
