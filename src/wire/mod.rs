//! Dialects: bytes in, meaning out, and back. Only here is vendor JSON known.

pub mod json;
pub mod multipart;
pub mod openai;
pub mod sse;
