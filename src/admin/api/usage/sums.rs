//! Series, ranks and sums.

use super::ask::Asked;
use super::refused;
use super::table::{Format, Table};
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use crate::control::Moment;
use crate::ledger::day_text;
use crate::ledger::usage::{
    Choice, Dimension, Group, Label, Measure, Question, Step, Sums, before, bounds, whole_quarters,
};
use crate::store::Freshness;
use crate::types::Wall;
use ahash::HashMap;
use serde_json::{Map, Value, json};

/// What a series is asked by.
pub const SERIES_QUERY: &[&str] =
    &["from", "to", "zone", "step", "group", "measures", "by", "top", "compare", "format"];
/// What a rank is asked by.
pub const TOP_QUERY: &[&str] = &["from", "to", "zone", "group", "measures", "by", "top", "compare", "format"];
/// What sums are asked by.
pub const SUMMARY_QUERY: &[&str] = &["from", "to", "zone", "measures", "compare"];
const USUAL_TOP: u64 = 10;
const MOST_TOP_SERIES: u64 = 50;
const MOST_TOP: u64 = 1_000;

/// What all three have in common.
struct Wish {
    choice: Choice,
    group: Vec<Dimension>,
    measures: Vec<Measure>,
    by: Measure,
    top: usize,
    compare: bool,
    format: Option<Format>,
}

impl Wish {
    fn of(asked: &mut Asked<'_>, most: u64) -> Self {
        let (choice, group, measures) = (asked.choice(), asked.group(), asked.measures());
        let by = asked.by(&measures);
        let top = usize::try_from(asked.number("top", USUAL_TOP, most)).unwrap_or(usize::MAX);
        let compare = asked.word("compare", &["none", "previous"]) == "previous";
        let format = Format::of(asked.word("format", &Format::NAMES));
        Self { choice, group, measures, by, top, compare, format }
    }

    fn question(&self, bounds: &[i64], measures: &[Measure]) -> Question {
        Question {
            choice: self.choice.clone(),
            bounds: bounds.to_vec(),
            group: self.group.clone(),
            times: measures.iter().any(|measure| measure.needs_times()),
            only: None,
        }
    }

    fn values(&self, sums: &Sums) -> Value {
        Value::Object(self.measures.iter().map(|one| (one.name().to_owned(), json!(one.of(sums)))).collect())
    }

    /// What the requests of a group have in common, by name.
    fn labels(&self, labels: Option<&[Label]>) -> Value {
        let Some(labels) = labels else { return Value::Null };
        let pairs = self.group.iter().zip(labels);
        Value::Object(pairs.map(|(one, label)| (one.name().to_owned(), json!(label.as_deref()))).collect())
    }
}

/// The largest groups, and everything else in one.
struct Ranked {
    groups: Vec<Group>,
    freshness: Freshness,
}

/// Asks, and asks again for the largest groups alone when there are more, so that no answer has to hold
/// every step of every group.
fn ranked(call: &Call<'_>, wish: &Wish, bounds: &[i64]) -> Result<Ranked, Problem> {
    let ask = |question: &Question| call.directory.store().usage(question).map_err(refused);
    let (Some(first), Some(last)) = (bounds.first(), bounds.last()) else {
        return Ok(Ranked { groups: Vec::new(), freshness: Freshness { through: 0, behind: 0 } });
    };
    let mut question = wish.question(bounds, &wish.measures);
    if !wish.group.is_empty() {
        let whole = wish.question(&[*first, *last], &[wish.by]);
        let (mut groups, _) = ask(&whole)?;
        sort(&mut groups, wish.by);
        if groups.len() > wish.top {
            groups.truncate(wish.top);
            question.only = Some(groups.into_iter().filter_map(|group| group.labels).collect());
        }
    }
    let (mut groups, freshness) = ask(&question)?;
    sort(&mut groups, wish.by);
    Ok(Ranked { groups, freshness })
}

/// The largest first, the rest last; equal ones by name, so that an answer is always the same.
fn sort(groups: &mut [Group], by: Measure) {
    groups.sort_by_cached_key(|group| {
        (group.labels.is_none(), std::cmp::Reverse(by.of(&group.total())), group.labels.clone())
    });
}

