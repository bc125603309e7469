//! Where a model is called: the vendor names it in the path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the characters that RFC 3986 leaves as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A whole answer.
    Generate,
    /// An answer as server-sent events.
    Stream,
    /// Embeddings of several texts.
    Embed,
    /// Pictures, of a model that only draws.
    Predict,
}

/// The path and query of a call, from the root of the host. The model may stand in its
/// collection (`models/…`), as the vendor's own lists name it.
pub fn path(model: &str, method: Method) -> String {
    let call = match method {
        Method::Generate => "generateContent",
        Method::Stream => "streamGenerateContent?alt=sse",
        Method::Embed => "batchEmbedContents",
        Method::Predict => "predict",
    };
    let model = utf8_percent_encode(bare(model), UNRESERVED);
    format!("/v1beta/models/{model}:{call}")
}

/// The model without its collection.
pub(super) fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_one_segment_whatever_its_name() {
        for (model, expected) in [
            ("gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent"),
            ("models/gemini-3-pro", "/v1beta/models/gemini-3-pro:generateContent"),
            ("a/../b?c#d e", "/v1beta/models/a%2F..%2Fb%3Fc%23d%20e:generateContent"),
        ] {
            assert_eq!(path(model, Method::Generate), expected);
        }
        assert_eq!(path("m", Method::Stream), "/v1beta/models/m:streamGenerateContent?alt=sse");
        assert_eq!(path("m", Method::Embed), "/v1beta/models/m:batchEmbedContents");
    }
}
