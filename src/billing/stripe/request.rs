//! Requests to Stripe: path, form and idempotency key. Each key follows from
//! the hub's own id of what is asked for, so a request that is sent again,
//! even by a hub that was started again, is the same request.

use super::{OUR_PAYMENT, OUR_TENANT};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a form leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');

/// How it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or changes.
    Post,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Reads or writes?
    pub method: Method,
    /// Below the base address, as `/v1/refunds`.
    pub path: String,
    /// The body, as a form.
    pub form: String,
    /// The same for the same request.
    pub key: Option<String>,
}

/// What somebody buys.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The hub's id of the payment.
    pub payment: &'a str,
    /// Stripe's id of the customer.
    pub customer: &'a str,
    /// The price in smallest units.
    pub minor: u64,
    /// Of what.
    pub currency: &'a str,
    /// What people read on the page and the receipt.
    pub text: &'a str,
}

#[derive(Default)]
struct Form(String);

impl Form {
    fn with(mut self, name: &str, value: &str) -> Self {
        let sign = if self.0.is_empty() { "" } else { "&" };
        let (name, value) = (utf8_percent_encode(name, FORM), utf8_percent_encode(value, FORM));
        self.0.push_str(&format!("{sign}{name}={value}"));
        self
    }

    fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    fn post(self, path: impl Into<String>, key: String) -> Ask {
        Ask { method: Method::Post, path: path.into(), form: self.0, key: Some(key) }
    }
}

/// A customer for a tenant.
pub fn customer(tenant: &str, email: Option<&str>) -> Ask {
    Form::default()
        .with("name", tenant)
        .with_some("email", email)
        .with(&format!("metadata[{OUR_TENANT}]"), tenant)
        .post("/v1/customers", format!("aigne-hub-customer-{tenant}"))
}

/// A page on which a customer pays, and may have the card saved for later.
pub fn page(line: &Line<'_>, success: &str, cancel: &str, save_card: bool) -> Ask {
    let future = save_card.then_some("off_session");
    Form::default()
        .with("mode", "payment")
        .with("customer", line.customer)
        .with("client_reference_id", line.payment)
        .with("success_url", success)
        .with("cancel_url", cancel)
        .with("line_items[0][quantity]", "1")
        .with("line_items[0][price_data][currency]", line.currency)
        .with("line_items[0][price_data][unit_amount]", &line.minor.to_string())
        .with("line_items[0][price_data][product_data][name]", line.text)
        .with(&format!("metadata[{OUR_PAYMENT}]"), line.payment)
        .with(&format!("payment_intent_data[metadata][{OUR_PAYMENT}]"), line.payment)
        .with_some("payment_intent_data[setup_future_usage]", future)
        .post("/v1/checkout/sessions", format!("aigne-hub-page-{}", line.payment))
}

/// A page on which a customer saves a card and pays nothing. `once` names this wish.
pub fn card_page(
    tenant: &str,
    customer: &str,
    currency: &str,
    success: &str,
    cancel: &str,
    once: &str,
) -> Ask {
    Form::default()
        .with("mode", "setup")
        .with("customer", customer)
        .with("currency", currency)
        .with("success_url", success)
        .with("cancel_url", cancel)
        .with(&format!("metadata[{OUR_TENANT}]"), tenant)
        .with(&format!("setup_intent_data[metadata][{OUR_TENANT}]"), tenant)
        .post("/v1/checkout/sessions", format!("aigne-hub-card-{once}"))
}

/// A payment with a saved card, while nobody sits before the screen.
pub fn charge(line: &Line<'_>, card: &str) -> Ask {
    Form::default()
        .with("amount", &line.minor.to_string())
        .with("currency", line.currency)
        .with("customer", line.customer)
        .with("payment_method", card)
        .with("off_session", "true")
        .with("confirm", "true")
        .with("description", line.text)
        .with(&format!("metadata[{OUR_PAYMENT}]"), line.payment)
        .post("/v1/payment_intents", format!("aigne-hub-charge-{}", line.payment))
}

/// Money back. `once` names this wish.
pub fn refund(intent: &str, minor: u64, once: &str) -> Ask {
    Form::default()
        .with("payment_intent", intent)
        .with("amount", &minor.to_string())
        .post("/v1/refunds", format!("aigne-hub-refund-{once}"))
}

/// Which payment is this?
pub fn intent(id: &str) -> Ask {
    let id = utf8_percent_encode(id, FORM);
    Ask { method: Method::Get, path: format!("/v1/payment_intents/{id}"), form: String::new(), key: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_it_means_and_nothing_can_be_put_into_it() {
        let line =
            Line { payment: "pay_1", customer: "cus_1", minor: 1_000, currency: "usd", text: "11 & more=ü" };
        let ask = page(&line, "https://a/?x=1&y=2", "https://b", true);
        assert_eq!(
            (ask.path.as_str(), ask.key.as_deref()),
            ("/v1/checkout/sessions", Some("aigne-hub-page-pay_1"))
        );
        assert!(ask.form.contains("success_url=https%3A%2F%2Fa%2F%3Fx%3D1%26y%3D2&"), "{}", ask.form);
        assert!(ask.form.contains("name%5D=11%20%26%20more%3D%C3%BC&"), "{}", ask.form);
        assert!(ask.form.ends_with("payment_intent_data%5Bsetup_future_usage%5D=off_session"));
        assert_eq!(intent("../refunds?x").path, "/v1/payment_intents/..%2Frefunds%3Fx");
        assert_eq!(page(&line, "https://a", "https://b", true).key, ask.key, "the same wish, the same key");
    }
}
