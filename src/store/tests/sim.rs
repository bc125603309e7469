//! A hub in small: limits, writer and disk, driven step by step and without
//! threads, with processes that die, restart and hand over, and a clock that
//! jumps. What is checked after every step is in `promises`.

mod money;
mod process;
mod promises;

use super::fake::{Died, FakeDisk};
use super::*;
use crate::ledger::wallet::{Done, Task};
use crate::ledger::{month_of_day, month_start};
use crate::limit::{Ask, Limits};
use crate::store::batch::Batch;
use crate::store::handover::Heritage;
use process::{Counted, Process};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// So many processes that handed over may still run.
const OLD_PROCESSES: usize = 2;

/// What the outside does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// A request begins, if the limits of its key let it.
    Begin,
    /// The oldest, or with `true` the youngest, request in flight ends.
    End(bool),
    /// It ends a second time.
    EndAgain,
    /// A request ends that never needed a vendor.
    EndWithoutIntent,
    /// What is queued is one group.
    Commit,
    /// A small value is put.
    Put,
    /// Time passes.
    NextDay,
    /// The wall clock moves by so many seconds, also backwards.
    Move(i64),
    /// The hub stops and starts with everything written, but dies before its last projection.
    Restart,
    /// The hub stops and starts in good order, without waiting for requests.
    Close,
    /// The process is killed. Those before it go on.
    Kill,
    /// The machine stops: every process is gone.
    PowerCut,
    /// A new process takes over; the old one goes on with its requests.
    HandOver,
    /// The same, but the new one dies before it serves.
    HandOverInVain,
    /// A request begins in a process that has handed over, as it stops to listen a moment later.
    OldBegins,
    /// A request ends there.
    OldEnds,
    /// The oldest such process is gone, whatever it had open.
    OldGoes,
    /// The running process looks for such.
    Inherit,
    /// Old days go.
    DropDays,
    /// Credits come in; with `true` the last ones once more.
    Issue(bool),
    /// Credits are taken back.
    Reclaim,
    /// What is over leaves the wallets.
    Expire,
}

/// The world outside: what it did, and what it was told is safe.
pub(super) struct Sim {
    pub(super) disk: FakeDisk,
    pub(super) clock: Clock,
    /// Of each key, by its number.
    pub(super) limits: [Limits; 3],
    spools: tempfile::TempDir,
    process: Option<Process>,
    /// Processes that handed over and still run, the oldest first.
    old: Vec<Process>,
    next: u64,
    begun: BTreeSet<RequestId>,
    ended: BTreeSet<RequestId>,
    safe: Safe,
    /// Operations on wallets: what was asked, and what was said to be done.
    operations: u64,
    done: BTreeMap<u64, Done>,
    /// What may have gone with old days.
    droppable: BTreeSet<RequestId>,
    /// What the books should hold, dropped days included.
    intents: BTreeSet<RequestId>,
    settled: BTreeMap<RequestId, Settlement>,
    /// Requests that ran in a process that had handed over: its successor
    /// knows nothing of what they hold.
    apart: BTreeSet<RequestId>,
    latest_day: i64,
    /// Days and months in which a request began although a later one had begun.
    again: (BTreeSet<i64>, BTreeSet<i64>),
}

/// Records that somebody was told are on disk.
#[derive(Default)]
struct Safe {
    begun: BTreeSet<RequestId>,
    ended: BTreeSet<RequestId>,
}

impl Safe {
    fn add(&mut self, mut other: Self) {
        self.begun.append(&mut other.begun);
        self.ended.append(&mut other.ended);
    }
}

impl Sim {
    pub(super) fn new(disk: FakeDisk) -> Self {
        Self {
            disk,
            clock: Clock::test(),
            limits: Default::default(),
            spools: in_memory(),
            process: None,
            old: Vec::new(),
            next: 0,
            begun: BTreeSet::new(),
            ended: BTreeSet::new(),
            safe: Safe::default(),
            operations: 0,
            done: BTreeMap::new(),
            droppable: BTreeSet::new(),
            intents: BTreeSet::new(),
            settled: BTreeMap::new(),
            apart: BTreeSet::new(),
            latest_day: i64::MIN,
            again: Default::default(),
        }
    }

    /// Runs all acts; a death in between is followed by a new start.
    pub(super) fn run(&mut self, acts: &[Act]) {
        self.surviving(|sim| sim.start());
        for act in acts {
            self.surviving(|sim| sim.act(*act));
            self.check_promises();
        }
        self.surviving(|sim| sim.commit());
        self.old_processes_go();
        self.surviving(|sim| sim.start());
        self.check_promises();
    }

    /// After a death comes a new start, which may die too.
    fn surviving(&mut self, step: impl Fn(&mut Self)) {
        let mut result = catch_unwind(AssertUnwindSafe(|| step(self)));
        while let Err(payload) = result {
            if !payload.is::<Died>() {
                resume_unwind(payload);
            }
            result = catch_unwind(AssertUnwindSafe(|| self.start()));
        }
    }

