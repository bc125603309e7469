//! Whole files: what is told about wrong ones, and what right ones become.

mod aws;
mod problems;
mod reload;

use super::*;
use crate::limit::Spent;
use crate::route::HealthPolicy;
use crate::types::{KeyId, Op};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// Variables that every test may use.
fn environment() -> Environment {
    Environment::of([
        ("TEAM_A_KEY", "aigne_canary_0123456789"),
        ("TEAM_B_KEY", "aigne_canary_9876543210"),
        ("OPENAI_KEY_ONE", "sk-canary-one"),
        ("EXTRA_TOKEN", "canary-extra"),
        ("HUB_PEPPER", "canary-0123456789-0123456789-0123456789"),
        ("PROXY_AUTHORIZATION", "Basic canary"),
        ("SHORT", "canary"),
        ("LENT_ID", "ASIACANARY"),
        ("SMTP_PASSWORD", "mail-canary"),
        ("OIDC_SECRET", "oidc-canary"),
        ("LENT_SECRET", "canary/lent"),
        ("LENT_TOKEN", "canary-token"),
        ("STRIPE_SECRET_KEY", "sk_canary"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_canary"),
        ("PAYMENT_KIT_KEY", "canary-kit"),
        ("PAYMENT_KIT_SIGNS", "canary-signs"),
        ("CREDITS_SIGNED_WITH", "canary-credits"),
    ])
}

fn registry() -> Registry {
    registry_with(HashMap::new())
}

fn registry_with(spent: HashMap<KeyId, Spent>) -> Registry {
    let policy = HealthPolicy {
        breaker_faults: 5,
        base_pause: Duration::from_secs(1),
        max_pause: Duration::from_secs(60),
        default_cool_down: Duration::from_secs(5),
        base_recheck: Duration::from_secs(30),
        max_recheck: Duration::from_secs(1800),
    };
    Registry::new(policy, spent)
}

fn resolve_in(folder: &Path, text: &str, registry: &Registry) -> Result<Arc<Snapshot>, Problems> {
    resolve_with(&environment(), (folder, text), registry)
}

/// What a file with these variables becomes; for tests of what runs on a snapshot.
pub(crate) fn resolved(environment: &Environment, text: &str) -> Arc<Snapshot> {
    let snapshot = resolve_with(environment, (Path::new("/nowhere"), text), &registry());
    snapshot.unwrap_or_else(|problems| panic!("{problems}"))
}

fn resolve_with(
    environment: &Environment,
    (folder, text): (&Path, &str),
    registry: &Registry,
) -> Result<Arc<Snapshot>, Problems> {
    let inputs = Inputs {
        environment,
        registry,
        extra: &Extra::default(),
        pepper: &[7; 32],
        prices: &[],
        read_prices: |name, text| match text {
            "wrong" => Err(vec![format!("{name}:1: no price")]),
            _ => Ok(Vec::new()),
        },
    };
    Document::parse("hub.toml", folder, text).resolve(&inputs)
}

fn resolve(text: &str) -> Result<Arc<Snapshot>, Problems> {
    resolve_in(Path::new("/nowhere"), text, &registry())
}

fn snapshot(text: &str) -> Arc<Snapshot> {
    resolve(text).unwrap_or_else(|problems| panic!("{problems}"))
}

const ECHO: &str = "[[provider]]\nvendor = \"simulator\"\n";

#[test]
fn the_example_is_what_runs_without_a_file() {
    let snapshot = snapshot(EXAMPLE);
    assert_eq!(snapshot.public.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(snapshot.admin.listen, "127.0.0.1:8081".parse().unwrap());
    assert!(snapshot.model("echo").unwrap().targets[0].provider.vendor.simulated);
    let mut names: Vec<&str> = snapshot.providers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ollama", "ollama-native", "simulator"]);
}

/// The example with every comment that is configuration switched on.
fn whole_example() -> String {
    let switched = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') || rest.starts_with("  {") => rest.to_owned(),
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(switched).collect::<Vec<_>>().join("\n")
}

/// A folder with every file that the example mentions.
fn whole_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tls", "secrets", "prices", "lua-free-rules"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("tls/hub.crt", &made.cert.pem());
    write("tls/ca.crt", &made.cert.pem());
    write("tls/hub.key", &made.signing_key.serialize_pem());
    write("secrets/openai-two", "sk-canary-two\n");
    write("secrets/aws", "canary/own\n");
    folder
}

#[test]
fn the_example_with_everything_switched_on_is_right() {
    let folder = whole_folder();
    let snapshot = resolve_in(folder.path(), &whole_example(), &registry()).unwrap_or_else(|p| panic!("{p}"));
    let provider = &snapshot.providers["openai-eu"];
    assert_eq!(provider.credentials.len(), 2);
    assert_eq!(provider.credentials[1].secret.as_ref().unwrap().expose(), "sk-canary-two");
    assert_eq!(provider.clocks.response_header, Duration::from_secs(600));
    assert_eq!(provider.clocks.idle, Duration::from_secs(120));
    assert_eq!(provider.connect_proxy.as_ref().unwrap().port, 3128);
    let aws = &snapshot.providers["bedrock"];
    assert_eq!(aws.base.host, "bedrock-runtime.us-east-1.amazonaws.com");
    assert!(
        aws.credentials.iter().all(|c| c.secret.is_none() && c.aws.is_some()) && aws.credentials.len() == 2
    );
    let smart = snapshot.model("smart").unwrap();
    assert_eq!(smart.targets.iter().map(|t| t.weight).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(smart.clocks.unwrap().first_token, Duration::from_secs(30));
    assert_eq!(snapshot.callers.len(), 1);
    assert!(snapshot.public.tls.is_some());
    assert!(snapshot.watched.contains(&folder.path().join("prices")));
}

/// Everything that the example shows as a default is one: switching those
/// sections on changes nothing.
#[test]
fn the_defaults_that_the_example_shows_are_the_defaults() {
    let text = whole_example();
    let section = |name: &str| {
        let from = text.find(&format!("[{name}]")).unwrap();
        let rest = &text[from..];
        rest[..rest.find("\n\n").unwrap_or(rest.len())].to_owned()
    };
    let sections = ["bounds", "timeouts", "retry", "cache", "ledger", "health", "shutdown", "discover"];
    let shown = snapshot(&sections.map(section).join("\n"));
    let silent = snapshot("");
    assert_eq!(shown.bounds, silent.bounds);
    assert_eq!(shown.cache, silent.cache);
    assert_eq!(shown.ledger, silent.ledger);
    assert_eq!(shown.shutdown, silent.shutdown);
    assert_eq!(shown.unpriced, silent.unpriced);
    assert_eq!(format!("{:?}", shown.health), format!("{:?}", silent.health));
    assert!(shown.needs_restart(&silent).is_empty());
}

#[test]
fn the_schema_file_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/hub.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == schema, "conf/hub.schema.json is old; run this test with UPDATE_SCHEMA=1");
}

