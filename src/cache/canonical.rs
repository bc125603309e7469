//! The canonical form of a JSON body, without a DOM: one scan writes down where
//! the members of each object stand, a second one walks them in sorted order.
//! Both are linear in the body, whatever its nesting.
//!
//! Must not know which members matter; that is `key`'s business.

mod number;
mod text;

use memchr::memchr2;
use std::borrow::Cow;
use text::{escape, unescape};

pub(super) use number::Number;

/// The deepest nesting that is read, the same that serde_json allows.
const MAX_DEPTH: usize = 128;

/// Ends a string in the canonical form; no UTF-8 text contains it.
const STRING_END: u8 = 0xFF;

/// One member of an object: where its name (without quotes) and its value stand.
#[derive(Clone, Copy, Debug)]
struct Member {
    name: (u32, u32),
    /// Does the name contain a backslash?
    escaped: bool,
    value: (u32, u32),
}

/// One object, and which part of `Outline::members` is its own, sorted by name.
#[derive(Clone, Copy, Debug)]
struct Object {
    start: u32,
    end: u32,
    members: (u32, u32),
}

/// Where every object and member of a body stands.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    body: &'a [u8],
    /// In the order of `start`, the outermost first.
    objects: Vec<Object>,
    members: Vec<Member>,
}

/// Where the canonical form is written to.
pub(super) trait Sink {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl<'a> Outline<'a> {
    /// `None` when the body is no JSON object, is not UTF-8, nests too deep, or
    /// has an object that repeats a name: vendors disagree on which one counts.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(body).ok()?;
        u32::try_from(body.len()).ok()?;
        let mut scan =
            Scan { body, at: 0, depth: 0, objects: Vec::new(), members: Vec::new(), open: Vec::new() };
        scan.space();
        scan.object()?;
        scan.space();
        let Scan { at, objects, members, .. } = scan;
        (at == body.len()).then_some(Self { body, objects, members })
    }

    /// The bytes of a member of the outermost object.
    pub(super) fn field(&self, name: &str) -> Option<&'a [u8]> {
        let members = self.members_of(self.objects.first()?);
        let found =
            members.binary_search_by(|member| name_of(self.body, member).as_ref().cmp(name.as_bytes()));
        slice(self.body, members.get(found.ok()?)?.value)
    }

    /// Writes the canonical form, without the named members of the outermost object.
    pub(super) fn write(&self, left_out: &[&str], sink: &mut impl Sink) {
        if let Some(object) = self.objects.first() {
            let keep = |name: &[u8]| !left_out.iter().any(|out| out.as_bytes() == name);
            Walk { outline: self, sink }.object(object, keep);
        }
    }

    fn members_of(&self, object: &Object) -> &[Member] {
        self.members.get(object.members.0 as usize..object.members.1 as usize).unwrap_or_default()
    }

    fn object_at(&self, start: usize) -> Option<&Object> {
        let found = self.objects.binary_search_by(|object| (object.start as usize).cmp(&start)).ok()?;
        self.objects.get(found)
    }
}

fn slice(body: &[u8], span: (u32, u32)) -> Option<&[u8]> {
    body.get(span.0 as usize..span.1 as usize)
}

fn name_of<'a>(body: &'a [u8], member: &Member) -> Cow<'a, [u8]> {
    let raw = slice(body, member.name).unwrap_or_default();
    if !member.escaped {
        return Cow::Borrowed(raw);
    }
    let mut name = Vec::with_capacity(raw.len());
    unescape(raw, &mut |bytes| name.extend_from_slice(bytes));
    Cow::Owned(name)
}

/// Offsets fit: `Outline::read` refuses bodies of 4 GiB and more.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a body is shorter than 4 GiB, checked once in `Outline::read`"
)]
fn offset(at: usize) -> u32 {
    at as u32
}

