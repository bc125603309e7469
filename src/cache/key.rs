//! What an answer is found by, and whether a request is deterministic enough.

use super::canonical::{Number, Outline, Sink};
use crate::types::{Op, TenantId};
use sha2::{Digest, Sha256};

/// Members of the outermost object that do not change the answer. They name
/// who asks (`user`, `safety_identifier`, `metadata`), or what the vendor does
/// besides answering (`store`, `prompt_cache_key`, `prompt_cache_retention`).
///
/// Everything else is part of the key, also what the hub has never heard of.
/// `stream` is, because streams are replayed as streams; `stream_options`,
/// because `include_usage` and its siblings change the bytes of the stream;
/// `service_tier`, because the answer names the tier; and `model`, because the
/// answer repeats it, also when a rule sends the request to another model.
pub const LEFT_OUT: &[&str] =
    &["user", "safety_identifier", "metadata", "store", "prompt_cache_key", "prompt_cache_retention"];

/// With one of these the answer depends on more than the request says, or the
/// caller expects the model to act anew.
const OUTSIDE: &[&str] =
    &["tools", "functions", "web_search_options", "search_parameters", "plugins", "mcp_servers"];

/// How many bytes are gathered before they are hashed. Longer runs go straight from the body.
const GATHERED_BYTES: usize = 512;

/// SHA-256 of tenant, operation, model and canonical body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CacheKey(pub [u8; 32]);

impl CacheKey {
    /// The key of a request. `model` is the one that will answer.
    ///
    /// Two bodies have one key when they differ only in whitespace, in the
    /// order of members, in how strings are escaped and in how numbers are
    /// written, or in a member of [`LEFT_OUT`]. `None` when the body is no JSON
    /// object, nests deeper than 128, repeats a name within an object, or has a
    /// number that no vendor reads.
    pub fn of(tenant: &TenantId, op: Op, model: &str, body: &[u8]) -> Option<Self> {
        Outline::read(body).map(|outline| Self::hash(tenant, op, model, &outline))
    }

    /// [`cacheable`] and [`CacheKey::of`] with one reading of the body.
    pub fn if_cacheable(tenant: &TenantId, op: Op, model: &str, body: &[u8], explicit: bool) -> Option<Self> {
        let habit = habit(op)?;
        let outline = Outline::read(body)?;
        allowed(habit, &outline, explicit).then(|| Self::hash(tenant, op, model, &outline))
    }

    fn hash(tenant: &TenantId, op: Op, model: &str, outline: &Outline<'_>) -> Self {
        let mut hasher = Hasher { sha: Sha256::new(), gathered: [0; GATHERED_BYTES], length: 0 };
        for part in [tenant.as_str(), op.name(), model] {
            hasher.write(&(part.len() as u64).to_be_bytes());
            hasher.write(part.as_bytes());
        }
        outline.write(LEFT_OUT, &mut hasher);
        Self(hasher.finish())
    }
}

/// Is this request deterministic enough? The table in the module's description
/// is the rule. `explicit`: the key, model, rule or request turned caching on.
pub fn cacheable(op: Op, body: &[u8], explicit: bool) -> bool {
    let Some(habit) = habit(op) else { return false };
    Outline::read(body).is_some_and(|outline| allowed(habit, &outline, explicit))
}

/// How an operation takes to being cached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// The same request has the same answer.
    Repeats,
    /// The model draws its answer, unless told otherwise.
    Draws,
    /// The answer differs each time, though any will do.
    Varies,
}

fn habit(op: Op) -> Option<Habit> {
    match op {
        Op::Embedding | Op::Moderation => Some(Habit::Repeats),
        Op::Chat | Op::Completion => Some(Habit::Draws),
        Op::Speech => Some(Habit::Varies),
        Op::ImageGeneration
        | Op::ImageEdit
        | Op::Transcription
        | Op::Realtime
        | Op::Models
        | Op::Tokenize
        | Op::Video => None,
    }
}

fn allowed(habit: Habit, outline: &Outline<'_>, explicit: bool) -> bool {
    let one = |field| given(outline, field).is_none_or(|value| number(value) == Some(1.0));
    if outline.field("store") == Some(b"true") || !one("n") || !one("best_of") {
        return false;
    }
    match habit {
        Habit::Repeats => true,
        Habit::Varies => explicit,
        Habit::Draws => explicit || (settled(outline) && !looks_outside(outline)),
    }
}

/// Is the answer fixed, by a temperature of zero or by a seed?
fn settled(outline: &Outline<'_>) -> bool {
    let cold = given(outline, "temperature").and_then(number).is_some_and(|heat| heat <= 0.0);
    cold || given(outline, "seed").is_some()
}

/// An empty list of tools is as good as none.
fn looks_outside(outline: &Outline<'_>) -> bool {
    let empty = |value: &[u8]| {
        let inner = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        inner.is_some_and(|inner| inner.trim_ascii().is_empty())
    };
    OUTSIDE.iter().any(|field| given(outline, field).is_some_and(|value| !empty(value)))
}

/// A member that is there and not `null`.
fn given<'a>(outline: &Outline<'a>, field: &str) -> Option<&'a [u8]> {
    outline.field(field).filter(|value| *value != b"null")
}

