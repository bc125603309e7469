//! One choice among a provider's credentials.

use super::random::{Random, mix};
use super::{Attempt, Health, Standing, Strategy};
use crate::types::Mono;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// What a busy credential that has not answered yet is taken to need.
const UNKNOWN_LATENCY: Duration = Duration::from_secs(1);

/// One choice.
pub struct Candidate<'a> {
    /// Its share. 0: only when no other can be used.
    pub weight: u32,
    /// Its live health.
    pub health: &'a Arc<Health>,
}

/// The memory of smooth weighted round-robin for one provider.
#[derive(Default)]
pub struct Picker {
    /// By index of the candidate; all zero in the beginning.
    credits: Mutex<Vec<i64>>,
}

impl Picker {
    /// Nobody has had a turn yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Picks among candidates that can be used now and are not excluded and
    /// takes the attempt. Called before each attempt, with all credentials of
    /// the provider in the same order; `excluded` leaves out those that do not
    /// serve the model or were tried (missing entries: not excluded).
    ///
    /// With `affinity` (a hash of the conversation) the strategy is not asked:
    /// weighted rendezvous hashing gives each conversation an order of its own,
    /// and the first in it that can be used is taken. `draw` is a random number.
    ///
    /// # Errors
    /// The earliest time at which one will be ready; `None` when all are
    /// excluded.
    pub fn pick(
        &self,
        candidates: &[Candidate<'_>],
        excluded: &[bool],
        strategy: Strategy,
        affinity: Option<u64>,
        draw: u64,
        now: Mono,
    ) -> Result<(usize, Attempt), Option<Mono>> {
        let mut field = Field { candidates, excluded, lost: Vec::new(), reserves: false, now };
        loop {
            field.reserves = !field.anyone_with_weight();
            let chosen = match (affinity, strategy) {
                (Some(conversation), _) => field.preferred(conversation),
                (None, Strategy::RoundRobin) => self.next_in_turn(&field),
                (None, Strategy::Latency) => field.faster_of_two(&mut Random::new(draw)),
            };
            let Some((index, candidate)) = chosen else { return Err(field.earliest()) };
            match candidate.health.begin(now) {
                Some(attempt) => return Ok((index, attempt)),
                // Somebody else took the probe, or a fault came in between.
                None => field.lost.push(index),
            }
        }
    }

    /// Everybody who can be used gains their weight; who has most goes and pays
    /// the sum. Who cannot be used gains nothing, so nobody comes back with a
    /// claim to the turns they missed.
    fn next_in_turn<'a>(&self, field: &Field<'a>) -> Option<Entry<'a>> {
        let mut credits = self.credits.lock();
        credits.resize(field.candidates.len(), 0);
        let mut total = 0;
        let mut best: Option<(i64, Entry<'a>)> = None;
        for (entry, weight) in field.usable() {
            let Some(credit) = credits.get_mut(entry.0) else { continue };
            *credit += i64::from(weight);
            total += i64::from(weight);
            if best.is_none_or(|(most, _)| *credit > most) {
                best = Some((*credit, entry));
            }
        }
        let (_, entry) = best?;
        if let Some(credit) = credits.get_mut(entry.0) {
            *credit -= total;
        }
        Some(entry)
    }
}

/// A candidate and its index.
type Entry<'a> = (usize, &'a Candidate<'a>);

/// What one pick looks at.
struct Field<'a> {
    candidates: &'a [Candidate<'a>],
    excluded: &'a [bool],
    /// Looked usable, but were not when it came to it.
    lost: Vec<usize>,
    /// Only candidates of weight 0 are left; they share equally.
    reserves: bool,
    now: Mono,
}

impl<'a> Field<'a> {
    fn may_be_asked(&self, index: usize) -> bool {
        !self.excluded.get(index).copied().unwrap_or(false)
    }

    fn is_usable(&self, (index, candidate): Entry<'_>) -> bool {
        self.may_be_asked(index)
            && !self.lost.contains(&index)
            && !matches!(candidate.health.standing(self.now), Standing::Until(_))
    }

    fn anyone_with_weight(&self) -> bool {
        let mut entries = self.candidates.iter().enumerate();
        entries.any(|entry| entry.1.weight > 0 && self.is_usable(entry))
    }

