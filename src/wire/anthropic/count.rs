//! Counting the tokens of a request: `POST /v1/messages/count_tokens`.

use super::request_out::{Ask, write};
use crate::chat::{Adapted, ModelTraits, Object, Request, parse, write_object};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;

/// Writes the vendor's body of a count: the request without what only shapes the
/// answer. A caller's body of a count is read by [`super::request_in`].
///
/// # Errors
/// As [`super::request_out`].
pub fn count_tokens_out(request: &Request, traits: &ModelTraits, adapted: &mut Adapted) -> Result<Vec<u8>> {
    write(request, traits, adapted, Ask::Count)
}

#[derive(Deserialize)]
struct Count {
    input_tokens: u64,
}

/// Reads the vendor's answer to a count: tokens of the input.
///
/// # Errors
/// [`Kind::VendorMalformed`] when it is not one.
pub fn count_tokens_in(body: &[u8]) -> Result<u64> {
    let count: Count = parse(body).map_err(|error| {
        Failure::new(Kind::VendorMalformed, "The vendor's count cannot be read.").detail(error)
    })?;
    Ok(count.input_tokens)
}

/// Writes a caller's answer to a count.
pub fn count_tokens_body(input_tokens: u64) -> Vec<u8> {
    let mut out = Vec::new();
    write_object(&mut out, |object: &mut Object<'_>| object.put("input_tokens", &input_tokens));
    out
}
