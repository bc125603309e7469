//! One request, after it is known who makes it, and its answer.

use super::pour::Pour;
use super::problem::Problem;
use super::routes::Route;
use crate::admin::directory::{Directory, Draft};
use crate::control::{
    Actor, Change, Entry, Fault, Kind, Outcome, Permission, Principal, Record, State, Target, Who, check,
    faults_of_grant,
};
use crate::types::{TenantId, Wall};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::sync::Arc;

/// What came in, whatever it came by.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// `GET`, …
    pub method: String,
    /// From the root of the API on, as `/keys/ID`.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
    /// From where; none for the command line on the machine itself.
    pub address: Option<IpAddr>,
    /// Its name in the audit log.
    pub request: String,
}

/// See the module.
pub struct Call<'a> {
    /// What is managed.
    pub directory: &'a Directory,
    /// What was asked for.
    pub route: &'static Route,
    /// Who asks.
    pub principal: Principal,
    /// What stands for `{id}` in the path.
    pub id: &'a str,
    /// Names and values of the query.
    pub query: Vec<(String, String)>,
    /// The request.
    pub incoming: &'a Incoming,
    /// When it came.
    pub now: Wall,
    /// The session that it belongs to, by the hash of its cookie.
    pub session: Option<[u8; 32]>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body; `Null`: none.
    pub body: Value,
    /// Version of what is shown, for `ETag`.
    pub version: Option<u64>,
    /// Members that are shown this once.
    pub once: Vec<(&'static str, Value)>,
    /// Cookies to set.
    pub cookies: Vec<String>,
    /// Where the browser is sent, with a status that says so.
    pub location: Option<String>,
    /// Not JSON: type and text.
    pub text: Option<(&'static str, String)>,
    /// A document: type and bytes.
    pub file: Option<(&'static str, Vec<u8>)>,
    /// Too long to be held: still to be written.
    pub pour: Option<Pour>,
}

impl Reply {
    /// With a body.
    pub fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            version: None,
            once: Vec::new(),
            cookies: Vec::new(),
            location: None,
            text: None,
            pour: None,
            file: None,
        }
    }

    /// Without one.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, ..Self::ok(Value::Null) }
    }

    /// A record.
    pub fn record(record: &Record) -> Self {
        Self { version: Some(record.version), ..Self::ok(record.shown()) }
    }

    /// A record that was made.
    pub fn created(record: &Record) -> Self {
        Self { status: StatusCode::CREATED, ..Self::record(record) }
    }
}

impl<'a> Call<'a> {
    /// The same request as if the machine's operator had made it.
    pub fn as_operator(&self) -> Call<'a> {
        Call { principal: Principal::operator(), query: self.query.clone(), ..*self }
    }
}

