//! Access tokens, resolved: what the hub's own authorization server does, and
//! whose tokens it takes besides.

use super::BaseUrl;
use crate::access::jwt::{Claims, KeySet, Policy};
use crate::access::{AddressRules, Key, KeyHash, ModelFilter};
use crate::limit::Limits;
use crate::types::{KeyId, Party, TenantId, Wall};
use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Keys are fetched again after this long, so that one that was withdrawn is not believed for ever.
const REFRESH: Duration = Duration::from_secs(10 * 60);
/// And not sooner than this, however many tokens name a key that is not known.
const LEAST_PAUSE: Duration = Duration::from_secs(30);
/// After a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(15);
/// Characters of a subject that are shown.
const LONGEST_NAME: usize = 120;

/// The hub's own authorization server.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuth {
    /// Does it answer?
    pub enabled: bool,
    /// What it is called, and where it is; none: as each request names the hub.
    pub issuer: Option<String>,
    /// How long an access token works.
    pub access_token: Duration,
    /// How long a refresh token works that is not used.
    pub refresh_token: Duration,
    /// How long a code waits for its exchange.
    pub code: Duration,
    /// How long a device waits for its user.
    pub device_code: Duration,
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            enabled: true,
            issuer: None,
            access_token: Duration::from_secs(60 * 60),
            refresh_token: Duration::from_secs(30 * 24 * 60 * 60),
            code: Duration::from_secs(60),
            device_code: Duration::from_secs(10 * 60),
        }
    }
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq)]
pub enum KeySource {
    /// In a file, which is read with the configuration.
    File(PathBuf),
    /// Behind a URL, which is fetched now and then.
    Url(BaseUrl),
}

/// Whose money a token spends.
#[derive(Clone, Debug, PartialEq)]
pub enum TenantOf {
    /// Always the same tenant's.
    Fixed(TenantId),
    /// As a claim says: its value is the tenant, or is looked up in the map where there is one.
    Claim(String, BTreeMap<String, TenantId>),
}

/// Somebody whose tokens are taken.
pub struct Issuer {
    /// What its tokens must be.
    pub policy: Policy,
    /// Where its keys are.
    pub source: KeySource,
    /// Its keys as they are now.
    pub keys: Arc<LiveKeys>,
    /// Who pays.
    pub tenant: TenantOf,
    /// The claim that names the caller.
    pub user_claim: String,
    /// The claim that names the program.
    pub app_claim: String,
    /// The claim that holds what the token is for.
    pub scope_claim: String,
    /// What must be in it; none: nothing.
    pub required_scope: Option<String>,
    /// The claim that names models; none: no claim does.
    pub models_claim: Option<String>,
    /// Models that any of its tokens may name; empty = all.
    pub models: Vec<String>,
    /// How much each of its subjects may use.
    pub limits: Limits,
}

/// Why a proven token is still no caller. For the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's claim {0}")]
pub struct Unmapped(pub String);

impl Issuer {
    /// The caller that a proven token makes, and whether it is for calling models.
    ///
    /// # Errors
    /// Which claim is missing or cannot be used.
    pub fn key(&self, claims: &Claims) -> Result<(Key, bool), Unmapped> {
        let fault = |claim: &str, what: &str| Unmapped(format!("{claim:?} {what}"));
        let subject = claims.plain(&self.user_claim).filter(|text| !text.is_empty());
        let subject = subject.ok_or_else(|| fault(&self.user_claim, "is missing"))?;
        let tenant = match &self.tenant {
            TenantOf::Fixed(tenant) => tenant.clone(),
            TenantOf::Claim(claim, map) => {
                let named = claims.plain(claim).ok_or_else(|| fault(claim, "is missing"))?;
                let mapped = map.get(&named).cloned();
                let own = || TenantId::parse(&named).ok().filter(|_| map.is_empty());
                mapped.or_else(own).ok_or_else(|| fault(claim, "names no tenant"))?
            }
        };
        let app = claims.plain(&self.app_claim).map(Arc::from);
        let models = self.models_of(claims)?;
        let required = self.required_scope.as_deref();
        let may_infer = required.is_none_or(|wanted| claims.words(&self.scope_claim).contains(&wanted));
        let id = KeyId::parse(&id_of(&self.policy.issuer, &subject)).map_err(|e| Unmapped(e.to_string()))?;
        let expires_at = claims.seconds("exp").map(|end| {
            let leeway = i64::try_from(self.policy.leeway.as_secs()).unwrap_or(i64::MAX);
            Wall(end.saturating_add(leeway).saturating_mul(1_000_000))
        });
        let key = Key {
            id,
            name: subject.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect::<String>().into(),
            tenant,
            prefix: "".into(),
            hash: KeyHash([0; 32]),
            enabled: true,
            expires_at,
            models,
            addresses: AddressRules::default(),
            party: Arc::new(Party { user: Some(subject.as_str().into()), app, team: None }),
        };
        Ok((key, may_infer))
    }

