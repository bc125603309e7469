//! The behaviour of the hub, seen from outside: the real binary between a
//! scripted vendor and a client that sees every byte. One module for each
//! paragraph of what the product promises.
#![allow(missing_docs, reason = "a test's name is its documentation")]

mod support;

mod harness;
mod inference;
mod sdk;
mod tidy;
