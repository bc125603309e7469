//! Pictures that come of a chat, as OpenRouter has them: asked for by
//! `modalities`, answered as `images` of the message.

use super::message_out::write_image_url;
use super::response_in::response_in;
use crate::chat::{Adapted, Field, Image, Part, Source, plain_text, write_object};
use crate::error::Result;
use crate::wire::images::{DrawPlan, Drawn, Picture, Size, Wish};
use crate::wire::openai::Counting;

/// The shapes that models behind this door draw.
const RATIOS: [&str; 10] = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];
/// Whose models write beside drawing. Those of others want to be asked for pictures alone.
const WRITERS: [&str; 3] = ["google/", "openai/", "openrouter/"];
/// From these longer sides on, in pixels, a picture is of the larger classes.
const CLASSES: [(&str, u32); 2] = [("4K", 3_073), ("2K", 1_601)];

/// Writes the vendor's bodies, one for each picture.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for what the policy does not let go.
pub fn draw_out(mut wish: Wish, model: &str, adapted: &mut Adapted) -> Result<(Vec<Vec<u8>>, DrawPlan)> {
    wish.drop_mask(adapted)?;
    wish.only_bytes(adapted)?;
    let ratio = wish.ratio(&RATIOS, adapted)?;
    let class = match &wish.size {
        Some(Size::Named(class)) => Some(class.clone()),
        size => size.as_ref().and_then(Size::longer_side).and_then(|side| {
            CLASSES.iter().find(|(_, least)| side >= *least).map(|(class, _)| (*class).to_owned())
        }),
    };
    for picture in &wish.pictures {
        adapted.drop_if(matches!(picture, Source::FileId(_) | Source::Text(_)), Field::Image)?;
    }
    let writes = WRITERS.iter().any(|writer| model.starts_with(writer));
    let modalities: &[&str] = if writes { &["image", "text"] } else { &["image"] };
    let mut out = Vec::with_capacity(512);
    write_object(&mut out, |object| {
        object.put("model", model);
        object.array("messages", |messages| {
            messages.object(|message| {
                message.put("role", "user");
                message.array("content", |parts| {
                    parts.object(|part| {
                        part.put("type", "text");
                        part.put("text", &wish.prompt);
                    });
                    for source in &wish.pictures {
                        let image = Image { source: source.clone(), detail: None, cache: None };
                        parts.object(|part| write_image_url(part, &image));
                    }
                });
            });
        });
        object.put("modalities", modalities);
        if ratio.is_some() || class.is_some() {
            object.object("image_config", |config| {
                config.put_some("aspect_ratio", ratio);
                config.put_some("image_size", class);
            });
        }
        object.put_some("seed", wish.take("seed"));
    });
    let plan = DrawPlan { form: wish.form, edits: !wish.pictures.is_empty(), stream: wish.stream };
    let calls = vec![out; wish.count as usize];
    wish.drop_rest(adapted)?;
    Ok((calls, plan))
}

/// Reads what one call drew.
///
/// # Errors
/// [`crate::error::Kind::VendorMalformed`] when the answer cannot be read.
pub fn draw_in(body: &[u8], counting: Counting) -> Result<Drawn> {
    let response = response_in(body, counting)?;
    let mut drawn = Drawn { usage: response.usage, ..Drawn::default() };
    for choice in response.choices {
        if drawn.refusal.is_empty() {
            drawn.refusal = plain_text(&choice.parts);
        }
        for part in choice.parts {
            if let Part::Image(Image { source, .. }) = part {
                drawn.pictures.push(Picture { source, revised_prompt: None });
            }
        }
    }
    Ok(drawn)
}
