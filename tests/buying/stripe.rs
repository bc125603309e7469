//! A strict scripted Stripe: it refuses what Stripe would refuse, remembers
//! requests by their idempotency keys, and signs events.

use super::*;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const SECRET_KEY: &str = "sk_test_canary_4711";
pub const SIGNING: &str = "whsec_canary_0815";

/// What happens to payments with saved cards.
#[derive(Clone, Copy, PartialEq)]
pub enum Cards {
    /// They are paid.
    Good,
    /// They are declined.
    Declined,
    /// The answer is lost, though the money moved.
    LostAnswer,
    /// The bank thinks about it.
    Slow,
}

#[derive(Default)]
struct Book {
    customers: u64,
    sessions: BTreeMap<String, BTreeMap<String, String>>,
    intents: BTreeMap<String, Value>,
    refunds: Vec<Value>,
    /// Answers by key, with the request that they answer.
    answers: BTreeMap<String, (String, u16, Value)>,
    violations: Vec<String>,
    charges: u64,
    lost: u64,
    cards: Option<Cards>,
}

#[derive(Clone)]
pub struct Stripe {
    book: Arc<Mutex<Book>>,
    pub address: std::net::SocketAddr,
}

/// A form, decoded; the same name twice is a mistake.
fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = std::str::from_utf8(body).unwrap();
    let read = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let mut fields = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        assert!(fields.insert(read(name), read(value)).is_none(), "{name} twice");
    }
    fields
}

impl Stripe {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stripe = Self { book: Arc::default(), address };
        let service = Router::new().fallback(answer).with_state(stripe.clone());
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        stripe
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn cards(&self, cards: Cards) {
        self.book.lock().unwrap().cards = Some(cards);
    }

    /// How often money was really taken from a saved card.
    pub fn charges(&self) -> u64 {
        self.book.lock().unwrap().charges
    }

    /// How many answers were lost on the way.
    pub fn lost(&self) -> u64 {
        self.book.lock().unwrap().lost
    }

    pub fn customers(&self) -> u64 {
        self.book.lock().unwrap().customers
    }

    pub fn refunds(&self) -> Vec<Value> {
        self.book.lock().unwrap().refunds.clone()
    }

    pub fn is_content(&self) {
        let violations = std::mem::take(&mut self.book.lock().unwrap().violations);
        assert!(violations.is_empty(), "{violations:?}");
    }

    /// What the hub asked for on the page of a payment.
    pub fn page(&self, session: &str) -> BTreeMap<String, String> {
        self.book.lock().unwrap().sessions[session].clone()
    }

    /// The customer pays on the page; gives the id of the payment and the event's object.
    pub fn pay(&self, session: &str) -> (String, Value) {
        let fields = self.page(session);
        let intent = format!("pi_{}", session.trim_start_matches("cs_"));
        let amount: u64 = fields["line_items[0][price_data][unit_amount]"].parse().unwrap();
        let metadata = json!({ "aigne_hub_payment": fields["metadata[aigne_hub_payment]"] });
        let later = fields.get("payment_intent_data[setup_future_usage]");
        let object = json!({
            "id": intent, "object": "payment_intent", "status": "succeeded", "amount": amount,
            "amount_received": amount, "currency": fields["line_items[0][price_data][currency]"],
            "customer": fields["customer"], "payment_method": "pm_1", "setup_future_usage": later,
            "metadata": metadata,
        });
        self.book.lock().unwrap().intents.insert(intent.clone(), object);
        let session = json!({
            "id": session, "object": "checkout.session", "mode": "payment", "payment_status": "paid",
            "payment_intent": intent, "amount_subtotal": amount, "amount_total": amount,
            "currency": fields["line_items[0][price_data][currency]"], "metadata": metadata,
        });
        (intent, session)
    }

    pub fn intent(&self, id: &str) -> Value {
        self.book.lock().unwrap().intents[id].clone()
    }

    /// The payments with saved cards, oldest first.
    pub fn intents(&self) -> Vec<Value> {
        self.book.lock().unwrap().intents.values().cloned().collect()
    }

