//! A request to the admin listener of the hub that runs on this machine.

use super::out;
use crate::admin;
use crate::config::{Boot, Document};
use serde_json::Value;
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

/// What it answered; the body is still to be read.
pub(super) struct Reply {
    address: SocketAddr,
    status: u16,
    body: BufReader<TcpStream>,
}

impl Remote {
    /// Finds it by the configuration and its token by the data directory. Needs
    /// none of the hub's secrets.
    pub(super) fn find(document: &Document, boot: &Boot) -> Result<Self, String> {
        let mut address = document.admin_address().map_err(|p| p.to_string())?;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Ok(Self { address, token: admin::token(&boot.data_dir, admin::Missing::Fail)? })
    }

    /// One elsewhere.
    pub(super) fn at(address: SocketAddr, token: crate::types::Secret) -> Self {
        Self { address, token }
    }

    /// Sends a request and reads the header of the answer.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> Result<Reply, String> {
        let failed = |e: std::io::Error| failed(self.address, &e);
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
        let mut line = String::new();
        reader.read_line(&mut line).map_err(failed)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| format!("what listens at {} is no hub", self.address))?;
        line.clear();
        while reader.read_line(&mut line).map_err(failed)? > 2 {
            line.clear();
        }
        Ok(Reply { address: self.address, status, body: reader })
    }
}

impl Reply {
    /// Copies the body of a success to stdout; a refusal is the error.
    pub(super) fn copy(mut self) -> Result<(), String> {
        if !self.is_success() {
            return Err(self.refusal());
        }
        let mut stdout = std::io::stdout().lock();
        // A pipe breaks only where it is written to.
        out::told(std::io::copy(&mut self.body, &mut stdout).and_then(|_| stdout.flush()))
    }

    /// The body of a success; a refusal is the error.
    pub(super) fn text(mut self) -> Result<String, String> {
        if self.is_success() { self.read() } else { Err(self.refusal()) }
    }

    /// The body as JSON, whatever the status, if it is an object with this member.
    pub(super) fn object_with(mut self, member: &str) -> Result<Value, String> {
        let text = self.read()?;
        match serde_json::from_str::<Value>(&text) {
            Ok(value) if value.get(member).is_some() => Ok(value),
            _ => Err(detail(self.status, &text)),
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn read(&mut self) -> Result<String, String> {
        let mut text = String::new();
        self.body.read_to_string(&mut text).map_err(|e| failed(self.address, &e))?;
        Ok(text)
    }

    fn refusal(mut self) -> String {
        self.read().map_or_else(|error| error, |text| detail(self.status, &text))
    }
}

fn failed(address: SocketAddr, error: &std::io::Error) -> String {
    format!("asking the running hub at {address}: {error}")
}

/// What a refusal says: the `detail` of an RFC 9457 problem, else the text as it came.
fn detail(status: u16, text: &str) -> String {
    let problem = serde_json::from_str::<Value>(text).ok();
    match problem.filter(|problem| problem.get("detail").is_some_and(Value::is_string)) {
        Some(problem) => told(&problem),
        None if text.trim().is_empty() => format!("the running hub answered with status {status}"),
        None => text.trim().to_owned(),
    }
}

/// A problem in words: what happened, and every field that is wrong.
pub(super) fn told(problem: &Value) -> String {
    let mut text = problem["detail"].as_str().unwrap_or_default().to_owned();
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default();
        text.push_str(&format!("\n  {}: {}", part("field"), part("detail")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_problem_people_see_the_detail() {
        let problem = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"no such key"}"#;
        assert_eq!(detail(404, problem), "no such key");
        assert_eq!(detail(500, "plain\n"), "plain");
        assert_eq!(detail(502, ""), "the running hub answered with status 502");
    }
}
