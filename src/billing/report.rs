//! Reports over the journal: what was earned and what it cost, what another
//! price would have made of it, and whether a vendor's own count agrees.

mod margin;
mod reconcile;
mod what_if;

pub use margin::{By, Margins};
pub use reconcile::{Columns, Counted, Vendor, compare, read_export};
pub use what_if::{Change, WhatIf};
