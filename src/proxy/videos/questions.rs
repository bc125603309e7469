//! What callers ask about their orders: how far one is, its bytes, and that it
//! be forgotten. Answered for whoever has the id and the tenant; none of it is
//! paid for.

use super::super::Plane;
use super::super::aigne::query;
use super::super::answer::AnswerHead;
use super::super::exchange::Missed;
use super::super::service::{Whole, refuse_early};
use super::super::sink::{Direct, Sink};
use super::super::upstream::{Head, Reading, Taken};
use super::super::visit::Visit;
use super::super::{intake, settle};
use super::begin::told;
use super::load::{Content, media_type, open as open_content};
use super::look::{delete, look};
use super::running::Final;
use super::watch::end_of;
use super::{Whereabouts, open, unknown};
use crate::config::Snapshot;
use crate::error::{Failure, Kind, Result};
use crate::types::{Op, Usage};
use crate::wire::video::{self, Made, State};
use bytes::Bytes;
use http::header;
use pingora::protocols::http::ServerSession;
use serde_json::json;
use std::sync::Arc;
use tokio::time::timeout;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Question {
    /// `GET /v1/videos/{id}`
    State,
    /// `GET /v1/videos/{id}/content`
    Content,
    /// `DELETE /v1/videos/{id}`
    Delete,
    /// `GET /v1/videos`
    List,
}

/// An answer that is not sent yet.
enum Answer {
    Json(Bytes),
    Content(Box<(Whereabouts, Taken, Head)>),
    Elsewhere(String),
}

/// Answers a question about the order of this id.
pub(in crate::proxy) async fn answer(
    plane: &Arc<Plane>,
    session: &mut ServerSession,
    id: &str,
    question: Question,
) -> Whole {
    let _present = plane.drain.enter();
    let snapshot = plane.snapshot.load_full();
    let mut visit = Visit::new(Op::Video, &plane.clock);
    session.set_write_timeout(Some(snapshot.bounds.write));
    let found = match intake::admit(plane, &snapshot, session, &mut visit) {
        Ok(caller) => {
            let query_text = session.req_header().uri.query().unwrap_or_default();
            let variant = query(query_text, "variant");
            let asked = Asked { plane, snapshot: &snapshot, id, tenant: &caller.key.tenant };
            asked.find(question, variant.as_deref()).await
        }
        Err(failure) => Err(failure),
    };
    match found {
        Ok(answer) => send(plane, session, visit, answer).await,
        Err(failure) => {
            Box::pin(refuse_early(plane, session, visit, failure)).await;
            Whole::Yes
        }
    }
}

/// Who asks, about what.
struct Asked<'a> {
    plane: &'a Plane,
    snapshot: &'a Snapshot,
    id: &'a str,
    tenant: &'a crate::types::TenantId,
}

