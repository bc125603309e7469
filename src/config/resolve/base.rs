//! Where a vendor is: base URLs, taken apart.

use crate::config::BaseUrl;
use crate::provider::Vendor;

const OLLAMA_PORT: u16 = 11434;

/// Reads a base URL. The text of an error does not repeat it, for it may hold a secret.
pub(super) fn base_url(text: &str) -> Result<BaseUrl, String> {
    let uri: http::Uri = text.parse().map_err(|_| "is no URL; write it like \"https://host/v1\"")?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("must begin with https:// or http://".into()),
    };
    let authority = uri.authority().ok_or("names no host")?;
    if authority.as_str().contains('@') {
        return Err("must not hold a user or password; secrets go to credentials or headers".into());
    }
    if uri.query().is_some() || text.contains('#') {
        return Err("must not have a query or a fragment".into());
    }
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return Err("names no host".into());
    }
    let port = match (authority.port_u16(), authority.as_str().strip_prefix(authority.host())) {
        (Some(0), _) | (None, Some(":")) => return Err("names no port after the colon".into()),
        (None, Some(rest)) if rest.starts_with(':') => return Err("its port is no number up to 65535".into()),
        (port, _) => port.unwrap_or(if tls { 443 } else { 80 }),
    };
    Ok(BaseUrl { tls, host, port, path: uri.path().trim_end_matches('/').to_owned() })
}

/// `OLLAMA_HOST` may be a host, `:port`, `host:port` or a URL. It also tells
/// Ollama itself where to listen, so that "any address" means this machine.
pub(super) fn ollama_host(text: &str, vendor: &Vendor) -> Result<BaseUrl, String> {
    let (with_scheme, has_scheme) = match text.contains("://") {
        true => (text.to_owned(), true),
        false if text.starts_with(':') => (format!("http://127.0.0.1{text}"), false),
        false => (format!("http://{text}"), false),
    };
    let mut base = base_url(&with_scheme)?;
    let names_port = with_scheme.trim_end_matches('/').rsplit('/').next().is_some_and(|h| {
        h.rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
    });
    if !has_scheme && !names_port {
        base.port = OLLAMA_PORT;
    }
    if matches!(base.host.as_str(), "0.0.0.0" | "[::]") {
        base.host = "127.0.0.1".into();
    }
    // The one variable names the server; which of its two doors is the row's to say.
    let root = base.path.strip_suffix("/v1").unwrap_or(&base.path);
    let door = if vendor.base_url.ends_with("/v1") { "/v1" } else { "" };
    base.path = format!("{root}{door}");
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{VENDORS, vendor};

    fn base(tls: bool, host: &str, port: u16, path: &str) -> BaseUrl {
        BaseUrl { tls, host: host.into(), port, path: path.into() }
    }

    #[test]
    fn base_urls_are_taken_apart() {
        assert_eq!(base_url("https://api.x.ai/v1/"), Ok(base(true, "api.x.ai", 443, "/v1")));
        assert_eq!(base_url("http://LOCALHOST:8000"), Ok(base(false, "localhost", 8000, "")));
        assert_eq!(base_url("http://[::1]:9/a"), Ok(base(false, "[::1]", 9, "/a")));
    }

    #[test]
    fn urls_that_could_lead_elsewhere_or_hold_secrets_are_refused() {
        for bad in [
            "",
            "api.x.ai",
            "/v1",
            "ftp://x",
            "https://",
            "https://user:canary@host",
            "https://h/v1?key=canary",
            "https://h/#f",
            "https://h:0",
            "https://h:99999",
            "https://h:/v1",
            "https://a b",
        ] {
            let error = base_url(bad).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn every_vendors_own_base_is_a_base() {
        for vendor in VENDORS.iter().filter(|v| !v.base_url.is_empty()) {
            let url = vendor.base_url.replace("{region}", "us-east-1");
            assert!(base_url(&url).is_ok(), "{}", vendor.name);
        }
    }

    #[test]
    fn ollama_is_found_in_every_form_of_its_variable() {
        for (text, host, port, path) in [
            ("127.0.0.1", "127.0.0.1", 11434, "/v1"),
            ("0.0.0.0", "127.0.0.1", 11434, "/v1"),
            (":9000", "127.0.0.1", 9000, "/v1"),
            ("box:9000", "box", 9000, "/v1"),
            ("http://box:9000/", "box", 9000, "/v1"),
            ("http://box/ollama/v1", "box", 80, "/ollama/v1"),
            ("[::]:9000", "127.0.0.1", 9000, "/v1"),
        ] {
            let at = |name: &str| ollama_host(text, vendor(name).unwrap());
            assert_eq!(at("ollama"), Ok(base(false, host, port, path)), "{text}");
            let root = path.strip_suffix("/v1").unwrap();
            assert_eq!(at("ollama-native"), Ok(base(false, host, port, root)), "{text}");
        }
    }
}
