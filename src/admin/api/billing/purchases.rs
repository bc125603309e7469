//! Purchases, saved cards, refunds.

use super::{tenant, tenant_of_body};
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::crud::{fresh_id, made, named, patched};
use crate::admin::api::problem::Problem;
use crate::admin::till::{Till, change, refreeze, wallet_of};
use crate::billing::stripe::{self, About, Line, Told, read_refund};
use crate::billing::{Account, Fact, Payment, PaymentState, RefundState};
use crate::config::Stripe;
use crate::control::{Kind, Permission, Private, Record, Resource, Wallet};
use crate::types::{Pico, TenantId, credits_of, minor_of};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// A purchase that somebody wants.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewPayment {
    /// For whom. Default: one's own tenant.
    pub tenant: Option<String>,
    /// What: the name of a pack.
    pub pack: Option<String>,
    /// Or an amount of the currency, a decimal string.
    #[schemars(with = "Option<String>")]
    pub amount: Option<Pico>,
    /// Keep the card, so that credits can be bought automatically.
    pub save_card: bool,
}

/// Money that is to go back.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewRefund {
    /// How much of the currency, a decimal string. Default: all that is left.
    #[schemars(with = "Option<String>")]
    pub amount: Option<Pico>,
    /// Also when the wallet has not as many credits any more; what was used is then the hub's loss.
    pub force: bool,
}

/// `GET /packs`
pub fn packs(call: &Call<'_>) -> Result<Reply, Problem> {
    let till = Till::of(call.directory)?;
    let stripe = till.stripe()?;
    let packs: Vec<_> = stripe
        .packs
        .iter()
        .map(|pack| json!({ "name": &*pack.name, "price": pack.price, "credits": pack.credits }))
        .collect();
    let any = stripe.any.map(
        |(least, most)| json!({ "least": least, "most": most, "credit_price": till.billing.credit_price }),
    );
    Ok(Reply::ok(json!({ "currency": &*stripe.currency, "packs": packs, "any": any })))
}

/// Price and credits of what is wanted.
fn wanted(stripe: &Stripe, credit_price: Pico, asked: &NewPayment) -> Result<(u64, Pico), Problem> {
    let (price, credits, field) = match (&asked.pack, asked.amount) {
        (Some(name), None) => {
            let pack = stripe.packs.iter().find(|pack| *pack.name == **name);
            let pack = pack.ok_or_else(|| Problem::fault("pack", format!("there is no pack {name:?}")))?;
            (pack.price, pack.credits, "pack")
        }
        (None, Some(amount)) => {
            let Some((least, most)) = stripe.any else {
                return Err(Problem::fault("amount", "only packs are sold here"));
            };
            if amount < least || amount > most {
                return Err(Problem::fault("amount", format!("must be from {least} to {most}")));
            }
            (amount, credits_of(amount, credit_price), "amount")
        }
        _ => return Err(Problem::fault("pack", "name either a pack or an amount")),
    };
    let minor = minor_of(price, &stripe.currency);
    let minor =
        minor.ok_or_else(|| Problem::fault(field, format!("cannot be paid in {}", stripe.currency)))?;
    if credits <= Pico::ZERO {
        return Err(Problem::fault(field, "buys nothing"));
    }
    Ok((minor, credits))
}

/// `POST /payments`: written down before Stripe hears of it, so that no payment is without its
/// record.
pub fn create(call: &Call<'_>) -> Result<Reply, Problem> {
    let asked: NewPayment = call.typed()?;
    let tenant = tenant_of_body(call, asked.tenant.as_deref())?;
    let till = Till::of(call.directory)?;
    let stripe = till.stripe()?;
    if !till.billing.plan(&tenant).billed {
        return Err(Problem::conflict("this tenant does not pay, so it needs no credits"));
    }
    let (minor, credits) = wanted(stripe, till.billing.credit_price, &asked)?;
    let currency = stripe.currency.to_string();
    let body = Payment { minor, currency, credits, ..Payment::default() };
    let id = fresh_id(Kind::Payment);
    let begun = call.directory.change::<_, Problem>(|state| {
        let record = Record::new(&id, Some(tenant.clone()), body.clone().body(), Private::Nothing, call.now);
        let change = call.step(state, None, record)?;
        Ok((change.after.clone(), call.draft(vec![change])))
    })?;
    let begun = begun.ok_or_else(Problem::not_found)?;
    match page(&till, stripe, &tenant, &id, &body, asked.save_card) {
        Ok((session, url)) => call.directory.change(|state| {
            let record = state.get(Kind::Payment, &id).ok_or_else(Problem::not_found)?;
            let mut body = record.is::<Payment>().cloned().unwrap_or_default();
            (body.session, body.url) = (Some(session.clone()), Some(url.clone()));
            let after = Arc::new(record.next(body.body(), record.private.clone(), call.now));
            made(call, vec![change(Some(record), &after)], Vec::new())
        }),
        Err(problem) => {
            let about = About { payment: Some(begun.id.to_string()), intent: None };
            till.learn(&about, &[Fact::Failed("expired".to_owned())], None)?;
            Err(problem)
        }
    }
}

fn page(
    till: &Till<'_>,
    stripe: &Stripe,
    tenant: &TenantId,
    id: &str,
    body: &Payment,
    save_card: bool,
) -> Result<(String, String), Problem> {
    let customer = till.customer(tenant)?;
    let text = format!("{} credits", body.credits);
    let line =
        Line { payment: id, customer: &customer, minor: body.minor, currency: &body.currency, text: &text };
    let object = till.ask(&stripe::page(&line, &stripe.success_url, &stripe.cancel_url, save_card))?;
    session_of(&object)
}

