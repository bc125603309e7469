//! Statements: what a wallet got and spent in a month. They follow from the
//! journal and from the list of months that were closed, and from nothing
//! else, so anybody can make them again and must get the same bytes.
//!
//! A month is closed at a batch of the journal. A record belongs to the first
//! closed month that ends after the record's date and was closed at its batch
//! or later; so whatever is written late counts in the next statement, and no
//! statement ever changes. Numbers are counted through all of them, in the
//! order of months and then of tenants.

mod csv;
mod html;
mod pdf;

pub use csv::quoted as csv_cell;

use crate::ledger::wallet::{Account, Cause, Movement, Source};
use crate::ledger::{Record, Settlement, day_from_text, day_of, day_text, month_start};
use crate::types::{Pico, RequestId, TenantId, Usage, Wall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A month that was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// As `2026-11`.
    pub month: String,
    /// The last batch of the journal that counts.
    pub through: u64,
    /// That batch's digest, in hexadecimal; it proves all batches before it.
    pub digest: String,
    /// The number of its last statement, from which the next month goes on. 0: nobody wrote it down.
    #[serde(default)]
    pub last: u64,
}

/// What a tenant's wallet got and spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Counted from 1, without gaps.
    pub number: u64,
    /// Whose.
    pub tenant: TenantId,
    /// As `2026-11`.
    pub month: String,
    /// Credits before; those that requests held are among them.
    pub opening: Pico,
    /// Everything but use: what came and what went.
    pub entries: Vec<Entry>,
    /// Use, by model and by whom.
    pub usage: Vec<Used>,
    /// The sums of entries by kind, and of use.
    pub totals: Totals,
    /// Credits after.
    pub closing: Pico,
    /// What it was made from.
    pub ledger: Range,
}

/// Batches of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// After this one.
    pub after: u64,
    /// Up to this one.
    pub through: u64,
    /// The last one's digest.
    pub digest: String,
}

/// What kind of entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Credits were bought.
    Purchase,
    /// Credits were given.
    Grant,
    /// Money went back, and its credits.
    Refund,
    /// A bank asked money back, or gave it back again.
    Dispute,
    /// A correction.
    Adjustment,
    /// Credits that nobody used in time.
    Expiry,
}

impl What {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            What::Purchase => "Purchase",
            What::Grant => "Grant",
            What::Refund => "Refund",
            What::Dispute => "Dispute",
            What::Adjustment => "Adjustment",
            What::Expiry => "Expiry",
        }
    }
}

/// Something that came or went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The day, as `2026-11-20`.
    pub day: String,
    /// What kind.
    pub what: What,
    /// Why.
    pub reason: String,
    /// The operation's id; empty for what expires.
    pub operation: String,
    /// More than zero came, less went.
    pub amount: Pico,
}

/// Use by one model and one app, user or key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Used {
    /// As callers name it.
    pub model: String,
    /// The app, or else the user, or else the key.
    pub by: String,
    /// Requests that were charged.
    pub requests: u64,
    /// All input tokens.
    pub input_tokens: u64,
    /// All output tokens.
    pub output_tokens: u64,
    /// What was charged.
    pub credits: Pico,
}

/// Sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Bought.
    pub purchases: Pico,
    /// Given.
    pub grants: Pico,
    /// Went back to customers.
    pub refunds: Pico,
    /// Went to banks, or came back.
    pub disputes: Pico,
    /// Corrections.
    pub adjustments: Pico,
    /// Used; less than zero.
    pub usage: Pico,
    /// Over; less than zero.
    pub expiry: Pico,
}

