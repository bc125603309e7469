//! The API of the control plane: one table of routes, one way in.

mod call;
mod clients;
mod consents;
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

pub(super) use dispatch::{by_session, from_the_same_site, pairs};
pub use http::Visitor;
pub(super) use http::{from_where, handle, of_problem};

#[cfg(test)]
mod tests;
