//! What Stripe tells: events, and the objects in them, as facts about
//! payments. Read leniently: names that are not known are left alone.

use super::{OUR_PAYMENT, OUR_TENANT};
use crate::billing::{Dispute, Fact, Refund, RefundState, Verdict};
use serde_json::Value;

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Something about a payment.
    Facts(About, Vec<Fact>, Option<Card>),
    /// A card was saved for a tenant.
    Card(String, Card),
    /// Nothing that concerns the hub; the event's type.
    Nothing(String),
}

/// Which payment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// The hub's own id, if the object carries it.
    pub payment: Option<String>,
    /// Stripe's id.
    pub intent: Option<String>,
}

/// A card that may be charged later, by Stripe's ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Whose.
    pub customer: String,
    /// Which.
    pub method: String,
}

/// Reads an event whose signature was good.
///
/// # Errors
/// When it is no event at all.
pub fn read_event(body: &[u8]) -> Result<Told, String> {
    let event: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let kind = text(&event["type"]).ok_or("no event: it has no type")?;
    let object = &event["data"]["object"];
    // Of an account that is connected to the hub's, whose money is not the hub's.
    if !event["account"].is_null() {
        return Ok(Told::Nothing(kind));
    }
    let (start, end) = kind.rsplit_once('.').unwrap_or((&kind, ""));
    Ok(match (start, end) {
        ("checkout.session", "completed" | "async_payment_succeeded") => session(&kind, object),
        ("checkout.session", "async_payment_failed" | "expired") => match ours(object) {
            Some(payment) => {
                facts(Some(payment), intent_of(object), vec![Fact::Failed(end.replace('_', " "))])
            }
            None => Told::Nothing(kind),
        },
        ("payment_intent", "succeeded" | "payment_failed" | "canceled") => read_intent(object),
        ("refund" | "charge.refund", "created" | "updated" | "failed") => read_refund(object),
        ("charge.dispute", _) => dispute(&kind, object),
        ("setup_intent", "succeeded") => card(&kind, object),
        _ => Told::Nothing(kind),
    })
}

fn facts(payment: Option<String>, intent: Option<String>, facts: Vec<Fact>) -> Told {
    Told::Facts(About { payment, intent }, facts, None)
}

fn session(kind: &str, object: &Value) -> Told {
    let (Some(payment), Some("paid")) = (ours(object), object["payment_status"].as_str()) else {
        return Told::Nothing(kind.to_owned());
    };
    // The subtotal is what the hub asked for; the total may have taxes on top.
    let minor = object["amount_subtotal"].as_u64().or(object["amount_total"].as_u64());
    let intent = intent_of(object);
    let mut told = Vec::with_capacity(2);
    told.extend(intent.clone().map(Fact::Intent));
    if let (Some(minor), Some(currency)) = (minor, currency(object)) {
        told.push(Fact::Paid { minor, currency });
    }
    facts(Some(payment), intent, told)
}

/// Reads a payment as events and answers have it. Who pays on a page may try again after a failure.
pub fn read_intent(object: &Value) -> Told {
    let (Some(id), Some(payment)) = (text(&object["id"]), ours(object)) else {
        return Told::Nothing("a payment that is not the hub's".to_owned());
    };
    let mut told = vec![Fact::Intent(id.clone())];
    match (object["status"].as_str(), object["amount_received"].as_u64(), currency(object)) {
        (Some("succeeded"), Some(minor), Some(currency)) => told.push(Fact::Paid { minor, currency }),
        (Some("requires_payment_method" | "requires_action" | "canceled"), ..) => {
            let why = text(&object["last_payment_error"]["message"]);
            let why = why.or_else(|| text(&object["status"]).map(|status| status.replace('_', " ")));
            told.push(Fact::Failed(why.unwrap_or_default()));
        }
        _ => {}
    }
    let later = object["setup_future_usage"].as_str() == Some("off_session");
    let card = later.then(|| card_of(object)).flatten();
    Told::Facts(About { payment: Some(payment), intent: Some(id) }, told, card)
}

/// Reads a refund.
pub fn read_refund(object: &Value) -> Told {
    let (Some(id), Some(intent), Some(minor)) =
        (text(&object["id"]), intent_of(object), object["amount"].as_u64())
    else {
        return Told::Nothing("a refund of no payment".to_owned());
    };
    let state = match object["status"].as_str() {
        Some("failed" | "canceled") => RefundState::Failed,
        _ => RefundState::Made,
    };
    facts(None, Some(intent), vec![Fact::Refunded(id, Refund { minor, state })])
}

