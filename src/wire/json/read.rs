//! The pull reader. Who enters an object asks for keys until there are none and
//! takes exactly one value after each; arrays alike.

use super::scan::{short_string, string_end};
use super::text::Str;
use std::ops::Range;

/// How deep a body may nest. No API needs more than a quarter of it.
pub const MAX_DEPTH: u8 = 128;

/// Why a body is no JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// The byte offset.
    pub at: usize,
    /// What was wrong, as the end of a sentence.
    pub why: &'static str,
}

impl Syntax {
    /// Line and column (in bytes), both from 1.
    pub fn line_column(&self, body: &[u8]) -> (usize, usize) {
        let before = body.get(..self.at).unwrap_or(body);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        (line, before.len() - line_start + 1)
    }
}

/// What the next value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// Reads one body from the front to the end.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    depth: u8,
    /// Just behind an opening bracket, where no comma is due.
    fresh: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `body`.
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0, depth: 0, fresh: false }
    }

    /// Where the reader stands.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The bytes of a span that this reader gave.
    pub fn slice(&self, span: Range<usize>) -> &'a [u8] {
        self.body.get(span).unwrap_or_default()
    }

    /// The span of the bytes between the quotes of a string that this reader gave.
    pub fn span_of(&self, string: &Str<'a>) -> Range<usize> {
        let start = (string.raw.as_ptr() as usize).saturating_sub(self.body.as_ptr() as usize);
        debug_assert!(start + string.raw.len() <= self.body.len(), "a string of another body");
        start..start + string.raw.len()
    }

    /// What comes next; nothing is consumed but white space.
    ///
    /// # Errors
    /// [`Syntax`] when no value begins here.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, Syntax> {
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => Err(self.wrong("a value was expected")),
            None => Err(self.wrong("it ends too early")),
        }
    }

    /// Enters an object.
    ///
    /// # Errors
    /// [`Syntax`] when none begins here, or the nesting is too deep.
    pub fn enter_object(&mut self) -> Result<(), Syntax> {
        self.enter(b'{', "an object was expected")
    }

    /// Enters an array.
    ///
    /// # Errors
    /// [`Syntax`] when none begins here, or the nesting is too deep.
    pub fn enter_array(&mut self) -> Result<(), Syntax> {
        self.enter(b'[', "an array was expected")
    }

    /// The next key of the object, its colon consumed; `None` leaves the object.
    ///
    /// # Errors
    /// [`Syntax`] when the object goes on otherwise.
    #[inline]
    pub fn key(&mut self) -> Result<Option<Str<'a>>, Syntax> {
        if !self.another(b'}', "`,` or `}` was expected")? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a key was expected"));
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.wrong("`:` was expected"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Is there another element? `false` leaves the array.
    ///
    /// # Errors
    /// [`Syntax`] when the array goes on otherwise.
    #[inline]
    pub fn element(&mut self) -> Result<bool, Syntax> {
        self.another(b']', "`,` or `]` was expected")
    }

    /// Takes a string.
    ///
    /// # Errors
    /// [`Syntax`] when none begins here, or it is malformed.
    #[inline]
    pub fn string(&mut self) -> Result<Str<'a>, Syntax> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("a string was expected"));
        }
        let start = self.at + 1;
        if let Some(raw) = short_string(self.body, start) {
            self.at = start + raw.len() + 1;
            return Ok(Str { raw, escaped: false });
        }
        let end = string_end(self.body, start).map_err(|(at, why)| Syntax { at, why })?;
        self.at = end.quote + 1;
        Ok(Str { raw: self.slice(start..end.quote), escaped: end.escaped })
    }

    /// Takes any value and gives its span.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed or too deep.
    pub fn skip(&mut self) -> Result<Range<usize>, Syntax> {
        let kind = self.kind()?;
        let start = self.at;
        match kind {
            Kind::Object | Kind::Array => self.skip_nested(kind)?,
            Kind::String => _ = self.string()?,
            Kind::Number => _ = self.number()?,
            Kind::Bool | Kind::Null => self.word()?,
        }
        Ok(start..self.at)
    }

    /// Takes any value and forgets it.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed or too deep.
    pub fn ignore(&mut self) -> Result<(), Syntax> {
        self.skip().map(|_| ())
    }

    /// Takes any value: a string as such, anything else as `None`.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed.
    pub fn string_or_skip(&mut self) -> Result<Option<Str<'a>>, Syntax> {
        if self.kind()? == Kind::String {
            return self.string().map(Some);
        }
        self.skip().map(|_| None)
    }

    /// Takes any value: a number that is not negative as a whole one (rounded
    /// up, held at the end of the range), anything else as `None`.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed.
    pub fn count_or_skip(&mut self) -> Result<Option<u64>, Syntax> {
        if self.kind()? != Kind::Number {
            return self.skip().map(|_| None);
        }
        let digits = self.number()?;
        if let Some(whole) = whole(digits) {
            return Ok(Some(whole));
        }
        Ok(decimal(digits).filter(|number| *number >= 0.0).map(|number| number.ceil() as u64))
    }

    /// Takes any value: a number, or a string that holds one, anything else as `None`.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed.
    pub fn decimal_or_skip(&mut self) -> Result<Option<f64>, Syntax> {
        match self.kind()? {
            Kind::Number => self.number().map(decimal),
            Kind::String => self.string().map(|text| decimal(text.raw)),
            _ => self.skip().map(|_| None),
        }
    }

    /// Takes `true` or `false`; anything else as `None`.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed.
    pub fn bool_or_skip(&mut self) -> Result<Option<bool>, Syntax> {
        let is_bool = self.kind()? == Kind::Bool;
        let yes = self.peek() == Some(b't');
        self.skip().map(|_| is_bool.then_some(yes))
    }

    /// Takes a whole number ≥ 0 written without point and exponent; anything else as `None`.
    ///
    /// # Errors
    /// [`Syntax`] when it is malformed.
    pub fn whole_or_skip(&mut self) -> Result<Option<u64>, Syntax> {
        if self.kind()? != Kind::Number {
            return self.skip().map(|_| None);
        }
        self.number().map(whole)
    }

    /// Checks that only white space is left.
    ///
    /// # Errors
    /// [`Syntax`] when there is more.
    pub fn finish(&mut self) -> Result<(), Syntax> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("something follows the end of the value")),
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.body.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn wrong(&self, why: &'static str) -> Syntax {
        Syntax { at: self.at.min(self.body.len()), why }
    }

    fn enter(&mut self, bracket: u8, why: &'static str) -> Result<(), Syntax> {
        if self.peek() != Some(bracket) {
            return Err(self.wrong(why));
        }
        if self.depth == MAX_DEPTH {
            return Err(self.wrong("it nests too deep"));
        }
        self.depth += 1;
        self.at += 1;
        self.fresh = true;
        Ok(())
    }

    #[inline]
    fn another(&mut self, closing: u8, why: &'static str) -> Result<bool, Syntax> {
        let first = std::mem::take(&mut self.fresh);
        match self.peek() {
            Some(byte) if byte == closing => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => Err(self.wrong(why)),
            None => Err(self.wrong("it ends too early")),
        }
    }

    /// Keeps one bit per open bracket, so that nesting costs no stack.
    fn skip_nested(&mut self, outermost: Kind) -> Result<(), Syntax> {
        let mut is_object: u128 = 0;
        let mut open = 0u8;
        let mut next = Some(outermost);
        loop {
            match next {
                Some(Kind::Object) => {
                    self.enter_object()?;
                    is_object = is_object << 1 | 1;
                    open += 1;
                }
                Some(Kind::Array) => {
                    self.enter_array()?;
                    is_object <<= 1;
                    open += 1;
                }
                Some(Kind::String) => _ = self.string()?,
                Some(Kind::Number) => _ = self.number()?,
                Some(Kind::Bool | Kind::Null) => self.word()?,
                None => {
                    is_object >>= 1;
                    open -= 1;
                    if open == 0 {
                        return Ok(());
                    }
                }
            }
            let more = if is_object & 1 == 1 { self.key()?.is_some() } else { self.element()? };
            next = if more { Some(self.kind()?) } else { None };
        }
    }

    fn number(&mut self) -> Result<&'a [u8], Syntax> {
        let start = self.at;
        if self.body.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let leading_zero = self.body.get(self.at) == Some(&b'0');
        let whole_digits = self.digits();
        let mut good = whole_digits > 0 && !(leading_zero && whole_digits > 1);
        if self.body.get(self.at) == Some(&b'.') {
            self.at += 1;
            good &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.body.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.body.get(self.at) {
                self.at += 1;
            }
            good &= self.digits() > 0;
        }
        if !good {
            return Err(self.wrong("a number is malformed"));
        }
        Ok(self.body.get(start..self.at).unwrap_or_default())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.body.get(self.at) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self) -> Result<(), Syntax> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word));
        let Some(word) = word else { return Err(self.wrong("a value was expected")) };
        self.at += word.len();
        Ok(())
    }
}

fn whole(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn decimal(digits: &[u8]) -> Option<f64> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
}
