//! Volcengine Ark's door for Seedream: OpenAI's names, one picture a call, and
//! pictures to begin with in the same body.

use super::xai::known;
use super::{DrawPlan, Size, Wish};
use crate::chat::{Adapted, Field, Joined, Source, write_object};
use crate::error::Result;

/// Fields of the vendor's own, which callers may send along.
const OWN: [&str; 7] = [
    "watermark",
    "seed",
    "guidance_scale",
    "sequential_image_generation",
    "sequential_image_generation_options",
    "optimize_prompt_options",
    "output_format",
];

/// The fewest pixels of a picture, by what a model's name begins with. A model
/// that is named by its endpoint (`ep-…`) gets what was wished.
const FEWEST_PIXELS: [(&str, u64); 6] = [
    ("doubao-seedream-5", 3_686_400),
    ("seedream-5", 3_686_400),
    ("doubao-seedream-4-5", 3_686_400),
    ("seedream-4-5", 3_686_400),
    ("doubao-seedream-4", 921_600),
    ("seedream-4", 921_600),
];
/// One side is at most so many times the other (Ark's reference of image generation, `size`).
const LONGEST: u64 = 16;
/// Sides are multiples of this, as models of this kind draw.
const STEP: u64 = 16;

/// Writes the vendor's bodies, one for each picture: what it draws several of
/// in one call belongs together and is not the same wish again.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for what the policy does not let go.
pub fn ark_out(mut wish: Wish, model: &str, adapted: &mut Adapted) -> Result<(Vec<Vec<u8>>, DrawPlan)> {
    wish.drop_mask(adapted)?;
    let size = size(wish.size.as_ref(), model, adapted)?;
    let own: Vec<_> = OWN.iter().filter_map(|name| Some((*name, wish.take(name)?))).collect();
    let pictures = known(&wish.pictures, adapted)?;
    let mut out = Vec::with_capacity(512);
    write_object(&mut out, |object| {
        object.put("model", model);
        object.put("prompt", &wish.prompt);
        object.put_some("size", size);
        object.put_some("response_format", wish.form.map(super::Form::name));
        let address = |picture: &Source| match picture {
            Source::Base64 { mime, data } => Joined(&["data:", mime, ";base64,", data]).to_string(),
            Source::Url(text) | Source::FileId(text) | Source::Text(text) => text.clone(),
        };
        match pictures.as_slice() {
            [] => {}
            [only] => object.put("image", &address(only)),
            several => object.array("image", |array| {
                several.iter().for_each(|picture| array.put(&address(picture)));
            }),
        }
        own.iter().for_each(|(name, json)| object.put(name, json));
    });
    let plan = DrawPlan { form: wish.form, edits: !pictures.is_empty(), stream: wish.stream };
    let calls = vec![out; wish.count as usize];
    wish.drop_rest(adapted)?;
    Ok((calls, plan))
}

/// The size in the vendor's words; one that is too small for the model grows and keeps its shape.
fn size(wished: Option<&Size>, model: &str, adapted: &mut Adapted) -> Result<Option<String>> {
    let (across, down) = match wished {
        None | Some(Size::Auto) => return Ok(None),
        Some(Size::Named(class)) => return Ok(Some(class.clone())),
        Some(Size::Ratio(_)) => {
            adapted.drop_named(Field::Size, "aspect_ratio", "dropped")?;
            return Ok(None);
        }
        Some(Size::Pixels(across, down)) => (u64::from(*across), u64::from(*down)),
    };
    let bare = model.to_ascii_lowercase();
    let fewest =
        FEWEST_PIXELS.iter().find(|(start, _)| bare.starts_with(start)).map_or(0, |(_, fewest)| *fewest);
    let wanted = format!("{across}x{down}");
    if across * down >= fewest {
        return Ok(Some(wanted));
    }
    // No picture is longer than this.
    let (across, down) = (across.max(down.div_ceil(LONGEST)), down.max(across.div_ceil(LONGEST)));
    // The smallest multiple of the step for one side, and as much for the other.
    let wider = (fewest * across / down).isqrt().div_ceil(STEP) * STEP;
    let taller = (wider * down).div_ceil(across).max(fewest.div_ceil(wider)).div_ceil(STEP) * STEP;
    let grown = format!("{wider}x{taller}");
    let passes = adapted.adapt(Field::Size, format!("grown to {grown}"))?.passes();
    Ok(Some(if passes { wanted } else { grown }))
}
