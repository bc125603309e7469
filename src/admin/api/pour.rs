//! Answers of any length: written piece by piece, as fast as they are read.

use axum::body::{Body, Bytes};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces are of about this size.
const PIECE_BYTES: usize = 64 * 1024;
/// So many pieces wait for the reader.
const PIECES: usize = 4;

type Work = dyn Fn(&mut dyn Write) -> io::Result<()> + Send + Sync;

/// An answer that is still to be written.
#[derive(Clone)]
pub struct Pour {
    /// Its media type.
    pub kind: &'static str,
    /// The name of the file that it makes.
    pub name: &'static str,
    work: Arc<Work>,
}

impl fmt::Debug for Pour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pour").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Pour {
    /// `work` writes the answer; it may block, and is called once for each reader.
    pub fn new(
        kind: &'static str,
        name: &'static str,
        work: impl Fn(&mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { kind, name, work: Arc::new(work) }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of the writer, and what kept the answer from being made.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        (self.work)(out)
    }

    /// As a body. One that cannot be made to its end is cut off, so that nobody takes it for whole.
    pub(super) fn body(self) -> Body {
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES);
        tokio::task::spawn_blocking(move || {
            let mut pieces = io::BufWriter::with_capacity(PIECE_BYTES, Pieces(sender.clone()));
            let written = self.write(&mut pieces).and_then(|()| pieces.flush());
            if let Err(error) = written
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                tracing::warn!(%error, name = self.name, "an export ended early");
                let _ = sender.blocking_send(Err(error));
            }
        });
        Body::from_stream(futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (piece, receiver))
        }))
    }
}

/// The way to the reader.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
