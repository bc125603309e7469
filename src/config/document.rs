//! One configuration file, read and checked against the schema, before it is
//! resolved. What must be known before the store is open is asked here.

use super::check::check;
use super::problems::{Notes, Problems};
use super::resolve::Resolver;
use super::{Environment, LedgerSettings, ReadPrices, raw};
use crate::access::Pepper;
use crate::ledger::{Price, PriceTable};
use crate::route::HealthPolicy;
use crate::types::Secret;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// The configuration that runs without a file; also the documented example.
pub const EXAMPLE: &str = include_str!("../../conf/hub.toml");

/// Larger files are a mistake; a hundred thousand keys fit.
const LARGEST_FILE: u64 = 64 << 20;

/// A configuration file that was read, with whatever is wrong in it so far.
pub struct Document {
    pub(super) raw: raw::File,
    pub(super) notes: Notes,
    pub(super) folder: PathBuf,
    pub(super) path: Option<PathBuf>,
}

/// What the hub needs before it can open its store, and so before it can
/// build a [`super::Snapshot`].
#[derive(Debug)]
pub struct Boot {
    /// Where the store is.
    pub data_dir: PathBuf,
    /// How the journal is written.
    pub ledger: LedgerSettings,
    /// For [`super::Registry::new`].
    pub health: HealthPolicy,
}

impl Document {
    /// Reads a file, or without one the embedded defaults.
    ///
    /// # Errors
    /// Only when the file cannot be read; what is wrong inside it is kept and
    /// told by [`Document::boot`] and [`Document::resolve`].
    pub fn read(path: Option<&Path>) -> Result<Self, Problems> {
        let Some(path) = path else {
            return Ok(Self::parse("built-in defaults", Path::new(""), EXAMPLE));
        };
        let name = path.display().to_string();
        let text = read_bounded(path).map_err(|error| {
            let mut notes = Notes::new(&name, "");
            notes.elsewhere(format!("{name}: cannot be read: {error}"));
            notes.into_problems()
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self { path: Some(path.to_owned()), ..Self::parse(&name, folder, &text) })
    }

    /// Reads a text. `name` is what problems call it; relative paths in it are
    /// below `folder`.
    pub fn parse(name: &str, folder: &Path, text: &str) -> Self {
        let mut notes = Notes::new(name, text);
        let raw = parse(text, &mut notes).unwrap_or_default();
        Self { raw, notes, folder: folder.to_owned(), path: None }
    }

    /// What is needed before the store is open.
    ///
    /// # Errors
    /// When these settings, or the file as a whole, are wrong.
    pub fn boot(&self, environment: &Environment) -> Result<Boot, Problems> {
        let mut resolver = Resolver::new(self, environment);
        let boot = Boot {
            data_dir: resolver.data_dir(&self.raw.data),
            ledger: resolver.ledger(&self.raw.ledger),
            health: resolver.health(&self.raw.health),
        };
        resolver.notes.finish()?;
        Ok(boot)
    }

    /// The quotas of the file and of what is managed, before there is a snapshot: the books count by
    /// them. What is wrong is told by [`Document::resolve`], and left out here.
    pub fn quotas(&self, extra: &super::Extra) -> super::Quotas {
        let nothing = Environment::default();
        Resolver::new(self, &nothing).quotas(&self.raw.quota, extra)
    }

    /// Where the admin listener is, for who wants to talk to it. Reads no secret.
    ///
    /// # Errors
    /// When this setting, or the file as a whole, is wrong.
    pub fn admin_address(&self) -> Result<SocketAddr, Problems> {
        let nothing = Environment::default();
        let mut resolver = Resolver::new(self, &nothing);
        let address = resolver.admin_address(&self.raw.admin);
        resolver.notes.finish().map(|()| address)
    }

    /// What keys are hashed with: the file's pepper, or `stored` when it names none.
    ///
    /// # Errors
    /// When the pepper cannot be had, or the file as a whole is wrong.
    pub fn pepper(&self, environment: &Environment, stored: &[u8]) -> Result<Pepper, Problems> {
        let mut resolver = Resolver::new(self, environment);
        let pepper = resolver.pepper(&self.raw.security, stored);
        resolver.notes.finish().map(|()| pepper)
    }

    /// The keys under which secrets are kept, the one in use first; none when the
    /// configuration and the environment name none. May run commands; blocks.
    ///
    /// # Errors
    /// Every key that cannot be had, or the file as a whole is wrong.
    pub fn master_keys(&self, environment: &Environment) -> Result<Vec<Secret>, Problems> {
        let mut resolver = Resolver::new(self, environment);
        let keys = resolver.master_keys(&self.raw.control);
        resolver.notes.finish().map(|()| keys)
    }

    /// The price rows of the file, added to `built_in`. Reads no secret.
    ///
    /// # Errors
    /// Everything that is wrong in the price files, or in the file as a whole.
    pub fn prices(&self, built_in: &[Price], read: ReadPrices) -> Result<PriceTable, Problems> {
        let nothing = Environment::default();
        let mut resolver = Resolver::new(self, &nothing);
        let prices = resolver.prices(&self.raw.prices, built_in, read);
        resolver.notes.finish().map(|()| prices)
    }
}

/// `None` when the text is no TOML: then nothing more can be said about it.
fn parse(text: &str, notes: &mut Notes) -> Option<raw::File> {
    let (mut root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        notes.push(&error.span().unwrap_or(0..0), String::new(), error.message().replace('\n', "; "));
    }
    if !errors.is_empty() {
        return None;
    }
    check(root.get_mut(), notes);
    raw::File::deserialize(toml::Deserializer::from(root))
        .map_err(|error| notes.push(&error.span().unwrap_or(0..0), String::new(), error.message()))
        .ok()
}

/// Reads a text file of bounded size.
pub(super) fn read_bounded(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if length > LARGEST_FILE {
        return Err(format!("it is larger than {LARGEST_FILE} bytes"));
    }
    std::fs::read_to_string(path).map_err(|e| e.to_string())
}
