//! Every authorisation and every consent, in memory, found by what tokens
//! show. A change is a list of steps, which are written before they are made.

use super::{Family, Scopes};
use crate::control::{Change, Kind, Moment};
use crate::types::Wall;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Keys of the store's rows begin so: `oauth-grant/ID`.
pub const FAMILY_PREFIX: &str = "oauth-grant/";
/// The same for consents: `oauth-consent/USER/CLIENT`.
pub const CONSENT_PREFIX: &str = "oauth-consent/";

/// A user's answer that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consent {
    /// Id of the user.
    pub user: Arc<str>,
    /// Id of the client.
    pub client: Arc<str>,
    /// To what.
    pub scopes: Scopes,
    /// When it was given last.
    pub at: Moment,
}

/// One step of a change.
#[derive(Clone, Debug)]
pub enum Step {
    /// A family begins or goes on.
    Keep(Arc<Family>),
    /// A family ends.
    End(Arc<Family>),
    /// A consent is remembered.
    Consent(Consent),
    /// A consent is withdrawn: user and client.
    Withdraw(Arc<str>, Arc<str>),
}

impl Step {
    /// What the store is told: a row's key, and its value unless the row goes.
    pub fn row(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let family = |family: &Family| format!("{FAMILY_PREFIX}{}", family.id).into_bytes();
        let consent = |user: &str, client: &str| format!("{CONSENT_PREFIX}{user}/{client}").into_bytes();
        match self {
            Self::Keep(kept) => (family(kept), serde_json::to_vec(&**kept).ok()),
            Self::End(ended) => (family(ended), None),
            Self::Consent(given) => (consent(&given.user, &given.client), serde_json::to_vec(given).ok()),
            Self::Withdraw(user, client) => (consent(user, client), None),
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Book {
    families: BTreeMap<Arc<str>, Arc<Family>>,
    /// Families by the hashes of their access tokens.
    tokens: HashMap<[u8; 32], Arc<Family>>,
    consents: BTreeMap<(Arc<str>, Arc<str>), Consent>,
}

impl Book {
    /// Makes a step.
    pub fn apply(&mut self, step: Step) {
        match step {
            Step::Keep(family) => {
                self.forget(&family);
                for access in &family.access {
                    self.tokens.insert(access.hash.0, Arc::clone(&family));
                }
                self.families.insert(Arc::clone(family.id.shared()), family);
            }
            Step::End(family) => self.forget(&family),
            Step::Consent(given) => {
                self.consents.insert((Arc::clone(&given.user), Arc::clone(&given.client)), given);
            }
            Step::Withdraw(user, client) => drop(self.consents.remove(&(user, client))),
        }
    }

    fn forget(&mut self, family: &Family) {
        let Some(known) = self.families.remove(family.id.as_str()) else { return };
        known.access.iter().for_each(|access| drop(self.tokens.remove(&access.hash.0)));
    }

    /// A family by its id.
    pub fn family(&self, id: &str) -> Option<&Arc<Family>> {
        self.families.get(id)
    }

    /// The family that an access token with this hash belongs to.
    pub fn of_token(&self, hash: &[u8; 32]) -> Option<&Arc<Family>> {
        self.tokens.get(hash)
    }

    /// All families, by id.
    pub fn families(&self) -> impl Iterator<Item = &Arc<Family>> {
        self.families.values()
    }

    /// What a user answered to a client.
    pub fn consent(&self, user: &str, client: &str) -> Option<&Consent> {
        self.consents.get(&(user.into(), client.into()))
    }

    /// All answers of a user.
    pub fn consents_of<'b>(&'b self, user: &'b str) -> impl Iterator<Item = &'b Consent> {
        let from = (Arc::<str>::from(user), Arc::<str>::from(""));
        self.consents.range(from..).map(|(_, consent)| consent).take_while(move |one| *one.user == *user)
    }

    /// Ends everything between a user and a client.
    pub fn parting(&self, user: &str, client: &str) -> Vec<Step> {
        let theirs =
            |family: &&Arc<Family>| family.user.as_deref() == Some(user) && *family.client == *client;
        let mut steps: Vec<Step> =
            self.families().filter(theirs).map(|family| Step::End(Arc::clone(family))).collect();
        let consent = self.consent(user, client);
        steps.extend(consent.map(|one| Step::Withdraw(Arc::clone(&one.user), Arc::clone(&one.client))));
        steps
    }

    /// What ends because users or clients are removed.
    pub fn orphaned(&self, changes: &[Change]) -> Vec<Step> {
        let gone = |kind: Kind, id: &str| {
            changes.iter().any(|change| change.kind == kind && *change.id == *id && change.after.is_none())
        };
        if !changes
            .iter()
            .any(|change| matches!(change.kind, Kind::User | Kind::Client) && change.after.is_none())
        {
            return Vec::new();
        }
        let family = |family: &&Arc<Family>| {
            gone(Kind::Client, &family.client)
                || family.user.as_ref().is_some_and(|user| gone(Kind::User, user))
        };
        let consent = |one: &&Consent| gone(Kind::Client, &one.client) || gone(Kind::User, &one.user);
        let families = self.families().filter(family).map(|family| Step::End(Arc::clone(family)));
        let consents = self.consents.values().filter(consent);
        let consents = consents.map(|one| Step::Withdraw(Arc::clone(&one.user), Arc::clone(&one.client)));
        families.chain(consents).collect()
    }

    /// Families that are over, at most so many at once.
    pub fn over(&self, now: Wall, most: usize) -> Vec<Step> {
        let over = self.families().filter(|family| family.is_over(now)).take(most);
        over.map(|family| Step::End(Arc::clone(family))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::family::tests::{access, family};
    use super::*;

    fn kept(book: &mut Book, family: Family) -> Arc<Family> {
        let family = Arc::new(family);
        book.apply(Step::Keep(Arc::clone(&family)));
        family
    }

    fn consent(user: &str, client: &str) -> Consent {
        let scopes = Scopes::parse("inference").unwrap();
        Consent { user: user.into(), client: client.into(), scopes, at: Moment(Wall(0)) }
    }

    #[test]
    fn tokens_are_found_while_their_family_has_them() {
        let mut book = Book::default();
        let first = kept(&mut book, family("a").with(access(1, 100), None, Wall(0), Wall(500)));
        let second = kept(&mut book, first.with(access(2, 300), None, Wall(200), Wall(500)));
        assert!(book.of_token(&[1; 32]).is_none(), "it was over");
        assert_eq!(book.of_token(&[2; 32]), Some(&second));
        book.apply(Step::End(Arc::clone(&second)));
        assert!(book.of_token(&[2; 32]).is_none() && book.family("a").is_none());
        book.apply(Step::End(second));
        assert_eq!(book.families().count(), 0);
    }

    #[test]
    fn who_parts_ends_what_was_between_the_two_and_nothing_else() {
        let mut book = Book::default();
        kept(&mut book, family("a"));
        kept(&mut book, Family { client: "client_2".into(), ..family("b") });
        kept(&mut book, Family { user: None, ..family("c") });
        for (user, client) in [("user_1", "client_1"), ("user_1", "client_2"), ("user_10", "client_1")] {
            book.apply(Step::Consent(consent(user, client)));
        }
        assert_eq!(book.consents_of("user_1").count(), 2);
        for step in book.parting("user_1", "client_1") {
            assert!(step.row().1.is_none());
            book.apply(step);
        }
        let left: Vec<&str> = book.families().map(|family| family.id.as_str()).collect();
        assert_eq!(left, ["b", "c"]);
        assert!(
            book.consent("user_1", "client_1").is_none() && book.consent("user_10", "client_1").is_some()
        );
    }

    #[test]
    fn what_is_over_goes_in_bounded_pieces() {
        let mut book = Book::default();
        for n in 0..5 {
            kept(&mut book, family(&format!("f{n}")));
        }
        assert_eq!(book.over(Wall(999), 9).len(), 0);
        assert_eq!(book.over(Wall(1_000), 3).len(), 3);
    }
}
