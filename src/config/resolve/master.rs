//! Master keys: from a variable, a file, or what a program prints.

use super::Resolver;
use crate::config::at::At;
use crate::config::raw;
use crate::types::Secret;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where a master key is looked for when the file names none.
const VARIABLE: &str = "AIGNE_HUB_MASTER_KEY";
/// How long a program may take to print a key.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most that is read of what it prints.
const MOST_BYTES: u64 = 4096;

impl Resolver<'_> {
    /// The key in use, then those of before.
    pub(crate) fn master_keys(&mut self, raw: &raw::Control) -> Vec<Secret> {
        let current = match &raw.master_key {
            Some(at) => self.master_key(at),
            None => self.environment.get(VARIABLE).map(Secret::new),
        };
        if current.is_none() && raw.master_key.is_none() {
            for at in &raw.old_master_keys {
                self.notes.at(&at.span, "is of no use without a master_key");
            }
        }
        let old: Vec<Secret> = raw.old_master_keys.iter().filter_map(|at| self.master_key(at)).collect();
        current.into_iter().chain(old).collect()
    }

    /// How long audit records are kept; `None`: for ever.
    pub(super) fn audit_keep(&mut self, raw: &raw::Control) -> Option<Duration> {
        let days = raw.audit_days.as_ref()?;
        let days = self.count(Some(days), 1);
        Some(Duration::from_secs(days.saturating_mul(86_400)))
    }

    fn master_key(&mut self, at: &At<raw::MasterKey>) -> Option<Secret> {
        let raw::MasterKey { env, file, command } = &at.value;
        let Some(command) = command else {
            let source = raw::SecretSource { env: env.clone(), file: file.clone() };
            return self.secret(&at.span, &source);
        };
        if env.is_some() || file.is_some() {
            self.notes.at(&at.span, "names a command and something else; which one?");
            return None;
        }
        let printed = printed(command);
        self.note(&at.span, printed).map(Secret::new)
    }
}

/// What a program prints. The text of an error never repeats it.
fn printed(command: &[String]) -> Result<String, String> {
    let (program, arguments) = command.split_first().ok_or("names no program")?;
    let failed = |what: &dyn std::fmt::Display| format!("{program}: {what}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().map_err(|error| failed(&error))? {
            Some(status) => break status,
            None if Instant::now() >= until => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(&format_args!("took longer than {} s", PATIENCE.as_secs())));
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    if !status.success() {
        return Err(failed(&status));
    }
    let mut text = String::new();
    if let Some(out) = child.stdout.take() {
        out.take(MOST_BYTES).read_to_string(&mut text).map_err(|error| failed(&error))?;
    }
    match text.trim() {
        "" => Err(failed(&"printed nothing")),
        key => Ok(key.to_owned()),
    }
}
