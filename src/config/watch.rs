//! Tells when a file of the configuration has changed. No policy: what to do
//! then is the caller's business.

use super::resolve::expand;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long events gather before the files are looked at.
#[derive(Clone, Copy)]
struct Pace {
    /// Nothing more has happened for this long: editors and Kubernetes change a
    /// file in several steps.
    quiet: Duration,
    /// But no longer than this after the first, because something else in the
    /// folder, as a log, may never be quiet.
    at_most: Duration,
}

const PACE: Pace = Pace { quiet: Duration::from_millis(200), at_most: Duration::from_secs(2) };

/// Watches until it is dropped, which waits for a call of `changed` that is
/// running; so do not drop it from inside one.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the folders of `paths` (and `paths` that are folders) and calls
    /// `changed`, on a thread of its own, once per burst of events in which one
    /// of `paths`, or a file that a folder or pattern stands for, became another
    /// one. Folders are watched and not files, because a replaced file (an
    /// editor's rename, the symlink swap of a Kubernetes ConfigMap) is a new one;
    /// what else happens in them is of no interest.
    ///
    /// # Errors
    /// When the system cannot watch, or a folder does not exist.
    pub fn start(
        paths: &[PathBuf],
        mut changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, notify::Error> {
        let (sender, receiver) = channel();
        // Before the system watches: a change in between is then noticed with the next event.
        let mut known = Look::at(paths);
        let mut watcher = notify::recommended_watcher(move |event| forward(event, &sender))?;
        for folder in folders(paths) {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        let paths = paths.to_vec();
        let look = move || {
            let now = Look::at(&paths);
            if now != known {
                known = now;
                changed();
            }
        };
        let thread = std::thread::Builder::new()
            .name("config-watch".into())
            .spawn(move || debounce(&receiver, PACE, look))
            .map_err(notify::Error::io)?;
        Ok(Self { watcher: Some(watcher), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The watcher owns the sender; without it the thread ends.
        drop(self.watcher.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What tells one state of the files from another, without reading them.
#[derive(PartialEq)]
struct Look(Vec<(PathBuf, Option<Seen>)>);

#[derive(PartialEq)]
struct Seen {
    /// Where symbolic links lead.
    target: PathBuf,
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds of the last change of the content, and of anything.
    times: [(i64, i64); 2],
}

impl Look {
    fn at(paths: &[PathBuf]) -> Self {
        let files = paths.iter().flat_map(|path| expand(path).unwrap_or_default());
        Self(files.map(|path| (path.clone(), Seen::at(&path))).collect())
    }
}

impl Seen {
    /// `None` when it is not there.
    fn at(path: &Path) -> Option<Self> {
        let target = fs::canonicalize(path).ok()?;
        let metadata = fs::metadata(&target).ok()?;
        Some(Self {
            target,
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            times: [(metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec())],
        })
    }
}

/// Reading a file is no change. Errors count as one: events may have been lost.
fn forward(event: Result<notify::Event, notify::Error>, sender: &Sender<()>) {
    if !event.is_ok_and(|e| matches!(e.kind, EventKind::Access(_))) {
        let _ = sender.send(());
    }
}

fn folders(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let folder = |path: &PathBuf| match path.is_dir() {
        true => path.clone(),
        false => match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => Path::new(".").to_owned(),
        },
    };
    paths.iter().map(folder).collect()
}

/// Calls `look` after each burst, until the sender is gone.
fn debounce(events: &Receiver<()>, pace: Pace, mut look: impl FnMut()) {
    while events.recv().is_ok() {
        let until = Instant::now() + pace.at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match events.recv_timeout(pace.quiet.min(left)) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_watched_once_and_a_bare_name_is_in_this_one() {
        let paths = ["/a/b.toml", "/a/c.toml", "hub.toml"].map(PathBuf::from);
        let expected: BTreeSet<PathBuf> = ["/a", "."].map(PathBuf::from).into();
        assert_eq!(folders(&paths), expected);
    }

    #[test]
    fn a_burst_of_events_is_told_once() {
        let (sender, receiver) = channel();
        let (told, calls) = channel();
        let thread = std::thread::spawn(move || {
            let pace = Pace { quiet: Duration::from_millis(1), at_most: Duration::from_secs(3_600) };
            debounce(&receiver, pace, move || {
                let _ = told.send(());
            });
        });
        for _ in 0..10 {
            sender.send(()).unwrap();
        }
        calls.recv().unwrap();
        drop(sender);
        thread.join().unwrap();
    }

    #[test]
    fn a_folder_that_is_never_quiet_delays_nothing_for_ever() {
        let (sender, receiver) = channel();
        let (told, calls) = channel();
        let thread = std::thread::spawn(move || {
            let pace = Pace { quiet: Duration::from_secs(3_600), at_most: Duration::from_millis(1) };
            debounce(&receiver, pace, move || {
                let _ = told.send(());
            });
        });
        sender.send(()).unwrap();
        while calls.try_recv().is_err() {
            sender.send(()).unwrap();
            std::thread::yield_now();
        }
        drop(sender);
        thread.join().unwrap();
    }

    #[test]
    fn only_files_of_the_configuration_make_a_difference() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("rules")).unwrap();
        fs::write(at("hub.toml"), "a").unwrap();
        let paths = [at("hub.toml"), at("secret"), at("rules"), at("prices-*.toml")];
        let mut known = Look::at(&paths);
        let mut differs = || {
            let now = Look::at(&paths);
            let differs = now != known;
            known = now;
            differs
        };
        for noise in ["hub.log", "hub.toml.swp", "rules/.hidden.toml", "rules/notes.txt", "prices.toml"] {
            fs::write(at(noise), "noise").unwrap();
            assert!(!differs(), "{noise}");
        }
        for (name, text) in [
            ("hub.toml", "ab"),
            ("secret", "s"),
            ("rules/new.toml", "r"),
            ("rules/new.toml", "longer"),
            ("prices-a.toml", "p"),
        ] {
            fs::write(at(name), text).unwrap();
            assert!(differs(), "{name}");
        }
        fs::write(at("next"), "ab").unwrap();
        fs::rename(at("next"), at("hub.toml")).unwrap();
        assert!(differs(), "another file of the same length");
        fs::remove_file(at("rules/new.toml")).unwrap();
        assert!(differs(), "a file that is gone");
        assert!(!differs());
    }

    #[cfg(unix)]
    #[test]
    fn a_swapped_symlink_is_noticed_as_kubernetes_does_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("v1", "a"), ("v2", "b")] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("hub.toml"), text).unwrap();
        }
        std::os::unix::fs::symlink("v1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/hub.toml", at("hub.toml")).unwrap();
        let (told, calls) = channel();
        let _watch = Watch::start(&[at("hub.toml")], move || {
            let _ = told.send(());
        })
        .unwrap();
        std::os::unix::fs::symlink("v2", at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        calls.recv().unwrap();
        assert_eq!(fs::read_to_string(at("hub.toml")).unwrap(), "b");
    }
}
