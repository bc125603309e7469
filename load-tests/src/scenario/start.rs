//! How soon a gateway is ready and how much memory it has with nothing to do.

use super::{Place, Plan, Record};
use crate::client::{Ask, Connection};
use crate::lab::{Lab, Side};
use crate::machine::{Memory, memory};
use crate::process::Running;
use anyhow::Result;
use std::time::Duration;
use tokio::time::sleep;

/// What a gateway does only after its first request, it shall have done by then.
const QUIET: Duration = Duration::from_millis(300);

/// Scenario g: start to ready, and idle memory after the first request.
pub async fn start(lab: &Lab, plan: &Plan, record: &Record) -> Result<()> {
    for round in 0..plan.starts {
        for side in Side::gateways(round) {
            let gateway = lab.start(side).await?;
            let idle = settled(&gateway, Place { record, scenario: 'g', side }).await?;
            record.add("ready", side, gateway.ready.as_secs_f64());
            record.add("idle_memory", side, idle.rss as f64 / 1_048_576.0);
            record.add("idle_memory_pss", side, idle.pss as f64 / 1_048_576.0);
        }
    }
    Ok(())
}

/// Sends one request, waits a little and reads the memory.
pub async fn settled(gateway: &Running, place: Place<'_>) -> Result<Memory> {
    let ask = Ask::whole(&gateway.target, 1_200);
    if let Err(error) = Connection::new(&gateway.target, 0).exchange(&ask, &()).await {
        place.error(&error);
    }
    sleep(QUIET).await;
    memory(gateway.pid())
}
