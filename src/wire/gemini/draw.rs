//! Pictures: of the models that draw amid a conversation (`generateContent`),
//! and of Imagen (`predict`).

use super::media_out;
use super::path::{Method, bare, path};
use super::response_in::{malformed, response_in};
use super::traits::{LEVELS, model_traits, version};
use crate::chat::{Adapted, Field, Part, Source, parse, plain_text, write_object};
use crate::error::Result;
use crate::types::Usage;
use crate::wire::images::{DrawPlan, Drawn, Picture, Size, Wish};
use serde::Deserialize;

/// The shapes that the models draw.
const RATIOS: [&str; 10] = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];
/// Those of Imagen.
const IMAGEN_RATIOS: [&str; 5] = ["1:1", "3:4", "4:3", "9:16", "16:9"];
/// Classes of sizes and the longest side, in pixels, up to which each is the right one.
const CLASSES: [(&str, u32); 2] = [("1K", 1_600), ("2K", 3_072)];
/// How many pictures Imagen draws in one call.
const IMAGEN_AT_ONCE: u32 = 4;

/// Is this a model that only draws?
fn is_imagen(model: &str) -> bool {
    bare(model).starts_with("imagen")
}

/// Where a model is asked to draw.
pub fn draw_path(model: &str) -> String {
    path(model, if is_imagen(model) { Method::Predict } else { Method::Generate })
}

/// Writes the vendor's bodies, as many calls as the pictures take.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for what the policy does not let go.
pub fn draw_out(mut wish: Wish, model: &str, adapted: &mut Adapted) -> Result<(Vec<Vec<u8>>, DrawPlan)> {
    wish.drop_mask(adapted)?;
    wish.only_bytes(adapted)?;
    let plan = DrawPlan { form: wish.form, edits: !wish.pictures.is_empty(), stream: wish.stream };
    let calls = match is_imagen(model) {
        true => imagen(&mut wish, adapted)?,
        false => generate(&mut wish, model, adapted)?,
    };
    wish.drop_rest(adapted)?;
    Ok((calls, plan))
}

/// One call for each picture: these models draw one.
fn generate(wish: &mut Wish, model: &str, adapted: &mut Adapted) -> Result<Vec<Vec<u8>>> {
    let ratio = wish.ratio(&RATIOS, adapted)?;
    let sizes = version(&model.to_ascii_lowercase()) >= LEVELS;
    let class = if sizes { class(wish, adapted)? } else { None };
    for picture in &wish.pictures {
        let loads = match picture {
            Source::Url(address) => media_out::is_own(address) || model_traits(model).media_urls,
            Source::Base64 { .. } => true,
            Source::FileId(_) | Source::Text(_) => false,
        };
        adapted.drop_if(!loads, Field::Image)?;
    }
    let mut out = Vec::with_capacity(512);
    write_object(&mut out, |object| {
        object.array("contents", |contents| {
            contents.object(|content| {
                content.put("role", "user");
                content.array("parts", |parts| {
                    wish.pictures.iter().for_each(|picture| media_out::write_part(parts, picture, None));
                    parts.object(|part| part.put("text", &wish.prompt));
                });
            });
        });
        object.object("generationConfig", |config| {
            config.put("responseModalities", &["TEXT", "IMAGE"]);
            if ratio.is_some() || class.is_some() {
                config.object("imageConfig", |image| {
                    image.put_some("aspectRatio", ratio);
                    image.put_some("imageSize", class);
                });
            }
        });
    });
    Ok(vec![out; wish.count as usize])
}

/// The class of the wished size; what is drawn anyway is not asked for.
fn class(wish: &mut Wish, adapted: &mut Adapted) -> Result<Option<String>> {
    let fine = wish
        .rest
        .iter()
        .any(|extra| extra.name == "quality" && matches!(extra.json.as_str(), r#""high""# | r#""hd""#));
    let class = match &wish.size {
        Some(Size::Named(class)) => Some(class.clone()),
        size => size.as_ref().and_then(Size::longer_side).map(|side| {
            CLASSES.iter().find(|(_, most)| side <= *most).map_or("4K", |(class, _)| class).to_owned()
        }),
    };
    if class.is_none() && fine {
        wish.take("quality");
        adapted.drop_named(Field::Extra, "quality", "drawn at 2K")?;
        return Ok(Some("2K".to_owned()));
    }
    Ok(class.filter(|class| class != "1K"))
}

fn imagen(wish: &mut Wish, adapted: &mut Adapted) -> Result<Vec<Vec<u8>>> {
    adapted.drop_if(!wish.pictures.is_empty(), Field::Image)?;
    let ratio = wish.ratio(&IMAGEN_RATIOS, adapted)?;
    let class = class(wish, adapted)?.filter(|class| class == "2K");
    let kind = wish.take_text("output_format").map(|format| format!("image/{format}"));
    let compression = wish.take("output_compression");
    let mut left = wish.count;
    let mut calls = Vec::new();
    while left > 0 {
        let count = left.min(IMAGEN_AT_ONCE);
        left -= count;
        let mut out = Vec::with_capacity(256);
        write_object(&mut out, |object| {
            object.array("instances", |array| array.object(|object| object.put("prompt", &wish.prompt)));
            object.object("parameters", |parameters| {
                parameters.put("sampleCount", &count);
                parameters.put_some("aspectRatio", ratio.as_ref());
                parameters.put_some("sampleImageSize", class.as_ref());
                if kind.is_some() || compression.is_some() {
                    parameters.object("outputOptions", |options| {
                        options.put_some("mimeType", kind.as_ref());
                        options.put_some("compressionQuality", compression.as_ref());
                    });
                }
            });
        });
        calls.push(out);
    }
    Ok(calls)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PredictIn {
    predictions: Option<Vec<Prediction>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Prediction {
    mime_type: Option<String>,
    bytes_base64_encoded: Option<String>,
    prompt: Option<String>,
    rai_filtered_reason: Option<String>,
}

/// Reads what one call drew.
///
/// # Errors
/// [`crate::error::Kind::VendorMalformed`] when the answer cannot be read.
pub fn draw_in(body: &[u8]) -> Result<Drawn> {
    let read: PredictIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    match read.predictions {
        Some(predictions) => Ok(predicted(predictions)),
        // Where all pictures were held back there is no list at all.
        None if body.trim_ascii() == b"{}" => Ok(Drawn::default()),
        None => generated(body),
    }
}

fn predicted(predictions: Vec<Prediction>) -> Drawn {
    let mut drawn = Drawn::default();
    for prediction in predictions {
        drawn.refusal = prediction.rai_filtered_reason.unwrap_or(drawn.refusal);
        if let Some(data) = prediction.bytes_base64_encoded {
            let mime = prediction.mime_type.unwrap_or_else(|| "image/png".to_owned());
            let source = Source::Base64 { mime, data };
            drawn.pictures.push(Picture { source, revised_prompt: prediction.prompt });
        }
    }
    drawn
}

fn generated(body: &[u8]) -> Result<Drawn> {
    let response = response_in(body)?;
    let mut drawn = Drawn { usage: response.usage, ..Drawn::default() };
    for choice in response.choices {
        if drawn.refusal.is_empty() {
            drawn.refusal = plain_text(&choice.parts);
        }
        let pictures = choice.parts.into_iter().filter_map(|part| match part {
            Part::Image(image) => Some(Picture { source: image.source, revised_prompt: None }),
            _ => None,
        });
        drawn.pictures.extend(pictures);
    }
    Ok(drawn)
}

/// What one call used, if the vendor says.
pub fn draw_usage(body: &[u8]) -> Option<Usage> {
    draw_in(body).ok()?.usage
}
