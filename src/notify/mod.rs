//! Notices: what the hub tells by itself, to webhooks and by e-mail, at least
//! once, in order for each subject.
//!
//! [`Notices`] takes them from anywhere without waiting. [`run`] brings them
//! out; it alone knows HTTP and SMTP. Who is told, and where rows are
//! kept, comes from [`Ties`]; nothing here knows of the control plane or of a
//! disk.

mod courier;
mod delivery;
mod mail;
mod notices;
mod outbox;
mod post;
mod sign;

pub use courier::run;
pub use delivery::{Delivery, Endpoint, Notice, Said, State, Way};
pub use notices::{Counts, Failed, Notices, Page, Ties};
pub use outbox::OUTBOX_PREFIX;
pub use sign::{SIGNATURE_HEADER, signature};

use crate::types::Wall;

/// RFC 3339 in UTC.
fn rfc3339(at: Wall) -> String {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::MAX).to_string()
}
