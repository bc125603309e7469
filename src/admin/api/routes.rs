//! The API as one table. What may be called, by whom, what it takes and gives:
//! dispatch, permissions, the OpenAPI document and the tests come from here.
//! A path that is not here is not answered.

#[macro_use]
mod row;
mod billing;
mod bodies;
mod history;
mod notices;
mod oauth;
mod prices;
mod quotas;
mod sign_in;
mod table;
mod upstream;
mod usage;

pub use table::routes;

use super::call::{Call, Reply};
use super::problem::Problem;
use crate::control::Permission;
use schemars::{Schema, SchemaGenerator};

/// Who may call.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Everybody; the handler looks for itself.
    Open,
    /// Whoever is known.
    Known,
    /// Who has at least one of these, wherever.
    Any(&'static [Permission]),
}

/// What the answer holds.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Nothing (204).
    Nothing,
    /// One thing of the kind (200).
    One(fn(&mut SchemaGenerator) -> Schema),
    /// One thing that was made (201).
    Made(fn(&mut SchemaGenerator) -> Schema),
    /// A page of them.
    Page(fn(&mut SchemaGenerator) -> Schema),
    /// Some other object.
    Object,
    /// JSON lines, or CSV.
    Lines,
    /// Some object; or, where the query asks for it, the same in one of these media types.
    Either(&'static [&'static str]),
    /// A page for people, or a way to another one.
    Html,
}

/// One row.
pub struct Route {
    /// `GET`, …
    pub method: &'static str,
    /// From the root of the API on; `{id}` stands for one segment.
    pub path: &'static str,
    /// What it is called in the audit log and in the OpenAPI document.
    pub action: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Who may call it.
    pub access: Access,
    /// What it takes: the schema of the body, if there is one.
    pub body: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// Fields that are taken besides those of the body's type: name and whether they must be there.
    pub extra: &'static [&'static str],
    /// What the query may say.
    pub query: &'static [&'static str],
    /// What else it may say: by what things are chosen.
    pub chosen: &'static [&'static str],
    /// What it gives.
    pub answer: Answer,
    /// What answers.
    pub handler: fn(&Call<'_>) -> Result<Reply, Problem>,
}

impl Route {
    /// All that the query may say.
    pub fn asked_by(&self) -> impl Iterator<Item = &'static str> {
        self.query.iter().chain(self.chosen).copied()
    }
}

/// Does the path fit the row's? Then what stands for `{id}`.
pub fn fits<'p>(route: &Route, path: &'p str) -> Option<&'p str> {
    let (mut wanted, mut asked) = (route.path.split('/'), path.split('/'));
    let mut id = "";
    loop {
        match (wanted.next(), asked.next()) {
            (None, None) => return Some(id),
            (Some("{id}"), Some(segment)) if !segment.is_empty() => id = segment,
            (Some(own), Some(segment)) if own == segment => {}
            _ => return None,
        }
    }
}
