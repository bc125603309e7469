//! Amounts per period, of anything: what a quota counts ([`Rule`]), how much it
//! allows ([`Terms`]), the live counter ([`Meter`]), and what of it can be
//! written down ([`Tally`]).

mod meter;
mod period;
mod rolling;
mod rule;
mod tally;
#[cfg(test)]
mod tests;

pub(super) use meter::Place;
pub use meter::{Crossed, Meter, Use};
pub use rule::{Counted, Cycle, Enforce, Measure, Rule, Span, Terms};
pub use tally::{Counter, Tally};
