//! The processes of a run: started pinned, found ready, ended with the runner.

use crate::client::Target;
use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(1);

/// A program to start.
#[derive(Clone, Debug)]
pub struct Start {
    /// Shown when it fails.
    pub name: String,
    /// Path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// Pinned to this core.
    pub core: Option<usize>,
    /// Output and log go here, or nowhere.
    pub log: Option<PathBuf>,
    /// Answers `GET path` with 200 when it is ready.
    pub health: (SocketAddr, String),
    /// Where it serves.
    pub target: Target,
    /// Removed when the process has ended.
    pub data: Option<PathBuf>,
}

/// A process that answers. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    data: Option<PathBuf>,
    /// Where it serves.
    pub target: Target,
    /// From the start of the process to the first 200 of its health path.
    pub ready: Duration,
}

impl Running {
    /// Its process id, which is also the one of the program behind `launch`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // There is nobody to tell about a process that has ended on its own.
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(data) = &self.data {
            std::fs::remove_dir_all(data).ok();
        }
    }
}

impl Start {
    /// Starts the program and waits until it is ready.
    pub async fn ready(self) -> Result<Running> {
        let started = Instant::now();
        let child = self.spawn().with_context(|| format!("starting {}", self.name))?;
        let mut running = Running { child, data: self.data, target: self.target, ready: Duration::ZERO };
        while !is_healthy(&self.health.0, &self.health.1).await {
            if let Some(status) = running.child.try_wait()? {
                bail!("{} ended while starting: {status}; see its output with --log-dir DIR", self.name);
            }
            if started.elapsed() > START_LIMIT {
                bail!("{} was not ready after {START_LIMIT:?}", self.name);
            }
            sleep(POLL).await;
        }
        running.ready = started.elapsed();
        Ok(running)
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("launch");
        if let Some(core) = self.core {
            command.arg("--core").arg(core.to_string());
        }
        command
            .arg("--")
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null());
        match &self.log {
            Some(path) => {
                let file =
                    std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?;
                command.stdout(file.try_clone()?).stderr(file);
            }
            None => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        Ok(command.spawn()?)
    }
}

/// What `launch` does: becomes the program, pinned, and ended by the kernel when
/// the runner ends, however that happens.
pub fn launch(core: Option<usize>, program: &Path, args: &[OsString]) -> Result<()> {
    if let Some(core) = core {
        crate::machine::pin(core)?;
    }
    set_pdeathsig(Signal::SIGKILL)?;
    Err(Command::new(program).args(args).exec()).with_context(|| format!("running {}", program.display()))
}

/// A port that nobody uses at this moment.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn is_healthy(address: &SocketAddr, path: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.ok()?;
        Some(start.ends_with(b" 200"))
    };
    timeout(Duration::from_secs(1), ask).await.ok().flatten().unwrap_or(false)
}
