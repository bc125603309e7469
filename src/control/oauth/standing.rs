//! What a token is good for at this moment: what it was made for, and never
//! more than its user and its client may now.

use super::{Access, Client, Family, Scopes};
use crate::control::{App, Permission, PermissionSet, Principal, Record, State, role_permissions};

/// What a client may do for itself. `None` when it, its tenant or its app is gone or switched off.
pub fn client_permissions(state: &State, record: &Record) -> Option<PermissionSet> {
    let client = record.is::<Client>().filter(|client| client.enabled.0)?;
    if record.tenant.as_ref().is_some_and(|tenant| !state.tenant_enabled(tenant)) {
        return None;
    }
    let own = match &client.app {
        None => [Permission::Inference].into_iter().collect(),
        Some(id) => {
            let held = state.get(crate::control::Kind::App, id)?;
            let app = held.is::<App>().filter(|app| app.enabled.0)?;
            role_permissions(state, &app.role, held.tenant.as_ref())?
        }
    };
    let own = if record.tenant.is_some() { own.of_a_tenant() } else { own };
    Some(own.and(client.most().permissions))
}

/// What a family's tokens may do now at most. `None`: nothing, whatever they are for.
pub fn standing(state: &State, family: &Family) -> Option<PermissionSet> {
    let record = state.get(crate::control::Kind::Client, &family.client)?;
    let Some(user) = &family.user else {
        return client_permissions(state, record).map(|own| own.and(family.scopes.permissions));
    };
    let client = record.is::<Client>().filter(|client| client.enabled.0)?;
    if record.tenant.as_ref().is_some_and(|tenant| !state.tenant_enabled(tenant)) {
        return None;
    }
    let user = Principal::user(state, user)?;
    Some(user.permissions.and(client.most().permissions).and(family.scopes.permissions))
}

/// What one of its tokens is good for now. `None`: nothing.
pub fn scopes_now(state: &State, family: &Family, access: &Access) -> Option<Scopes> {
    let permissions = standing(state, family)?.and(access.scopes.permissions);
    let most = &state.find::<Client>(&family.client)?.models;
    let models = match (most.is_empty(), access.scopes.models.is_empty()) {
        (true, _) => access.scopes.models.clone(),
        (false, true) => most.clone(),
        // Those that the client has lost meanwhile are gone; without any left, no model is.
        (false, false) => {
            let kept: Vec<String> =
                access.scopes.models.iter().filter(|model| most.contains(model)).cloned().collect();
            (!kept.is_empty()).then_some(kept)?
        }
    };
    Some(Scopes { permissions, models })
}
