//! Where an answer goes: to the caller's connection, or into a flight that
//! several callers read.

use super::answer::{AnswerHead, EVENT_STREAM};
use super::chunked::{Chunked, takes};
use super::cors;
use super::recording::Tee;
use super::service::Whole;
use super::visit::Visit;
use crate::chat::Dialect;
use crate::error::Failure;
use crate::types::RequestId;
use crate::wire::translate::{self, AnswerForm};
use bytes::Bytes;
use http::{HeaderValue, header};
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;

/// Nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Takes an answer. The head comes first and once; `beat` may bring it forward.
pub(super) trait Sink: Send {
    /// Has the head been sent?
    fn head_sent(&self) -> bool;
    /// Has a head been sent that promises a whole answer and leaves no room for an error?
    fn is_silent(&self) -> bool {
        false
    }
    /// Takes a failure as it is, to tell it to each of its readers. `false`: it is to be written.
    fn takes(&mut self, _failure: &Failure) -> bool {
        false
    }
    /// Sends the head, unless it has been sent.
    fn head(&mut self, head: AnswerHead) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Sends bytes of the body. They may leave only when somebody waits (`gone`), or with the last.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Sends the last bytes of the body, which may be none.
    fn last(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Gone>> + Send;
    /// The body ends here, unfinished; its reader must be able to see that.
    fn cut(&mut self);
    /// Shows a silent stream's reader that the request lives.
    fn beat(&mut self) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Completes when nobody reads any more.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;
}

/// The caller's own connection.
pub(super) struct Direct<'a> {
    session: &'a mut ServerSession,
    /// The connection itself, once a stream of events runs over HTTP/1.1.
    stream: Option<Chunked>,
    head_sent: bool,
    /// Sent by the first heartbeat when the vendor has not answered yet.
    early: Option<Early>,
    /// Bytes of body written.
    pub bytes: u64,
    /// The status that went out.
    pub status: u16,
    /// The head came by a beat and promises a whole answer.
    is_silent: bool,
    /// What is kept of the answer, if anything.
    pub tee: Option<Box<Tee>>,
    /// The body was left unfinished on purpose.
    pub is_cut: bool,
    left: bool,
}

impl<'a> Direct<'a> {
    /// `early`: the head that a heartbeat may send before the vendor's.
    pub(super) fn new(session: &'a mut ServerSession, early: Option<Early>) -> Self {
        Self {
            session,
            stream: None,
            head_sent: false,
            early,
            bytes: 0,
            status: 0,
            is_silent: false,
            tee: None,
            is_cut: false,
            left: false,
        }
    }

    /// What became of the connection. `reusable`: as far as the answer goes, another request may come.
    pub(super) async fn finish(self, reusable: bool) -> Whole {
        let Some(mut stream) = self.stream else {
            if !reusable {
                self.session.set_keepalive(None);
            }
            return if self.is_cut { Whole::Cut } else { Whole::Yes };
        };
        if !reusable {
            stream.close_after();
        }
        if stream.give_back(self.session).await { Whole::Anew } else { Whole::Cut }
    }

    async fn send(&mut self, bytes: Bytes, last: bool) -> Result<(), Gone> {
        if self.left {
            return Err(Gone);
        }
        self.bytes += bytes.len() as u64;
        if let Some(tee) = &mut self.tee {
            tee.take(&bytes);
        }
        match &mut self.stream {
            Some(stream) => {
                let sent = stream.write(bytes, last).await;
                self.said(sent)
            }
            None => {
                let sent = self.session.write_response_body(bytes, last).await;
                self.said(sent)
            }
        }
    }

    fn said<T, E>(&mut self, result: Result<T, E>) -> Result<T, Gone> {
        result.map_err(|_| {
            self.left = true;
            Gone
        })
    }
}

impl Sink for Direct<'_> {
    fn head_sent(&self) -> bool {
        self.head_sent
    }

    fn is_silent(&self) -> bool {
        self.is_silent
    }

    async fn head(&mut self, mut head: AnswerHead) -> Result<(), Gone> {
        if self.head_sent {
            return Ok(());
        }
        cors::open(&mut head, &self.session.req_header().headers);
        (self.head_sent, self.status) = (true, head.status);
        let chunked = !self.session.is_http2();
        if takes(self.session, &head) {
            let begun = Chunked::begin(self.session, &head).await;
            self.stream = Some(self.said(begun)?);
            return Ok(());
        }
        let header = response(head, chunked);
        let sent = self.session.write_response_header(header).await;
        self.said(sent)
    }

    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Gone>> + Send {
        self.send(bytes, false)
    }

    fn last(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Gone>> + Send {
        self.send(bytes, true)
    }

    fn cut(&mut self) {
        self.is_cut = true;
    }

    async fn beat(&mut self) -> Result<(), Gone> {
        let Some(early) = self.early.map(Early::head) else { return Ok(()) };
        let events = early.is_events();
        self.is_silent |= !events && !self.head_sent;
        self.head(early).await?;
        // A comment among events; white space is nothing in front of JSON.
        self.write(Bytes::from_static(if events { b": keep-alive\n\n" } else { b"\n" })).await
    }

    async fn gone(&mut self) {
        if self.left {
            return;
        }
        match &mut self.stream {
            Some(stream) => stream.gone().await,
            None => drop(self.session.read_body_or_idle(true).await),
        }
        self.left = true;
    }
}

/// In Pingora's terms. HTTP/1.1 needs to be told how the body is framed.
pub(super) fn response(head: AnswerHead, http1: bool) -> Box<ResponseHeader> {
    let status = http::StatusCode::from_u16(head.status).unwrap_or(http::StatusCode::BAD_GATEWAY);
    let mut header = match ResponseHeader::build_no_case(status, Some(head.headers.len() + 2)) {
        Ok(header) => header,
        Err(_) => return Box::new(pingora::protocols::http::server::Session::generate_error(500)),
    };
    for (name, value) in head.headers {
        let _ = header.append_header(name, value);
    }
    let _ = match head.length {
        Some(length) => header.insert_header(header::CONTENT_LENGTH, HeaderValue::from(length)),
        None if http1 => header.insert_header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
        None => Ok(()),
    };
    Box::new(header)
}

/// The head that a heartbeat may send: an answer that has begun, from nobody yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Early {
    content_type: &'static str,
    dialect: Dialect,
    id: RequestId,
}

impl Early {
    fn head(self) -> AnswerHead {
        let mut head = AnswerHead::new(200, self.content_type);
        head.id(self.dialect, &self.id.to_string());
        head.events();
        head
    }
}

/// What a heartbeat may send to this caller. `None`: it waits without.
pub(super) fn early_head(visit: &Visit) -> Option<Early> {
    let content_type = match visit.stream {
        // Comments keep a stream of events alive; a list has none.
        true if visit.form == AnswerForm::List => return None,
        true => EVENT_STREAM,
        false if translate::beats_whole(visit.dialect) => "application/json",
        false => return None,
    };
    Some(Early { content_type, dialect: visit.dialect, id: visit.id })
}
