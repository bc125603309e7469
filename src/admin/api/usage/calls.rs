//! Single calls: pages, exports, and one call's whole story.

use super::ask::{Asked, Sight};
use super::refused;
use super::table::{Format, Table};
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::pour::Pour;
use crate::admin::api::problem::Problem;
use crate::config::Snapshot;
use crate::control::Moment;
use crate::ledger::Settlement;
use crate::ledger::usage::{Choice, NoAnswer};
use crate::ledger::wallet::{Account, Movement, Unit};
use crate::store::{Called, Cursor, Store, Story, Wanted};
use crate::types::{Pico, RequestId, Wall};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::ops::Range;

/// What calls are asked by.
pub const CALLS_QUERY: &[&str] = &[
    "from",
    "to",
    "zone",
    "limit",
    "after",
    "stream",
    "end_user",
    "min_duration_ms",
    "min_cost",
    "min_tokens",
];
/// What an export of calls is asked by.
pub const EXPORT_QUERY: &[&str] =
    &["from", "to", "zone", "format", "stream", "end_user", "min_duration_ms", "min_cost", "min_tokens"];
const USUAL_LIMIT: u64 = 50;
const MOST_CALLS: u64 = 500;
const MICROS: i64 = 1_000_000;

/// Which calls, beside what sums can be chosen by.
#[derive(Clone, Debug)]
struct Wish {
    choice: Choice,
    time: Range<Wall>,
    stream: Option<bool>,
    end_user: Option<String>,
    min_duration_us: u64,
    min_tokens: u64,
    min_cost: Pico,
}

impl Wish {
    fn of(asked: &mut Asked<'_>) -> Self {
        let wall = |at: Option<i64>, open: i64| Wall(at.map_or(open, |at| at.saturating_mul(MICROS)));
        let time = wall(asked.time("from"), 0)..wall(asked.time("to"), i64::MAX);
        if time.is_empty() {
            asked.fault("from", "is not before `to`");
        }
        let stream = match asked.word("stream", &["", "true", "false"]) {
            "" => None,
            word => Some(word == "true"),
        };
        let count = |asked: &mut Asked<'_>, name: &str| -> u64 {
            let number = asked.text(name).map_or(Ok(0), str::parse);
            number.unwrap_or_else(|_| {
                asked.fault(name, "is a whole number");
                0
            })
        };
        let min_duration_us = count(asked, "min_duration_ms").saturating_mul(1_000);
        let min_tokens = count(asked, "min_tokens");
        let min_cost = match asked.text("min_cost").map(Pico::parse) {
            Some(_) if !asked.sight.sees_cost() => {
                asked.fault("min_cost", "is for people of the hub");
                Pico::ZERO
            }
            None => Pico::ZERO,
            Some(Ok(cost)) => cost,
            Some(Err(error)) => {
                asked.fault("min_cost", error.to_string());
                Pico::ZERO
            }
        };
        let end_user = asked.text("end_user").map(str::to_owned);
        Self { choice: asked.choice(), time, stream, end_user, min_duration_us, min_tokens, min_cost }
    }

    fn fits(&self, settlement: &Settlement) -> bool {
        self.stream.is_none_or(|stream| stream == settlement.stream)
            && self.end_user.as_ref().is_none_or(|user| settlement.end_user.as_deref() == Some(user))
            && settlement.duration_us >= self.min_duration_us
            && (self.min_tokens == 0 || settlement.counted_tokens() >= self.min_tokens)
            && (self.min_cost == Pico::ZERO || settlement.cost() >= self.min_cost)
    }

    fn page(
        &self,
        store: &Store,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<crate::store::CallsPage, NoAnswer> {
        let fits = |settlement: &Settlement| self.fits(settlement);
        store.calls(&Wanted { choice: &self.choice, time: self.time.clone(), before, limit, fits: &fits })
    }
}

