//! Kept bodies on disk: sealed under a key of their tenant, which the vault holds. A tenant's
//! bodies are gone for good when that key is destroyed, whatever the disk still has of them.

use super::{Directory, Draft, Unwritten};
use crate::control::{
    BODY_KEY_PREFIX, BODY_PREFIX, BodyKey, Farewell, KeptBody, RANDOM_BYTES, Sealed, body_of_row,
    body_row_key, fingerprint, from_hex, kept_until, open_body, seal_body, to_hex,
};
use crate::store::ControlRow;
use crate::types::{TenantId, Wall};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Rows that go in one batch.
const TOGETHER: usize = 1_000;

/// Keys that are open, by tenant.
pub(super) type OpenKeys = HashMap<TenantId, Arc<BodyKey>>;

/// Which bodies are to go.
pub(in crate::admin) struct Doomed<'d> {
    /// Of this tenant.
    pub(in crate::admin) tenant: &'d TenantId,
    /// Only this request's.
    pub(in crate::admin) request: Option<&'d str>,
    /// Only those for this user.
    pub(in crate::admin) user: Option<&'d str>,
}

/// What is known of what went.
pub(in crate::admin) struct Gone {
    pub(in crate::admin) rows: u64,
    /// Over all of them.
    pub(in crate::admin) digest: String,
    /// The key that was destroyed, if it was.
    pub(in crate::admin) key: Option<String>,
}

fn key_row(tenant: &TenantId) -> Vec<u8> {
    format!("{BODY_KEY_PREFIX}{}", tenant.as_str()).into_bytes()
}

/// What the vault seals a tenant's key for.
fn key_owner(tenant: &TenantId) -> String {
    format!("{BODY_KEY_PREFIX}{}", tenant.as_str())
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("no randomness: {error}"))?;
    Ok(bytes)
}

impl Directory {
    /// Where bodies are counted that came too fast to be kept. Once.
    pub fn watch_dropped(&self, counter: Arc<AtomicU64>) {
        let _ = self.bodies_dropped.set(counter);
    }

    /// Bodies that came too fast to be kept, since start.
    pub(in crate::admin) fn bodies_dropped(&self) -> u64 {
        self.bodies_dropped.get().map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Keeps bodies, each for its time. Blocks.
    ///
    /// # Errors
    /// There is no master key, or the disk refuses. Nothing is then kept.
    pub fn keep_bodies(&self, bodies: &[(KeptBody, Duration)]) -> Result<(), String> {
        // Nobody destroys a key while something is sealed under it.
        let mut keys = self.body_keys.lock();
        let mut rows: Vec<ControlRow> = Vec::with_capacity(bodies.len());
        for (body, keep) in bodies {
            let key = self.body_key(&mut keys, &body.tenant, true)?.ok_or("has no key")?;
            let value = seal_body(&key, body, body.at.0.after(*keep), random()?);
            rows.push((body_row_key(&body.tenant, &body.id), value));
        }
        self.store.put_control(rows).map_err(|error| error.to_string())
    }

    /// A tenant's key. `make`: also when there is none yet.
    fn body_key(
        &self,
        keys: &mut OpenKeys,
        tenant: &TenantId,
        make: bool,
    ) -> Result<Option<Arc<BodyKey>>, String> {
        if let Some(key) = keys.get(tenant) {
            return Ok(Some(Arc::clone(key)));
        }
        let place = key_row(tenant);
        let mut found = None;
        let each = &mut |key: &[u8], value: &[u8]| {
            if key == place {
                found = serde_json::from_slice::<Sealed>(value).ok();
            }
            ControlFlow::Break(())
        };
        self.archive()?.control(&place, each).map_err(|error| error.to_string())?;
        let key = match found {
            Some(sealed) => {
                let opened = self.vault().open(&key_owner(tenant), &sealed).map_err(|e| e.to_string())?;
                let bytes = from_hex(opened.expose()).and_then(|bytes| bytes.try_into().ok());
                BodyKey::new(bytes.ok_or("the key of a tenant's bodies is damaged")?)
            }
            None if make => {
                let key = BodyKey::new(random()?);
                let secret = zeroize::Zeroizing::new(to_hex(&*key));
                let sealed = self.vault().seal(&key_owner(tenant), &secret, random::<RANDOM_BYTES>()?);
                let sealed = serde_json::to_vec(&sealed.map_err(|error| error.to_string())?);
                let row = (place, Some(sealed.map_err(|error| error.to_string())?));
                self.store.put_control(vec![row]).map_err(|error| error.to_string())?;
                key
            }
            None => return Ok(None),
        };
        let key = Arc::new(key);
        keys.insert(tenant.clone(), Arc::clone(&key));
        Ok(Some(key))
    }

    /// Hands out bodies of a tenant, the oldest first. Those that do not open are left out. Blocks.
    ///
    /// # Errors
    /// When the store or the key cannot be read.
    pub(in crate::admin) fn bodies(
        &self,
        tenant: &TenantId,
        each: &mut dyn FnMut(KeptBody) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let Some(key) = self.body_key(&mut self.body_keys.lock(), tenant, false)? else { return Ok(()) };
        let prefix = body_row_key(tenant, "");
        let now = self.clock.wall();
        let work = &mut |row: &[u8], value: &[u8]| {
            let id = body_of_row(row).map_or("", |(_, id)| id);
            let kept = kept_until(value).is_some_and(|until| until > now);
            match open_body(&key, tenant, id, value).filter(|_| kept) {
                Some(body) => each(body),
                None => ControlFlow::Continue(()),
            }
        };
        self.archive()?.control(&prefix, work).map_err(|error| error.to_string())
    }

    /// Tenants of which bodies are kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(in crate::admin) fn tenants_with_bodies(&self) -> Result<Vec<TenantId>, String> {
        let mut tenants = Vec::new();
        let each = &mut |key: &[u8], _: &[u8]| {
            let name =
                key.strip_prefix(BODY_KEY_PREFIX.as_bytes()).and_then(|name| std::str::from_utf8(name).ok());
            tenants.extend(name.and_then(|name| TenantId::parse(name).ok()));
            ControlFlow::Continue(())
        };
        self.archive()?.control(BODY_KEY_PREFIX.as_bytes(), each).map_err(|error| error.to_string())?;
        Ok(tenants)
    }

