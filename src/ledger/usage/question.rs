//! Answers questions from rows and from what is not saved yet. Reads by
//! [`Pages`], so it knows no disk.

use super::dimensions::{Dimension, End, Label, Part, Target, Who};
use super::fold::{Cell, Fold};
use super::names::Names;
use super::page::{self, Half};
use super::sums::Sums;
use super::views::{Grain, Row, Run, View, cut};
use ahash::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// More rows than this are not read for one answer.
const MOST_ROWS: u64 = 40_000_000;
/// More groups than this are not told apart in one answer.
const MOST_GROUPS: usize = 100_000;
/// So many callers are read one by one; for more, all callers of their tenants are.
const FEW_CALLERS: usize = 48;
/// So many tenants are read one by one.
const FEW_TENANTS: usize = 24;

/// Whose requests somebody may know of. Nothing outside of it is counted, named or told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    Hub,
    /// Those of one tenant.
    Tenant(Arc<str>),
    /// Those of one user or app.
    Own(Own),
}

/// Somebody's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Where they belong; `None`: to the hub, and what they call with belongs to whichever tenant.
    pub tenant: Option<Arc<str>>,
    /// The user.
    pub user: Option<Arc<str>>,
    /// The app.
    pub app: Option<Arc<str>>,
    /// Keys that are theirs.
    pub keys: Vec<Arc<str>>,
}

/// Which requests count: whose, and of which sort.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Whose.
    pub scope: Scope,
    /// For each dimension, the values that count. An empty text is what has no value.
    pub filters: Vec<(Dimension, Vec<String>)>,
}

impl Choice {
    /// Do requests of this caller count?
    pub fn who(&self, who: &Who) -> bool {
        let scope = match &self.scope {
            Scope::Hub => true,
            Scope::Tenant(tenant) => who.tenant == *tenant,
            Scope::Own(own) => own.has(who),
        };
        scope && self.fits(Part::Who, &|dimension| dimension.of_who(who))
    }

    /// Can requests of this tenant count?
    fn tenant(&self, tenant: &Arc<str>) -> bool {
        let scope = match &self.scope {
            Scope::Hub => true,
            Scope::Tenant(own) => own == tenant,
            Scope::Own(own) => own.tenant.as_ref().is_none_or(|own| own == tenant),
        };
        let mut filters = self.filters.iter().filter(|(dimension, _)| *dimension == Dimension::Tenant);
        scope && filters.all(|(_, values)| values.iter().any(|value| **value == **tenant))
    }

    /// Do requests to this target count?
    pub fn target(&self, target: &Target) -> bool {
        self.fits(Part::Target, &|dimension| dimension.of_target(target))
    }

    /// Do requests that ended like this count?
    pub fn end(&self, end: &End) -> bool {
        self.fits(Part::End, &|dimension| dimension.of_end(end))
    }

    fn fits(&self, part: Part, label: &dyn Fn(Dimension) -> Label) -> bool {
        let mut own = self.filters.iter().filter(|(dimension, _)| dimension.part() == part);
        own.all(|(dimension, values)| {
            let label = label(*dimension);
            values.iter().any(|value| value == label.as_deref().unwrap_or_default())
        })
    }

    /// Does it choose among callers of a tenant?
    pub fn is_by_caller(&self) -> bool {
        matches!(self.scope, Scope::Own(_)) || self.filters.iter().any(|(one, _)| is_of_callers(*one))
    }
}

fn is_of_callers(dimension: Dimension) -> bool {
    dimension.part() == Part::Who && dimension != Dimension::Tenant
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is chosen.
    pub choice: Choice,
    /// Where each step begins, and where the last ends, in seconds since the epoch. Multiples of a
    /// minute; of a quarter of an hour where it is longer ago than minutes are kept.
    pub bounds: Vec<i64>,
    /// What is told apart.
    pub group: Vec<Dimension>,
    /// Are times wanted, too?
    pub times: bool,
    /// Groups that are told apart; all others are one. `None`: all are.
    pub only: Option<HashSet<Vec<Label>>>,
}