impl Totals {
    /// Sums and their names, in the order of documents.
    pub fn lines(&self) -> [(&'static str, Pico); 7] {
        [
            ("Purchases", self.purchases),
            ("Grants", self.grants),
            ("Refunds", self.refunds),
            ("Disputes", self.disputes),
            ("Adjustments", self.adjustments),
            ("Usage", self.usage),
            ("Expiry", self.expiry),
        ]
    }

    fn of(&mut self, what: What) -> &mut Pico {
        match what {
            What::Purchase => &mut self.purchases,
            What::Grant => &mut self.grants,
            What::Refund => &mut self.refunds,
            What::Dispute => &mut self.disputes,
            What::Adjustment => &mut self.adjustments,
            What::Expiry => &mut self.expiry,
        }
    }

    fn sum(&self) -> Pico {
        self.lines().into_iter().fold(Pico::ZERO, |sum, (_, amount)| sum.saturating_add(amount))
    }
}

/// First moment after a month that is written as `2026-11`.
pub fn month_end(month: &str) -> Option<Wall> {
    let first = day_from_text(&format!("{month}-01")).filter(|_| month.len() == 7)?;
    // Every month is over after 31 days.
    Some(Wall(month_start(first.saturating_add(31)).saturating_mul(MICROS_PER_DAY)))
}

/// The month of a moment, as `2026-11`.
pub fn month_text(at: Wall) -> String {
    let day = day_text(day_of(at));
    day.get(..day.len().saturating_sub(3)).unwrap_or_default().to_owned()
}

#[derive(Default)]
struct Page {
    entries: Vec<Entry>,
    usage: BTreeMap<(String, String), (u64, u64, u64, Pico)>,
    totals: Totals,
}

/// The settlement that a sale belongs to; it is written just before.
struct Last {
    id: RequestId,
    model: Arc<str>,
    by: Arc<str>,
    usage: Usage,
}

/// Makes statements of records, to be handed over in the order of the journal.
pub struct Statements<'c> {
    closes: &'c [Close],
    ends: Vec<Wall>,
    /// The month with which it begins.
    first: usize,
    /// Statements of months before.
    number: u64,
    /// What wallets had when the month before was closed.
    balances: BTreeMap<TenantId, Pico>,
    pages: BTreeMap<(usize, TenantId), Page>,
    last: Option<Last>,
}

impl<'c> Statements<'c> {
    /// For these months, which follow one another. `None` when one of them is none.
    pub fn new(closes: &'c [Close]) -> Option<Self> {
        let ends: Option<Vec<Wall>> = closes.iter().map(|close| month_end(&close.month)).collect();
        let (pages, balances) = Default::default();
        Some(Self { closes, ends: ends?, first: 0, number: 0, balances, pages, last: None })
    }

    /// The same, from a month on; `before` are the statements of the one before it. Of records only
    /// those have to come that count in no month before.
    #[must_use]
    pub fn going_on(mut self, first: usize, before: &[Statement]) -> Self {
        self.first = first;
        self.number = before.last().map_or(0, |statement| statement.number);
        self.balances = before.iter().map(|one| (one.tenant.clone(), one.closing)).collect();
        self
    }

    /// The next record, found in a batch.
    pub fn record(&mut self, batch: u64, record: &Record) {
        match record {
            Record::Settlement(settlement) => self.last = Some(last(settlement)),
            Record::Movement(movement) => self.movement(batch, movement),
            Record::Intent(_) | Record::Carried(_) => {}
        }
    }

    fn movement(&mut self, batch: u64, movement: &Movement) {
        // Before anything is left out, so that what was closed never depends on what is closed later.
        let last = if matches!(movement.cause, Cause::Settle(_)) { self.last.take() } else { None };
        let open = |(close, end): (&Close, &Wall)| batch <= close.through && movement.at < *end;
        let counted = self.closes.iter().zip(&self.ends).position(open);
        let Some(index) = counted.filter(|index| *index >= self.first) else { return };
        let page = self.pages.entry((index, movement.wallet.clone())).or_default();
        if let Cause::Settle(sale) = &movement.cause {
            let last = last.filter(|last| Some(last.id) == movement.request);
            let (model, by, usage) = last.map_or_else(
                || (String::new(), String::new(), Usage::default()),
                |last| (last.model.to_string(), last.by.to_string(), last.usage),
            );
            let row = page.usage.entry((model, by)).or_default();
            row.0 = row.0.saturating_add(1);
            row.1 = row.1.saturating_add(usage.input_tokens());
            row.2 = row.2.saturating_add(usage.output_tokens());
            row.3 = row.3.saturating_add(sale.paid);
            page.totals.usage = page.totals.usage.saturating_sub(sale.paid);
        }
        let expired = movement.net(|account| account == Account::Expired);
        if expired != Pico::ZERO {
            page.add(movement, What::Expiry, "credits expired", "", expired);
        }
        match &movement.cause {
            Cause::Issue { operation, lot, reason } => {
                page.add(movement, issued(operation, lot.source), reason, operation, lot.amount);
            }
            Cause::Reclaim { operation, reason } => {
                let taken = movement.net(|account| matches!(account, Account::Lot(_)));
                page.add(movement, reclaimed(operation), reason, operation, Pico::ZERO.saturating_sub(taken));
            }
            _ => {}
        }
    }

