//! OpenAI's dialect, read without a tree: requests, answers, streams, errors.
//!
//! What the hub does not touch is never re-written, so fields it has never
//! heard of survive in both directions.

mod answer;
mod contents;
mod error;
mod event;
mod image;
mod messages;
mod needs;
mod render;
mod request;
mod stream;
mod text;
mod usage;
mod wrong;

pub use answer::answer_text;
pub use error::{VendorError, error_body, error_event, vendor_error};
pub use image::{ImageInput, images};
pub use messages::{IMAGE_TOKEN_BOUND, MEDIA_TOKEN_BOUND};
pub use render::Shape;
pub use request::{MAX_FIELDS, Member, Request};
pub use stream::{MAX_EVENT_BYTES, MAX_HELD_BYTES, Step, StreamReader};
pub use text::{MAX_TEXT_BYTES, texts};
pub use usage::{Counting, usage};
