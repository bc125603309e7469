//! Responses kept for later requests: by owner and id, within bounds, for a
//! time. In memory; no I/O and no clock. What is to be kept over a restart is
//! sealed here and written elsewhere.

mod memory;
mod seal;

pub use memory::{Absent, Key, Responses};
pub use seal::{Sealer, Unsealed};

use crate::types::{KeyId, TenantId, Wall};
use bytes::Bytes;
use std::sync::Arc;

/// How much is kept, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// All of it.
    pub total_bytes: usize,
    /// What one tenant has.
    pub tenant_bytes: usize,
    /// One response, with its input.
    pub entry_bytes: usize,
}

/// Who may see a response.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// Nobody outside of this tenant ever does.
    pub tenant: TenantId,
    /// The only key that may; `None`: all keys of the tenant.
    pub key: Option<KeyId>,
}

/// A response, and what it answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Whose it is.
    pub owner: Owner,
    /// Its id, as the caller knows it.
    pub id: Arc<str>,
    /// The response that it went on from.
    pub previous: Option<Arc<str>>,
    /// The caller's own items, as a JSON array, without those of earlier requests.
    pub input: Bytes,
    /// The response object, as the caller got it.
    pub response: Bytes,
    /// Its `output`, as a JSON array.
    pub output: Bytes,
    /// Ids of the items in `output`.
    pub items: Vec<Arc<str>>,
    /// When it was kept.
    pub at: Wall,
}

/// What an entry costs besides its texts: keys, pointers, places in the indexes.
const ENTRY_OVERHEAD_BYTES: usize = 512;

impl Kept {
    /// What it takes in memory, estimated.
    pub fn bytes(&self) -> usize {
        let items: usize = self.items.iter().map(|id| id.len() + 128).sum();
        ENTRY_OVERHEAD_BYTES + self.input.len() + self.response.len() + items
    }
}
