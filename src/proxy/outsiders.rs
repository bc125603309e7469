//! Callers that no snapshot lists: those with an access token of the hub, and
//! those with a token of an issuer that the configuration names.

use super::Plane;
use crate::access::jwt::{KeySet, Refusal, Unverified, looks_like_jwt};
use crate::access::{KeyHash, KeyRefusal};
use crate::config::{Caller, Issuer, KeySource, Outsider, Snapshot};
use crate::error::{Failure, Kind, Result};
use crate::types::Wall;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

/// Tokens that were proven and are remembered, so that each is proven once.
const MOST: u64 = 20_000;
/// They are forgotten after this long without a request; longer than any window of a limit.
const IDLE: Duration = Duration::from_secs(600);
/// How long keys may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A token that was proven.
struct Proven {
    issuer: Arc<Issuer>,
    /// The keys that proved it; with others it is proven again.
    keys: Arc<KeySet>,
    outsider: Outsider,
}

/// What is remembered of tokens that others issued.
pub(super) struct Outsiders(Cache<[u8; 32], Arc<Proven>, ahash::RandomState>);

impl Default for Outsiders {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MOST).time_to_idle(IDLE);
        Self(cache.build_with_hasher(ahash::RandomState::new()))
    }
}

fn refused(detail: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Unauthenticated, "Incorrect API key provided").detail(detail)
}

/// The caller who shows this secret, which is none of the snapshot's keys. `hash` is its keyed hash.
///
/// # Errors
/// When it is nobody's, or not for this.
pub(super) fn caller(
    plane: &Plane,
    snapshot: &Snapshot,
    secret: &str,
    hash: &KeyHash,
) -> Result<Arc<Caller>> {
    let now = plane.clock.wall();
    if let Some(token) = snapshot.tokens.find(hash) {
        return seat(snapshot, &token, now);
    }
    if snapshot.issuers.is_empty() || !looks_like_jwt(secret) {
        return Err(refused(&"no such key"));
    }
    let known = plane.outsiders.0.get(&hash.0);
    let proven = match known.filter(|known| is_current(known, snapshot)) {
        Some(known) => known,
        None => {
            let proven = Arc::new(prove(snapshot, secret, now)?);
            plane.outsiders.0.insert(hash.0, Arc::clone(&proven));
            proven
        }
    };
    if snapshot.disabled_tenants.contains(&proven.outsider.key.tenant) {
        return Err(refused(&"the tenant is switched off"));
    }
    seat(snapshot, &proven.outsider, now)
}

fn seat(snapshot: &Snapshot, outsider: &Outsider, now: Wall) -> Result<Arc<Caller>> {
    match outsider.key.usable(now) {
        Ok(()) if outsider.may_infer => Ok(snapshot.seat(outsider)),
        Ok(()) => Err(Failure::new(Kind::InsufficientScope, "This access token is not for calling models")),
        Err(KeyRefusal::Expired) => Err(refused(&format!("token of {} has expired", outsider.key.id))),
        Err(_) => Err(refused(&"disabled")),
    }
}

/// Would it be proven in the same way now?
fn is_current(known: &Proven, snapshot: &Snapshot) -> bool {
    let same_issuer = snapshot.issuers.iter().any(|issuer| Arc::ptr_eq(issuer, &known.issuer));
    same_issuer && known.issuer.keys.now().is_some_and(|keys| Arc::ptr_eq(&keys, &known.keys))
}

fn prove(snapshot: &Snapshot, token: &str, now: Wall) -> Result<Proven> {
    let unverified = Unverified::read(token).map_err(|refusal| refused(&refusal))?;
    let named = unverified.issuer();
    let issuer = snapshot.issuers.iter().find(|issuer| Some(issuer.policy.issuer.as_str()) == named);
    let issuer = issuer.ok_or_else(|| refused(&Refusal::Issuer))?;
    let keys = issuer.keys.now().ok_or_else(|| refused(&"the issuer's keys have not come yet"))?;
    let claims = unverified.verify(&issuer.policy, &keys, now).map_err(|refusal| {
        if refusal == Refusal::UnknownKey {
            issuer.keys.want();
        }
        refused(&refusal)
    })?;
    let (key, may_infer) = issuer.key(&claims).map_err(|unmapped| refused(&unmapped))?;
    let outsider = Outsider::new(key, issuer.limits.clone(), may_infer);
    Ok(Proven { issuer: Arc::clone(issuer), keys, outsider })
}

impl Plane {
    /// Fetches the keys of issuers whose time has come. To be called every second, by one task.
    pub async fn refresh_issuers(&self) {
        let snapshot = self.snapshot.load_full();
        for issuer in &snapshot.issuers {
            let KeySource::Url(base) = &issuer.source else { continue };
            if !issuer.keys.is_due(self.clock.wall()) {
                continue;
            }
            let fetched = tokio::time::timeout(PATIENCE, self.upstreams.fetch(base)).await;
            let fetched =
                fetched.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
            match fetched.and_then(|text| KeySet::parse(&text)) {
                Ok(keys) => issuer.keys.take(keys, self.clock.wall()),
                Err(error) => {
                    let issuer = &*issuer.policy.issuer;
                    tracing::warn!(
                        issuer,
                        error,
                        "an issuer's keys cannot be fetched; those so far stay in use"
                    );
                }
            }
        }
    }
}
