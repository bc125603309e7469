//! What is known of models: limits, abilities, dates. Facts of public lists
//! are built in (`conf/models.tsv`); those of the operator come on top. Pure;
//! prices are the ledger's.
//!
//! A list seldom says what a model cannot do. So a card knows three answers
//! (yes, no, not known), and what is not known is assumed: only a plain no
//! keeps a request away from a model.

mod card;
mod day;
mod need;
mod table;
mod text;

pub use card::{Card, Life};
pub use day::Day;
pub use need::{Lack, Needs};
pub use table::Catalogue;
pub use text::{parse, write};