impl Call<'_> {
    /// The body as an object; an empty one counts as `{}`.
    pub fn object(&self) -> Result<Map<String, Value>, Problem> {
        if self.incoming.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        match serde_json::from_slice(&self.incoming.body) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(Problem::bad_request("the body is no JSON object")),
            Err(error) => Err(Problem::bad_request(format!("the body is no JSON: {error}"))),
        }
    }

    /// The body as a type.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        typed(self.object()?)
    }

    /// The first value of a name in the query.
    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(asked, _)| asked == name).map(|(_, value)| value.as_str())
    }

    /// `?name=true`.
    pub fn flag(&self, name: &str) -> bool {
        self.asked(name) == Some("true")
    }

    /// May who asks do this here?
    pub fn may(&self, permission: Permission, tenant: Option<&TenantId>) -> bool {
        self.principal.may(permission, tenant)
    }

    /// Refuses who may not.
    pub fn needs(&self, permission: Permission, tenant: Option<&TenantId>) -> Result<(), Problem> {
        match self.may(permission, tenant) {
            true => Ok(()),
            false => Err(Problem::forbidden(format!("you lack the permission {permission} here"))),
        }
    }

    /// Is there such a tenant, although nothing is managed of it? The file may name it in a key.
    pub fn is_tenant_of_the_file(&self, tenant: &str) -> bool {
        let declared = |snapshot: Arc<crate::config::Snapshot>| snapshot.declared.tenants.contains(tenant);
        tenant == "default" || self.directory.snapshot().is_some_and(declared)
    }

    /// `If-Match` must fit what is there.
    pub fn matches(&self, record: &Record) -> Result<(), Problem> {
        let Some(wanted) = self.incoming.headers.get(header::IF_MATCH) else { return Ok(()) };
        let own = etag(record.version);
        let fits = wanted.to_str().is_ok_and(|list| {
            list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
        });
        match fits {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "it was changed meanwhile; read it again, and make your change on what is there now",
            )),
        }
    }

    /// Checks a step of a change: is it right, and may who asks make it?
    pub fn step(
        &self,
        state: &State,
        before: Option<&Arc<Record>>,
        after: Record,
    ) -> Result<Change, Problem> {
        let grants = faults_of_grant(state, &self.principal, before.map(|b| &**b), Some(&after));
        if !grants.is_empty() {
            let detail = "that reaches further than you do".to_owned();
            return Err(Problem { faults: grants, ..Problem::forbidden(detail) });
        }
        let faults = check(state, before.map(|b| &**b), &after, &|tenant| self.is_tenant_of_the_file(tenant));
        if !faults.is_empty() {
            return Err(Problem::faults(faults));
        }
        let (kind, id) = (after.body.kind(), Arc::clone(&after.id));
        Ok(Change { kind, id, before: before.cloned(), after: Some(Arc::new(after)) })
    }

    /// Checks that something may go.
    pub fn removal(&self, state: &State, before: &Arc<Record>) -> Result<Change, Problem> {
        let grants = faults_of_grant(state, &self.principal, Some(before), None);
        if !grants.is_empty() {
            return Err(Problem { faults: grants, ..Problem::forbidden("that reaches further than you do") });
        }
        Ok(Change {
            kind: before.body.kind(),
            id: Arc::clone(&before.id),
            before: Some(Arc::clone(before)),
            after: None,
        })
    }

    /// A draft of these changes, with their audit records.
    pub fn draft(&self, changes: Vec<Change>) -> Draft {
        let entries = changes.iter().map(|change| self.entry_of(change)).collect();
        Draft { changes, entries, ..Draft::default() }
    }

    fn entry_of(&self, change: &Change) -> Entry {
        let record = change.after.as_ref().or(change.before.as_ref());
        let target = Target {
            kind: change.kind,
            id: change.id.to_string(),
            tenant: record.and_then(|record| tenant_of(record)),
        };
        let shown = |record: &Option<Arc<Record>>| record.as_ref().map(|record| record.shown());
        Entry {
            target: Some(target),
            before: shown(&change.before),
            after: shown(&change.after),
            ..self.entry(Outcome::Done, None)
        }
    }

    /// An audit record about this request.
    pub fn entry(&self, outcome: Outcome, reason: Option<String>) -> Entry {
        entry(&self.principal, self.incoming, self.now, self.route.action, outcome, reason)
    }
}

/// Whose a record is: a tenant is its own.
pub fn tenant_of(record: &Record) -> Option<TenantId> {
    match record.body.kind() {
        Kind::Tenant => TenantId::parse(&record.id).ok(),
        _ => record.tenant.clone(),
    }
}

/// An audit record.
pub fn entry(
    principal: &Principal,
    incoming: &Incoming,
    now: Wall,
    action: &str,
    outcome: Outcome,
    reason: Option<String>,
) -> Entry {
    let (kind, id) = match &principal.actor {
        Actor::Operator => ("operator", None),
        Actor::User(id) => ("user", Some(id.to_string())),
        Actor::Key { id, .. } => ("key", Some(id.to_string())),
        Actor::Token { id, .. } => ("token", Some(id.to_string())),
        Actor::Nobody => ("nobody", None),
    };
    Entry {
        sequence: 0,
        at: crate::control::Moment(now),
        who: Who {
            kind: kind.into(),
            id,
            name: principal.name.to_string(),
            tenant: principal.tenant.clone(),
        },
        action: action.to_owned(),
        outcome,
        reason,
        target: None,
        before: None,
        after: None,
        address: incoming.address.map(|address| address.to_canonical().to_string()),
        request: incoming.request.clone(),
        previous: String::new(),
    }
}

/// How a version is written in `ETag`.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Reads a type; every field that is wrong is told.
pub fn typed<T: DeserializeOwned>(map: Map<String, Value>) -> Result<T, Problem> {
    let mut faults = Vec::new();
    for (name, value) in &map {
        // Alone, so that a mistake in one field does not hide those in others.
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        if let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) {
            let text = error.to_string();
            if !text.starts_with("missing field") {
                faults.push(Fault::new(name.as_str(), text));
            }
        }
    }
    if !faults.is_empty() {
        return Err(Problem::faults(faults));
    }
    serde_json::from_value(Value::Object(map)).map_err(|error| {
        let text = error.to_string();
        let field = text.split('`').nth(1).unwrap_or_default().to_owned();
        Problem::fault(&field, text)
    })
}
