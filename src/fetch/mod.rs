//! Asks web servers for the hub itself: one request, one bounded answer, a
//! connection of its own. Redirects are not followed. The data plane has a
//! client of its own, whose pools are for vendors only.

mod place;
mod tls;

use crate::access::AddressSet;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use place::Place;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For the name, the connection and TLS.
    pub connect: Duration,
    /// From then to the end of the answer, as far as it is read.
    pub answer: Duration,
    /// The longest body, in bytes; a longer one is an error. `None`: only the header is read.
    pub largest: Option<usize>,
}

/// Which addresses may be called.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// All: an operator named the host.
    Anywhere,
    /// Public ones, and those that the operator has opened; without TLS only the latter, because
    /// everybody between would read along.
    Allowed {
        /// What is opened.
        opened: &'a AddressSet,
        /// The setting that opens them, for texts.
        setting: &'static str,
    },
}

/// What is asked.
#[derive(Debug)]
pub struct Ask<'a> {
    /// How.
    pub method: Method,
    /// Where; a name or password in it is refused.
    pub url: &'a str,
    /// Besides those that every request has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// A private CA in place of the machine's, as DER.
    pub ca: Option<&'a [Vec<u8>]>,
    /// Which addresses may be called.
    pub reach: Reach<'a>,
    /// How long and how much.
    pub bounds: Bounds,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header.
    pub headers: HeaderMap,
    /// Its body, if it was to be read.
    pub body: Vec<u8>,
}

/// Who asks. Cheap to clone.
#[derive(Clone, Default)]
pub struct Client {
    /// Whom the machine trusts; read when somebody is first asked by HTTPS, because it takes a while.
    machine: Arc<OnceCell<Arc<rustls::ClientConfig>>>,
}

impl Client {
    /// Asks.
    ///
    /// # Errors
    /// Why there is no answer; whether the request had its effect is unknown then.
    pub async fn ask(&self, ask: Ask<'_>) -> Result<Answer, String> {
        let Bounds { connect, answer, largest } = ask.bounds;
        let place = Place::of(ask.url).map_err(|error| format!("the URL {error}"))?;
        let connecting = async {
            let stream = place.connect(ask.reach).await?;
            if !place.tls {
                return Ok((Some(stream), None));
            }
            let config = match ask.ca {
                Some(ca) => tls::private(ca)?,
                None => Arc::clone(self.machine.get_or_try_init(tls::machine).await?),
            };
            Ok((None, Some(tls::secured(&place.host, stream, config).await?)))
        };
        let (plain, secured) = timed(connect, "connecting", connecting).await?;
        let request = request(&place, ask)?;
        timed(answer, "the answer", async {
            match (plain, secured) {
                (Some(stream), _) => exchange(stream, request, largest).await,
                (_, Some(stream)) => exchange(stream, request, largest).await,
                (None, None) => Err("there is no connection".to_owned()),
            }
        })
        .await
    }

    /// The same, for threads that may wait.
    ///
    /// # Errors
    /// Those of [`Client::ask`].
    pub fn ask_and_wait(&self, ask: Ask<'_>) -> Result<Answer, String> {
        wait(self.ask(ask))
    }
}

/// Runs a question to its end on a thread that may wait.
///
/// # Errors
/// Those of the question.
pub fn wait<T>(question: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let answer = runtime.block_on(question);
    // A name that is still looked up would keep the thread waiting.
    runtime.shutdown_background();
    answer
}

async fn timed<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let late = |_| format!("{what} took longer than {} s", limit.as_secs());
    tokio::time::timeout(limit, work).await.map_err(late)?
}

fn request(place: &Place, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, String> {
    let path = place.uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = place.uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::builder()
        .method(ask.method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("aigne-hub/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(ask.body))).map_err(|error| error.to_string())
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    largest: Option<usize>,
) -> Result<Answer, String> {
    let told = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.map_err(told)?.into_parts();
        let body = match largest {
            Some(most) => {
                let read = Limited::new(body, most).collect().await;
                read.map_err(|error| error.to_string())?.to_bytes().to_vec()
            }
            None => Vec::new(),
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    tokio::pin!(connection, answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The answer may have come together with the end; if not, it knows why.
        _ = &mut connection => answer.await,
    }
}

#[cfg(test)]
mod tests;
