//! A new process takes the place of the old one: nobody is refused, nothing is
//! cut, and the books are whole, whoever dies on the way.

use super::control::{Api, ROOT};
use super::support::gateway::{self, Home, Stopped};
use super::support::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// A process that is to take over.
struct Successor {
    child: Child,
    said: watch::Receiver<String>,
}

impl Successor {
    fn start(conf: &Conf, home: &Home, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aigne-hub"));
        command.args(arguments).arg("--config").arg(home.config()).env_clear().envs(conf.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, said) = watch::channel(String::new());
        let sender = Arc::new(sender);
        follow(child.stderr.take().unwrap(), Arc::clone(&sender));
        follow(child.stdout.take().unwrap(), sender);
        Self { child, said }
    }

    /// Completes when it has said this; `false` when it ended without.
    async fn says(&mut self, what: &str) -> bool {
        let heard = self.said.wait_for(|said| said.contains(what));
        patiently(what, heard).await.is_ok()
    }

    fn signal(&self, name: &str) {
        kill(name, self.child.id());
    }

    async fn wait(mut self) -> bool {
        let waiting = tokio::task::spawn_blocking(move || self.child.wait().unwrap().success());
        patiently("the successor to end", waiting).await.unwrap()
    }

    async fn stop(self) {
        self.signal("TERM");
        assert!(self.wait().await);
    }
}

fn follow(pipe: impl Read + Send + 'static, sender: Arc<watch::Sender<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            eprintln!("new: {}", String::from_utf8_lossy(&line));
            sender.send_modify(|said| said.push_str(&String::from_utf8_lossy(&line)));
        }
    });
}

fn kill(signal: &str, process: u32) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{signal} {process}")).status().unwrap();
    assert!(status.success(), "kill -{signal} {process}");
}

/// Writes the addresses that the system chose into the configuration, as an operator has them there.
async fn settle_addresses(hub: &Gateway, conf: &Conf) {
    let mut text = conf.toml(&hub.home().data().to_string_lossy());
    for (table, address) in [("[public]", hub.public), ("[admin]", hub.admin)] {
        let (before, after) = text.split_once(table).unwrap();
        text = format!("{before}{table}{}", after.replacen("127.0.0.1:0", &address.to_string(), 1));
    }
    let before = version(hub).await;
    hub.reload_text(&text);
    hub.eventually("the new configuration", async || version(hub).await > before).await;
}

async fn version(hub: &Gateway) -> f64 {
    hub.metrics().await.sum("aigne_hub_config_version", &[])
}

/// A vendor whose streams wait for the gate and whose other answers do not.
async fn vendor_with(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::answer(move |seen| match seen.json()["stream"] == true {
        true => Reply::sse().text("one").pause(&gate).text("two").stop(),
        false => vendor::answer(seen),
    })
    .await
}

/// Three streams that have begun.
async fn streams(hub: &Gateway) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..3 {
        let (_, mut client) = hub.open_stream("hi").await;
        client.until("one").await;
        clients.push(client);
    }
    clients
}

