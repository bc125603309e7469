//! A vendor that speaks HTTP/2 over TLS, with a certificate of its own making.

use super::{Framing, Reply, Seen, reply::Step};
use super::{bedrock, vendor};
use bytes::Bytes;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig, pki_types::PrivateKeyDer};

/// A running vendor; `localhost` is the name on its certificate.
pub struct SecureUpstream {
    address: SocketAddr,
    directory: TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: JoinHandle<()>,
}

impl SecureUpstream {
    /// Behaves like [`vendor::answer`], over HTTP/2 only.
    pub async fn realistic() -> Self {
        Self::answering(vendor::answer).await
    }

    /// As strict as Bedrock, which speaks HTTP/2, too.
    pub async fn bedrock() -> Self {
        Self::answering(|seen| {
            bedrock::check(seen).map_or_else(|(_, refusal)| refusal, |()| bedrock::answer(seen))
        })
        .await
    }

    async fn answering(answer: Answer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let accepting =
            tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(config)), answer, seen.clone()));
        Self { address, directory, seen, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://localhost:port/v1`
    pub fn base_url(&self) -> String {
        format!("https://localhost:{}/v1", self.address.port())
    }

    /// The same without a path.
    pub fn root_url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The certificate to trust.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for SecureUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, answer: Answer, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (tls, seen) = (tls.clone(), seen.clone());
        connections.spawn(async move {
            // A refused handshake is the client's finding, which the test sees there.
            let _ = serve(stream, tls, number, answer, seen).await;
        });
    }
}

type Answer = fn(&Seen) -> Reply;
type Error = Box<dyn std::error::Error + Send + Sync>;

async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    number: usize,
    answer: Answer,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<(), Error> {
    let mut connection = h2::server::handshake(tls.accept(stream).await?).await?;
    let mut streams = JoinSet::new();
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        streams.spawn(exchange(request, respond, number, answer, seen.clone()));
    }
    Ok(())
}

async fn exchange(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    connection: usize,
    answer: Answer,
    record: Arc<Mutex<Vec<Seen>>>,
) -> Result<(), Error> {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk?;
        incoming.flow_control().release_capacity(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    // What HTTP/2 says in place of a header.
    headers.extend(head.uri.authority().map(|authority| ("host".to_owned(), authority.to_string())));
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        headers,
        body: body.into(),
        connection,
    };
    let reply = answer(&seen);
    record.lock().unwrap().push(seen);
    send(&mut respond, &reply)
}

fn send(respond: &mut h2::server::SendResponse<Bytes>, reply: &Reply) -> Result<(), Error> {
    let mut head = http::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        head = head.header(name, value);
    }
    if reply.framing == Framing::Length {
        head = head.header("content-length", reply.data().len());
    }
    let mut body = respond.send_response(head.body(())?, false)?;
    for step in &reply.steps {
        if let Step::Data(bytes) = step {
            body.send_data(bytes.clone(), false)?;
        }
    }
    body.send_data(Bytes::new(), true)?;
    Ok(())
}
