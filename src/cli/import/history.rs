//! The history of calls, on its way into this hub.

use crate::cli::api::Hub;
use crate::control::{ImportedCall, Moment};
use crate::store::aikit::{Aikit, OldCall};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Calls that are sent at once; the hub takes a megabyte.
const TOGETHER: usize = 200;
/// Longest text that is kept of a call.
const LONGEST: usize = 1_000;

/// How much there is.
///
/// # Errors
/// The database is damaged.
pub(super) fn count(aikit: &Aikit) -> Result<String, String> {
    let (mut good, mut bad) = (0_u64, 0_u64);
    aikit.calls(&mut |call| {
        match call {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
        Ok(())
    })?;
    Ok(format!("{good} calls to take over, {bad} cannot be read"))
}

/// Takes all of it over. `names`: of providers, by their old ids.
///
/// # Errors
/// The database is damaged, or the hub refuses.
pub(super) fn take(aikit: &Aikit, hub: &Hub, names: &HashMap<&str, &str>) -> Result<String, String> {
    let (mut waiting, mut unreadable) = (Vec::new(), Vec::new());
    let (mut made, mut known) = (0, 0);
    let mut send = |waiting: &mut Vec<ImportedCall>| -> Result<(), String> {
        let calls = std::mem::take(waiting);
        let text = hub.ask("POST", "/imported-calls", Some(json!({ "calls": calls })))?;
        let told: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        made += told["imported"].as_u64().unwrap_or(0);
        known += told["known"].as_u64().unwrap_or(0);
        Ok(())
    };
    aikit.calls(&mut |call| {
        match call {
            Ok(call) => waiting.push(imported(call, names)),
            Err(why) => unreadable.push(why),
        }
        if waiting.len() >= TOGETHER { send(&mut waiting) } else { Ok(()) }
    })?;
    if !waiting.is_empty() {
        send(&mut waiting)?;
    }
    let mut told =
        format!("{made} calls taken over, {known} were there already, {} cannot be read", unreadable.len());
    for why in unreadable.iter().take(20) {
        told.push_str(&format!("\n  {why}"));
    }
    Ok(told)
}

fn imported(call: OldCall, names: &HashMap<&str, &str>) -> ImportedCall {
    let metrics = call.metrics.and_then(|text| serde_json::from_str::<Value>(&text).ok()).unwrap_or_default();
    let short = |text: String| text.chars().take(LONGEST / 4).collect::<String>();
    ImportedCall {
        provider: names
            .get(call.provider.as_str())
            .map_or_else(|| call.provider.clone(), |name| (*name).to_owned()),
        id: call.id,
        at: Moment(call.at),
        credential: call.credential,
        model: short(call.model),
        kind: short(call.kind),
        usage: call.usage,
        credits: call.credits,
        status: short(call.status),
        duration: call.duration,
        first_byte_ms: call.first_byte_ms,
        error: call.error.map(short),
        app: call.app.map(short),
        user: call.user.map(short),
        request: call.request.map(short),
        metrics: if metrics.to_string().len() > LONGEST { Value::Null } else { metrics },
    }
}