/// Sound books in which every request began and ended once; gives the ends by outcome.
async fn outcomes(home: &Home) -> BTreeMap<String, usize> {
    let verdict = home.run(&["ledger", "verify"]).await;
    assert!(verdict.status.success(), "{verdict:?}");
    let journal = home.journal().await;
    let mut requests: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    for record in &journal {
        let counts = requests.entry(record["id"].as_str().unwrap()).or_default();
        match record["record"] == "intent" {
            true => counts.0 += 1,
            false => {
                counts.1 += 1;
                *outcomes.entry(record["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    assert!(requests.values().all(|counts| *counts == (1, 1)), "{requests:?}");
    outcomes
}

fn counted(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn across_an_upgrade_every_request_is_answered_and_every_stream_is_whole() {
    let gate = Gate::new();
    let upstream = vendor_with(&gate).await;
    let conf = Conf::one(&upstream);
    let mut old = Gateway::start(&conf).await;
    settle_addresses(&old, &conf).await;
    let running = streams(&old).await;
    let (home, public) = (old.home(), old.public);
    let stop = Arc::new(AtomicBool::new(false));
    let loop_stops = Arc::clone(&stop);
    let requests = tokio::spawn(async move {
        let mut answered = 0;
        while !loop_stops.load(Ordering::Acquire) {
            let mut client = Client::connect(public).await;
            client.send(&gateway::chat("hi")).await;
            client.answer().await.expect(200);
            answered += 1;
        }
        answered
    });
    let mut new = Successor::start(&conf, &home, &["upgrade"]);
    assert!(new.says("\"ready\"").await);
    // A stream that the old process may have taken after it handed over, or the new one.
    let late = streams(&old).await;
    gate.open_for_good();
    for mut client in running.into_iter().chain(late) {
        let (rest, ended) = client.rest().await;
        assert_eq!(ended, Ok(()));
        assert!(String::from_utf8_lossy(&rest).contains("[DONE]"));
    }
    let stopped = old.wait().await;
    assert!(stopped.status.success(), "{}", stopped.said);
    assert!(new.says("imported what an older process wrote").await);
    stop.store(true, Ordering::Release);
    let answered: usize = requests.await.unwrap();
    assert!(answered > 0);
    // Only the new process is left to answer.
    let mut client = Client::connect(public).await;
    client.send(&gateway::chat("hi")).await;
    client.answer().await.expect(200);
    new.stop().await;
    assert_eq!(outcomes(&home).await, counted(&[("ok", answered + 7)]));
    assert!(!home.data().join("hub.pid").exists());
}

/// An old process that drains three streams, and a new one that serves.
async fn upgraded(conf: &Conf) -> (Gateway, Successor, Vec<Client>, Arc<Home>) {
    let old = Gateway::start(conf).await;
    settle_addresses(&old, conf).await;
    let running = streams(&old).await;
    let home = old.home();
    let mut new = Successor::start(conf, &home, &["serve", "--upgrade"]);
    assert!(new.says("waiting for the running hub").await);
    old.signal("QUIT");
    assert!(new.says("\"ready\"").await);
    (old, new, running, home)
}

#[tokio::test]
async fn when_the_old_process_is_killed_the_new_one_closes_its_requests() {
    let gate = Gate::new();
    let upstream = vendor_with(&gate).await;
    let conf = Conf::one(&upstream);
    let (old, mut new, running, home) = upgraded(&conf).await;
    let public = old.public;
    old.kill9().await;
    drop(running);
    assert!(new.says("closed intents that the last run left open").await);
    let mut client = Client::connect(public).await;
    client.send(&gateway::chat("hi")).await;
    client.answer().await.expect(200);
    new.stop().await;
    assert_eq!(outcomes(&home).await, counted(&[("ok", 1), ("recovered", 3)]));
}

#[tokio::test]
async fn when_both_processes_are_killed_the_next_start_has_everything() {
    let gate = Gate::new();
    let upstream = vendor_with(&gate).await;
    let conf = Conf::one(&upstream);
    let (old, new, mut running, home) = upgraded(&conf).await;
    // One stream ends in the old process, into its spool; it is there when the caller has the end
    // of it and the group was written.
    gate.open();
    let (_, ended) = running.remove(0).rest().await;
    assert_eq!(ended, Ok(()));
    let spools = home.data().join("books/spool");
    let size = || -> u64 {
        let files = std::fs::read_dir(&spools).unwrap().map(|file| file.unwrap());
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    // Larger than a header with the ids of three requests.
    patiently("the settlement", async {
        while size() < 250 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    new.signal("KILL");
    old.kill9().await;
    new.wait().await;
    drop(running);
    Gateway::start_in(Arc::clone(&home)).await.stop().await;
    assert_eq!(outcomes(&home).await, counted(&[("ok", 1), ("recovered", 2)]));
}

#[tokio::test]
async fn a_new_process_that_fails_leaves_the_old_one_serving() {
    let upstream = Upstream::realistic().await;
    let conf = Conf::one(&upstream);
    let old = Gateway::start(&conf).await;
    settle_addresses(&old, &conf).await;
    let home = old.home();
    // One that finds its configuration bad.
    let good = std::fs::read_to_string(home.config()).unwrap();
    old.reload_text(&format!("{good}\n[publik]\n"));
    let bad = Successor::start(&conf, &home, &["upgrade"]);
    assert!(!bad.wait().await);
    old.reload_text(&good);
    old.chat("hi").await.expect(200);
    // One that is killed while it waits. The signal then finds nobody, or the books come back.
    let mut killed = Successor::start(&conf, &home, &["serve", "--upgrade"]);
    assert!(killed.says("waiting for the running hub").await);
    killed.signal("STOP");
    old.signal("QUIT");
    let (mut log, stopped) = (String::new(), killed);
    patiently("the hand-over", async {
        while !log.contains("handed over") {
            log = old.said();
            tokio::task::yield_now().await;
        }
    })
    .await;
    old.chat("into the spool").await.expect(200);
    stopped.signal("KILL");
    stopped.wait().await;
    patiently("the books", async {
        while !old.said().contains("taken back") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    old.chat("into the books").await.expect(200);
    let Stopped { home, status, .. } = old.stop().await;
    assert!(status.success());
    assert_eq!(outcomes(&home).await, counted(&[("ok", 3)]));
}

#[tokio::test]
async fn without_an_old_process_an_upgrade_is_an_ordinary_start() {
    let conf = Conf::of([Provider::simulator("mock")]);
    let home = Home::new(&conf);
    let mut new = Successor::start(&conf, &home, &["serve", "--upgrade"]);
    assert!(new.says("\"ready\"").await);
    let pid: Value = std::fs::read_to_string(home.data().join("hub.pid")).unwrap().trim().parse().unwrap();
    assert_eq!(pid, new.child.id());
    new.stop().await;
}

#[tokio::test]
async fn an_old_process_that_dies_before_it_gave_its_sockets_is_replaced_all_the_same() {
    let gate = Gate::new();
    let upstream = vendor_with(&gate).await;
    let conf = Conf::one(&upstream);
    let old = Gateway::start(&conf).await;
    settle_addresses(&old, &conf).await;
    let running = streams(&old).await;
    let (home, public) = (old.home(), old.public);
    let mut new = Successor::start(&conf, &home, &["serve", "--upgrade"]);
    assert!(new.says("waiting for the running hub").await);
    new.signal("STOP");
    old.signal("QUIT");
    patiently("the hand-over", async {
        while !old.said().contains("handed over") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    old.kill9().await;
    drop(running);
    new.signal("CONT");
    assert!(new.says("\"ready\"").await);
    let mut client = Client::connect(public).await;
    client.send(&gateway::chat("hi")).await;
    client.answer().await.expect(200);
    new.stop().await;
    assert_eq!(outcomes(&home).await, counted(&[("ok", 1), ("recovered", 3)]));
}

#[tokio::test]
async fn a_quota_goes_on_across_an_upgrade_and_counts_nothing_twice() {
    let gate = Gate::new();
    let upstream = vendor_with(&gate).await;
    let quota = "[[quota]]\nid = \"seven\"\nname = \"seven\"\nof = \"tenant\"\nmeasure = \"requests\"\namount = 7\nperiod = \"month\"\n";
    let conf = Conf::one(&upstream).section(quota);
    let mut old = Gateway::start(&conf).await;
    settle_addresses(&old, &conf).await;
    old.chat("one").await.expect(200);
    old.chat("two").await.expect(200);
    let running = streams(&old).await;
    let (home, public, admin) = (old.home(), old.public, old.admin);
    let mut new = Successor::start(&conf, &home, &["upgrade"]);
    assert!(new.says("\"ready\"").await);
    gate.open_for_good();
    for mut client in running {
        assert_eq!(client.rest().await.1, Ok(()));
    }
    assert!(old.wait().await.status.success());
    // The three streams ended in the old process; the new one learns of them when that is gone.
    let token = std::fs::read_to_string(home.data().join("admin.token")).unwrap();
    let question = Request::new("GET", &format!("{ROOT}/quotas/seven/use"))
        .header("authorization", &format!("Bearer {}", token.trim()));
    patiently("the old process's requests", async {
        loop {
            let mut client = Client::connect(admin).await;
            client.send(&question).await;
            let page = client.answer().await.expect(200).json();
            match page["items"][0]["used"].as_str() {
                Some("5") => break,
                used => assert_eq!(used, Some("2"), "{page}"),
            }
        }
    })
    .await;
    let chat = async || {
        let mut client = Client::connect(public).await;
        client.send(&gateway::chat("hi")).await;
        client.answer().await
    };
    chat().await.expect(200);
    chat().await.expect(200);
    chat().await.expect_error(429, "quota_exceeded");
    new.stop().await;
    let next = Gateway::start_in(Arc::clone(&home)).await;
    let page = Api::operator(&next).get("/quotas/seven/use").await;
    assert_eq!(page["items"][0]["used"], "7");
    next.stop().await;
    assert_eq!(outcomes(&home).await, counted(&[("ok", 7)]));
}
