//! Log probabilities, in the words of OpenAI, which the canonical answer keeps.

use crate::chat::{Json, Object, write_object};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogprobsIn {
    chosen_candidates: Vec<Token>,
    top_candidates: Vec<Top>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Top {
    candidates: Vec<Token>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Token {
    token: String,
    log_probability: f64,
}

/// OpenAI's object for the vendor's. `None`: it cannot be read.
pub(super) fn read(json: &Json) -> Option<Json> {
    let read: LogprobsIn = json.read()?;
    let mut out = Vec::new();
    write_object(&mut out, |object| {
        object.array("content", |array| {
            for (number, chosen) in read.chosen_candidates.iter().enumerate() {
                array.object(|object| {
                    write_token(object, chosen);
                    let top = read.top_candidates.get(number).map_or(&[][..], |top| &top.candidates);
                    object.array("top_logprobs", |array| {
                        top.iter().for_each(|token| array.object(|object| write_token(object, token)));
                    });
                });
            }
        });
        object.put("refusal", &());
    });
    String::from_utf8(out).ok().and_then(Json::parse)
}

fn write_token(object: &mut Object<'_>, token: &Token) {
    object.put("token", &token.token);
    object.put("logprob", &token.log_probability);
    object.put("bytes", token.token.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_rivals() {
        let json = Json::parse(
            r#"{"chosenCandidates":[{"token":"é","tokenId":1,"logProbability":-0.5}],
                "topCandidates":[{"candidates":[{"token":"a","logProbability":-1}]}]}"#,
        )
        .unwrap();
        let rival = r#"{"token":"a","logprob":-1.0,"bytes":[97]}"#;
        let expected = format!(
            r#"{{"content":[{{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{rival}]}}],"refusal":null}}"#
        );
        assert_eq!(read(&json).unwrap().as_str(), expected);
        assert_eq!(read(&Json::parse("7").unwrap()), None);
    }
}
