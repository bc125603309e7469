//! A provider's connection settings in Pingora's terms.

use super::dial::Dial;
use crate::config::{Http2, Provider};
use pingora::protocols::tls::{ALPN, CaType};
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{WrappedX509, parse_x509};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Streams on one HTTP/2 connection before another is opened.
const STREAMS_PER_CONNECTION: usize = 100;

/// The peer for a provider at an address: the vendor's, or the egress proxy's.
pub(super) fn peer(provider: &Provider, address: SocketAddr) -> HttpPeer {
    let base = &provider.base;
    let sni = if base.tls { base.host.clone() } else { String::new() };
    let mut peer = HttpPeer::new(address, base.tls, sni);
    peer.group_key = provider.connection_hash;
    let options = &mut peer.options;
    options.connection_timeout = Some(provider.clocks.connect);
    options.total_connection_timeout = Some(provider.clocks.connect);
    options.verify_cert = provider.verify_certificate;
    options.verify_hostname = provider.verify_certificate;
    options.alpn = match (provider.http2, base.tls) {
        (Http2::Never, _) | (Http2::Auto, false) => ALPN::H1,
        (Http2::Auto, true) => ALPN::H2H1,
        (Http2::Always, _) => ALPN::H2,
    };
    options.max_h2_streams = STREAMS_PER_CONNECTION;
    options.h2_ping_interval = Some(Duration::from_secs(30));
    options.ca = provider.ca.as_deref().map(authorities);
    options.custom_l4 = Some(Arc::new(Dial::new(provider)));
    peer
}

/// Certificates were checked when the configuration was read; Pingora's parser panics on bad ones.
fn authorities(certificates: &[Vec<u8>]) -> Arc<CaType> {
    let wrap = |der: &Vec<u8>| WrappedX509::new(der.clone(), parse_x509);
    certificates.iter().map(wrap).collect::<Vec<_>>().into()
}
