//! Payment Kit, which keeps the credits of AIGNE's own users: what was used
//! becomes meter events, and what it grants becomes credits here.

use super::Credit;
use crate::ledger::wallet::Source;
use crate::types::{Pico, TenantId};
use serde_json::{Value, json};

/// Reads the event of a grant; `None` for all others.
pub fn granted(event: &Value) -> Option<Credit> {
    if event["type"].as_str()? != "customer.credit_grant.granted" {
        return None;
    }
    let object = &event["data"]["object"];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let source = match object["category"].as_str() {
        Some("promotional") => Source::Promotion,
        _ => Source::Purchase,
    };
    Some(Credit {
        id: text(&object["id"])?,
        tenant: text(&object["customer_id"])?,
        amount: Pico::parse(object["amount"].as_str()?).ok()?,
        source: Some(source),
        // Zero means never.
        expires_at: object["expires_at"].as_i64().filter(|at| *at > 0),
        reason: text(&object["name"]).unwrap_or_else(|| "granted by Payment Kit".to_owned()),
    })
}

/// What a tenant used up to a record of the journal, as Payment Kit's meter takes it. `identifier`
/// makes it count once, however often it is sent.
pub fn meter_event(
    meter: &str,
    tenant: &TenantId,
    used: Pico,
    calls: u64,
    seconds: i64,
    through: u64,
) -> Value {
    json!({
        "event_name": meter,
        "timestamp": seconds,
        "payload": { "customer_id": tenant.as_str(), "value": used.to_string() },
        "identifier": format!("{tenant}-{meter}-{through}"),
        "metadata": { "source": "aigne-hub" },
        "source_data": [
            { "key": "record_count", "label": { "en": "API Calls" }, "value": calls.to_string() }
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_credited_and_nothing_else_is() {
        let mut event = json!({ "type": "customer.credit_grant.granted", "data": { "object": {
            "id": "cg_1", "customer_id": "z1user", "amount": "5.5", "category": "promotional", "expires_at": 0 } } });
        let credit = granted(&event).unwrap();
        assert_eq!(
            (credit.id.as_str(), credit.source, credit.expires_at),
            ("cg_1", Some(Source::Promotion), None)
        );
        assert_eq!(credit.amount, Pico::parse("5.5").unwrap());
        event["type"] = json!("checkout.session.completed");
        assert_eq!(granted(&event), None);
    }
}
