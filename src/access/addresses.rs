//! Sets of addresses: CIDRs merged into sorted ranges, found by binary search.

use super::AddressTable;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// A set of addresses: CIDRs of IPv4 and IPv6, looked up in O(log n).
///
/// IPv4-mapped IPv6 counts as IPv4, in entries and in questions. A wide IPv6
/// entry such as `::/0` says nothing about IPv4, although the mapped block lies
/// inside it.
#[derive(Clone, Debug, Default)]
pub struct AddressSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl AddressSet {
    /// Each entry is an address or a CIDR; bits behind the prefix are ignored.
    ///
    /// # Errors
    /// Names the first entry that is neither.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for entry in entries {
            let entry = entry.as_ref();
            match parse(entry.trim()) {
                Some(IpNet::V4(net)) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                Some(IpNet::V6(net)) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
                None => return Err(format!("neither an address nor a CIDR: {entry:?}")),
            }
        }
        let v4 = Ranges::merged(v4, |end| end.checked_add(1));
        let v6 = Ranges::merged(v6, |end| end.checked_add(1));
        Ok(Self { v4, v6 })
    }

    /// Is the address in the set?
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.contains(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.contains(ip.to_bits()),
        }
    }

    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        self.v4.starts.is_empty() && self.v6.starts.is_empty()
    }
}

/// An address or a CIDR as a network; bits behind the prefix are dropped.
pub fn network(entry: &str) -> Option<IpNet> {
    parse(entry.trim()).map(|net| net.trunc())
}

fn parse(entry: &str) -> Option<IpNet> {
    let net = match entry.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => IpNet::from(entry.parse::<IpAddr>().ok()?),
    };
    Some(unmapped(net))
}

/// `::ffff:a.b.c.d/(96 + n)` is `a.b.c.d/n`; anything wider is IPv6 proper.
pub(super) fn unmapped(net: IpNet) -> IpNet {
    let narrow = net.prefix_len().checked_sub(96);
    match (net.addr().to_canonical(), narrow) {
        (IpAddr::V4(v4), Some(prefix)) if matches!(net, IpNet::V6(_)) => {
            IpNet::new(v4.into(), prefix).unwrap_or(net)
        }
        _ => net,
    }
}

/// Disjoint ranges in ascending order, both ends included. Starts and ends lie
/// apart, because the search reads only starts.
#[derive(Clone, Debug, Default)]
struct Ranges<T> {
    starts: Vec<T>,
    ends: Vec<T>,
}

impl<T: Ord + Copy> Ranges<T> {
    /// `next` is the address behind another, if there is one; ranges that touch
    /// become one.
    fn merged(mut ranges: Vec<(T, T)>, next: fn(T) -> Option<T>) -> Self {
        ranges.sort_unstable();
        let (mut starts, mut ends) = (Vec::with_capacity(ranges.len()), Vec::with_capacity(ranges.len()));
        for (start, end) in ranges {
            match ends.last_mut() {
                Some(last) if next(*last).is_none_or(|behind| start <= behind) => *last = end.max(*last),
                _ => {
                    starts.push(start);
                    ends.push(end);
                }
            }
        }
        starts.shrink_to_fit();
        ends.shrink_to_fit();
        Self { starts, ends }
    }

    fn contains(&self, value: T) -> bool {
        let behind = self.starts.partition_point(|start| *start <= value);
        behind.checked_sub(1).and_then(|at| self.ends.get(at)).is_some_and(|end| value <= *end)
    }
}

/// Allow and deny lists, in which deny wins and an empty allow list allows all;
/// and tables, each of which must agree too.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    /// Who may come in; empty = everybody.
    pub allow: AddressSet,
    /// Who may not, allowed or not.
    pub deny: AddressSet,
    /// Managed rules that hold besides the lists.
    pub tables: Vec<Arc<AddressTable>>,
}