#[test]
fn vendors_of_the_environment_are_there_without_being_written() {
    let registry = registry();
    let resolve = |text: &str| {
        let environment = Environment::of([("DOUBAO_API_KEY", "k1"), ("OLLAMA_HOST", "box")]);
        let inputs = Inputs {
            environment: &environment,
            registry: &registry,
            extra: &Extra::default(),
            pepper: &[7; 32],
            prices: &[],
            read_prices: |_, _| Ok(Vec::new()),
        };
        Document::parse("hub.toml", Path::new(""), text).resolve(&inputs).unwrap()
    };
    let found = resolve("");
    let doubao = &found.providers["doubao"];
    assert_eq!(doubao.credentials[0].secret.as_ref().unwrap().expose(), "k1");
    assert_eq!(doubao.credentials[0].id.as_str(), "doubao/default");
    assert_eq!(
        (found.providers["ollama"].base.host.as_str(), found.providers["ollama"].base.port),
        ("box", 11434)
    );
    assert!(!found.providers.contains_key("openai"));
    assert!(!found.providers.contains_key("simulator"), "only a file brings the simulator");

    assert!(resolve("[discover]\nenvironment = false").providers.is_empty());
    let replaced = resolve("[[provider]]\nvendor = \"doubao\"\nbase_url = \"http://127.0.0.1:1\"");
    assert_eq!(replaced.providers["doubao"].base.port, 1);
    let disabled = resolve("[[provider]]\nvendor = \"doubao\"\nenabled = false");
    assert!(!disabled.providers.contains_key("doubao"));
}

#[test]
fn a_model_is_found_by_name_or_by_provider_and_model() {
    let snapshot = snapshot(&format!(
        "{ECHO}\n[[provider]]\nname = \"listed\"\nvendor = \"simulator\"\nmodels = [\"a/b\", \"c\"]\n\
         [[model]]\nname = \"fast\"\ntargets = [\"listed/a/b\"]\n\
         [[model]]\nname = \"simulator/own\"\ntargets = [\"listed/c\"]"
    ));
    let upstream = |name: &str| snapshot.model(name).map(|m| m.targets[0].upstream_model.to_string());
    assert_eq!(upstream("fast").as_deref(), Some("a/b"));
    assert_eq!(upstream("simulator/x/y:z").as_deref(), Some("x/y:z"));
    assert_eq!(upstream("listed/a/b").as_deref(), Some("a/b"));
    assert_eq!(upstream("simulator/own").as_deref(), Some("c"), "a declared model wins");
    for unknown in ["", "/", "c", "x/y", "listed/d", "simulator/", "simulator/a b"] {
        assert!(snapshot.model(unknown).is_none(), "{unknown:?}");
    }
    assert_eq!(snapshot.model_names(), ["fast", "listed/a/b", "listed/c", "simulator/own"]);
}

