//! Configuration: what a file may say (`raw`), and what the hub runs on
//! ([`Snapshot`]). Only here is the environment read.

mod snapshot;

pub use snapshot::*;
