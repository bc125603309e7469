//! What the fuzzers run: for each parser a function that takes any bytes, reads them,
//! and asserts what has to hold whatever they are. Called by the test run with mutated
//! corpora, and by `cargo fuzz` where there is a nightly compiler.

pub mod dialects;
pub mod streams;