impl AddressRules {
    /// May this address come in?
    pub fn permits(&self, ip: IpAddr) -> bool {
        !self.deny.contains(ip)
            && (self.allow.is_empty() || self.allow.contains(ip))
            && self.tables.iter().all(|table| table.permits(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn set(entries: &[&str]) -> AddressSet {
        AddressSet::parse(entries).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let set = set(&["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]);
        for inside in ["10.0.0.0", "10.255.255.255", "2001:db8::", "2001:db8:ffff::1", "192.0.2.7"] {
            assert!(set.contains(ip(inside)), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "2001:db9::", "192.0.2.6", "192.0.2.8", "::1"] {
            assert!(!set.contains(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn mapped_addresses_are_ipv4_wherever_they_stand() {
        assert!(set(&["10.0.0.0/8"]).contains(ip("::ffff:10.1.2.3")));
        assert!(set(&["::ffff:10.0.0.0/104"]).contains(ip("10.1.2.3")));
        assert!(set(&["::ffff:10.0.0.1"]).contains(ip("10.0.0.1")));
        assert!(!set(&["::ffff:10.0.0.0/104"]).contains(ip("11.0.0.0")));
    }

    #[test]
    fn all_of_ipv6_is_not_all_of_ipv4() {
        assert!(!set(&["::/0"]).contains(ip("10.0.0.1")));
        assert!(!set(&["::/0"]).contains(ip("::ffff:10.0.0.1")));
        assert!(set(&["::/0"]).contains(ip("2001:db8::1")));
        assert!(!set(&["0.0.0.0/0"]).contains(ip("::1")));
    }

    #[test]
    fn touching_and_nested_ranges_become_one() {
        let set = set(&["10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25", "255.255.255.255", "255.0.0.0/8"]);
        assert_eq!(set.v4.starts.len(), 2);
        assert!(set.contains(ip("255.255.255.255")));
        let all = AddressSet::parse(&["::/0", "ffff::/16", "::1"]).unwrap();
        assert_eq!(all.v6.starts.len(), 1);
    }

    #[test]
    fn the_first_bad_entry_is_named() {
        for bad in
            ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "localhost", "::1%eth0", "1.2.3.4:80", "010.0.0.1"]
        {
            let error = AddressSet::parse(&["10.0.0.1", bad]).unwrap_err();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn deny_wins_and_an_empty_allow_list_allows_all() {
        let rules = |allow: &[&str], deny: &[&str]| AddressRules {
            allow: set(allow),
            deny: set(deny),
            tables: Vec::new(),
        };
        assert!(rules(&[], &[]).permits(ip("1.2.3.4")));
        assert!(!rules(&[], &["1.2.3.4"]).permits(ip("1.2.3.4")));
        assert!(!rules(&["1.2.3.0/24"], &["1.2.3.4"]).permits(ip("1.2.3.4")));
        assert!(rules(&["1.2.3.0/24"], &["1.2.3.4"]).permits(ip("1.2.3.5")));
        assert!(!rules(&["1.2.3.0/24"], &[]).permits(ip("1.2.4.5")));
    }

    /// Addresses crowded together, so that ranges overlap and questions hit.
    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0_u32..1_024).prop_map(|n| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))),
            any::<u32>().prop_map(|n| IpAddr::V4(Ipv4Addr::from(n))),
            (0_u128..1_024).prop_map(|n| IpAddr::V6(Ipv6Addr::from((0x2001_0db8_u128 << 96) + n))),
            any::<u128>().prop_map(|n| IpAddr::V6(Ipv6Addr::from(n))),
        ]
    }

    fn net() -> impl Strategy<Value = IpNet> {
        (address(), 0_u8..=128, any::<bool>()).prop_map(|(ip, prefix, narrow)| {
            let bits = if ip.is_ipv4() { 32 } else { 128 };
            let prefix = if narrow { bits - prefix % 12 } else { prefix.min(bits) };
            IpNet::new(ip, prefix).unwrap()
        })
    }

    proptest! {
        #[test]
        fn the_search_agrees_with_a_linear_scan(
            nets in prop::collection::vec(net(), 0..24),
            asked in prop::collection::vec(address(), 1..24),
        ) {
            let texts: Vec<String> = nets.iter().map(ToString::to_string).collect();
            let set = AddressSet::parse(&texts).unwrap();
            let edges = nets.iter().flat_map(|net| [net.network(), net.broadcast()]);
            for ip in asked.into_iter().chain(edges) {
                let ip = ip.to_canonical();
                prop_assert_eq!(set.contains(ip), nets.iter().any(|net| net.contains(&ip)), "{}", ip);
            }
        }
    }
}
