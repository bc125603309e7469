//! Volcengine Ark's Seedance: tasks that are made, asked for and forgotten.

use super::made::ErrorIn;
use super::order::class;
use super::{Frame, Made, Order, State, unreadable};
use crate::chat::{Adapted, Field, Source, parse, write_object};
use crate::error::Result;
use crate::wire::images::nearest;
use serde::Deserialize;

/// The shapes that Seedance makes.
const RATIOS: &[&str] = &["16:9", "9:16", "4:3", "3:4", "1:1", "21:9"];
/// Fields of callers that Ark has, by the same names. `callback_url` is not among them: whom a vendor
/// calls is nothing that callers decide.
const KNOWN: &[&str] = &[
    "seed",
    "camera_fixed",
    "watermark",
    "generate_audio",
    "return_last_frame",
    "service_tier",
    "execution_expires_after",
];

pub(super) fn order_out(order: &Order, model: &str, adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut rest = order.rest.clone();
    let taken: Vec<_> =
        KNOWN.iter().filter_map(|name| Some((*name, Order::take(&mut rest, name)?))).collect();
    let shape = order.frame.map(|frame| shape(frame, adapted)).transpose()?;
    let picture = order.reference.as_ref().map(picture).transpose()?;
    let mut out = Vec::with_capacity(512 + order.prompt.len());
    write_object(&mut out, |object| {
        object.put("model", model);
        object.array("content", |content| {
            content.object(|part| {
                part.put("type", "text");
                part.put("text", &order.prompt);
            });
            if let Some(address) = &picture {
                content.object(|part| {
                    part.put("type", "image_url");
                    part.object("image_url", |image| image.put("url", address));
                    part.put("role", "first_frame");
                });
            }
        });
        if let Some((ratio, resolution)) = shape {
            object.put("resolution", resolution);
            object.put("ratio", ratio);
        }
        object.put_some("duration", order.seconds);
        taken.iter().for_each(|(name, json)| object.put(name, json));
    });
    Order::drop(rest, adapted)?;
    Ok(out)
}

fn shape(frame: Frame, adapted: &mut Adapted) -> Result<(&'static str, &'static str)> {
    let ratio = nearest(frame.across, frame.down, RATIOS);
    let resolution = match class(frame.shorter()) {
        480 => "480p",
        720 => "720p",
        1_080 => "1080p",
        _ => "4k",
    };
    adapted.drop_named(Field::Size, "size", format!("as {ratio}, {resolution}"))?;
    Ok((ratio, resolution))
}

fn picture(source: &Source) -> Result<String> {
    match source {
        Source::Base64 { mime, data } => Ok(format!("data:{mime};base64,{data}")),
        Source::Url(address) => Ok(address.clone()),
        Source::Text(_) | Source::FileId(_) => {
            Err(super::refuse("input_reference", "This vendor takes an address or a data: URL."))
        }
    }
}

#[derive(Deserialize)]
struct Task {
    id: String,
    status: Option<String>,
    error: Option<ErrorIn>,
    content: Option<Content>,
    created_at: Option<i64>,
    updated_at: Option<i64>,
    duration: Option<u32>,
    usage: Option<UsageIn>,
}

#[derive(Deserialize)]
struct Content {
    video_url: Option<String>,
}

#[derive(Deserialize)]
struct UsageIn {
    completion_tokens: Option<u64>,
}

pub(super) fn made_in(body: &[u8]) -> Result<Made> {
    let task: Task = parse(body).map_err(unreadable)?;
    let file = task.content.and_then(|content| content.video_url).filter(|url| url.starts_with("http"));
    let state = match task.status.as_deref() {
        None | Some("queued") => State::Queued,
        Some("succeeded") if file.is_none() => {
            return Err(unreadable("a task that succeeded names no video"));
        }
        Some("succeeded") => State::Completed,
        Some("failed" | "cancelled" | "expired") => State::Failed,
        Some(_) => State::InProgress,
    };
    Ok(Made {
        created: task.created_at,
        completed: task.updated_at.filter(|_| state.is_final()),
        seconds: task.duration,
        error: task.error.map(ErrorIn::read),
        file,
        tokens: task.usage.and_then(|usage| usage.completion_tokens),
        ..Made::new(task.id, state)
    })
}