    fn take(&self, method: &Method, path: &str, fields: &BTreeMap<String, String>) -> (u16, Value) {
        let mut book = self.book.lock().unwrap();
        let book = &mut *book;
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        match (method.as_str(), path) {
            ("POST", "/v1/customers") => {
                book.customers += 1;
                (200, json!({ "id": format!("cus_{}", book.customers), "object": "customer" }))
            }
            ("POST", "/v1/checkout/sessions") => {
                let id = format!("cs_{}", book.sessions.len() + 1);
                for name in ["success_url", "cancel_url", "customer", "mode"] {
                    if field(name).is_empty() {
                        book.violations.push(format!("a session without {name}"));
                    }
                }
                book.sessions.insert(id.clone(), fields.clone());
                (
                    200,
                    json!({ "id": id, "object": "checkout.session", "url": format!("https://pay.test/{id}"), "payment_intent": null }),
                )
            }
            ("POST", "/v1/payment_intents") => charge(book, fields),
            ("POST", "/v1/refunds") => {
                let id = format!("re_{}", book.refunds.len() + 1);
                let amount: u64 = field("amount").parse().unwrap();
                let refund = json!({ "id": id, "object": "refund", "amount": amount, "status": "succeeded", "payment_intent": field("payment_intent") });
                book.refunds.push(refund.clone());
                (200, refund)
            }
            ("GET", path) => match book.intents.get(path.trim_start_matches("/v1/payment_intents/")) {
                Some(intent) => (200, intent.clone()),
                None => (
                    404,
                    json!({ "error": { "type": "invalid_request_error", "message": "No such payment_intent" } }),
                ),
            },
            _ => {
                book.violations.push(format!("{method} {path} is not known"));
                (404, Value::Null)
            }
        }
    }
}

fn charge(book: &mut Book, fields: &BTreeMap<String, String>) -> (u16, Value) {
    let expected = [("off_session", "true"), ("confirm", "true"), ("payment_method", "pm_1")];
    for (name, value) in expected {
        if fields.get(name).map(String::as_str) != Some(value) {
            book.violations.push(format!("a charge with {name} {:?}", fields.get(name)));
        }
    }
    let id = format!("pi_auto_{}", book.intents.len() + 1);
    let amount: u64 = fields["amount"].parse().unwrap();
    let mut intent = json!({
        "id": id, "object": "payment_intent", "status": "succeeded", "amount": amount, "amount_received": amount,
        "currency": fields["currency"], "customer": fields["customer"], "payment_method": "pm_1",
        "metadata": { "aigne_hub_payment": fields["metadata[aigne_hub_payment]"] },
    });
    match book.cards.unwrap_or(Cards::Good) {
        Cards::Declined => {
            intent["status"] = json!("requires_payment_method");
            intent["amount_received"] = json!(0);
            book.intents.insert(id, intent.clone());
            let error = json!({ "type": "card_error", "code": "card_declined", "message": "Your card was declined.", "payment_intent": intent });
            return (402, json!({ "error": error }));
        }
        Cards::Slow => intent["status"] = json!("processing"),
        Cards::Good | Cards::LostAnswer => {}
    }
    book.charges += 1;
    book.intents.insert(id, intent.clone());
    (200, intent)
}

async fn answer(
    State(stripe): State<Stripe>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut wrong = Vec::new();
    if text("authorization") != format!("Bearer {SECRET_KEY}") {
        wrong.push("the key is wrong".to_owned());
    }
    if text("stripe-version") != "2025-03-31.basil" {
        wrong.push(format!("version {:?}", text("stripe-version")));
    }
    let post = method == Method::POST;
    if post && text("content-type") != "application/x-www-form-urlencoded" {
        wrong.push(format!("a form of type {:?}", text("content-type")));
    }
    if post && text("idempotency-key").is_empty() {
        wrong.push(format!("{uri} without an idempotency key"));
    }
    stripe.book.lock().unwrap().violations.extend(wrong);
    let request = format!("{method} {uri} {}", String::from_utf8_lossy(&body));
    let key = text("idempotency-key");
    let before = stripe.book.lock().unwrap().answers.get(&key).cloned();
    let (status, value) = match before.filter(|_| post) {
        Some((same, status, value)) if same == request => (status, value),
        Some(_) => (
            400,
            json!({ "error": { "type": "idempotency_error", "message": "Keys for idempotent requests can only be used with the same parameters" } }),
        ),
        None => {
            let (status, value) = stripe.take(&method, uri.path(), &form(&body));
            if post {
                let mut book = stripe.book.lock().unwrap();
                book.answers.insert(key, (request, status, value.clone()));
                if book.cards == Some(Cards::LostAnswer)
                    && uri.path() == "/v1/payment_intents"
                    && book.lost == 0
                {
                    book.lost += 1;
                    return StatusCode::BAD_GATEWAY.into_response();
                }
            }
            (status, value)
        }
    };
    (StatusCode::from_u16(status).unwrap(), axum::Json(value)).into_response()
}

/// An event as Stripe sends it.
pub fn event(kind: &str, object: &Value) -> String {
    json!({ "id": format!("evt_{kind}"), "object": "event", "type": kind, "livemode": false, "data": { "object": object } }).to_string()
}

/// The header of a message that was signed at a time.
pub fn signature(secret: &str, at: i64, body: &str) -> String {
    let mut mac: Hmac<Sha256> = KeyInit::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