    /// A new process: what was in flight is lost, and recovery ends it.
    pub(super) fn start(&mut self) {
        if let Some(dead) = self.process.take() {
            self.let_go(dead);
        }
        self.disk.0.lock().power_cycle();
        let reader = self.disk.reader().unwrap();
        let books = Books::load(&Journal::new(reader), tuning().batch_bytes).unwrap();
        let predecessors = spool::Predecessor::all(&self.spools.path().join("spool")).unwrap();
        let writer = Writer {
            queue: Arc::new(Queue::new(&options())),
            shared: Arc::new(Shared::new(&books, &predecessors)),
            disk: Box::new(self.disk.clone()),
            books,
            clock: self.clock.clone(),
            tuning: tuning(),
            on_flush: silent(),
            pending: Pending::default(),
            spools: self.spools.path().join("spool"),
            spool: None,
            predecessors,
        };
        self.process = Some(Process::new(writer));
        self.inherit();
        let spent = self.ask(Command::Spent).unwrap();
        self.process().restore(&spent);
        self.reread();
    }

    /// Takes over from processes that are gone, and ends what they left open.
    /// `false` when there was nothing.
    fn inherit(&mut self) -> bool {
        let predecessors = self.writer().predecessors.len();
        let heritage = self.heritage();
        let recovered: Vec<_> =
            heritage.orphans.iter().map(|intent| recovered(intent, find_price(intent).as_deref())).collect();
        for settlement in &recovered {
            let unsafe_so_far = !self.safe.ended.contains(&settlement.id);
            assert!(self.ended.insert(settlement.id) || unsafe_so_far, "{} had ended", settlement.id);
        }
        let (sender, receiver) = sync_channel(1);
        let mut group = vec![Entry::Recovered(recovered.clone(), Waiter::Thread(sender))];
        self.writer().group(&mut group);
        receiver.recv().unwrap().unwrap();
        self.safe.ended.extend(recovered.iter().map(|settlement| settlement.id));
        for settlement in heritage.settled.iter().chain(&recovered) {
            self.process().inherit(settlement);
        }
        self.writer().predecessors.len() < predecessors || !recovered.is_empty()
    }

    fn look_for_heritage(&mut self) {
        if self.inherit() {
            self.reread();
        }
    }

