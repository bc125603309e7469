//! Signing in with providers of identities: a certified one that others have written, and one that
//! lies in every way that matters.

mod browser;
mod provider;

use super::*;
use crate::sdk::installed;
use browser::{Browser, HUB, asked};
use provider::{Lines, Scripted, now};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The certified provider, in a process of its own.
struct Certified {
    issuer: String,
    people: tempfile::NamedTempFile,
    /// It ends when this is closed.
    _stdin: ChildStdin,
    /// Where it goes on to write notices; a closed pipe would be its end in the midst of an answer.
    _stdout: std::io::Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl Drop for Certified {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Certified {
    async fn start(people: &Value) -> Self {
        installed("tests/sdk/node/node_modules/oidc-provider");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), people.to_string()).unwrap();
        let mut child = Command::new("node")
            .arg(installed("tests/sdk/node/op.mjs"))
            .env("OP_PEOPLE", file.path())
            .env("OP_REDIRECT", format!("{HUB}{ROOT}/sign-in"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let first_line = tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stdout).lines();
            let issuer = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("http://")));
            (issuer.unwrap().unwrap(), lines)
        });
        let (issuer, stdout) = patiently_for_a_program("the provider", first_line).await.unwrap();
        Self { issuer, people: file, _stdin: stdin, _stdout: stdout, child }
    }

    fn now_has(&self, people: &Value) {
        std::fs::write(self.people.path(), people.to_string()).unwrap();
    }
}

/// A hub that takes people from there.
fn conf(providers: &[String]) -> Conf {
    let mut conf = Conf::of([Provider::simulator("mock")])
        .variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32))
        .variable("OP_SECRET", "op secret+canary/4711")
        .set("sign_in", &format!("url = {HUB:?}"));
    for provider in providers {
        conf = conf.section(&format!("[[sign_in.oidc]]\n{provider}"));
    }
    conf
}

/// A hub with an owner, which a hub has to have.
async fn start(providers: &[String]) -> Gateway {
    let hub = Gateway::start(&conf(providers)).await;
    let owner = json!({ "email": "owner@hub.test", "role": "owner" });
    Api::operator(&hub).make("/users", owner).await;
    hub
}

fn scripted(op: &Scripted, lines: &str) -> String {
    format!("id = \"corp\"\nissuer = {:?}\nclient_id = \"hub\"\n{lines}", op.issuer)
}

async fn users(hub: &Gateway) -> Vec<Value> {
    Api::operator(hub).get("/users?limit=500").await["items"].as_array().unwrap().clone()
}

fn page(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// Reason of the newest refusal in the audit log.
async fn reason(hub: &Gateway) -> String {
    let refused = Api::operator(hub).get("/audit?action=sign-in.finish&outcome=refused&limit=1").await;
    refused["items"][0]["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn people_of_a_certified_provider_come_in_and_their_groups_go_with_them() {
    let ann = |groups: Value| json!({ "ann": { "email": "ann@corp.test", "email_verified": true, "name": "Ann", "groups": groups } });
    let op = Certified::start(&ann(json!(["devs"]))).await;
    let row = |id: &str, secret: &str| {
        format!(
            "id = {id:?}\nissuer = {:?}\nclient_id = {id:?}\n{secret}\nlabel = \"Corp {id}\"\n\
             scopes = [\"email\", \"profile\", \"groups\"]\ntenant = \"acme\"\n\
             group = [{{ name = \"leads\", role = \"admin\", teams = [\"Ops\"] }},\n\
             {{ name = \"devs\", role = \"member\", teams = [\"Dev\", \"missing\"] }}]",
            op.issuer
        )
    };
    let secret = "client_secret = { env = \"OP_SECRET\" }";
    let post = format!("{secret}\nsecret_in_body = true");
    let hub = start(&[row("rs", secret), row("es", &post), row("ed", "")]).await;
    let api = Api::operator(&hub);
    let team = async |name: &str| {
        text(&api.make("/teams", json!({ "name": name, "tenant": "acme" })).await, "id").to_owned()
    };
    let (dev, ops) = (team("Dev").await, team("Ops").await);
    let members = async |team: &str| api.get(&format!("/teams/{team}")).await["members"].clone();
    let list = hub.admin(&Request::get(&format!("{ROOT}/sign-in"))).await.expect(200).json();
    assert_eq!(
        list["items"][1],
        json!({ "id": "es", "label": "Corp es", "url": format!("{ROOT}/sign-in/es") })
    );

    let mut browser = Browser::default();
    let answer = browser.sign_in(&hub, "rs", "ann").await.expect(200);
    assert!(page(&answer).contains("content=\"0;url=/console\""), "{answer:?}");
    assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let me = browser.me(&hub).await.expect(200).json();
    assert_eq!((text(&me, "name"), text(&me, "tenant")), ("ann@corp.test", "acme"));
    let found = users(&hub).await;
    let user = found.iter().find(|user| user["email"] == "ann@corp.test").unwrap();
    assert_eq!((text(user, "role"), text(user, "name")), ("member", "Ann"));
    assert_eq!(user["identities"], json!([{ "issuer": op.issuer, "subject": "ann" }]));
    let id = json!([user["id"]]);
    assert_eq!((members(&dev).await, members(&ops).await), (id.clone(), json!([])));

    // Each algorithm and each way to prove the client leads to the same user, as the groups are now.
    op.now_has(&ann(json!(["leads", "devs"])));
    Browser::default().sign_in(&hub, "es", "ann").await.expect(200);
    assert_eq!((members(&dev).await, members(&ops).await), (id.clone(), id.clone()));
    op.now_has(&ann(json!(["leads"])));
    Browser::default().sign_in(&hub, "ed", "ann").await.expect(200);
    assert_eq!((members(&dev).await, members(&ops).await), (json!([]), id));
    let found = users(&hub).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|user| user["role"] == "admin" && user["email"] == "ann@corp.test"));
    op.now_has(&ann(json!([])));
    let refused = Browser::default().sign_in(&hub, "ed", "ann").await.expect(403);
    assert!(page(&refused).contains("None of your groups"), "{refused:?}");
    // Who is unlinked has no sessions, and is nobody's account any more.
    let path = format!("/users/{}/identities", text(user, "id"));
    api.call("DELETE", &path, Value::Null).await.expect(204);
    browser.me(&hub).await.expect(401);
    op.now_has(&ann(json!(["leads"])));
    Browser::default().sign_in(&hub, "rs", "ann").await.expect(403);
    assert!(reason(&hub).await.contains("another account"), "{}", reason(&hub).await);
    assert!(!hub.said().contains("canary"));
}