/// `GET /calls`: those that ended last come first. A page may be empty and yet not the last: then
/// nothing fitted in the part of the books that was read for it.
pub fn calls(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut asked = Asked::new(call)?;
    let wish = Wish::of(&mut asked);
    let limit = usize::try_from(asked.number("limit", USUAL_LIMIT, MOST_CALLS)).unwrap_or(1);
    let after = match asked.text("after").map(str::parse::<Cursor>) {
        None => None,
        Some(Ok(cursor)) => Some(cursor),
        Some(Err(())) => {
            asked.fault("after", "is what `next` of the page before said");
            None
        }
    };
    asked.done()?;
    let page = wish.page(call.directory.store(), after, limit).map_err(refused)?;
    let items: Vec<Value> =
        page.calls.iter().map(|called| Value::Object(shown(called, &asked.sight))).collect();
    Ok(Reply::ok(json!({ "items": items, "next": page.next.map(|next| next.to_string()) })))
}

/// `GET /calls/export`: everything that fits, the newest first, as CSV or JSON lines.
pub fn export(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut asked = Asked::new(call)?;
    let wish = Wish::of(&mut asked);
    let format = Format::of(asked.word("format", &["csv", "jsonl"])).unwrap_or(Format::Csv);
    asked.done()?;
    let (store, sight) = (call.directory.store().clone(), asked.sight);
    // The first page is asked for now, so that what cannot be answered is a refusal and no cut export.
    wish.page(&store, None, 1).map_err(refused)?;
    let name = if format == Format::Csv { "calls.csv" } else { "calls.jsonl" };
    let pour = Pour::new(format.kind(), name, move |out| write_all(&wish, &store, &sight, format, out));
    Ok(Reply { pour: Some(pour), ..Reply::ok(Value::Null) })
}

fn write_all(
    wish: &Wish,
    store: &Store,
    sight: &Sight,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    let columns: Vec<&'static str> = COLUMNS.iter().copied().filter(|name| may_see(name, sight)).collect();
    let mut table = Table::new(out, format, columns.clone())?;
    let mut before = None;
    loop {
        let limit = usize::try_from(MOST_CALLS).unwrap_or(1);
        let page = wish.page(store, before, limit).map_err(io::Error::other)?;
        for called in &page.calls {
            let mut shown = shown(called, sight);
            flatten(&mut shown);
            let row: Vec<Value> =
                columns.iter().map(|name| shown.remove(*name).unwrap_or_default()).collect();
            table.row(&row)?;
        }
        match page.next {
            Some(next) => before = Some(next),
            None => return Ok(()),
        }
    }
}

/// The columns of an export.
const COLUMNS: &[&str] = &[
    "id",
    "time",
    "tenant",
    "team",
    "user",
    "app",
    "key",
    "end_user",
    "operation",
    "stream",
    "model",
    "provider",
    "upstream_model",
    "credential",
    "attempts",
    "status",
    "outcome",
    "error",
    "duration_us",
    "first_token_us",
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "audio_output",
    "images",
    "milliseconds",
    "characters",
    "usage_source",
    "cost",
    "charge",
    "saved",
];

fn may_see(name: &str, sight: &Sight) -> bool {
    match name {
        "cost" | "saved" => sight.sees_cost(),
        "credential" => sight.sees_credentials(),
        _ => true,
    }
}

/// Puts the parts of `usage` beside everything else.
fn flatten(shown: &mut Map<String, Value>) {
    if let Some(Value::Object(usage)) = shown.remove("usage") {
        shown.extend(usage);
    }
}

fn shown(called: &Called, sight: &Sight) -> Map<String, Value> {
    let Called { settlement: s, charge } = called;
    let shown = json!({
        "id": s.id,
        "time": Moment(s.at).to_string(),
        "tenant": s.tenant,
        "team": s.party.team,
        "user": s.party.user,
        "app": s.party.app,
        "key": s.key,
        "end_user": s.end_user,
        "operation": s.op.name(),
        "stream": s.stream,
        "model": s.model,
        "provider": s.provider,
        "upstream_model": s.upstream_model,
        "credential": s.credential,
        "attempts": s.attempts,
        "status": s.status,
        "outcome": s.outcome.name(),
        "error": s.error,
        "duration_us": s.duration_us,
        "first_token_us": s.first_token_us,
        "usage": s.usage,
        "usage_source": s.usage_source,
        "cost": s.charge.as_ref().map(|charge| charge.cost),
        "charge": charge,
        "saved": s.saved,
    });
    let mut shown = shown.as_object().cloned().unwrap_or_default();
    shown.retain(|name, _| may_see(name, sight));
    shown
}

