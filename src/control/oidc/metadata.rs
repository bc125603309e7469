//! What a provider says of itself (OpenID Connect Discovery 1.0).

use serde::Deserialize;

/// The members that a sign-in needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    /// Who says it.
    pub issuer: String,
    /// Where people are sent.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// Where more claims are, if anywhere.
    #[serde(default)]
    pub userinfo_endpoint: Option<String>,
    /// How a client may prove itself at the token endpoint. Empty: by `client_secret_basic`.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Does each answer name its issuer (RFC 9207)?
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads what was found below `issuer`.
    ///
    /// # Errors
    /// It is no metadata, is somebody else's, or sends people or secrets over the open net.
    pub fn parse(issuer: &str, text: &[u8]) -> Result<Self, String> {
        let found: Self =
            super::read(text).ok_or("what the provider says of itself is no OpenID Connect metadata")?;
        if found.issuer != issuer {
            return Err(format!("the provider calls itself {:?}, not {issuer:?}", found.issuer));
        }
        let addresses = [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri];
        let unsafe_one =
            addresses.into_iter().chain(&found.userinfo_endpoint).find(|url| !as_safe_as(issuer, url));
        match unsafe_one {
            Some(url) => Err(format!("the provider names an address without TLS: {url:?}")),
            None => Ok(found),
        }
    }

    /// Does a client send its secret in the body, because the provider takes it no other way?
    pub fn wants_secret_in_body(&self) -> bool {
        let methods = &self.token_endpoint_auth_methods_supported;
        let takes = |wanted: &str| methods.iter().any(|method| method == wanted);
        !methods.is_empty() && !takes("client_secret_basic") && takes("client_secret_post")
    }
}

/// An issuer on this machine may do without TLS, and then so may its other addresses.
fn as_safe_as(issuer: &str, url: &str) -> bool {
    url.starts_with("https://") || (issuer.starts_with("http://") && url.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(issuer: &str, token: &str) -> String {
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"https://op.test/auth",
                "token_endpoint":"{token}","jwks_uri":"https://op.test/jwks","more":[1]}}"#
        )
    }

    #[test]
    fn metadata_is_its_issuers_own_and_leads_nowhere_without_tls() {
        let read = |issuer: &str, token: &str| {
            Metadata::parse("https://op.test", text(issuer, token).as_bytes()).map(drop)
        };
        assert_eq!(read("https://op.test", "https://op.test/token"), Ok(()));
        assert!(read("https://op.test/", "https://op.test/token").unwrap_err().contains("calls itself"));
        assert!(read("https://evil.test", "https://op.test/token").is_err());
        assert!(read("https://op.test", "http://op.test/token").unwrap_err().contains("without TLS"));
        assert!(Metadata::parse("https://op.test", b"{}").is_err());
    }

    #[test]
    fn a_secret_goes_into_the_body_only_where_nothing_else_is_taken() {
        let mut known =
            Metadata::parse("https://op.test", text("https://op.test", "https://op.test/t").as_bytes())
                .unwrap();
        assert!(!known.wants_secret_in_body());
        known.token_endpoint_auth_methods_supported = vec!["client_secret_post".into()];
        assert!(known.wants_secret_in_body());
        known.token_endpoint_auth_methods_supported.push("client_secret_basic".into());
        assert!(!known.wants_secret_in_body());
    }
}