    /// All statements of all those months, in the order of their numbers.
    pub fn finish(mut self) -> Vec<Statement> {
        let mut balances = std::mem::take(&mut self.balances);
        let mut statements = Vec::new();
        for (index, close) in self.closes.iter().enumerate().skip(self.first) {
            for (_, tenant) in self.pages.keys().filter(|(of, _)| *of == index) {
                balances.entry(tenant.clone()).or_default();
            }
            let after =
                index.checked_sub(1).and_then(|before| self.closes.get(before)).map_or(0, |c| c.through);
            for (tenant, balance) in &mut balances {
                let page = self.pages.remove(&(index, tenant.clone())).unwrap_or_default();
                let ledger = Range { after, through: close.through, digest: close.digest.clone() };
                let number = self.number.saturating_add(statements.len() as u64).saturating_add(1);
                let statement = page.close(number, tenant, &close.month, *balance, ledger);
                *balance = statement.closing;
                statements.push(statement);
            }
        }
        statements
    }
}

fn last(settlement: &Settlement) -> Last {
    let party = &settlement.party;
    let by = party.app.as_ref().or(party.user.as_ref());
    Last {
        id: settlement.id,
        model: Arc::clone(&settlement.model),
        by: by.map_or_else(|| settlement.key.as_str().into(), Arc::clone),
        usage: settlement.usage,
    }
}

fn issued(operation: &str, source: Source) -> What {
    match source {
        _ if operation.starts_with("dispute-undone:") => What::Dispute,
        Source::Purchase => What::Purchase,
        Source::Grant | Source::Promotion => What::Grant,
        Source::Refund => What::Refund,
        Source::Adjustment => What::Adjustment,
    }
}

fn reclaimed(operation: &str) -> What {
    match operation.split_once(':') {
        Some(("refund", _)) => What::Refund,
        Some(("dispute", _)) => What::Dispute,
        _ => What::Adjustment,
    }
}

impl Page {
    fn add(&mut self, movement: &Movement, what: What, reason: &str, operation: &str, amount: Pico) {
        let total = self.totals.of(what);
        *total = total.saturating_add(amount);
        let (reason, operation) = (reason.to_owned(), operation.to_owned());
        self.entries.push(Entry { day: day_text(day_of(movement.at)), what, reason, operation, amount });
    }

    fn close(self, number: u64, tenant: &TenantId, month: &str, opening: Pico, ledger: Range) -> Statement {
        let used = |((model, by), (requests, input_tokens, output_tokens, credits))| Used {
            model,
            by,
            requests,
            input_tokens,
            output_tokens,
            credits,
        };
        Statement {
            number,
            tenant: tenant.clone(),
            month: month.to_owned(),
            opening,
            entries: self.entries,
            usage: self.usage.into_iter().map(used).collect(),
            totals: self.totals,
            closing: opening.saturating_add(self.totals.sum()),
            ledger,
        }
    }
}

/// How a statement is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The form from which the others follow.
    Json,
    /// For spreadsheets.
    Csv,
    /// For browsers.
    Html,
    /// For printers and bookkeepers.
    Pdf,
}

impl Format {
    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Json, Self::Csv, Self::Html, Self::Pdf].into_iter().find(|format| format.name() == text)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
        }
    }
}

impl Statement {
    /// Does it end where its own sums say?
    pub fn adds_up(&self) -> bool {
        self.closing == self.opening.saturating_add(self.totals.sum())
    }

    /// Writes it: the same bytes, always.
    pub fn write(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Json => serde_json::to_vec(self).unwrap_or_default(),
            Format::Csv => csv::write(self).into_bytes(),
            Format::Html => html::write(self).into_bytes(),
            Format::Pdf => pdf::write(self),
        }
    }
}

#[cfg(test)]
mod tests;
