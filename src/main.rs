//! The `aigne-hub` binary.

fn main() {}