/// One group of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What its requests have in common, in the order of [`Question::group`]; `None`: it is the rest.
    pub labels: Option<Vec<Label>>,
    /// The sums of each step.
    pub steps: Vec<Sums>,
}

impl Group {
    /// The sums of all steps.
    pub fn total(&self) -> Sums {
        let mut total = Sums::default();
        self.steps.iter().for_each(|step| total.merge(step));
        total
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It would read too much.
    #[error(
        "that reads too many rows: ask for a shorter time, choose fewer callers, or leave a grouping out"
    )]
    TooWide,
    /// A row cannot be read.
    #[error("the sums on disk cannot be read; `aigne-hub usage rebuild` makes them anew")]
    Damaged,
    /// The disk refuses.
    #[error("{0}")]
    Disk(String),
}

/// Takes the head and the slot of a page, and one of its values.
pub type EachPage<'a> = &'a mut dyn FnMut(u32, u32, &[u8]) -> ControlFlow<()>;

/// Pages as they are kept.
pub trait Pages {
    /// Values of pages of a view, for slots of a run and for heads, which ascend.
    ///
    /// # Errors
    /// [`NoAnswer::Disk`].
    fn read(
        &self,
        view: View,
        run: Run,
        heads: &[u32],
        half: Half,
        each: EachPage<'_>,
    ) -> Result<(), NoAnswer>;
}

/// Answers. Groups come in no order, and only those that have something.
///
/// # Errors
/// [`NoAnswer`].
pub fn answer(
    question: &Question,
    names: &Names,
    fold: &Fold,
    pages: &dyn Pages,
) -> Result<Vec<Group>, NoAnswer> {
    let chosen = Chosen::of(question, names);
    let view = chosen.view(question);
    let minutes = question.bounds.iter().any(|at| at % Grain::Quarter.seconds() != 0);
    let grains: Vec<Grain> =
        view.grains().iter().copied().filter(|grain| minutes || *grain != Grain::Minute).collect();
    let mut tally =
        Tally { question, names, chosen: &chosen, groups: Groups::default(), rows: 0, failed: None };
    let heads = chosen.heads(view);
    let halves: &[Half] = if question.times { &[Half::Numbers, Half::Times] } else { &[Half::Numbers] };
    for run in cut(&question.bounds, &grains) {
        for half in halves {
            let each = &mut |head: u32, slot: u32, value: &[u8]| {
                tally.page(view, run.grain.start_of(slot), head, value, *half)
            };
            pages.read(view, run, &heads, *half, each)?;
            if let Some(failed) = tally.failed {
                return Err(failed);
            }
        }
    }
    for (cell, sums) in fold.cells() {
        tally.cell(cell, sums);
    }
    match tally.failed {
        Some(failed) => Err(failed),
        None => Ok(tally.groups.list),
    }
}

/// What filters and scope leave, by number, and what is told apart, by number.
struct Chosen {
    tenants: Vec<bool>,
    whos: Vec<bool>,
    targets: Vec<bool>,
    ends: Vec<bool>,
    /// Is the choice finer than tenants?
    by_who: bool,
    by_tenant: bool,
    by_what: bool,
}

impl Chosen {
    fn of(question: &Question, names: &Names) -> Self {
        let choice = &question.choice;
        let named: Vec<Dimension> =
            question.group.iter().copied().chain(choice.filters.iter().map(|(one, _)| *one)).collect();
        Self {
            tenants: names.tenants.all().iter().map(|tenant| choice.tenant(tenant)).collect(),
            whos: names.whos.all().iter().map(|who| choice.who(who)).collect(),
            targets: names.targets.all().iter().map(|target| choice.target(target)).collect(),
            ends: names.ends.all().iter().map(|end| choice.end(end)).collect(),
            by_who: matches!(choice.scope, Scope::Own(_)) || named.iter().any(|one| is_of_callers(*one)),
            by_tenant: choice.scope != Scope::Hub || named.contains(&Dimension::Tenant),
            by_what: named.iter().any(|one| one.part() != Part::Who),
        }
    }

