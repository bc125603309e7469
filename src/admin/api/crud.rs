//! What is the same for every kind: list, read, make, change, remove.

use super::call::{Call, Reply, tenant_of, typed};
use super::file::of_the_file;
use super::problem::Problem;
use crate::admin::directory::Draft;
use crate::control::oauth::Client;
use crate::control::{
    AddressRule, Body, Change, Credential, Key, Kind, Permission, Private, Project, Proofs, Record, Resource,
    State, Team, User, address_table,
};
use crate::types::TenantId;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Things on a page, unless somebody asks for fewer or more.
const PAGE: usize = 50;
const LARGEST_PAGE: usize = 500;
/// What a list is asked by, besides the fields of its kind.
pub const LIST_QUERY: &[&str] = &["limit", "after", "q", "force"];

/// What it takes to see things of a kind.
pub fn to_read(kind: Kind) -> Permission {
    match kind {
        Kind::Tenant => Permission::TenantsRead,
        Kind::Team | Kind::Project => Permission::TeamsRead,
        Kind::User => Permission::UsersRead,
        Kind::App => Permission::AppsRead,
        Kind::Role => Permission::RolesRead,
        Kind::Key => Permission::KeysRead,
        Kind::Provider | Kind::Credential => Permission::ProvidersRead,
        Kind::Model => Permission::ModelsRead,
        Kind::AddressRule => Permission::AddressesRead,
        Kind::Account | Kind::Payment | Kind::Allowance => Permission::BillingRead,
        Kind::Code => Permission::BillingManage,
        Kind::Webhook => Permission::WebhooksRead,
        Kind::Quota => Permission::QuotasRead,
        Kind::Client => Permission::ClientsRead,
        Kind::BodyPolicy => Permission::BodyPoliciesRead,
        Kind::Price => Permission::PricesRead,
    }
}

/// What it takes to change things of a kind.
pub fn to_write(kind: Kind) -> Permission {
    match kind {
        Kind::Tenant => Permission::TenantsWrite,
        Kind::Team | Kind::Project => Permission::TeamsWrite,
        Kind::User => Permission::UsersWrite,
        Kind::App => Permission::AppsWrite,
        Kind::Role => Permission::RolesWrite,
        Kind::Key => Permission::KeysWrite,
        Kind::Provider | Kind::Credential => Permission::ProvidersWrite,
        Kind::Model => Permission::ModelsWrite,
        Kind::AddressRule => Permission::AddressesWrite,
        Kind::Account => Permission::BillingBuy,
        Kind::Payment | Kind::Allowance | Kind::Code => Permission::BillingManage,
        Kind::Webhook => Permission::WebhooksWrite,
        Kind::Quota => Permission::QuotasWrite,
        Kind::Client => Permission::ClientsWrite,
        Kind::BodyPolicy => Permission::BodyPoliciesWrite,
        Kind::Price => Permission::PricesWrite,
    }
}

/// May who asks see it?
pub fn sees(call: &Call<'_>, record: &Record) -> bool {
    let kind = record.body.kind();
    let reaches = match kind {
        // Everybody may know which models there are, and the roles that serve everybody.
        Kind::Model => true,
        Kind::Role if record.tenant.is_none() => true,
        _ => call.principal.reaches(tenant_of(record).as_ref()),
    };
    let permitted = call.principal.permissions.has(to_read(kind));
    let own = kind == Kind::Key && call.principal.permissions.has(Permission::KeysOwn) && owned(call, record);
    reaches && (permitted || own)
}

/// May who asks change it?
fn changes(call: &Call<'_>, record: &Record) -> bool {
    let kind = record.body.kind();
    let tenant = tenant_of(record);
    let own = kind == Kind::Key && call.may(Permission::KeysOwn, tenant.as_ref()) && owned(call, record);
    call.may(to_write(kind), tenant.as_ref()) || own
}

fn owned(call: &Call<'_>, record: &Record) -> bool {
    record.is::<Key>().is_some_and(|key| call.principal.owns(key.owner.as_ref()))
}

/// The thing that the path names, if who asks may see it.
pub fn named<'s>(call: &Call<'_>, state: &'s State, kind: Kind) -> Result<&'s Arc<Record>, Problem> {
    state.get(kind, call.id).filter(|record| sees(call, record)).ok_or_else(Problem::not_found)
}

