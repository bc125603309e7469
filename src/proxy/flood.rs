//! Sheds addresses whose requests are refused again and again, before their
//! keys are looked at. A sketch is enough here: it errs only under attack.

use crate::error::{Failure, Kind, Result};
use pingora_limits::rate::Rate;
use std::net::IpAddr;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);
/// Wide enough that tens of thousands of attacking addresses hardly touch each other.
const ROWS: usize = 4;
const COLUMNS: usize = 16_384;

pub(super) struct Flood(Rate);

impl Default for Flood {
    fn default() -> Self {
        Self(Rate::new_with_estimator_config(WINDOW, ROWS, COLUMNS))
    }
}

impl Flood {
    /// Counts a refused request.
    pub(super) fn refused(&self, address: IpAddr) {
        self.0.observe(&address, 1);
    }

    /// Refuses an address that was refused `bound` times within the running minute. 0 = no bound.
    pub(super) fn check(&self, address: IpAddr, bound: u32) -> Result<()> {
        if bound == 0 || self.0.observe(&address, 0) < isize::try_from(bound).unwrap_or(isize::MAX) {
            return Ok(());
        }
        let text = "Too many refused requests from this address; wait a minute";
        Err(Failure::new(Kind::Flooded, text).retry_after(Some(WINDOW)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shed_at_its_bound_and_others_are_not() {
        let flood = Flood::default();
        let (bad, good) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..5 {
            assert!(flood.check(bad, 5).is_ok());
            flood.refused(bad);
        }
        assert!(flood.check(bad, 5).is_err());
        assert!(flood.check(good, 5).is_ok());
        assert!(flood.check(bad, 0).is_ok());
    }
}