/// `GET /calls/ID`: everything that the books say of one call.
pub fn story(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut asked = Asked::new(call)?;
    let choice = asked.choice();
    asked.done()?;
    let id = uuid::Uuid::parse_str(call.id).map(RequestId).map_err(|_| Problem::not_found())?;
    let story = call.directory.store().call(id, &choice).map_err(refused)?.ok_or_else(Problem::not_found)?;
    let snapshot = call.directory.snapshot();
    Ok(Reply::ok(Value::Object(told(&story, &asked.sight, snapshot.as_deref()))))
}

fn told(story: &Story, sight: &Sight, snapshot: Option<&Snapshot>) -> Map<String, Value> {
    let settlement = &story.settlement;
    let paid = story.movements.iter().find_map(|movement| match &movement.cause {
        crate::ledger::wallet::Cause::Settle(sale) => Some(sale.paid),
        _ => None,
    });
    let mut shown = shown(&Called { settlement: settlement.clone(), charge: paid }, sight);
    shown.insert("tags".into(), json!(settlement.tags));
    shown.insert("route".into(), Value::Array(route(settlement, sight)));
    if let Some(intent) = &story.intent {
        let mut planned = json!({
            "provider": intent.provider,
            "upstream_model": intent.upstream_model,
            "input_bound": intent.input_bound,
            "output_bound": intent.output_bound,
        });
        if sight.sees_cost() {
            planned["hold"] = json!(intent.hold);
        }
        shown.insert("planned".into(), planned);
    }
    if sight.sees_cost()
        && let Some(charge) = &settlement.charge
    {
        let row = snapshot.and_then(|snapshot| snapshot.prices.by_id(&charge.price));
        let price = json!({ "id": charge.price, "tier": charge.tier, "row": row.map(|row| json!(**row)) });
        shown.insert("price".into(), price);
    }
    let movements = story.movements.iter().map(|movement| moved(movement, sight));
    shown.insert("wallet".into(), movements.collect());
    shown
}

/// The attempts, in order. Of one that succeeded at once the settlement says everything.
fn route(settlement: &Settlement, sight: &Sight) -> Vec<Value> {
    if settlement.tried.is_empty() && settlement.attempts > 0 {
        let mut only = json!({
            "provider": settlement.provider,
            "upstream_model": settlement.upstream_model,
            "status": 200,
            "error": "",
        });
        if sight.sees_credentials() {
            only["credential"] = json!(settlement.credential);
        }
        return vec![only];
    }
    let tried = settlement.tried.iter().map(|tried| {
        let mut shown = json!(tried);
        if let (false, Some(map)) = (sight.sees_credentials(), shown.as_object_mut()) {
            map.remove("credential");
        }
        shown
    });
    tried.collect()
}

/// A movement of the wallet that paid. Its transfers tell the cost and the margin.
fn moved(movement: &Movement, sight: &Sight) -> Value {
    let credits = movement.net(|account| matches!(account, Account::Lot(_)));
    let mut shown = json!({
        "time": Moment(movement.at).to_string(),
        "cause": movement.cause.name(),
        "out_of_wallet": credits,
    });
    if sight.sees_the_hub() {
        shown["detail"] = json!(movement.cause);
        shown["transfers"] = json!(movement.transfers);
    } else {
        let own = movement.transfers.iter().filter(|transfer| transfer.from.unit() == Unit::Credits);
        shown["transfers"] = json!(own.collect::<Vec<_>>());
    }
    shown
}
