//! A request to the admin listener of the hub that runs on this machine.

use crate::admin;
use crate::config::{Boot, Document, Environment, Registry};
use crate::server;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An admin request may read the whole books.
const PATIENCE: Duration = Duration::from_secs(600);

/// The running hub.
pub(super) struct Remote {
    address: SocketAddr,
    token: crate::types::Secret,
}

impl Remote {
    /// Finds it by the configuration and its token by the data directory.
    pub(super) fn find(document: &Document, environment: &Environment, boot: &Boot) -> Result<Self, String> {
        let registry = Registry::new(boot.health, Default::default());
        let prices = server::embedded_prices()?;
        let inputs = server::inputs(environment, &registry, &[], &[0; 32], &prices);
        let snapshot = document.resolve(&inputs).map_err(|p| p.to_string())?;
        let mut address = snapshot.admin.listen;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Ok(Self { address, token: admin::token(&boot.data_dir, admin::Missing::Fail)? })
    }

    /// Sends a request and copies the body of a success to `out`; a refusal's body is the error.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: &str,
        out: &mut dyn Write,
    ) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("asking the running hub at {}: {e}", self.address);
        let mut stream = TcpStream::connect(self.address).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        // HTTP/1.0, so that the answer comes unframed and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.token.expose(),
            body.len(),
        );
        stream.write_all(request.as_bytes()).map_err(failed)?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status).map_err(failed)?;
        let mut line = String::new();
        while reader.read_line(&mut line).map_err(failed)? > 2 {
            line.clear();
        }
        if status.split(' ').nth(1).is_some_and(|code| code.starts_with('2')) {
            return std::io::copy(&mut reader, out).map(drop).map_err(failed);
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).map_err(failed)?;
        Err(format!("{}{text}", if text.is_empty() { status.trim() } else { "" }))
    }
}
