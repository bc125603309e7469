//! Rules about addresses in which the longest match decides: managed lists, as
//! opposed to the plain allow and deny lists of [`super::AddressRules`].

use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;

/// What a rule says about the addresses of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They may come in.
    Allow,
    /// They may not.
    Deny,
}

/// Rules by prefix length, longest first. Of two rules for the same network
/// deny wins. An address that no rule matches comes in unless some rule allows
/// others: who writes an allow list means it.
#[derive(Clone, Debug, Default)]
pub struct AddressTable {
    v4: Vec<(u8, HashMap<u32, Verdict>)>,
    v6: Vec<(u8, HashMap<u128, Verdict>)>,
    lists_allowed: bool,
}

impl AddressTable {
    /// Builds the table. IPv4-mapped networks count as IPv4.
    pub fn new(rules: impl IntoIterator<Item = (IpNet, Verdict)>) -> Self {
        let mut table = Self::default();
        for (net, verdict) in rules {
            table.lists_allowed |= verdict == Verdict::Allow;
            match super::addresses::unmapped(net) {
                IpNet::V4(net) => insert(&mut table.v4, net.prefix_len(), net.network().to_bits(), verdict),
                IpNet::V6(net) => insert(&mut table.v6, net.prefix_len(), net.network().to_bits(), verdict),
            }
        }
        table.v4.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        table.v6.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        table
    }

    /// May this address come in?
    pub fn permits(&self, ip: IpAddr) -> bool {
        let found = match ip.to_canonical() {
            IpAddr::V4(ip) => find(&self.v4, |length| {
                ip.to_bits() & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
            }),
            IpAddr::V6(ip) => find(&self.v6, |length| {
                ip.to_bits() & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
            }),
        };
        found.map_or(!self.lists_allowed, |verdict| verdict == Verdict::Allow)
    }

    /// Does it say nothing at all?
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

fn insert<T: Eq + std::hash::Hash>(
    lengths: &mut Vec<(u8, HashMap<T, Verdict>)>,
    length: u8,
    network: T,
    verdict: Verdict,
) {
    let at = lengths.iter().position(|(known, _)| *known == length).unwrap_or_else(|| {
        lengths.push((length, HashMap::new()));
        lengths.len() - 1
    });
    let Some((_, networks)) = lengths.get_mut(at) else { return };
    let known = networks.entry(network).or_insert(verdict);
    if verdict == Verdict::Deny {
        *known = Verdict::Deny;
    }
}

fn find<T: Eq + std::hash::Hash>(
    lengths: &[(u8, HashMap<T, Verdict>)],
    masked: impl Fn(u8) -> T,
) -> Option<Verdict> {
    lengths.iter().find_map(|(length, networks)| networks.get(&masked(*length)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn table(rules: &[(&str, Verdict)]) -> AddressTable {
        AddressTable::new(rules.iter().map(|(net, verdict)| (net.parse().unwrap(), *verdict)))
    }

    fn permits(rules: &[(&str, Verdict)], ip: &str) -> bool {
        table(rules).permits(ip.parse().unwrap())
    }

    #[test]
    fn the_longest_match_decides_and_of_equals_deny() {
        use Verdict::{Allow, Deny};
        assert!(permits(&[], "1.2.3.4"));
        let nested = [("10.0.0.0/8", Deny), ("10.1.0.0/16", Allow), ("10.1.2.3/32", Deny)];
        assert!(permits(&nested, "10.1.9.9"));
        assert!(!permits(&nested, "10.1.2.3"));
        assert!(!permits(&nested, "10.2.0.1"));
        assert!(!permits(&nested, "192.0.2.1"), "an allow list is meant");
        assert!(permits(&[("10.0.0.0/8", Deny)], "192.0.2.1"));
        let equal = [("10.0.0.0/8", Deny), ("10.0.0.0/8", Allow)];
        assert!(!permits(&equal, "10.0.0.1"));
        assert!(!permits(&[equal[1], equal[0]], "10.0.0.1"), "whatever the order");
    }

    #[test]
    fn the_widest_networks_and_mapped_addresses_are_understood() {
        use Verdict::{Allow, Deny};
        assert!(!permits(&[("0.0.0.0/0", Deny)], "1.2.3.4"));
        assert!(permits(&[("0.0.0.0/0", Deny)], "::1"));
        assert!(!permits(&[("::/0", Deny)], "2001:db8::1"));
        assert!(!permits(&[("::ffff:10.0.0.0/104", Deny)], "10.1.2.3"));
        assert!(!permits(&[("10.0.0.0/8", Deny)], "::ffff:10.1.2.3"));
        assert!(permits(&[("10.0.0.0/8", Allow)], "10.1.2.3"));
    }

    proptest! {
        #[test]
        fn it_agrees_with_looking_at_every_rule(
            rules in prop::collection::vec((0_u32..64, 24_u8..=32, any::<bool>()), 0..12),
            asked in 0_u32..80,
        ) {
            let net = |bits: u32, length| IpNet::new(Ipv4Addr::from(0x0a00_0000 + bits * 4).into(), length).unwrap();
            let verdict = |deny| if deny { Verdict::Deny } else { Verdict::Allow };
            let rules: Vec<_> = rules.into_iter().map(|(b, l, deny)| (net(b, l), verdict(deny))).collect();
            let ip = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + asked * 3));
            let matching = rules.iter().filter(|(net, _)| net.contains(&ip));
            let expected = match matching.clone().map(|(net, _)| net.prefix_len()).max() {
                None => rules.iter().all(|(_, verdict)| *verdict == Verdict::Deny),
                Some(longest) => matching
                    .filter(|(net, _)| net.prefix_len() == longest)
                    .all(|(_, verdict)| *verdict == Verdict::Allow),
            };
            prop_assert_eq!(AddressTable::new(rules).permits(ip), expected);
        }
    }
}
