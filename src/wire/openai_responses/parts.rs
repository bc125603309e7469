//! Parts of a response object that the hub keeps it by.

use crate::wire::json::{Kind, Reader};
use std::ops::Range;

/// Where the `output` of a response object is.
pub fn output_of(response: &[u8]) -> Option<Range<usize>> {
    let mut reader = Reader::new(response);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        let is_list = reader.kind().ok()? == Kind::Array;
        let span = reader.skip().ok()?;
        if key.raw == b"output" && is_list {
            return Some(span);
        }
    }
    None
}

/// The ids of the items of a JSON array; an item without one is passed over.
pub fn ids_of(items: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    // What cannot be read gives what stands before the mistake.
    let _ = read_ids(items, &mut ids);
    ids
}

fn read_ids(items: &[u8], ids: &mut Vec<String>) -> Option<()> {
    let mut reader = Reader::new(items);
    reader.enter_array().ok()?;
    while reader.element().ok()? {
        let span = reader.skip().ok()?;
        ids.extend(id_of(reader.slice(span)));
    }
    Some(())
}

/// The ids of the thoughts in a response object.
pub fn thoughts_of(response: &[u8]) -> Vec<String> {
    let output = output_of(response).and_then(|span| response.get(span)).unwrap_or_default();
    let mut ids = Vec::new();
    // What cannot be read gives what stands before the mistake.
    let _ = read_thoughts(output, &mut ids);
    ids
}

fn read_thoughts(items: &[u8], ids: &mut Vec<String>) -> Option<()> {
    let mut reader = Reader::new(items);
    reader.enter_array().ok()?;
    while reader.element().ok()? {
        let (mut id, mut is_thoughts) = (None, false);
        reader.enter_object().ok()?;
        while let Some(key) = reader.key().ok()? {
            match key.raw {
                b"id" => id = reader.string_or_skip().ok()?,
                b"type" => {
                    is_thoughts = reader.string_or_skip().ok()?.is_some_and(|kind| kind.raw == b"reasoning");
                }
                _ => reader.ignore().ok()?,
            }
        }
        ids.extend(id.filter(|_| is_thoughts).map(|id| id.text().into_owned()));
    }
    Some(())
}

/// The `id` of an object.
pub fn id_of(object: &[u8]) -> Option<String> {
    let mut reader = Reader::new(object);
    reader.enter_object().ok()?;
    while let Some(key) = reader.key().ok()? {
        match key.raw {
            b"id" => return Some(reader.string_or_skip().ok()??.text().into_owned()),
            _ => reader.ignore().ok()?,
        }
    }
    None
}
