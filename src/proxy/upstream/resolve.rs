//! Addresses of vendors. A name is looked up once and again in the background,
//! so that requests wait for DNS only the first time.

use super::peer::peer;
use crate::config::Provider;
use dashmap::DashMap;
use pingora::upstreams::peer::HttpPeer;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long an answer of the resolver is used before it is asked again.
const FRESH: Duration = Duration::from_secs(30);
/// Providers remembered; one that is gone from the configuration falls out when this is reached.
const MAX_ENTRIES: usize = 1024;

pub(super) struct Resolver {
    entries: Arc<DashMap<u64, Arc<Entry>, ahash::RandomState>>,
}

struct Entry {
    peers: Vec<Arc<HttpPeer>>,
    next: AtomicUsize,
    since: Instant,
    refreshing: AtomicBool,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self { entries: Arc::default() }
    }

    /// A peer for the provider; several addresses take turns.
    pub(super) async fn peer(&self, provider: &Provider) -> Result<Arc<HttpPeer>, String> {
        let key = provider.connection_hash;
        let known = self.entries.get(&key).map(|entry| Arc::clone(&entry));
        let entry = match known {
            Some(entry) if entry.since.elapsed() < FRESH => entry,
            Some(entry) => {
                self.refresh_behind(provider, &entry);
                entry
            }
            None => {
                let entry = Arc::new(look_up(provider).await?);
                if self.entries.len() >= MAX_ENTRIES {
                    self.entries.clear();
                }
                self.entries.insert(key, Arc::clone(&entry));
                entry
            }
        };
        let turn = entry.next.fetch_add(1, Ordering::Relaxed);
        let peer = entry.peers.get(turn % entry.peers.len().max(1));
        peer.cloned().ok_or_else(|| "the name has no address".to_owned())
    }

    /// Literal addresses never change, so only names are asked for again. The old answer
    /// stays in use when the resolver fails.
    fn refresh_behind(&self, provider: &Provider, entry: &Arc<Entry>) {
        let (host, port) = endpoint(provider);
        if host.parse::<IpAddr>().is_ok() || entry.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (key, entries, old) = (provider.connection_hash, Arc::clone(&self.entries), Arc::clone(entry));
        let question = (host.to_owned(), port);
        // Ends by itself within the resolver's own timeout.
        tokio::spawn(async move {
            let found = tokio::net::lookup_host(question).await;
            let peers = match found {
                Ok(addresses) => {
                    addresses.filter_map(|a| old.peers.first().map(|p| Arc::new(at(p, a)))).collect()
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot refresh a vendor's address; the old one stays in use");
                    old.peers.clone()
                }
            };
            entries.insert(key, Arc::new(Entry::new(peers)));
        });
    }
}

impl Entry {
    fn new(peers: Vec<Arc<HttpPeer>>) -> Self {
        Self { peers, next: AtomicUsize::new(0), since: Instant::now(), refreshing: AtomicBool::new(false) }
    }
}

fn at(template: &HttpPeer, address: SocketAddr) -> HttpPeer {
    let mut peer = template.clone();
    peer._address = pingora::protocols::l4::socket::SocketAddr::Inet(address);
    peer
}

fn endpoint(provider: &Provider) -> (&str, u16) {
    match &provider.connect_proxy {
        Some(proxy) => (&proxy.host, proxy.port),
        None => (&provider.base.host, provider.base.port),
    }
}

async fn look_up(provider: &Provider) -> Result<Entry, String> {
    let (host, port) = endpoint(provider);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, port)).await.map_err(|e| format!("resolving {host}: {e}"))?;
    let peers: Vec<_> = found.map(|address| Arc::new(peer(provider, address))).collect();
    if peers.is_empty() {
        return Err(format!("{host} has no address"));
    }
    Ok(Entry::new(peers))
}