/// What the groups had before, by their labels.
fn earlier(
    call: &Call<'_>,
    wish: &Wish,
    bounds: &[i64],
    ranked: &Ranked,
) -> Result<HashMap<Option<Vec<Label>>, Group>, Problem> {
    let mut question = wish.question(bounds, &wish.measures);
    if ranked.groups.iter().any(|group| group.labels.is_none()) || !wish.group.is_empty() {
        question.only = Some(ranked.groups.iter().filter_map(|group| group.labels.clone()).collect());
    }
    let (groups, _) = call.directory.store().usage(&question).map_err(refused)?;
    Ok(groups.into_iter().map(|group| (group.labels.clone(), group)).collect())
}

fn moment(seconds: i64) -> String {
    Moment(Wall(seconds.saturating_mul(1_000_000))).to_string()
}

/// What every answer says of itself.
fn about(
    call: &Call<'_>,
    asked: &Asked<'_>,
    bounds: &[i64],
    freshness: Freshness,
) -> Result<Map<String, Value>, Problem> {
    let began = call.directory.store().usage_began().map_err(refused)?;
    let ends = [bounds.first(), bounds.last()].map(|at| at.map(|at| moment(*at)));
    let told = json!({
        "from": ends[0],
        "to": ends[1],
        "zone": asked.zone_name,
        // Only who sees all may know when others began.
        "first_day": began.filter(|_| asked.sight.sees_the_hub()).map(day_text),
        "batches_behind": freshness.behind,
    });
    Ok(told.as_object().cloned().unwrap_or_default())
}

/// `GET /usage/series`
pub fn series(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut asked = Asked::new(call)?;
    let wish = Wish::of(&mut asked, MOST_TOP_SERIES);
    let range = asked.range();
    let (step, bounds) = asked.step(range);
    asked.done()?;
    let ranked = ranked(call, &wish, &bounds)?;
    if let Some(format) = wish.format {
        return Ok(series_table(&wish, &ranked, &bounds, format));
    }
    let bounds_before = wish.compare.then(|| before(&asked.zone, step, &bounds)).transpose();
    let bounds_before = bounds_before.map_err(|error| Problem::fault("compare", error.to_string()))?;
    let mut before = match &bounds_before {
        Some(bounds) => earlier(call, &wish, bounds, &ranked)?,
        None => HashMap::default(),
    };
    let shown = ranked.groups.iter().map(|group| {
        let mut shown = one_series(&wish, group);
        if bounds_before.is_some() {
            let earlier = before.remove(&group.labels);
            shown.insert(
                "previous".into(),
                earlier.map_or(Value::Null, |e| Value::Object(one_series(&wish, &e))),
            );
        }
        Value::Object(shown)
    });
    let shown: Vec<Value> = shown.collect();
    let mut body = about(call, &asked, &bounds, ranked.freshness)?;
    body.insert("step".into(), step.name().into());
    body.insert("steps".into(), starts(&bounds));
    if let Some(bounds) = &bounds_before {
        body.insert("previous_steps".into(), starts(bounds));
    }
    body.insert("series".into(), shown.into());
    Ok(Reply::ok(Value::Object(body)))
}

fn starts(bounds: &[i64]) -> Value {
    let steps = bounds.len().saturating_sub(1);
    bounds.iter().take(steps).map(|at| Value::from(moment(*at))).collect()
}

fn one_series(wish: &Wish, group: &Group) -> Map<String, Value> {
    let values = wish.measures.iter().map(|measure| {
        let steps: Vec<Value> = group.steps.iter().map(|step| json!(measure.of(step))).collect();
        (measure.name().to_owned(), Value::Array(steps))
    });
    let mut shown = Map::new();
    shown.insert("group".into(), wish.labels(group.labels.as_deref()));
    shown.insert("total".into(), wish.values(&group.total()));
    shown.insert("values".into(), Value::Object(values.collect()));
    shown
}

