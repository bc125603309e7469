//! The books: intents, settlements, prices, and the proof that they fit.
//! Pure: time is an argument, and writing is `store/`.
//!
//! A request that is to reach a vendor writes an [`Intent`] before and a
//! [`Settlement`] after. An intent ends exactly once; when the hub dies in
//! between, [`recovered`] says how the next start ends it. What tenants pay for
//! it moves between the accounts of [`wallet`].

mod built_in;
mod line;
mod open;
mod price;
mod price_file;
mod price_text;
mod record;
mod recovery;
mod spending;
mod table;
pub mod usage;
mod verify;
pub mod wallet;

pub use line::write_line;
pub use open::OpenIntents;
pub use price::{Price, Rates};
pub use price_text::{PriceText, TierText};
pub use record::{Charge, Intent, Outcome, Record, Settlement, Tried};
pub use recovery::recovered;
pub use spending::{Calendar, Spending, day_from_text, day_of, day_text, month_of_day, month_start};
pub use table::PriceTable;
pub use verify::{Auditor, Report};
