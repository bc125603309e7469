//! A run: which scenarios, in which order, on which gateways, and what is said
//! about it afterwards.

use crate::hub::{Hub, build, workspace};
use crate::lab::{Candidate, Lab, Side};
use crate::machine::{Cores, Machine, busy_ns, cpu_ns, pin, raise_file_limit, today};
use crate::report::Report;
use crate::scenario::requests::{self, Pair};
use crate::scenario::{Plan, Record, latency, start, streams};
use crate::table::lines;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

/// All scenarios in the order they run.
pub const ALL: [char; 8] = ['a', 'b', 'c', 'd', 'e', 'h', 'f', 'g'];

/// Options of `run` and `compare`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// About one minute instead of six.
    #[arg(long)]
    quick: bool,
    /// Program of the hub. Default: target/release/aigne-hub, built when missing.
    #[arg(long, value_name = "PATH")]
    hub: Option<PathBuf>,
    /// Its arguments; {config} is the path of the generated configuration.
    #[arg(long, default_value = "serve --config {config}", value_name = "ARGS", allow_hyphen_values = true)]
    hub_args: String,
    /// Another configuration template than load-tests/hub.toml.
    #[arg(long, value_name = "FILE")]
    hub_config: Option<PathBuf>,
    /// Keys in the hub's configuration; requests use them in turns.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..10_000_000))]
    keys: u32,
    /// Measure the bare proxy against itself: every ratio must be near 1.
    #[arg(long)]
    self_check: bool,
    /// Rounds, where not those of the plan are wanted.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Streams of scenario f.
    #[arg(long, value_name = "N")]
    streams: Option<usize>,
    /// Keep the output of the gateways in this folder instead of dropping it.
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Also write Markdown to this file. Default name: `load-tests/results/DATE-MACHINE.md`.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    markdown: Option<Option<PathBuf>>,
    /// Fail when a bound does not hold.
    #[arg(long)]
    strict: bool,
}

