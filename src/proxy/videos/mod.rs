//! Videos: an order is a request like any other, up to the vendor's receipt.
//! From there on a task looks at what becomes of it and settles, once, by what
//! was made. What its caller asks in the meantime is not in the books.
//!
//! The id that a caller gets says where the video is (`access::Ticket`), so that
//! nothing has to be remembered for later questions, also by another process.

mod begin;
mod load;
mod look;
mod order;
mod questions;
mod running;
mod watch;

pub(super) use begin::{Begun, begun};
pub(super) use order::{Ordered, read};
pub(super) use questions::{Question, answer};
pub(super) use running::Running;
pub(super) use watch::watch;

use crate::access::{Ticket, TicketSealer};
use crate::config::{Provider, Snapshot};
use crate::error::{Failure, Kind, Result};
use crate::types::{ProviderName, TenantId};
use std::sync::Arc;

/// What every id begins with.
const PREFIX: &str = "video_";
/// What the key of the ids is derived with; no caller's key can begin so.
const PURPOSE: &str = "\0ids of videos";

/// Where an order is: the provider, which of its credentials, and the vendor's id.
#[derive(Clone)]
pub(super) struct Whereabouts {
    provider: Arc<Provider>,
    credential: usize,
    id: String,
}

impl Whereabouts {
    /// Where the thing of a ticket is. `None`: its provider or credential is no longer configured.
    fn of(snapshot: &Snapshot, ticket: &Ticket) -> Option<Self> {
        let name = ProviderName::parse(&ticket.provider).ok()?;
        let provider = Arc::clone(snapshot.providers.get(&name)?);
        let credential =
            provider.credentials.iter().position(|held| held.id.as_str() == ticket.credential)?;
        Some(Self { provider, credential, id: ticket.id.clone() })
    }

    /// Where the vendor takes orders.
    fn row(&self) -> &'static str {
        self.provider.vendor.path(crate::types::Op::Video).unwrap_or_default()
    }
}

fn sealer(snapshot: &Snapshot) -> TicketSealer {
    TicketSealer::new(&snapshot.pepper.hash(PURPOSE).0)
}

fn seal(snapshot: &Snapshot, tenant: &TenantId, ticket: &Ticket) -> Result<String> {
    let mut nonce = [0; 12];
    let random = getrandom::fill(&mut nonce).is_ok();
    let sealed = random.then(|| sealer(snapshot).seal(PREFIX, tenant, ticket, nonce)).flatten();
    sealed.ok_or_else(|| Failure::new(Kind::Internal, "The video's id cannot be made"))
}

/// What an id of this tenant says, and where the video is.
///
/// # Errors
/// `UnknownVideo`: the same for unknown and foreign ids, and for those of a provider that is gone.
fn open(snapshot: &Snapshot, tenant: &TenantId, id: &str) -> Result<(Ticket, Whereabouts)> {
    let ticket = sealer(snapshot).open(PREFIX, tenant, id).ok_or_else(|| unknown(id))?;
    let place = Whereabouts::of(snapshot, &ticket).ok_or_else(|| unknown(id))?;
    Ok((ticket, place))
}

fn unknown(id: &str) -> Failure {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(40).collect();
    Failure::new(Kind::UnknownVideo, format!("Video with id '{shown}' not found.")).param("video_id")
}
