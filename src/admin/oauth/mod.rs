//! The authorization server: OAuth 2.0 with PKCE for all, devices, rotation of
//! refresh tokens, revocation and introspection. One table of its own, because
//! it speaks forms and pages where the API speaks JSON; what is not in it is
//! not answered.

mod authorize;
mod client_auth;
mod consent;
mod device;
mod ends;
mod form;
mod issue;
mod metadata;
mod page;
mod refused;
mod said;
mod sign_in;
mod token;

use super::Control;
use super::api::{Incoming, by_session, from_the_same_site, from_where};
use super::directory::Directory;
use crate::config::OAuth;
use crate::control::oauth::Client;
use crate::control::{Entry, Kind, Moment, Outcome, Principal, Record, Target, Who};
use crate::types::Wall;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use refused::Refused;
use said::Said;
use std::borrow::Cow;
use std::sync::Arc;

/// Largest body that is taken; forms are small.
const LARGEST_BODY: usize = 64 * 1024;

/// One request.
pub(super) struct Ask<'a> {
    pub control: &'a Control,
    pub directory: &'a Directory,
    pub incoming: &'a Incoming,
    pub settings: OAuth,
    /// What the hub is called, and where it is.
    pub issuer: String,
    pub now: Wall,
    pub action: &'static str,
}

/// Somebody who signed in.
pub(super) struct Person {
    pub principal: Principal,
    pub user: Arc<str>,
    pub session: [u8; 32],
}

/// A client that proved who it is; a public one merely says so.
pub(super) struct Known {
    pub record: Arc<Record>,
    pub client: Client,
}