/// Id and address of a page that Stripe made.
fn session_of(object: &serde_json::Value) -> Result<(String, String), Problem> {
    match (object["id"].as_str(), object["url"].as_str()) {
        (Some(id), Some(url)) => Ok((id.to_owned(), url.to_owned())),
        _ => Err(Problem::new(StatusCode::BAD_GATEWAY, "Stripe's answer names no page")),
    }
}

/// `POST /billing-accounts/{id}/card`
pub fn save_card(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = tenant(call)?;
    let till = Till::of(call.directory)?;
    let stripe = till.stripe()?;
    let customer = till.customer(&tenant)?;
    let (success, cancel) = (&stripe.success_url, &stripe.cancel_url);
    let once = &call.incoming.request;
    let ask = stripe::card_page(tenant.as_str(), &customer, &stripe.currency, success, cancel, once);
    let (_, url) = session_of(&till.ask(&ask)?)?;
    Ok(Reply::ok(json!({ "tenant": tenant.as_str(), "url": url })))
}

/// `DELETE /billing-accounts/{id}/card`
pub fn forget_card(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = tenant(call)?;
    call.directory.change(|state| {
        let record = state.get(Kind::Account, tenant.as_str()).ok_or_else(Problem::not_found)?;
        let private = Private::Account(Wallet { card: None, ..wallet_of(record) });
        let after = Arc::new(record.next(record.body.clone(), private, call.now));
        Ok((Reply::nothing(), call.draft(vec![change(Some(record), &after)])))
    })
}

/// `PATCH /billing-accounts/{id}`
pub fn update_account(call: &Call<'_>) -> Result<Reply, Problem> {
    let tenant = tenant(call)?;
    let patch = call.object()?;
    if patch.contains_key("frozen") && !call.may(Permission::BillingManage, Some(&tenant)) {
        return Err(Problem::forbidden("only who manages billing freezes wallets, or thaws them"));
    }
    let selling = Till::of(call.directory).ok().and_then(|till| till.billing.stripe.clone());
    let reply = call.directory.change::<_, Problem>(|state| {
        let before = state.get(Kind::Account, tenant.as_str());
        let old = before.and_then(|record| record.is::<Account>()).cloned().unwrap_or_default();
        let body: Account = patched(&old, &patch)?;
        if let (Some(top_up), Some(stripe)) = (&body.top_up, &selling)
            && minor_of(top_up.amount, &stripe.currency).is_none()
        {
            return Err(Problem::fault("top_up.amount", format!("cannot be paid in {}", stripe.currency)));
        }
        let after = match before {
            Some(record) => {
                call.matches(record)?;
                record.next(body.body(), record.private.clone(), call.now)
            }
            None => {
                let private = Private::Account(Wallet::default());
                Record::new(tenant.as_str(), Some(tenant.clone()), body.body(), private, call.now)
            }
        };
        let change = call.step(state, before, after)?;
        let reply =
            change.after.as_ref().map(|record| Reply::record(record)).ok_or_else(Problem::not_found)?;
        Ok((reply, call.draft(vec![change])))
    })?;
    refreeze(call.directory, &tenant);
    Ok(reply)
}

/// `POST /payments/{id}/refund`
pub fn refund(call: &Call<'_>) -> Result<Reply, Problem> {
    let NewRefund { amount, force } = call.typed()?;
    let state = call.directory.state();
    let record = named(call, &state, Kind::Payment)?;
    let (Some(payment), Some(tenant)) = (record.is::<Payment>(), &record.tenant) else {
        return Err(Problem::not_found());
    };
    let (PaymentState::Paid, Some(intent)) = (payment.state, &payment.intent) else {
        return Err(Problem::conflict("it was not paid, so nothing can go back"));
    };
    let till = Till::of(call.directory)?;
    let back = payment.refunds.values().filter(|refund| refund.state == RefundState::Made);
    let back = back.fold(0_u64, |sum, refund| sum.saturating_add(refund.minor));
    let left = payment.minor.saturating_sub(back);
    let minor = match amount {
        None => left,
        Some(amount) => minor_of(amount, &payment.currency)
            .ok_or_else(|| Problem::fault("amount", format!("cannot be paid in {}", payment.currency)))?,
    };
    if minor == 0 || minor > left {
        return Err(Problem::conflict("that is more than is left of it"));
    }
    let (credits, there) =
        (payment.share(minor), call.directory.store().wallets().available(tenant, call.now));
    if there < credits && !force {
        let text = format!(
            "the wallet has {there} of the {credits} credits that this money bought; add \"force\": true to refund it all the same"
        );
        return Err(Problem::conflict(text));
    }
    // Asked for once more before it is known, it is the same refund.
    let once = format!("{}-{back}-{minor}", record.id);
    let made = till.ask(&stripe::refund(intent, minor, &once))?;
    let Told::Facts(about, facts, _) = read_refund(&made) else {
        return Err(Problem::new(StatusCode::BAD_GATEWAY, "Stripe's answer is no refund"));
    };
    till.learn(&about, &facts, None)?;
    let state = call.directory.state();
    Ok(Reply::record(named(call, &state, Kind::Payment)?))
}
