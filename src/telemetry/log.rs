//! Where lines go: a bounded buffer in memory and one thread that writes it to
//! stderr. A full buffer loses lines and counts them; nothing ever waits for a
//! terminal.
//!
//! Output is one per process, as `tracing`'s subscriber is, and so it is found
//! through a static.

use super::events::{JsonEvents, filter, is_allowed};
use super::line::{Format, Stamp, request_line};
use super::values::Done;
use parking_lot::{Condvar, Mutex};
use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Bytes of lines that may wait: about 8,000 requests.
const CAPACITY_BYTES: usize = 4 << 20;
/// How long lines gather before they are written. Waking the thread costs a
/// request more than its line does, so it happens at most this often.
const GATHER: Duration = Duration::from_millis(20);
/// Memory that a buffer keeps when it is empty.
const KEPT_BYTES: usize = 256 << 10;

static OUTPUT: OnceLock<Output> = OnceLock::new();

struct Output {
    queue: Arc<Queue>,
    format: Format,
}

/// Writes the request's one log line (target `request`, level info).
pub fn log_request(done: &Done) {
    thread_local! {
        static SCRATCH: RefCell<(Vec<u8>, Stamp)> = RefCell::default();
    }
    let Some(output) = OUTPUT.get() else { return };
    if !tracing::enabled!(target: "request", Level::INFO) {
        return;
    }
    SCRATCH.with_borrow_mut(|(line, stamp)| {
        line.clear();
        stamp.now();
        request_line(done, output.format, stamp, line);
        output.queue.push(line, Hurry::No);
    });
}

/// Lines lost to a full buffer since start.
pub(super) fn dropped_lines() -> u64 {
    OUTPUT.get().map_or(0, |output| output.queue.dropped.load(Ordering::Relaxed))
}

/// Log output: JSON or text to stderr, through a bounded non-blocking queue so that a slow
/// terminal never slows a request; `level` is an `env-filter` directive. Libraries
/// that see whole requests say little, whatever it is.
///
/// # Errors
/// A text that says which directive is wrong, or that logs are running already.
pub fn init_logs(json: bool, level: &str) -> Result<LogGuard, String> {
    let filter = filter(level)?;
    let queue = Arc::new(Queue::new(CAPACITY_BYTES));
    let lines = Lines(Arc::clone(&queue));
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(lines);
    let most = filter_fn(is_allowed);
    let installed = if json {
        events.event_format(JsonEvents).finish().with(most).try_init()
    } else {
        events.finish().with(most).try_init()
    };
    installed.map_err(|error| format!("logs cannot be started: {error}"))?;
    let format = if json { Format::Json } else { Format::Text };
    if OUTPUT.set(Output { queue: Arc::clone(&queue), format }).is_err() {
        return Err("logs are running already".to_owned());
    }
    let drained = Arc::clone(&queue);
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || drained.drain(&mut io::stderr()))
        .map_err(|error| format!("the log thread cannot be started: {error}"))?;
    Ok(LogGuard { queue, thread: Some(thread) })
}

/// Flushes what is queued when dropped.
pub struct LogGuard {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the log thread has been reported by then; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// Does a line wait for company?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hurry {
    /// It may gather with others.
    No,
    /// Somebody must see it, even if the process ends right after.
    Yes,
}

/// Lines on their way out: one buffer that is appended to, and swapped for an empty one.
struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    capacity: usize,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    /// The thread sleeps until the first line comes.
    idle: bool,
    hurry: bool,
    closed: bool,
}

impl Queue {
    fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), capacity, dropped: AtomicU64::new(0) }
    }

    /// Appends a whole line, or loses it.
    fn push(&self, line: &[u8], hurry: Hurry) {
        let mut state = self.state.lock();
        if state.closed || state.pending.len() + line.len() > self.capacity {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.pending.extend_from_slice(line);
        let full = state.pending.len() > self.capacity / 2;
        let wake = state.idle || ((hurry == Hurry::Yes || full) && !state.hurry);
        state.hurry |= hurry == Hurry::Yes || full;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_one();
    }

    /// Writes lines until the queue is closed and empty.
    fn drain(&self, out: &mut impl Write) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            // Stderr is the last place to report to; if it is gone, so is the line.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            batch.shrink_to(KEPT_BYTES);
        }
    }

    /// Waits for lines and swaps them out. `false` when there will be none.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = self.state.lock();
        while state.pending.is_empty() && !state.closed {
            state.idle = true;
            self.wake.wait(&mut state);
        }
        state.idle = false;
        if !state.hurry && !state.closed {
            self.wake.wait_for(&mut state, GATHER);
        }
        state.hurry = false;
        std::mem::swap(&mut state.pending, batch);
        !batch.is_empty()
    }
}

/// Gives `tracing` a writer per event.
struct Lines(Arc<Queue>);

struct LineWriter<'a> {
    queue: &'a Queue,
    hurry: Hurry,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter { queue: &self.0, hurry: Hurry::Yes }
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> Self::Writer {
        let hurry = if *meta.level() <= Level::WARN { Hurry::Yes } else { Hurry::No };
        LineWriter { queue: &self.0, hurry }
    }
}

impl Write for LineWriter<'_> {
    /// Called once per event, with the whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.push(line, self.hurry);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_lines_and_counts_them_without_waiting() {
        let queue = Queue::new(20);
        for _ in 0..5 {
            queue.push(b"12345678\n", Hurry::No);
        }
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 3);
        queue.close();
        let mut out = Vec::new();
        queue.drain(&mut out);
        assert_eq!(out, b"12345678\n12345678\n");
    }

    #[test]
    fn every_line_of_many_threads_comes_out_whole_before_the_queue_ends() {
        let queue = Arc::new(Queue::new(CAPACITY_BYTES));
        let drained = Arc::clone(&queue);
        let writer = std::thread::spawn(move || {
            let mut out = Vec::new();
            drained.drain(&mut out);
            out
        });
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let queue = &queue;
                scope.spawn(move || {
                    for line in 0..1_000 {
                        queue.push(format!("{thread} {line}\n").as_bytes(), Hurry::No);
                    }
                });
            }
        });
        queue.close();
        let text = String::from_utf8(writer.join().unwrap()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 4_000);
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lines_after_the_end_are_counted_as_lost() {
        let queue = Queue::new(100);
        queue.close();
        queue.push(b"late\n", Hurry::Yes);
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_wrong_directive_is_named() {
        let refused = init_logs(true, "hub=loud").err().unwrap();
        assert!(refused.contains("hub=loud"), "{refused}");
    }
}
