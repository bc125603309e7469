//! `aigne-hub api …`: everything that the control plane's API can do, with a
//! running hub (here or elsewhere) and without one.

use super::ConfigArg;
use super::out;
use super::remote::Remote;
use crate::admin::{self, Directory, Hooks, Incoming, ROOT, answer_operator};
use crate::control::Vault;
use crate::server;
use crate::store::{Store, StoreError};
use crate::types::{Clock, Secret};
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::net::ToSocketAddrs;

/// Calls the control plane's API and prints what it answers.
#[derive(Args)]
pub(super) struct Api {
    /// GET, POST, PATCH or DELETE.
    method: String,
    /// As /tenants or /keys/ID; `aigne-hub routes` lists them.
    path: String,
    /// The body, as JSON; `-` reads it from the standard input.
    body: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Which hub.
#[derive(Args)]
pub(super) struct Place {
    /// A hub elsewhere: the address of its admin listener, as http://10.0.0.5:8081.
    #[arg(long, env = "AIGNE_HUB_URL", global = true)]
    url: Option<String>,
    /// A key with the scopes that it takes, or the operator's token.
    #[arg(long, env = "AIGNE_HUB_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
    #[command(flatten)]
    pub(super) config: ConfigArg,
}

impl Api {
    pub(super) fn run(self) -> Result<(), String> {
        let body = match self.body.as_deref() {
            Some("-") => Some(std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?),
            other => other.map(str::to_owned),
        };
        let body = body.map(|text| serde_json::from_str(&text)).transpose();
        let body = body.map_err(|error| format!("the body is no JSON: {error}"))?;
        self.place.hub()?.print(&self.method.to_uppercase(), &self.path, body)
    }
}

impl Place {
    /// The hub that it names.
    pub(super) fn hub(&self) -> Result<Hub, String> {
        let Some(url) = &self.url else { return Hub::of_this_machine(&self.config, true) };
        let token = self.token.as_deref().ok_or("a hub elsewhere wants --token or AIGNE_HUB_TOKEN")?;
        let host = url
            .strip_prefix("http://")
            .ok_or("the URL begins with http://; put TLS in front, or a tunnel")?;
        let host = host.trim_end_matches('/');
        let mut addresses = host.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{host}: no address"))?;
        Ok(Hub::Running(Remote::at(address, Secret::new(token))))
    }
}

/// A hub to talk to.
pub(super) enum Hub {
    /// It runs.
    Running(Remote),
    /// It does not, and its store is ours as long as we are.
    Stopped(Box<Directory>, Store),
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Hub::Stopped(_, store) = self {
            store.close();
        }
    }
}

impl Hub {
    /// The one of this machine's configuration. `make`: also when there was none yet.
    pub(super) fn of_this_machine(config: &ConfigArg, make: bool) -> Result<Self, String> {
        let (document, environment, boot) = config.boot()?;
        if !make && !Store::exists(&boot.data_dir) {
            return Err(format!("there is no hub data in {}", boot.data_dir.display()));
        }
        let clock = Clock::machine();
        let store = match server::open_store(&boot, &clock, None) {
            Ok(store) => store,
            Err(StoreError::Locked(_)) => return Ok(Hub::Running(Remote::find(&document, &boot)?)),
            Err(error) => return Err(error.to_string()),
        };
        let directory = Directory::open(store.clone(), clock, &boot.data_dir)?;
        let stored = server::pepper(&store)?;
        // Where the master key is not at hand, no secret can be stored, and everything else works.
        if let Ok(masters) = document.master_keys(&environment)
            && let Ok(vault) = Vault::new(&masters)
        {
            directory.set_vault(vault);
        }
        // A key can be listed without the pepper; only making one needs it.
        let pepper = move || document.pepper(&environment, &stored).map_err(|problems| problems.to_string());
        directory.connect(Hooks {
            pepper: Box::new(pepper),
            snapshot: Box::new(|| None),
            rebuild: Box::new(|| Ok(())),
            trial: Box::new(|_| Ok(None)),
            probe: Box::new(|_, _| Err("no hub runs that could ask".to_owned())),
        });
        Ok(Hub::Stopped(Box::new(directory), store))
    }

