//! What others ask of the writer thread, and what it shows them.

use super::disk::Row;
use super::handover::Heritage;
use super::journal::{Journal, Kept};
use super::options::{Reach, StoreError};
use super::quotas::CountBy;
use super::retention::{Carry, Doomed};
use crate::ledger::Spending;
use crate::ledger::wallet::{Balances, Done, Operation};
use crate::limit::Tally;
use crate::types::{KeyId, RequestId};
use ahash::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The way back from the writer to a thread that waits.
pub(super) type Reply<T> = SyncSender<Result<T, StoreError>>;

/// What a thread may ask of the writer. Answered between groups; refused while
/// the disk refuses.
pub(super) enum Command {
    /// Writes rows of the state tree, durably.
    Put(Vec<Row>, Reply<()>),
    /// Reads a row.
    Get(Vec<u8>, Reply<Option<Vec<u8>>>),
    /// Reads the values of all rows with a prefix.
    Rows(&'static [u8], Reply<Vec<Vec<u8>>>),
    /// Writes rows of the control tree, durably.
    PutControl(Vec<Row>, Reply<()>),
    /// Writes rows of the usage tree, durably.
    PutUsage(Vec<Row>, Reply<()>),
    /// The journal as far as it is on disk, for who follows it.
    Follow(Reply<Followed>),
    /// What each key spent.
    Spent(Reply<HashMap<KeyId, Spending>>),
    /// Names of the quotas that are counted, and what their counters have come to.
    Tallies(Reply<(std::collections::HashSet<String>, std::collections::HashMap<String, Tally>)>),
    /// Counts by other quotas from now on; says what their counters have come to.
    CountBy(Box<CountBy>, Reply<std::collections::HashMap<String, Tally>>),
    /// What each wallet has.
    Balances(Reply<Balances>),
    /// Was any of these operations done?
    WasDone(Vec<Arc<str>>, Reply<bool>),
    /// Does something to a wallet, once; says whether it was this time.
    Operate(Box<Operation>, Reply<(Done, bool)>),
    /// What dead processes left, once.
    Inherit(Reply<Heritage>),
    /// Gives the books to another process; entries go to a spool from now on.
    HandOver(Reply<()>),
    /// Takes them back from a process that is gone.
    TakeBack(Reply<()>),
    /// A look at the books as they are now.
    Look(Reply<Look>),
    /// Which days before this one, and up to which batch, may go.
    Doom(i64, Reach, u64, Reply<Option<Doomed>>),
    /// Drops them, and keeps what wallets had; gives how many.
    DropDays(Box<Doomed>, Option<Box<Carry>>, Reply<u64>),
}

/// The books at one moment, readable beside the writer.
pub(super) struct Look {
    pub(super) journal: Journal,
    /// The last batch that counts.
    pub(super) through: u64,
    /// The last batch that must be there.
    pub(super) promised: u64,
    pub(super) in_flight: HashSet<RequestId>,
    pub(super) spending: HashMap<KeyId, Spending>,
    pub(super) kept: Kept,
    pub(super) balances: Balances,
}

/// The journal beside the writer.
pub(super) struct Followed {
    pub(super) journal: Journal,
    /// The last batch that is on disk.
    pub(super) through: u64,
    pub(super) kept: Kept,
}

impl Command {
    /// Who asked may have gone; that is not our business.
    pub(super) fn refuse(self, why: &str) {
        let error = StoreError::Write(why.to_owned());
        match self {
            Command::Put(_, reply) | Command::PutControl(_, reply) | Command::PutUsage(_, reply) => {
                drop(reply.send(Err(error)));
            }
            Command::Follow(reply) => drop(reply.send(Err(error))),
            Command::Get(_, reply) => drop(reply.send(Err(error))),
            Command::Rows(_, reply) => drop(reply.send(Err(error))),
            Command::Spent(reply) => drop(reply.send(Err(error))),
            Command::Tallies(reply) => drop(reply.send(Err(error))),
            Command::CountBy(_, reply) => drop(reply.send(Err(error))),
            Command::Balances(reply) => drop(reply.send(Err(error))),
            Command::WasDone(_, reply) => drop(reply.send(Err(error))),
            Command::Operate(_, reply) => drop(reply.send(Err(error))),
            Command::Inherit(reply) => drop(reply.send(Err(error))),
            Command::HandOver(reply) | Command::TakeBack(reply) => drop(reply.send(Err(error))),
            Command::Look(reply) => drop(reply.send(Err(error))),
            Command::Doom(_, _, _, reply) => drop(reply.send(Err(error))),
            Command::DropDays(_, _, reply) => drop(reply.send(Err(error))),
        }
    }

    /// Can it be answered only while the books are ours?
    pub(super) fn needs_disk(&self) -> bool {
        use Command::{
            Balances, CountBy, Doom, DropDays, Follow, Get, HandOver, Inherit, Look, Operate, Put,
            PutControl, PutUsage, Rows, Spent, TakeBack, Tallies, WasDone,
        };
        match self {
            Put(..) | PutControl(..) | PutUsage(..) | Get(..) | Rows(..) => true,
            Look(_) | Follow(_) | Doom(..) | DropDays(..) | Operate(..) | CountBy(..) => true,
            Spent(_) | Tallies(_) | Balances(_) | WasDone(..) | Inherit(_) | HandOver(_) | TakeBack(_) => {
                false
            }
        }
    }
}
