//! What is needed of a conversation that Google's callers write as `contents`:
//! media, its beginning, its texts, and the bounds of `generationConfig`.

use super::messages::{Messages, Opening};
use crate::wire::json::{Kind, Patch, Reader, Str, Syntax};
use std::ops::Range;

/// Names of the bounds, by both spellings that the vendor takes.
const MAX_OUTPUT: [&[u8]; 2] = [b"maxOutputTokens", b"max_output_tokens"];
const CANDIDATES: [&[u8]; 2] = [b"candidateCount", b"candidate_count"];

/// Takes `contents`, which is a list of contents or one of them.
pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Messages, Syntax> {
    let mut found = Messages::default();
    let mut opening = Opening::default();
    each(reader, &mut |reader| content(reader, &mut found, &mut opening))?;
    found.conversation = opening.hash();
    Ok(found)
}

/// Calls for each element of a list, or for the value itself where it is none.
fn each<'a>(
    reader: &mut Reader<'a>,
    one: &mut dyn FnMut(&mut Reader<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    match reader.kind()? {
        Kind::Array => {
            reader.enter_array()?;
            while reader.element()? {
                one(reader)?;
            }
            Ok(())
        }
        _ => one(reader),
    }
}

/// Calls for each member of an object; anything else is passed over.
fn members<'a>(
    reader: &mut Reader<'a>,
    one: &mut dyn FnMut(Str<'a>, &mut Reader<'a>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    if reader.kind()? != Kind::Object {
        return reader.ignore();
    }
    reader.enter_object()?;
    while let Some(key) = reader.key()? {
        one(key, reader)?;
    }
    Ok(())
}

