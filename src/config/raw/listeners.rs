//! Where the hub listens.

use crate::config::at::At;
use schemars::JsonSchema;
use serde::Deserialize;

/// The listener for callers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Public {
    /// Addresses for plain HTTP. Default: 127.0.0.1:8080.
    pub(crate) listen: Option<Vec<At<String>>>,
    /// Worker threads; 0 = one per core. Default: 0.
    pub(crate) threads: Option<At<u16>>,
    /// Accept HTTP/2 without TLS (prior knowledge). Default: false.
    pub(crate) http2_cleartext: Option<bool>,
    /// Answer the control plane's API, its pages and OAuth here too. Default: true.
    pub(crate) console: Option<bool>,
    /// HTTPS.
    pub(crate) tls: Option<At<Tls>>,
}

/// Pages of other origins that may call, too.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cors {
    /// Origins such as `https://app.example.com`, or `*` for all; an empty list for none. Their
    /// pages need a key like everybody. Never the control plane. Default: `*`.
    pub(crate) origins: Option<Vec<At<String>>>,
}

/// HTTPS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["certificate", "key"]))]
pub(crate) struct Tls {
    /// Addresses for HTTPS.
    pub(crate) listen: Vec<At<String>>,
    /// PEM file of the certificate chain.
    pub(crate) certificate: Option<At<String>>,
    /// PEM file of the private key.
    pub(crate) key: Option<At<String>>,
}

/// The listener for operators.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Address. Default: 127.0.0.1:8081.
    pub(crate) listen: Option<At<String>>,
}