fn columns(first: &[&'static str], wish: &Wish) -> Vec<&'static str> {
    let groups = wish.group.iter().map(|one| one.name());
    first.iter().copied().chain(groups).chain(wish.measures.iter().map(|one| one.name())).collect()
}

fn cells(wish: &Wish, group: &Group, sums: &Sums) -> Vec<Value> {
    let label = |at: usize| match &group.labels {
        None => Value::from("(rest)"),
        Some(labels) => json!(labels.get(at).and_then(|label| label.as_deref())),
    };
    let labels = (0..wish.group.len()).map(label);
    labels.chain(wish.measures.iter().map(|one| json!(one.of(sums)))).collect()
}

fn written(format: Format, columns: Vec<&'static str>, rows: Vec<Vec<Value>>) -> Reply {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    if let Ok(mut table) = Table::new(&mut out, format, columns) {
        for row in &rows {
            let _ = table.row(row);
        }
    }
    let text = String::from_utf8_lossy(&out).into_owned();
    Reply { text: Some((format.kind(), text)), ..Reply::ok(Value::Null) }
}

fn series_table(wish: &Wish, ranked: &Ranked, bounds: &[i64], format: Format) -> Reply {
    let mut rows = Vec::new();
    for group in &ranked.groups {
        for (at, sums) in bounds.iter().zip(&group.steps) {
            let mut row = vec![Value::from(moment(*at))];
            row.extend(cells(wish, group, sums));
            rows.push(row);
        }
    }
    written(format, columns(&["time"], wish), rows)
}

/// The time of sums without steps, in whole quarters of an hour, and the time before it. Whole days are
/// compared with as many whole days, whatever the clocks did.
fn whole(asked: &Asked<'_>, (from, to): (i64, i64)) -> (Vec<i64>, Vec<i64>) {
    let (from, to) = whole_quarters(from, to);
    let plain = vec![from.saturating_sub(to.saturating_sub(from)), from];
    let days = bounds(&asked.zone, Step::Day, from, to).ok();
    let days = days.filter(|days| days.first() == Some(&from) && days.last() == Some(&to));
    let earlier = days.and_then(|days| before(&asked.zone, Step::Day, &days).ok());
    let earlier = earlier.and_then(|days| Some(vec![*days.first()?, *days.last()?]));
    (vec![from, to], earlier.unwrap_or(plain))
}

/// `GET /usage/top`
pub fn top(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut asked = Asked::new(call)?;
    let wish = Wish::of(&mut asked, MOST_TOP);
    if wish.group.is_empty() {
        asked.fault("group", "is missing: by what are they told apart?");
    }
    let range = asked.range();
    asked.done()?;
    let (bounds, bounds_before) = whole(&asked, range);
    let ranked = ranked(call, &wish, &bounds)?;
    if let Some(format) = wish.format {
        let rows = ranked.groups.iter().map(|group| cells(&wish, group, &group.total())).collect();
        return Ok(written(format, columns(&[], &wish), rows));
    }
    let before = match wish.compare {
        true => earlier(call, &wish, &bounds_before, &ranked)?,
        false => HashMap::default(),
    };
    let (mut total, mut items, mut rest) = (Sums::default(), Vec::new(), Value::Null);
    for group in &ranked.groups {
        let sums = group.total();
        total.merge(&sums);
        let mut shown =
            json!({ "group": wish.labels(group.labels.as_deref()), "values": wish.values(&sums) });
        if wish.compare {
            let earlier = before.get(&group.labels).map(|group| wish.values(&group.total()));
            shown["previous"] = earlier.unwrap_or_default();
        }
        match &group.labels {
            Some(_) => items.push(shown),
            None => rest = shown,
        }
    }
    let mut body = about(call, &asked, &bounds, ranked.freshness)?;
    body.insert("items".into(), items.into());
    body.insert("rest".into(), rest);
    body.insert("total".into(), wish.values(&total));
    Ok(Reply::ok(Value::Object(body)))
}

/// `GET /usage/summary`
pub fn summary(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut asked = Asked::new(call)?;
    let wish = Wish::of(&mut asked, MOST_TOP);
    let range = asked.range();
    asked.done()?;
    let (bounds, bounds_before) = whole(&asked, range);
    let sums = |bounds: &[i64]| -> Result<(Sums, Freshness), Problem> {
        let Ranked { groups, freshness } = ranked(call, &wish, bounds)?;
        Ok((groups.first().map(Group::total).unwrap_or_default(), freshness))
    };
    let (now, freshness) = sums(&bounds)?;
    let mut body = about(call, &asked, &bounds, freshness)?;
    body.insert("values".into(), wish.values(&now));
    if wish.compare {
        body.insert("previous".into(), wish.values(&sums(&bounds_before)?.0));
    }
    Ok(Reply::ok(Value::Object(body)))
}