/// The first pass: checks the grammar and writes down objects and members.
struct Scan<'a> {
    body: &'a [u8],
    at: usize,
    depth: usize,
    objects: Vec<Object>,
    members: Vec<Member>,
    /// Members of objects that have not ended yet.
    open: Vec<Member>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn space(&mut self) {
        self.at = after_space(self.body, self.at);
    }

    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        (self.body.get(self.at..end)? == word).then(|| self.at = end)
    }

    fn number(&mut self) -> Option<()> {
        self.at = Number::read(self.body, self.at)?.end;
        Some(())
    }

    fn enter(&mut self) -> Option<()> {
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    fn array(&mut self) -> Option<()> {
        self.take(b'[')?;
        self.enter()?;
        self.space();
        if self.take(b']').is_none() {
            loop {
                self.value()?;
                self.space();
                if self.take(b']').is_some() {
                    break;
                }
                self.take(b',')?;
                self.space();
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn object(&mut self) -> Option<()> {
        let (index, first) = (self.objects.len(), self.open.len());
        self.objects.push(Object { start: offset(self.at), end: 0, members: (0, 0) });
        self.take(b'{')?;
        self.enter()?;
        self.space();
        if self.take(b'}').is_none() {
            loop {
                let member = self.member()?;
                self.open.push(member);
                self.space();
                if self.take(b'}').is_some() {
                    break;
                }
                self.take(b',')?;
                self.space();
            }
        }
        self.depth -= 1;
        self.close(index, first)
    }

    fn member(&mut self) -> Option<Member> {
        let (name, escaped) = self.string()?;
        self.space();
        self.take(b':')?;
        self.space();
        let start = offset(self.at);
        self.value()?;
        Some(Member { name, escaped, value: (start, offset(self.at)) })
    }

    /// Sorts what belongs to the object that ends here, and refuses repeated names.
    fn close(&mut self, index: usize, first: usize) -> Option<()> {
        let body = self.body;
        let own = self.open.get_mut(first..)?;
        if own.iter().any(|member| member.escaped) {
            own.sort_by_cached_key(|member| name_of(body, member));
        } else {
            own.sort_unstable_by_key(|member| slice(body, member.name));
        }
        let repeated = |pair: &[Member]| match pair {
            [one, two] => name_of(body, one) == name_of(body, two),
            _ => false,
        };
        if own.windows(2).any(repeated) {
            return None;
        }
        let start = offset(self.members.len());
        self.members.extend(self.open.drain(first..));
        let object = self.objects.get_mut(index)?;
        object.end = offset(self.at);
        object.members = (start, offset(self.members.len()));
        Some(())
    }

    /// Where the text of a string stands, and whether it contains an escape.
    /// Raw control characters pass: they mean the same as their escapes.
    fn string(&mut self) -> Option<((u32, u32), bool)> {
        self.take(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += memchr2(b'"', b'\\', self.body.get(self.at..)?)?;
            if self.peek()? == b'"' {
                let span = (offset(start), offset(self.at));
                self.at += 1;
                return Some((span, escaped));
            }
            escaped = true;
            self.at += escape(self.body.get(self.at..)?)?.1;
        }
    }
}

/// The second pass: the canonical form. Reads only what the first has checked,
/// so that a `None` here means nothing more than an early end.
struct Walk<'o, 'a, S> {
    outline: &'o Outline<'a>,
    sink: &'o mut S,
}

impl<S: Sink> Walk<'_, '_, S> {
    fn object(&mut self, object: &Object, keep: impl Fn(&[u8]) -> bool) {
        self.sink.write(b"{");
        for member in self.outline.members_of(object) {
            let name = name_of(self.outline.body, member);
            if keep(&name) {
                self.sink.write(&name);
                self.sink.write(&[STRING_END]);
                self.value(member.value.0 as usize);
            }
        }
        self.sink.write(b"}");
    }

    /// Writes the value that starts at `at` and returns where it ends.
    fn value(&mut self, at: usize) -> Option<usize> {
        let body = self.outline.body;
        match body.get(at)? {
            b'{' => {
                let object = self.outline.object_at(at)?;
                self.object(object, |_| true);
                Some(object.end as usize)
            }
            b'[' => self.array(at + 1),
            b'"' => self.string(at + 1),
            b't' => self.word(b"t", at + 4),
            b'f' => self.word(b"f", at + 5),
            b'n' => self.word(b"n", at + 4),
            _ => {
                let number = Number::read(body, at)?;
                number.write(self.sink);
                Some(number.end)
            }
        }
    }

    fn word(&mut self, tag: &[u8], end: usize) -> Option<usize> {
        self.sink.write(tag);
        Some(end)
    }

    fn array(&mut self, at: usize) -> Option<usize> {
        let body = self.outline.body;
        self.sink.write(b"[");
        let mut at = after_space(body, at);
        while *body.get(at)? != b']' {
            at = after_space(body, self.value(at)?);
            if *body.get(at)? == b',' {
                at = after_space(body, at + 1);
            }
        }
        self.sink.write(b"]");
        Some(at + 1)
    }

    fn string(&mut self, start: usize) -> Option<usize> {
        let rest = self.outline.body.get(start..)?;
        let mut end = memchr2(b'"', b'\\', rest)?;
        while *rest.get(end)? == b'\\' {
            end += escape(rest.get(end..)?)?.1;
            end += memchr2(b'"', b'\\', rest.get(end..)?)?;
        }
        self.sink.write(b"\"");
        let sink = &mut *self.sink;
        unescape(rest.get(..end)?, &mut |bytes| sink.write(bytes));
        self.sink.write(&[STRING_END]);
        Some(start + end + 1)
    }
}

fn after_space(body: &[u8], mut at: usize) -> usize {
    while matches!(body.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
