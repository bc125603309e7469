//! The hub's configuration as a test says it. Every name of a configuration
//! key that more than one test needs stands here, once.

use super::upstream::{Upstream, bedrock, vendor};
use std::collections::BTreeMap;

/// The caller's secrets. Long and odd, so that a search for them finds nothing else.
pub const KEY: &str = "aigne-test-key-4f0c6a1b9d8e7f203142536475869708";
pub const SECOND_KEY: &str = "aigne-test-key-d41d8cd98f00b204e9800998ecf8427e";

/// One configured vendor.
#[derive(Clone)]
pub struct Provider {
    name: String,
    vendor: String,
    base_url: Option<String>,
    credentials: Vec<String>,
    lines: String,
    /// The credentials are pairs of AWS's keys.
    keys: bool,
}

impl Provider {
    /// With one credential, `a`.
    pub fn new(name: &str, base_url: &str) -> Self {
        Self {
            name: name.to_owned(),
            vendor: "openai-compatible".to_owned(),
            base_url: Some(base_url.to_owned()),
            credentials: vec!["a".to_owned()],
            lines: String::new(),
            keys: false,
        }
    }

    /// The hub's own simulated vendor, which needs no network.
    pub fn simulator(name: &str) -> Self {
        let simulator = "simulator".to_owned();
        Self { vendor: simulator, base_url: None, ..Self::new(name, "").credentials(&[]) }
    }

    pub fn of(name: &str, upstream: &Upstream) -> Self {
        Self::new(name, &upstream.base_url())
    }

    /// A vendor that speaks Anthropic's Messages.
    pub fn anthropic(name: &str, upstream: &Upstream) -> Self {
        Self { vendor: "anthropic".to_owned(), ..Self::of(name, upstream) }
    }

    /// A vendor that speaks Gemini's own dialect.
    pub fn gemini(name: &str, upstream: &Upstream) -> Self {
        Self { vendor: "gemini".to_owned(), ..Self::new(name, &upstream.root_url()) }
    }

    /// Bedrock, with a pair of keys.
    pub fn bedrock(name: &str, upstream: &Upstream) -> Self {
        let vendor = "bedrock".to_owned();
        let region = format!("region = {:?}", bedrock::REGION);
        Self { vendor, keys: true, ..Self::new(name, &upstream.root_url()) }.line(&region)
    }

    /// Bedrock, with a key that is sent as it is.
    pub fn bedrock_bearer(name: &str, upstream: &Upstream) -> Self {
        Self { keys: false, ..Self::bedrock(name, upstream) }
    }

    /// Of another vendor.
    pub fn vendor(self, vendor: &str) -> Self {
        Self { vendor: vendor.to_owned(), ..self }
    }

    /// Credentials by name; `a` and `b` are those that the scripted vendor knows.
    pub fn credentials(mut self, names: &[&str]) -> Self {
        self.credentials = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// One more line of the provider's table.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    fn variable(&self, credential: &str) -> String {
        format!("{}_KEY_{}", self.name.to_uppercase(), credential.to_uppercase())
    }

    fn toml(&self) -> String {
        let mut text = format!("[[provider]]\nname = {:?}\nvendor = {:?}\n", self.name, self.vendor);
        if let Some(base_url) = &self.base_url {
            text.push_str(&format!("base_url = {base_url:?}\n"));
        }
        let row = |name: &String| match (self.keys, self.variable(name)) {
            (false, variable) => format!("{{ name = {name:?}, env = {variable:?} }}"),
            (true, variable) => format!(
                "{{ name = {name:?}, access_key_id = \"{}{name}\", secret_access_key = {{ env = {variable:?} }} }}",
                bedrock::KEY_ID
            ),
        };
        let credentials: Vec<_> = self.credentials.iter().map(row).collect();
        if !credentials.is_empty() {
            text.push_str(&format!("credentials = [{}]\n", credentials.join(", ")));
        }
        text.push_str(&self.lines);
        text
    }
}

/// A configuration in the making.
#[derive(Clone)]
pub struct Conf {
    providers: Vec<Provider>,
    models: String,
    key_lines: String,
    /// Lines of single tables, by their name.
    settings: BTreeMap<String, String>,
    sections: String,
    files: Vec<(String, String)>,
    variables: Vec<(String, String)>,
}

impl Conf {
    /// One provider `mock`, one model `gpt` on it, one key `test` of tenant `acme`.
    pub fn one(upstream: &Upstream) -> Self {
        Self::of([Provider::of("mock", upstream)])
    }