/// The thing that the path names, to be changed.
pub fn to_change<'s>(call: &Call<'_>, state: &'s State, kind: Kind) -> Result<&'s Arc<Record>, Problem> {
    if state.get(kind, call.id).is_none()
        && of_the_file(call, kind).iter().any(|shown| shown["id"] == call.id)
    {
        return Err(Problem::conflict(
            "it stands in the configuration file, and is changed there; the API changes only what it made",
        ));
    }
    let record = named(call, state, kind)?;
    if !changes(call, record) {
        return Err(Problem::forbidden(format!("you lack the permission {} here", to_write(kind))));
    }
    call.matches(record)?;
    Ok(record)
}

/// `GET /things`
pub fn list<R: Resource>(call: &Call<'_>) -> Result<Reply, Problem> {
    let limit = match call.asked("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::bad_request(format!("limit is a number from 1 to {LARGEST_PAGE}"))),
    };
    let after = call.asked("after").unwrap_or_default();
    let state = call.directory.state();
    let in_file = after.strip_prefix("file:");
    let managed = state.after(R::KIND, after).filter(|_| in_file.is_none());
    let managed = managed.filter(|record| sees(call, record)).map(|record| with_health(call, record.shown()));
    let file = of_the_file(call, R::KIND).into_iter();
    let file =
        file.filter(|shown| in_file.is_none_or(|after| shown["id"].as_str().is_some_and(|id| id > after)));
    let mut items: Vec<Value> =
        managed.chain(file).filter(|shown| fits(call, shown)).take(limit.saturating_add(1)).collect();
    let next = (items.len() > limit).then(|| {
        items.truncate(limit);
        items.last().map(|last| match last["source"] == "file" {
            true => format!("file:{}", last["id"].as_str().unwrap_or_default()),
            false => last["id"].as_str().unwrap_or_default().to_owned(),
        })
    });
    Ok(Reply::ok(json!({ "items": items, "next": next.flatten() })))
}

/// Does it fit the filters of the query?
fn fits(call: &Call<'_>, shown: &Value) -> bool {
    call.query.iter().all(|(name, wanted)| {
        if name == "q" {
            let wanted = wanted.to_lowercase();
            let texts = ["id", "name", "email", "comment", "network", "vendor"];
            return texts
                .iter()
                .filter_map(|name| shown[*name].as_str())
                .any(|t| t.to_lowercase().contains(&wanted));
        }
        if LIST_QUERY.contains(&name.as_str()) {
            return true;
        }
        let mut value = shown;
        for part in name.split('.') {
            value = &value[part];
        }
        match value {
            Value::String(text) => text == wanted,
            Value::Array(list) => list.iter().any(|one| one == wanted),
            Value::Null => wanted.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                value.to_string().as_str() == wanted.as_str()
            }
        }
    })
}

/// `GET /things/{id}`
pub fn read<R: Resource>(call: &Call<'_>) -> Result<Reply, Problem> {
    let state = call.directory.state();
    match named(call, &state, R::KIND) {
        Ok(record) => {
            let mut reply = Reply::record(record);
            reply.body = with_health(call, reply.body);
            Ok(reply)
        }
        Err(problem) => {
            let file = of_the_file(call, R::KIND).into_iter().find(|shown| shown["id"] == call.id);
            file.map(Reply::ok).ok_or(problem)
        }
    }
}

/// What the data plane knows of a credential or a provider at this moment.
fn with_health(call: &Call<'_>, mut shown: Value) -> Value {
    if shown.get("masked").is_some() {
        let health = super::health::of_managed(call, &shown);
        if let Some(map) = shown.as_object_mut() {
            map.insert("health".into(), health);
        }
    }
    shown
}

/// `POST /things`
pub fn create<R: Resource>(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut map = call.object()?;
    let tenant = take_tenant(call, R::KIND, &mut map)?;
    let id = match R::KIND {
        Kind::Tenant => take_tenant_id(call, &mut map)?,
        kind => fresh_id(kind),
    };
    call.needs(to_write(R::KIND), tenant.as_ref())?;
    let body: R = typed(map)?;
    call.directory.change(|state| {
        if state.get(R::KIND, &id).is_some() {
            return Err(Problem::conflict(format!("there is already a {} {id}", R::KIND.name())));
        }
        let private = match R::KIND {
            Kind::User => Private::User(Proofs::default()),
            _ => Private::Nothing,
        };
        let record = Record::new(&id, tenant.clone(), body.clone().body(), private, call.now);
        let change = call.step(state, None, record)?;
        lock_out(call, state, &change)?;
        made(call, vec![change], Vec::new())
    })
}