/// What answers, and whom. Who is not known never gets to the handler.
enum Handler {
    /// Anybody.
    Open(fn(&Ask<'_>) -> Result<Said, Refused>),
    /// Who has a session; the others get the page to sign in.
    Person(fn(&Ask<'_>, &Person) -> Result<Said, Refused>),
    /// A client, known by how it authenticates, and the form that it sends.
    Client(fn(&Ask<'_>, &Known, &form::Form) -> Result<Said, Refused>),
}

struct Row {
    method: &'static str,
    path: &'static str,
    /// What it is called in the audit log.
    action: &'static str,
    /// May pages of other origins call it? They send no cookies there.
    from_anywhere: bool,
    handler: Handler,
}

const fn row(method: &'static str, path: &'static str, action: &'static str, handler: Handler) -> Row {
    // Only what browsers' own pages call, and nothing that goes by a cookie.
    let from_anywhere = matches!(handler, Handler::Client(_));
    Row { method, path, action, from_anywhere, handler }
}

/// Where metadata is (RFC 8414 §3).
pub const METADATA: &str = "/.well-known/oauth-authorization-server";
const AUTHORIZE: &str = "/oauth/authorize";
const CONSENT: &str = "/oauth/consent";
const SIGN_IN: &str = "/oauth/sign-in";
const TOKEN: &str = "/oauth/token";
const DEVICE: &str = "/oauth/device";
const DEVICE_AUTHORIZATION: &str = "/oauth/device_authorization";
const REVOKE: &str = "/oauth/revoke";
const INTROSPECT: &str = "/oauth/introspect";

static ROWS: [Row; 10] = [
    Row { from_anywhere: true, ..row("GET", METADATA, "oauth.metadata", Handler::Open(metadata::show)) },
    row("GET", AUTHORIZE, "oauth.authorize", Handler::Open(authorize::ask)),
    row("POST", CONSENT, "oauth.consent", Handler::Person(consent::answer)),
    row("POST", SIGN_IN, "oauth.sign-in", Handler::Open(sign_in::take)),
    row("POST", TOKEN, "oauth.token", Handler::Client(token::give)),
    row("POST", DEVICE_AUTHORIZATION, "oauth.device-begin", Handler::Client(device::begin)),
    row("GET", DEVICE, "oauth.device-page", Handler::Person(device::page)),
    row("POST", DEVICE, "oauth.device", Handler::Person(device::answer)),
    row("POST", REVOKE, "oauth.revoke", Handler::Client(ends::revoke)),
    row("POST", INTROSPECT, "oauth.introspect", Handler::Client(ends::introspect)),
];

/// Answers everything of the table.
pub(super) async fn handle(State(control): State<Arc<Control>>, request: Request) -> Response {
    let from = from_where(&control, &request);
    let (parts, body) = request.into_parts();
    let settings = control.directory.snapshot().map(|snapshot| snapshot.oauth.clone()).unwrap_or_default();
    if !settings.enabled {
        return said::nothing_here();
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return Refused::invalid_request("the body is too large, or was cut off").said().response();
    };
    let incoming = Incoming {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        address: from.map(|from| from.address),
        headers: parts.headers,
        body: body.to_vec(),
        request: uuid::Uuid::now_v7().simple().to_string(),
    };
    let secure = from.is_some_and(|from| from.secure);
    let name = incoming.request.clone();
    let work = move || answer(&control, &incoming, settings, secure).with_request(&incoming.request);
    match tokio::task::spawn_blocking(work).await {
        Ok(said) => said.response(),
        Err(error) => {
            tracing::error!(%error, request = name, "the authorization server failed to answer");
            Refused::unavailable("the hub failed; its log says why").said().response()
        }
    }
}

fn answer(control: &Control, incoming: &Incoming, settings: OAuth, secure: bool) -> Said {
    let of_path = || ROWS.iter().filter(|row| row.path == incoming.path);
    let Some(first) = of_path().next() else { return Said::empty(StatusCode::NOT_FOUND) };
    let shared = of_path().any(|row| row.from_anywhere);
    if incoming.method == "OPTIONS" && shared {
        return Said::empty(StatusCode::NO_CONTENT).preflight(first.method);
    }
    let Some(row) = of_path().find(|row| row.method == incoming.method) else {
        let methods: Vec<&str> = of_path().map(|row| row.method).collect();
        return Said::empty(StatusCode::METHOD_NOT_ALLOWED).header(header::ALLOW, methods.join(", "));
    };
    let issuer = settings.issuer.clone().unwrap_or_else(|| as_named(incoming, secure));
    let directory: &Directory = &control.directory;
    let now = directory.clock.wall();
    let ask = Ask { control, directory, incoming, settings, issuer, now, action: row.action };
    let result = match &row.handler {
        Handler::Open(handler) => handler(&ask),
        Handler::Person(handler) => person(&ask).and_then(|person| match person {
            Some(person) => handler(&ask, &person),
            None => Ok(sign_in::page(&ask, &ask.own_path(), None)),
        }),
        Handler::Client(handler) => form::Form::read(incoming)
            .and_then(|form| client_auth::client(&ask, &form).map(|known| (known, form)))
            .and_then(|(known, form)| handler(&ask, &known, &form)),
    };
    let said = result.unwrap_or_else(|refused| match row.handler {
        Handler::Client(_) => refused.said(),
        Handler::Open(_) | Handler::Person(_) => page::problem(&refused),
    });
    if row.from_anywhere { said.for_everybody() } else { said }
}

/// The hub as this request names it, for when nobody has configured what it is called.
fn as_named(incoming: &Incoming, secure: bool) -> String {
    let host = incoming.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{}", host.filter(plain).unwrap_or("localhost"))
}

/// Who has a session here. What changes something must come from the hub's own pages.
fn person(ask: &Ask<'_>) -> Result<Option<Person>, Refused> {
    let asker = by_session(ask.directory, ask.incoming).map_err(Refused::of_problem)?;
    from_the_same_site(ask.incoming).map_err(Refused::of_problem)?;
    let crate::control::Actor::User(user) = &asker.principal.actor else { return Ok(None) };
    let user = Arc::clone(user);
    Ok(asker.session.map(|session| Person { principal: asker.principal, user, session }))
}

impl Ask<'_> {
    /// Path and query, to come back to.
    fn own_path(&self) -> String {
        match self.incoming.query.is_empty() {
            true => self.incoming.path.clone(),
            false => format!("{}?{}", self.incoming.path, self.incoming.query),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.incoming.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Keyed hash of a secret text.
    fn hash(&self, text: &str) -> Result<[u8; 32], Refused> {
        Ok(self.directory.pepper().map_err(Refused::unavailable)?.hash(text).0)
    }

    /// What a form carries so that nobody else can have made it: it holds for one session and one
    /// purpose.
    fn seal(&self, person: &Person, purpose: &str) -> Result<String, Refused> {
        let session = crate::control::to_hex(&person.session);
        Ok(crate::control::to_hex(&self.hash(&format!("oauth form\0{session}\0{purpose}"))?))
    }

    /// Was the form made for this session and purpose?
    fn is_sealed(&self, person: &Person, purpose: &str, seal: &str) -> Result<(), Refused> {
        use subtle::ConstantTimeEq;
        match self.seal(person, purpose)?.as_bytes().ct_eq(seal.as_bytes()).into() {
            true => Ok(()),
            false => Err(Refused::page(StatusCode::FORBIDDEN, "This form is not from here, or is too old.")),
        }
    }

    /// Refuses who has failed too often; `names` say who it is.
    fn patience(&self, name: &str) -> Result<(), Refused> {
        let wait = self.directory.throttle.lock().wait(name, self.now);
        wait.map_or(Ok(()), |wait| Err(Refused::too_often(wait)))
    }

    fn failed(&self, name: &str) {
        self.directory.throttle.lock().failed(name, self.now);
    }

    fn from(&self) -> String {
        self.incoming.address.map_or_else(String::new, |address| address.to_canonical().to_string())
    }

    /// An audit record about a client.
    fn entry(&self, who: Who, client: &Record, outcome: Outcome, reason: Option<Cow<'static, str>>) -> Entry {
        let target = Target { kind: Kind::Client, id: client.id.to_string(), tenant: client.tenant.clone() };
        Entry {
            sequence: 0,
            at: Moment(self.now),
            who,
            action: self.action.to_owned(),
            outcome,
            reason: reason.map(Cow::into_owned),
            target: Some(target),
            before: None,
            after: None,
            address: self.incoming.address.map(|address| address.to_canonical().to_string()),
            request: self.incoming.request.clone(),
            previous: String::new(),
        }
    }

    /// Notes a refusal, and gives it on.
    fn refuse(&self, who: Who, client: &Record, refused: Refused) -> Refused {
        let reason = Some(format!("{}: {}", refused.error, refused.text).into());
        self.directory.note_refusal(self.entry(who, client, Outcome::Refused, reason));
        refused
    }
}

impl Person {
    /// As the audit log names them.
    fn who(&self) -> Who {
        Who {
            kind: "user".into(),
            id: Some(self.user.to_string()),
            name: self.principal.name.to_string(),
            tenant: self.principal.tenant.clone(),
        }
    }
}

impl Known {
    /// As the audit log names it.
    fn who(&self) -> Who {
        Who {
            kind: "client".into(),
            id: Some(self.record.id.to_string()),
            name: self.client.name.clone(),
            tenant: self.record.tenant.clone(),
        }
    }
}
