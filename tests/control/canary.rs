//! Secrets of every kind, planted wherever the hub takes one, and looked for wherever it says or
//! writes something.

use super::secrets::in_files;
use super::*;
use crate::support::receiver::{MailServer, Receiver};

const MASTER: &str = "ca9a4900000000000000000000000000000000000000000000000000000000aa";
const PASSWORD: &str = "canary-password-4711";
const MANAGED: &str = "sk-canary-managed-0123456789";

/// What must be found nowhere.
#[derive(Default)]
struct Canaries(Vec<String>);

impl Canaries {
    fn plant(&mut self, secret: &str) -> String {
        self.0.push(secret.to_owned());
        secret.to_owned()
    }

    fn are_not_in(&self, what: &str, said: &[u8]) {
        for canary in &self.0 {
            let found = said.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} is in {what}");
        }
    }
}

async fn open(hub: &Gateway, path: &str, body: Value) -> Answer {
    hub.admin(&Request::post(&format!("{ROOT}{path}"), &body)).await
}

#[tokio::test]
async fn no_secret_is_said_or_written_anywhere() {
    let mut canaries = Canaries::default();
    // The vendor knows both credentials, and refuses whatever is asked with them.
    let rules = Rules::strict().credentials(&[vendor::CREDENTIALS[0], MANAGED]);
    let refusal = Reply::json(401, &json!({ "error": { "message": "no", "code": "x" } }));
    let upstream = Upstream::lawful(rules, move |_| refusal.clone()).await;
    let conf = Conf::one(&upstream)
        .variable("AIGNE_HUB_MASTER_KEY", &canaries.plant(MASTER))
        .variable("AIGNE_HUB_BOOTSTRAP_TOKEN", &canaries.plant("canary-bootstrap-4711"))
        .variable("PEPPER", &canaries.plant("canary-pepper-47110000000000000000000000"))
        .variable("OIDC", &canaries.plant("canary-client-secret"))
        .set("security", "pepper = { env = \"PEPPER\" }")
        .set("sign_in", "url = \"https://hub.test\"")
        .section(
            "[[sign_in.oidc]]\nid = \"corp\"\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"hub\"\n\
             client_secret = { env = \"OIDC\" }\nrole = \"guest\"",
        );
    canaries.plant(vendor::CREDENTIALS[0]);
    canaries.plant(conf::KEY);
    let hub = Gateway::start(&conf).await;
    let mut said: Vec<(String, Vec<u8>)> = Vec::new();
    let mut note = |what: &str, answer: &Answer| said.push((what.to_owned(), answer.body.to_vec()));

    // People: the first owner, wrong and right passwords, one-time codes.
    let wrong =
        json!({ "token": canaries.plant("canary-wrong-token"), "email": "o@hub.test", "password": PASSWORD });
    note("a refused owner", &open(&hub, "/bootstrap", wrong).await.expect(403));
    let owner = json!({ "token": "canary-bootstrap-4711", "email": "o@hub.test", "password": canaries.plant(PASSWORD) });
    note("the owner", &open(&hub, "/bootstrap", owner).await.expect(201));
    let guess = json!({ "email": "o@hub.test", "password": canaries.plant("canary-wrong-password") });
    note("a wrong password", &open(&hub, "/session", guess).await.expect(401));
    let session =
        open(&hub, "/session", json!({ "email": "o@hub.test", "password": PASSWORD })).await.expect(200);
    let cookie = session.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    canaries.plant(cookie.split('=').nth(1).unwrap());
    note("a session", &session);
    let person = Api::cookie(&hub, &cookie);
    let totp = person.call("POST", "/me/totp", Value::Null).await.expect(200).json();
    canaries.plant(text(&totp, "secret"));
    note(
        "a wrong code",
        &person.call("POST", "/me/totp/confirm", json!({ "code": "000000" })).await.expect(422),
    );

    // What is managed, with mistakes around the secrets.
    let api = Api::operator(&hub);
    let provider =
        json!({ "name": "managed", "vendor": "openai-compatible", "base_url": upstream.base_url() });
    let provider = api.make("/providers", provider).await;
    let secret = canaries.plant(MANAGED);
    let body = json!({ "provider": provider["id"], "name": "m", "secret": secret });
    let credential = api.call("POST", "/credentials", body.clone()).await.expect(201);
    note("a credential", &credential);
    for change in [json!({ "weight": "x" }), json!({ "provider": "none" }), json!({ "secret": [secret] })] {
        let mut bad = body.clone();
        change.as_object().unwrap().iter().for_each(|(name, value)| bad[name.as_str()] = value.clone());
        note("a credential with a mistake", &api.call("POST", "/credentials", bad).await.expect(422));
    }
    let aws =
        api.make("/providers", json!({ "name": "aws", "vendor": "bedrock", "region": "us-east-1" })).await;
    let pair = json!({ "provider": aws["id"], "name": "p", "type": "access_key_pair",
        "access_key_id": canaries.plant("AKIACANARY4711"), "secret_access_key": canaries.plant("canary/aws+secret"),
        "session_token": canaries.plant("canary-session-token") });
    note("a pair of keys", &api.call("POST", "/credentials", pair).await.expect(201));
    let id = text(&credential.json(), "id").to_owned();
    note("a test", &api.call("POST", &format!("/credentials/{id}/test"), Value::Null).await.expect(200));
    let key = api.make("/keys", json!({ "name": "made" })).await;
    let key = canaries.plant(text(&key, "secret"));

    // Callers: with good keys before a vendor that refuses, with bad ones, and in the wrong place.
    note("a chat", &hub.call(&chat_by(&key, "managed/gpt-4o")).await);
    note("a chat", &hub.chat("hi").await);
    let stranger = canaries.plant("aigne_canary_00000000000000000000000000000000");
    note("a stranger", &hub.call(&chat_by(&stranger, "gpt")).await.expect(401));
    note(
        "a stranger",
        &hub.admin(&Api::bearer(&hub, &stranger).request("GET", "/keys", &Value::Null)).await.expect(401),
    );
    note("a way to sign in", &hub.admin(&Request::get(&format!("{ROOT}/sign-in/corp"))).await.expect(502));
    let lost = format!("{ROOT}/sign-in/corp/callback?state=x&code={}", canaries.plant("canary-code-4711"));
    note("a lost sign-in", &hub.admin(&Request::get(&lost)).await.expect(400));

    let everything = [
        "/users",
        "/keys",
        "/providers",
        "/credentials",
        "/vault",
        "/audit?limit=1000",
        "/audit/export",
        "/audit/export?format=csv",
        "/audit/verify",
        "/left-out",
        "/health",
        "/sign-in",
        "/openapi.json",
        "/status",
        "/sessions",
        "/imported-calls",
    ];
    for path in everything {
        let asker = if path == "/sessions" { &person } else { &api };
        said.push((path.to_owned(), asker.call("GET", path, Value::Null).await.expect(200).body.to_vec()));
    }
    said.push(("the metrics".to_owned(), hub.metrics().await.0.into_bytes()));
    said.push(("the log".to_owned(), hub.said().into_bytes()));
    let home = hub.home();
    // A port that the system chose is unknown to the command line, so it reads the books by itself.
    hub.stop().await;
    for command in [&["check"][..], &["keys", "list"], &["ledger", "verify"]] {
        let output = home.run(command).await;
        assert!(output.status.success(), "{command:?}: {output:?}");
        said.push((format!("{command:?}"), [output.stdout, output.stderr].concat()));
    }
    let exported = home.run(&["ledger", "export"]).await;
    said.push(("the exported books".to_owned(), exported.stdout));
    for (what, said) in &said {
        canaries.are_not_in(what, said);
    }
    for canary in &canaries.0 {
        assert_eq!(in_files(&home.data(), canary), Vec::<String>::new(), "{canary}");
    }
    // The search itself finds what is there.
    let token = std::fs::read_to_string(home.data().join("admin.token")).unwrap();
    assert_eq!(in_files(&home.data(), token.trim()).len(), 1);
}

