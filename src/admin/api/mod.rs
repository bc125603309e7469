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
mod openapi;
mod people;
mod problem;
mod routes;
mod vendors;

pub use call::{Incoming, Reply};
pub use dispatch::{ROOT, answer, answer_operator};
pub use openapi::document;
pub use problem::Problem;
pub use routes::{Access, Route, routes};

pub(super) use http::{handle, of_problem};

#[cfg(test)]
mod tests;
