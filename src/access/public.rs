//! Which addresses the hub may call because somebody else named them. A URL
//! that a tenant writes must not reach what only the hub's own machine or
//! network can reach.

use super::AddressSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// May the hub call this address for somebody? Public ones, and those that the operator `allow`s.
pub fn may_call(address: IpAddr, allow: &AddressSet) -> bool {
    is_public(address) || allow.contains(address.to_canonical())
}

/// Is it an address of the open Internet? Everything that the registries of special-purpose
/// addresses (RFC 6890 and what came after) set apart is not, nor are multicast and the ways
/// through IPv6 to an IPv4 address that is not.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // Addresses of IPv4 behind a translator (RFC 6052), and 6to4.
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => v4(g, h),
        (0x2002, high) => v4(high, c),
        // Protocol assignments (with Teredo), and documentation.
        (0x2001, 0..=0x1ff | 0xdb8) => false,
        (0x3fff, 0..=0xfff) => false,
        // All that is given out as global unicast lies in 2000::/3.
        _ => (0x2000..=0x3fff).contains(&a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_public() {
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::127.0.0.1",
            "5f00::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn the_operator_opens_what_is_inside() {
        let allow = AddressSet::parse(&["10.0.0.0/8"]).unwrap();
        assert!(may_call("10.9.9.9".parse().unwrap(), &allow));
        assert!(may_call("::ffff:10.9.9.9".parse().unwrap(), &allow));
        assert!(!may_call("127.0.0.1".parse().unwrap(), &allow));
    }
}
