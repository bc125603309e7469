//! Answers about answers: what went in, that one is gone, what one would cost.

use serde_json::{Map, Value, json};

/// The longest page of a list, and the usual one.
const MAX_PAGE: usize = 100;
const PAGE: usize = 20;

/// Which items are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many, from 1 to 100.
    pub limit: usize,
    /// Oldest first?
    pub ascending: bool,
    /// Only items behind this one.
    pub after: Option<String>,
}

impl Page {
    /// Reads a query string.
    ///
    /// # Errors
    /// The name of the parameter that is wrong.
    pub fn read(query: &str) -> Result<Self, &'static str> {
        let mut page = Self { limit: PAGE, ascending: false, after: None };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
                    page.limit = limit.ok_or("limit")?;
                }
                "order" => {
                    page.ascending = match value {
                        "asc" => true,
                        "desc" => false,
                        _ => return Err("order"),
                    };
                }
                "after" => page.after = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(page)
    }
}

/// The items that an answer was made from, as a list. `lists` are JSON arrays,
/// oldest first; an item without an id gets one that stays the same for this answer.
pub fn input_items<'a>(id: &str, lists: impl Iterator<Item = &'a [u8]>, page: &Page) -> Vec<u8> {
    let items =
        lists.flat_map(|list| serde_json::from_slice::<Vec<Map<String, Value>>>(list).unwrap_or_default());
    let stem = id.strip_prefix("resp_").unwrap_or(id);
    let mut items: Vec<Map<String, Value>> =
        items.enumerate().map(|(number, item)| completed(stem, number, item)).collect();
    if !page.ascending {
        items.reverse();
    }
    let id_of = |item: &Map<String, Value>| item.get("id").and_then(Value::as_str).map(str::to_owned);
    if let Some(after) = &page.after
        && let Some(at) = items.iter().position(|item| id_of(item).as_ref() == Some(after))
    {
        items.drain(..=at);
    }
    let has_more = items.len() > page.limit;
    items.truncate(page.limit);
    let ends = |item: Option<&Map<String, Value>>| item.and_then(id_of);
    let list = json!({
        "object": "list", "has_more": has_more,
        "first_id": ends(items.first()), "last_id": ends(items.last()), "data": items,
    });
    list.to_string().into_bytes()
}

/// An item as lists show it: with a type, an id, and parts instead of a bare text.
fn completed(stem: &str, number: usize, mut item: Map<String, Value>) -> Map<String, Value> {
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    let prefix = match kind.as_str() {
        "message" => "msg",
        "reasoning" => "rs",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        _ => "item",
    };
    if item.get("id").and_then(Value::as_str).is_none() {
        item.insert("id".to_owned(), json!(format!("{prefix}_in{stem}{number:04x}")));
    }
    let assistant = item.get("role").and_then(Value::as_str) == Some("assistant");
    if let Some(text) = item.get("content").and_then(Value::as_str) {
        let part = if assistant {
            json!({ "type": "output_text", "text": text, "annotations": [] })
        } else {
            json!({ "type": "input_text", "text": text })
        };
        item.insert("content".to_owned(), json!([part]));
    }
    if matches!(prefix, "msg" | "fc" | "fco" | "ctc" | "ctco") {
        item.entry("status").or_insert(json!("completed"));
    }
    item.insert("type".to_owned(), json!(kind));
    item
}

/// Says that an answer is no longer kept.
pub fn deleted(id: &str) -> Vec<u8> {
    json!({ "id": id, "object": "response", "deleted": true }).to_string().into_bytes()
}

/// Says what a request's input comes to.
pub fn token_count(tokens: u64) -> Vec<u8> {
    json!({ "object": "response.input_tokens", "input_tokens": tokens }).to_string().into_bytes()
}
