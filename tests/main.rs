//! The behaviour of the hub, seen from outside: the real binary between a
//! scripted vendor and a client that sees every byte. One module for each
//! paragraph of what the product promises.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, that something is missing is the finding, and a panic is how it is told"
)]

mod support;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

mod access;
mod aigne;
mod anthropic;
mod bedrock;
mod bodies;
mod buying;
mod cache;
mod catalogue;
mod choosing;
mod commands;
mod control;
mod cors;
mod dialects;
mod endpoints;
mod field_policy;
mod fuzz;
mod gemini;
mod google;
mod ledger;
mod lifecycle;
mod lifecycle_upgrade;
mod metrics;
mod notices;
mod oauth;
mod ollama;
mod quotas;
mod responses;
mod run;
mod streams;
mod tokens;
mod usage;
mod videos;
mod wallet;

mod ai_sdk;
mod inference;
mod sdk;

mod harness;
mod images;
mod import;
mod tidy;