#[tokio::test]
async fn nothing_that_a_provider_says_wrongly_lets_anybody_in() {
    let op = Scripted::start().await;
    let hub = start(&[scripted(&op, "role = \"guest\"")]).await;
    let truth = Lines::true_ones;
    let cases = [
        (Lines::claims(json!({ "nonce": "another" })), "belongs to another sign-in"),
        (Lines::claims(json!({ "nonce": null })), "belongs to another sign-in"),
        (Lines::claims(json!({ "aud": "another" })), "for another client"),
        (Lines::claims(json!({ "iss": "https://other.test" })), "another issuer"),
        (Lines::claims(json!({ "exp": now() - 120 })), "expired"),
        (Lines::claims(json!({ "iat": now() - 7200, "exp": now() + 9 })), "another time"),
        (Lines::claims(json!({ "at_hash": "bm90IGl0" })), "at_hash"),
        (Lines { header: json!({ "alg": "none" }), ..truth() }, "not taken"),
        (Lines { header: json!({ "alg": "HS256" }), ..truth() }, "not taken"),
        (Lines { header: json!({ "alg": "RS256" }), ..truth() }, "does not publish"),
        (Lines { forged: true, ..truth() }, "signature does not hold"),
        (Lines { refuses: Some("invalid_grant"), ..truth() }, "400 Bad Request invalid_grant"),
    ];
    for (lines, expected) in cases {
        let mut browser = Browser::default();
        let there = browser.begin(&hub, "corp").await;
        op.says(&asked(&there, "nonce"), lines);
        let answer = browser.come_back(&hub, &back(&op, &there)).await.expect(502);
        assert!(page(&answer).contains("could not be asked") && !page(&answer).contains(expected));
        let reason = reason(&hub).await;
        assert!(reason.contains(expected), "{reason:?} instead of {expected:?}");
        browser.me(&hub).await.expect(401);
        // So that nobody has to wait for having failed.
        let there = browser.begin(&hub, "corp").await;
        op.says(&asked(&there, "nonce"), truth());
        browser.come_back(&hub, &back(&op, &there)).await.expect(200);
    }
}

/// Where a provider sends a browser back with a code.
fn back(op: &Scripted, there: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(&op.issuer, percent_encoding::NON_ALPHANUMERIC);
    format!("{}?code=c-1&state={}&iss={encoded}", asked(there, "redirect_uri"), asked(there, "state"))
}