    /// Deletes bodies; without request and user the tenant's key goes with them. `about` makes the
    /// audit record of what went, which is written in one batch with the last of them. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub(in crate::admin) fn delete_bodies(
        &self,
        doomed: &Doomed<'_>,
        about: impl FnOnce(&Gone) -> crate::control::Entry,
    ) -> Result<Gone, String> {
        let mut keys = self.body_keys.lock();
        let key = self.body_key(&mut keys, doomed.tenant, false)?;
        let whole = doomed.request.is_none() && doomed.user.is_none();
        let mut farewell = Farewell::default();
        let mut rows: Vec<ControlRow> = Vec::new();
        let prefix = body_row_key(doomed.tenant, doomed.request.unwrap_or_default());
        let work = &mut |row: &[u8], value: &[u8]| {
            let id = body_of_row(row).map_or("", |(_, id)| id);
            let meant = doomed.request.is_none_or(|request| request == id);
            let for_user = doomed.user.is_none_or(|user| {
                let body = key.as_ref().and_then(|key| open_body(key, doomed.tenant, id, value));
                body.is_some_and(|body| body.users.iter().any(|one| one == user))
            });
            if meant && for_user {
                farewell.add(row, value);
                rows.push((row.to_vec(), None));
            }
            ControlFlow::Continue(())
        };
        self.archive()?.control(&prefix, work).map_err(|error| error.to_string())?;
        let destroyed = key.filter(|_| whole).map(|key| fingerprint(&key));
        if destroyed.is_some() {
            rows.push((key_row(doomed.tenant), None));
            keys.remove(doomed.tenant);
        }
        let count = farewell.rows;
        let gone = Gone { rows: count, digest: farewell.digest(), key: destroyed };
        let entry = about(&gone);
        let last = rows.split_off(rows.len().saturating_sub(TOGETHER));
        for some in rows.chunks(TOGETHER) {
            self.store.put_control(some.to_vec()).map_err(|error| error.to_string())?;
        }
        let draft = Draft { rows: last, entries: vec![entry], ..Draft::default() };
        self.change::<(), Unwritten>(|_| Ok(((), draft))).map_err(|error| error.to_string())?;
        Ok(gone)
    }

    /// Deletes bodies whose time is over. Gives how many. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub(super) fn prune_bodies(&self, now: Wall) -> Result<usize, String> {
        let mut rows: Vec<ControlRow> = Vec::new();
        let work = &mut |row: &[u8], value: &[u8]| {
            if kept_until(value).is_none_or(|until| until <= now) {
                rows.push((row.to_vec(), None));
            }
            ControlFlow::Continue(())
        };
        self.archive()?.control(BODY_PREFIX.as_bytes(), work).map_err(|error| error.to_string())?;
        for some in rows.chunks(TOGETHER) {
            self.store.put_control(some.to_vec()).map_err(|error| error.to_string())?;
        }
        Ok(rows.len())
    }

    /// Keys of bodies under the master key in use: rows to write, and how many.
    ///
    /// # Errors
    /// One cannot be opened.
    pub(in crate::admin) fn rewrapped_body_keys(&self) -> Result<Vec<ControlRow>, String> {
        let vault = self.vault();
        let mut rows = Vec::new();
        for tenant in self.tenants_with_bodies()? {
            let place = key_row(&tenant);
            let mut found = None;
            let each = &mut |key: &[u8], value: &[u8]| {
                if key == place {
                    found = serde_json::from_slice::<Sealed>(value).ok();
                }
                ControlFlow::Break(())
            };
            self.archive()?.control(&place, each).map_err(|error| error.to_string())?;
            let Some(sealed) = found else { continue };
            let again = vault.rewrap(&key_owner(&tenant), &sealed, random()?);
            let again = again.map_err(|error| format!("{}: {error}", key_owner(&tenant)))?;
            if let Some(sealed) = again {
                rows.push((place, serde_json::to_vec(&sealed).ok()));
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Moment, Vault};
    use crate::store::{Options, Store};
    use crate::types::{Clock, Secret};

    fn directory(folder: &std::path::Path) -> Directory {
        let options = Options {
            queue: 64,
            flush_interval: Duration::from_millis(1),
            flush_entries: 1,
            cache_bytes: 1 << 20,
        };
        let clock = Clock::test();
        let store = Store::open(folder, options, clock.clone(), Box::new(|_, _| ())).unwrap();
        Directory::open(store, clock, folder).unwrap()
    }

    fn body(hub: &Directory, id: &str) -> KeptBody {
        KeptBody {
            id: id.into(),
            tenant: TenantId::parse("acme").unwrap(),
            at: Moment(hub.clock.wall()),
            key: "k".into(),
            users: vec!["ann".into()],
            model: "m".into(),
            status: 200,
            request: "words".into(),
            request_cut: false,
            response: String::new(),
            response_cut: false,
        }
    }

    fn ids(hub: &Directory) -> Vec<String> {
        let mut ids = Vec::new();
        let each = &mut |body: KeptBody| {
            ids.push(body.id);
            ControlFlow::Continue(())
        };
        hub.bodies(&TenantId::parse("acme").unwrap(), each).unwrap();
        ids
    }

    #[test]
    fn bodies_go_when_their_time_is_over_and_move_under_a_new_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let hub = directory(folder.path());
        let day = Duration::from_secs(86_400);
        let first = body(&hub, "01");
        assert!(hub.keep_bodies(&[(first.clone(), day)]).unwrap_err().contains("master key"));
        let masters = |bytes: &[u8]| {
            let keys: Vec<Secret> = bytes.iter().map(|n| Secret::new(to_hex(&[*n; 32]))).collect();
            Vault::new(&keys).unwrap()
        };
        hub.set_vault(masters(&[1]));
        hub.keep_bodies(&[(first, day), (body(&hub, "02"), day * 2)]).unwrap();
        assert_eq!(ids(&hub), ["01", "02"]);
        hub.clock.advance(day);
        assert_eq!(ids(&hub), ["02"], "what is over is not shown, also before it is pruned");
        assert_eq!(hub.prune_bodies(hub.clock.wall()), Ok(1));
        assert_eq!(hub.prune_bodies(hub.clock.wall()), Ok(0));
        hub.set_vault(masters(&[2, 1]));
        let rows = hub.rewrapped_body_keys().unwrap();
        assert_eq!(rows.len(), 1);
        hub.store.put_control(rows).unwrap();
        assert!(hub.rewrapped_body_keys().unwrap().is_empty());
        hub.set_vault(masters(&[2]));
        hub.body_keys.lock().clear();
        assert_eq!(ids(&hub), ["02"]);
    }
}
