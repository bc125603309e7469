//! The API of the control plane: one table of routes, one way in.

mod billing;
mod bodies;
mod call;
mod clients;
mod consents;
mod crud;
mod dispatch;
mod export;
mod file;
mod health;
mod history;
mod http;
mod keys;
mod log;
mod meta;
mod notices;
mod one_time;
mod openapi;
mod page;
mod people;
mod pour;
mod prices;
mod problem;
mod quotas;
mod routes;
mod sign_in;
mod totp;
mod usage;
mod vendors;
mod webhooks;

pub use call::{Incoming, Reply};
pub use dispatch::{ROOT, answer, answer_operator};
pub use openapi::document;
pub use pour::Pour;
pub use problem::Problem;
pub use routes::{Access, Route, routes};

pub(super) use dispatch::{by_session, from_the_same_site, pairs};
pub use http::Visitor;
pub(super) use http::{from_where, handle, of_problem};

#[cfg(test)]
mod tests;