#[tokio::test]
async fn a_sign_in_belongs_to_its_browser_and_its_provider() {
    let op = Scripted::start().await;
    let hub = start(&[scripted(&op, "role = \"guest\"")]).await;
    let mut browser = Browser::default();
    let there = browser.begin(&hub, "corp").await;
    assert!(there.starts_with(&format!("{}/auth?tenant=1&response_type=code", op.issuer)), "{there}");
    assert_eq!(
        (asked(&there, "scope").as_str(), asked(&there, "code_challenge_method").as_str()),
        ("openid email profile", "S256")
    );
    op.says(&asked(&there, "nonce"), Lines::true_ones());
    let home = back(&op, &there);
    let refused = async |browser: &mut Browser, url: &str, status: u16| {
        page(&browser.come_back(&hub, url).await.expect(status))
    };
    // Somebody else's browser, another state, none at all.
    let stranger = refused(&mut Browser::default(), &home, 400).await;
    assert!(stranger.contains("not begun in this browser"), "{stranger}");
    let mut other = Browser::default();
    other.begin(&hub, "corp").await;
    refused(&mut other, &home, 400).await;
    assert!(op.exchanges.lock().unwrap().is_empty(), "no code has been tried");
    // The answer of another provider, and one that names none although its metadata says that it does.
    let mixed = home.replace(&home[home.find("&iss=").unwrap()..], "&iss=https%3A%2F%2Fevil.test");
    for (url, expected) in
        [(mixed.as_str(), "another issuer"), (&home[..home.find("&iss=").unwrap()], "another issuer")]
    {
        let mut own = Browser::default();
        let there = own.begin(&hub, "corp").await;
        let own_url = url.replace(&asked(&home, "state"), &asked(&there, "state"));
        refused(&mut own, &own_url, 502).await;
        assert!(reason(&hub).await.contains(expected), "{}", reason(&hub).await);
    }
    assert!(op.exchanges.lock().unwrap().is_empty(), "no code has been tried");
    browser.come_back(&hub, &home).await.expect(200);
    browser.me(&hub).await.expect(200);
    let sent = op.exchanges.lock().unwrap().concat();
    assert!(
        sent.contains("code_verifier=") && sent.contains("client_id=hub") && !sent.contains("secret"),
        "{sent}"
    );
    // The same answer again: the browser has forgotten that sign-in.
    refused(&mut browser, &home, 400).await;
    // Who says no at the provider is told so.
    let there = browser.begin(&hub, "corp").await;
    let denied =
        format!("{HUB}{ROOT}/sign-in/corp/callback?error=access_denied&state={}", asked(&there, "state"));
    assert!(refused(&mut browser, &denied, 403).await.contains("not allowed it"));
    hub.admin(&Request::get(&format!("{ROOT}/sign-in/nobody"))).await.expect(404);
}

#[tokio::test]
async fn keys_of_a_provider_change_and_who_it_is_may_not() {
    let op = Scripted::start().await;
    let hub = start(&[scripted(&op, "role = \"guest\"")]).await;
    let mut browser = Browser::default();
    for kid in ["one", "second"] {
        let there = browser.begin(&hub, "corp").await;
        op.says(&asked(&there, "nonce"), Lines { kid: kid.into(), ..Lines::true_ones() });
        browser.come_back(&hub, &back(&op, &there)).await.expect(200);
    }
    // A provider that says it is somebody else is never sent anybody.
    let liar = Scripted::start().await;
    liar.says("", Lines { calls_itself: Some("https://op.test".into()), ..Lines::true_ones() });
    let hub = start(&[scripted(&liar, "role = \"guest\"")]).await;
    Browser::default().hub(&hub, &format!("{ROOT}/sign-in/corp")).await.expect(502);
}

#[tokio::test]
async fn an_account_is_linked_only_where_that_is_wanted_and_only_to_its_own_tenant() {
    let op = Scripted::start().await;
    let come = async |hub: &Gateway, claims: Value| {
        let mut browser = Browser::default();
        let there = browser.begin(hub, "corp").await;
        op.says(&asked(&there, "nonce"), Lines::claims(claims));
        (browser.come_back(hub, &back(&op, &there)).await.status(), browser)
    };
    let ann = json!({ "email": "Ann@corp.test", "role": "member" });
    // Not wanted: the address alone opens nothing.
    let hub = start(&[scripted(&op, "role = \"guest\"")]).await;
    Api::operator(&hub).make("/users", ann.clone()).await;
    assert_eq!(come(&hub, json!({})).await.0, 403);
    // Wanted: a verified address does, for who has no other identity.
    let hub = start(&[scripted(&op, "role = \"guest\"\nlink_by_email = true\ncreate_users = false")]).await;
    let user = Api::operator(&hub).make("/users", ann.clone()).await;
    assert_eq!(come(&hub, json!({ "email_verified": false })).await.0, 403);
    let (status, mut browser) = come(&hub, json!({})).await;
    assert_eq!(status, 200);
    let me = browser.me(&hub).await.expect(200).json();
    assert_eq!(me["id"], user["id"]);
    assert_eq!(come(&hub, json!({ "sub": "eve" })).await.0, 403, "another person with the same address");
    assert_eq!(come(&hub, json!({ "email": "new@corp.test", "sub": "new" })).await.0, 403, "nobody is made");
    // A later change of the address does not change who it is.
    assert_eq!(come(&hub, json!({ "email": "other@corp.test" })).await.0, 200);
    let path = format!("/users/{}", text(&user, "id"));
    Api::operator(&hub).call("PATCH", &path, json!({ "enabled": false })).await.expect(200);
    assert_eq!(come(&hub, json!({})).await.0, 403, "switched off");
    // A tenant's provider speaks for nobody outside of it.
    let lines = "role = \"owner\"\nlink_by_email = true\ntenant = \"acme\"\nemail_domains = [\"corp.test\"]";
    let hub = start(&[scripted(&op, lines)]).await;
    assert_eq!(come(&hub, json!({ "email": "owner@hub.test" })).await.0, 403, "of another domain");
    Api::operator(&hub).make("/users", ann).await;
    assert_eq!(come(&hub, json!({})).await.0, 403, "a user of the hub itself");
    let (status, mut browser) = come(&hub, json!({ "email": "bob@corp.test", "sub": "bob" })).await;
    assert_eq!(status, 200);
    let me = browser.me(&hub).await.json();
    let permissions = me["permissions"].as_array().unwrap();
    assert!(!permissions.contains(&json!("providers:write")), "an owner of a tenant, not of the hub");
}

