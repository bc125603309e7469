//! What is measured against what: the mock vendor, the bare proxy and the hub,
//! each started the same way on the cores chosen for them.

use crate::client::Target;
use crate::hub::Hub;
use crate::machine::Cores;
use crate::process::{Running, Start, free_address};
use anyhow::{Context, Result};
use serde::Serialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// One of the things compared.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The vendor without a gateway.
    Direct,
    /// Pingora without logic.
    Bare,
    /// The hub with everything on.
    Hub,
}

impl Side {
    /// The two gateways in the order for a round: they take turns in going first.
    pub fn gateways(round: usize) -> [Self; 2] {
        if round.is_multiple_of(2) { [Self::Bare, Self::Hub] } else { [Self::Hub, Self::Bare] }
    }
}

/// What stands in the column of the hub.
#[derive(Debug)]
pub enum Candidate {
    /// The hub itself.
    Hub(Hub),
    /// The bare proxy once more: all ratios must be 1, or the measurement is wrong.
    SelfCheck,
}

/// Starts gateways in front of one mock vendor.
#[derive(Debug)]
pub struct Lab {
    /// Where processes are pinned.
    pub cores: Cores,
    candidate: Candidate,
    log_dir: Option<PathBuf>,
    vendor: Running,
}

impl Lab {
    /// Starts the mock vendor.
    pub async fn open(candidate: Candidate, cores: Cores, log_dir: Option<PathBuf>) -> Result<Self> {
        if let Some(dir) = &log_dir {
            std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        }
        let address = free_address()?;
        let args = vec!["vendor".into(), "--listen".into(), address.to_string().into()];
        let vendor = own("vendor", address, args, cores.load)?.ready().await?;
        Ok(Self { cores, candidate, log_dir, vendor })
    }

    /// The vendor's process, whose CPU time is ours and not somebody else's.
    pub fn vendor_pid(&self) -> u32 {
        self.vendor.pid()
    }

    /// The vendor itself.
    pub fn direct(&self) -> &Target {
        &self.vendor.target
    }

    /// Starts a gateway and waits until it is ready.
    pub async fn start(&self, side: Side) -> Result<Running> {
        let vendor = self.vendor.target.address;
        let mut start = match (&self.candidate, side) {
            (Candidate::Hub(hub), Side::Hub) => hub.start(vendor)?,
            _ => self.bare(vendor)?,
        };
        start.core = self.cores.gateway;
        start.log = self
            .log_dir
            .as_ref()
            .map(|dir| dir.join(format!("{}-{}.log", start.name, start.target.address.port())));
        start.ready().await
    }

    fn bare(&self, vendor: SocketAddr) -> Result<Start> {
        let address = free_address()?;
        let args = ["bare", "--listen", &address.to_string(), "--vendor", &vendor.to_string()];
        own("bare", address, args.iter().map(Into::into).collect(), None)
    }
}

/// A subcommand of this program as a process of its own.
fn own(name: &str, address: SocketAddr, args: Vec<std::ffi::OsString>, core: Option<usize>) -> Result<Start> {
    Ok(Start {
        name: name.to_owned(),
        program: std::env::current_exe()?,
        args,
        env: Vec::new(),
        core,
        log: None,
        health: (address, "/healthz".to_owned()),
        target: Target { address, keys: 1 },
        data: None,
    })
}
