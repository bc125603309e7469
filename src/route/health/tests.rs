//! Each way out of service, and each way back.

use super::*;

const POLICY: HealthPolicy = HealthPolicy {
    breaker_faults: 3,
    base_pause: Duration::from_secs(1),
    max_pause: Duration::from_secs(4),
    default_cool_down: Duration::from_secs(5),
    base_recheck: Duration::from_secs(30),
    max_recheck: Duration::from_secs(100),
};

const fn at(seconds: u64) -> Mono {
    Mono(seconds * 1_000_000_000)
}

fn fail(health: &Arc<Health>, fault: Fault, now: Mono) {
    health.begin(now).unwrap().fail(fault, now);
}

fn limited(seconds: u64) -> Fault {
    Fault::RateLimited(Some(Duration::from_secs(seconds)))
}

/// A credential whose breaker opened at zero.
fn open() -> Arc<Health> {
    let health = Health::new(POLICY);
    (0..3).for_each(|_| fail(&health, Fault::Failed, at(0)));
    assert_eq!(health.state(at(0)), State::Open);
    health
}

#[test]
fn a_fresh_credential_is_ready_and_counts_its_attempts() {
    let health = Health::new(HealthPolicy::default());
    assert_eq!((health.standing(at(0)), health.state(at(0))), (Standing::Ready, State::Ready));
    let (first, second) = (health.begin(at(0)).unwrap(), health.begin(at(0)).unwrap());
    assert_eq!(health.in_flight(), 2);
    assert!(!first.is_probe());
    first.succeed(at(1));
    drop(second);
    assert_eq!(health.in_flight(), 0);
}

#[test]
fn a_cool_down_ends_by_itself_at_its_very_time() {
    let health = Health::new(POLICY);
    fail(&health, limited(60), at(0));
    assert_eq!(health.state(at(59)), State::CoolingDown);
    assert_eq!(health.standing(Mono(at(60).0 - 1)), Standing::Until(at(60)));
    assert!(health.begin(at(59)).is_none());
    assert_eq!(health.standing(at(60)), Standing::Ready);
    assert!(health.begin(at(60)).is_some_and(|attempt| !attempt.is_probe()));
    assert_eq!(health.state(at(60)), State::Ready);
}

#[test]
fn a_shorter_cool_down_never_replaces_a_longer_one() {
    let health = Health::new(POLICY);
    let (first, second, third) = (health.begin(at(0)), health.begin(at(0)), health.begin(at(0)));
    first.unwrap().fail(limited(60), at(0));
    second.unwrap().fail(limited(1), at(1));
    third.unwrap().succeed(at(2));
    assert_eq!(health.standing(at(2)), Standing::Until(at(60)));
}

#[test]
fn a_429_without_a_time_uses_the_policys() {
    let health = Health::new(POLICY);
    fail(&health, Fault::RateLimited(None), at(0));
    assert_eq!(health.standing(at(0)), Standing::Until(at(5)));
}

#[test]
fn faults_in_a_row_open_the_breaker_and_a_success_between_them_does_not() {
    let health = Health::new(POLICY);
    for _ in 0..4 {
        fail(&health, Fault::Failed, at(0));
        fail(&health, Fault::Failed, at(0));
        health.begin(at(0)).unwrap().succeed(at(0));
    }
    assert_eq!(health.standing(at(0)), Standing::Ready);
    (0..3).for_each(|_| fail(&health, Fault::Failed, at(0)));
    assert_eq!(health.standing(at(0)), Standing::Until(at(1)));
}

#[test]
fn one_probe_at_a_time_goes_when_the_pause_is_over() {
    let health = open();
    assert!(health.begin(Mono(at(1).0 - 1)).is_none());
    assert_eq!((health.standing(at(1)), health.state(at(1))), (Standing::Probe, State::HalfOpen));
    let probe = health.begin(at(1)).unwrap();
    assert!(probe.is_probe());
    assert!(health.begin(at(1)).is_none());
    assert!(matches!(health.standing(at(1)), Standing::Until(time) if time > at(1)));
    drop(probe);
    assert!(health.begin(at(1)).is_some(), "a probe whose caller went away is given back");
}

#[test]
fn a_failed_probe_doubles_the_pause_up_to_its_bound_and_a_good_one_forgets_it() {
    let health = open();
    let mut now = 1;
    for pause in [2, 4, 4, 4] {
        fail(&health, Fault::Failed, at(now));
        assert_eq!(health.standing(at(now)), Standing::Until(at(now + pause)));
        now += pause;
    }
    health.begin(at(now)).unwrap().succeed(at(now));
    assert_eq!(health.state(at(now)), State::Ready);
    (0..3).for_each(|_| fail(&health, Fault::Failed, at(now)));
    assert_eq!(health.standing(at(now)), Standing::Until(at(now + 1)));
}

