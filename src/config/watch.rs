//! Tells when a file of the configuration may have changed. No policy: what to
//! do then is the caller's business.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Editors and Kubernetes change a file in several steps; only when nothing
/// more has happened for this long is it told.
const QUIET: Duration = Duration::from_millis(200);

/// Watches until it is dropped, which waits for a call of `changed` that is
/// running; so do not drop it from inside one.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the folders of `paths` (and `paths` that are folders) and calls
    /// `changed`, on a thread of its own, once per burst of changes. Folders
    /// are watched and not files, because a replaced file (an editor's rename,
    /// the symlink swap of a Kubernetes ConfigMap) is a new one.
    ///
    /// # Errors
    /// When the system cannot watch, or a folder does not exist.
    pub fn start(paths: &[PathBuf], changed: impl FnMut() + Send + 'static) -> Result<Self, notify::Error> {
        let (sender, receiver) = channel();
        let mut watcher = notify::recommended_watcher(move |event| forward(event, &sender))?;
        for folder in folders(paths) {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        let thread = std::thread::Builder::new()
            .name("config-watch".into())
            .spawn(move || debounce(&receiver, QUIET, changed))
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

/// Calls `changed` after each burst, until the sender is gone.
fn debounce(events: &Receiver<()>, quiet: Duration, mut changed: impl FnMut()) {
    while events.recv().is_ok() {
        loop {
            match events.recv_timeout(quiet) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
            debounce(&receiver, Duration::from_millis(1), move || {
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
