//! What others may do with wallets: the live ones, and the books of them.

use super::money::Moving;
use super::options::StoreError;
use super::queue::{Entry, Waiter, closed};
use super::writer::Command;
use super::{Settlement, Store};
use crate::ledger::Intent;
use crate::ledger::wallet::{Balances, Done, Movement, Operation, Wallets};
use std::sync::Arc;
use tokio::sync::oneshot;

impl Store {
    /// The live wallets: what requests of this process may spend.
    pub fn wallets(&self) -> &Wallets {
        &self.handle.shared.wallets
    }

    /// Queues an intent and its hold; one is not written without the other. Waits only for room.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn intend_held(&self, intent: Intent, hold: Movement) -> Result<(), StoreError> {
        self.push(Moving::Held(Box::new(intent), hold, None)).await
    }

    /// The same, and waits until both are on disk.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn intend_held_durably(&self, intent: Intent, hold: Movement) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.push(Moving::Held(Box::new(intent), hold, Some(Waiter::Task(sender)))).await?;
        receiver.await.map_err(|_| closed())?
    }

    /// Queues a settlement and its charge; one is not written without the other. Waits only for
    /// room. What the charge returns may be given back afterwards, and not before.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn settle_charged(&self, settlement: Settlement, sale: Movement) -> Result<(), StoreError> {
        self.push(Moving::Charged(Box::new(settlement), sale)).await
    }

    /// Queues a movement by itself. Waits only for room.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub async fn moved(&self, movement: Movement) -> Result<(), StoreError> {
        self.push(Moving::Alone(movement)).await
    }

    async fn push(&self, moving: Moving) -> Result<(), StoreError> {
        self.handle.queue.push(Entry::Moving(moving)).await
    }

    /// Does an operation once, durably, and says whether it was this time. Blocks until it is on
    /// disk and can be spent.
    ///
    /// # Errors
    /// [`StoreError::Write`] while the disk refuses or when the store is closed.
    pub fn operate(&self, operation: Operation) -> Result<(Done, bool), StoreError> {
        self.ask(|reply| Command::Operate(Box::new(operation), reply))
    }

    /// Was any of these operations done? Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub fn was_done(&self, operations: Vec<Arc<str>>) -> Result<bool, StoreError> {
        self.ask(|reply| Command::WasDone(operations, reply))
    }

    /// What the books say of all wallets, everything up to now included. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Write`] when the store is closed.
    pub fn balances(&self) -> Result<Balances, StoreError> {
        self.ask(Command::Balances)
    }
}
