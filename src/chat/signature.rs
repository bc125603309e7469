//! Signatures a vendor wants back, and how they ride through dialects that
//! have no place for them.
//!
//! Clients of OpenAI's dialect return of a tool call its id, name and
//! arguments, and nothing else; so a signature rides in the id, as
//! `<id>~sig_<origin>_<base64url>`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest id of a tool call that the hub gives to a caller. A signature that
/// does not fit is left out; its vendor then has to do without it.
pub const MAX_CALL_ID_BYTES: usize = 16 * 1024;

const MARK: &str = "~sig_";

/// Who made a signature or an opaque text. It means something to them only,
/// and others refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Claude, wherever it runs (also on Bedrock).
    Anthropic,
    /// Gemini, wherever it runs.
    Gemini,
    /// OpenAI's encrypted reasoning.
    OpenAi,
    /// Anyone else.
    Other,
}

const LETTERS: [(Origin, char); 4] =
    [(Origin::Anthropic, 'a'), (Origin::Gemini, 'g'), (Origin::OpenAi, 'o'), (Origin::Other, 'x')];

/// A text that its vendor wants back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whose it is.
    pub origin: Origin,
    /// The vendor's opaque text.
    pub text: String,
}

impl Signature {
    /// A signature.
    pub fn new(origin: Origin, text: impl Into<String>) -> Self {
        Self { origin, text: text.into() }
    }

    /// The text, if it is of this origin.
    pub fn of(&self, origin: Origin) -> Option<&str> {
        (self.origin == origin).then_some(self.text.as_str())
    }

    /// The signature as one text for a field of the dialect whose own origin
    /// is `native`: that one's text stays as it is, others carry a mark.
    pub fn to_field(&self, native: Origin) -> String {
        if self.origin == native { self.text.clone() } else { format!("{MARK}{}", self.marked()) }
    }

    /// Reads what [`Signature::to_field`] wrote.
    pub fn from_field(text: String, native: Origin) -> Self {
        match text.strip_prefix(MARK).and_then(Self::from_marked) {
            Some(signature) => signature,
            None => Self { origin: native, text },
        }
    }

    fn marked(&self) -> String {
        let letter =
            LETTERS.iter().find(|(origin, _)| *origin == self.origin).map_or('x', |(_, letter)| *letter);
        format!("{letter}_{}", URL_SAFE_NO_PAD.encode(&self.text))
    }

    fn from_marked(text: &str) -> Option<Self> {
        let mut rest = text.chars();
        let letter = rest.next()?;
        let (origin, _) = LETTERS.iter().find(|(_, known)| *known == letter)?;
        let bytes = URL_SAFE_NO_PAD.decode(rest.as_str().strip_prefix('_')?).ok()?;
        Some(Self { origin: *origin, text: String::from_utf8(bytes).ok()? })
    }
}

/// The id of a call with its signature in it. Without one, or if the id would
/// be longer than [`MAX_CALL_ID_BYTES`], it is the id alone.
pub fn sign_call_id(id: &str, signature: Option<&Signature>) -> String {
    let signed = signature.map(|signature| format!("{id}{MARK}{}", signature.marked()));
    signed.filter(|signed| signed.len() <= MAX_CALL_ID_BYTES).unwrap_or_else(|| id.to_owned())
}

/// The id as the vendor gave it, and the signature that rode in it.
pub fn split_call_id(id: String) -> (String, Option<Signature>) {
    let found = id.rfind(MARK).and_then(|at| {
        let signature = Signature::from_marked(id.get(at + MARK.len()..)?)?;
        Some((at, signature))
    });
    match found {
        Some((at, signature)) => (id.get(..at).unwrap_or_default().to_owned(), Some(signature)),
        None => (id, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_that_only_looks_signed_stays_as_it_is() {
        for id in ["call_1", "a~sig_", "a~sig_g", "a~sig_g_!", "a~sig_q_aGk", "a~sig_é_"] {
            assert_eq!(split_call_id(id.to_owned()), (id.to_owned(), None));
        }
    }

    #[test]
    fn a_signature_that_is_too_long_is_left_out() {
        let signature = Signature::new(Origin::Gemini, "s".repeat(MAX_CALL_ID_BYTES));
        assert_eq!(sign_call_id("call_1", Some(&signature)), "call_1");
    }

    #[test]
    fn a_foreign_signature_is_marked_and_an_own_one_is_not() {
        let signature = Signature::new(Origin::Gemini, "abc");
        assert_eq!(signature.to_field(Origin::Gemini), "abc");
        let field = signature.to_field(Origin::Anthropic);
        assert_ne!(field, "abc");
        assert_eq!(Signature::from_field(field, Origin::Anthropic), signature);
    }

    proptest! {
        #[test]
        fn a_signed_id_splits_into_what_it_was_made_of(id in "[a-zA-Z0-9_~]{1,40}", text in ".{0,80}", at in 0..4_usize) {
            let signature = Signature::new(LETTERS[at].0, text);
            let signed = sign_call_id(&id, Some(&signature));
            prop_assert_eq!(split_call_id(signed), (id, Some(signature)));
        }

        #[test]
        fn any_id_is_split_without_a_panic(id in ".{0,60}") {
            _ = split_call_id(id);
        }
    }
}
