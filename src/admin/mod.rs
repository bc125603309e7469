//! The control plane's listener: metrics, health, keys.
