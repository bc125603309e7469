//! What AIGNE's clients ask besides inference, and the hub answers by itself:
//! where the hub is, its models, whether one is up, who the caller is.

use super::Plane;
use super::decide::model as find;
use super::intake;
use super::visit::Visit;
use crate::catalogue::Card;
use crate::chat::Ability;
use crate::config::{Caller, Model, Snapshot, Target};
use crate::error::{Failure, Kind, Result};
use crate::route::Standing;
use crate::types::{Pico, Rate};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use pingora::protocols::http::ServerSession;
use serde_json::{Value, json};

/// By this the client knows the hub among the components of a site. It is fixed in every client.
const COMPONENT: &str = "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ";

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// `GET /__blocklet__.js`: which components there are, and where.
    Discovery,
    /// `GET /api/ai/models`
    Models,
    /// `GET /api/v2/status`
    Status,
    /// `GET /api/user/info`
    Account,
}

/// Answers a question. Some are asked without a key.
///
/// # Errors
/// Like [`intake::admit`].
pub(super) fn answer(
    plane: &Plane,
    snapshot: &Snapshot,
    session: &ServerSession,
    visit: &mut Visit,
    ask: Ask,
) -> Result<Bytes> {
    let asked = session.req_header().uri.query().unwrap_or_default();
    if ask == Ask::Models && snapshot.aigne.public_models && !intake::has_key(session) {
        intake::knock(plane, snapshot, session, visit)?;
        return Ok(models(plane, snapshot, None, asked));
    }
    let caller = intake::admit(plane, snapshot, session, visit);
    match (ask, caller) {
        (Ask::Status, caller) => Ok(status(plane, snapshot, caller.as_ref().map(|c| &**c), asked)),
        (_, Err(failure)) => Err(failure),
        (Ask::Models, Ok(caller)) => Ok(models(plane, snapshot, Some(&*caller), asked)),
        (Ask::Account, Ok(caller)) => Ok(account(plane, snapshot, &caller)),
        // Answered before anybody is asked who they are.
        (Ask::Discovery, Ok(_)) => Err(Failure::new(Kind::UnknownEndpoint, "Unknown request URL")),
    }
}

/// A member of a query, decoded.
pub(super) fn query(query: &str, name: &str) -> Option<String> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
    };
    query.split('&').find_map(pair).filter(|value| !value.is_empty())
}

/// The map of the site, as JSON or as the script that a page loads.
pub(super) fn discovery(mount: &str, asked: &str) -> (&'static str, Bytes) {
    // Some clients drop what does not say that it runs.
    let map = json!({
        "prefix": mount,
        "componentId": COMPONENT,
        "componentMountPoints": [{
            "did": COMPONENT, "mountPoint": mount, "name": "ai-kit", "title": "AIGNE Hub", "status": "running",
        }],
    });
    match query(asked, "type").as_deref() {
        Some("json") => ("application/json", map.to_string().into()),
        _ => ("text/javascript", format!("window.blocklet = {map};").into()),
    }
}

/// The models that a key may use, or all of them for who may see them without one.
fn models(plane: &Plane, snapshot: &Snapshot, caller: Option<&Caller>, asked: &str) -> Bytes {
    let wanted = query(asked, "type");
    let may_use = |name: &&String| caller.is_none_or(|caller| caller.key.models.allows(name));
    let rows: Vec<Value> = snapshot
        .model_names()
        .iter()
        .filter(may_use)
        .filter_map(|name| row(plane, snapshot, name, &*snapshot.model(name)?))
        .filter(|row| wanted.as_deref().is_none_or(|wanted| is_of(row, wanted)))
        .collect();
    Value::Array(rows).to_string().into()
}

fn is_of(row: &Value, wanted: &str) -> bool {
    let kind = row.get("type").and_then(Value::as_str).unwrap_or_default();
    kind == wanted || (kind == "image_generation" && matches!(wanted, "image" | "imageGeneration"))
}

