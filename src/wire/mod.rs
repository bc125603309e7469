//! Dialects: bytes in, meaning out, and back. Only here is vendor JSON known.

pub mod aigne;
pub mod anthropic;
pub mod bedrock;
pub mod embed;
pub mod gemini;
pub mod images;
pub mod json;
pub mod multipart;
pub mod ollama;
pub mod openai;
pub mod openai_chat;
pub mod openai_responses;
mod received;
pub mod sse;
mod tail;
pub mod translate;
pub mod transport;
pub mod video;
