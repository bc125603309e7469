//! `aigne-hub connect …`

use super::ConfigArg;
use super::keys::Create;
use super::out;
use super::remote::Remote;
use crate::access::Code;
use clap::{Args, Subcommand};

/// Grants keys to programs that wait for one, such as AIGNE's command line.
#[derive(Args)]
pub(super) struct Connect {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Subcommand)]
enum Action {
    /// Lists the sessions that wait.
    List,
    /// Makes a key and gives it to the program that waits with this code.
    Approve(Box<Approve>),
}

#[derive(Args)]
struct Approve {
    /// The code that the program's user was shown.
    code: String,
    #[command(flatten)]
    key: Create,
}

impl Connect {
    /// Sessions live in the running hub only.
    pub(super) fn run(self) -> Result<(), String> {
        let (document, _, boot) = self.config.boot()?;
        let hub = Remote::find(&document, &boot)?;
        let reply = match self.action {
            Action::List => hub.ask("GET", "/admin/connect", ""),
            Action::Approve(approve) => {
                let code = Code::parse(&approve.code)
                    .ok_or("a code has eight letters and digits, like ABCD-1234")?;
                let body = approve.key.body().to_string();
                hub.ask("POST", &format!("/admin/connect/{code}"), &body)
            }
        };
        out::print(reply?.text()?)
    }
}
