//! The command line beside the hub: keys and books, with a hub that runs and
//! without one.

use super::support::gateway::Home;
use super::support::*;
use std::process::{Command, Output, Stdio};

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a refusal says.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap().trim().to_owned()
}

#[tokio::test]
async fn keys_and_books_need_none_of_the_hubs_secrets() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream).priced();
    let hub = Gateway::start(&conf).await;
    settle_admin(&hub, &conf);
    hub.chat("hi").await.expect(200);
    let home = hub.home();
    let mut reports = Vec::new();
    for running in [true, false] {
        if !running {
            hub.signal("TERM");
            hub.eventually_ended().await;
        }
        let made = stdout(&home.run_without_secrets(&["keys", "create", "--name", "mine"]).await);
        assert!(made.contains("secret"), "{made}");
        let list = stdout(&home.run_without_secrets(&["keys", "list"]).await);
        assert!(list.contains("mine"), "{list}");
        reports.push(stdout(&home.run_without_secrets(&["ledger", "verify"]).await));
        let export = stdout(&home.run_without_secrets(&["ledger", "export"]).await);
        assert_eq!(export.lines().count(), 2, "{export}");
    }
    assert!(reports[0].contains("\n  \"charges\": 1,"), "{}", reports[0]);
    assert_eq!(reports[0], reports[1], "the same words in both ways");
}

/// Writes the admin listener's address into the configuration, as an operator has it there.
pub(super) fn settle_admin(hub: &Gateway, conf: &Conf) {
    let text = conf.toml(&hub.home().data().to_string_lossy());
    let listen = format!("[admin]\nlisten = \"{}\"", hub.admin);
    let settled = text.replace("[admin]\nlisten = \"127.0.0.1:0\"", &listen);
    assert_ne!(settled, text);
    hub.reload_text(&settled);
}

#[tokio::test]
async fn a_refusal_of_the_running_hub_is_told_in_words() {
    let conf = Conf::of([Provider::simulator("mock")]);
    let hub = Gateway::start(&conf).await;
    settle_admin(&hub, &conf);
    let said = refusal(&hub.home().run(&["keys", "revoke", "nobody"]).await);
    assert_eq!(said, "there is no such thing, or it is not within your sight");
}

#[tokio::test]
async fn where_no_hub_was_there_is_nothing_to_list_and_nothing_is_made() {
    let home = Home::new(&Conf::of([Provider::simulator("mock")]));
    for arguments in [&["keys", "list"][..], &["keys", "revoke", "k"], &["ledger", "verify"]] {
        let said = refusal(&home.run(arguments).await);
        assert!(said.contains("there is no hub data") || said.contains("there are no books"), "{said}");
        assert!(!home.data().exists(), "{arguments:?}");
    }
    stdout(&home.run(&["keys", "create"]).await);
    assert!(stdout(&home.run(&["keys", "list"]).await).contains("key_"));
}

#[tokio::test]
async fn days_of_the_running_month_are_not_dropped_by_accident() {
    let conf = Conf::of([Provider::simulator("mock")]);
    let hub = Gateway::start(&conf).await;
    settle_admin(&hub, &conf);
    hub.chat("hi").await.expect(200);
    let home = hub.home();
    for running in [true, false] {
        if !running {
            hub.signal("TERM");
            hub.eventually_ended().await;
        }
        let said = refusal(&home.run(&["ledger", "prune", "--before", "2999-01-01"]).await);
        assert!(said.contains("running month"), "{said}");
        let old = home.run(&["ledger", "prune", "--before", "2020-01-01"]).await;
        assert_eq!(stdout(&old), "0 days dropped\n");
        let forced = home.run(&["ledger", "prune", "--before", "2999-01-01", "--force"]).await;
        assert_eq!(stdout(&forced), "0 days dropped\n", "the last day stays");
    }
    assert_eq!(home.ledger().await.len(), 1);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigne-hub"));
    let output = command.arg("schema").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
