//! What the top-level fields of a chat say about the model that they need.

use crate::chat::{Abilities, Ability};
use crate::wire::json::{Kind, Reader, Syntax};

/// Takes the value of a field that nothing else reads, and says what it needs.
/// Both dialects whose bodies are read here are known: OpenAI's
/// `response_format` and `modalities`, Anthropic's `output_config` and
/// `output_format`.
pub(super) fn of_field(name: &[u8], reader: &mut Reader<'_>) -> Result<Abilities, Syntax> {
    let mut needs = Abilities::NONE;
    match (name, reader.kind()?) {
        (b"response_format" | b"output_format", Kind::Object) => format(reader, &mut needs)?,
        (b"output_config", Kind::Object) => config(reader, &mut needs)?,
        (b"modalities", Kind::Array) => modalities(reader, &mut needs)?,
        _ => reader.ignore()?,
    }
    Ok(needs)
}

/// The field that says a need, for an error to name.
pub fn needing_field(ability: Ability) -> &'static str {
    match ability {
        Ability::Tools => "tools",
        Ability::JsonSchema => "response_format",
        Ability::ImageOutput | Ability::AudioOutput => "modalities",
        _ => "messages",
    }
}

fn config(reader: &mut Reader<'_>, needs: &mut Abilities) -> Result<(), Syntax> {
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        match (key.bytes().as_ref(), reader.kind()?) {
            (b"format", Kind::Object) => format(reader, needs)?,
            _ => reader.ignore()?,
        }
    }
    Ok(())
}

fn format(reader: &mut Reader<'_>, needs: &mut Abilities) -> Result<(), Syntax> {
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        if key.bytes() != &b"type"[..] {
            reader.ignore()?;
            continue;
        }
        let kind = reader.string_or_skip()?;
        needs.insert_if(Ability::JsonSchema, kind.is_some_and(|kind| kind.bytes() == &b"json_schema"[..]));
    }
    Ok(())
}

fn modalities(reader: &mut Reader<'_>, needs: &mut Abilities) -> Result<(), Syntax> {
    reader.enter_array()?;
    while reader.element()? {
        let Some(name) = reader.string_or_skip()? else { continue };
        match name.bytes().as_ref() {
            b"audio" => needs.insert(Ability::AudioOutput),
            b"image" => needs.insert(Ability::ImageOutput),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::types::Op;
    use crate::wire::openai::Request;

    fn needs(fields: &str) -> String {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{fields}}}"#);
        Request::read(Op::Chat, body.as_bytes()).unwrap().needs.to_string()
    }

    fn needs_of_part(part: &str) -> String {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
        Request::read(Op::Chat, body.as_bytes()).unwrap().needs.to_string()
    }

    #[test]
    fn fields_of_both_dialects_say_what_they_need() {
        for (fields, expected) in [
            (r#""tools":[{}]"#, "tools"),
            (r#""tools":[]"#, ""),
            (r#""functions":[{}]"#, "tools"),
            (r#""response_format":{"type":"json_schema","json_schema":{}}"#, "json_schema"),
            (r#""response_format":{"type":"json_object"}"#, ""),
            (r#""response_format":null"#, ""),
            (r#""response_format":"json_schema""#, ""),
            (
                r#""output_config":{"effort":"low","format":{"schema":{"type":"json_schema"},"type":"json_schema"}}"#,
                "json_schema",
            ),
            (r#""output_config":{"format":null}"#, ""),
            (r#""modalities":["text","audio"]"#, "audio_output"),
            (r#""modalities":["image",7]"#, "image_output"),
            (r#""metadata":{"type":"json_schema"}"#, ""),
        ] {
            assert_eq!(needs(fields), expected, "{fields}");
        }
    }

    #[test]
    fn parts_of_both_dialects_say_what_they_need() {
        for (part, expected) in [
            (r#"{"type":"text","text":"image_url"}"#, ""),
            (r#"{"type":"image_url","image_url":{"url":"x"}}"#, "image"),
            (r#"{"type":"input_audio","input_audio":{}}"#, "audio"),
            (r#"{"type":"file","file":{}}"#, "document"),
            (r#"{"type":"video_url","video_url":{}}"#, "video"),
            (r#"{"type":"image","source":{"type":"base64","data":"x"}}"#, "image"),
            (r#"{"source":{"type":"url","url":"x"},"type":"image"}"#, "image"),
            (r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf"}}"#, "document"),
            (r#"{"type":"document","source":{"type":"text","data":"x"}}"#, ""),
            (r#"{"type":"tool_result","content":[{"type":"image","source":{"type":"base64"}}]}"#, "image"),
            (r#"{"type":"tool_result","content":"image"}"#, ""),
            (r#""image""#, ""),
        ] {
            assert_eq!(needs_of_part(part), expected, "{part}");
        }
    }

    #[test]
    fn a_picture_in_what_a_tool_gave_back_counts_as_one() {
        let data = "A".repeat(100_000);
        let part = format!(
            r#"{{"type":"tool_result","content":[{{"type":"image","source":{{"type":"base64","data":"{data}"}}}}]}}"#
        );
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let request = Request::read(Op::Chat, body.as_bytes()).unwrap();
        assert_eq!((request.images, request.has_media), (1, true));
        assert!(request.input_bound < 60_000, "{}", request.input_bound);
    }
}