/// Rates are texts: the client refuses numbers, and a number of this size would lose digits.
fn row(plane: &Plane, snapshot: &Snapshot, name: &str, model: &Model) -> Option<Value> {
    let target = model.targets.first()?;
    let provider = &target.provider;
    let row = (provider.name.as_str(), provider.vendor.name, &*target.upstream_model);
    let price = snapshot.prices.find(row.0, row.1, row.2, plane.clock.wall());
    let card = target.card.as_deref();
    let kind = kind(card, &target.upstream_model);
    let (input, output) = price.map_or((Rate(0), Rate(0)), |price| {
        let rates = &price.rates;
        match kind {
            "image_generation" => (rates.input, rates.image),
            "video" if rates.second != Rate(0) => (rates.input, rates.second),
            _ => (rates.input, rates.output),
        }
    });
    let shown = name.strip_prefix(provider.name.as_str()).and_then(|rest| rest.strip_prefix('/'));
    Some(json!({
        "key": name,
        "model": shown.unwrap_or(name),
        "type": kind,
        "provider": provider.name.as_str(),
        "providerId": provider.name.as_str(),
        "providerDisplayName": provider.vendor.title,
        "input_credits_per_token": per_unit(input),
        "output_credits_per_token": per_unit(output),
        "modelMetadata": card.map(metadata),
        "status": { "available": is_up(plane, model) },
    }))
}

/// A price for one token or picture, in full: a million times less than that of a million.
fn per_unit(rate: Rate) -> String {
    const DIGITS: usize = 18;
    let digits = format!("{:0>width$}", rate.0.max(0), width = DIGITS + 1);
    let (whole, fraction) = digits.split_at(digits.len() - DIGITS);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// What the catalogue knows of a model, in AIGNE's words.
fn metadata(card: &Card) -> Value {
    const FEATURES: &[(Ability, &str)] =
        &[(Ability::Tools, "tools"), (Ability::Thinking, "thinking"), (Ability::Image, "vision")];
    let known = FEATURES.iter().filter(|(ability, _)| card.can.contains(*ability));
    let features: Vec<&str> = known.map(|(_, name)| *name).collect();
    match card.output_limit() {
        Some(most) => json!({ "maxTokens": most, "features": features }),
        None => json!({ "features": features }),
    }
}

/// What a model makes: by the catalogue, and where that knows nothing or several things, by its name.
fn kind(card: Option<&Card>, model: &str) -> &'static str {
    let makes = |ability| card.is_some_and(|card| card.can.contains(ability));
    match () {
        () if makes(Ability::Embeddings) => "embedding",
        () if makes(Ability::TextOutput) && !makes(Ability::ImageOutput) => "chat",
        () if makes(Ability::TextOutput) => by_name(model),
        () if makes(Ability::ImageOutput) => "image_generation",
        () if makes(Ability::VideoOutput) => "video",
        () => by_name(model),
    }
}

fn by_name(model: &str) -> &'static str {
    const KINDS: &[(&str, &[&str])] = &[
        ("embedding", &["embed", "bge-"]),
        (
            "image_generation",
            &["gpt-image", "dall-e", "imagen", "-image", "flux", "stable-diffusion", "ideogram"],
        ),
        ("video", &["sora", "veo-", "seedance"]),
    ];
    let model = model.to_ascii_lowercase();
    let known = KINDS.iter().find(|(_, signs)| signs.iter().any(|sign| model.contains(sign)));
    known.map_or("chat", |(kind, _)| kind)
}

/// Is there a target with a credential that may be used now?
fn is_up(plane: &Plane, model: &Model) -> bool {
    let now = plane.clock.mono();
    let ready = |target: &Target| {
        let credentials = &target.provider.credentials;
        credentials.iter().any(|c| !matches!(c.health.standing(now), Standing::Until(_)))
    };
    model.targets.iter().chain(&model.fallback).any(ready)
}

