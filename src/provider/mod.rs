//! Vendors as rows of one table, and what their answers mean for routing.

mod scrub;
mod sign;
mod vendors;
mod verdict;
mod wait;

pub use scrub::scrub;
pub use sign::{AwsKeys, Signable};
pub use vendors::{Auth, Door, RESPONSES, RESPONSES_KEPT, Trial, VENDORS, Vendor, vendor};
pub use verdict::{HealthEffect, Reading, Sign, Verdict, judge, judge_error};
pub use wait::{explicit_wait, retry_after};
