//! Regions, and AWS's pairs of keys.

use super::*;

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIACANARY"), ("AWS_SECRET_ACCESS_KEY", "canary/secret")];
const BEDROCK: &str = "[[provider]]\nvendor = \"bedrock\"\n";

fn resolve_with<const N: usize>(variables: [(&str, &str); N], text: &str) -> Result<Arc<Snapshot>, Problems> {
    let environment = Environment::of(variables);
    let registry = registry();
    let inputs = Inputs {
        environment: &environment,
        registry: &registry,
        stored: &[],
        pepper: &[7; 32],
        prices: &[],
        read_prices: |_, _| Ok(Vec::new()),
    };
    Document::parse("hub.toml", Path::new(""), text).resolve(&inputs)
}

fn told<const N: usize>(variables: [(&str, &str); N], text: &str) -> Vec<String> {
    let Err(problems) = resolve_with(variables, text) else { return Vec::new() };
    let shown = problems.to_string();
    assert!(!shown.contains("canary") && !shown.contains("CANARY"), "{shown}");
    shown.lines().map(str::to_owned).collect()
}

#[test]
fn keys_of_the_environment_are_there_with_their_region_only() {
    let [id, secret] = KEYS;
    let found =
        |variables: [(&str, &str); 3]| resolve_with(variables, "").unwrap().providers.get("bedrock").cloned();
    let aws = found([id, secret, ("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap();
    assert_eq!(aws.base.host, "bedrock-runtime.eu-west-1.amazonaws.com");
    assert!(aws.credentials[0].aws.is_some() && aws.credentials[0].secret.is_none());
    let china = found([id, secret, ("AWS_REGION", "cn-north-1")]).unwrap();
    assert_eq!(china.base.host, "bedrock-runtime.cn-north-1.amazonaws.com.cn");
    // Keys may be there for other purposes; that is no mistake.
    assert!(found([id, secret, ("OTHER", "x")]).is_none());
    assert!(found([id, ("OTHER", "x"), ("AWS_REGION", "eu-west-1")]).is_none());
    let bearer = found([id, ("AWS_BEARER_TOKEN_BEDROCK", "canary"), ("AWS_REGION", "eu-west-1")]).unwrap();
    assert!(bearer.credentials[0].aws.is_none() && bearer.credentials[0].secret.is_some());
}

#[test]
fn the_region_is_written_or_in_the_host_or_in_the_environment() {
    let [id, secret] = KEYS;
    let region = |text: &str, around: &str| {
        let snapshot =
            resolve_with([id, secret, ("AWS_REGION", around)], &format!("{BEDROCK}{text}")).unwrap();
        let aws = snapshot.providers["bedrock"].credentials[0].aws.as_ref().map(|keys| format!("{keys:?}"));
        aws.unwrap()
    };
    assert_eq!(region("", "eu-west-1"), "AwsKeys(…, eu-west-1)");
    assert_eq!(region("region = \"us-west-2\"", "eu-west-1"), "AwsKeys(…, us-west-2)");
    let host = "base_url = \"https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com\"";
    assert_eq!(region(host, "eu-west-1"), "AwsKeys(…, us-gov-west-1)");
    assert_eq!(region("base_url = \"http://127.0.0.1:9\"", "eu-west-1"), "AwsKeys(…, eu-west-1)");
}

#[test]
fn everything_that_is_wrong_with_keys_is_told_at_once() {
    let [id, secret] = KEYS;
    for (text, expected) in [
        ("", "hub.toml:1: provider[0].region: is missing, and AWS_REGION is not set"),
        ("region = \"US East\"", "hub.toml:3: provider[0].region: is no region"),
        (
            "region = \"us-east-1\"\ncredentials = [{ access_key_id = \"A\" }]",
            "hub.toml:4: provider[0].credentials[0].secret_access_key: is missing",
        ),
        (
            "region = \"us-east-1\"\ncredentials = [{ env = \"AWS_ACCESS_KEY_ID\", access_key_id = \"A\", \
             secret_access_key = { env = \"AWS_SECRET_ACCESS_KEY\" } }]",
            "hub.toml:4: provider[0].credentials[0]: names both a secret and a pair of keys",
        ),
        (
            "region = \"us-east-1\"\ncredentials = [{ access_key_id = \"a b\", \
             secret_access_key = { env = \"AWS_SECRET_ACCESS_KEY\" } }]",
            "hub.toml:4: provider[0].credentials[0]: has characters that no header may have",
        ),
        (
            "region = \"us-east-1\"\ncredentials = [{ access_key_id = \"A\", secret_access_key = \"canary\" }]",
            "hub.toml:4: provider[0].credentials[0].secret_access_key: expected a table",
        ),
        (
            "base_url = \"http://127.0.0.1:9\"\ncredentials = [{ access_key_id = \"A\", \
             secret_access_key = { env = \"AWS_SECRET_ACCESS_KEY\" } }]",
            "hub.toml:4: provider[0].credentials[0]: signs for a region",
        ),
    ] {
        let told = told([id, secret], &format!("{BEDROCK}{text}"));
        assert!(told.iter().any(|line| line.starts_with(expected)), "{expected}: {told:#?}");
    }
    let openai = "[[provider]]\nvendor = \"openai\"\nregion = \"us-east-1\"\ncredentials = [{ access_key_id = \"A\", \
                  secret_access_key = { env = \"AWS_SECRET_ACCESS_KEY\" } }]";
    let told = told([id, secret], openai);
    assert!(told[0].contains("means nothing to vendor openai"), "{told:#?}");
    assert!(told[1].contains("which vendor openai does not take"), "{told:#?}");
}