    /// The weight that counts now; 0 = stands back.
    fn weight(&self, candidate: &Candidate<'_>) -> u32 {
        if self.reserves { 1 } else { candidate.weight }
    }

    /// Usable candidates with the weight that counts now.
    fn usable(&self) -> impl Iterator<Item = (Entry<'a>, u32)> {
        let weighted = self.candidates.iter().enumerate().map(|entry| (entry, self.weight(entry.1)));
        weighted.filter(|(entry, weight)| *weight > 0 && self.is_usable(*entry))
    }

    /// Weighted rendezvous hashing: each candidate gets a number from the
    /// conversation and its own identity, and the highest that can be used
    /// wins. −ln of a uniform number is exponential; divided by the weight, the
    /// smallest is each candidate's in proportion to its weight. A candidate
    /// that comes or goes moves only its own conversations.
    fn preferred(&self, conversation: u64) -> Option<Entry<'a>> {
        let wait = |((index, candidate), weight): &(Entry<'_>, u32)| {
            let identity = match candidate.health.identity() {
                0 => *index as u64,
                identity => identity,
            };
            let hash = mix(conversation ^ mix(identity.wrapping_add(1)));
            // 53 bits fit an f64; half a step keeps it off zero.
            let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            -uniform.ln() / f64::from(*weight)
        };
        let waits = self.usable().map(|choice| (wait(&choice), choice.0));
        waits.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, entry)| entry)
    }

    /// Two different candidates by chance; the one with less to do wins.
    fn faster_of_two(&self, random: &mut Random) -> Option<Entry<'a>> {
        let (first, second) = two_below(self.candidates.len(), random);
        if let (Some(first), Some(second)) = (self.usable_at(first), self.usable_at(second)) {
            return Some(self.faster(first, second));
        }
        // Somebody is out: choose again among those who are not.
        let (first, second) = two_below(self.usable().count(), random);
        let first = self.usable().nth(first).or_else(|| self.usable().next())?;
        let second = self.usable().nth(second).unwrap_or(first);
        Some(self.faster(first, second))
    }

    fn usable_at(&self, index: usize) -> Option<(Entry<'a>, u32)> {
        let candidate = self.candidates.get(index)?;
        let weight = self.weight(candidate);
        (weight > 0 && self.is_usable((index, candidate))).then_some(((index, candidate), weight))
    }

    fn faster(&self, first: (Entry<'a>, u32), second: (Entry<'a>, u32)) -> Entry<'a> {
        let (a, b) = (self.load(first.0.1), self.load(second.0.1));
        // a ÷ weight of a ≤ b ÷ weight of b, without dividing.
        let keep = a.saturating_mul(second.1.into()) <= b.saturating_mul(first.1.into());
        if keep { first.0 } else { second.0 }
    }

    /// Expected nanoseconds of work before a new request is served. An idle
    /// stranger looks free, so that it gets its first request; a busy one does
    /// not, so that it does not get all of them.
    fn load(&self, candidate: &Candidate<'_>) -> u128 {
        let in_flight = u128::from(candidate.health.in_flight());
        let latency = candidate.health.latency(self.now).unwrap_or(match in_flight {
            0 => Duration::ZERO,
            _ => UNKNOWN_LATENCY,
        });
        (latency.as_nanos() + 1).saturating_mul(in_flight + 1)
    }

    fn earliest(&self) -> Option<Mono> {
        let asked = self.candidates.iter().enumerate().filter(|(index, _)| self.may_be_asked(*index));
        asked
            .map(|(_, candidate)| match candidate.health.standing(self.now) {
                Standing::Until(time) => time,
                Standing::Ready | Standing::Probe => self.now,
            })
            .min()
    }
}

/// Two different indices below `end`; the same twice when there is only one.
fn two_below(end: usize, random: &mut Random) -> (usize, usize) {
    let end = end as u64;
    let first = random.below(end);
    let step = 1 + random.below(end.saturating_sub(1));
    let second = if end == 0 { 0 } else { (first + step) % end };
    (first as usize, second as usize)
}

#[cfg(test)]
mod tests;