    /// The lock of a spool is a file's, and a child that another test starts
    /// may hold it for a moment after its process let go.
    fn heritage(&mut self) -> Heritage {
        let mut all = self.ask(Command::Inherit).unwrap();
        while self.writer().predecessors.len() > self.old.len() {
            std::thread::yield_now();
            let mut more = self.ask(Command::Inherit).unwrap();
            all.settled.append(&mut more.settled);
            all.orphans.append(&mut more.orphans);
        }
        all
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    pub(super) fn writer(&mut self) -> &mut Writer {
        &mut self.process().writer
    }

    pub(super) fn ask<T>(&mut self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, StoreError> {
        self.process().ask(command)
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Begin => {
                self.begin(None);
            }
            Act::End(youngest) => {
                if let Some((settlement, entry)) = self.process().end(youngest) {
                    self.end(settlement, entry);
                }
            }
            Act::EndAgain => {
                if let Some(settlement) = self.process().last_ended.clone() {
                    self.process().queued.push(Entry::Settlement(settlement));
                }
            }
            Act::EndWithoutIntent => {
                let intent = self.intent();
                let settlement = process::without_vendor(&intent);
                self.end(settlement.clone(), Entry::Settlement(settlement));
            }
            Act::Commit => self.commit(),
            Act::Put => {
                drop(self.ask(|reply| Command::Put(vec![(b"meta/x".to_vec(), Some(vec![1]))], reply)))
            }
            Act::NextDay => self.clock.advance(Duration::from_secs(86_400)),
            Act::Move(seconds) => self.move_clock(seconds),
            Act::Restart | Act::Close => {
                self.commit();
                if matches!(act, Act::Close) {
                    self.writer().checkpoint();
                }
                self.start();
            }
            Act::Kill => self.start(),
            Act::PowerCut => {
                self.old_processes_go();
                self.start();
            }
            Act::HandOver => drop(self.hand_over()),
            Act::HandOverInVain => self.hand_over_in_vain(),
            Act::OldBegins | Act::OldEnds => self.old_process(act),
            Act::OldGoes => {
                if !self.old.is_empty() {
                    let gone = self.old.remove(0);
                    self.let_go(gone);
                }
                // The books have what was in its spool only after this.
                self.look_for_heritage();
            }
            Act::Inherit => self.look_for_heritage(),
            Act::DropDays => drop(self.drop_days(day_of(self.clock.wall()) - 1)),
            Act::Issue(again) => self.issue(again),
            Act::Reclaim => self.operate(Task::Reclaim { amount: Pico(30_000_000_000) }),
            Act::Expire => self.expire(),
        }
    }

    /// The next request, as it comes in.
    fn intent(&mut self) -> Intent {
        let mut intent = intent(self.next);
        (self.next, intent.at) = (self.next + 1, self.clock.wall());
        self.begun.insert(intent.id);
        intent
    }

    /// A request begins, in the process that serves or in an old one.
    fn begin(&mut self, old: Option<usize>) -> Option<RequestId> {
        let limits = self.limits[(self.next % 3) as usize].clone();
        let mut intent = self.intent();
        intent.hold = price().worst_case(intent.input_bound, intent.output_bound);
        let (id, day) = (intent.id, day_of(intent.at));
        let process = match old {
            Some(index) => &mut self.old[index],
            None => self.process.as_mut().unwrap(),
        };
        if !process.begin(&limits, intent) {
            return None;
        }
        let (month, latest) = (month_of_day(day), self.latest_day.max(day));
        self.again.0.extend((day < latest).then_some(day));
        self.again.1.extend((month < month_of_day(latest)).then_some(month));
        Some(id)
    }

    pub(super) fn end(&mut self, settlement: Settlement, entry: Entry) {
        self.ended.insert(settlement.id);
        let process = self.process();
        process.last_ended = Some(settlement);
        process.queued.push(entry);
    }

    pub(super) fn commit(&mut self) {
        let queued = self.process().commit();
        self.intents.extend(queued.begun.iter().copied());
        for settlement in queued.ended {
            self.safe.ended.insert(settlement.id);
            self.settled.entry(settlement.id).or_insert(settlement);
        }
        self.safe.begun.extend(queued.begun);
    }

    fn move_clock(&mut self, seconds: i64) {
        let since = self.clock.wall().seconds() - START.seconds() + seconds;
        self.clock = Clock::test();
        self.clock.advance(Duration::from_secs(u64::try_from(since).unwrap_or(0)));
        for process in self.process.iter_mut().chain(&mut self.old) {
            process.writer.clock = self.clock.clone();
        }
    }

    /// `false` when the old one keeps the books.
    fn hand_over(&mut self) -> bool {
        if self.operations > 0 {
            // As the writer does: what was handed over is in the journal before money is ceded.
            self.commit();
        }
        // Refused when nothing was written since the last hand-over: spools of one process
        // number, which only a simulation has, would have one name.
        if self.old.len() == OLD_PROCESSES || self.ask(Command::HandOver).is_err() {
            return false;
        }
        if let Some(old) = self.process.take() {
            self.apart.extend(old.unsettled());
            self.old.push(old);
        }
        self.start();
        true
    }

    fn hand_over_in_vain(&mut self) {
        if !self.hand_over() {
            return;
        }
        self.process = None;
        self.process = self.old.pop();
        while self.ask(Command::TakeBack).is_err() {}
        let spooled = std::mem::take(&mut self.process().spooled);
        self.safe.add(spooled);
        self.inherit();
        self.reread();
    }

    fn old_process(&mut self, act: Act) {
        let Some(last) = self.old.len().checked_sub(1) else { return };
        if matches!(act, Act::OldBegins) {
            let begun = self.begin(Some(last));
            self.apart.extend(begun);
        } else if let Some((settlement, entry)) = self.old[0].end(false) {
            self.ended.insert(settlement.id);
            self.old[0].queued.push(entry);
        }
        for process in &mut self.old {
            let queued = process.commit();
            process.spooled.begun.extend(queued.begun);
            process.spooled.ended.extend(queued.ended.iter().map(|settlement| settlement.id));
        }
    }

    /// The process ends; the lock of its spool is free.
    fn let_go(&mut self, process: Process) {
        self.safe.add(process.spooled);
    }

    fn old_processes_go(&mut self) {
        for gone in std::mem::take(&mut self.old) {
            self.let_go(gone);
        }
    }

    pub(super) fn drop_days(&mut self, before: i64) -> Result<u64, StoreError> {
        let today = day_of(self.clock.wall());
        let journal = Journal::new(self.disk.reader().unwrap());
        let walked = journal.walk(0, &mut |day, sequence, value| {
            if day < before.min(month_start(today)) {
                let each = |record: Record| self.droppable.extend(record.id());
                Batch::read(sequence, value).and_then(|batch| batch.each(each)).unwrap();
            }
            Ok(())
        });
        walked.unwrap();
        let doomed = self.ask(|reply| Command::Doom(before, Reach::PastMonths, u64::MAX, reply))?;
        let Some(doomed) = doomed else { return Ok(0) };
        let look = self.ask(Command::Look)?;
        let carry = match look.balances.is_empty() {
            true => None,
            false => Some(Box::new(Carry::after(&look.journal, &doomed).unwrap())),
        };
        self.ask(|reply| Command::DropDays(Box::new(doomed), carry, reply))
    }
}

/// The simulation needs no file that outlives the machine, and syncing takes time.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