fn content<'a>(
    reader: &mut Reader<'a>,
    found: &mut Messages,
    opening: &mut Opening<'a>,
) -> Result<(), Syntax> {
    let (mut is_user, mut said) = (true, None);
    members(reader, &mut |key, reader| {
        match key.bytes().as_ref() {
            b"role" => {
                let role = reader.string_or_skip()?;
                is_user = role.is_none_or(|role| role.bytes() != &b"model"[..]);
            }
            b"parts" => {
                let _ = reader.kind()?;
                let start = reader.offset();
                each(reader, &mut |reader| part(reader, found))?;
                said = Some(reader.slice(start..reader.offset()));
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })?;
    opening.add(said, is_user);
    Ok(())
}

fn part(reader: &mut Reader<'_>, found: &mut Messages) -> Result<(), Syntax> {
    members(reader, &mut |key, reader| {
        match key.bytes().as_ref() {
            b"inlineData" | b"inline_data" => {
                let (mut is_image, mut bytes) = (false, 0);
                members(reader, &mut |key, reader| {
                    let span = reader.skip()?;
                    match key.bytes().as_ref() {
                        b"data" => bytes = span.len() as u64,
                        b"mimeType" | b"mime_type" => {
                            is_image = reader.slice(span).starts_with(b"\"image/");
                        }
                        _ => {}
                    }
                    Ok(())
                })?;
                if is_image {
                    found.images += 1;
                    found.image_bytes += bytes;
                } else {
                    found.other_media += 1;
                }
            }
            b"fileData" | b"file_data" => {
                reader.skip()?;
                found.other_media += 1;
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })
}

/// The bounds of a `generationConfig`: of the output, and of the answers.
pub(super) fn bounds(reader: &mut Reader<'_>) -> Result<(Option<u64>, Option<u64>), Syntax> {
    let (mut output, mut answers) = (None, None);
    members(reader, &mut |key, reader| {
        let name = key.bytes();
        if MAX_OUTPUT.contains(&name.as_ref()) {
            output = reader.whole_or_skip()?;
        } else if CANDIDATES.contains(&name.as_ref()) {
            answers = reader.whole_or_skip()?;
        } else {
            reader.ignore()?;
        }
        Ok(())
    })?;
    Ok((output, answers))
}

/// Caps the output in the `generationConfig` at `span`.
pub(super) fn cap(patch: &mut Patch, body: &[u8], span: Range<usize>, most: u64) {
    let mut reader = Reader::new(body.get(span.clone()).unwrap_or_default());
    let mut place = None;
    let read = members(&mut reader, &mut |key, reader| {
        let _ = reader.kind()?;
        let start = reader.offset();
        reader.skip()?;
        if MAX_OUTPUT.contains(&key.bytes().as_ref()) {
            place = Some(start..reader.offset());
        }
        Ok(())
    });
    let empty = body.get(span.clone()).is_none_or(|text| text.trim_ascii() == b"{}");
    match (read, place) {
        (Ok(()), Some(place)) => {
            patch.replace(span.start + place.start..span.start + place.end, most.to_string());
        }
        _ if empty => patch.replace(span, format!("{{\"maxOutputTokens\":{most}}}")),
        _ => patch.replace(span.start + 1..span.start + 1, format!("\"maxOutputTokens\":{most},")),
    }
}

/// Calls `say` for each text that tokens are counted of.
pub(super) fn texts(reader: &mut Reader<'_>, say: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    each(reader, &mut |reader| {
        members(reader, &mut |key, reader| match key.bytes().as_ref() {
            b"parts" => each(reader, &mut |reader| text_of(reader, say)),
            _ => reader.ignore(),
        })
    })
}

fn text_of(reader: &mut Reader<'_>, say: &mut dyn FnMut(&str)) -> Result<(), Syntax> {
    members(reader, &mut |key, reader| {
        match key.bytes().as_ref() {
            b"text" => {
                if let Some(text) = reader.string_or_skip()? {
                    say(&text.text());
                }
            }
            b"functionCall" | b"function_call" | b"functionResponse" | b"function_response" => {
                let span = reader.skip()?;
                say(&String::from_utf8_lossy(reader.slice(span)));
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{IMAGE_TOKEN_BOUND, MEDIA_TOKEN_BOUND, Request, images, texts};
    use crate::types::Op;
    use crate::wire::translate::{self, InPath};
    use bytes::Bytes;
    use proptest::prelude::*;

    const BODY: &str = r#"{"model":"m","stream":true,"contents":[
        {"role":"user","parts":[{"text":"what?"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},
        {"role":"model","parts":[{"functionCall":{"name":"look","args":{}}}]},
        {"parts":{"fileData":{"fileUri":"gs://a"}}}],
        "systemInstruction":{"parts":[{"text":"Be brief."}]},
        "tools":[{"functionDeclarations":[]}],
        "generationConfig":{"maxOutputTokens":7,"candidate_count":2}}"#;

    #[test]
    fn a_body_of_googles_is_read_in_one_pass() {
        let request = Request::read(Op::Chat, BODY.as_bytes()).unwrap();
        assert_eq!((request.model.as_str(), request.stream, request.has_tools), ("m", true, true));
        assert_eq!((request.max_output_tokens, request.choices), (Some(7), 2));
        assert_eq!((request.images, request.has_media), (1, true));
        let picture = "\"iVBORw0KGgo=\"".len() as u64;
        assert_eq!(request.input_bound, BODY.len() as u64 - picture + IMAGE_TOKEN_BOUND + MEDIA_TOKEN_BOUND);
        let mut said = Vec::new();
        texts(Op::Chat, BODY.as_bytes(), &mut |text| said.push(text.to_owned()));
        assert_eq!(said[..3], ["what?", r#"{"name":"look","args":{}}"#, "Be brief."]);
        let mut seen = 0;
        images(BODY.as_bytes(), &mut |_| seen += 1);
        assert_eq!(seen, 1);
    }

    #[test]
    fn the_first_words_of_the_user_make_the_conversation() {
        let of = |more: &str| {
            let body =
                format!(r#"{{"model":"m","contents":[{{"role":"user","parts":[{{"text":"a"}}]}}{more}]}}"#);
            Request::read(Op::Chat, body.as_bytes()).unwrap().conversation
        };
        assert_eq!(of(""), of(r#",{"role":"model","parts":[{"text":"b"}]}"#));
        assert_ne!(of(""), 0);
    }

    #[test]
    fn a_cap_is_put_where_the_bound_is() {
        let capped = |config: &str| {
            let body = Bytes::from(format!(r#"{{"model":"m","stream":false,"contents":[]{config}}}"#));
            let out = Request::read(Op::Chat, &body).unwrap().cap_output(Op::Chat, &body, 5);
            let out: serde_json::Value = serde_json::from_slice(&out).unwrap();
            out["generationConfig"].as_object().or(out["generation_config"].as_object()).unwrap().clone()
        };
        for config in [
            "",
            r#","generationConfig":{}"#,
            r#","generationConfig":{"topK":1}"#,
            r#","generation_config":{"topK":1}"#,
            r#","generationConfig":{"topK":1,"maxOutputTokens":90}"#,
        ] {
            assert_eq!(capped(config)["maxOutputTokens"], 5, "{config}");
        }
    }

    proptest! {
        #[test]
        fn a_body_goes_back_to_its_vendor_byte_for_byte(
            model in ".+", stream: bool, inner in r#" *("a" *: *[1-9][0-9]{0,2})? *"#, end in " *",
        ) {
            let body = Bytes::from(format!("{{{inner}}}{end}"));
            let in_path = InPath { model: Some(model.clone()), stream, ..InPath::default() };
            let read = translate::received(crate::chat::Dialect::Gemini, Op::Chat, &in_path, body.clone());
            let read = read.unwrap().body;
            let value: serde_json::Value = serde_json::from_slice(&read).unwrap();
            prop_assert_eq!((value["model"].as_str(), value["stream"].as_bool()), (Some(model.as_str()), Some(stream)));
            let request = Request { members: Request::read(Op::Moderation, &with_input(&read)).unwrap().members, ..Request::default() };
            let end_of_ours = request.members[1].value.end;
            let sent = translate::as_sent(crate::chat::Dialect::Gemini, &read, end_of_ours).unwrap().concat();
            prop_assert_eq!(&sent[..], &body[..]);
        }

        #[test]
        fn any_contents_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
            let body = [br#"{"model":"m","contents":"#.as_slice(), &bytes, b"}"].concat();
            let _ = Request::read(Op::Chat, &body);
            texts(Op::Chat, &body, &mut |_| ());
        }
    }

    /// The same with a member that is required, behind all others.
    fn with_input(body: &[u8]) -> Vec<u8> {
        let end = body.iter().rposition(|byte| *byte == b'}').unwrap();
        [&body[..end], br#","input":"x"}"#].concat()
    }
}
