//! The end that the hub itself gives a stream which its vendor would have gone
//! on with: what is to be said, for the dialects to say it.

use crate::types::Usage;

/// What a dialect needs to end a stream of which it knows nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Tail<'a> {
    /// The request's id.
    pub id: &'a str,
    /// Seconds since the epoch.
    pub created: i64,
    /// The model that answered.
    pub model: &'a str,
    /// Is it a text completion, the older endpoint?
    pub completion: bool,
    /// Answers in the stream, each of which ends.
    pub choices: u64,
    /// What was used, if the stream is to say so.
    pub usage: Option<&'a Usage>,
}