#[tokio::test]
async fn who_has_one_time_codes_is_asked_for_one_where_that_is_wanted() {
    let op = Scripted::start().await;
    let hub = start(&[
        scripted(&op, "role = \"member\"\none_time_codes = true"),
        scripted(&op, "role = \"member\"").replace("\"corp\"", "\"plain\""),
    ])
    .await;
    let come = async |id: &str| {
        let mut browser = Browser::default();
        let there = browser.begin(&hub, id).await;
        op.says(&asked(&there, "nonce"), Lines::true_ones());
        let answer = browser.come_back(&hub, &back(&op, &there)).await;
        (browser, answer)
    };
    // Who has none comes in, and sets them up.
    let (mut browser, _) = come("corp").await;
    browser.me(&hub).await.expect(200);
    let api = Api::cookie(&hub, &browser.session());
    let begun = api.call("POST", "/me/totp", Value::Null).await.expect(200).json();
    let secret = people::from_base32(text(&begun, "secret"));
    let step = people::step_of_now();
    let code = |step: u64| aigne_hub::control::totp_code(&secret, step).unwrap();
    api.call("POST", "/me/totp/confirm", json!({ "code": code(step) })).await.expect(204);

    let (mut browser, question) = come("corp").await;
    assert!(page(&question.expect(200)).contains(&format!("action=\"{ROOT}/sign-in/corp/code\"")));
    browser.me(&hub).await.expect(401);
    let form = |code: &str| format!("code={code}");
    let path = format!("{ROOT}/sign-in/corp/code");
    // Another browser, another provider, another site, no code, a used one: none of them.
    Browser::default().sends(&hub, &path, form(&code(step + 1))).await.expect(400);
    browser.sends(&hub, &path.replace("corp", "plain"), form(&code(step + 1))).await.expect(400);
    let (mut browser, _) = come("corp").await;
    for wrong in [String::new(), form("000000"), form(&code(step))] {
        let answer = browser.sends(&hub, &path, wrong).await.expect(401);
        assert!(page(&answer).contains("That code is not right"), "{answer:?}");
    }
    let refused = Api::operator(&hub).get("/audit?action=sign-in.code&outcome=refused").await;
    assert_eq!(refused["items"].as_array().unwrap().len(), 3, "{refused}");
    browser.me(&hub).await.expect(401);
    let right = code(step + 1);
    let spaced = format!("code={}+{}", &right[..3], &right[3..]);
    let answer = browser.sends(&hub, &path, spaced).await.expect(200);
    assert!(page(&answer).contains("content=\"0;url=/console\""), "{answer:?}");
    browser.me(&hub).await.expect(200);
    // Where the provider's word is enough, it is.
    let (mut browser, _) = come("plain").await;
    browser.me(&hub).await.expect(200);
}

#[tokio::test]
async fn everything_wrong_in_the_file_is_told_at_once() {
    let row = "id = \"A b\"\nissuer = \"http://op.test\"\nclient_id = \"x\"\nscopes = [\"a b\"]\nemail_domains = [\"@x\"]\ntenant = \"a b\"";
    let conf = conf(&[row.to_owned(), "id = \"a\"\nissuer = \"https://op.test\"\nclient_id = \"x\"".into()]);
    let said = Gateway::refuses(&conf).await;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    for expected in [
        "small letters, digits and '-'",
        "must begin with https://",
        "\"a b\" is no scope",
        "\"@x\" is no domain",
        "tenant",
        "nobody could come in",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