    /// The order in which the fewest rows are read.
    fn view(&self, question: &Question) -> View {
        let count = |chosen: &[bool]| chosen.iter().filter(|chosen| **chosen).count();
        match (self.by_who, self.by_tenant) {
            (true, _) if self.by_what || count(&self.whos) <= FEW_CALLERS => View::Caller,
            (true, _) => View::Callers,
            (false, true) if self.by_what || count(&self.tenants) <= FEW_TENANTS => View::Tenant,
            // Only who sees the whole hub reads rows of several tenants at once.
            (false, true) if question.choice.scope == Scope::Hub => View::Tenants,
            (false, true) => View::Tenant,
            (false, false) => View::Hub,
        }
    }

    /// The heads that are to be read.
    fn heads(&self, view: View) -> Vec<u32> {
        let numbers = |chosen: &[bool]| {
            let chosen = chosen.iter().enumerate().filter(|(_, chosen)| **chosen);
            chosen.map(|(number, _)| u32::try_from(number).unwrap_or(u32::MAX)).collect()
        };
        match view {
            View::Hub | View::Tenants => vec![0],
            View::Tenant | View::Callers => numbers(&self.tenants),
            View::Caller => numbers(&self.whos),
        }
    }
}

impl Own {
    fn has(&self, who: &Who) -> bool {
        let same = |own: &Label, other: &Label| own.is_some() && own == other;
        self.tenant.as_ref().is_none_or(|own| *own == who.tenant)
            && (same(&self.user, &who.user) || same(&self.app, &who.app) || self.keys.contains(&who.key))
    }
}

/// Groups by their labels, and by the numbers that led to them.
#[derive(Default)]
struct Groups {
    list: Vec<Group>,
    by_labels: HashMap<Option<Vec<Label>>, usize>,
    /// What was found out about caller or tenant, target and end.
    known: HashMap<(u32, u32, u32), Option<usize>>,
}

/// Adds up what is chosen.
struct Tally<'a> {
    question: &'a Question,
    names: &'a Names,
    chosen: &'a Chosen,
    groups: Groups,
    rows: u64,
    failed: Option<NoAnswer>,
}

/// Which numbers a row or a cell has.
#[derive(Clone, Copy)]
enum Caller {
    /// Nobody in particular.
    Anybody,
    /// Somebody of this tenant.
    Tenant(u32),
    /// This one.
    Who(u32),
}

