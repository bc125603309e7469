//! Videos to order. A vendor takes an order, makes the video in minutes and is
//! asked for it until it is there. Callers order, ask and load as of OpenAI;
//! what lies between is each vendor's.
//!
//! [`Order`] is what a caller wants, [`Made`] what has become of it.

mod ark;
mod made;
mod order;
mod veo;

pub use made::{Made, State, Told, VIDEO, answer_out};
pub use order::{Frame, Order, class};

use crate::chat::Adapted;
use crate::error::{Failure, Kind, Result};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;

/// All but the characters that RFC 3986 leaves as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a vendor is asked for videos. A column of the vendor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Films {
    /// As OpenAI is: bodies pass through.
    OpenAi,
    /// In Gemini's words, by long-running operations (Veo).
    Veo,
    /// By tasks of Volcengine Ark (Seedance).
    Ark,
}

/// Where a finished video is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the vendor, with the credential: a path and query from the vendor's host on.
    Path(String),
    /// At an address that needs no credential.
    Address(String),
}

/// The body of an order in a vendor's own words; `None`: it passes as it came, see [`Order::passed`].
///
/// # Errors
/// What the vendor cannot be asked for.
pub fn order_out(to: Films, order: &Order, model: &str, adapted: &mut Adapted) -> Result<Option<Vec<u8>>> {
    match to {
        Films::OpenAi => Ok(None),
        Films::Veo => veo::order_out(order, model, adapted).map(Some),
        Films::Ark => ark::order_out(order, model, adapted).map(Some),
    }
}

/// Where an order goes: the row's path, but for vendors that name the model in it. `source`: the
/// vendor's id of the video that is made anew.
///
/// # Errors
/// [`Kind::InvalidRequest`] where the vendor makes nothing anew.
pub fn order_path<'a>(to: Films, row: &'a str, model: &str, source: Option<&str>) -> Result<Cow<'a, str>> {
    match (to, source) {
        (Films::OpenAi, Some(id)) => Ok(format!("{row}/{}/remix", segment(id)).into()),
        (_, Some(_)) => {
            let text = "The vendor of this video makes none from it; order a new one.";
            Err(Failure::new(Kind::InvalidRequest, text))
        }
        (Films::Veo, None) => Ok(veo::path(row, model).into()),
        (Films::OpenAi | Films::Ark, None) => Ok(row.into()),
    }
}

/// Where a vendor tells of an order.
pub fn look_path(of: Films, row: &str, id: &str) -> String {
    match of {
        Films::Veo => veo::look_path(id),
        Films::OpenAi | Films::Ark => format!("{row}/{}", segment(id)),
    }
}

/// Where a vendor is told to forget a video; `None`: it cannot be told.
pub fn delete_path(of: Films, row: &str, id: &str) -> Option<String> {
    match of {
        Films::OpenAi | Films::Ark => Some(look_path(of, row, id)),
        Films::Veo => None,
    }
}

/// Where a finished video is, or one of its `variant`s. `None`: the vendor has no such.
pub fn place(of: Films, row: &str, made: &Made, variant: Option<&str>) -> Option<Place> {
    let plain = variant.is_none_or(|variant| variant == "video");
    match of {
        Films::OpenAi => {
            let query = variant.map(|variant| format!("?variant={}", segment(variant))).unwrap_or_default();
            Some(Place::Path(format!("{row}/{}/content{query}", segment(&made.id))))
        }
        Films::Veo if plain => made.file.as_deref().and_then(veo::place),
        Films::Ark if plain => made.file.clone().map(Place::Address),
        Films::Veo | Films::Ark => None,
    }
}

/// Does the vendor have to be asked what has become of an order before its video can be loaded?
pub fn is_named_by_state(of: Films) -> bool {
    of != Films::OpenAi
}

/// Reads what a vendor says of an order.
///
/// # Errors
/// [`Kind::VendorMalformed`] when it cannot be read.
pub fn made_in(from: Films, body: &Bytes) -> Result<Made> {
    match from {
        Films::OpenAi => made::openai_in(body),
        Films::Veo => veo::made_in(body),
        Films::Ark => ark::made_in(body),
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

fn refuse(field: &'static str, public: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new(Kind::InvalidRequest, public).param(field)
}

fn unreadable(detail: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::VendorMalformed, "The vendor's answer cannot be read.").detail(detail)
}

#[cfg(test)]
mod tests;
