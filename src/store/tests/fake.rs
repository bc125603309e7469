//! A disk in memory that fails when told to, and that may lose, in a crash,
//! any tail of what was not flushed, as sled's log does.

use crate::store::disk::{Disk, DiskError, Reader, Row, Sealed};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It fails and did nothing.
    Before,
    /// It did everything and fails.
    After,
    /// The process dies before it.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
}

#[derive(Clone, Debug)]
enum Step {
    Batch(i64, Vec<Sealed>),
    Rows(Vec<Row>),
    Control(Vec<Row>),
    Usage(Vec<Row>),
    Drop(i64),
}

#[derive(Clone, Default, Debug)]
struct Image {
    days: BTreeMap<i64, BTreeMap<u64, Vec<u8>>>,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    control: BTreeMap<Vec<u8>, Vec<u8>>,
    usage: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Image {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Batch(day, batches) => {
                let tree = self.days.entry(*day).or_default();
                tree.extend(batches.iter().map(|batch| (batch.sequence, batch.value.clone())));
            }
            Step::Rows(rows) => put(&mut self.rows, rows),
            Step::Control(rows) => put(&mut self.control, rows),
            Step::Usage(rows) => put(&mut self.usage, rows),
            Step::Drop(day) => drop(self.days.remove(day)),
        }
    }
}

fn put(tree: &mut BTreeMap<Vec<u8>, Vec<u8>>, rows: &[Row]) {
    for (key, value) in rows {
        match value {
            Some(value) => drop(tree.insert(key.clone(), value.clone())),
            None => drop(tree.remove(key)),
        }
    }
}

/// What outlives a process.
#[derive(Default)]
pub(crate) struct World {
    durable: Image,
    /// What the process sees; who reads shares it.
    live: Arc<Image>,
    unflushed: Vec<Step>,
    /// Like sled: after an error nothing works until it is opened again.
    broken: bool,
    /// How much of what was not flushed survives: none, a half, all.
    pub(crate) halves_kept: usize,
    pub(crate) calls: usize,
    /// Faults by the number of the call.
    pub(crate) faults: Vec<(usize, Fault)>,
    /// Every call fails while this is set.
    pub(crate) full: bool,
}

#[derive(Clone, Default)]
pub(crate) struct FakeDisk(pub(crate) Arc<Mutex<World>>);

/// The payload of a simulated death.
pub(crate) struct Died;

impl World {
    /// The process is gone, or lets go: a part of what was not flushed stays.
    pub(crate) fn power_cycle(&mut self) {
        let kept = self.unflushed.len() * self.halves_kept / 2;
        for step in self.unflushed.drain(..).take(kept) {
            self.durable.apply(&step);
        }
        self.live = Arc::new(self.durable.clone());
        self.broken = false;
    }

    /// What another machine would find after this one lost its power now.
    pub(crate) fn survivors(&self) -> Self {
        let mut world = Self { durable: self.durable.clone(), ..Self::default() };
        let kept = self.unflushed.len() * self.halves_kept / 2;
        self.unflushed.iter().take(kept).for_each(|step| world.durable.apply(step));
        world.live = Arc::new(world.durable.clone());
        world
    }

    /// The rows of the usage tree.
    pub(crate) fn usage(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.live.usage
    }

    /// Removes or changes a batch, behind everybody's back.
    pub(crate) fn damage(&mut self, sequence: u64, change: impl Fn(&mut Vec<u8>) -> bool) {
        for tree in self.durable.days.values_mut() {
            if let Some(value) = tree.get_mut(&sequence)
                && !change(value)
            {
                tree.remove(&sequence);
            }
        }
        self.live = Arc::new(self.durable.clone());
    }