impl Tally<'_> {
    fn page(&mut self, view: View, at: i64, head: u32, value: &[u8], half: Half) -> ControlFlow<()> {
        let Some(step) = self.step(at) else { return ControlFlow::Continue(()) };
        let readable = page::decode(value, half, |written| {
            self.rows += 1;
            let group = self.group_of_row(view, head, written.row)?;
            match group
                .and_then(|at| self.groups.list.get_mut(at))
                .and_then(|group| group.steps.get_mut(step))
            {
                Some(sums) => written.add_to(sums),
                None => Some(()),
            }
        });
        if self.rows > MOST_ROWS {
            self.failed = Some(NoAnswer::TooWide);
        } else if !readable && self.failed.is_none() {
            self.failed = Some(NoAnswer::Damaged);
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn cell(&mut self, cell: &Cell, sums: &Sums) {
        let Some(step) = self.step(Grain::Minute.start_of(cell.minute)) else { return };
        let Some(Some(at)) = self.group(Caller::Who(cell.who), Some((cell.target, cell.end))) else { return };
        if let Some(own) = self.groups.list.get_mut(at).and_then(|group| group.steps.get_mut(step)) {
            match self.question.times {
                true => own.merge(sums),
                false => own.merge_numbers(sums),
            }
        }
    }

    /// The step that a point in time is in.
    fn step(&self, at: i64) -> Option<usize> {
        let bounds = &self.question.bounds;
        let after = bounds.partition_point(|bound| *bound <= at);
        (after > 0 && after < bounds.len()).then(|| after - 1)
    }

    /// `None` ends the reading, `Some(None)`: the row does not count.
    fn group_of_row(&mut self, view: View, head: u32, row: Row) -> Option<Option<usize>> {
        match view {
            View::Hub => self.group(Caller::Anybody, Some(row)),
            View::Tenants => self.group(Caller::Tenant(row.0), None),
            View::Tenant => self.group(Caller::Tenant(head), Some(row)),
            View::Callers => self.group(Caller::Who(row.0), None),
            View::Caller => self.group(Caller::Who(head), Some(row)),
        }
    }

    fn group(&mut self, caller: Caller, what: Option<Row>) -> Option<Option<usize>> {
        let number = match caller {
            Caller::Anybody => 0,
            Caller::Tenant(number) | Caller::Who(number) => number,
        };
        let (target, end) = what.unwrap_or_default();
        // Cells name callers where rows may name tenants, so their numbers are apart.
        let apart = if matches!(caller, Caller::Who(_)) { u32::MAX / 2 } else { 0 };
        let key = (number.saturating_add(apart), target, end);
        if let Some(known) = self.groups.known.get(&key) {
            return Some(*known);
        }
        let found = match self.counts(caller, what) {
            true => Some(self.group_of_labels(caller, what)?),
            false => None,
        };
        self.groups.known.insert(key, found);
        Some(found)
    }

    fn counts(&self, caller: Caller, what: Option<Row>) -> bool {
        let is = |chosen: &[bool], number: u32| chosen.get(number as usize).copied().unwrap_or(false);
        let caller = match caller {
            Caller::Anybody => true,
            Caller::Tenant(tenant) => is(&self.chosen.tenants, tenant),
            Caller::Who(who) => is(&self.chosen.whos, who),
        };
        let what =
            what.is_none_or(|(target, end)| is(&self.chosen.targets, target) && is(&self.chosen.ends, end));
        caller && what
    }

    fn group_of_labels(&mut self, caller: Caller, what: Option<Row>) -> Option<usize> {
        let labels: Vec<Label> =
            self.question.group.iter().map(|one| self.label(*one, caller, what)).collect();
        let told = self.question.only.as_ref().is_none_or(|only| only.contains(&labels));
        let labels = told.then_some(labels);
        if let Some(known) = self.groups.by_labels.get(&labels) {
            return Some(*known);
        }
        let at = self.groups.list.len();
        if at >= MOST_GROUPS {
            self.failed = Some(NoAnswer::TooWide);
            return None;
        }
        let steps = vec![Sums::default(); self.question.bounds.len().saturating_sub(1)];
        self.groups.list.push(Group { labels: labels.clone(), steps });
        self.groups.by_labels.insert(labels, at);
        Some(at)
    }

    fn label(&self, dimension: Dimension, caller: Caller, what: Option<Row>) -> Label {
        match (dimension.part(), caller, what) {
            (Part::Who, Caller::Who(who), _) => {
                self.names.whos.get(who).and_then(|who| dimension.of_who(who))
            }
            (Part::Who, Caller::Tenant(tenant), _) if dimension == Dimension::Tenant => {
                self.names.tenants.get(tenant).cloned()
            }
            (Part::Target, _, Some((target, _))) => {
                self.names.targets.get(target).and_then(|target| dimension.of_target(target))
            }
            (Part::End, _, Some((_, end))) => self.names.ends.get(end).and_then(|end| dimension.of_end(end)),
            _ => None,
        }
    }
}
