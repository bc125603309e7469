//! Vendors as rows of one table, and what their answers mean for routing.

mod scrub;
mod vendors;
mod verdict;
mod wait;

pub use scrub::scrub;
pub use vendors::{Auth, Door, RESPONSES, RESPONSES_KEPT, VENDORS, Vendor, vendor};
pub use verdict::{HealthEffect, Reading, Sign, Verdict, judge, judge_error};
pub use wait::{explicit_wait, retry_after};
