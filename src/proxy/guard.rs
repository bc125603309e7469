//! One wait on a vendor, watched: the caller may leave, a clock may run out,
//! a silent stream wants a heartbeat.

use super::sink::{Gone, Sink};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Far enough away to mean "never" without overflowing a clock.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// How a watched wait ended.
pub(super) enum Waited<T> {
    Done(T),
    /// The caller left.
    Gone,
    /// The deadline passed.
    Late,
}

/// The clocks of one request. The timer is armed lazily: it may fire early and
/// is then set to the real deadline, which saves re-arming it for each event.
pub(super) struct Guard {
    alarm: Pin<Box<Sleep>>,
    heartbeat: Duration,
    beat_at: Instant,
    /// End of the request, all attempts together.
    pub total: Instant,
}

impl Guard {
    /// `heartbeat` of zero means none.
    pub(super) fn new(total: Duration, heartbeat: Duration) -> Self {
        let now = Instant::now();
        let heartbeat = if heartbeat.is_zero() { NEVER } else { heartbeat };
        let alarm = Box::pin(tokio::time::sleep_until(now + NEVER));
        Self { alarm, heartbeat, beat_at: now + heartbeat, total: now + total.min(NEVER) }
    }

    /// Something was written to the caller.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.beat_at = now + self.heartbeat;
    }

    /// `step` comes pinned, because a future moved in here would be copied whole, per wait.
    /// Waits for `step` until `deadline` (and no longer than the request's end).
    pub(super) async fn watch<S: Sink, T>(
        &mut self,
        sink: &mut S,
        deadline: Instant,
        step: impl Future<Output = T> + Unpin,
    ) -> Waited<T> {
        let mut step = pin!(step);
        // What is ready at once, like most reads of a busy stream, costs no timer.
        let ready = poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx))).await;
        if let Poll::Ready(done) = ready {
            return Waited::Done(done);
        }
        let deadline = deadline.min(self.total);
        loop {
            let due = deadline.min(self.beat_at);
            if due < self.alarm.deadline() || self.alarm.is_elapsed() {
                self.alarm.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                done = &mut step => return Waited::Done(done),
                () = sink.gone() => return Waited::Gone,
                () = &mut self.alarm => {}
            }
            let now = Instant::now();
            if now >= deadline {
                return Waited::Late;
            }
            if now >= self.beat_at {
                self.wrote(now);
                if sink.beat().await.is_err() {
                    return Waited::Gone;
                }
            }
        }
    }

    /// Waits for a time to pass; an error when the caller left or the request's time is over.
    pub(super) async fn pause<S: Sink>(&mut self, sink: &mut S, time: Duration) -> Result<(), Gone> {
        let until = Instant::now() + time;
        match self.watch(sink, until, pin!(std::future::pending::<()>())).await {
            Waited::Gone => Err(Gone),
            Waited::Done(()) | Waited::Late => Ok(()),
        }
    }
}
