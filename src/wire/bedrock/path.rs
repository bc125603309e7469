//! Where a model is called: the vendor names it in the path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the characters that RFC 3986 leaves as they are: the `:` of a
/// version and the `/` of an ARN are escaped, as AWS's own clients do it, so that a model is one segment.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A whole answer.
    Converse,
    /// An answer as a stream of frames.
    ConverseStream,
    /// The model's own body, such as that of embeddings.
    Invoke,
}

/// The path of a call, from the root of the host. `model` is a model's id, an
/// inference profile's (`us.anthropic.…`), or an ARN.
pub fn path(model: &str, method: Method) -> String {
    let call = match method {
        Method::Converse => "converse",
        Method::ConverseStream => "converse-stream",
        Method::Invoke => "invoke",
    };
    format!("/model/{}/{call}", utf8_percent_encode(model, UNRESERVED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_one_segment_whatever_its_name() {
        for (model, expected) in [
            ("amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/converse"),
            (
                "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x",
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.x/converse",
            ),
            ("a/../b?c#d e", "/model/a%2F..%2Fb%3Fc%23d%20e/converse"),
        ] {
            assert_eq!(path(model, Method::Converse), expected);
        }
        assert_eq!(path("m", Method::ConverseStream), "/model/m/converse-stream");
        assert_eq!(path("m", Method::Invoke), "/model/m/invoke");
    }
}
