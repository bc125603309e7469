//! Just enough of RFC 7578 to read the parts of a multipart body, and to find one field
//! and replace its value (with [`super::json::Patch`], which edits any bytes).

use memchr::memmem;
use std::ops::Range;

/// The longest boundary that RFC 2046 allows.
const MAX_BOUNDARY_BYTES: usize = 70;
/// How many parts a body may have. Forms of this API have a dozen.
const MAX_PARTS: usize = 256;

/// The boundary of a `multipart/form-data` content type; `None` when it is
/// another type, or the boundary is missing or too long.
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters.as_bytes(), "boundary")?;
    let fits = (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len());
    let clean = boundary.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    (fits && clean).then_some(boundary)
}

/// The byte span of the value of the (non-file) field `name`. `None` when it is
/// not there, when the body is malformed or has more than 256 parts, and when
/// there are several fields or files of that name, of which the vendor might
/// take another one than we do.
pub fn field(body: &[u8], boundary: &str, name: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut parts = Parts::new(body, boundary)?;
    for _ in 0..MAX_PARTS {
        let Some(part) = parts.next_part()? else { return found.flatten() };
        let headers = body.get(part.headers)?;
        let (part_name, is_file) = disposition(headers)?;
        if !part_name.eq_ignore_ascii_case(name) {
            continue;
        }
        if found.is_some() {
            return None;
        }
        found = Some((!is_file && part_name == name).then_some(part.value));
    }
    None
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPart {
    /// Its name.
    pub name: String,
    /// Is it a file?
    pub is_file: bool,
    /// Its content type, where it says one.
    pub content_type: Option<String>,
    /// Where its value stands.
    pub value: Range<usize>,
}

/// All parts of a form in order. `None` when the body is malformed or has more than 256 parts.
pub fn parts(body: &[u8], boundary: &str) -> Option<Vec<FormPart>> {
    let mut found = Vec::new();
    let mut parts = Parts::new(body, boundary)?;
    while let Some(part) = parts.next_part()? {
        if found.len() == MAX_PARTS {
            return None;
        }
        let headers = body.get(part.headers)?;
        let (name, is_file) = disposition(headers)?;
        let content_type = header(headers, b"content-type:");
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.trim_ascii()).into_owned());
        found.push(FormPart { name, is_file, content_type, value: part.value });
    }
    Some(found)
}

struct Part {
    headers: Range<usize>,
    value: Range<usize>,
}

/// Walks over the parts, which stand between lines of `--boundary`.
struct Parts<'a> {
    body: &'a [u8],
    delimiter: Vec<u8>,
    /// Just behind a delimiter.
    at: usize,
}

impl<'a> Parts<'a> {
    /// Skips what stands before the first delimiter, which need not follow a line end.
    fn new(body: &'a [u8], boundary: &str) -> Option<Self> {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        let first = delimiter.get(2..)?;
        let at = match body.starts_with(first) {
            true => first.len(),
            false => memmem::find(body, &delimiter)? + delimiter.len(),
        };
        Some(Self { body, delimiter, at })
    }

    /// The next part; `Some(None)` at the closing delimiter, `None` when the body is malformed.
    fn next_part(&mut self) -> Option<Option<Part>> {
        let rest = self.body.get(self.at..)?;
        if rest.starts_with(b"--") {
            return Some(None);
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let after = rest.get(padding..)?;
        if !after.starts_with(b"\r\n") {
            return None;
        }
        // Headers may be absent; then the blank line follows at once.
        let headers_start = self.at + padding + 2;
        let headers_length = memmem::find(after, b"\r\n\r\n")?;
        let value_start = self.at + padding + headers_length + 4;
        let value_length = memmem::find(self.body.get(value_start..)?, &self.delimiter)?;
        let value = value_start..value_start + value_length;
        self.at = value.end + self.delimiter.len();
        let headers_end = (value_start - 4).max(headers_start);
        Some(Some(Part { headers: headers_start..headers_end, value }))
    }
}

/// Name and whether it is a file, from the part's `Content-Disposition`; `None` when there is none.
fn disposition(headers: &[u8]) -> Option<(String, bool)> {
    let value = header(headers, b"content-disposition:")?;
    let semicolon = memchr::memchr(b';', value)?;
    let parameters = value.get(semicolon + 1..)?;
    let is_file = parameter(parameters, "filename").is_some() || parameter(parameters, "filename*").is_some();
    Some((parameter(parameters, "name")?, is_file))
}

/// The value of the first header of that name, which ends in a colon.
fn header<'a>(headers: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let is_it = |line: &&[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    headers.split(|&byte| byte == b'\n').find(is_it)?.get(name.len()..)
}

