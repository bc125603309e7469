//! What the hub before this one knew, taken over from a database in its form, whose secrets were
//! encrypted by Node and not by this hub.

use super::control::{Api, ROOT, on_line, text};
use super::sdk::installed;
use super::support::*;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};

const WORDS: [&str; 2] = ["old-encryption-key-0123456789", "zNKoldHubDid"];
const SECRETS: [&str; 3] = ["sk-import-canary-1", "sk-import-canary-2", "aws+secret/canary=4"];

fn conf() -> Conf {
    Conf::of([Provider::simulator("mock")])
        .variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32))
        .variable("BLOCKLET_APP_EK", WORDS[0])
        .variable("BLOCKLET_DID", WORDS[1])
}

/// Makes the old database in a hub's folder.
fn database(hub: &Gateway) -> PathBuf {
    let script = installed("tests/sdk/node/seal.mjs");
    let output = Command::new("node").arg(script).args(WORDS).args(SECRETS).output().unwrap();
    assert!(output.status.success());
    let sealed = String::from_utf8(output.stdout).unwrap();
    let mut sql = include_str!("import/aikit.sql").to_owned();
    for (at, sealed) in sealed.lines().enumerate() {
        sql = sql.replace(&format!("${}", at + 1), sealed);
    }
    let path = hub.home().config().with_file_name("aikit.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    path
}

async fn import(hub: &Gateway, arguments: &[&str]) -> Output {
    let path = hub.home().config().with_file_name("aikit.db");
    let mut all = vec!["import", path.to_str().unwrap()];
    all.extend(arguments);
    on_line(hub, &all).await
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn an_old_hub_is_taken_over_once() {
    let hub = Gateway::start(&conf()).await;
    database(&hub);
    let api = Api::operator(&hub);
    let everything = async || {
        let mut all = Vec::new();
        for path in ["/providers", "/credentials", "/imported-calls", "/audit?action=history.import"] {
            all.push(api.get(path).await["items"].clone());
        }
        all
    };
    let before = everything().await;
    let dry = import(&hub, &[]).await;
    let told = said(&dry);
    assert!(dry.status.success(), "{told}");
    for expected in [
        "new       provider openai",
        "new       credential openai/Main-key ",
        "new       credential openai/Main-key-201",
        "new       price of openai/house-model-1 [(\"input\", \"2.5\"), (\"output\", \"10\")]",
        "there     price of openai/gpt-4o-mini",
        "left out  provider ideogram: this hub knows no such vendor",
        "left out  credential deepseek/other-words: cannot be decrypted",
        "left out  credential deepseek/strange: is of the type custom",
        "left out  price of openai/house-free",
        "note      credential anthropic/plain: its secret was stored without encryption",
        "in all: 4 providers, 4 credentials and 1 prices to make",
        "history: 3 calls to take over, 1 cannot be read",
        "nothing has been changed",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(everything().await, before, "a dry run changes nothing");

    let done = import(&hub, &["--apply"]).await;
    let told = said(&done);
    assert!(
        done.status.success() && told.contains("made: 4 providers and 4 credentials, 0 refused"),
        "{told}"
    );
    assert!(told.contains("history: 3 calls taken over, 0 were there already, 1 cannot be read"), "{told}");
    assert!(told.contains("1 rows are in imported-prices.toml"), "{told}");
    let after = everything().await;
    let of = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone()
    };
    let bedrock = of(&after[0], "bedrock");
    assert_eq!((text(&bedrock, "region"), &bedrock["base_url"]), ("eu-central-1", &Value::Null));
    assert_eq!(of(&after[0], "anthropic")["base_url"], "https://proxy.example.com/anthropic");
    assert_eq!(of(&after[0], "anthropic")["enabled"], false);
    assert_eq!(of(&after[0], "openai")["base_url"], Value::Null, "the vendor's own");
    let aws = of(&after[1], "AWS");
    assert_eq!((text(&aws, "type"), text(&aws, "masked")), ("access_key_pair", "…UB"));
    assert_eq!(of(&after[1], "Main-key-201")["enabled"], false);
    assert_eq!(api.get("/left-out").await["items"], json!([]), "everything is in force");

    let again = import(&hub, &["--apply"]).await;
    let told = said(&again);
    assert!(again.status.success() && told.contains("made: 0 providers and 0 credentials"), "{told}");
    assert!(told.contains("0 calls taken over, 3 were there already"), "{told}");
    assert_eq!(everything().await, after, "a second run changes nothing");

    let list = api.get("/imported-calls?limit=2").await;
    let ids: Vec<&str> = list["items"].as_array().unwrap().iter().map(|call| text(call, "id")).collect();
    assert_eq!(ids, ["400", "401"]);
    assert_eq!(
        (text(&list["items"][0], "credits"), &list["items"][0]["metrics"]["inputTokens"]),
        ("0.00027", &json!(1000))
    );
    let next = api.get(&format!("/imported-calls?limit=2&after={}", text(&list, "next"))).await;
    assert_eq!((text(&next["items"][0], "error"), &next["next"]), ("Rate Limit Exceeded", &Value::Null));
    let sum =
        api.get("/imported-calls/summary?by=user&from=2025-01-01T00:00:00Z&to=2025-01-02T00:00:00Z").await;
    assert_eq!(
        sum["items"],
        json!([{ "group": "zAnn", "calls": 1, "failed": 0, "usage": "1200", "credits": "0.00027" }])
    );

    // The books know nothing of it, and stay provable; no secret is anywhere in clear.
    let mut everywhere = vec![told, hub.said(), api.get("/audit?limit=1000").await.to_string()];
    let home = hub.home();
    hub.stop().await;
    let verified = home.run(&["ledger", "verify"]).await;
    assert!(verified.status.success(), "{}", said(&verified));
    everywhere.push(said(&verified));
    for secret in SECRETS.iter().chain(&["sk-plain-canary-3"]) {
        assert!(everywhere.iter().all(|text| !text.contains(secret)), "{secret}");
    }
}

#[tokio::test]
async fn what_is_in_the_way_is_told_and_the_wrong_words_open_nothing() {
    let hub = Gateway::start(&conf()).await;
    database(&hub);
    let api = Api::operator(&hub);
    let other =
        json!({ "name": "openai", "vendor": "openai-compatible", "base_url": "http://127.0.0.1:9/v1" });
    api.make("/providers", other).await;
    let output = import(&hub, &["--did", "another"]).await;
    let told = said(&output);
    assert!(told.contains("conflict  provider openai: there is another one of this name"), "{told}");
    assert!(told.contains("left out  credential bedrock/AWS: cannot be decrypted"), "{told}");
    let applied = import(&hub, &["--apply", "--without-history"]).await;
    assert!(
        !applied.status.success() && said(&applied).contains("1 things were not taken over"),
        "{}",
        said(&applied)
    );
    assert_eq!(api.get("/imported-calls").await["items"], json!([]));
    // A program whose file is something else is told so.
    let no_database = hub.home().run(&["import", hub.home().config().to_str().unwrap()]).await;
    assert!(
        !no_database.status.success() && said(&no_database).contains("not a database"),
        "{}",
        said(&no_database)
    );
    hub.admin(&Request::get(&format!("{ROOT}/imported-calls"))).await.expect(401);
}
