//! The real hub: the built binary as a child process, with its configuration
//! in a directory of its own. Dropping it kills it.

use super::client::{Answer, Client, Head, Request};
use super::conf::{Conf, KEY};
use super::patiently;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

const BINARY: &str = env!("CARGO_BIN_EXE_aigne-hub");

/// What a stream of the process has said so far.
#[derive(Clone, Debug, Default)]
struct Said {
    lines: Vec<String>,
    closed: bool,
}

/// A running hub.
pub struct Gateway {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    home: Arc<Home>,
    child: Option<Child>,
    stdout: watch::Receiver<Said>,
    stderr: watch::Receiver<Said>,
}

/// Directory with the configuration and the data; outlives the process.
pub struct Home {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    pub fn new(conf: &Conf) -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap(), environment: conf.environment() };
        for (name, text) in conf.files() {
            std::fs::write(home.directory.path().join(name), text).unwrap();
        }
        home.write(conf);
        home
    }

    pub fn config(&self) -> PathBuf {
        self.directory.path().join("hub.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Replaces the configuration file in one step.
    pub fn write(&self, conf: &Conf) {
        self.write_text(&conf.toml(&self.data().to_string_lossy()));
    }

    pub fn write_text(&self, text: &str) {
        let next = self.directory.path().join("hub.toml.next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(&next, self.config()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(&arguments[..1]).arg("--config").arg(self.config()).args(&arguments[1..]);
        command.current_dir(self.directory.path());
        command.env_clear().envs(self.environment.clone()).env("RUST_BACKTRACE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs another command of the binary to its end. One that does not end is killed.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        Self::end(self.command(arguments), arguments).await
    }

    /// The same as somebody who has none of the hub's secrets.
    pub async fn run_without_secrets(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.env_clear();
        Self::end(command, arguments).await
    }

    async fn end(mut command: Command, arguments: &[&str]) -> Output {
        let child = command.spawn().unwrap();
        let id = child.id();
        let running = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        match tokio::time::timeout(Duration::from_secs(30), running).await {
            Ok(output) => output.unwrap(),
            Err(_) => {
                kill("KILL", id);
                panic!("{arguments:?} did not end");
            }
        }
    }

    /// The settlements in the books, in the order in which their requests began: two that follow each
    /// other closely may be written the other way round. Only while no hub is running here.
    pub async fn ledger(&self) -> Vec<Value> {
        let journal = self.journal().await;
        let (mut begun, mut settlements) = (HashMap::new(), Vec::new());
        for (at, record) in journal.into_iter().enumerate() {
            let id = record["id"].to_string();
            match record["record"].as_str() {
                Some("intent") => drop(begun.insert(id, at)),
                Some("settlement") => settlements.push((begun.get(&id).copied().unwrap_or(at), record)),
                _ => {}
            }
        }
        settlements.sort_by_key(|(at, _)| *at);
        settlements.into_iter().map(|(_, record)| record).collect()
    }

    /// Everything in the books: intents and settlements, in the order of writing.
    pub async fn journal(&self) -> Vec<Value> {
        let output = self.run(&["ledger", "export"]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Gateway {
    /// Starts the hub and waits until it serves.
    pub async fn start(conf: &Conf) -> Self {
        Self::start_in(Arc::new(Home::new(conf))).await
    }

    /// Starts a hub on what another one left behind.
    pub async fn start_in(home: Arc<Home>) -> Self {
        let mut child = home.command(&["serve"]).spawn().unwrap();
        let mut stdout = follow(child.stdout.take().unwrap());
        let stderr = follow(child.stderr.take().unwrap());
        let ready = patiently("the hub to be ready", ready(&mut stdout)).await;
        let Some(ready) = ready else {
            let status = child.wait();
            panic!("the hub ended before it was ready ({status:?}):\n{}", lines(&stderr));
        };
        let address = |value: &Value| value.as_str().unwrap().parse().unwrap();
        let (public, admin) = (address(&ready["public"][0]), address(&ready["admin"]));
        Self { public, admin, home, child: Some(child), stdout, stderr }
    }

    /// Starts a hub that is expected to refuse its configuration.
    pub async fn refuses(conf: &Conf) -> Output {
        let output = Home::new(conf).run(&["serve"]).await;
        assert!(!output.status.success(), "the hub started with {}", conf.toml("data"));
        output
    }

    pub fn home(&self) -> Arc<Home> {
        self.home.clone()
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.public).await
    }

    /// Sends a request on a connection of its own; the head is the caller's to read.
    pub async fn open(&self, request: &Request) -> Client {
        let mut client = self.connect().await;
        client.send(request).await;
        client
    }

    /// One request and its whole answer.
    pub async fn call(&self, request: &Request) -> Answer {
        self.open(request).await.answer().await
    }

    /// A JSON request with the test's key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(&Request::post(path, body).key(KEY)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(&Request::get(path).key(KEY)).await
    }

    /// A chat with one message.
    pub async fn chat(&self, text: &str) -> Answer {
        self.call(&chat(text)).await
    }

    /// A streamed chat, read to its end.
    pub async fn stream(&self, text: &str) -> Answer {
        self.call(&stream(text)).await
    }

    /// A streamed chat whose head has arrived; the body is read piece by piece.
    pub async fn open_stream(&self, text: &str) -> (Head, Client) {
        let mut client = self.open(&stream(text)).await;
        (client.head().await, client)
    }

    /// A request to the admin listener.
    pub async fn admin(&self, request: &Request) -> Answer {
        let mut client = Client::connect(self.admin).await;
        client.send(request).await;
        client.answer().await
    }

    /// The metrics page.
    pub async fn metrics(&self) -> Metrics {
        let answer = self.admin(&Request::get("/metrics")).await.expect(200);
        Metrics(String::from_utf8(answer.body.to_vec()).unwrap())
    }

    /// The metrics page, once so many requests have been counted: a request is
    /// counted after its answer has gone out.
    pub async fn metrics_after(&self, requests: u32) -> Metrics {
        let counted = |page: &Metrics| page.sum("aigne_hub_requests_total", &[]) >= f64::from(requests);
        let mut page = self.metrics().await;
        patiently("the requests to be counted", async {
            while !counted(&page) {
                page = self.metrics().await;
            }
        })
        .await;
        page
    }

    /// Asks again and again until the answer is yes. Each round is a request,
    /// so the loop goes at the hub's own pace; it gives way even if it is none,
    /// because time and the scripted vendors would stand still otherwise.
    pub async fn eventually(&self, what: &str, mut yes: impl AsyncFnMut() -> bool) {
        patiently(what, async {
            while !yes().await {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Everything the process has said, on both streams.
    pub fn said(&self) -> String {
        format!("{}\n{}", lines(&self.stdout), lines(&self.stderr))
    }

    /// Writes another configuration and asks for a reload.
    pub fn reload(&self, conf: &Conf) {
        self.home.write(conf);
        self.signal("HUP");
    }

    /// Writes a broken configuration and asks for a reload.
    pub fn reload_text(&self, text: &str) {
        self.home.write_text(text);
        self.signal("HUP");
    }

    /// Completes when the process has let go of its output, and so has ended.
    pub async fn eventually_ended(&self) {
        let mut stderr = self.stderr.clone();
        patiently("the hub to end", stderr.wait_for(|said| said.closed)).await.unwrap();
    }

    pub fn signal(&self, name: &str) {
        kill(name, self.child.as_ref().unwrap().id());
    }

    /// Asks the hub to end, and waits for it.
    pub async fn stop(mut self) -> Stopped {
        self.signal("TERM");
        self.wait().await
    }

    /// Ends the hub as a power cut would.
    pub async fn kill9(mut self) -> Stopped {
        self.signal("KILL");
        self.wait().await
    }

    /// Waits until the process has ended by itself.
    pub async fn wait(&mut self) -> Stopped {
        let mut child = self.child.take().unwrap();
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        let status = patiently("the hub to end", waiting).await.unwrap();
        for stream in [&mut self.stdout, &mut self.stderr] {
            patiently("the last words", stream.wait_for(|said| said.closed)).await.unwrap();
        }
        Stopped { status, home: self.home.clone(), said: self.said() }
    }

    /// Stops the hub and reads what it wrote into its books.
    pub async fn ledger(self) -> Vec<Value> {
        self.stop().await.home.ledger().await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the hub said ---\n{}", self.said());
        }
    }
}

/// What is left of a hub that ended.
pub struct Stopped {
    pub status: ExitStatus,
    pub home: Arc<Home>,
    pub said: String,
}

/// The metrics page, to be asked for single series.
pub struct Metrics(pub String);

impl Metrics {
    /// The sum of all series of this name that carry these labels (`name="value"`).
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let series = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let named = rest.starts_with('{') || rest.starts_with(' ');
            (named && labels.iter().all(|label| rest.contains(label))).then_some(rest)
        });
        series.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

/// A chat with one message and the test's key.
pub fn chat(text: &str) -> Request {
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": text }] });
    Request::post("/v1/chat/completions", &body).key(KEY)
}

/// The same as a stream.
pub fn stream(text: &str) -> Request {
    let messages = json!([{ "role": "user", "content": text }]);
    let body = json!({ "model": "gpt", "stream": true, "messages": messages });
    Request::post("/v1/chat/completions", &body).key(KEY)
}

fn kill(signal: &str, process: u32) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{signal} {process}")).status().unwrap();
    assert!(status.success(), "kill -{signal} {process}");
}

/// Reads a pipe line by line on a thread that ends with it.
fn follow(pipe: impl Read + Send + 'static) -> watch::Receiver<Said> {
    let (sender, receiver) = watch::channel(Said::default());
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            sender.send_modify(|said| said.lines.push(line));
        }
        sender.send_modify(|said| said.closed = true);
    });
    receiver
}

/// The line that says the hub is ready; `None` when it ended without.
async fn ready(stdout: &mut watch::Receiver<Said>) -> Option<Value> {
    let find = |said: &Said| said.lines.iter().find(|line| line.contains("\"ready\"")).cloned();
    let said = stdout.wait_for(|said| said.closed || find(said).is_some()).await.ok()?;
    serde_json::from_str(&find(&said)?).ok()
}

fn lines(stream: &watch::Receiver<Said>) -> String {
    stream.borrow().lines.join("\n")
}
