//! Vendors as rows of one table, and what their answers mean for routing.

mod vendors;
mod verdict;
mod wait;

pub use vendors::{Auth, VENDORS, Vendor, vendor};
pub use verdict::{HealthEffect, Verdict, judge};
pub use wait::retry_after;