#[test]
fn a_model_named_by_its_provider_is_built_once() {
    let snapshot = snapshot(ECHO);
    let first = snapshot.model("simulator/x").unwrap();
    assert!(Arc::ptr_eq(&first, &snapshot.model("simulator/x").unwrap()));
}

#[test]
fn names_that_callers_make_up_do_not_fill_the_memory() {
    let snapshot = snapshot(ECHO);
    for n in 0..10_050 {
        assert!(snapshot.model(&format!("simulator/{n}")).is_some());
    }
    assert!(snapshot.ad_hoc.len() <= 10_000);
}

#[test]
fn a_target_of_a_provider_that_is_switched_off_is_left_out() {
    let snapshot = snapshot(&format!(
        "{ECHO}\n[[provider]]\nname = \"off\"\nvendor = \"openai\"\nenabled = false\n\
         [[model]]\nname = \"m\"\ntargets = [\"off/x\", \"simulator/y\"]"
    ));
    assert_eq!(snapshot.model("m").unwrap().targets.len(), 1);
    assert!(snapshot.model("off/x").is_none());
}

#[test]
fn a_key_of_the_file_is_found_by_its_secret_and_keeps_it_to_itself() {
    let text =
        "[[key]]\nid = \"a\"\nsecret = { env = \"TEAM_A_KEY\" }\nday_cost = \"1.5\"\ncache_ttl = \"0s\"";
    let snapshot = snapshot(text);
    let caller = snapshot.callers.find(&snapshot.pepper.hash("aigne_canary_0123456789")).unwrap();
    assert_eq!(
        (caller.key.id.as_str(), caller.key.tenant.as_str(), &*caller.key.name),
        ("a", "default", "a")
    );
    assert_eq!(&*caller.key.prefix, "aigne_c");
    assert_eq!(caller.limits.day_cost, Some(crate::types::Pico(1_500_000_000_000)));
    assert!(caller.cache.is_some_and(|policy| !policy.enabled));
    assert!(!format!("{:?}", caller.key).contains("canary"));
}

#[test]
fn a_connection_is_the_same_only_when_all_about_it_is() {
    let hash = |more: &str| {
        let text = format!("[[provider]]\nname = \"p\"\nvendor = \"openai-compatible\"\n{more}");
        snapshot(&text).providers["p"].connection_hash
    };
    let base = "base_url = \"http://h/v1\"\n";
    assert_eq!(hash(base), hash(&format!("{base}affinity = false")));
    for other in [
        "base_url = \"http://h2/v1\"",
        "base_url = \"http://h/v1\"\nhttp2 = \"always\"",
        "base_url = \"http://h/v1\"\nverify_certificate = false",
        "base_url = \"http://h/v1\"\nconnect_proxy = \"http://p:1\"",
    ] {
        assert_ne!(hash(base), hash(other), "{other}");
    }
}

#[test]
fn a_header_from_the_environment_is_marked_as_a_secret() {
    let text = "[[provider]]\nname = \"p\"\nvendor = \"openai-compatible\"\nbase_url = \"http://h\"\n\
                headers = { X-Api-Key = { env = \"EXTRA_TOKEN\" }, X-Team = \"a\" }";
    let snapshot = snapshot(text);
    let headers = &snapshot.providers["p"].headers;
    let marked: Vec<(&str, bool)> = headers.iter().map(|(n, v)| (n.as_str(), v.is_sensitive())).collect();
    assert_eq!(marked, [("x-api-key", true), ("x-team", false)]);
}

#[test]
fn what_is_needed_before_the_store_is_open_needs_no_store() {
    let document =
        Document::parse("hub.toml", Path::new("/srv"), "[data]\ndir = \"books\"\n[ledger]\nstrict = true");
    let boot = document.boot(&environment()).unwrap();
    assert_eq!(boot.data_dir, Path::new("/srv/books"));
    assert!(boot.ledger.strict);
}

#[test]
fn every_vendor_can_be_configured() {
    for vendor in crate::provider::VENDORS {
        let text = format!(
            "[[provider]]\nname = \"p\"\nvendor = \"{}\"\nbase_url = \"http://h/v1\"\ncredentials = [{{ env = \"SHORT\" }}]",
            vendor.name
        );
        assert!(snapshot(&text).providers["p"].vendor.path(Op::Chat).is_some());
    }
}
