//! HTTP/2 to a vendor, on Pingora's own sessions.

use super::{Broken, Head, Outgoing, Reading};
use bytes::Bytes;
use http::{Uri, Version};
use pingora::RetryType;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;

/// Body bytes per write, so that a refusal in between is noticed.
const WRITE_BYTES: usize = 64 * 1024;

/// One stream of an HTTP/2 connection.
pub(in crate::proxy) struct Http2 {
    session: HttpSession,
    finished: bool,
}

impl Http2 {
    pub(super) fn new(session: HttpSession) -> Self {
        Self { session, finished: false }
    }

    pub(super) async fn send(&mut self, request: &Outgoing<'_>) -> Result<(), Broken> {
        let header = request_header(request).map_err(|e| Broken::Malformed(e.to_string()))?;
        self.session.write_request_header(Box::new(header)).await.map_err(|e| io(&e))?;
        let sent = self.send_body(request.body).await;
        // A vendor may refuse before it has read everything; its answer says more than our write error.
        if let Err(error) = sent {
            tracing::debug!(%error, "the vendor stopped reading");
        }
        Ok(())
    }

    async fn send_body(&mut self, body: &[Bytes]) -> pingora::Result<()> {
        for piece in body {
            let mut rest = piece.clone();
            while !rest.is_empty() {
                let part = rest.split_to(rest.len().min(WRITE_BYTES));
                self.session.write_request_body(part, false).await?;
            }
        }
        self.session.finish_request_body().await
    }

    pub(super) async fn read_head(&mut self) -> Result<Head, Broken> {
        loop {
            self.session.read_response_header().await.map_err(|e| io(&e))?;
            let Some(header) = self.session.response_header() else {
                return Err(Broken::Malformed("no response header".into()));
            };
            let status = header.status.as_u16();
            if status >= 200 {
                return Ok(Head { status, headers: header.headers.clone(), http10: false });
            }
        }
    }

    pub(super) async fn read_body(&mut self) -> Result<Reading, Broken> {
        loop {
            match self.session.read_response_body().await {
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(Some(piece)) => return Ok(Reading::Piece(piece)),
                Ok(None) => {
                    self.finished = true;
                    return Ok(Reading::End);
                }
                Err(e) => return Err(Broken::Cut(e.to_string())),
            }
        }
    }

    pub(super) async fn reset(&mut self) {
        self.session.shutdown().await;
    }

    /// The session, when its answer was read to the end.
    pub(super) fn into_finished(self) -> Option<HttpSession> {
        self.finished.then_some(self.session)
    }
}

fn request_header(request: &Outgoing<'_>) -> Result<RequestHeader, Box<dyn std::error::Error>> {
    let mut header = RequestHeader::build(
        request.method.clone(),
        request.path.as_bytes(),
        Some(request.headers.len() + 1),
    )?;
    let scheme = if request.tls { "https" } else { "http" };
    let uri =
        Uri::builder().scheme(scheme).authority(request.authority).path_and_query(request.path).build()?;
    header.set_uri(uri);
    header.set_version(Version::HTTP_2);
    for (name, value) in request.headers {
        header.append_header(name.clone(), value.clone())?;
    }
    if request.method != http::Method::GET {
        header.insert_header(http::header::CONTENT_LENGTH, request.body_bytes())?;
    }
    Ok(header)
}

fn io(error: &pingora::Error) -> Broken {
    // A pooled connection that the vendor is closing refuses new streams: safe to send again.
    // `Error::retry()` panics while the answer depends on reuse, which the caller knows, not we.
    let stale = matches!(error.retry, RetryType::ReusedOnly | RetryType::Decided(true));
    Broken::Io { detail: error.to_string(), stale }
}
