//! Dialects: bytes in, meaning out, and back. Only here is vendor JSON known.

pub mod anthropic;
pub mod gemini;
pub mod json;
pub mod multipart;
pub mod openai;
pub mod openai_chat;
pub mod openai_responses;
pub mod sse;
pub mod translate;