    /// What the claim names, within what the issuer's tokens may name at all.
    fn models_of(&self, claims: &Claims) -> Result<ModelFilter, Unmapped> {
        let own = || ModelFilter::new(self.models.clone()).unwrap_or_default();
        let Some(claim) = self.models_claim.as_ref().filter(|claim| claims.has(claim)) else {
            return Ok(own());
        };
        let bound = own();
        let named: Vec<String> = claims.words(claim).into_iter().map(str::to_owned).collect();
        let within = |name: &String| bound.allows(name) || self.models.contains(name);
        let kept: Vec<String> = named.into_iter().filter(within).collect();
        if kept.is_empty() {
            return Err(Unmapped(format!("{claim:?} names no model that may be used")));
        }
        ModelFilter::new(kept).map_err(|error| Unmapped(format!("{claim:?}: {error}")))
    }
}

/// A subject's id in books and limits. It tells nobody who it is.
fn id_of(issuer: &str, subject: &str) -> String {
    let digest = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize();
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("jwt_{hex}")
}

/// An issuer's keys as they are now. Requests read them and ask for others; somebody else fetches.
#[derive(Default)]
pub struct LiveKeys {
    keys: ArcSwapOption<KeySet>,
    wanted: AtomicBool,
    /// When to fetch next, and when at the earliest, in microseconds since the epoch.
    due: AtomicI64,
    earliest: AtomicI64,
}

impl LiveKeys {
    /// The keys; none before the first were read.
    pub fn now(&self) -> Option<Arc<KeySet>> {
        self.keys.load_full()
    }

    /// A token names a key that is not among them.
    pub fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Is it time to fetch them? Whoever is told yes does it.
    pub fn is_due(&self, now: Wall) -> bool {
        let wanted = self.wanted.load(Ordering::Relaxed) && now.0 >= self.earliest.load(Ordering::Relaxed);
        let due = now.0 >= self.due.load(Ordering::Relaxed) || wanted;
        if due {
            self.wanted.store(false, Ordering::Relaxed);
            self.due.store(now.after(AFTER_FAILURE).0, Ordering::Relaxed);
        }
        due
    }

    /// These are the keys from now on.
    pub fn take(&self, keys: KeySet, now: Wall) {
        if self.keys.load().as_deref() != Some(&keys) {
            self.keys.store(Some(Arc::new(keys)));
        }
        self.due.store(now.after(REFRESH).0, Ordering::Relaxed);
        self.earliest.store(now.after(LEAST_PAUSE).0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Wall {
        Wall(seconds * 1_000_000)
    }

    fn keys(kid: &str) -> KeySet {
        let text = format!(
            "{{\"keys\":[{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":{kid:?},\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}]}}"
        );
        KeySet::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn keys_are_fetched_when_they_are_old_or_missed_and_never_in_a_row() {
        let live = LiveKeys::default();
        assert!(live.is_due(at(1_000)) && !live.is_due(at(1_000)), "somebody is at it");
        assert!(live.is_due(at(1_015)), "which did not work");
        live.take(keys("a"), at(1_015));
        let first = live.now().unwrap();
        live.want();
        assert!(!live.is_due(at(1_044)) && live.is_due(at(1_045)));
        live.take(keys("a"), at(1_045));
        assert!(Arc::ptr_eq(&first, &live.now().unwrap()), "the same keys change nothing");
        assert!(!live.is_due(at(1_644)) && live.is_due(at(1_645)));
        live.take(keys("b"), at(1_645));
        assert!(!Arc::ptr_eq(&first, &live.now().unwrap()));
    }
}
