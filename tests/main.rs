//! The behaviour of the hub, seen from outside: the real binary between a
//! scripted vendor and a client that sees every byte. One module for each
//! paragraph of what the product promises.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, that something is missing is the finding, and a panic is how it is told"
)]

mod support;

mod access;
mod aigne;
mod anthropic;
mod bodies;
mod cache;
mod choosing;
mod commands;
mod endpoints;
mod gemini;
mod ledger;
mod lifecycle;
mod lifecycle_upgrade;
mod metrics;
mod run;
mod streams;
mod tokens;

mod inference;
mod sdk;

mod harness;
mod tidy;
