//! What can be wrong with what people write about buying and giving credits.

use super::check::{Check, LONGEST_NAME};
use crate::billing::{Account, Allowance, Code};
use crate::types::Pico;

/// A billion credits, the most that one operation on a wallet takes.
const MOST: Pico = Pico(1_000_000_000_000_000_000_000);
/// The most tenants that one code is for.
const MOST_USES: u32 = 100_000;
/// The longest that credits of a code last, in days.
const LONGEST_DAYS: u32 = 3_660;

impl Check<'_> {
    pub(super) fn account(&mut self, body: &Account) {
        if let Some(email) = &body.email {
            self.text("email", email, LONGEST_NAME);
            let plausible =
                email.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
            if !plausible || email.chars().any(char::is_whitespace) {
                self.fault("email", "is no e-mail address");
            }
        }
        if let Some(amount) = body.tell_below {
            self.amount("tell_below", amount);
        }
        let Some(top_up) = &body.top_up else { return };
        self.amount("top_up.below", top_up.below);
        self.amount("top_up.amount", top_up.amount);
        self.amount("top_up.month_limit", top_up.month_limit);
        if top_up.month_limit < top_up.amount {
            self.fault("top_up.month_limit", "is less than one payment");
        }
    }

    pub(super) fn code(&mut self, body: &Code) {
        self.text("name", &body.name, LONGEST_NAME);
        self.amount("amount", body.amount);
        if body.uses.is_some_and(|uses| !(1..=MOST_USES).contains(&uses)) {
            self.fault("uses", format!("must be from 1 to {MOST_USES}"));
        }
        if body.days.is_some_and(|days| !(1..=LONGEST_DAYS).contains(&days)) {
            self.fault("days", format!("must be from 1 to {LONGEST_DAYS}"));
        }
    }

    pub(super) fn allowance(&mut self, body: &Allowance) {
        self.text("reason", &body.reason, LONGEST_NAME);
        self.amount("amount", body.amount);
    }

    fn amount(&mut self, field: &str, amount: Pico) {
        if amount <= Pico::ZERO || amount > MOST {
            self.fault(field, "must be more than 0 and at most 1000000000");
        }
    }
}
