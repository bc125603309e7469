//! `aigne-hub list|show|create|update|delete …`: the five things that can be
//! done with every kind, in the words of the API.

use super::api::{Hub, Place, segment};
use super::out;
use crate::control::Kind;
use clap::Args;
use serde_json::{Map, Value};

/// Which things.
#[derive(Args)]
pub(super) struct List {
    /// tenants, teams, projects, users, apps, roles, keys, providers, credentials, models, address-rules, webhooks, quotas, body-policies or prices.
    kind: String,
    /// Filters, as tenant=acme or q=ann.
    filters: Vec<String>,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// One thing.
#[derive(Args)]
pub(super) struct One {
    /// As in `list`.
    kind: String,
    /// Its id.
    id: String,
    #[command(flatten)]
    place: Place,
}

/// A new thing.
#[derive(Args)]
pub(super) struct Create {
    /// As in `list`.
    kind: String,
    /// Its fields, as name=Ann or models=["gpt"]; what is no JSON is a text.
    fields: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// A change.
#[derive(Args)]
pub(super) struct Update {
    /// As in `list`.
    kind: String,
    /// Its id.
    id: String,
    /// Fields, as enabled=false; null takes one away.
    fields: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// The path of a kind, if there is such a kind.
fn path(name: &str) -> Result<String, String> {
    match Kind::ALL.iter().find(|kind| kind.plural() == name) {
        Some(kind) => Ok(format!("/{}", kind.plural())),
        None => {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.plural()).collect();
            Err(format!("there are no {name}; known are {}", kinds.join(", ")))
        }
    }
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=').ok_or_else(|| format!("{text:?} is no name=value"))
}

/// Fields as an object. A text that looks like JSON is JSON.
fn object(fields: &[String]) -> Result<Value, String> {
    let mut map = Map::new();
    for field in fields {
        let (name, text) = pair(field)?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        map.insert(name.to_owned(), value);
    }
    Ok(Value::Object(map))
}

impl List {
    pub(super) fn run(self) -> Result<(), String> {
        let mut query = String::new();
        for filter in &self.filters {
            let (name, value) = pair(filter)?;
            query.push_str(&format!("&{}={}", segment(name), segment(value)));
        }
        let items = self.place.hub()?.all(&path(&self.kind)?, &query)?;
        if self.json {
            return out::print_pretty(&items);
        }
        out::print(table(&items).trim_end())
    }
}

/// What people look for first, in columns.
fn table(items: &[Value]) -> String {
    const COLUMNS: &[&str] =
        &["id", "name", "email", "tenant", "role", "vendor", "network", "enabled", "source"];
    let text = |item: &Value, column: &str| match &item[column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let used: Vec<&&str> =
        COLUMNS.iter().filter(|column| items.iter().any(|item| !item[**column].is_null())).collect();
    let mut rows: Vec<Vec<String>> = vec![used.iter().map(|column| column.to_uppercase()).collect()];
    rows.extend(items.iter().map(|item| used.iter().map(|column| text(item, column)).collect()));
    aligned(&rows)
}

/// Rows of cells, each column as wide as its widest.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut lines = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        lines.push_str(cells.join("  ").trim_end());
        lines.push('\n');
    }
    lines
}

impl One {
    pub(super) fn show(self) -> Result<(), String> {
        let path = format!("{}/{}", path(&self.kind)?, segment(&self.id));
        pretty(&self.place.hub()?, "GET", &path, None)
    }

    pub(super) fn delete(self) -> Result<(), String> {
        let path = format!("{}/{}", path(&self.kind)?, segment(&self.id));
        pretty(&self.place.hub()?, "DELETE", &path, None)
    }
}

impl Create {
    pub(super) fn run(self) -> Result<(), String> {
        pretty(&self.place.hub()?, "POST", &path(&self.kind)?, Some(object(&self.fields)?))
    }
}

impl Update {
    pub(super) fn run(self) -> Result<(), String> {
        let path = format!("{}/{}", path(&self.kind)?, segment(&self.id));
        pretty(&self.place.hub()?, "PATCH", &path, Some(object(&self.fields)?))
    }
}

fn pretty(hub: &Hub, method: &str, path: &str, body: Option<Value>) -> Result<(), String> {
    let text = hub.ask(method, path, body)?;
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => out::print_pretty(&value),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_json_where_they_can_be() {
        let fields = ["name=Ann", "enabled=false", "models=[\"gpt\"]", "expires_at=null", "comment=a=b"];
        let object = object(&fields.map(str::to_owned)).unwrap();
        let expected = json!({
            "name": "Ann", "enabled": false, "models": ["gpt"], "expires_at": null, "comment": "a=b",
        });
        assert_eq!(object, expected);
        assert!(super::object(&["name".to_owned()]).is_err());
    }

    #[test]
    fn every_kind_has_its_routes_and_nothing_else_is_one() {
        for kind in Kind::ALL {
            let path = path(kind.plural()).unwrap();
            assert!(crate::admin::routes().any(|route| route.path == path), "{path}");
        }
        assert!(path("session").is_err() && path("").is_err());
    }

    #[test]
    fn a_table_has_only_columns_that_say_something() {
        let items = [json!({ "id": "a", "name": "long name" }), json!({ "id": "bcd", "name": "x" })];
        assert_eq!(table(&items), "ID   NAME\na    long name\nbcd  x\n");
    }
}
