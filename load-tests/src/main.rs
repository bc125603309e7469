//! Measures the hub beside a bare Pingora proxy, with a mock vendor behind both,
//! in one run on one machine. See `README.md`.

mod bare;
mod client;
mod http1;
mod hub;
mod lab;
mod machine;
mod process;
mod prompt;
mod report;
mod run;
mod scenario;
mod table;
mod vendor;

use clap::{Parser, Subcommand};
use run::{ALL, Options};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures the hub beside a bare Pingora proxy.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All scenarios.
    Run {
        #[command(flatten)]
        options: Options,
    },
    /// Some scenarios, while working on something.
    Compare {
        /// Letters such as a,c: a CPU per request, b added latency, c first event, d paced events,
        /// e events without pause, f many streams, g start and idle memory, h translated stream.
        #[arg(long, value_delimiter = ',', required = true)]
        only: Vec<char>,
        #[command(flatten)]
        options: Options,
    },
    /// The mock vendor alone.
    Vendor {
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// The bare proxy alone.
    Bare {
        /// Address to listen on.
        #[arg(long)]
        listen: SocketAddr,
        /// Address of the vendor.
        #[arg(long)]
        vendor: SocketAddr,
    },
    /// Becomes a program pinned to a core; used by `run`.
    #[command(hide = true)]
    Launch {
        #[arg(long)]
        core: Option<usize>,
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Run { options } => run::run(&options, &ALL),
        Command::Compare { only, options } => run::run(&options, &only),
        Command::Vendor { listen } => {
            machine::raise_file_limit()?;
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(vendor::serve(listen))
        }
        Command::Bare { listen, vendor } => {
            machine::raise_file_limit()?;
            bare::serve(listen, vendor)
        }
        Command::Launch { core, program } => {
            let mut parts = program.into_iter();
            let program = PathBuf::from(parts.next().unwrap_or_default());
            process::launch(core, &program, &parts.collect::<Vec<_>>())
        }
    }
}