/// Is the hub, or one model, ready for this caller? Always an answer with status 200, whatever it says.
fn status(
    plane: &Plane,
    snapshot: &Snapshot,
    caller: std::result::Result<&Caller, &Failure>,
    asked: &str,
) -> Bytes {
    let no = |text: &str, code: u16| json!({ "available": false, "error": text, "code": code });
    let answer = match (caller, query(asked, "model")) {
        (Err(failure), _) => no(&failure.public, failure.status()),
        (Ok(_), None) => json!({ "available": true }),
        (Ok(caller), Some(name)) => match find(snapshot, caller, &name) {
            Err(failure) => no(&failure.public, failure.status()),
            Ok(_) if is_broke(plane, caller) => no("There are no credits left", 402),
            Ok(model) if is_up(plane, &model) => json!({ "available": true }),
            Ok(_) => no("The vendors of this model cannot be used right now", 503),
        },
    };
    answer.to_string().into()
}

/// Does its tenant pay, and has nothing left?
fn is_broke(plane: &Plane, caller: &Caller) -> bool {
    let available = || plane.store.wallets().available(&caller.key.tenant, plane.clock.wall());
    caller.payer.is_some() && available() <= Pico::ZERO
}

/// What a tenant that pays has, by its lots: what can be spent now, what there was of that at first, from
/// how many grants, and what running requests hold.
fn balance(plane: &Plane, caller: &Caller) -> Value {
    let now = plane.clock.wall();
    let (mut left, mut total, mut held, mut grants) = (Pico::ZERO, Pico::ZERO, Pico::ZERO, 0_u64);
    plane.store.wallets().look(&caller.key.tenant, |purse| {
        for (lot, _, held_of_lot) in purse.lots().filter(|(lot, ..)| !lot.is_over(now)) {
            total = total.saturating_add(lot.amount);
            held = held.saturating_add(held_of_lot);
            grants += 1;
        }
        left = purse.available(now);
    });
    json!({
        "balance": left.to_string(), "total": total.to_string(), "grantCount": grants,
        "pendingCredit": held.to_string(),
    })
}

/// Who calls, and what it has, where tenants pay.
fn account(plane: &Plane, snapshot: &Snapshot, caller: &Caller) -> Bytes {
    let key = &caller.key;
    let billing = snapshot.billing.as_ref().filter(|_| caller.payer.is_some());
    // The client takes the signs of three currencies and no others.
    let prefix = billing.map_or("$", |billing| &*billing.prefix);
    let prefix = Some(prefix).filter(|prefix| matches!(*prefix, "$" | "€" | "¥"));
    let symbol = if billing.is_some() { "credits" } else { "USD" };
    let mut answer = json!({
        "user": {
            "did": key.id.as_str(), "fullName": &*key.name, "email": null, "avatar": null, "role": "member",
        },
        "enableCredit": billing.is_some(),
        "creditBalance": billing.map(|_| balance(plane, caller)),
        "paymentLink": billing.and_then(|billing| billing.buy_link.as_deref()),
        "profileLink": null,
        "currency": { "symbol": symbol, "decimal": 12 },
    });
    if let (Some(prefix), Some(members)) = (prefix, answer.as_object_mut()) {
        members.insert("creditPrefix".to_owned(), prefix.into());
    }
    answer.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_per_token_keeps_every_digit() {
        let shown = |text: &str| per_unit(Rate::parse(text).unwrap());
        assert_eq!(shown("0.15"), "0.00000015");
        assert_eq!(shown("2500000"), "2.5");
        assert_eq!(shown("0.000000000001"), "0.000000000000000001");
        assert_eq!([shown("0"), shown("3000000")], ["0", "3"]);
    }

    #[test]
    fn models_are_sorted_by_what_they_make() {
        let found =
            ["gpt-4o-mini", "text-embedding-3-small", "gpt-image-1", "gemini-2.5-flash-image", "sora-2"]
                .map(|model| kind(None, model));
        assert_eq!(found, ["chat", "embedding", "image_generation", "image_generation", "video"]);
    }

    #[test]
    fn a_query_is_decoded_and_an_empty_member_is_none() {
        assert_eq!(query("a=1&model=openai%2Fgpt+4", "model").as_deref(), Some("openai/gpt 4"));
        assert_eq!(query("model=", "model"), None);
        assert_eq!(query("models=1", "model"), None);
    }
}
