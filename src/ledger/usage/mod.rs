//! Sums of settlements, by time and by what they have in common: the rows that
//! are kept, and how questions are answered from them. Pure: the rows are
//! written and read by `store`.
//!
//! A settlement becomes a [`Cell`] of its minute. From time to time the cells
//! are spread over [`Page`]s, which are added to those on disk. An answer adds
//! pages and cells, so it is the same whenever that happens.

mod calendar;
mod dimensions;
mod fold;
mod histogram;
mod measure;
mod names;
mod number;
mod page;
mod question;
mod sums;
mod views;

pub use calendar::{MOST_STEPS, NoSteps, QUARTER, Step, before, bounds, whole_quarters};
pub use dimensions::{Dimension, End, Label, OTHER, Part, Target, Who};
pub use fold::{Cell, Fold, minute_of};
pub use histogram::{ERROR_PARTS, Histogram};
pub use measure::{Figure, Measure};
pub use names::Names;
pub use page::{Half, decode_into, encode};
pub use question::{Choice, EachPage, Group, NoAnswer, Own, Pages, Question, Scope, answer};
pub use sums::{Amount, Counter, Sums, Times};
pub use views::{Grain, MINUTES_KEPT, Page, Row, Rows, Run, View, cut, spread};
