//! The API of the control plane: one table of routes, one way in.

mod billing;
mod call;
mod crud;
mod dispatch;
mod file;
mod http;
mod keys;
mod log;
mod meta;
mod notices;
mod openapi;
mod people;
mod pour;
mod problem;
mod routes;
mod usage;
mod vendors;
mod webhooks;

pub use call::{Incoming, Reply};
pub use dispatch::{ROOT, answer, answer_operator};
pub use openapi::document;
pub use pour::Pour;
pub use problem::Problem;
pub use routes::{Access, Route, routes};

pub(super) use http::{handle, of_problem};

#[cfg(test)]
mod tests;