#[test]
fn attempts_from_before_the_outage_decide_nothing() {
    let health = Health::new(POLICY);
    let mut old: Vec<_> = (0..10).map(|_| health.begin(at(0)).unwrap()).collect();
    old.drain(..8).for_each(|attempt| attempt.fail(Fault::Failed, at(0)));
    assert_eq!(health.standing(at(0)), Standing::Until(at(1)), "eight faults are one outage");
    old.pop().unwrap().succeed(at(0));
    assert_eq!(health.state(at(0)), State::Open);
    let probe = health.begin(at(1)).unwrap();
    old.pop().unwrap().fail(Fault::Failed, at(1));
    probe.succeed(at(1));
    assert_eq!(health.standing(at(1)), Standing::Ready);
}

#[test]
fn a_rejected_credential_is_asked_again_more_and_more_rarely() {
    let health = Health::new(POLICY);
    let together: Vec<_> = (0..5).map(|_| health.begin(at(0)).unwrap()).collect();
    together.into_iter().for_each(|attempt| attempt.fail(Fault::Rejected, at(0)));
    let mut now = 0;
    for pause in [30, 60, 100, 100] {
        assert_eq!(health.standing(at(now)), Standing::Until(at(now + pause)));
        now += pause;
        assert_eq!((health.standing(at(now)), health.state(at(now))), (Standing::Probe, State::Rejected));
        fail(&health, Fault::Rejected, at(now));
    }
    now += 100;
    health.begin(at(now)).unwrap().succeed(at(now));
    assert_eq!(health.state(at(now)), State::Ready);
}

#[test]
fn a_recheck_without_an_answer_is_due_again_after_the_same_time() {
    let health = Health::new(POLICY);
    fail(&health, Fault::Rejected, at(0));
    fail(&health, Fault::Failed, at(30));
    assert_eq!(health.standing(at(30)), Standing::Until(at(60)));
    fail(&health, limited(45), at(60));
    assert_eq!(health.standing(at(60)), Standing::Until(at(105)));
    assert_eq!(health.standing(at(105)), Standing::Probe);
}

#[test]
fn a_probe_ends_only_the_outages_it_began_in() {
    let health = Health::new(POLICY);
    let old = health.begin(at(0)).unwrap();
    (0..3).for_each(|_| fail(&health, Fault::Failed, at(0)));
    let probe = health.begin(at(1)).unwrap();
    old.fail(Fault::Rejected, at(2));
    probe.succeed(at(3));
    assert_eq!(health.state(at(3)), State::Rejected);
    assert_eq!(health.standing(at(3)), Standing::Until(at(32)));
    health.begin(at(32)).unwrap().succeed(at(32));
    assert_eq!(health.state(at(32)), State::Ready);
}

#[test]
fn an_accepted_probe_lets_the_others_in_before_its_stream_ends() {
    let health = open();
    let mut probe = health.begin(at(1)).unwrap();
    probe.accepted();
    assert_eq!(health.standing(at(1)), Standing::Ready);
    assert!(health.begin(at(1)).is_some());
    probe.fail(Fault::Failed, at(2));
    assert_eq!(health.standing(at(2)), Standing::Ready, "one fault of three");
}

#[test]
fn the_longest_of_several_reasons_counts() {
    let health = Health::new(POLICY);
    let old = health.begin(at(0)).unwrap();
    (0..3).for_each(|_| fail(&health, Fault::Failed, at(0)));
    old.fail(limited(20), at(0));
    assert_eq!(health.standing(at(1)), Standing::Until(at(20)));
    assert_eq!(health.state(at(2)), State::CoolingDown);
    assert_eq!(health.standing(at(20)), Standing::Probe);
}

#[test]
fn latency_is_the_time_to_the_first_byte_and_a_timeout_is_no_low_latency() {
    let health = Health::new(POLICY);
    assert_eq!(health.latency(at(0)), None);
    let mut attempt = health.begin(at(0)).unwrap();
    attempt.first_byte(at(2));
    attempt.first_byte(at(9));
    attempt.succeed(at(10));
    assert_eq!(health.latency(at(2)), Some(Duration::from_secs(2)));
    health.begin(at(2)).unwrap().fail(Fault::Failed, at(32));
    assert_eq!(health.latency(at(32)), Some(Duration::from_secs(30)));
    health.begin(at(32)).unwrap().fail(Fault::Failed, at(32));
    assert_eq!(health.latency(at(32)), Some(Duration::from_secs(30)));
}

#[test]
fn of_many_threads_one_gets_the_probe() {
    let health = open();
    let tries = || health.begin(at(1));
    let attempts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(tries)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(attempts.len(), 1);
    assert_eq!(health.in_flight(), 1);
}
