//! A caller's whole answer, written from the canonical one.

use super::echo::{Asked, Echo};
use super::items::{Content, Item, Maker, Status, annotation, encrypted};
use super::usage::write_usage;
use crate::chat::{Finish, Object, Part, Response, write_object};
use crate::types::Usage;

/// Writes a caller's whole answer: the first, where there are several. Parts
/// that the dialect cannot say, such as sound, are left out.
pub fn response_out(response: &Response, asked: Asked<'_>) -> Vec<u8> {
    let echo = Echo::read(asked.body);
    let maker = Maker::new(asked.id, echo.custom_tools());
    let choice = response.first();
    let items = items(&maker, &choice.parts);
    let frame = Frame {
        id: &maker.response_id(),
        model: if response.model.is_empty() { echo.model() } else { &response.model },
        created: response.created.unwrap_or_default(),
        service_tier: response.service_tier.as_deref(),
        echo: &echo,
    };
    let mut out = Vec::with_capacity(2048);
    write_object(&mut out, |object| {
        frame.write(object, &End { finish: choice.finish.as_ref(), usage: response.usage.as_ref() }, &items);
    });
    out
}

/// What a response object says besides its items.
pub(super) struct Frame<'a> {
    pub id: &'a str,
    pub model: &'a str,
    /// Seconds since the Unix epoch.
    pub created: i64,
    pub service_tier: Option<&'a str>,
    pub echo: &'a Echo,
}

/// How an answer ended.
pub(super) struct End<'a> {
    pub finish: Option<&'a Finish>,
    pub usage: Option<&'a Usage>,
}

impl End<'_> {
    /// The reason for an answer that is not whole.
    fn incomplete(&self) -> Option<&'static str> {
        match self.finish {
            Some(Finish::Length) => Some("max_output_tokens"),
            Some(Finish::ContentFilter) => Some("content_filter"),
            _ => None,
        }
    }

    /// An end that the vendor gave no reason for is no good end.
    pub(super) fn status(&self) -> Status {
        match self.finish {
            None | Some(Finish::Length | Finish::ContentFilter | Finish::Error(_)) => Status::Incomplete,
            Some(_) => Status::Completed,
        }
    }
}

impl Frame<'_> {
    /// Appends the members of an answer that has ended. Of an answer that was cut, the last item was.
    pub(super) fn write(&self, object: &mut Object<'_>, end: &End<'_>, items: &[Item]) {
        let status = end.status();
        self.write_head(object, status);
        match end.incomplete() {
            Some(reason) => object.object("incomplete_details", |details| details.put("reason", reason)),
            None => object.put("incomplete_details", &()),
        }
        object.array("output", |array| {
            for (index, item) in items.iter().enumerate() {
                let last = index + 1 == items.len();
                item.write_to(array, if last { status } else { Status::Completed });
            }
        });
        self.echo.write(object);
        match end.usage {
            Some(usage) => object.object("usage", |object| write_usage(object, usage)),
            None => object.put("usage", &()),
        }
    }

    /// Appends the members of an answer that has just begun.
    pub(super) fn write_begun(&self, object: &mut Object<'_>) {
        self.write_head(object, Status::InProgress);
        object.put("incomplete_details", &());
        object.array("output", |_| ());
        self.echo.write(object);
        object.put("usage", &());
    }

    fn write_head(&self, object: &mut Object<'_>, status: Status) {
        object.put("id", self.id);
        object.put("object", "response");
        object.put("created_at", &self.created);
        object.put("status", status.name());
        object.put("error", &());
        object.put("model", self.model);
        object.put_some("service_tier", self.service_tier);
    }
}

/// Texts that follow each other are parts of one message; every other part is an item.
fn items(maker: &Maker, parts: &[Part]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) if text.text.is_empty() && text.citations.is_empty() => {}
            Part::Text(text) => {
                let cited = text.citations.iter().filter_map(|citation| annotation(citation, &text.text));
                let annotations = cited.collect();
                say(maker, &mut items, Content::Text { text: text.text.clone(), annotations });
            }
            Part::Refusal(text) => say(maker, &mut items, Content::Refusal(text.clone())),
            Part::Thinking(thinking) => {
                let mut item = maker.reasoning(items.len());
                if let Item::Reasoning { summary, encrypted: field, .. } = &mut item {
                    summary.extend(Some(thinking.text.clone()).filter(|text| !text.is_empty()));
                    *field = thinking.signature.as_ref().map(encrypted);
                }
                items.push(item);
            }
            part => {
                let item = maker.whole(items.len(), part);
                items.extend(item);
            }
        }
    }
    items
}

fn say(maker: &Maker, items: &mut Vec<Item>, said: Content) {
    if let Some(Item::Message { content, .. }) = items.last_mut() {
        return content.push(said);
    }
    let mut item = maker.message(items.len());
    if let Item::Message { content, .. } = &mut item {
        content.push(said);
    }
    items.push(item);
}
