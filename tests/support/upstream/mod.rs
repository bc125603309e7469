//! A scripted vendor on a port of the system's choice. It is as strict as the
//! real one about what it is sent, records everything, and does on the wire
//! exactly what the test says. It knows nothing of the hub.

pub mod anthropic;
pub mod bedrock;
pub mod gemini;
pub mod http1;
pub mod http2;
pub mod ollama;
pub mod pictures;
pub mod reply;
pub mod responses;
pub mod vendor;
pub mod videos;

pub use reply::{Framing, Gate, Reply};
pub use vendor::Rules;

use bytes::Bytes;
use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// Lower-case names, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(got, _)| got == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The credential that was presented.
    pub fn credential(&self) -> &str {
        self.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
    }
}

/// Numbers that only grow, except `open`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: usize,
    pub open: usize,
    pub requests: usize,
    /// Answers that the vendor ended, by its own will.
    pub finished: usize,
    /// Answers during which the client closed the connection.
    pub aborted: usize,
}

type Answer = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;
type Check = Box<dyn Fn(&Seen) -> Result<(), vendor::Refusal> + Send + Sync>;

enum Script {
    Queue(VecDeque<Reply>),
    Function(Answer),
}

/// What the connections of one vendor have in common.
pub struct Shared {
    script: Mutex<Script>,
    check: Check,
    seen: Mutex<Vec<Seen>>,
    violations: Mutex<Vec<String>>,
    counts: watch::Sender<Counts>,
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    /// The next reply, if it does not wait for the request's body.
    fn early_reply(&self) -> Option<Reply> {
        match &mut *self.script.lock().unwrap() {
            Script::Queue(queue) if queue.front().is_some_and(|reply| reply.early) => queue.pop_front(),
            _ => None,
        }
    }

    /// Records the request and decides its reply: what the vendor's rules
    /// refuse never reaches the script.
    fn reply(&self, seen: Seen, early: Option<Reply>) -> Reply {
        let refused = match early {
            None => (self.check)(&seen).err(),
            Some(_) => None,
        };
        if let Some((violation, _)) = &refused {
            self.violations.lock().unwrap().push(violation.clone());
        }
        let reply = match (early, refused) {
            (Some(reply), _) => reply,
            (None, Some((_, refusal))) => refusal,
            (None, None) => self.scripted(&seen),
        };
        self.seen.lock().unwrap().push(seen);
        self.count(|counts| counts.requests += 1);
        reply
    }

    fn scripted(&self, seen: &Seen) -> Reply {
        match &mut *self.script.lock().unwrap() {
            Script::Function(answer) => answer(seen),
            Script::Queue(queue) => queue.pop_front().unwrap_or_else(|| {
                let text = format!("one request more than the script has: {} {}", seen.method, seen.path);
                self.violations.lock().unwrap().push(text);
                Reply::failed(500)
            }),
        }
    }
}

/// OpenAI's own rules.
fn strict() -> Check {
    let rules = Rules::strict();
    Box::new(move |seen| rules.check(seen))
}

/// A running vendor. Its connections end with it; dropping it fails the test
/// when it was sent something a real vendor would have refused.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// Answers in this order, one reply per request; a request too many is a violation.
    pub async fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(strict(), Script::Queue(replies.into_iter().collect())).await
    }

    /// Answers every request by a function.
    pub async fn answer(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(strict(), Script::Function(Box::new(answer))).await
    }

    /// Answers every request the same.
    pub async fn always(reply: Reply) -> Self {
        Self::answer(move |_| reply.clone()).await
    }

    /// Behaves like OpenAI's API with a model that always says the same.
    pub async fn realistic() -> Self {
        Self::answer(vendor::answer).await
    }

    /// Answers by a function, and refuses by other rules than the strict ones.
    pub async fn lawful(rules: Rules, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(move |seen| rules.check(seen)), Script::Function(Box::new(answer))).await
    }

    /// As strict as a check says, and answers by a function.
    pub async fn checked(
        check: impl Fn(&Seen) -> Result<(), vendor::Refusal> + Send + Sync + 'static,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(Box::new(check), Script::Function(Box::new(answer))).await
    }

    /// As strict as Anthropic, and answers by a function.
    pub async fn anthropic(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(anthropic::check), Script::Function(Box::new(answer))).await
    }

    /// As strict as Anthropic, and answers in this order.
    pub async fn anthropic_script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(Box::new(anthropic::check), Script::Queue(replies.into_iter().collect())).await
    }

    /// As strict as Gemini, and answers by a function.
    pub async fn gemini(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(gemini::check), Script::Function(Box::new(answer))).await
    }

    /// As strict as Gemini, and answers in this order.
    pub async fn gemini_script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(Box::new(gemini::check), Script::Queue(replies.into_iter().collect())).await
    }

    /// As strict as OpenAI's Responses, and answers by a function.
    pub async fn responses(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(responses::check), Script::Function(Box::new(answer))).await
    }

    /// As strict as OpenAI's Responses, and answers in this order.
    pub async fn responses_script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(Box::new(responses::check), Script::Queue(replies.into_iter().collect())).await
    }

    /// As strict as Bedrock, and answers by a function.
    pub async fn bedrock(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Box::new(bedrock::check), Script::Function(Box::new(answer))).await
    }

    /// As strict as Bedrock, and answers in this order.
    pub async fn bedrock_script(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(Box::new(bedrock::check), Script::Queue(replies.into_iter().collect())).await
    }

    async fn with(check: Check, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            check,
            seen: Mutex::default(),
            violations: Mutex::default(),
            counts: watch::Sender::new(Counts::default()),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { address, shared, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port/v1`
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The same without a path.
    pub fn root_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order in which they were complete.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The only request so far.
    pub fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "the vendor saw {seen:?}");
        seen.remove(0)
    }

    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// Completes when the counts satisfy `reached`.
    pub async fn until(&self, what: &str, reached: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        *super::patiently(what, counts.wait_for(reached)).await.unwrap()
    }

    /// Completes when the client has left a running answer.
    pub async fn aborted(&self) {
        self.until("the hub to abort the vendor", |counts| counts.aborted > 0).await;
    }

    /// What a real vendor would have refused, and forgives it.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.violations.lock().unwrap())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
        let violations = self.take_violations();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "a real vendor would have refused: {violations:#?}");
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Owned here, so that aborting this task closes every connection.
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        shared.count(|counts| {
            counts.connections += 1;
            counts.open += 1;
        });
        let shared = shared.clone();
        connections.spawn(async move {
            // An error here is a client that left in the middle of its own request.
            let _ = http1::serve(stream, number, &shared).await;
            shared.count(|counts| counts.open -= 1);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// An address on which nobody listens: connecting is refused at once.
pub async fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
