//! What a tool gave back, as the vendor wants it: an object, under the tool's name.

use super::media_out;
use crate::chat::{Array, Json, Object, Part, Source, ToolResult, plain_text};

/// Appends a result. `media`: what stands in it beside the text.
pub(super) fn write(array: &mut Array<'_>, result: &ToolResult, name: &str, media: &[&Source]) {
    array.object(|part| {
        part.object("functionResponse", |response| {
            if !result.call_id.is_empty() {
                response.put("id", &result.call_id);
            }
            response.put("name", name);
            write_response(response, result);
            if !media.is_empty() {
                response.array("parts", |parts| {
                    media.iter().for_each(|source| media_out::write_part(parts, source, None));
                });
            }
        });
    });
}

/// An object of the tool's own stays as it is. The vendor takes `output` and `error` for
/// what they say, and an object without either for the output.
fn write_response(response: &mut Object<'_>, result: &ToolResult) {
    let text = plain_text(&result.parts);
    let key = if result.is_error { "error" } else { "output" };
    let json = Some(text.trim()).filter(|text| text.starts_with(['{', '['])).and_then(Json::parse);
    match json {
        Some(json) if json.is_object() && !result.is_error => response.put("response", &json),
        Some(json) => response.object("response", |object| object.put(key, &json)),
        None => response.object("response", |object| object.put(key, &text)),
    }
}

/// Where the bytes of a part are, if it has any.
pub(super) fn source_of(part: &Part) -> Option<&Source> {
    match part {
        Part::Image(image) => Some(&image.source),
        Part::Document(document) => Some(&document.source),
        Part::Audio(audio) => Some(&audio.source),
        _ => None,
    }
}
