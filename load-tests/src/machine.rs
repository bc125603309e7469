//! What the operating system knows: cores, limits, clocks, the CPU time and
//! memory of a process. Nothing here knows what is being measured.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use serde::Serialize;
use std::fs::read_to_string;

/// Where each process runs. With one core nothing is pinned.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cores {
    /// The measured gateways.
    pub gateway: Option<usize>,
    /// The generator and the mock vendor.
    pub load: Option<usize>,
}

impl Cores {
    /// Core 0 for gateways and core 1 for everything else, where there are two.
    pub fn choose() -> Self {
        if available_cores() < 2 { Self::default() } else { Self { gateway: Some(0), load: Some(1) } }
    }
}

/// Cores this thread may run on: 1 after it was pinned.
pub fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Pins the calling thread, and all it starts afterwards, to one core.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("pinning to core {core}"))
}

/// Raises the soft limit of open files to the hard limit; children inherit it.
pub fn raise_file_limit() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the limit of open files")?;
    Ok(hard)
}

/// Nanoseconds of a clock that all processes of this machine share.
pub fn now_ns() -> u64 {
    // The call cannot fail for this clock; zero would show as an absurd latency.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, nanoseconds)
}

/// CPU time of a process in nanoseconds: user and system, all threads, also
/// those that have ended. `/proc/PID/schedstat` would count the first thread only.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))?;
    Ok(nanoseconds(clock_gettime(clock).with_context(|| format!("CPU clock of process {pid}"))?))
}

fn nanoseconds(time: nix::sys::time::TimeSpec) -> u64 {
    time.tv_sec().unsigned_abs() * 1_000_000_000 + time.tv_nsec().unsigned_abs()
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Resident set: everything mapped and present, shared pages in full.
    pub rss: u64,
    /// Proportional set: shared pages divided by their users.
    pub pss: u64,
}

/// Reads the memory of a process now.
pub fn memory(pid: u32) -> Result<Memory> {
    let rss = kilobytes(&format!("/proc/{pid}/status"), "VmRSS:")? * 1024;
    let pss = kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:").map_or(0, |kilobytes| kilobytes * 1024);
    Ok(Memory { rss, pss })
}

fn kilobytes(path: &str, field: &str) -> Result<u64> {
    let text = read_to_string(path).with_context(|| format!("reading {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number
        .with_context(|| format!("no {field} in {path}"))?
        .parse()
        .with_context(|| format!("{field} in {path}"))
}

/// Time all cores together were busy since the machine started, in nanoseconds,
/// from a clock of 10 ms steps. `None` where `/proc/stat` is not to be had.
pub fn busy_ns() -> Option<u64> {
    let text = read_to_string("/proc/stat").ok()?;
    let numbers: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let busy: u64 = numbers.iter().take(8).sum::<u64>().checked_sub(numbers.get(3)? + numbers.get(4)?)?;
    Some(busy * 10_000_000)
}

/// The machine, as a reader of the numbers needs to know it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model name of the first core.
    pub cpu: String,
    /// How many cores this process could use before it was pinned.
    pub cores: usize,
    /// Kernel release.
    pub kernel: String,
}

impl Machine {
    /// Describes this machine; to be called before anything is pinned.
    pub fn describe() -> Self {
        let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find(|line| line.starts_with("model name"));
        let cpu = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").trim().to_owned();
        let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        Self { cpu, cores: available_cores(), kernel }
    }

    /// A file name part such as `amd-epyc-2-cores`.
    pub fn slug(&self) -> String {
        let words = format!("{} {} cores", self.cpu, self.cores).to_lowercase();
        let parts: Vec<&str> =
            words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|p| !p.is_empty()).collect();
        parts.join("-")
    }
}

/// Today in UTC as `2026-01-31`.
pub fn today() -> String {
    let seconds =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Calendar date of a day counted from 1970-01-01, by walking years and months.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_knows_leap_days_and_year_ends() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(364), (1970, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }

    #[test]
    fn own_cpu_time_grows_with_work() {
        let before = cpu_ns(std::process::id()).unwrap();
        let sum: u64 = std::hint::black_box(0..2_000_000_u64).map(std::hint::black_box).sum();
        assert!(sum > 0);
        assert!(cpu_ns(std::process::id()).unwrap() > before);
    }

    #[test]
    fn own_memory_is_found() {
        assert!(memory(std::process::id()).unwrap().rss > 100_000);
    }

    #[test]
    fn slug_is_fit_for_a_file_name() {
        let machine = Machine { cpu: "AMD EPYC (tm) 7/x".to_owned(), cores: 2, kernel: String::new() };
        assert_eq!(machine.slug(), "amd-epyc-tm-7-x-2-cores");
    }
}
