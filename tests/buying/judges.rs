//! Judges that nobody here has written: Stripe's own library on signatures,
//! and an emulator of Stripe that takes, or refuses, the hub's requests.

use super::super::sdk::{installed, python};
use super::*;
use std::process::Command;

#[tokio::test]
async fn stripes_library_and_the_hub_believe_the_same_messages() {
    let shop = Shop::open().await;
    let (_, session) = shop.order(json!({ "tenant": "acme", "pack": STARTER })).await;
    let (_, paid) = shop.stripe.pay(&session);
    let mut command: Command = python("tests/sdk/python/stripe_judge.py");
    command
        .env("HUB_ADMIN", format!("http://{}", shop.hub.admin))
        .env("SIGNING", SIGNING)
        .env("EVENT", event("checkout.session.completed", &paid));
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = patiently_for_a_program("the judge", running).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains(" passed, 0 failed"), "{said}{output:?}");
    assert_eq!(shop.available().await, "11");
    shop.sound().await;
}

/// The emulator as a process; it ends with the test.
struct Emulator {
    process: std::process::Child,
    port: u16,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Emulator {
    async fn start() -> Self {
        // The port is free until the emulator takes it; it cannot choose one itself.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(installed("target/sdk-venv/bin/localstripe"))
            .args(["--port", &port.to_string(), "--from-scratch"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let emulator = Self { process, port };
        patiently_for_a_program("the emulator", async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        emulator
    }

    /// Asks it as a customer's browser would; a form in, an object out.
    async fn ask(&self, method: &str, path: &str, form: &str) -> Value {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut client = client::Client::connect(address).await;
        let request = Request::new(method, path)
            .header("authorization", &format!("Bearer {SECRET_KEY}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        client.send(&request).await;
        client.answer().await.expect(200).json()
    }
}

#[tokio::test]
async fn an_emulator_of_stripe_takes_the_hubs_requests() {
    let (upstream, emulator) = (Upstream::realistic().await, Emulator::start().await);
    let conf = Conf::one(&upstream).priced().set("billing", "enabled = true").section(&format!(
        "[billing.stripe]\nsecret_key = {{ env = \"STRIPE_KEY\" }}\nwebhook_secrets = [{{ env = \"STRIPE_SIGNS\" }}]\n\
         success_url = \"https://shop.test/yes\"\ncancel_url = \"https://shop.test/no\"\napi = \"http://127.0.0.1:{}\"\nleast = \"5\"",
        emulator.port
    ));
    let conf = conf.variable("STRIPE_KEY", SECRET_KEY).variable("STRIPE_SIGNS", SIGNING);
    let shop = Shop { hub: Gateway::start(&conf).await, stripe: Stripe::start().await, _upstream: upstream };
    let customer = emulator.ask("POST", "/v1/customers", "name=acme").await;
    let card = "type=card&card%5Bnumber%5D=4242424242424242&card%5Bexp_month%5D=12&card%5Bexp_year%5D=2099&card%5Bcvc%5D=123";
    let method = emulator.ask("POST", "/v1/payment_methods", card).await;
    let attach = format!("/v1/payment_methods/{}/attach", method["id"].as_str().unwrap());
    emulator.ask("POST", &attach, &format!("customer={}", customer["id"].as_str().unwrap())).await;
    let saved = json!({ "id": "seti_1", "customer": customer["id"], "payment_method": method["id"], "metadata": { "aigne_hub_tenant": "acme" } });
    shop.tell("setup_intent.succeeded", &saved).await.expect(200);
    let wish = json!({ "top_up": { "below": "5", "amount": "20", "month_limit": "20" } });
    shop.api().call("PATCH", "/billing-accounts/acme", wish).await.expect(200);
    let first = async || shop.api().get("/payments").await["items"][0].clone();
    shop.hub.eventually("the emulator's answer", async || !first().await["intent"].is_null()).await;
    let payment = first().await;
    assert_eq!((&payment["state"], shop.available().await.as_str()), (&json!("paid"), "20"), "{payment}");
    let path = format!("/payments/{}/refund", payment["id"].as_str().unwrap());
    let refunded = shop.api().call("POST", &path, json!({ "amount": "5" })).await.expect(200).json();
    assert_eq!(refunded["refunds"].as_object().unwrap().len(), 1, "{refunded}");
    assert_eq!(shop.available().await, "15");
    shop.sound().await;
}
