//! Where a URL leads. An address is looked at before it is connected to, and
//! it is that address that is connected to; a name that resolves anew in
//! between leads nowhere.

use super::Reach;
use crate::access::may_call;
use http::Uri;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Where a URL leads.
pub(super) struct Place {
    pub(super) uri: Uri,
    pub(super) tls: bool,
    pub(super) host: String,
    port: u16,
}

impl Place {
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "is no URL".to_owned())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("begins with https:// or http://".to_owned()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("has a name or password in it".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, tls, host, port })
    }

    /// Connects to the first address of the host that may be called and answers.
    pub(super) async fn connect(&self, reach: Reach<'_>) -> Result<TcpStream, String> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(|error| format!("{}: {error}", self.host))?.collect();
        let mut why = self.nothing_to_call(found.is_empty(), reach);
        for address in found.iter().filter(|address| self.may_call(address, reach)) {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Without it the request is only slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => why = format!("{address}: {error}"),
            }
        }
        Err(why)
    }

    fn may_call(&self, address: &SocketAddr, reach: Reach<'_>) -> bool {
        match reach {
            Reach::Anywhere => true,
            Reach::Allowed { opened, .. } => {
                may_call(address.ip(), opened) && (self.tls || opened.contains(address.ip().to_canonical()))
            }
        }
    }

    fn nothing_to_call(&self, nowhere: bool, reach: Reach<'_>) -> String {
        let host = &self.host;
        match reach {
            Reach::Allowed { setting, .. } if !nowhere && self.tls => {
                format!("{host} is no public address, and {setting} does not name it")
            }
            Reach::Allowed { setting, .. } if !nowhere => {
                format!("{host} is not in {setting}, and only those may be told without TLS")
            }
            _ => format!("{host} has no address"),
        }
    }
}
