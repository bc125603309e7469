//! AIGNE Hub: a reverse proxy for LLM traffic that keeps the books.
//!
//! Modules are listed from the lowest layer to the highest. A module may import
//! only from layers above its own line here, never from a sibling on the same
//! line; `tests/tidy.rs` checks this.

// 1
pub mod error;
pub mod types;
// 2: what every dialect is translated into and out of.
pub mod chat;
// 3
pub mod wire;
// 4
pub mod provider;
pub mod tokens;
// 5: decisions. Pure; time and randomness are arguments.
pub mod access;
pub mod cache;
pub mod catalogue;
pub mod ledger;
pub mod limit;
pub mod responses;
pub mod route;
pub mod rules;
// 6
pub mod billing;
pub mod config;
pub mod fetch;
// 7: disk, telemetry, notices, and what the control plane decides.
pub mod control;
pub mod notify;
pub mod store;
pub mod telemetry;
// 8: the two planes; only here is I/O started.
pub mod admin;
pub mod proxy;
// 9: assembly.
pub mod server;
// 10: the command line, which also talks to a hub that runs.
pub mod cli;