    /// These providers; the model `gpt` is the first one's `gpt-4o`.
    pub fn of(providers: impl IntoIterator<Item = Provider>) -> Self {
        Self {
            providers: providers.into_iter().collect(),
            models: String::new(),
            key_lines: String::new(),
            settings: BTreeMap::new(),
            sections: String::new(),
            files: Vec::new(),
            variables: Vec::new(),
        }
        // A back-off that is long enough to be one, and too short to be felt.
        .set("retry", "base_back_off = \"1ms\"")
        .set("retry", "max_back_off = \"2ms\"")
        .set("discover", "environment = false")
        .set("public", "listen = [\"127.0.0.1:0\"]")
        .set("admin", "listen = \"127.0.0.1:0\"")
    }

    /// A model with its targets and fallbacks, instead of the one that is there by default.
    pub fn model(mut self, name: &str, targets: &[&str], fallback: &[&str]) -> Self {
        let targets: Vec<_> = targets.iter().map(|model| format!("{{ model = {model:?} }}")).collect();
        self.models.push_str(&format!(
            "[[model]]\nname = {name:?}\ntargets = [{}]\nfallback = {fallback:?}\n",
            targets.join(", ")
        ));
        self
    }

    /// One more line for the model that was added last.
    pub fn model_line(mut self, line: &str) -> Self {
        self.models.push_str(line);
        self.models.push('\n');
        self
    }

    /// One more line for the key `test`.
    pub fn key_line(mut self, line: &str) -> Self {
        self.key_lines.push_str(line);
        self.key_lines.push('\n');
        self
    }

    /// A second key.
    pub fn second_key(self, id: &str, tenant: &str) -> Self {
        self.section(&format!(
            "[[key]]\nid = {id:?}\ntenant = {tenant:?}\nsecret = {{ env = \"HUB_SECOND_KEY\" }}"
        ))
    }

    /// One line of a single table: `set("cache", "ttl = \"1h\"")`.
    pub fn set(mut self, table: &str, line: &str) -> Self {
        let lines = self.settings.entry(table.to_owned()).or_default();
        lines.push_str(line);
        lines.push('\n');
        self
    }

    /// A price for the model of the scripted vendor: 2.50 in and 10 out per million tokens.
    pub fn priced(self) -> Self {
        let row = "[[price]]\nprovider = \"mock\"\nmodel = \"gpt-4o\"\nvalid_from = \"2020-01-01\"\n\
                   input = \"2.50\"\noutput = \"10\"\n";
        self.file("prices.toml", row).set("prices", "files = [\"prices.toml\"]")
    }

    /// A file beside the configuration.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Files beside the configuration.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// Whole tables, as text.
    pub fn section(mut self, text: &str) -> Self {
        self.sections.push_str(text);
        self.sections.push('\n');
        self
    }

    /// One more environment variable for the hub's process.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The file's text; `directory` is where the hub keeps its data.
    pub fn toml(&self, directory: &str) -> String {
        let mut text = format!("[data]\ndir = {directory:?}\n\n");
        for (table, lines) in &self.settings {
            text.push_str(&format!("[{table}]\n{lines}\n"));
        }
        for provider in &self.providers {
            text.push_str(&provider.toml());
        }
        match (self.models.as_str(), self.providers.first()) {
            ("", Some(first)) => text.push_str(&format!(
                "[[model]]\nname = \"gpt\"\ntargets = [{{ model = \"{}/gpt-4o\" }}]\n",
                first.name
            )),
            (models, _) => text.push_str(models),
        }
        text.push_str("\n[[key]]\nid = \"test\"\ntenant = \"acme\"\nsecret = { env = \"HUB_KEY\" }\n");
        text.push_str(&self.key_lines);
        text.push('\n');
        text.push_str(&self.sections);
        text
    }

    /// The environment of the hub's process: secrets are handed over here and nowhere else.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut all = vec![
            ("HUB_KEY".to_owned(), KEY.to_owned()),
            ("HUB_SECOND_KEY".to_owned(), SECOND_KEY.to_owned()),
        ];
        for provider in &self.providers {
            for credential in &provider.credentials {
                let known =
                    vendor::CREDENTIALS.iter().find(|known| known.ends_with(&format!("-{credential}")));
                let secret =
                    known.map_or_else(|| format!("sk-mock-unknown-{credential}"), |k| (*k).to_owned());
                all.push((provider.variable(credential), secret));
            }
        }
        all.extend(self.variables.clone());
        all
    }
}
