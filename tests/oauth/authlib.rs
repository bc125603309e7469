//! A client that others wrote: Authlib, through every grant.

use super::*;
use crate::sdk::python;

#[tokio::test]
async fn authlib_is_content() {
    let upstream = Upstream::realistic().await;
    let hub = peopled(&upstream).await;
    let client = native(&hub, json!(["inference"])).await;
    let (id, secret) = machine(&hub, json!({})).await;
    let mut command = python("tests/sdk/python/oauth_client.py");
    command.env("HUB_URL", format!("http://{}/v1", hub.public));
    command.env("EMAIL", "ann@shop.test").env("PASSWORD", PASSWORD).env("PUBLIC_CLIENT", client);
    command.env("MACHINE_CLIENT", id).env("MACHINE_SECRET", secret);
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = patiently_for_a_program("Authlib", running).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
}
