//! The members of a JSON object from outside, taken one by one.

use super::{Extra, Json};
use crate::error::{Failure, Kind, Result};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How many members an object may have.
const MAX_FIELDS: usize = 128;
/// How many bytes of `serde_json`'s complaint go to the caller.
const MAX_COMPLAINT_BYTES: usize = 200;

/// The members of an object that nobody has taken yet. They are cut out first
/// and read when taken, so that a complaint names its field, and what nobody
/// takes is still there, byte for byte.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Cuts a caller's body up.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`]: no JSON (with line and column), no object, a
    /// key that occurs twice (two parsers would read it differently), or more than 128 members.
    pub fn read(body: &'a [u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|error| refuse("The body cannot be read", &error))
    }

    /// Takes a member away and reads it. `None`: it is not there, or `null`.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] that names the field.
    pub fn take<T: Deserialize<'a>>(&mut self, name: &'static str) -> Result<Option<T>> {
        let Some(raw) = self.take_raw(name) else { return Ok(None) };
        let read = serde_json::from_str(raw.get());
        read.map_err(|error| refuse(&format!("The field `{name}` cannot be read"), &error).param(name))
    }

    /// Takes a member away as its text. `None`: it is not there.
    pub fn take_raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The text of a member that stays. `None`: it is not there.
    pub fn peek(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw)
    }

    /// What nobody took, in order; without what is `null`.
    pub fn rest(self) -> Vec<Extra> {
        let kept = self.0.into_iter().filter(|(_, raw)| raw.get() != "null");
        kept.map(|(name, raw)| Extra { name: name.into_owned(), json: Json::from(raw.to_owned()) }).collect()
    }
}

/// A refusal that says what is wrong, and where, in few words.
fn refuse(what: &str, error: &serde_json::Error) -> Failure {
    let complaint = error.to_string();
    let end = complaint.floor_char_boundary(MAX_COMPLAINT_BYTES);
    let public = format!("{what}: {}.", complaint.get(..end).unwrap_or_default());
    Failure::new(Kind::InvalidRequest, public)
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                use serde::de::Error;
                let mut members: Self::Value = Vec::with_capacity(16);
                while let Some(Key(key)) = map.next_key()? {
                    if members.iter().any(|(known, _)| *known == key) {
                        return Err(A::Error::custom(format_args!("`{key}` occurs twice")));
                    }
                    if members.len() == MAX_FIELDS {
                        return Err(A::Error::custom(format_args!("more than {MAX_FIELDS} fields")));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Fields)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_taken_once_and_the_rest_keeps_its_text() {
        let mut fields = Fields::read(br#"{"a": 1, "z": [1, 2], "b": null, "c\u0041": {"x" : 1}}"#).unwrap();
        assert_eq!(fields.take::<u64>("a").unwrap(), Some(1));
        assert_eq!(fields.take::<u64>("a").unwrap(), None);
        assert_eq!(fields.take::<u64>("b").unwrap(), None);
        let rest = fields.rest();
        assert_eq!(rest[0].json.as_str(), "[1, 2]");
        assert_eq!(rest[1].name, "cA");
        assert_eq!(rest[1].json.as_str(), r#"{"x" : 1}"#);
    }

    #[test]
    fn a_wrong_type_names_its_field_and_a_second_key_is_refused() {
        let mut fields = Fields::read(br#"{"a": "x"}"#).unwrap();
        assert_eq!(fields.take::<u64>("a").unwrap_err().param.as_deref(), Some("a"));
        for bad in [r#"{"a":1,"\u0061":2}"#, "[]", "{", "", r#"{"a":1} x"#] {
            assert_eq!(Fields::read(bad.as_bytes()).unwrap_err().kind, Kind::InvalidRequest, "{bad}");
        }
        let many: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("\"f{n}\":0")).collect();
        assert!(Fields::read(format!("{{{}}}", many.join(",")).as_bytes()).is_err());
    }
}