fn dispute(kind: &str, object: &Value) -> Told {
    let verdict = match object["status"].as_str() {
        Some("needs_response" | "under_review") => Some(Verdict::Open),
        Some("won") => Some(Verdict::Won),
        Some("lost") => Some(Verdict::Lost),
        // An inquiry, for which no money was taken.
        _ => None,
    };
    match (text(&object["id"]), intent_of(object), object["amount"].as_u64(), verdict) {
        (Some(id), Some(intent), Some(minor), Some(verdict)) => {
            facts(None, Some(intent), vec![Fact::Disputed(id, Dispute { minor, verdict })])
        }
        _ => Told::Nothing(kind.to_owned()),
    }
}

fn card(kind: &str, object: &Value) -> Told {
    match (text(&object["metadata"][OUR_TENANT]), card_of(object)) {
        (Some(tenant), Some(card)) => Told::Card(tenant, card),
        _ => Told::Nothing(kind.to_owned()),
    }
}

fn card_of(object: &Value) -> Option<Card> {
    let id = |name: &str| text(&object[name]).or_else(|| text(&object[name]["id"]));
    Some(Card { customer: id("customer")?, method: id("payment_method")? })
}

fn ours(object: &Value) -> Option<String> {
    text(&object["metadata"][OUR_PAYMENT])
}

/// Stripe writes an id, or the whole object where somebody asked for it.
fn intent_of(object: &Value) -> Option<String> {
    text(&object["payment_intent"]).or_else(|| text(&object["payment_intent"]["id"]))
}

fn currency(object: &Value) -> Option<String> {
    text(&object["currency"]).map(|currency| currency.to_ascii_lowercase())
}

/// A text that is there, within what ids and messages have.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty() && text.len() <= 1_000).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(kind: &str, object: Value) -> Told {
        read_event(
            json!({ "id": "evt_1", "type": kind, "data": { "object": object } }).to_string().as_bytes(),
        )
        .unwrap()
    }

    #[test]
    fn a_page_that_was_paid_is_a_payment_and_one_that_was_not_is_nothing() {
        let object = |status: &str| {
            json!({ "metadata": { OUR_PAYMENT: "pay_1" }, "payment_status": status, "payment_intent": "pi_1",
                    "amount_subtotal": 1_000, "amount_total": 1_190, "currency": "USD" })
        };
        let Told::Facts(about, facts, None) = told("checkout.session.completed", object("paid")) else {
            panic!()
        };
        assert_eq!(about, About { payment: Some("pay_1".into()), intent: Some("pi_1".into()) });
        assert_eq!(facts[1], Fact::Paid { minor: 1_000, currency: "usd".into() });
        assert!(matches!(told("checkout.session.completed", object("unpaid")), Told::Nothing(_)));
    }

    #[test]
    fn what_belongs_to_others_or_is_not_known_is_nothing() {
        for (kind, object) in [
            ("checkout.session.completed", json!({ "payment_status": "paid" })),
            ("payment_intent.succeeded", json!({ "id": "pi_1", "metadata": {} })),
            ("refund.created", json!({ "id": "re_1", "amount": 5, "payment_intent": null })),
            (
                "charge.dispute.created",
                json!({ "id": "dp_1", "amount": 5, "payment_intent": "pi", "status": "warning_needs_response" }),
            ),
            ("invoice.paid", json!({})),
            ("price.updated", Value::Null),
        ] {
            assert!(matches!(told(kind, object), Told::Nothing(_)), "{kind}");
        }
        let connected = json!({ "type": "refund.created", "account": "acct_1", "data": { "object": { "id": "re", "amount": 1, "payment_intent": "pi" } } });
        assert!(matches!(read_event(connected.to_string().as_bytes()), Ok(Told::Nothing(_))));
        for bad in ["", "[]", "{}", "{\"type\":7}"] {
            assert!(read_event(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dispute_goes_its_way_by_its_status() {
        for (status, verdict) in [
            ("needs_response", Verdict::Open),
            ("under_review", Verdict::Open),
            ("won", Verdict::Won),
            ("lost", Verdict::Lost),
        ] {
            let object =
                json!({ "id": "dp_1", "amount": 500, "payment_intent": { "id": "pi_1" }, "status": status });
            let Told::Facts(about, facts, None) = told("charge.dispute.closed", object) else {
                panic!("{status}")
            };
            assert_eq!(
                (about.intent.as_deref(), &facts[0]),
                (Some("pi_1"), &Fact::Disputed("dp_1".into(), Dispute { minor: 500, verdict }))
            );
        }
    }
}