#[tokio::test]
async fn secrets_of_mail_webhooks_programs_and_payments_stay_secret() {
    let mut canaries = Canaries::default();
    let upstream = Upstream::realistic().await;
    let (mail, mut receiver) = (MailServer::start().await, Receiver::start(&[500]).await);
    // A mail server that knows nobody, and payment providers that are not there: what goes wrong is told.
    let nowhere = "http://127.0.0.1:9";
    let conf = Conf::one(&upstream)
        .priced()
        .variable("AIGNE_HUB_MASTER_KEY", &"07".repeat(32))
        .variable("MAIL", &canaries.plant("canary-mail-password"))
        .variable("STRIPE", &canaries.plant("sk_test_canary4711"))
        .variable("STRIPE_SIGNS", &canaries.plant("whsec_canary4711"))
        .variable("KIT", &canaries.plant("canary-kit-secret"))
        .variable("KIT_SIGNS", &canaries.plant("canary-kit-signing"))
        .variable("INBOUND", &canaries.plant("canary-inbound-secret"))
        .variable("OIDC", &canaries.plant("canary-oidc-secret"))
        .set("billing", "enabled = true\ninbound_secrets = [{ env = \"INBOUND\" }]")
        .set("sign_in", "url = \"https://hub.test\"")
        .section("[notices]\nallow = [\"127.0.0.1\"]\n")
        .section(&format!(
            "[mail]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nuser = \"hub\"\n\
             password = {{ env = \"MAIL\" }}\nfrom = \"hub@example.com\"\n",
            mail.port()
        ))
        .section(&format!(
            "[billing.stripe]\nsecret_key = {{ env = \"STRIPE\" }}\nwebhook_secrets = [{{ env = \"STRIPE_SIGNS\" }}]\n\
             success_url = \"https://shop.test/yes\"\ncancel_url = \"https://shop.test/no\"\napi = {nowhere:?}\n\
             least = \"5\"\n[billing.payment_kit]\napi = {nowhere:?}\nsecret_key = {{ env = \"KIT\" }}\n\
             webhook_secrets = [{{ env = \"KIT_SIGNS\" }}]"
        ))
        .section(&format!(
            "[[sign_in.oidc]]\nid = \"corp\"\nissuer = {nowhere:?}\nclient_id = \"hub\"\n\
             client_secret = {{ env = \"OIDC\" }}\nrole = \"guest\""
        ));
    let hub = Gateway::start(&conf).await;
    let api = Api::operator(&hub);
    let mut said: Vec<(String, Vec<u8>)> = Vec::new();
    let mut note = |what: &str, answer: &Answer| said.push((what.to_owned(), answer.body.to_vec()));

    // A webhook whose first delivery fails, with a secret that is replaced; and an e-mail.
    let hook = api.make("/webhooks", json!({ "url": receiver.url() })).await;
    canaries.plant(text(&hook, "secret"));
    let path = format!("/webhooks/{}", text(&hook, "id"));
    let next = api.call("POST", &format!("{path}/rotate"), json!({ "overlap_seconds": 600 })).await;
    canaries.plant(text(&next.expect(200).json(), "secret"));
    note("a test", &api.call("POST", &format!("{path}/test"), Value::Null).await.expect(202));
    let signature = receiver.next().await.headers["x-aigne-signature"].clone();
    assert!(signature.matches("v1=").count() == 2, "signed with both: {signature}");
    let letter = api.make("/webhooks", json!({ "url": "mailto:ann@example.com" })).await;
    let letter = format!("/webhooks/{}/test", text(&letter, "id"));
    let sent = api.call("POST", &letter, Value::Null).await.expect(202);
    let delivery = format!("/deliveries/{}", text(&sent.json(), "id"));
    hub.eventually("the mail server's refusal", async || {
        api.get(&delivery).await["last_error"].as_str().is_some_and(|error| !error.is_empty())
    })
    .await;

    // A program with a secret, the right one and a wrong one.
    let client = json!({ "name": "Site", "type": "confidential", "redirect_uris": ["https://app.test/back"],
        "scopes": ["inference"] });
    let client = api.make("/clients", client).await;
    let secret = canaries.plant(text(&client, "client_secret"));
    for shown in [secret, canaries.plant("aigne_cs_canary_wrong")] {
        let form = format!(
            "grant_type=authorization_code&code=x&code_verifier=y&client_id={}&client_secret={shown}",
            text(&client, "id")
        );
        let request = Request::new("POST", "/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        note("a refused code", &hub.call(&request).await);
    }

    // Payments that cannot begin, and messages that nobody has signed.
    let payment = api.call("POST", "/payments", json!({ "tenant": "acme", "amount": "10" })).await;
    assert!(payment.status() >= 400, "{payment:?}");
    note("a payment", &payment);
    for path in ["stripe", "credits", "payment-kit"] {
        let request = Request::post(&format!("{ROOT}/webhooks/{path}"), &json!({ "id": "x" }))
            .header("stripe-signature", "t=1,v1=00");
        let answer = hub.admin(&request).await;
        assert!(answer.status() >= 400, "{path}: {answer:?}");
        note(path, &answer);
    }
    note("a way to sign in", &hub.admin(&Request::get(&format!("{ROOT}/sign-in/corp"))).await.expect(502));

    let everything = [
        "/webhooks",
        "/deliveries",
        "/clients",
        "/payments",
        "/wallets",
        "/grants",
        "/audit?limit=1000",
        "/audit/export",
        "/left-out",
        "/vault",
    ];
    for path in everything {
        said.push((path.to_owned(), api.call("GET", path, Value::Null).await.expect(200).body.to_vec()));
    }
    said.push(("the metrics".to_owned(), hub.metrics().await.0.into_bytes()));
    said.push(("the log".to_owned(), hub.said().into_bytes()));
    let home = hub.home();
    hub.stop().await;
    for command in [&["check"][..], &["list", "webhooks"], &["notices", "deliveries"], &["ledger", "export"]]
    {
        let output = home.run(command).await;
        assert!(output.status.success(), "{command:?}: {output:?}");
        said.push((format!("{command:?}"), [output.stdout, output.stderr].concat()));
    }
    for (what, said) in &said {
        canaries.are_not_in(what, said);
    }
    for canary in &canaries.0 {
        assert_eq!(in_files(&home.data(), canary), Vec::<String>::new(), "{canary}");
    }
}
