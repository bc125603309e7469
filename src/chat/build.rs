//! Writes JSON member by member, straight into the bytes that go out.

use serde::Serialize;
use std::fmt;

/// An open JSON object.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// An open JSON array.
pub struct Array<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// Appends an object.
pub fn write_object<R>(out: &mut Vec<u8>, members: impl FnOnce(&mut Object<'_>) -> R) -> R {
    out.push(b'{');
    let result = members(&mut Object { out, empty: true });
    out.push(b'}');
    result
}

/// Appends an array.
pub fn write_array<R>(out: &mut Vec<u8>, elements: impl FnOnce(&mut Array<'_>) -> R) -> R {
    out.push(b'[');
    let result = elements(&mut Array { out, empty: true });
    out.push(b']');
    result
}

/// Appends a value. One that JSON has no text for becomes `null`.
fn write_value(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
        // Names are nearly always plain, and there are many of them.
        if key.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.out.push(b'"');
            self.out.extend_from_slice(key.as_bytes());
            self.out.push(b'"');
        } else {
            write_value(self.out, key);
        }
        self.out.push(b':');
    }

    /// A member.
    pub fn put(&mut self, key: &str, value: &(impl Serialize + ?Sized)) {
        self.key(key);
        write_value(self.out, value);
    }

    /// A member, if there is a value.
    pub fn put_some<T: Serialize>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(key, &value);
        }
    }

    /// A member that is an object.
    pub fn object<R>(&mut self, key: &str, members: impl FnOnce(&mut Object<'_>) -> R) -> R {
        self.key(key);
        write_object(self.out, members)
    }

    /// A member that is an array.
    pub fn array<R>(&mut self, key: &str, elements: impl FnOnce(&mut Array<'_>) -> R) -> R {
        self.key(key);
        write_array(self.out, elements)
    }
}

impl Array<'_> {
    fn comma(&mut self) {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(b',');
        }
    }

    /// Is there nothing in it so far?
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// An element.
    pub fn put(&mut self, value: &(impl Serialize + ?Sized)) {
        self.comma();
        write_value(self.out, value);
    }

    /// An element that is an object.
    pub fn object<R>(&mut self, members: impl FnOnce(&mut Object<'_>) -> R) -> R {
        self.comma();
        write_object(self.out, members)
    }
}

/// Texts that are written as one string, without being joined in memory first.
pub struct Joined<'a>(pub &'a [&'a str]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|text| f.write_str(text))
    }
}

impl Serialize for Joined<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_nest() {
        let mut out = Vec::new();
        write_object(&mut out, |object| {
            object.put("a\"", &1);
            object.put_some("none", None::<u8>);
            object.array("b", |array| {
                array.object(|object| object.put("c", &Joined(&["x\"", "y"])));
                array.put("d");
            });
            object.object("e", |_| ());
            object.put("f", &f64::NAN);
        });
        assert_eq!(String::from_utf8(out).unwrap(), r#"{"a\"":1,"b":[{"c":"x\"y"},"d"],"e":{},"f":null}"#);
    }
}
