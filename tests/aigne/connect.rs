//! The command line gets a key: it asks, an operator approves, and nobody else
//! learns anything.

use super::super::commands::settle_admin;
use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::process::Command;

const SESSION: &str = "/.well-known/service/api/access-key/session";

async fn begin(hub: &Gateway) -> String {
    let begun = hub.call(&Request::new("POST", SESSION).body("")).await.expect(200);
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    begun.json()["id"].as_str().unwrap().to_owned()
}

fn look(id: &str) -> Request {
    Request::get(&format!("{SESSION}?sid={id}")).header("X-Request-Count", "0")
}

/// The page that the user's browser is sent to, and the code on it.
async fn code(hub: &Gateway, id: &str) -> String {
    let token = URL_SAFE_NO_PAD.encode(id);
    let path = format!(
        "/.well-known/service/gen-simple-access-key?__token__={token}&source=@aigne/cli%20connect&closeOnSuccess=true"
    );
    let page = hub.call(&Request::get(&path)).await.expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = raw(&page);
    let (_, rest) = text.split_once("<strong>").unwrap();
    rest.split_once("</strong>").unwrap().0.to_owned()
}

/// What the command line makes of the granted answer, by its own way of decrypting.
fn decrypted(granted: &Value) -> String {
    const SCRIPT: &str = "
        const { pbkdf2Sync, createHash, createDecipheriv } = require('node:crypto');
        const [challenge, id, sealed] = process.argv.slice(1);
        const pass = pbkdf2Sync(challenge, id, 256, 32, 'sha512').toString('hex');
        const bytes = Buffer.from(sealed, 'base64');
        let derived = Buffer.alloc(0), last = Buffer.alloc(0);
        while (derived.length < 48) {
          last = createHash('md5').update(Buffer.concat([last, Buffer.from(pass), bytes.subarray(8, 16)])).digest();
          derived = Buffer.concat([derived, last]);
        }
        const open = createDecipheriv('aes-256-cbc', derived.subarray(0, 32), derived.subarray(32));
        process.stdout.write(Buffer.concat([open.update(bytes.subarray(16)), open.final()]).toString());
    ";
    let text = |field: &str| granted[field].as_str().unwrap().to_owned();
    let mut command = Command::new("node");
    command.args(["-e", SCRIPT, "--", &text("challenge"), &text("accessKeyId"), &text("accessKeySecret")]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn hub() -> (Upstream, Gateway) {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream);
    let hub = Gateway::start(&conf).await;
    settle_admin(&hub, &conf);
    (upstream, hub)
}

/// A request of an operator's.
fn operator(hub: &Gateway, method: &str, path: &str, body: &str) -> Request {
    let token = std::fs::read_to_string(hub.home().data().join("admin.token")).unwrap();
    Request::new(method, path).key(token.trim()).body(body.to_owned())
}

#[tokio::test]
async fn an_operator_approves_and_the_program_has_a_key() {
    let (_upstream, hub) = hub().await;
    let id = begin(&hub).await;
    let pending = hub.call(&look(&id)).await.expect(200).json();
    assert_eq!(pending["id"], json!(id));
    assert!(pending["challenge"].is_string() && pending.get("accessKeySecret").is_none(), "{pending}");
    let code = code(&hub, &id).await;

    let listed = hub.home().run(&["connect", "list"]).await;
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&code), "{listed:?}");
    let approved = hub.home().run(&["connect", "approve", &code.to_lowercase(), "--name", "laptop"]).await;
    assert!(approved.status.success(), "{approved:?}");
    let shown = String::from_utf8_lossy(&approved.stdout).into_owned();
    assert!(shown.contains("laptop") && !shown.contains("secret"), "{shown}");

    // The client looks once more after it has seen the key, and then ends the session.
    let granted = hub.call(&look(&id)).await.expect(200).json();
    assert_eq!(hub.call(&look(&id)).await.expect(200).json(), granted);
    let secret = decrypted(&granted);
    assert!(secret.starts_with("aigne_") && !secret.contains('.'), "a key as the hub makes them");
    let request = Request::get("/api/user/info").key(&secret);
    assert_eq!(hub.call(&request).await.expect(200).json()["user"]["fullName"], "laptop");
    let end = Request::new("DELETE", &format!("{SESSION}?sid={id}"));
    assert_eq!(hub.call(&end).await.expect(200).json(), json!({}));
    hub.call(&look(&id)).await.expect(400);
    assert!(!hub.said().contains(&secret) && !hub.said().contains(&id));
}

#[tokio::test]
async fn a_code_grants_once_and_only_to_operators() {
    let (_upstream, hub) = hub().await;
    let id = begin(&hub).await;
    let code = code(&hub, &id).await;
    let path = format!("/admin/connect/{code}");
    let mut stranger = Client::connect(hub.admin).await;
    stranger.send(&Request::new("POST", &path).body("{}")).await;
    stranger.answer().await.expect(401);
    // Nor is it a path of the public listener.
    hub.call(&Request::new("POST", &path).key(KEY).body("{}")).await.expect(404);
    hub.admin(&operator(&hub, "POST", &path, "{\"month_cost\":\"5\"}")).await.expect(201);
    hub.admin(&operator(&hub, "POST", &path, "{}")).await.expect(404);
    hub.admin(&operator(&hub, "POST", "/admin/connect/AAAA-0000", "{}")).await.expect(404);
    hub.admin(&operator(&hub, "POST", "/admin/connect/x", "{}")).await.expect(404);
    let keys = hub.admin(&operator(&hub, "GET", "/api/admin/v1/keys", "")).await.json();
    let made = keys["items"].as_array().unwrap().iter().filter(|key| key["source"] != "file");
    assert_eq!(made.count(), 1, "what was refused made no key: {keys}");
}

#[tokio::test]
async fn one_address_can_begin_only_a_few() {
    let (_upstream, hub) = hub().await;
    for _ in 0..4 {
        begin(&hub).await;
    }
    let refused = hub.call(&Request::new("POST", SESSION).body("")).await.expect(429).json();
    assert_eq!(refused["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn who_guesses_sessions_is_shed() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).set("security", "failures_per_minute = 3");
    let hub = Gateway::start(&conf).await;
    let mut statuses = Vec::new();
    for guess in 0..6 {
        statuses.push(hub.call(&look(&format!("guess-{guess}"))).await.status());
    }
    assert!(statuses.starts_with(&[400]) && statuses.ends_with(&[429]), "{statuses:?}");
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let upstream = Upstream::realistic().await;
    let hub = Gateway::start(&Conf::one(&upstream).set("aigne", "connect = false")).await;
    hub.call(&Request::new("POST", SESSION).body("")).await.expect(404);
}
