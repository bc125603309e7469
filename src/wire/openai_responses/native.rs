//! The body for a vendor that has this dialect itself: as it came, but for
//! what that vendor would refuse of an earlier answer that it did not give.

use super::expand::changed;
use crate::chat::{Field, Json, Origin, Signature, split_call_id};
use crate::wire::json::Reader;
use serde_json::{Map, Value};

const ENCRYPTED: &str = "reasoning.encrypted_content";

/// The body for a vendor that keeps nothing; `None`: it may go as it is.
///
/// Thoughts go back only with what their vendor can read itself, for without
/// that they are looked up and not found. `reasons`: the model thinks, so its thoughts are
/// asked for in a form that can come back; other models refuse to be asked. `gave`: may the thoughts of this
/// id have come from this vendor?
pub fn for_vendor(body: &[u8], reasons: bool, gave: &dyn Fn(&str) -> bool) -> Option<ForVendor> {
    let Fields { input, include } = fields(body)?;
    let input = input.and_then(|input| cleaned(input, gave));
    let include = if reasons { asking(include) } else { None };
    if input.is_none() && include.is_none() {
        return None;
    }
    let adapted = input.is_some().then(|| format!("{}: dropped", Field::ReasoningHistory.name()));
    let changes = [("input", input), ("include", include)];
    let there: Vec<(&str, Option<&[u8]>)> = changes
        .iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| (*name, Some(value))))
        .collect();
    Some(ForVendor { body: changed(body, &there).ok()?, adapted })
}

/// A body for a vendor, and what was taken out of it.
#[derive(Debug, PartialEq, Eq)]
pub struct ForVendor {
    /// The body.
    pub body: Vec<u8>,
    /// What the caller is told of the change.
    pub adapted: Option<String>,
}

struct Fields<'a> {
    input: Option<&'a [u8]>,
    include: Option<&'a [u8]>,
}

fn fields(body: &[u8]) -> Option<Fields<'_>> {
    let mut reader = Reader::new(body);
    reader.enter_object().ok()?;
    let (mut input, mut include) = (None, None);
    while let Some(key) = reader.key().ok()? {
        let span = reader.skip().ok()?;
        match key.bytes().as_ref() {
            b"input" => input = Some(reader.slice(span)),
            b"include" => include = Some(reader.slice(span)),
            _ => {}
        }
    }
    Some(Fields { input, include })
}

/// `include` with the wish for thoughts that can come back; `None`: it is there.
fn asking(include: Option<&[u8]>) -> Option<Vec<u8>> {
    let list: Option<Vec<String>> = include.and_then(|include| serde_json::from_slice(include).ok()?);
    let mut list = list.unwrap_or_default();
    if list.iter().any(|name| name == ENCRYPTED) {
        return None;
    }
    list.push(ENCRYPTED.to_owned());
    serde_json::to_vec(&list).ok()
}

/// `input` without what the vendor cannot read; `None`: nothing of that is in it.
fn cleaned(input: &[u8], gave: &dyn Fn(&str) -> bool) -> Option<Vec<u8>> {
    let suspicious = [&b"\"reasoning\""[..], b"~sig_"];
    if !suspicious.iter().any(|word| memchr::memmem::find(input, word).is_some()) {
        return None;
    }
    let items: Vec<Json> = serde_json::from_slice(input).ok()?;
    let kept: Vec<Json> = items.iter().filter_map(|item| own(item, gave)).collect();
    if kept == items {
        return None;
    }
    serde_json::to_vec(&kept).ok()
}

/// The item as the vendor can take it; `None`: not at all.
fn own(item: &Json, gave: &dyn Fn(&str) -> bool) -> Option<Json> {
    let Some(mut members) = item.read::<Map<String, Value>>() else { return Some(item.clone()) };
    let text = |members: &Map<String, Value>, name: &str| {
        members.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    if text(&members, "type").as_deref() == Some("reasoning") {
        let opaque = text(&members, "encrypted_content")?;
        let signature = Signature::from_field(opaque, Origin::OpenAi);
        let is_ours = text(&members, "id").is_none_or(|id| gave(&id));
        return (signature.origin == Origin::OpenAi && is_ours).then(|| item.clone());
    }
    let Some(call_id) = text(&members, "call_id") else { return Some(item.clone()) };
    let (plain, signature) = split_call_id(call_id);
    if signature.is_none() {
        return Some(item.clone());
    }
    members.insert("call_id".to_owned(), Value::String(plain));
    Some(Json::of(&members))
}

#[cfg(test)]
mod tests {
    use super::super::thoughts_of;
    use super::for_vendor;
    use serde_json::{Value, json};

    #[test]
    fn thoughts_of_another_vendor_are_left_out_by_their_id() {
        let thoughts =
            |id: &str| json!({ "type": "reasoning", "id": id, "summary": [], "encrypted_content": "e" });
        let question = json!({ "role": "user", "content": "hi" });
        let body = json!({ "model": "m", "input": [thoughts("rs_1"), thoughts("rs_2"), question] });
        let sent = for_vendor(body.to_string().as_bytes(), false, &|id| id == "rs_2").unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&sent.body).unwrap()["input"],
            json!([thoughts("rs_2"), question])
        );
        let answer = json!({ "id": "resp_1", "output": [thoughts("rs_1"), { "type": "message", "id": "msg_1" }, { "id": "rs_2", "type": "reasoning" }] });
        assert_eq!(thoughts_of(answer.to_string().as_bytes()), ["rs_1", "rs_2"]);
        assert!(thoughts_of(b"{\"output\":[1,").is_empty());
    }
}