/// One of `a=b; c="d"`, its quotes and backslashes removed.
fn parameter(parameters: &[u8], wanted: &str) -> Option<String> {
    let mut rest = parameters;
    while !rest.is_empty() {
        let equals = memchr::memchr2(b'=', b';', rest)?;
        let (name, after) = rest.split_at(equals);
        let after = after.get(1..)?;
        let is_wanted = name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes());
        if rest.get(equals) == Some(&b';') {
            rest = after;
            continue;
        }
        let (value, used) = parameter_value(after);
        if is_wanted {
            return String::from_utf8(value).ok();
        }
        rest = after.get(used..)?;
    }
    None
}

/// The value at the beginning, and how many bytes it takes with its semicolon.
fn parameter_value(text: &[u8]) -> (Vec<u8>, usize) {
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut value = Vec::new();
    let mut quoted = false;
    let mut used = blanks;
    let mut bytes = text.iter().skip(blanks);
    while let Some(&byte) = bytes.next() {
        used += 1;
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                used += 1;
                value.extend(bytes.next());
            }
            b';' if !quoted => break,
            _ => value.push(byte),
        }
    }
    if text.get(blanks) != Some(&b'"') {
        value.truncate(value.trim_ascii_end().len());
    }
    while value.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        value.pop();
    }
    (value, used.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json::Patch;
    use proptest::prelude::*;

    fn form(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut body = String::new();
        for (disposition, value) in parts {
            body += &format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n");
        }
        (body + "--XX--\r\n").into_bytes()
    }

    fn value(body: &[u8], name: &str) -> Option<String> {
        field(body, "XX", name).map(|span| String::from_utf8_lossy(&body[span]).into_owned())
    }

    #[test]
    fn the_boundary_is_found_in_both_forms() {
        assert_eq!(boundary("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(
            boundary("Multipart/Form-Data; charset=utf-8; Boundary=\"a b;c\"").as_deref(),
            Some("a b;c")
        );
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(70))).unwrap().len(), 70);
        for bad in [
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=a",
        ] {
            assert_eq!(boundary(bad), None, "{bad}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
    }

    #[test]
    fn a_field_is_found_between_files() {
        let body = form(&[
            ("name=\"file\"; filename=\"model\"", "--X\r\nmodel\r\n"),
            ("name=\"model\"", "gpt"),
            ("name=n", "2"),
        ]);
        assert_eq!(value(&body, "model").as_deref(), Some("gpt"));
        assert_eq!(value(&body, "n").as_deref(), Some("2"));
        assert_eq!(value(&body, "file"), None);
        assert_eq!(value(&body, "other"), None);
    }

    #[test]
    fn a_field_given_twice_is_not_found() {
        for second in
            ["name=\"model\"", "name=\"Model\"", "name=model; filename=x", "filename=\"x\"; name=\"model\""]
        {
            assert_eq!(value(&form(&[("name=\"model\"", "a"), (second, "b")]), "model"), None, "{second}");
            assert_eq!(value(&form(&[(second, "b"), ("name=\"model\"", "a")]), "model"), None, "{second}");
        }
    }

    #[test]
    fn odd_but_legal_forms_are_read() {
        let preamble = [b"preamble\r\n".as_slice(), &form(&[("name=\"model\"", "a")])].concat();
        assert_eq!(value(&preamble, "model").as_deref(), Some("a"));
        let headers = b"--XX \r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name=\"mo\\del\"\r\n\r\na\r\n--XX--";
        assert_eq!(value(headers, "model").as_deref(), Some("a"));
        assert_eq!(value(&form(&[("name=\"model\"", "")]), "model").as_deref(), Some(""));
    }

    #[test]
    fn malformed_forms_have_no_fields() {
        let whole = form(&[("name=\"model\"", "a")]);
        for length in 0..whole.len() - 4 {
            assert_eq!(value(&whole[..length], "model"), None, "{length}");
        }
        assert_eq!(value(b"--XX\r\n\r\na\r\n--XX--", "model"), None);
        let many: Vec<(&str, &str)> = vec![("name=\"x\"", "1"); MAX_PARTS];
        assert_eq!(value(&form(&many), "model"), None);
    }

    #[test]
    fn a_value_can_be_replaced() {
        let body = form(&[("name=\"model\"", "a"), ("name=\"n\"", "1")]);
        let mut patch = Patch::new();
        patch.replace(field(&body, "XX", "model").unwrap(), "longer");
        assert_eq!(patch.apply(&body), form(&[("name=\"model\"", "longer"), ("name=\"n\"", "1")]));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(parts in prop::collection::vec(prop_oneof![
            Just(b"\r\n--XX".to_vec()), Just(b"--".to_vec()), Just(b"\r\n".to_vec()), Just(b"\r\n\r\n".to_vec()),
            Just(b"Content-Disposition: form-data; name=\"model\"".to_vec()),
            prop::collection::vec(any::<u8>(), 0..8),
        ], 0..20)) {
            let body = parts.concat();
            if let Some(span) = field(&body, "XX", "model") {
                prop_assert!(body.get(span).is_some());
            }
            for part in super::parts(&body, "XX").unwrap_or_default() {
                prop_assert!(body.get(part.value).is_some());
            }
            let _ = boundary(&String::from_utf8_lossy(&body));
        }
    }
}