    /// Changes the rows of the state tree, behind everybody's back.
    pub(crate) fn rows(&mut self, change: impl Fn(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        change(&mut self.durable.rows);
        self.live = Arc::new(self.durable.clone());
    }

    pub(crate) fn batches(&self) -> u64 {
        self.durable.days.values().map(|tree| tree.len() as u64).sum()
    }

    fn fault(&mut self) -> Option<Fault> {
        self.calls += 1;
        let call = self.calls;
        self.faults.iter().find(|(at, _)| *at == call).map(|(_, fault)| *fault)
    }
}

impl FakeDisk {
    fn call(&self, effect: impl FnOnce(&mut World)) -> Result<(), DiskError> {
        let mut world = self.0.lock();
        let fault = world.fault();
        if fault == Some(Fault::CrashBefore) {
            drop(world);
            std::panic::resume_unwind(Box::new(Died));
        }
        if world.broken || world.full || fault == Some(Fault::Before) {
            world.broken = true;
            return Err(DiskError::Io("no space".into()));
        }
        effect(&mut world);
        match fault {
            Some(Fault::After) => {
                world.broken = true;
                Err(DiskError::Io("no answer".into()))
            }
            Some(Fault::CrashAfter) => {
                drop(world);
                std::panic::resume_unwind(Box::new(Died))
            }
            _ => Ok(()),
        }
    }

    fn step(&self, step: Step) -> Result<(), DiskError> {
        self.call(|world| {
            Arc::make_mut(&mut world.live).apply(&step);
            world.unflushed.push(step);
        })
    }
}

impl Disk for FakeDisk {
    fn append(&mut self, day: i64, batches: &[Sealed]) -> Result<(), DiskError> {
        self.step(Step::Batch(day, batches.to_vec()))
    }

    fn put(&mut self, rows: &[Row]) -> Result<(), DiskError> {
        self.step(Step::Rows(rows.to_vec()))
    }

    fn put_control(&mut self, rows: &[Row]) -> Result<(), DiskError> {
        self.step(Step::Control(rows.to_vec()))
    }

    fn put_usage(&mut self, rows: &[Row]) -> Result<(), DiskError> {
        self.step(Step::Usage(rows.to_vec()))
    }

    fn flush(&mut self) -> Result<(), DiskError> {
        self.call(|world| {
            for step in world.unflushed.drain(..) {
                world.durable.apply(&step);
            }
        })
    }

    fn drop_day(&mut self, day: i64) -> Result<(), DiskError> {
        self.step(Step::Drop(day))
    }

    fn reopen(&mut self) -> Result<(), DiskError> {
        let full = self.0.lock().full;
        if !full {
            self.0.lock().power_cycle();
        }
        self.call(|_| ())
    }

    fn release(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn promised(&self) -> Option<u64> {
        None
    }

    fn reader(&self) -> Result<Box<dyn Reader>, DiskError> {
        Ok(Box::new(Arc::clone(&self.0.lock().live)))
    }
}

impl Reader for Arc<Image> {
    fn days(&self) -> Result<Vec<i64>, DiskError> {
        Ok(self.days.keys().copied().collect())
    }

    fn scan(
        &self,
        day: i64,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        for (sequence, value) in self.days.get(&day).into_iter().flat_map(|tree| tree.range(from..)) {
            if each(*sequence, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, day: i64) -> Result<Option<(u64, Vec<u8>)>, DiskError> {
        let last = self.days.get(&day).and_then(|tree| tree.last_key_value());
        Ok(last.map(|(sequence, value)| (*sequence, value.clone())))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.rows.get(key).cloned())
    }

    fn control(
        &self,
        from: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        for (key, value) in self.control.range(from.to_vec()..) {
            if each(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn usage_row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.usage.get(key).cloned())
    }

    fn usage(
        &self,
        from: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        for (key, value) in self.usage.range(from.to_vec()..) {
            if each(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn rows(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), DiskError> {
        for (key, value) in self.rows.iter().filter(|(key, _)| key.starts_with(prefix)) {
            each(key, value);
        }
        Ok(())
    }
}
