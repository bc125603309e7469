//! Messages of others, which nobody has signed in to send: a signature is
//! what permits them. What cannot be done now is answered so that it is sent
//! again; what does not concern the hub is answered well, so that it is not.

use super::grants::note;
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use crate::admin::till::{Till, operate};
use crate::billing::stripe::{SIGNATURE, TOLERANCE, Told, read_event};
use crate::billing::{Credit, open_message};
use crate::types::{Secret, TenantId};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// The header with the signature of a plain message.
const OUR_SIGNATURE: &str = "x-aigne-signature";

fn believe(call: &Call<'_>, header: &str, secrets: &[Secret]) -> Result<(), Problem> {
    if secrets.is_empty() {
        return Err(Problem::not_found());
    }
    let line = call.incoming.headers.get(header).and_then(|value| value.to_str().ok()).unwrap_or_default();
    open_message(line, &call.incoming.body, secrets, call.now, TOLERANCE)
        .map_err(|error| Problem::bad_request(error.to_string()))
}

fn noted(effect: &str) -> Reply {
    Reply::ok(json!({ "received": true, "effect": effect }))
}

/// `POST /webhooks/stripe`
pub fn stripe(call: &Call<'_>) -> Result<Reply, Problem> {
    let till = Till::of(call.directory)?;
    believe(call, SIGNATURE, &till.stripe()?.webhook_secrets)?;
    let told = read_event(&call.incoming.body).map_err(Problem::bad_request)?;
    match told {
        Told::Facts(about, facts, card) => match till.learn(&about, &facts, card.as_ref())? {
            true => Ok(noted("payment")),
            false => {
                tracing::info!(?about, "Stripe told of a payment that is none of the hub's");
                Ok(noted("none"))
            }
        },
        Told::Card(tenant, card) => {
            let tenant = TenantId::parse(&tenant).map_err(|error| Problem::bad_request(error.to_string()))?;
            till.save_card(&tenant, &card)?;
            Ok(noted("card"))
        }
        Told::Nothing(kind) => {
            tracing::info!(kind, "Stripe told of something that the hub does not follow");
            Ok(noted("none"))
        }
    }
}

/// `POST /webhooks/credits`
pub fn credits(call: &Call<'_>) -> Result<Reply, Problem> {
    let till = Till::of(call.directory)?;
    believe(call, OUR_SIGNATURE, &till.billing.inbound_secrets)?;
    let credit: Credit = serde_json::from_slice(&call.incoming.body)
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    give(call, &credit, "message")
}

/// `POST /webhooks/payment-kit`: grants that Payment Kit made, to be credited here too.
pub fn payment_kit(call: &Call<'_>) -> Result<Reply, Problem> {
    let till = Till::of(call.directory)?;
    let Some(kit) = &till.billing.payment_kit else { return Err(Problem::not_found()) };
    believe(call, OUR_SIGNATURE, &kit.webhook_secrets)?;
    let event: Value = serde_json::from_slice(&call.incoming.body)
        .map_err(|error| Problem::bad_request(error.to_string()))?;
    match crate::billing::granted(&event) {
        Some(credit) => give(call, &credit, "payment-kit"),
        None => {
            tracing::info!(
                kind = event["type"].as_str(),
                "Payment Kit told of something that the hub does not follow"
            );
            Ok(noted("none"))
        }
    }
}

fn give(call: &Call<'_>, credit: &Credit, from: &str) -> Result<Reply, Problem> {
    let operation = credit
        .operation(from, call.now)
        .map_err(|text| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text))?;
    let (done, fresh) = operate(call.directory, operation.clone())?;
    if done.tenant != operation.tenant {
        return Err(Problem::conflict("this id was used for another tenant"));
    }
    let shown =
        json!({ "id": credit.id, "done": fresh, "tenant": done.tenant.as_str(), "amount": done.amount });
    if fresh {
        note(call, &operation.tenant, &operation.reason, shown.clone());
    }
    Ok(Reply::ok(shown))
}
