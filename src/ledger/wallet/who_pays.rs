//! Who pays for a request, by how it ended. The one table of it.

use crate::ledger::Outcome;

/// What a tenant pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pays {
    /// What was used: as the vendor reported it, or as the hub counted what had come.
    Usage,
    /// A configured share of what the kept answer would have cost.
    Share,
    /// Nothing.
    Nothing,
    /// The input, up to what was held.
    Input,
}

impl Pays {
    /// Every ending has one row.
    ///
    /// | ending | the tenant pays | because |
    /// |---|---|---|
    /// | answered | what was used | |
    /// | ended early for want of credits | what was used | all of it was delivered |
    /// | cut by the vendor | what had come | it was delivered; the vendor charges for it |
    /// | caller gone | what had come, the input at least once the vendor had it | else hanging up would be free |
    /// | refused, failed, every attempt in vain | nothing | nothing came |
    /// | retries and fallbacks | only the attempt that answered | others are the hub's affair |
    /// | kept answer, shared answer | `cache_hits` of the charge | no vendor took anything |
    /// | the hub died | the input | nobody knows what came of it |
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok | Outcome::OutOfFunds | Outcome::Truncated | Outcome::ClientGone => Pays::Usage,
            Outcome::UpstreamError => Pays::Nothing,
            Outcome::CacheHit | Outcome::Coalesced => Pays::Share,
            Outcome::Recovered => Pays::Input,
        }
    }
}
