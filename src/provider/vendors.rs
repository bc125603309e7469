//! The vendor table.

use crate::types::Op;
use crate::wire::openai::{Counting, Shape};

/// How a credential is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`
    Bearer,
    /// Nothing is sent when no credential is configured; Bearer otherwise.
    Optional,
    /// None at all (the simulator).
    None,
}

/// One vendor and its API.
#[derive(Debug)]
pub struct Vendor {
    pub name: &'static str,
    pub title: &'static str,
    /// Scheme, host and path prefix. Empty: must be configured.
    pub base_url: &'static str,
    /// Environment variables that hold a key, in order.
    pub env: &'static [&'static str],
    pub auth: Auth,
    /// Operations and their paths below the base.
    pub serves: &'static [(Op, &'static str)],
    pub counting: Counting,
    pub shape: Shape,
    /// The built-in simulated vendor: no network.
    pub simulated: bool,
}

impl Vendor {
    /// The path of an operation below the base URL.
    pub fn path(&self, op: Op) -> Option<&'static str> {
        self.serves.iter().find(|(o, _)| *o == op).map(|(_, path)| *path)
    }
}

/// All vendors.
pub static VENDORS: &[Vendor] = &[];

/// A vendor by name.
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|v| v.name == name)
}
