//! A browser, as far as a sign-in needs one: it follows redirections, keeps cookies by host, and
//! fills in the two forms of the provider.

use super::*;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Where the hub says that it is; the browser knows that this is its admin listener.
pub const HUB: &str = "https://hub.test";

/// Cookies of the hub and of the provider.
#[derive(Default)]
pub struct Browser {
    hub: BTreeMap<String, String>,
    provider: BTreeMap<String, String>,
}

fn keep(jar: &mut BTreeMap<String, String>, answer: &Answer) {
    for (_, line) in answer.head.headers.iter().filter(|(name, _)| name == "set-cookie") {
        let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
        match line.to_lowercase().contains("max-age=0") || value.is_empty() {
            true => drop(jar.remove(name)),
            false => drop(jar.insert(name.to_owned(), value.to_owned())),
        }
    }
}

fn cookies(jar: &BTreeMap<String, String>) -> String {
    jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

impl Browser {
    /// A page of the hub.
    pub async fn hub(&mut self, hub: &Gateway, path: &str) -> Answer {
        let answer = hub.admin(&Request::get(path).header("cookie", &cookies(&self.hub))).await;
        keep(&mut self.hub, &answer);
        answer
    }

    /// Sends the form of a page of the hub.
    pub async fn sends(&mut self, hub: &Gateway, path: &str, form: String) -> Answer {
        let request = Request::new("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &cookies(&self.hub))
            .body(form);
        let answer = hub.admin(&request).await;
        keep(&mut self.hub, &answer);
        answer
    }

    /// The cookie of the session.
    pub fn session(&self) -> String {
        cookies(&self.hub)
    }

    /// Presses the button of a provider; where the browser is sent.
    pub async fn begin(&mut self, hub: &Gateway, id: &str) -> String {
        let answer = self.hub(hub, &format!("{ROOT}/sign-in/{id}?then=/console")).await.expect(302);
        answer.header("location").unwrap().to_owned()
    }

    /// Comes back from a provider.
    pub async fn come_back(&mut self, hub: &Gateway, url: &str) -> Answer {
        self.hub(hub, url.strip_prefix(HUB).unwrap()).await
    }

    /// Signs in at a provider and says yes to everything; where it sends the browser in the end.
    pub async fn at_provider(&mut self, url: &str, login: &str) -> String {
        let (host, mut path) = taken_apart(url);
        let address: SocketAddr = host.parse().unwrap();
        let mut form = None;
        for _ in 0..20 {
            let request = match form.take() {
                None => Request::get(&path),
                Some(text) => Request::new("POST", &path)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(text),
            };
            let request = request.header("cookie", &cookies(&self.provider));
            let mut client = client::Client::connect(address).await;
            client.send(&request).await;
            let answer = client.answer().await;
            keep(&mut self.provider, &answer);
            if let Some(next) = answer.header("location") {
                if next.starts_with(HUB) {
                    return next.to_owned();
                }
                path = if next.starts_with('/') { next.to_owned() } else { taken_apart(next).1 };
                continue;
            }
            let page = String::from_utf8_lossy(&answer.body).into_owned();
            let action = page.split("action=\"").nth(1).unwrap_or_else(|| panic!("no form: {answer:?}"));
            path = taken_apart(action.split('"').next().unwrap()).1;
            form = Some(match page.contains("value=\"consent\"") {
                true => "prompt=consent".to_owned(),
                false => format!("prompt=login&login={login}&password=any"),
            });
        }
        panic!("the provider never sends the browser back");
    }

    /// The whole way; the page at its end.
    pub async fn sign_in(&mut self, hub: &Gateway, id: &str, login: &str) -> Answer {
        let there = self.begin(hub, id).await;
        let back = self.at_provider(&there, login).await;
        self.come_back(hub, &back).await
    }

    /// Who the hub thinks it is.
    pub async fn me(&mut self, hub: &Gateway) -> Answer {
        self.hub(hub, &format!("{ROOT}/me")).await
    }
}

/// Host and path of a URL; a path alone stays one.
fn taken_apart(url: &str) -> (&str, String) {
    let Some(rest) = url.strip_prefix("http://") else { return ("", url.to_owned()) };
    let (host, path) = rest.split_once('/').unwrap();
    (host, format!("/{path}"))
}

/// A value of a URL's query, decoded.
pub fn asked(url: &str, name: &str) -> String {
    let query = url.split_once('?').unwrap().1;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(own, _)| *own == name).unwrap_or_else(|| panic!("no {name} in {url}")).1;
    percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned()
}
