//! Who acts, and how far they may go.

use super::oauth::{Access, Client, Family, Scopes, client_permissions, scopes_now};
use super::{
    App, Body, BuiltIn, Fault, Key, Owner, OwnerKind, Permission, PermissionSet, Private, Reach, Record,
    Role, State, User,
};
use crate::types::TenantId;
use std::sync::Arc;

/// Who is behind a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Actor {
    /// Who holds the token in the data folder: the machine's own operator.
    Operator,
    /// A user with a session.
    User(Arc<str>),
    /// A key, and whose it is.
    Key {
        /// The key.
        id: Arc<str>,
        /// Its owner.
        owner: Option<Owner>,
    },
    /// A program with an access token, and whom it acts for.
    Token {
        /// The authorisation that the token came of.
        id: Arc<str>,
        /// Who gave it; none: the program acts for itself.
        owner: Option<Owner>,
    },
    /// Nobody that is known.
    Nobody,
}

/// Who acts, with everything that bounds them.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Who.
    pub actor: Actor,
    /// Name or address, for the audit log.
    pub name: Arc<str>,
    /// Where they belong; `None`: to the hub as a whole.
    pub tenant: Option<TenantId>,
    /// What they may do there.
    pub permissions: PermissionSet,
    /// The key they act by: what they make may not reach further.
    pub key: Option<Arc<Record>>,
}

impl Principal {
    /// The machine's operator.
    pub fn operator() -> Self {
        Self {
            actor: Actor::Operator,
            name: "operator".into(),
            tenant: None,
            permissions: BuiltIn::Owner.permissions(),
            key: None,
        }
    }

    /// Somebody unknown, who may do nothing.
    pub fn nobody() -> Self {
        let permissions = PermissionSet::default();
        Self { actor: Actor::Nobody, name: "nobody".into(), tenant: None, permissions, key: None }
    }

    /// Somebody who signed in. `None` when they, their tenant or their role are gone or switched off.
    pub fn user(state: &State, id: &str) -> Option<Self> {
        let record = state.get(super::Kind::User, id)?;
        let user = record.is::<User>()?;
        let tenant_on = record.tenant.as_ref().is_none_or(|tenant| state.tenant_enabled(tenant));
        if !user.enabled.0 || !tenant_on {
            return None;
        }
        Some(Self {
            actor: Actor::User(Arc::clone(&record.id)),
            name: user.email.as_str().into(),
            tenant: record.tenant.clone(),
            permissions: role_permissions(state, &user.role, record.tenant.as_ref())?,
            key: None,
        })
    }

    /// Who presents a key. Whether the key itself is good is decided elsewhere.
    pub fn key(state: &State, record: &Arc<Record>) -> Option<Self> {
        let key = record.is::<Key>()?;
        Some(Self {
            actor: Actor::Key { id: Arc::clone(&record.id), owner: key.owner.clone() },
            name: key.name.as_str().into(),
            tenant: record.tenant.clone(),
            permissions: key_permissions(state, record)?,
            key: Some(Arc::clone(record)),
        })
    }

    /// Who presents an access token, for what the token itself is good for. `None` when its user,
    /// its client or their tenant is gone or switched off.
    pub fn token(state: &State, family: &Family, access: &Access) -> Option<Self> {
        let Scopes { permissions, models } = scopes_now(state, family, access)?;
        let client = state.find::<Client>(&family.client)?;
        let id = Arc::clone(family.id.shared());
        let owner = family.user.as_ref().map(|id| Owner { kind: OwnerKind::User, id: id.to_string() });
        // Keys that are made with it reach no further than itself, to its models too.
        let bound = Key { models, ..Key::default() };
        let bound =
            Record::new(&id, family.tenant.clone(), Body::Key(bound), Private::Nothing, family.since.0);
        Some(Self {
            actor: Actor::Token { id, owner },
            name: client.name.as_str().into(),
            tenant: family.tenant.clone(),
            permissions,
            key: Some(Arc::new(bound)),
        })
    }

    /// May they do this to something of this tenant (`None`: of the hub itself)?
    pub fn may(&self, permission: Permission, of: Option<&TenantId>) -> bool {
        self.permissions.has(permission) && self.reaches(of)
    }

    /// Is it within their sight at all?
    pub fn reaches(&self, of: Option<&TenantId>) -> bool {
        self.tenant.is_none() || self.tenant.as_ref() == of
    }

    /// Is it their own?
    pub fn owns(&self, owner: Option<&Owner>) -> bool {
        let Some(owner) = owner else { return false };
        match &self.actor {
            Actor::User(id) => owner.kind == OwnerKind::User && owner.id == **id,
            Actor::Key { owner: own, .. } | Actor::Token { owner: own, .. } => own.as_ref() == Some(owner),
            Actor::Operator | Actor::Nobody => false,
        }
    }

    /// Who their own things belong to.
    pub fn as_owner(&self) -> Option<Owner> {
        match &self.actor {
            Actor::User(id) => Some(Owner { kind: OwnerKind::User, id: id.to_string() }),
            Actor::Key { owner, .. } | Actor::Token { owner, .. } => owner.clone(),
            Actor::Operator | Actor::Nobody => None,
        }
    }
}

/// What a role allows to who belongs to `tenant`. `None` when there is no such role there.
pub fn role_permissions(state: &State, role: &str, tenant: Option<&TenantId>) -> Option<PermissionSet> {
    let all = match BuiltIn::parse(role) {
        Some(built_in) => built_in.permissions(),
        None => {
            let record = state.get(super::Kind::Role, role)?;
            // A role of the hub serves everybody, one of a tenant only its own people.
            if record.tenant.is_some() && record.tenant.as_ref() != tenant {
                return None;
            }
            record.is::<Role>()?.permissions.iter().copied().collect()
        }
    };
    Some(if tenant.is_some() { all.of_a_tenant() } else { all })
}

