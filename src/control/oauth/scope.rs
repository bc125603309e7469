//! What a token is for, as OAuth writes it: names of permissions, and
//! `model:PATTERN` for each model that may be named.

use crate::access::ModelFilter;
use crate::control::{Permission, PermissionSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What stands in front of a model.
const MODEL: &str = "model:";
/// More words than anybody needs.
const MOST_WORDS: usize = 100;

/// What a token is for. No models at all: every model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scopes {
    /// What it permits.
    pub permissions: PermissionSet,
    /// Names and globs of models.
    pub models: Vec<String>,
}

/// A word that names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope, or there are too many")]
pub struct UnknownScope;

impl Scopes {
    /// Reads words with blanks between them.
    ///
    /// # Errors
    /// [`UnknownScope`] for the first word that names none.
    pub fn parse(text: &str) -> Result<Self, UnknownScope> {
        let mut scopes = Self::default();
        let mut permissions = Vec::new();
        for (index, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            if index >= MOST_WORDS {
                return Err(UnknownScope);
            }
            match word.strip_prefix(MODEL) {
                Some(pattern) if ModelFilter::new(vec![pattern.to_owned()]).is_ok() => {
                    if !scopes.models.iter().any(|known| known == pattern) {
                        scopes.models.push(pattern.to_owned());
                    }
                }
                Some(_) => return Err(UnknownScope),
                None => permissions.push(Permission::parse(word).ok_or(UnknownScope)?),
            }
        }
        scopes.permissions = permissions.into_iter().collect();
        Ok(scopes)
    }

    /// Does it permit nothing?
    pub fn is_empty(&self) -> bool {
        self.permissions == PermissionSet::default()
    }

    /// Is all of it within the other one? Models are compared as they are written.
    pub fn is_within(&self, most: &Self) -> bool {
        let named = !self.models.is_empty() && self.models.iter().all(|model| most.models.contains(model));
        self.permissions.is_within(most.permissions) && (most.models.is_empty() || named)
    }

    /// What somebody gets who asks for this and may have at most that: the models of the other one,
    /// where this names none. `None` when it reaches further.
    pub fn bounded(self, most: &Self) -> Option<Self> {
        let models = if self.models.is_empty() { most.models.clone() } else { self.models };
        let bounded = Self { permissions: self.permissions, models };
        bounded.is_within(most).then_some(bounded)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blank = "";
        for permission in self.permissions.iter() {
            write!(f, "{blank}{permission}")?;
            blank = " ";
        }
        for model in &self.models {
            write!(f, "{blank}{MODEL}{model}")?;
            blank = " ";
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    /// A permission that no longer exists is one that nobody has, and no reason to lose the rest.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = text.split(' ').filter(|word| Self::parse(word).is_ok());
        Ok(Self::parse(&words.collect::<Vec<_>>().join(" ")).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).unwrap()
    }

    #[test]
    fn words_are_read_in_any_order_and_told_in_one() {
        assert_eq!(scopes(" keys:own  inference model:a/* ").to_string(), "inference keys:own model:a/*");
        for bad in ["everything", "inference Inference", "model:", "model:a\"b", "openid"] {
            assert_eq!(Scopes::parse(bad), Err(UnknownScope), "{bad}");
        }
        assert!(scopes("").is_empty() && scopes("model:a").is_empty() && !scopes("inference").is_empty());
        assert_eq!(Scopes::parse(&"inference ".repeat(101)), Err(UnknownScope));
    }

    #[test]
    fn nobody_gets_more_than_there_is_to_have() {
        let most = scopes("inference keys:own model:a model:b");
        assert_eq!(scopes("inference").bounded(&most), Some(scopes("inference model:a model:b")));
        assert_eq!(scopes("inference model:b").bounded(&most), Some(scopes("inference model:b")));
        for more in ["users:read", "inference model:c", "inference model:*"] {
            assert_eq!(scopes(more).bounded(&most), None, "{more}");
        }
        assert_eq!(
            scopes("inference model:x").bounded(&scopes("inference")),
            Some(scopes("inference model:x"))
        );
    }

    proptest! {
        #[test]
        fn what_is_told_is_read_back(words in prop::collection::vec("inference|keys:own|model:[a-z*/]{1,8}", 0..9)) {
            let read = scopes(&words.join(" "));
            prop_assert_eq!(scopes(&read.to_string()), read.clone());
            let kept: Scopes = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            prop_assert_eq!(&kept, &read);
            prop_assert!(read.is_within(&read));
        }
    }
}