/// The answer to a creation, and its draft.
pub fn made(
    call: &Call<'_>,
    changes: Vec<Change>,
    once: Vec<(&'static str, Value)>,
) -> Result<(Reply, Draft), Problem> {
    let record = changes.first().and_then(|change| change.after.clone()).ok_or_else(Problem::not_found)?;
    let reply = Reply { once, ..Reply::created(&record) };
    let mut draft = call.draft(changes);
    draft.replay = super::dispatch::replay_of(call, &reply);
    Ok((reply, draft))
}

/// `PATCH /things/{id}`: a JSON merge patch (RFC 7396) of the fields of the kind.
pub fn update<R: Resource>(call: &Call<'_>) -> Result<Reply, Problem> {
    let patch = call.object()?;
    call.directory.change(|state| {
        let before = to_change(call, state, R::KIND)?;
        let Some(old) = before.is::<R>() else { return Err(Problem::not_found()) };
        if before.key_secret().is_some_and(|secret| secret.revoked_at.is_some()) {
            return Err(Problem::conflict("the key was revoked; that is for good"));
        }
        let body: R = patched(old, &patch)?;
        let after = before.next(body.body(), before.private.clone(), call.now);
        let change = call.step(state, Some(before), after)?;
        lock_out(call, state, &change)?;
        let reply =
            change.after.as_ref().map(|record| Reply::record(record)).ok_or_else(Problem::not_found)?;
        Ok((reply, call.draft(vec![change])))
    })
}

/// A body with a merge patch on it.
pub fn patched<R: Resource>(old: &R, patch: &Map<String, Value>) -> Result<R, Problem> {
    let mut fields = old.clone().body().fields();
    // Wrong members of the patch are told alone, before they meet what is there.
    let named: Map<String, Value> =
        patch.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    let known = fields.as_object().cloned().unwrap_or_default();
    if let Some(name) = patch.keys().find(|name| !known.contains_key(*name)) {
        return Err(Problem::fault(name, "cannot be changed, or is no field of this kind"));
    }
    for (name, value) in named.into_iter().filter(|(_, value)| !value.is_object()) {
        typed::<R>(Map::from_iter([(name, value)]))?;
    }
    merge(&mut fields, &Value::Object(patch.clone()));
    match fields {
        Value::Object(map) => typed(map),
        _ => Err(Problem::not_found()),
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else { return };
    for (name, value) in patch {
        match value {
            Value::Null => drop(map.remove(name)),
            value => merge(map.entry(name.clone()).or_insert(Value::Null), value),
        }
    }
}

/// `DELETE /things/{id}`
pub fn remove<R: Resource>(call: &Call<'_>) -> Result<Reply, Problem> {
    call.directory.change(|state| {
        let before = to_change(call, state, R::KIND)?;
        let mut changes = vec![call.removal(state, before)?];
        for dependant in dependants(state, before)? {
            changes.push(Change {
                kind: dependant.body.kind(),
                id: Arc::clone(&dependant.id),
                before: Some(dependant),
                after: None,
            });
        }
        for change in &changes {
            lock_out(call, state, change)?;
        }
        let mut draft = call.draft(changes);
        if R::KIND == Kind::User {
            draft.ended = call.directory.sessions_of(&before.id);
        }
        Ok((Reply::nothing(), draft))
    })
}

/// What goes with a thing; or why it cannot go.
fn dependants(state: &State, record: &Record) -> Result<Vec<Arc<Record>>, Problem> {
    let id = &*record.id;
    let keys_of = |id: &str| {
        let keys =
            state.each::<Key>().filter(|(_, key)| key.owner.as_ref().is_some_and(|owner| owner.id == id));
        keys.map(|(record, _)| Arc::clone(record)).collect::<Vec<_>>()
    };
    let used = |by: &str, count: usize| match count {
        0 => Ok(Vec::new()),
        n => Err(Problem::conflict(format!("{n} {by} use it; change or delete them first"))),
    };
    match record.body {
        Body::Tenant(_) => {
            let own =
                |record: &&Arc<Record>| record.tenant.as_ref().is_some_and(|tenant| tenant.as_str() == id);
            let count = Kind::ALL.iter().map(|kind| state.all(*kind).filter(own).count()).sum();
            used("things are its own and", count)
        }
        Body::User(_) => {
            if crate::control::is_hub_owner(record)
                && state.all(Kind::User).filter(|user| crate::control::is_hub_owner(user)).count() <= 1
            {
                return Err(Problem::conflict("the last owner of the hub stays; make another one first"));
            }
            let team = |(_, team): &(&Arc<Record>, &Team)| team.members.iter().any(|member| member == id);
            used("teams", state.each::<Team>().filter(team).count())?;
            Ok(keys_of(id))
        }
        Body::App(_) => {
            let client = |(_, client): &(&Arc<Record>, &Client)| client.app.as_deref() == Some(id);
            used("clients", state.each::<Client>().filter(client).count())?;
            Ok(keys_of(id))
        }
        Body::Team(_) => {
            let project = |(_, project): &(&Arc<Record>, &Project)| project.team.as_deref() == Some(id);
            used("projects", state.each::<Project>().filter(project).count())
        }
        Body::Project(_) => {
            let app = |(_, app): &(&Arc<Record>, &crate::control::App)| app.project.as_deref() == Some(id);
            used("apps", state.each::<crate::control::App>().filter(app).count())
        }
        Body::Role(_) => {
            let users = state.each::<User>().filter(|(_, user)| user.role == id).count();
            let apps = state.each::<crate::control::App>().filter(|(_, app)| app.role == id).count();
            used("users and apps", users + apps)
        }
        Body::Provider(_) => {
            let own = state.each::<Credential>().filter(|(_, credential)| credential.provider == id);
            Ok(own.map(|(record, _)| Arc::clone(record)).collect())
        }
        Body::Account(_) | Body::Payment(_) | Body::Code(_) | Body::Allowance(_) => Ok(Vec::new()),
        Body::Key(_)
        | Body::Credential(_)
        | Body::Model(_)
        | Body::AddressRule(_)
        | Body::Webhook(_)
        | Body::Quota(_)
        | Body::Client(_)
        | Body::BodyPolicy(_)
        | Body::Price(_) => Ok(Vec::new()),
    }
}

/// Whose the new thing is to be: what the body says, or where its maker belongs.
pub fn take_tenant(
    call: &Call<'_>,
    kind: Kind,
    map: &mut Map<String, Value>,
) -> Result<Option<TenantId>, Problem> {
    if !kind.has_tenant() {
        return Ok(None);
    }
    match map.remove("tenant") {
        None | Some(Value::Null) => Ok(call.principal.tenant.clone()),
        Some(Value::String(text)) => {
            let tenant =
                TenantId::parse(&text).map_err(|error| Problem::fault("tenant", error.to_string()))?;
            Ok(Some(tenant))
        }
        Some(_) => Err(Problem::fault("tenant", "is no text")),
    }
}

fn take_tenant_id(call: &Call<'_>, map: &mut Map<String, Value>) -> Result<Arc<str>, Problem> {
    let id = match map.remove("id") {
        Some(Value::String(id)) => id,
        Some(_) => return Err(Problem::fault("id", "is no text")),
        None => return Err(Problem::fault("id", "is missing")),
    };
    TenantId::parse(&id).map_err(|error| Problem::fault("id", error.to_string()))?;
    let snapshot = call.directory.snapshot();
    if snapshot.is_some_and(|snapshot| snapshot.declared.tenants.contains(&id)) {
        return Err(Problem::conflict(format!("the configuration file has keys of a tenant {id}")));
    }
    Ok(id.into())
}

/// An id for a new thing.
pub fn fresh_id(kind: Kind) -> Arc<str> {
    format!("{}{}", kind.prefix(), uuid::Uuid::now_v7().simple()).into()
}

/// Refuses what would keep its maker's own address out, unless they insist.
fn lock_out(call: &Call<'_>, state: &State, change: &Change) -> Result<(), Problem> {
    let Some(address) = call.incoming.address else { return Ok(()) };
    let operator = call.principal.actor == crate::control::Actor::Operator;
    let rule = change.after.as_ref().or(change.before.as_ref()).filter(|_| change.kind == Kind::AddressRule);
    let Some(rule) = rule.filter(|_| !operator && !call.flag("force")) else { return Ok(()) };
    if rule.is::<AddressRule>().is_none_or(|rule| rule.key.is_some()) {
        return Ok(());
    }
    let scope = |state: &State| {
        let rules = state.each::<AddressRule>().filter(|(record, body)| {
            record.tenant == rule.tenant
                && body.key.is_none()
                && body.expires_at.is_none_or(|end| end.0 > call.now)
        });
        address_table(rules.map(|(_, rule)| rule)).permits(address)
    };
    let mut next = state.clone();
    next.apply(change);
    if scope(state) && !scope(&next) {
        return Err(Problem::conflict(format!(
            "that would lock out {address}, from where you are asking; add ?force=true if you mean it"
        )));
    }
    Ok(())
}
