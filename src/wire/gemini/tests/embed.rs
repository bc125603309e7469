//! Embeddings.

use super::*;

#[test]
fn embeddings_are_asked_for_and_come_back_in_both_encodings() {
    let asked =
        |body: Value| embed_out(body.to_string().as_bytes(), "gemini-embedding-001", &mut Adapted::default());
    let (body, plan) = asked(json!({ "model": "mine", "input": ["a", "b"], "dimensions": 2 })).unwrap();
    let request = |text: &str| {
        json!({ "model": "models/gemini-embedding-001", "content": { "parts": [{ "text": text }] },
                "outputDimensionality": 2 })
    };
    assert_eq!(body.len(), 1);
    assert_eq!(value(&body[0]), json!({ "requests": [request("a"), request("b")] }));
    let vendor = br#"{"embeddings":[{"values":[0.10000001, -1]},{"values":[]}]}"#;
    let (out, usage) = embed_in(&[vendor], &EmbedPlan { estimated_tokens: 4, ..plan.clone() }).unwrap();
    assert_eq!(usage, None);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10000001, -1]},{"object":"embedding","index":1,"embedding":[]}],"model":"mine","usage":{"prompt_tokens":4,"total_tokens":4}}"#
    );
    let many: Vec<String> = (0..201).map(|number| number.to_string()).collect();
    let (bodies, plan) = asked(json!({ "input": many })).unwrap();
    let sizes: Vec<_> = bodies.iter().map(|body| value(body)["requests"].as_array().unwrap().len()).collect();
    assert_eq!((sizes, plan.texts), (vec![100, 100, 1], 201));
    let (_, plan) = asked(json!({ "input": "a", "encoding_format": "base64" })).unwrap();
    assert_eq!(
        (plan.encoding, plan.texts, plan.model.as_str()),
        (Encoding::Base64, 1, "gemini-embedding-001")
    );
    let vendor = br#"{"embeddings":[{"values":[1.0, -2]}],"usageMetadata":{"promptTokenCount":3}}"#;
    let (out, usage) = embed_in(&[vendor], &plan).unwrap();
    assert_eq!(value(&out)["data"][0]["embedding"], "AACAPwAAAMA=");
    assert_eq!((usage.unwrap().input, &value(&out)["usage"]["total_tokens"]), (3, &json!(3)));
}

#[test]
fn embeddings_that_cannot_be_asked_for_name_their_field_and_wrong_answers_are_malformed() {
    let asked = |body: Value| embed_out(body.to_string().as_bytes(), "m", &mut Adapted::default());
    for (field, body) in [
        ("input", json!({})),
        ("input", json!({ "input": [] })),
        ("input", json!({ "input": [1, 2] })),
        ("input", json!({ "input": [[1, 2], [3]] })),
        ("input", json!({ "input": {} })),
        ("encoding_format", json!({ "input": "a", "encoding_format": "hex" })),
        ("dimensions", json!({ "input": "a", "dimensions": "two" })),
    ] {
        let failure = asked(body.clone()).unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some(field)), "{body}");
    }
    let mut adapted = Adapted::default();
    let body = json!({ "input": "a", "user": "u", "truncate": true, "encoding_format": null });
    embed_out(body.to_string().as_bytes(), "m", &mut adapted).unwrap();
    assert_eq!(adapted.header().unwrap(), "user: dropped; truncate: dropped");
    let plan = EmbedPlan { texts: 1, ..EmbedPlan::default() };
    for bad in
        [r#"{"embeddings":[]}"#, "{}", "[]", r#"{"embeddings":[{"values":["x"]}]}"#, r#"{"embeddings":[{}]}"#]
    {
        assert_eq!(embed_in(&[bad], &plan).unwrap_err().kind, Kind::VendorMalformed, "{bad}");
    }
}
