use super::super::delivery::Notice;
use super::*;
use crate::types::NoticeKind;
use serde_json::json;

const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);

fn delivery(endpoint: &str, subject: &str) -> Delivery {
    let notice = Notice::new(NoticeKind::Test, None, subject, json!({ "by": "x" }), Wall(0));
    Delivery::new(notice, endpoint.into(), Wall(0))
}

fn said(at: Wall) -> Said {
    Said { at, status: Some(500), error: "no".into() }
}

fn later() -> Verdict {
    Verdict::Later(None)
}

#[test]
fn one_lane_goes_in_order_and_others_beside_it() {
    let mut outbox = Outbox::default();
    let [a, b, c] = [delivery("w", "one"), delivery("w", "one"), delivery("w", "two")];
    for one in [&b, &a, &c] {
        outbox.enter(one.clone(), true);
    }
    let taken: Vec<_> = std::iter::from_fn(|| outbox.take_due(Wall(0))).map(|one| one.id).collect();
    assert_eq!(taken, [Arc::clone(&a.id), Arc::clone(&c.id)], "b waits for a");
    outbox.end(&a.id, &later(), said(Wall(0)), GIVE_UP);
    assert!(outbox.take_due(Wall(1_000_000)).is_none(), "also while a pauses");
    let at = outbox.next_due().unwrap();
    assert_eq!(outbox.take_due(at).unwrap().id, a.id);
    outbox.end(&a.id, &Verdict::Done, said(at), GIVE_UP);
    assert_eq!(outbox.take_due(at).unwrap().id, b.id);
}

#[test]
fn pauses_grow_to_an_hour_and_then_it_is_given_up() {
    let mut outbox = Outbox::default();
    let one = delivery("w", "s");
    outbox.enter(one.clone(), true);
    let (mut now, mut pauses) = (Wall(0), Vec::new());
    while let Some(taken) = outbox.take_due(now) {
        outbox.end(&taken.id, &later(), said(now), GIVE_UP);
        let Some(next) = outbox.next_due() else { break };
        pauses.push(Duration::from_micros((next.0 - now.0) as u64));
        now = next;
    }
    assert!(pauses[0] >= FIRST_PAUSE / 2 && pauses[0] <= FIRST_PAUSE);
    assert!(
        pauses.iter().all(|pause| *pause <= LONGEST_PAUSE) && pauses.last().unwrap() >= &(LONGEST_PAUSE / 2)
    );
    assert!(now <= Wall(0).after(GIVE_UP));
    assert_eq!(outbox.get(&one.id).unwrap().state, State::Dead);
    assert_eq!(outbox.counts(), (0, 1));
}

#[test]
fn a_receiver_may_ask_for_a_longer_pause_but_not_for_ever() {
    let mut outbox = Outbox::default();
    let one = delivery("w", "s");
    outbox.enter(one.clone(), true);
    outbox.take_due(Wall(0)).unwrap();
    outbox.end(&one.id, &Verdict::Later(Some(Duration::from_secs(100))), said(Wall(0)), GIVE_UP);
    assert_eq!(outbox.next_due(), Some(Wall(100_000_000)));
    outbox.take_due(Wall(100_000_000)).unwrap();
    outbox.end(&one.id, &Verdict::Later(Some(Duration::MAX)), said(Wall(0)), GIVE_UP);
    assert_eq!(outbox.next_due(), Some(Wall(0).after(LONGEST_PAUSE)));
}

#[test]
fn a_dead_one_can_be_replayed_before_those_that_came_after() {
    let mut outbox = Outbox::default();
    let [a, b] = [delivery("w", "s"), delivery("w", "s")];
    outbox.enter(a.clone(), true);
    outbox.take_due(Wall(0)).unwrap();
    outbox.end(&a.id, &Verdict::Never, said(Wall(0)), GIVE_UP);
    outbox.enter(b.clone(), true);
    assert!(outbox.replay(&b.id, Wall(1)).is_none(), "it is pending");
    assert!(outbox.replay("ntc_0", Wall(1)).is_none());
    assert_eq!(outbox.replay(&a.id, Wall(1)).unwrap().attempts, 0);
    let first = outbox.take_due(Wall(1)).unwrap();
    assert_eq!(first.id, a.id);
    assert!(outbox.take_due(Wall(1)).is_none());
    outbox.end(&a.id, &Verdict::Done, said(Wall(1)), GIVE_UP);
    assert_eq!(outbox.take_due(Wall(1)).unwrap().id, b.id);
}

#[test]
fn one_that_is_replayed_while_a_later_one_is_under_way_has_its_turn_next() {
    let mut outbox = Outbox::default();
    let [a, b] = [delivery("w", "s"), delivery("w", "s")];
    outbox.enter(a.clone(), true);
    outbox.take_due(Wall(0)).unwrap();
    outbox.end(&a.id, &Verdict::Never, said(Wall(0)), GIVE_UP);
    outbox.enter(b.clone(), true);
    outbox.take_due(Wall(0)).unwrap();
    outbox.replay(&a.id, Wall(0)).unwrap();
    assert_eq!(outbox.take_due(Wall(0)).unwrap().id, a.id);
    outbox.end(&b.id, &later(), said(Wall(0)), GIVE_UP);
    assert_eq!(outbox.next_due(), None, "b waits for a");
    outbox.end(&a.id, &Verdict::Done, said(Wall(0)), GIVE_UP);
    assert!(outbox.next_due().is_some());
}

#[test]
fn what_ended_is_kept_within_bounds_and_its_rows_go() {
    let mut outbox = Outbox::default();
    let all: Vec<Delivery> = (0..MOST_DELIVERED + 3).map(|_| delivery("w", "s")).collect();
    for one in &all {
        outbox.enter(one.clone(), true);
        outbox.take_due(Wall(0)).unwrap();
        outbox.end(&one.id, &Verdict::Done, said(Wall(0)), GIVE_UP);
    }
    assert_eq!(outbox.newest_first().count(), MOST_DELIVERED);
    let (rows, ids) = outbox.rows();
    assert_eq!(rows.iter().filter(|(_, value)| value.is_none()).count(), 3);
    outbox.rows_taken();
    assert!(outbox.rows().0.is_empty());
    outbox.changed_again(ids);
    assert_eq!(outbox.rows().0.len(), all.len(), "a write that failed is written again");
    let last = delivery("w", "s");
    outbox.enter(last.clone(), true);
    let month_later = Wall(0).after(KEPT);
    outbox.take_due(month_later).unwrap();
    outbox.end(&last.id, &Verdict::Done, said(month_later), GIVE_UP);
    assert_eq!(outbox.newest_first().count(), 1);
}

#[test]
fn a_row_is_read_back_as_it_was() {
    let mut one = delivery("w", "s");
    (one.last, one.state, one.ended) = (Some(said(Wall(5))), State::Dead, Some(Wall(5)));
    let (key, value) = row(&one);
    assert_eq!(key, format!("outbox/{}", one.id).into_bytes());
    assert_eq!(serde_json::from_slice::<Delivery>(&value.unwrap()).unwrap(), one);
}

#[test]
fn what_waits_for_an_endpoint_that_is_off_is_not_counted_as_an_attempt() {
    let mut outbox = Outbox::default();
    let one = delivery("w", "s");
    outbox.enter(one.clone(), true);
    outbox.take_due(Wall(0)).unwrap();
    outbox.put_off(&one.id, Wall(9));
    assert!(outbox.take_due(Wall(8)).is_none());
    assert_eq!(outbox.take_due(Wall(9)).unwrap().attempts, 0);
}
