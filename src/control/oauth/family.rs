//! One authorisation, and all tokens that came of it. A refresh token is good
//! once; when one comes a second time, somebody has stolen it or its
//! successor, and nobody can tell who, so the whole family ends.

use super::Scopes;
use crate::control::Moment;
use crate::control::hex::as_text;
use crate::types::{KeyId, TenantId, Wall};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Refresh tokens of the past that are remembered; an older one is merely unknown.
const MOST_USED: usize = 64;
/// Access tokens of one family that live at the same time; the oldest gives way.
const MOST_ACCESS: usize = 32;

/// A keyed hash of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(#[serde(with = "as_text")] pub [u8; 32]);

/// What a client may do for a user, or for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Names it in books, limits and the audit log.
    pub id: KeyId,
    /// Id of the client.
    pub client: Arc<str>,
    /// Id of the user; none: the client acts for itself.
    pub user: Option<Arc<str>>,
    /// Who pays; none: who belongs to the hub as a whole.
    pub tenant: Option<TenantId>,
    /// What it was allowed.
    pub scopes: Scopes,
    /// Since when.
    pub since: Moment,
    /// When a token of it was made last.
    pub seen: Moment,
    /// When it ends if no token is made before.
    pub until: Moment,
    /// The refresh token that is good.
    pub refresh: Option<Digest>,
    /// Those that were, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<Digest>,
    /// Access tokens, the newest last.
    pub access: Vec<Access>,
}

/// An access token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// Its hash.
    pub hash: Digest,
    /// When it is over.
    pub until: Moment,
    /// What it is for; never more than its family.
    pub scopes: Scopes,
}

/// What a refresh token turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// The one that is good.
    Current,
    /// One that was used before.
    Used,
    /// None of this family.
    Unknown,
}

impl Family {
    /// Which of its refresh tokens is it?
    pub fn presented(&self, hash: &[u8; 32]) -> Presented {
        if self.refresh.is_some_and(|current| current.0 == *hash) {
            return Presented::Current;
        }
        match self.used.iter().any(|used| used.0 == *hash) {
            true => Presented::Used,
            false => Presented::Unknown,
        }
    }

    /// With another access token. `refresh` takes the place of the refresh token so far.
    #[must_use]
    pub fn with(&self, access: Access, refresh: Option<Digest>, now: Wall, until: Wall) -> Self {
        let mut next = self.clone();
        next.access.retain(|token| token.until.0 > now);
        next.access.push(access);
        drop_oldest(&mut next.access, MOST_ACCESS);
        if let Some(refresh) = refresh {
            next.used.extend(next.refresh.replace(refresh));
            drop_oldest(&mut next.used, MOST_USED);
        }
        next.seen = Moment(now);
        next.until =
            Moment(until).max(next.access.iter().map(|token| token.until).max().unwrap_or(Moment(now)));
        next
    }

    /// Without one of its access tokens.
    #[must_use]
    pub fn without(&self, hash: &[u8; 32]) -> Self {
        let mut next = self.clone();
        next.access.retain(|token| token.hash.0 != *hash);
        next
    }

    /// Is there nothing left that works?
    pub fn is_over(&self, now: Wall) -> bool {
        now >= self.until.0
            || (self.refresh.is_none() && self.access.iter().all(|token| now >= token.until.0))
    }
}

fn drop_oldest<T>(list: &mut Vec<T>, most: usize) {
    let excess = list.len().saturating_sub(most);
    list.drain(..excess);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::control::oauth) fn family(id: &str) -> Family {
        let start = Moment(Wall(0));
        Family {
            id: KeyId::parse(id).unwrap(),
            client: "client_1".into(),
            user: Some("user_1".into()),
            tenant: None,
            scopes: Scopes::parse("inference").unwrap(),
            since: start,
            seen: start,
            until: Moment(Wall(1_000)),
            refresh: Some(Digest([0; 32])),
            used: Vec::new(),
            access: Vec::new(),
        }
    }

    pub(in crate::control::oauth) fn access(n: u8, until: i64) -> Access {
        Access { hash: Digest([n; 32]), until: Moment(Wall(until)), scopes: Scopes::default() }
    }

    #[test]
    fn a_refresh_token_is_good_once_and_then_known_as_used() {
        let first = family("grant_1");
        let second = first.with(access(1, 100), Some(Digest([9; 32])), Wall(10), Wall(2_000));
        assert_eq!(first.presented(&[0; 32]), Presented::Current);
        assert_eq!(second.presented(&[0; 32]), Presented::Used);
        assert_eq!(second.presented(&[9; 32]), Presented::Current);
        assert_eq!(second.presented(&[8; 32]), Presented::Unknown);
        assert_eq!((second.seen.0, second.until.0), (Wall(10), Wall(2_000)));
        let text = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<Family>(&text).unwrap(), second);
    }

    #[test]
    fn a_family_ends_when_nothing_of_it_works() {
        let whole = family("grant_1");
        assert!(!whole.is_over(Wall(999)) && whole.is_over(Wall(1_000)));
        let once = Family { refresh: None, ..whole.with(access(1, 100), None, Wall(0), Wall(0)) };
        assert!(
            !once.is_over(Wall(99)) && once.is_over(Wall(100)) && once.without(&[1; 32]).is_over(Wall(0))
        );
    }

    proptest! {
        /// However often it is refreshed, one token is current, the last ones are known, and nothing grows.
        #[test]
        fn what_is_remembered_is_bounded(turns in 1_u8..200) {
            let mut family = family("grant_1");
            for turn in 1..=turns {
                let now = Wall(i64::from(turn));
                family = family.with(access(turn, i64::from(turn) + 500), Some(Digest([turn; 32])), now, Wall(9_999));
                prop_assert_eq!(family.presented(&[turn; 32]), Presented::Current);
                prop_assert_eq!(family.presented(&[turn - 1; 32]), Presented::Used);
            }
            prop_assert!(family.access.len() <= MOST_ACCESS && family.used.len() <= MOST_USED);
        }
    }
}