/// The team that an app works for: that of its project.
pub(super) fn project_team<'s>(state: &'s State, app: &App) -> Option<&'s str> {
    state.find::<super::Project>(app.project.as_ref()?)?.team.as_deref()
}

/// What a key may do: what it is for, and never more than its owner. `None` when the owner or
/// the tenant is gone or switched off.
pub fn key_permissions(state: &State, record: &Record) -> Option<PermissionSet> {
    let key = record.is::<Key>()?;
    if record.tenant.as_ref().is_some_and(|tenant| !state.tenant_enabled(tenant)) {
        return None;
    }
    let wanted: PermissionSet = match key.scopes.is_empty() {
        true => [Permission::Inference].into_iter().collect(),
        false => key.scopes.iter().copied().collect(),
    };
    let most = match &key.owner {
        None => [Permission::Inference].into_iter().collect(),
        Some(Owner { kind: OwnerKind::User, id }) => Principal::user(state, id)?.permissions,
        Some(Owner { kind: OwnerKind::App, id }) => {
            let owner = state.get(super::Kind::App, id)?;
            let app = owner.is::<App>().filter(|app| app.enabled.0)?;
            role_permissions(state, &app.role, owner.tenant.as_ref())?
        }
    };
    let most = if record.tenant.is_some() { most.of_a_tenant() } else { most };
    Some(wanted.and(most))
}

/// What a record would hand out that its maker does not have. `before` is what it replaces:
/// nobody changes what reaches further than they do.
pub fn faults_of_grant(
    state: &State,
    maker: &Principal,
    before: Option<&Record>,
    after: Option<&Record>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (record, is_new) in
        [(before, false), (after, true)].into_iter().filter_map(|(r, new)| Some((r?, new)))
    {
        let (field, granted) = match is_new {
            true => granted(state, record),
            // What a key could do if its owner could, nobody has: it may be taken away by who owns it.
            false if record.key_secret().is_some() => {
                ("scopes", key_permissions(state, record).unwrap_or_default())
            }
            false => granted(state, record),
        };
        let excess = granted.without(maker.permissions);
        if excess != PermissionSet::default() {
            let names: Vec<&str> = excess.iter().map(|permission| permission.name()).collect();
            let text = match is_new {
                true => format!("would allow more than you may: {}", names.join(", ")),
                false => format!("reaches further than you do: {}", names.join(", ")),
            };
            faults.push(Fault::new(field, text));
        }
    }
    if let (Some(own), Some(after)) = (&maker.key, after)
        && let (Some(own_key), Some(key)) = (own.is::<Key>(), after.is::<Key>())
    {
        faults.extend(wider(own_key, key));
    }
    faults
}

/// The field that grants, and what.
fn granted(state: &State, record: &Record) -> (&'static str, PermissionSet) {
    match &record.body {
        Body::User(User { role, .. }) | Body::App(App { role, .. }) => {
            ("role", role_permissions(state, role, record.tenant.as_ref()).unwrap_or_default())
        }
        Body::Client(client) if client.app.is_some() => {
            ("app", client_permissions(state, record).unwrap_or_default())
        }
        Body::Role(role) => ("permissions", role.permissions.iter().copied().collect()),
        Body::Key(key) => {
            let wanted: PermissionSet = key.scopes.iter().copied().collect();
            (
                "scopes",
                if wanted == PermissionSet::default() {
                    [Permission::Inference].into_iter().collect()
                } else {
                    wanted
                },
            )
        }
        _ => ("", PermissionSet::default()),
    }
}

/// Where `key` reaches further than `own`, the key that makes it.
fn wider(own: &Key, key: &Key) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault =
        |field: &str| faults.push(Fault::new(field, "reaches further than the key that makes it"));
    for (field, bound, wanted) in [("models", &own.models, &key.models), ("allow", &own.allow, &key.allow)] {
        let inside = !wanted.is_empty() && wanted.iter().all(|entry| bound.contains(entry));
        if !bound.is_empty() && !inside {
            fault(field);
        }
    }
    if !own.deny.iter().all(|entry| key.deny.contains(entry)) {
        fault("deny");
    }
    if own.expires_at.is_some_and(|end| key.expires_at.is_none_or(|at| at > end)) {
        fault("expires_at");
    }
    let counts = [
        ("requests_per_minute", own.requests_per_minute, key.requests_per_minute),
        ("tokens_per_minute", own.tokens_per_minute, key.tokens_per_minute),
        ("concurrency", own.concurrency.map(u64::from), key.concurrency.map(u64::from)),
        ("day_tokens", own.day_tokens, key.day_tokens),
        ("month_tokens", own.month_tokens, key.month_tokens),
    ];
    for (field, bound, wanted) in counts {
        if bound.is_some_and(|most| wanted.is_none_or(|n| n > most)) {
            fault(field);
        }
    }
    for (field, bound, wanted) in
        [("day_cost", own.day_cost, key.day_cost), ("month_cost", own.month_cost, key.month_cost)]
    {
        if bound.is_some_and(|most| wanted.is_none_or(|n| n > most)) {
            fault(field);
        }
    }
    faults
}

/// Does a permission make sense for who belongs to a tenant?
pub(super) fn fits(permission: Permission, tenant: Option<&TenantId>) -> bool {
    tenant.is_none() || permission.row().reach == Reach::Tenant
}
