//! The one task that brings notices out. What it has begun is on disk before,
//! what it has ended after; so a crash lets a notice arrive twice, never not
//! at all.

use super::delivery::{Delivery, Said, Way};
use super::notices::{Failed, Notices, Ties};
use super::outbox::Verdict;
use super::{mail, post};
use crate::fetch::Client;
use crate::types::Wall;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Deliveries that are tried at once.
const MOST_AT_ONCE: usize = 8;
/// When rows could not be written, nothing is sent for so long.
const AFTER_A_FAILED_WRITE: Duration = Duration::from_secs(1);
/// What is due later is looked for anew after this long: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How long what is for an endpoint that is switched off waits before it is looked at again.
const WHILE_OFF: Duration = Duration::from_secs(30);

/// See the module.
struct Courier {
    notices: Notices,
    ties: Arc<dyn Ties>,
    client: Arc<Client>,
}

/// How an attempt ended.
struct Ended {
    id: Arc<str>,
    outcome: Outcome,
}

enum Outcome {
    /// It was tried.
    Tried(Verdict, Said),
    /// It was not.
    PutOff(Wall),
}

/// Delivers until `stop` completes.
pub async fn run(notices: Notices, ties: Arc<dyn Ties>, stop: impl Future<Output = ()>) {
    let courier = Courier { notices, ties, client: Arc::default() };
    let mut under_way = JoinSet::new();
    tokio::pin!(stop);
    loop {
        courier.notices.address_raised(&*courier.ties);
        let written = courier.write().await;
        if written {
            courier.begin(&mut under_way);
        }
        let pause = courier.pause(written, under_way.len());
        tokio::select! {
            () = &mut stop => break,
            () = courier.notices.woken() => {}
            Some(ended) = under_way.join_next() => courier.end(ended),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Courier {
    async fn write(&self) -> bool {
        let (notices, ties) = (self.notices.clone(), Arc::clone(&self.ties));
        match tokio::task::spawn_blocking(move || notices.write(&*ties)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(error, "notices wait: they cannot be written down");
                false
            }
            Err(error) => {
                tracing::error!(%error, "notices wait");
                false
            }
        }
    }

    /// Begins what is due, as much as may run at once.
    fn begin(&self, under_way: &mut JoinSet<Ended>) {
        while under_way.len() < MOST_AT_ONCE {
            let Some(delivery) = self.notices.outbox(|outbox| outbox.take_due(self.notices.now())) else {
                return;
            };
            let (notices, ties) = (self.notices.clone(), Arc::clone(&self.ties));
            let client = Arc::clone(&self.client);
            under_way.spawn(async move {
                let outcome = attempt(&delivery, &notices, ties, &client).await;
                Ended { id: delivery.id, outcome }
            });
        }
    }

    fn pause(&self, written: bool, running: usize) -> Duration {
        if !written {
            return AFTER_A_FAILED_WRITE;
        }
        // With all hands full, only an end helps.
        let next = self.notices.outbox(|outbox| outbox.next_due()).filter(|_| running < MOST_AT_ONCE);
        let wait = next.map_or(LONGEST_SLEEP, |at| {
            Duration::from_micros(u64::try_from(at.0.saturating_sub(self.notices.now().0)).unwrap_or(0))
        });
        wait.min(LONGEST_SLEEP)
    }

    fn end(&self, ended: Result<Ended, tokio::task::JoinError>) {
        let Ended { id, outcome } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                return tracing::error!(%error, "a delivery broke off; it is tried again at the next start");
            }
        };
        match outcome {
            Outcome::PutOff(until) => self.notices.outbox(|outbox| outbox.put_off(&id, until)),
            Outcome::Tried(verdict, said) => {
                self.notices.count(verdict == Verdict::Done);
                if verdict != Verdict::Done {
                    tracing::warn!(delivery = %id, status = said.status, error = said.error, "a notice did not arrive");
                }
                let give_up = self.ties.settings().give_up;
                self.notices.outbox(|outbox| outbox.end(&id, &verdict, said, give_up));
            }
        }
    }
}

/// One attempt.
async fn attempt(delivery: &Delivery, notices: &Notices, ties: Arc<dyn Ties>, client: &Client) -> Outcome {
    let at = notices.now();
    let endpoint = Arc::clone(&delivery.endpoint);
    let for_way = Arc::clone(&ties);
    let way = tokio::task::spawn_blocking(move || for_way.way(&endpoint)).await;
    let way = way.unwrap_or_else(|error| Err(Failed::Unable(error.to_string())));
    let settings = ties.settings();
    let said = |status, error: String| Said { at: notices.now(), status, error };
    match way {
        Err(Failed::Off) => Outcome::PutOff(at.after(WHILE_OFF)),
        Err(Failed::Gone) => Outcome::Tried(Verdict::Never, said(None, "the webhook was deleted".into())),
        Err(Failed::Unable(why)) => Outcome::Tried(Verdict::Later(None), said(None, why)),
        Ok(Way::Web { url, secrets }) => {
            match post::post(&url, &secrets, delivery, at, (&settings.allow, client)).await {
                Ok(answer) => Outcome::Tried(answer.verdict(), said(Some(answer.status), answer.error())),
                Err(error) => Outcome::Tried(Verdict::Later(None), said(None, error)),
            }
        }
        Ok(Way::Mail { to }) => match mail::send(settings.mail.as_ref(), &to, delivery).await {
            Ok(()) => Outcome::Tried(Verdict::Done, said(None, String::new())),
            Err((verdict, error)) => Outcome::Tried(verdict, said(None, error)),
        },
    }
}
