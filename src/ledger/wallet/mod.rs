//! Wallets: credits that tenants have, hold and spend, as double entry.
//!
//! Money is kept twice. A [`Purse`] is what decides: the live balance of one
//! tenant behind one short lock, in memory. [`Balances`] is what the journal
//! says: a projection of its movements. One rule keeps the second from ever
//! promising more than there is: *money leaves the purse before the journal
//! says so, and comes back to it only after*. So whatever part of the journal
//! a crash leaves behind, no lot in it is below zero.

mod account;
mod balances;
mod hold;
mod lot;
mod movement;
mod operation;
mod purse;
mod terms;
#[cfg(test)]
mod tests;
mod wallets;
mod who_pays;

pub use account::{Account, Source, Transfer, Unit};
pub use balances::{Balances, Carried, LotBalance, MemberSpent, Misfit, Sheet, Totals};
pub use hold::{Hold, Returned};
pub use lot::{Lot, LotId};
pub use movement::{Cause, Held, Movement, Sale};
pub use operation::{Done, Operation, Task};
pub use purse::{Member, Purse, Short};
pub use terms::{Rule, Terms};
pub use wallets::{Ceded, Lease, Wallets};
pub use who_pays::Pays;
