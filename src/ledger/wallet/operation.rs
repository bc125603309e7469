//! What operators and campaigns do to wallets. Each has an id and happens once.

use super::{LotId, Source};
use crate::types::{Pico, TenantId, Wall};
use std::sync::Arc;

/// One thing to be done to a wallet. Done again under the same id it changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Makes it happen once, over all tenants: `welcome:acme`, or what an operator chose.
    pub id: Arc<str>,
    /// Whose wallet.
    pub tenant: TenantId,
    /// For people.
    pub reason: Arc<str>,
    /// What is to be done.
    pub task: Task,
}

/// What an [`Operation`] does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// Credits come in, as a lot of their own.
    Issue {
        /// Where they come from.
        source: Source,
        /// How much; more than zero.
        amount: Pico,
        /// Lower is spent first; `None` = as the source has it.
        priority: Option<u8>,
        /// From then on what is left cannot be spent.
        expires_at: Option<Wall>,
    },
    /// Credits are taken back, as many as there are, up to this amount.
    Reclaim {
        /// At most this much; more than zero.
        amount: Pico,
    },
}

/// What an operation came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {
    /// Whose wallet.
    pub tenant: TenantId,
    /// The lot that came in, if one did.
    pub lot: Option<LotId>,
    /// What came in, or was taken back.
    pub amount: Pico,
}

impl Operation {
    /// What is wrong with it, if anything: the texts are for whoever asked.
    ///
    /// # Errors
    /// The reason why it cannot be done.
    pub fn check(&self, now: Wall) -> Result<(), &'static str> {
        const LONGEST: usize = 200;
        if self.id.is_empty() || self.id.len() > LONGEST || self.id.chars().any(char::is_control) {
            return Err("the id must be 1 to 200 characters without control characters");
        }
        if self.reason.len() > 4 * LONGEST {
            return Err("the reason is longer than 800 bytes");
        }
        let (Task::Issue { amount, .. } | Task::Reclaim { amount }) = self.task;
        // A billion credits; sums of as many lots as there can be stay in range.
        const MOST: Pico = Pico(1_000_000_000_000_000_000_000);
        if amount <= Pico::ZERO || amount > MOST {
            return Err("the amount must be more than 0 and at most 1000000000");
        }
        match self.task {
            Task::Issue { expires_at: Some(at), .. } if at <= now => Err("the expiry lies in the past"),
            _ => Ok(()),
        }
    }
}
