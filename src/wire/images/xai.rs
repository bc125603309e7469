//! xAI's door: OpenAI's names, but shapes instead of sizes, and JSON for edits too.

use super::{DrawPlan, Size, Wish};
use crate::chat::{Adapted, Field, Joined, Object, Source, write_object};
use crate::error::Result;

/// The shapes that the vendor draws.
const RATIOS: [&str; 13] =
    ["1:1", "3:4", "4:3", "9:16", "16:9", "2:3", "3:2", "9:19.5", "19.5:9", "9:20", "20:9", "1:2", "2:1"];
/// From this longer side on, in pixels, a picture is of the larger class.
const LARGER_FROM: u32 = 1_600;

/// Writes the vendor's body; all pictures come of one call.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`] for what the policy does not let go.
pub fn xai_out(mut wish: Wish, model: &str, adapted: &mut Adapted) -> Result<(Vec<Vec<u8>>, DrawPlan)> {
    wish.drop_mask(adapted)?;
    let ratio = wish.ratio(&RATIOS, adapted)?;
    let named = wish.take_text("resolution");
    let larger = wish.size.as_ref().and_then(Size::longer_side).map(|side| side >= LARGER_FROM);
    let resolution = named.or_else(|| larger.map(|larger| if larger { "2k" } else { "1k" }.to_owned()));
    let pictures: Vec<&Source> = known(&wish.pictures, adapted)?;
    let mut out = Vec::with_capacity(512);
    write_object(&mut out, |object| {
        object.put("model", model);
        object.put("prompt", &wish.prompt);
        object.put_some("n", (wish.count > 1).then_some(wish.count));
        object.put_some("response_format", wish.form.map(super::Form::name));
        object.put_some("aspect_ratio", ratio);
        // The smaller class is what is drawn anyway.
        object.put_some("resolution", resolution.filter(|resolution| resolution != "1k"));
        match pictures.as_slice() {
            [] => {}
            [only] => object.object("image", |object| write_picture(object, only)),
            several => object.array("images", |array| {
                several.iter().for_each(|picture| array.object(|object| write_picture(object, picture)));
            }),
        }
    });
    let plan = DrawPlan { form: wish.form, edits: !pictures.is_empty(), stream: wish.stream };
    wish.drop_rest(adapted)?;
    Ok((vec![out], plan))
}

/// Those pictures that the vendor can have.
pub(super) fn known<'a>(pictures: &'a [Source], adapted: &mut Adapted) -> Result<Vec<&'a Source>> {
    let mut known = Vec::with_capacity(pictures.len());
    for picture in pictures {
        match picture {
            Source::Url(_) | Source::Base64 { .. } => known.push(picture),
            Source::FileId(_) | Source::Text(_) => adapted.drop_if(true, Field::Image)?,
        }
    }
    Ok(known)
}

fn write_picture(object: &mut Object<'_>, picture: &Source) {
    match picture {
        Source::Base64 { mime, data } => object.put("url", &Joined(&["data:", mime, ";base64,", data])),
        Source::Url(address) | Source::FileId(address) | Source::Text(address) => object.put("url", address),
    }
    object.put("type", "image_url");
}
