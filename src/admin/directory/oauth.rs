//! Authorisations and their tokens, in memory: written with the rest of a
//! change, and shown to the data plane one token at a time.

use super::{Directory, Draft};
use crate::access::{AddressRules, Key, KeyHash, ModelFilter};
use crate::config::{Outsider, Tokens};
use crate::control::oauth::{Access, Book, Client, Family, Pending, Step, scopes_now};
use crate::control::{Change, Kind, Permission, State, Teams};
use crate::limit::Limits;
use crate::types::{Party, TenantId, Wall};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;

/// So many authorisations that are over go with one change.
const SWEPT_AT_ONCE: usize = 64;

/// See the module.
#[derive(Default)]
pub(in crate::admin) struct Desk {
    book: Mutex<Book>,
    pending: Mutex<Pending>,
    tokens: Arc<Tokens>,
}

impl Desk {
    /// What requests are recognised by.
    pub(super) fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens)
    }

    /// Everything that was allowed. Held for a moment only.
    pub(in crate::admin) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock()
    }

    /// Codes that wait. Held for a moment only.
    pub(in crate::admin) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock()
    }

    /// Begins with what lies on the disk.
    pub(super) fn replace(&self, book: Book, state: &State) {
        let mut held = self.book.lock();
        *held = book;
        self.tokens.clear();
        let teams = Teams::of(state);
        held.families().for_each(|family| self.show(state, &teams, family));
    }

    /// Adds to a change what follows from it: nothing outlives its user or client, and what is over
    /// goes now and then.
    pub(super) fn complete(&self, draft: &mut Draft, now: Wall) {
        let book = self.book.lock();
        let orphaned = book.orphaned(&draft.changes);
        let swept = if draft.oauth.is_empty() { Vec::new() } else { book.over(now, SWEPT_AT_ONCE) };
        drop(book);
        // First, so that a family which is over and goes on is kept.
        draft.oauth.splice(0..0, swept);
        draft.oauth.extend(orphaned);
    }

    /// What is on disk is what everybody sees.
    pub(super) fn enter(&self, steps: Vec<Step>, changes: &[Change], state: &State) {
        let mut book = self.book.lock();
        let teams = Teams::of(state);
        for step in steps {
            let known = match &step {
                Step::Keep(family) | Step::End(family) => book.family(family.id.as_str()).cloned(),
                Step::Consent(_) | Step::Withdraw(..) => None,
            };
            if let Step::Keep(family) = &step {
                self.show(state, &teams, family);
            }
            book.apply(step);
            // After the new ones are there, so that no token is missing for a moment.
            for access in known.iter().flat_map(|family| &family.access) {
                if book.of_token(&access.hash.0).is_none() {
                    self.tokens.remove(&access.hash.0);
                }
            }
        }
        let standing = |change: &Change| {
            matches!(
                change.kind,
                Kind::Tenant | Kind::Team | Kind::User | Kind::App | Kind::Role | Kind::Client
            )
        };
        if changes.iter().any(standing) {
            book.families().for_each(|family| self.show(state, &teams, family));
        }
        drop(book);
        let gone = |id: &str| changes.iter().any(|change| *change.id == *id && change.after.is_none());
        if changes.iter().any(|change| change.after.is_none()) {
            self.pending.lock().forget(&gone);
        }
    }

    /// Shows the data plane what of a family works now.
    fn show(&self, state: &State, teams: &Teams<'_>, family: &Family) {
        for access in &family.access {
            match outsider(state, teams, family, access) {
                Some(outsider) => self.tokens.put(outsider),
                None => self.tokens.remove(&access.hash.0),
            }
        }
    }
}

/// A token as the data plane sees it.
fn outsider(state: &State, teams: &Teams<'_>, family: &Family, access: &Access) -> Option<Outsider> {
    let scopes = scopes_now(state, family, access)?;
    let client = state.find::<Client>(&family.client)?;
    let tenant = match &family.tenant {
        Some(tenant) => tenant.clone(),
        None => TenantId::parse("default").ok()?,
    };
    let team = family.user.as_deref().and_then(|user| teams.only(user)).map(Arc::from);
    let key = Key {
        id: family.id.clone(),
        name: client.name.as_str().into(),
        tenant,
        prefix: "".into(),
        hash: KeyHash(access.hash.0),
        enabled: true,
        expires_at: Some(access.until.0),
        models: ModelFilter::new(scopes.models).ok()?,
        addresses: AddressRules::default(),
        party: Arc::new(Party { user: family.user.clone(), app: Some(Arc::clone(&family.client)), team }),
    };
    Some(Outsider::new(key, Limits::default(), scopes.permissions.has(Permission::Inference)))
}

impl Directory {
    /// An access token that is in force, and what it came of.
    pub(in crate::admin) fn access_token(&self, hash: &[u8; 32]) -> Option<(Arc<Family>, Access)> {
        let family = Arc::clone(self.desk.book().of_token(hash)?);
        let now = self.clock.wall();
        let access =
            family.access.iter().find(|access| access.hash.0 == *hash && access.until.0 > now)?.clone();
        Some((family, access))
    }
}