fn number(value: &[u8]) -> Option<f64> {
    Number::read(value, 0)?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Gathers the many small pieces of a canonical form before hashing them.
struct Hasher {
    sha: Sha256,
    gathered: [u8; GATHERED_BYTES],
    length: usize,
}

impl Sink for Hasher {
    fn write(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() > GATHERED_BYTES {
            self.flush();
        }
        match self.gathered.get_mut(self.length..self.length + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.sha.update(bytes),
        }
    }
}

impl Hasher {
    fn flush(&mut self) {
        self.sha.update(self.gathered.get(..self.length).unwrap_or_default());
        self.length = 0;
    }

    fn finish(mut self) -> [u8; 32] {
        self.flush();
        self.sha.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> Option<CacheKey> {
        let tenant = TenantId::parse("acme").unwrap();
        CacheKey::of(&tenant, Op::Chat, "gpt", body.as_bytes())
    }

    #[test]
    fn tenant_operation_and_model_are_part_of_the_key() {
        let of = |tenant: &str, op, model| {
            CacheKey::of(&TenantId::parse(tenant).unwrap(), op, model, b"{}").unwrap()
        };
        let keys = [
            of("a", Op::Chat, "m"),
            of("b", Op::Chat, "m"),
            of("a", Op::Completion, "m"),
            of("a", Op::Chat, "n"),
            // The parts are length-prefixed: moving a letter over a border changes the key.
            of("ac", Op::Chat, "m"),
            of("a", Op::Chat, "cm"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn what_only_names_the_caller_is_left_out_and_only_at_the_top() {
        let bare = key(r#"{"input":"x"}"#);
        for out in LEFT_OUT {
            assert_eq!(key(&format!(r#"{{"input":"x","{out}":{{"a":[1]}}}}"#)), bare, "{out}");
        }
        assert_eq!(key(r#"{"input":"x","\u0075ser":"me"}"#), bare, "escaped names count too");
        assert_ne!(key(r#"{"input":"x","deep":{"user":"a"}}"#), key(r#"{"input":"x","deep":{"user":"b"}}"#));
    }

    #[test]
    fn what_changes_the_bytes_of_the_answer_is_in_the_key() {
        let bare = key(r#"{"input":"x"}"#);
        for member in [
            r#""stream":true"#,
            r#""stream_options":{"include_usage":true}"#,
            r#""service_tier":"flex""#,
            r#""model":"other""#,
            r#""unknown":0"#,
        ] {
            assert_ne!(key(&format!(r#"{{"input":"x",{member}}}"#)), bare, "{member}");
        }
    }

    #[test]
    fn a_body_that_is_no_sound_object_has_no_key() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(128), "]".repeat(128));
        for bad in
            ["", "[]", "1", "{", "{}x", r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, "{\"a\":1,}", &deep]
        {
            assert_eq!(key(bad), None, "{bad}");
        }
        assert_eq!(CacheKey::of(&TenantId::parse("a").unwrap(), Op::Chat, "m", b"{\"a\":\"\xff\"}"), None);
    }

    const NEVER: (bool, bool) = (false, false);
    const EXPLICIT: (bool, bool) = (false, true);
    const YES: (bool, bool) = (true, true);

    #[test]
    fn the_table_of_what_may_be_cached_holds() {
        let rows: &[(Op, &str, (bool, bool))] = &[
            (Op::Chat, r#"{"temperature":0}"#, YES),
            (Op::Chat, r#"{"temperature":0.0e3}"#, YES),
            (Op::Chat, r#"{"temperature":1,"seed":7}"#, YES),
            (Op::Chat, r#"{"seed":7}"#, YES),
            (Op::Completion, r#"{"temperature":0,"n":1,"best_of":1.0}"#, YES),
            (Op::Chat, r#"{"temperature":0,"tools":[ ],"n":null,"store":false}"#, YES),
            (Op::Embedding, r#"{"input":"x"}"#, YES),
            (Op::Moderation, r#"{"input":"x"}"#, YES),
            (Op::Chat, "{}", EXPLICIT),
            (Op::Chat, r#"{"temperature":null,"seed":null}"#, EXPLICIT),
            (Op::Chat, r#"{"temperature":"0"}"#, EXPLICIT),
            (Op::Chat, r#"{"temperature":0.1}"#, EXPLICIT),
            (Op::Chat, r#"{"temperature":0,"tools":[{}]}"#, EXPLICIT),
            (Op::Chat, r#"{"temperature":0,"web_search_options":{}}"#, EXPLICIT),
            (Op::Speech, r#"{"input":"x"}"#, EXPLICIT),
            (Op::Chat, r#"{"temperature":0,"n":2}"#, NEVER),
            (Op::Chat, r#"{"temperature":0,"n":"1"}"#, NEVER),
            (Op::Completion, r#"{"temperature":0,"best_of":3}"#, NEVER),
            (Op::Embedding, r#"{"store":true}"#, NEVER),
            (Op::Chat, r#"{"temperature":0,"temperature":0}"#, NEVER),
            (Op::Chat, "[]", NEVER),
            (Op::ImageGeneration, "{}", NEVER),
            (Op::Transcription, "{}", NEVER),
            (Op::Models, "{}", NEVER),
        ];
        let tenant = TenantId::parse("a").unwrap();
        for (op, body, wanted) in rows {
            let bytes = body.as_bytes();
            let got = (cacheable(*op, bytes, false), cacheable(*op, bytes, true));
            assert_eq!(got, *wanted, "{op:?} {body}");
            let together = CacheKey::if_cacheable(&tenant, *op, "m", bytes, true);
            let apart = CacheKey::of(&tenant, *op, "m", bytes).filter(|_| wanted.1);
            assert_eq!(together, apart, "{op:?} {body}");
        }
    }
}
