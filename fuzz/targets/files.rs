//! What operators write, and what proxies say of their callers.

use aigne_hub::access::{self, AddressSet};
use aigne_hub::config::{Document, Environment};
use aigne_hub::ledger::PriceTable;
use aigne_hub::rules::RuleSet;
use std::net::IpAddr;
use std::path::Path;

/// Every problem of a file names the file and a line of it.
fn named(problems: &[String], file: &str, text: &str) {
    assert!(!problems.is_empty(), "refused without a reason");
    let lines = text.lines().count() + 1;
    for problem in problems {
        let place = problem.strip_prefix(file).and_then(|rest| rest.strip_prefix(':'));
        let line = place.and_then(|rest| rest.split(':').next()).and_then(|line| line.parse::<usize>().ok());
        assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "no place: {problem}");
    }
}

/// Rules compile or are refused with every place; what compiles decides its own cases.
pub fn rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match RuleSet::parse("r.toml", &text) {
        Ok(rules) => _ = rules.run_cases(),
        Err(problems) => named(&problems, "r.toml", &text),
    }
}

pub fn rules_corpus() -> Vec<Vec<u8>> {
    let files: [&[u8]; 5] = [
        include_bytes!("../../lua-free-rules/examples/block-big-bodies.toml"),
        include_bytes!("../../lua-free-rules/examples/cache-for-a-key.toml"),
        include_bytes!("../../lua-free-rules/examples/guests.toml"),
        include_bytes!("../../lua-free-rules/examples/pin-a-header.toml"),
        include_bytes!("../../lua-free-rules/examples/reroute-by-time.toml"),
    ];
    files.map(<[u8]>::to_vec).to_vec()
}

/// A configuration is read or refused with reasons; nothing it names is opened.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let document = Document::parse("hub.toml", Path::new("/nowhere"), &text);
    if let Err(problems) = document.boot(&Environment::default()) {
        assert!(!problems.to_string().is_empty(), "refused without a reason");
    }
    _ = document.admin_address();
}

pub fn config_corpus() -> Vec<Vec<u8>> {
    vec![aigne_hub::config::EXAMPLE.as_bytes().to_vec()]
}

/// Price rows are read or refused with every place; no row has a negative rate.
pub fn prices(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(problems) = PriceTable::parse_toml("p.toml", &text) {
        named(&problems, "p.toml", &text);
    }
}

pub fn prices_corpus() -> Vec<Vec<u8>> {
    let whole = include_str!("../../conf/prices.toml");
    // A few rows are enough to mutate; all of them are read elsewhere.
    let end = whole.match_indices("\n\n").nth(6).map_or(whole.len(), |(at, _)| at);
    vec![whole.get(..end).unwrap_or(whole).as_bytes().to_vec()]
}

/// Who is not trusted cannot say who they are; who is, names an address or is it themselves.
pub fn client_address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.split('\n').collect();
    let parse = |entries: &[&str]| AddressSet::parse(entries).unwrap_or_else(|why| panic!("{why}"));
    let stranger = IpAddr::from([192, 0, 2, 7]);
    assert_eq!(access::client_address(stranger, &lines, &parse(&["10.0.0.0/8"])), stranger);
    let trusted = parse(&["192.0.2.0/24", "2001:db8::/32"]);
    let client = access::client_address(stranger, &lines, &trusted);
    let plain = |entry: &str| entry.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let last = lines.last().and_then(|line| line.rsplit(',').next()).and_then(plain);
    if let Some(last) = last.filter(|last| !trusted.contains(*last)) {
        assert_eq!(client, last, "whoever came to our proxy is the caller");
    }
    let digits = text.bytes().any(|byte| byte.is_ascii_hexdigit() || byte == b':');
    assert!(digits || client == stranger, "{client} was not in {text:?}");
}

pub fn address_corpus() -> Vec<Vec<u8>> {
    ["203.0.113.9, 192.0.2.1", "[2001:db8::1]:443\n::ffff:203.0.113.9:80", "unknown, 1.2.3.4:5,,\"x\""]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}
