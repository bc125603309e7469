//! Embeddings by InvokeModel, where each maker has a body of its own: Amazon's
//! Titan takes one text a call, Cohere's models take some.

use super::response_in::malformed;
use crate::chat::{Adapted, Field, Json, parse, write_object};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use crate::wire::embed::{self, EmbedPlan, Wanted};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How many texts a model of Cohere's takes in one call.
const MAX_TEXTS: usize = 96;
/// How many calls one request may take; OpenAI takes as many texts.
const MAX_CALLS: usize = 2_048;
/// What a text is embedded for, where the caller does not say. Cohere's models want to know.
const INPUT_TYPE: &str = "search_document";

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Titan's first models, whose numbers cannot be fewer.
    TitanFirst,
    /// Titan since the second version.
    Titan,
    /// Titan for texts and pictures.
    TitanImage,
    /// Cohere's third version.
    Cohere,
    /// Cohere since the fourth version, whose numbers can be fewer.
    CohereFourth,
}

/// The forms, by a part of the model's id; the first one that fits.
const FORMS: [(&str, Form); 6] = [
    ("titan-embed-text-v1", Form::TitanFirst),
    ("titan-embed-g1", Form::TitanFirst),
    ("titan-embed-image", Form::TitanImage),
    ("titan-embed", Form::Titan),
    ("cohere.embed-v4", Form::CohereFourth),
    ("cohere.embed", Form::Cohere),
];

impl Form {
    fn of(model: &str) -> Result<Self> {
        let name = model.to_ascii_lowercase();
        let found = FORMS.iter().find(|(part, _)| name.contains(part)).map(|(_, form)| *form);
        found.ok_or_else(|| {
            let public = "The hub knows no embeddings of this model.";
            Failure::new(Kind::InvalidRequest, public).param("model")
        })
    }

    fn max_texts(self) -> usize {
        if matches!(self, Form::Cohere | Form::CohereFourth) { MAX_TEXTS } else { 1 }
    }

    fn takes_dimensions(self) -> bool {
        !matches!(self, Form::TitanFirst | Form::Cohere)
    }

    /// Fields of the maker's own that a caller may send along.
    fn own(self) -> &'static [&'static str] {
        match self {
            Form::Titan => &["normalize"],
            Form::TitanFirst | Form::TitanImage => &[],
            Form::Cohere | Form::CohereFourth => &["input_type", "truncate"],
        }
    }
}

/// Writes the vendor's bodies for OpenAI's, as many as the texts need. `model` is the vendor's name of it.
///
/// # Errors
/// [`Kind::InvalidRequest`] that names the field: a body that cannot be read, token
/// numbers in place of texts, a model whose body is not known, or a field that the policy does not let go.
pub fn embed_out(body: &[u8], model: &str, adapted: &mut Adapted) -> Result<(Vec<Vec<u8>>, EmbedPlan)> {
    let (mut wanted, plan) = embed::wanted(body, model, adapted)?;
    let form = Form::of(model)?;
    let (own, extra) = wanted.extra.into_iter().partition(|extra| form.own().contains(&extra.name.as_str()));
    wanted.extra = own;
    embed::drop_extra(extra, adapted)?;
    if wanted.dimensions.is_some() && !form.takes_dimensions() {
        adapted.drop_named(Field::Extra, "dimensions", "dropped")?;
        wanted.dimensions = None;
    }
    if wanted.texts.len().div_ceil(form.max_texts()) > MAX_CALLS {
        let public = format!("`input` has {} texts, which are more calls than the hub makes.", plan.texts);
        return Err(Failure::new(Kind::InvalidRequest, public).param("input"));
    }
    let bodies = wanted.texts.chunks(form.max_texts()).map(|texts| write(texts, &wanted, form));
    Ok((bodies.collect(), plan))
}

fn write(texts: &[String], wanted: &Wanted, form: Form) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + texts.iter().map(String::len).sum::<usize>());
    write_object(&mut out, |object| {
        match form {
            Form::Cohere | Form::CohereFourth => {
                object.put("texts", texts);
                if !wanted.extra.iter().any(|extra| extra.name == "input_type") {
                    object.put("input_type", INPUT_TYPE);
                }
                object.put_some("output_dimension", wanted.dimensions);
            }
            Form::TitanFirst | Form::Titan | Form::TitanImage => {
                texts.iter().for_each(|text| object.put("inputText", text));
                if form != Form::TitanImage {
                    object.put_some("dimensions", wanted.dimensions);
                } else if let Some(length) = wanted.dimensions {
                    object.object("embeddingConfig", |config| config.put("outputEmbeddingLength", &length));
                }
            }
        }
        wanted.extra.iter().for_each(|extra| object.put(&extra.name, &extra.json));
    });
    out
}

/// The answers of all makers in one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmbedIn {
    embedding: Option<Json>,
    input_text_token_count: Option<u64>,
    /// A list of lists, or such a list by the type of its numbers.
    embeddings: Option<Json>,
}

/// Writes OpenAI's answer for the vendor's, and says what was used, if the vendor does.
///
/// # Errors
/// [`Kind::VendorMalformed`]: no embeddings, or not one for each text.
pub fn embed_in<B: AsRef<[u8]>>(bodies: &[B], plan: &EmbedPlan) -> Result<(Vec<u8>, Option<Usage>)> {
    let mut vectors = Vec::with_capacity(plan.texts);
    for body in bodies {
        vectors.extend(read(body.as_ref())?.1);
    }
    let used = embed_usage(bodies);
    let out = embed::answer(plan, &vectors, used.map(|usage| usage.input))?;
    Ok((out, used))
}