    /// Asks, and gives the body of the answer.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<String, String> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        match self {
            Hub::Running(remote) => remote.ask(method, &format!("{ROOT}{path}"), &body)?.text(),
            Hub::Stopped(..) => self.answered(method, path, body).map(text_of),
        }
    }

    /// Copies an answer to stdout as it comes, however long it is.
    pub(super) fn copy(&self, path: &str) -> Result<(), String> {
        if let Hub::Running(remote) = self {
            return remote.ask("GET", &format!("{ROOT}{path}"), "")?.copy();
        }
        let reply = self.answered("GET", path, String::new())?;
        let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
        match (&reply.pour, &reply.file) {
            (Some(pour), _) => out::told(pour.write(&mut stdout).and_then(|()| stdout.flush())),
            (None, Some((_, bytes))) => out::told(stdout.write_all(bytes).and_then(|()| stdout.flush())),
            (None, None) => {
                out::told(stdout.write_all(text_of(reply).as_bytes()).and_then(|()| stdout.flush()))
            }
        }
    }

    /// What the store of a hub that does not run says.
    fn answered(&self, method: &str, path: &str, body: String) -> Result<admin::Reply, String> {
        match self {
            Hub::Running(_) => Err("the hub runs".to_owned()),
            Hub::Stopped(directory, _) => answer_operator(directory, &incoming(method, path, &body))
                .map_err(|problem| super::remote::told(&problem.body())),
        }
    }

    /// Asks and prints.
    pub(super) fn print(&self, method: &str, path: &str, body: Option<Value>) -> Result<(), String> {
        let text = self.ask(method, path, body)?;
        if text.is_empty() { Ok(()) } else { out::print(text.trim_end()) }
    }

    /// All pages of a list. `query` is added to each, as `&name=value`.
    pub(super) fn all(&self, path: &str, query: &str) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let text =
                self.ask("GET", &format!("{path}?limit=500&after={}{query}", segment(&after)), None)?;
            let mut page: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            if let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) {
                all.append(items);
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = next.to_owned(),
                None => return Ok(all),
            }
        }
    }

    /// Makes a tenant unless there is one.
    pub(super) fn ensure_tenant(&self, tenant: &str) -> Result<(), String> {
        if self.ask("GET", &format!("/tenants/{}", segment(tenant)), None).is_ok() {
            return Ok(());
        }
        let body = serde_json::json!({ "id": tenant });
        self.ask("POST", "/tenants", Some(body)).map(drop)
    }
}

/// A text as one segment of a path or one value of a query.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, SEGMENT).to_string()
}

/// Everything but letters, digits and what ids are made of.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn incoming(method: &str, path: &str, body: &str) -> Incoming {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Incoming {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: http::HeaderMap::new(),
        body: body.as_bytes().to_vec(),
        address: None,
        request: "command line".to_owned(),
    }
}

fn text_of(reply: admin::Reply) -> String {
    if let Some((_, text)) = reply.text {
        return text;
    }
    if let Some(pour) = reply.pour {
        let mut text = Vec::new();
        // Memory takes everything; an answer that ends early is told by its end.
        let _ = pour.write(&mut text);
        return String::from_utf8_lossy(&text).into_owned();
    }
    if let Some((_, bytes)) = reply.file {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let mut body = reply.body;
    for (name, value) in reply.once {
        if let Some(map) = body.as_object_mut() {
            map.insert(name.to_owned(), value);
        }
    }
    if body.is_null() { String::new() } else { body.to_string() }
}

/// Lists the routes of the API, with what each takes.
pub(super) fn print_routes() -> Result<(), String> {
    let mut text = String::new();
    for route in admin::routes() {
        let access = match route.access {
            admin::Access::Open => "-".to_owned(),
            admin::Access::Known => "known".to_owned(),
            admin::Access::Any(permissions) => {
                permissions.iter().map(|permission| permission.name()).collect::<Vec<_>>().join("|")
            }
        };
        text.push_str(&format!("{:<7}{:<28}{:<28}{}\n", route.method, route.path, access, route.summary));
    }
    out::print(text.trim_end())
}
