//! How the hub is started: its configuration, its keys, its command line. All
//! that the load tests know about the hub is here and in `hub.toml`.

use crate::client::{Target, key};
use crate::process::{Start, free_address};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs::{create_dir_all, write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

const TEMPLATE: &str = include_str!("../hub.toml");
const PRICES: &str = include_str!("../prices.toml");
const RULES: &str = include_str!("../rules.toml");

/// The hub as it is measured.
#[derive(Debug)]
pub struct Hub {
    /// Its program.
    pub program: PathBuf,
    /// Its arguments; `{config}` is the path of the configuration.
    pub args: String,
    /// Keys it knows; each request uses another one.
    pub keys: u32,
    /// Another template than `hub.toml`.
    pub template: Option<PathBuf>,
    /// Folders of its instances are made here.
    pub folder: PathBuf,
    /// Instances so far, for the names of their folders.
    pub started: AtomicU32,
}

impl Hub {
    /// Writes a fresh folder and says how to start the hub in it.
    pub fn start(&self, vendor: SocketAddr) -> Result<Start> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("hub-{}-{number}", std::process::id()));
        create_dir_all(folder.join("data")).with_context(|| format!("creating {}", folder.display()))?;
        let (public, admin) = (free_address()?, free_address()?);
        let template = match &self.template {
            Some(path) => {
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?
            }
            None => TEMPLATE.to_owned(),
        };
        let mut text = template;
        for (name, address) in [("{{public}}", public), ("{{admin}}", admin), ("{{vendor}}", vendor)] {
            text = text.replace(name, &address.to_string());
        }
        self.append_keys(&folder, &mut text)?;
        let config = folder.join("hub.toml");
        write(&config, text)?;
        write(folder.join("prices.toml"), PRICES)?;
        write(folder.join("rules.toml"), RULES)?;
        let config = config.to_string_lossy();
        Ok(Start {
            name: "hub".to_owned(),
            program: self.program.clone(),
            args: self.args.split_whitespace().map(|arg| arg.replace("{config}", &config).into()).collect(),
            env: vec![
                ("LOAD_KEY".to_owned(), key(0)),
                ("MOCK_KEY".to_owned(), "mock-vendor-secret".to_owned()),
            ],
            core: None,
            log: None,
            health: (admin, "/readyz".to_owned()),
            target: Target { address: public, keys: self.keys },
            data: Some(folder),
        })
    }

    /// Keys beyond the first: their secrets are files, as an environment has no room for 100,000.
    fn append_keys(&self, folder: &Path, text: &mut String) -> Result<()> {
        let keys = folder.join("keys");
        create_dir_all(&keys)?;
        for number in 1..self.keys {
            let secret = key(number);
            write(keys.join(&secret), &secret)?;
            write!(
                text,
                "\n[[key]]\nid = \"load-{number}\"\ntenant = \"load\"\nsecret = {{ file = \"keys/{secret}\" }}\n\
                 requests_per_minute = 1_000_000_000\ntokens_per_minute = 1_000_000_000_000\nconcurrency = 1_000_000\n\
                 day_tokens = 1_000_000_000_000_000\nday_cost = \"1000000000\"\n"
            )?;
        }
        Ok(())
    }
}

/// Builds the hub with the profile the numbers are taken with.
pub fn build(workspace: &Path) -> Result<()> {
    let args = ["build", "--release", "--package", "aigne-hub", "--bin", "aigne-hub"];
    let status = Command::new("cargo").args(args).current_dir(workspace).status().context("running cargo")?;
    if !status.success() {
        bail!("building the hub: {status}");
    }
    Ok(())
}

/// The folder of the workspace, wherever in it the runner was started.
pub fn workspace() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let found = here.ancestors().find(|folder| folder.join("load-tests/Cargo.toml").is_file());
    found.map(Path::to_owned).context("run this inside the workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_secret_file() {
        let folder = std::env::temp_dir().join(format!("load-tests-{}", std::process::id()));
        let hub = Hub {
            program: PathBuf::new(),
            args: String::new(),
            keys: 3,
            template: None,
            folder: folder.clone(),
            started: AtomicU32::new(0),
        };
        let mut text = String::new();
        hub.append_keys(&folder, &mut text).unwrap();
        assert_eq!(text.matches("[[key]]").count(), 2);
        for number in 1..3 {
            let secret = key(number);
            assert!(text.contains(&format!("file = \"keys/{secret}\"")));
            assert_eq!(std::fs::read_to_string(folder.join("keys").join(&secret)).unwrap(), secret);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn template_has_a_place_for_every_address() {
        for name in ["{{public}}", "{{admin}}", "{{vendor}}"] {
            assert!(TEMPLATE.contains(name), "{name}");
        }
    }
}
