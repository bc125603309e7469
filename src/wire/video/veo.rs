//! Gemini's Veo: a model's `predictLongRunning` gives the name of an
//! operation, which is asked for until it is done and then names a file.

use super::made::ErrorIn;
use super::order::class;
use super::{Frame, Made, Order, Place, State, segment, unreadable};
use crate::chat::{Adapted, Field, Source, parse, write_object};
use crate::error::Result;
use crate::wire::images::nearest;
use crate::wire::openai::VendorError;
use serde::Deserialize;

/// The shapes that Veo makes.
const RATIOS: &[&str] = &["16:9", "9:16"];
/// Fields of callers that Veo has words for.
const KNOWN: &[(&str, &str)] = &[
    ("negative_prompt", "negativePrompt"),
    ("person_generation", "personGeneration"),
    ("seed", "seed"),
    ("generate_audio", "generateAudio"),
    ("enhance_prompt", "enhancePrompt"),
];

pub(super) fn path(row: &str, model: &str) -> String {
    format!("{row}/{}:predictLongRunning", segment(model.strip_prefix("models/").unwrap_or(model)))
}

/// An operation's name is a path of several segments.
pub(super) fn look_path(name: &str) -> String {
    let parts: Vec<String> = name.split('/').map(segment).collect();
    format!("/v1beta/{}", parts.join("/"))
}

pub(super) fn order_out(order: &Order, model: &str, adapted: &mut Adapted) -> Result<Vec<u8>> {
    let mut rest = order.rest.clone();
    let shape = order.frame.map(|frame| shape(frame, model, adapted)).transpose()?;
    let picture = order.reference.as_ref().map(picture).transpose()?;
    let mut out = Vec::with_capacity(512 + order.prompt.len());
    write_object(&mut out, |object| {
        object.array("instances", |instances| {
            instances.object(|instance| {
                instance.put("prompt", &order.prompt);
                if let Some((mime, data)) = picture {
                    instance.object("image", |image| {
                        image.put("bytesBase64Encoded", data);
                        image.put("mimeType", mime);
                    });
                }
            });
        });
        object.object("parameters", |parameters| {
            if let Some((ratio, resolution)) = shape {
                parameters.put("aspectRatio", ratio);
                parameters.put_some("resolution", resolution);
            }
            parameters.put_some("durationSeconds", order.seconds);
            for (name, theirs) in KNOWN {
                parameters.put_some(theirs, Order::take(&mut rest, name));
            }
        });
    });
    Order::drop(rest, adapted)?;
    Ok(out)
}

/// Ratio and resolution; that is noted where they are not the wished size.
fn shape(frame: Frame, model: &str, adapted: &mut Adapted) -> Result<(&'static str, Option<&'static str>)> {
    let ratio = nearest(frame.across, frame.down, RATIOS);
    // Its second version makes one resolution and refuses to be asked for it.
    let fixed = model.contains("veo-2");
    let resolution = match class(frame.shorter()) {
        _ if fixed => None,
        480 | 720 => Some("720p"),
        1_080 => Some("1080p"),
        _ => Some("4k"),
    };
    let made = match (ratio, resolution) {
        ("16:9", Some("1080p")) => (1_920, 1_080),
        (_, Some("1080p")) => (1_080, 1_920),
        ("16:9", Some("4k")) => (3_840, 2_160),
        (_, Some("4k")) => (2_160, 3_840),
        ("16:9", _) => (1_280, 720),
        _ => (720, 1_280),
    };
    if made != (frame.across, frame.down) {
        adapted.drop_named(Field::Size, "size", format!("as {}x{}", made.0, made.1))?;
    }
    Ok((ratio, resolution))
}

fn picture(source: &Source) -> Result<(&str, &str)> {
    match source {
        Source::Base64 { mime, data } => Ok((mime, data)),
        _ => {
            let text = "This vendor loads no picture; send it itself, as a data: URL or a file.";
            Err(super::refuse("input_reference", text))
        }
    }
}

#[derive(Deserialize)]
struct Operation {
    name: String,
    #[serde(default)]
    done: bool,
    error: Option<ErrorIn>,
    response: Option<Response>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    generate_video_response: Option<Generated>,
    #[serde(flatten)]
    plain: Generated,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Generated {
    #[serde(alias = "generatedVideos")]
    generated_samples: Vec<Sample>,
    rai_media_filtered_reasons: Vec<String>,
}

#[derive(Deserialize)]
struct Sample {
    video: Video,
}

#[derive(Deserialize)]
struct Video {
    uri: Option<String>,
}

pub(super) fn made_in(body: &[u8]) -> Result<Made> {
    let operation: Operation = parse(body).map_err(unreadable)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if operation.name.is_empty() || operation.name.contains("..") || !operation.name.chars().all(plain) {
        return Err(unreadable("the operation has no usable name"));
    }
    if !operation.done {
        return Ok(Made::new(operation.name, State::InProgress));
    }
    let failed = |error| Made { error: Some(error), ..Made::new(operation.name.clone(), State::Failed) };
    if let Some(error) = operation.error {
        return Ok(failed(error.read()));
    }
    let response = operation.response.unwrap_or_default();
    let generated = response.generate_video_response.unwrap_or(response.plain);
    let files: Vec<String> =
        generated.generated_samples.into_iter().filter_map(|sample| sample.video.uri).collect();
    let Some(first) = files.first().cloned() else {
        let why = generated.rai_media_filtered_reasons.join(" ");
        let why = if why.is_empty() { "The model made no video.".to_owned() } else { why };
        // Nobody pays for what was filtered.
        return Ok(failed(VendorError {
            code: Some("moderation_blocked".into()),
            ..VendorError::of_text(&why)
        }));
    };
    let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
    Ok(Made { file: Some(first), count, ..Made::new(operation.name.clone(), State::Completed) })
}

/// The file is asked for at the configured host, whatever host its address names, so that the
/// credential goes nowhere else.
pub(super) fn place(address: &str) -> Option<Place> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let path = rest.find('/').and_then(|at| rest.get(at..))?;
    let clean = path.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    clean.then(|| Place::Path(path.to_owned()))
}
