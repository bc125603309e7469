//! Where people may be sent back to. A code that goes to the wrong place is a
//! stolen one, so addresses are compared as texts and not as what they mean.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest address.
const LONGEST: usize = 2_048;
/// The machine itself, where programs listen on whichever port is free (RFC 8252 §7.3).
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// What is wrong with an address that somebody wants to register.
pub fn fault(uri: &str) -> Option<&'static str> {
    if uri.len() > LONGEST
        || !uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
    {
        return Some("is no URI, or is longer than 2048 bytes");
    }
    if uri.contains('#') {
        return Some("must not have a fragment");
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("has no scheme") };
    let begins = scheme.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || !scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
    {
        return Some("has no scheme in lower-case letters");
    }
    match scheme {
        "https" | "http" => {
            let Some(rest) = rest.strip_prefix("//") else { return Some("names no host") };
            let host = rest.split(['/', '?']).next().unwrap_or_default();
            let end = host.find(']').map_or_else(|| host.find(':'), |end| end.checked_add(1));
            let name = host.get(..end.unwrap_or(host.len())).unwrap_or_default();
            let here = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
            if host.is_empty() || host.contains('@') || uri.contains('*') {
                return Some("names no host, or a user, or has a wildcard");
            }
            (scheme == "http" && !here).then_some("must be https, unless it is on the machine itself")
        }
        // Anybody may claim a short one; one with a dot names who owns it (RFC 8252 §7.1).
        _ => (!scheme.contains('.')).then_some("must be https, or have a scheme such as com.example.app"),
    }
}

/// Is it the registered address? Character by character; only the port of this machine is free.
pub fn matches(registered: &str, asked: &str) -> bool {
    registered == asked
        || LOOPBACK.iter().any(|host| {
            let (own, other) = (without_port(registered, host), without_port(asked, host));
            own.is_some() && own == other
        })
}

/// What follows the port of an address on this machine.
fn without_port<'u>(uri: &'u str, host: &str) -> Option<&'u str> {
    let rest = uri.strip_prefix(host)?;
    let rest = match rest.strip_prefix(':') {
        Some(rest) => {
            let path = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let port = rest.get(..rest.len().saturating_sub(path.len()))?;
            port.parse::<u16>().ok().filter(|port| *port > 0)?;
            path
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

/// What a page's policy must name so that a form may lead there: the origin, or the scheme.
pub fn origin_of(uri: &str) -> String {
    match uri.split_once("://") {
        Some((scheme @ ("https" | "http"), rest)) => {
            format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default())
        }
        _ => format!("{}:", uri.split(':').next().unwrap_or_default()),
    }
}

/// An address with more members in its query.
pub fn with_query(uri: &str, members: &[(&str, &str)]) -> String {
    let mut whole = uri.to_owned();
    let mut sign = if uri.contains('?') { '&' } else { '?' };
    for (name, value) in members {
        whole.push(sign);
        whole.push_str(&format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        sign = '&';
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_places_that_belong_to_somebody_are_registered() {
        for good in [
            "https://app.example.com/back",
            "https://app.example.com:8443/back?a=b",
            "http://127.0.0.1/back",
            "http://[::1]:3000/back",
            "http://localhost:3000/back",
            "com.example.app:/back",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "/back",
            "https:/x",
            "https://",
            "https://a b/",
            "https://a/#x",
            "https://user@a/",
            "https://*.example.com/",
            "http://example.com/",
            "http://127.0.0.1.example.com/",
            "http://[::evil/",
            "javascript:alert(1)",
            "data:text/html,x",
            "myapp:/back",
            "HTTPS://a/",
            "https://a/\n",
        ] {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
        assert!(fault(&format!("https://a/{}", "x".repeat(LONGEST))).is_some());
    }

    #[test]
    fn an_address_is_the_registered_one_or_is_not() {
        let registered = "https://app.example.com/back";
        assert!(matches(registered, registered));
        for other in [
            "https://app.example.com/back/",
            "https://app.example.com/back?x=1",
            "https://app.example.com/Back",
            "https://app.example.com:443/back",
            "https://app.example.com/b%61ck",
            "http://app.example.com/back",
            "https://app.example.com.evil.test/back",
        ] {
            assert!(!matches(registered, other), "{other}");
        }
    }

    #[test]
    fn the_port_of_this_machine_is_free_and_nothing_else_is() {
        let registered = "http://127.0.0.1/back";
        for good in ["http://127.0.0.1:1/back", "http://127.0.0.1:65535/back", "http://127.0.0.1/back"] {
            assert!(matches(registered, good), "{good}");
            assert!(matches("http://127.0.0.1:3000/back", good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:0/back",
            "http://127.0.0.1:65536/back",
            "http://127.0.0.1:/back",
            "http://127.0.0.1:80@evil.test/back",
            "http://127.0.0.1.evil.test/back",
            "http://127.0.0.10/back",
            "http://[::1]/back",
            "http://localhost/back",
            "https://127.0.0.1/back",
            "http://127.0.0.1:80/other",
        ] {
            assert!(!matches(registered, bad), "{bad}");
        }
        assert!(!matches("http://localhost/back", "http://localhost:1/back"), "names may be looked up");
    }

    #[test]
    fn members_are_added_to_the_query_that_is_there() {
        assert_eq!(with_query("https://a/b", &[("c", "d e&f")]), "https://a/b?c=d%20e%26f");
        assert_eq!(with_query("https://a/b?x=1", &[("c", "d"), ("e", "")]), "https://a/b?x=1&c=d&e=");
        assert_eq!(origin_of("https://a:1/b?c"), "https://a:1");
        assert_eq!(origin_of("com.example.app:/b"), "com.example.app:");
    }

    proptest! {
        /// Whatever is put behind, before or into an address, it is another one.
        #[test]
        fn no_text_around_an_address_is_that_address(at in 0_usize..30, more in "[ -~]{1,12}") {
            for registered in ["https://app.example.com/back", "http://localhost:80/back"] {
                let mut other = registered.to_owned();
                other.insert_str(at.min(registered.len()), &more);
                prop_assert!(!matches(registered, &other));
            }
        }

        #[test]
        fn every_port_of_this_machine_fits(port in 1_u16..) {
            let asked = format!("http://[::1]:{port}/x?y");
            prop_assert!(matches("http://[::1]/x?y", &asked));
        }
    }
}
