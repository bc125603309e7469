//! Whose requests and answers are kept, and what of them.

use regex::Regex;
use std::time::Duration;

/// What is kept of one tenant's bodies.
#[derive(Clone, Debug)]
pub struct BodyPolicy {
    /// Of a hundred requests so many.
    pub percent: u8,
    /// Of one body at most.
    pub max_bytes: usize,
    /// How long.
    pub keep: Duration,
    /// What these match is replaced.
    pub patterns: Vec<Regex>,
    /// Members that are replaced: names, `*` for any.
    pub paths: Vec<Vec<String>>,
}
