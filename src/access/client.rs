//! Whose request is it: the peer's, or somebody's behind a proxy we trust.

use super::AddressSet;
use std::net::{IpAddr, SocketAddr};

/// The client's address: the peer, or, when the peer is a trusted proxy, the
/// rightmost untrusted address of `X-Forwarded-For`.
///
/// `forwarded_for` holds the header's lines in the order they came; each
/// proxy appends on the right, so everything left of the first untrusted
/// address is hearsay. An entry that is no address ends the walk at the last
/// good one, and when all are trusted the leftmost is the client. Ports and
/// brackets are dropped; IPv4-mapped addresses come back as IPv4.
pub fn client_address(peer: IpAddr, forwarded_for: &[&str], trusted: &AddressSet) -> IpAddr {
    let mut client = peer.to_canonical();
    let entries = forwarded_for.iter().rev().flat_map(|line| line.rsplit(','));
    for entry in entries {
        if !trusted.contains(client) {
            return client;
        }
        match parse(entry.trim()) {
            Some(address) => client = address.to_canonical(),
            None => return client,
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]`, `[::1]:80`.
fn parse(entry: &str) -> Option<IpAddr> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = entry.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let inside = entry.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let trusted = AddressSet::parse(&["10.0.0.0/8", "fd00::/8"]).unwrap();
        client_address(peer.parse().unwrap(), lines, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_say_who_they_are() {
        assert_eq!(client("203.0.113.9", &["1.2.3.4"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &["10.0.0.1", "127.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "1.2.3.4 ,10.0.0.3", "10.0.0.2"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn when_all_are_trusted_the_leftmost_is_the_client() {
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        for bad in ["unknown", "", "1.2.3", "_hidden", "1.2.3.4:99999", "[1.2.3.4]", "[::1", "\"::1\""] {
            assert_eq!(client("10.0.0.1", &[&format!("1.2.3.4, {bad}, 10.0.0.2")]), "10.0.0.2", "{bad}");
            assert_eq!(client("10.0.0.1", &["1.2.3.4", bad]), "10.0.0.1", "{bad}");
        }
    }

    #[test]
    fn ports_and_brackets_are_dropped() {
        assert_eq!(client("10.0.0.1", &["1.2.3.4:567"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["1.2.3.4, [fd00::7]:443"]), "1.2.3.4");
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("::ffff:203.0.113.9", &["1.2.3.4"]), "203.0.113.9");
    }

    proptest! {
        #[test]
        fn no_header_makes_a_stranger_somebody_else(line in ".{0,80}") {
            prop_assert_eq!(client("203.0.113.9", &[&line]), "203.0.113.9");
        }

        #[test]
        fn what_the_proxy_appended_is_never_overruled(line in "[0-9a-f.:, \\[\\]]{0,60}") {
            prop_assert_eq!(client("10.0.0.1", &[&line, "203.0.113.9"]), "203.0.113.9");
        }
    }
}