/// What some answers used. `None` where one does not say.
pub fn embed_usage<B: AsRef<[u8]>>(bodies: &[B]) -> Option<Usage> {
    let tokens = bodies.iter().map(|body| read(body.as_ref()).ok().and_then(|(tokens, _)| tokens));
    let input = tokens.sum::<Option<u64>>()?;
    Some(Usage { input, ..Usage::default() })
}

/// The tokens that an answer says it used, and its lists of numbers.
fn read(body: &[u8]) -> Result<(Option<u64>, Vec<Json>)> {
    let read: EmbedIn = parse(body).map_err(|error| malformed(&error.to_string()))?;
    if let Some(vector) = read.embedding {
        return Ok((read.input_text_token_count, vec![vector]));
    }
    let lists = read.embeddings.ok_or_else(|| malformed("an answer without embeddings"))?;
    let by_type = || lists.read::<BTreeMap<String, Vec<Json>>>().and_then(|mut types| types.remove("float"));
    let vectors = lists.read::<Vec<Json>>().or_else(by_type);
    Ok((read.input_text_token_count, vectors.ok_or_else(|| malformed("embeddings that are no lists"))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TITAN: &str = "amazon.titan-embed-text-v2:0";
    const COHERE: &str = "cohere.embed-english-v3";

    fn sent(fields: Value, model: &str) -> (Vec<Value>, EmbedPlan, Adapted) {
        let mut adapted = Adapted::default();
        let (bodies, plan) = embed_out(fields.to_string().as_bytes(), model, &mut adapted).unwrap();
        let bodies = bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect();
        (bodies, plan, adapted)
    }

    #[test]
    fn titan_takes_one_text_a_call() {
        let fields =
            json!({ "model": "e", "input": ["a", "b"], "dimensions": 256, "normalize": false, "odd": 1 });
        let (bodies, plan, adapted) = sent(fields.clone(), TITAN);
        let body = |text: &str| json!({ "inputText": text, "dimensions": 256, "normalize": false });
        assert_eq!(bodies, [body("a"), body("b")]);
        assert_eq!((plan.texts, adapted.header().as_deref()), (2, Some("odd: dropped")));
        let (bodies, _, adapted) = sent(fields.clone(), "amazon.titan-embed-text-v1");
        assert_eq!(bodies[0], json!({ "inputText": "a" }));
        assert!(adapted.header().unwrap().contains("dimensions: dropped"));
        let (bodies, _, _) = sent(fields, "amazon.titan-embed-image-v1");
        assert_eq!(
            bodies[1],
            json!({ "inputText": "b", "embeddingConfig": { "outputEmbeddingLength": 256 } })
        );
    }

    #[test]
    fn cohere_takes_some_texts_a_call() {
        let texts = vec!["x"; MAX_TEXTS + 1];
        let (bodies, plan, _) = sent(json!({ "model": "e", "input": texts }), COHERE);
        assert_eq!((bodies.len(), bodies[0]["texts"].as_array().unwrap().len(), plan.texts), (2, 96, 97));
        assert_eq!(bodies[1], json!({ "texts": ["x"], "input_type": "search_document" }));
        let fields = json!({ "input": "q", "input_type": "search_query", "dimensions": 512 });
        let (bodies, _, _) = sent(fields.clone(), "cohere.embed-v4:0");
        let expected = json!({ "texts": ["q"], "input_type": "search_query", "output_dimension": 512 });
        assert_eq!(bodies, [expected]);
        assert_eq!(sent(fields, COHERE).2.header().as_deref(), Some("dimensions: dropped"));
    }

    #[test]
    fn answers_of_every_form_become_one() {
        let plan = EmbedPlan { texts: 2, ..EmbedPlan::default() };
        let titan = |n: f32| json!({ "embedding": [n], "inputTextTokenCount": 3 }).to_string();
        let (body, usage) = embed_in(&[titan(0.5), titan(1.0)], &plan).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&body["data"][1]["embedding"], &body["usage"]["prompt_tokens"]),
            (&json!([1.0]), &json!(6))
        );
        assert_eq!(usage.unwrap().input, 6);
        for lists in [json!([[0.5], [1.0]]), json!({ "float": [[0.5], [1.0]] })] {
            let (body, usage) = embed_in(&[json!({ "embeddings": lists }).to_string()], &plan).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((body["data"][0]["embedding"][0].as_f64(), usage), (Some(0.5), None));
        }
    }

    #[test]
    fn answers_that_do_not_fit_are_told() {
        let plan = EmbedPlan { texts: 1, ..EmbedPlan::default() };
        for bad in ["", "{}", r#"{"embeddings":7}"#, r#"{"embeddings":[]}"#, r#"{"embedding":["x"]}"#] {
            assert_eq!(embed_in(&[bad], &plan).unwrap_err().kind, Kind::VendorMalformed, "{bad}");
        }
        let many = json!({ "input": vec!["x"; MAX_CALLS + 1] }).to_string();
        let failure = embed_out(many.as_bytes(), TITAN, &mut Adapted::default()).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some("input"));
        let failure = embed_out(br#"{"input":"x"}"#, "meta.llama3", &mut Adapted::default()).unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some("model")));
    }
}