/// Runs the scenarios and prints the result.
pub fn run(options: &Options, scenarios: &[char]) -> Result<()> {
    if let Some(unknown) = scenarios.iter().find(|scenario| !ALL.contains(scenario)) {
        bail!("no scenario {unknown:?}; there are {}", ALL.map(String::from).join(","));
    }
    // The bare proxy translates nothing.
    let scenarios: Vec<char> =
        scenarios.iter().copied().filter(|s| !(options.self_check && *s == 'h')).collect();
    let candidate = candidate(options)?;
    let machine = Machine::describe();
    let machine_cores = machine.cores as f64;
    let cores = Cores::choose();
    if let Some(core) = cores.load {
        pin(core)?;
    }
    let limit = raise_file_limit()?;
    let plan = plan(options);
    if scenarios.contains(&'f') && (limit as usize) < 2 * plan.crowd + 200 {
        bail!("{} streams need {} open files, the hard limit is {limit}", plan.crowd, 2 * plan.crowd + 200);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let record = Record::default();
    let started = Instant::now();
    let work = measure(candidate, cores, options, &plan, &scenarios, &record);
    let others = tokio::task::LocalSet::new().block_on(&runtime, work)?;
    let report = Report {
        date: today(),
        machine,
        cores,
        command: command(),
        candidate: if options.self_check {
            "bare Pingora against itself"
        } else {
            "the hub against bare Pingora"
        }
        .to_owned(),
        keys: options.keys,
        others_percent: others.map(|cores| cores / machine_cores * 100.0),
        seconds: started.elapsed().as_secs_f64(),
        lines: lines(&record, &scenarios),
        errors: record.errors(),
    };
    publish(&report, options)
}

async fn measure(
    candidate: Candidate,
    cores: Cores,
    options: &Options,
    plan: &Plan,
    scenarios: &[char],
    record: &Record,
) -> Result<Option<f64>> {
    let lab = Lab::open(candidate, cores, options.log_dir.clone()).await?;
    let mut others = None;
    let direct = lab.direct().clone();
    if scenarios.iter().any(|scenario| "abcdeh".contains(*scenario)) {
        let pair = Pair { bare: lab.start(Side::Bare).await?, hub: lab.start(Side::Hub).await? };
        let watch = Watch::start(vec![std::process::id(), lab.vendor_pid(), pair.bare.pid(), pair.hub.pid()]);
        for scenario in ALL.iter().filter(|scenario| scenarios.contains(scenario)) {
            match scenario {
                'a' => step("a: CPU per request", requests::sizes(&pair, plan, record)).await?,
                'b' => step("b: added latency", latency::whole(&direct, &pair, plan, record)).await?,
                'c' => {
                    step("c: time to first event", latency::first_event(&direct, &pair, plan, record)).await?
                }
                'd' => step("d: paced events", streams::paced(&pair, plan, record)).await?,
                'e' => step("e: events without pause", requests::bursts(&pair, plan, record)).await?,
                'h' => step("h: translated stream", requests::translated(&pair, plan, record)).await?,
                _ => {}
            }
        }
        others = watch.stop();
    }
    if scenarios.contains(&'f') {
        step("f: many paced streams", streams::crowd(&lab, plan, record)).await?;
    }
    if scenarios.contains(&'g') {
        step("g: start and idle memory", start::start(&lab, plan, record)).await?;
    }
    Ok(others)
}

async fn step(name: &str, work: impl Future<Output = Result<()>>) -> Result<()> {
    let started = Instant::now();
    work.await.with_context(|| format!("scenario {name}"))?;
    eprintln!("{name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// How much CPU time others used while the long-lived gateways were measured.
struct Watch {
    pids: Vec<u32>,
    start: Instant,
    busy: Option<u64>,
    own: u64,
}

impl Watch {
    fn start(pids: Vec<u32>) -> Self {
        let own = own_ns(&pids);
        Self { pids, start: Instant::now(), busy: busy_ns(), own }
    }

    /// In cores, on average since the start. The processes must still be there.
    fn stop(&self) -> Option<f64> {
        let wall = self.start.elapsed().as_nanos() as f64;
        let own = own_ns(&self.pids).saturating_sub(self.own);
        let busy = busy_ns()?.saturating_sub(self.busy?);
        Some(busy.saturating_sub(own) as f64 / wall)
    }
}

fn own_ns(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|pid| cpu_ns(*pid).ok()).sum()
}

fn plan(options: &Options) -> Plan {
    let mut plan = if options.quick { Plan::quick() } else { Plan::full() };
    if let Some(rounds) = options.rounds {
        let rounds = rounds.max(1);
        plan = Plan {
            rounds,
            latency_rounds: rounds,
            paced_rounds: rounds,
            crowd_rounds: rounds,
            starts: rounds,
            ..plan
        };
    }
    plan.crowd = options.streams.unwrap_or(plan.crowd).max(1);
    plan
}

fn candidate(options: &Options) -> Result<Candidate> {
    if options.self_check {
        return Ok(Candidate::SelfCheck);
    }
    let workspace = workspace()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let program = match &options.hub {
        Some(path) => path.clone(),
        None => {
            let path = target.join("release/aigne-hub");
            if !path.exists() {
                build(&workspace)?;
            }
            path
        }
    };
    let program = program.canonicalize().with_context(|| format!("no hub at {}", program.display()))?;
    Ok(Candidate::Hub(Hub {
        program,
        args: options.hub_args.clone(),
        keys: options.keys,
        template: options.hub_config.clone(),
        folder: target.join("load-tests"),
        started: AtomicU32::new(0),
    }))
}

/// The command line without the path of the program.
fn command() -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p load-tests -- {}", args.join(" "))
}

fn publish(report: &Report, options: &Options) -> Result<()> {
    let text = if options.json { report.json()? + "\n" } else { report.text() };
    std::io::stdout().write_all(text.as_bytes()).context("printing the result")?;
    if let Some(path) = &options.markdown {
        let path = match path {
            Some(path) => path.clone(),
            None => {
                workspace()?.join(format!("load-tests/results/{}-{}.md", report.date, report.machine.slug()))
            }
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, report.markdown()).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("written: {}", path.display());
    }
    if options.strict && report.is_valid() && !report.holds() {
        bail!("a bound does not hold");
    }
    if !report.is_valid() {
        bail!("the run had errors and is invalid");
    }
    Ok(())
}
