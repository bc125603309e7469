//! How an old and a new process find each other: two locked files in the data
//! directory. A lock ends with its process, however that ends.
//!
//! `hub.pid` is locked by who serves; `upgrade.lock` by who is about to. The
//! new process gets ready in every respect before it asks for the sockets, so
//! that whatever fails, fails while the old one can still go on:
//!
//! ```text
//! new                                        old
//! check the configuration
//! lock upgrade.lock
//!                                            SIGQUIT: is upgrade.lock held? else go on serving
//!                                            flush, make a spool, let go of the books
//! open the books, build everything
//! make upgrade.sock, wait for the sockets
//!                                            upgrade.sock is there: send the sockets
//!                                            (upgrade.lock is free instead: take the books back, go on)
//! serve, write hub.pid, free upgrade.lock    accept for 5 s more, drain, close the spool, end
//! import the spool, recover what is open
//! ```
//!
//! While both run, the new one knows what was spent up to the hand-over, but
//! not what the old one's requests hold and use; that counts when the old one
//! has ended and its spool is imported, so a budget may be exceeded by as much.
//! Limits per minute and for concurrency begin anew. `/metrics` and the admin
//! API answer from either process until the old one closes its listener; keys
//! and books are the new one's, the old one refuses to speak of them.
//!
//! What cannot be guaranteed: once `upgrade.sock` is there, Pingora's old
//! process ends in any case. A new one that is killed between that moment and
//! its first `accept` leaves nobody serving until it is started again; the
//! books are whole nevertheless. An old one that is killed there is replaced
//! at once, with sockets bound anew.

use pingora::server::Fds;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PID: &str = "hub.pid";
const LOCK: &str = "upgrade.lock";
const SOCKET: &str = "upgrade.sock";
/// Between two looks at a file.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// A look holds a lock for a moment; who wants it tries so often.
const TRIES: u32 = 50;

/// Where Pingora hands over the sockets.
pub(super) fn socket(data: &Path) -> PathBuf {
    data.join(SOCKET)
}

/// Says who serves, and proves it by its lock.
pub(super) struct PidFile {
    path: PathBuf,
    _locked: File,
}

impl PidFile {
    /// Takes the place of an older one in one step; its lock stays with its process.
    ///
    /// # Errors
    /// Names the file.
    pub(super) fn write(data: &Path) -> Result<Self, String> {
        let path = data.join(PID);
        let next = path.with_extension("pid.next");
        let write = || -> io::Result<File> {
            let mut file = File::create(&next)?;
            file.try_lock()?;
            writeln!(file, "{}", std::process::id())?;
            fs::rename(&next, &path)?;
            Ok(file)
        };
        let locked = write().map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Self { path, _locked: locked })
    }

    /// The process that serves from this directory, if one does.
    pub(super) fn running(data: &Path) -> Option<i32> {
        let path = data.join(PID);
        is_locked(&path).then(|| read(&path)).flatten()
    }

    /// Removes it, unless a successor has written its own.
    pub(super) fn remove(self) {
        if read(&self.path) == i32::try_from(std::process::id()).ok() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Does a living process hold this file's lock?
fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A new process that is getting ready. Dropping it says that it serves, or gave up.
pub(super) struct Successor {
    data: PathBuf,
    _locked: File,
}

impl Successor {
    /// Says that somebody is there to hand over to.
    ///
    /// # Errors
    /// When another one is doing the same.
    pub(super) fn announce(data: &Path) -> Result<Self, String> {
        let path = data.join(LOCK);
        let failed = |error: &dyn std::fmt::Display| format!("cannot lock {}: {error}", path.display());
        let mut open = OpenOptions::new();
        let file = open.write(true).create(true).truncate(false).open(&path).map_err(|e| failed(&e))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { data: data.to_owned(), _locked: file }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
        Err(failed(&"another upgrade is under way"))
    }

    /// Is one getting ready?
    pub(super) fn waits(data: &Path) -> bool {
        is_locked(&data.join(LOCK))
    }

    /// Runs `fetch`, which waits for the old process's sockets. When that
    /// process dies instead of sending them, `fetch` gets none, so that it
    /// ends and the addresses, now free, are bound anew.
    pub(super) fn while_the_old_one_lives(&self, fetch: impl FnOnce()) {
        let done = Arc::new(AtomicBool::new(false));
        let (stop, data) = (Arc::clone(&done), self.data.clone());
        let guard = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                if PidFile::running(&data).is_none() && socket(&data).exists() {
                    tracing::warn!("the old process ended before it handed over its sockets");
                    let _ = Fds::new().send_to_sock(&*socket(&data).display().to_string());
                    return;
                }
                std::thread::sleep(LOOK);
            }
        });
        fetch();
        done.store(true, Ordering::Release);
        // It may still be trying to send; nobody needs that any more.
        drop(guard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_counts_only_while_its_process_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(PidFile::running(dir.path()), None);
        let old = PidFile::write(dir.path()).unwrap();
        assert_eq!(PidFile::running(dir.path()), i32::try_from(std::process::id()).ok());
        drop(old);
        assert!(dir.path().join(PID).exists());
        assert_eq!(PidFile::running(dir.path()), None, "left behind by a process that was killed");
    }

    #[test]
    fn a_successors_pid_file_is_not_removed_by_the_old_process() {
        let dir = tempfile::tempdir().unwrap();
        let old = PidFile::write(dir.path()).unwrap();
        fs::write(dir.path().join("other"), "1\n").unwrap();
        fs::rename(dir.path().join("other"), dir.path().join(PID)).unwrap();
        old.remove();
        assert_eq!(read(&dir.path().join(PID)), Some(1));
        PidFile::write(dir.path()).unwrap().remove();
        assert!(!dir.path().join(PID).exists());
    }

    #[test]
    fn one_successor_at_a_time_is_seen_as_long_as_it_lives() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Successor::waits(dir.path()));
        let successor = Successor::announce(dir.path()).unwrap();
        assert!(Successor::waits(dir.path()));
        assert!(Successor::announce(dir.path()).is_err());
        drop(successor);
        assert!(!Successor::waits(dir.path()));
    }
}
