//! A judge that nobody here has written: Stripe's own library, on signatures.

use super::super::sdk::python;
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
