//! Names and ids. Cheap to clone; parsed once at the edge.

use std::fmt;
use std::sync::Arc;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {max} characters of {allowed}, got {got:?}")]
pub struct InvalidName {
    what: &'static str,
    max: usize,
    allowed: &'static str,
    got: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $allowed:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and alphabet.
            ///
            /// # Errors
            /// [`InvalidName`] says what was expected.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let ok: fn(char) -> bool = $ok;
                if !text.is_empty() && text.len() <= $max && text.chars().all(ok) {
                    return Ok(Self(text.into()));
                }
                let got = text.chars().take(80).collect();
                Err(InvalidName { what: $what, max: $max, allowed: $allowed, got })
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The shared text itself; cloning it copies a pointer.
            pub fn shared(&self) -> &Arc<str> {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

name!(
    /// Who pays.
    TenantId, "tenant", 64, "letters, digits, '-', '_', '.'", plain
);
name!(
    /// An API key's id. Public; never the secret.
    KeyId, "key id", 64, "letters, digits, '-', '_', '.'", plain
);
name!(
    /// A configured vendor.
    ProviderName, "provider name", 64, "letters, digits, '-', '_', '.'", plain
);
name!(
    /// One secret of a provider: `provider/name`.
    CredentialId, "credential id", 129, "letters, digits, '-', '_', '.', '/'",
    |c| plain(c) || c == '/'
);
name!(
    /// What a caller writes in `model`: an alias, a group, or `provider/model`.
    ModelName, "model", 256, "visible characters without quotes and backslashes",
    |c| !c.is_control() && !c.is_whitespace() && c != '"' && c != '\\'
);

/// One request through the hub: a UUID of version 7, so ids sort by time. As
/// text it is 32 hexadecimal digits everywhere, so that one search finds it in
/// header, log and books; the form with hyphens is read too. The journal has
/// its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub uuid::Uuid);

impl RequestId {
    /// A fresh id.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

impl serde::Serialize for RequestId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        self.0.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for RequestId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Reads every form that a UUID has.
        uuid::Uuid::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_spelled_one_way_and_read_in_both() {
        let id = RequestId::generate();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, format!("\"{id}\""));
        let hyphenated = format!("\"{}\"", id.0.hyphenated());
        for spelling in [text, hyphenated] {
            assert_eq!(serde_json::from_str::<RequestId>(&spelling).unwrap(), id);
        }
    }

    #[test]
    fn a_request_id_in_the_journal_is_that_of_a_plain_uuid() {
        let id = RequestId::generate();
        let bytes = postcard::to_allocvec(&id).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&id.0).unwrap());
        assert_eq!(postcard::from_bytes::<RequestId>(&bytes).unwrap(), id);
    }

    #[test]
    fn names_refuse_what_would_break_a_header_a_log_or_a_label() {
        for bad in ["", "a b", "a\nb", "a\"b", "\u{7f}"] {
            assert!(ModelName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ModelName::parse("openrouter/meta-llama/llama-3:free").is_ok());
        assert!(KeyId::parse(&"k".repeat(65)).is_err());
    }
}