impl Asked<'_> {
    async fn find(&self, question: Question, variant: Option<&str>) -> Result<Answer> {
        if question == Question::List {
            let text = "This gateway keeps no list of videos: ask for each by its id.";
            return Err(Failure::new(Kind::InvalidRequest, text));
        }
        let (ticket, place) = open(self.snapshot, self.tenant, self.id)?;
        let films = place.provider.vendor.films;
        let untold = |missed: Missed| self.untold(missed);
        match question {
            Question::State | Question::List => {
                let (body, made) = look(self.plane, &place).await.map_err(untold)?;
                self.note(&place, &made, ticket.seconds);
                let said = told(self.snapshot, self.tenant, &ticket, Some(self.id), &made, (films, &body))?;
                Ok(Answer::Json(said))
            }
            Question::Content => {
                let made = match video::is_named_by_state(films) {
                    true => look(self.plane, &place).await.map_err(untold)?.1,
                    false => Made::new(place.id.clone(), State::Completed),
                };
                self.note(&place, &made, ticket.seconds);
                if made.state != State::Completed {
                    let text = format!("The video is not ready: its status is `{}`.", made.state.name());
                    return Err(Failure::new(Kind::InvalidRequest, text));
                }
                match open_content(self.plane, &place, &made, variant).await.map_err(untold)? {
                    Content::Elsewhere(address) => Ok(Answer::Elsewhere(address)),
                    Content::Comes(taken, head) => Ok(Answer::Content(Box::new((place, taken, head)))),
                }
            }
            Question::Delete => {
                self.delete(&place, ticket.seconds).await?;
                let gone = json!({ "id": self.id, "object": "video.deleted", "deleted": true });
                Ok(Answer::Json(gone.to_string().into()))
            }
        }
    }

    /// Tells the end of an order to who settles it. A state that was made up says nothing of its length.
    fn note(&self, place: &Whereabouts, made: &Made, seconds: u32) {
        let is_seen = made.state == State::Failed || made.seconds.is_some() || made.file.is_some();
        if !is_seen || !self.plane.videos.is_open(place) {
            return;
        }
        let bound = Usage { milliseconds: u64::from(seconds) * 1_000, ..Usage::default() };
        let wall = self.plane.clock.wall().seconds();
        if let Some(end) = end_of(place.provider.vendor, made, bound, wall) {
            self.plane.videos.tell(place, end);
        }
    }

    /// Makes a vendor forget an order. One that is not settled yet is by what had become of it; where
    /// that was amid its making, it is charged as ordered, for the vendor does so.
    async fn delete(&self, place: &Whereabouts, seconds: u32) -> Result<()> {
        let untold = |missed: Missed| self.untold(missed);
        let before = match self.plane.videos.is_open(place) {
            true => Some(look(self.plane, place).await.map_err(untold)?.1),
            false => None,
        };
        before.iter().for_each(|made| self.note(place, made, seconds));
        let text = "The vendor of this video cannot be asked to delete it; it does so by itself.";
        let asked = delete(self.plane, place).await;
        asked.ok_or_else(|| Failure::new(Kind::InvalidRequest, text))?.map_err(untold)?;
        let failure = || Failure::new(Kind::CallerGone, "The caller deleted the order");
        match before.map(|made| made.state) {
            Some(State::Queued) => self.plane.videos.tell(place, Final::Failed(failure())),
            Some(State::InProgress) => self.plane.videos.tell(place, Final::Unknown(failure())),
            _ => {}
        }
        Ok(())
    }

    /// What the vendor does not know is unknown here too.
    fn untold(&self, missed: Missed) -> Failure {
        match missed.failure.status() {
            404 => unknown(self.id),
            _ => missed.failure,
        }
    }
}

async fn send(plane: &Plane, session: &mut ServerSession, mut visit: Box<Visit>, answer: Answer) -> Whole {
    let id = visit.id.to_string();
    let mut sink = Direct::new(session, None);
    let mut head = match &answer {
        Answer::Json(_) => AnswerHead::new(200, "application/json"),
        Answer::Content(content) => AnswerHead::new(200, &media_type(&content.2)),
        Answer::Elsewhere(_) => AnswerHead::new(302, "video/mp4"),
    };
    head.id(visit.dialect, &id);
    visit.status = head.status;
    let whole = match answer {
        Answer::Json(body) => {
            head.length = Some(body.len() as u64);
            sink.head(head).await.is_ok() && sink.last(body).await.is_ok()
        }
        Answer::Elsewhere(address) => {
            head.text(header::LOCATION, &address);
            head.length = Some(0);
            sink.head(head).await.is_ok() && sink.last(Bytes::new()).await.is_ok()
        }
        Answer::Content(content) => {
            let (place, taken, from) = *content;
            head.length = from.content_length();
            pieces(plane, &mut sink, head, (place, taken)).await
        }
    };
    if !whole {
        sink.cut();
    }
    visit.response_bytes = sink.bytes;
    settle::answered(plane, visit);
    sink.finish(whole).await
}

/// Sends a video as it comes. `false`: it did not come to its end.
async fn pieces(
    plane: &Plane,
    sink: &mut Direct<'_>,
    head: AnswerHead,
    (place, mut taken): (Whereabouts, Taken),
) -> bool {
    if sink.head(head).await.is_err() {
        return false;
    }
    loop {
        match timeout(place.provider.clocks.idle, taken.conn.read_body()).await {
            Ok(Ok(Reading::Piece(piece))) => {
                if sink.write(piece).await.is_err() {
                    taken.conn.abort().await;
                    return false;
                }
            }
            Ok(Ok(Reading::End)) => break,
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    plane.upstreams.release(&place.provider, taken).await;
    sink.last(Bytes::new()).await.is_ok()
}
