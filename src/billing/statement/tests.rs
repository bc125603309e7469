use super::*;
use crate::ledger::wallet::{Lot, LotId, Rule, Sale, Transfer};
use crate::ledger::{Intent, recovered};
use crate::types::{KeyId, Op};

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn credits(text: &str) -> Pico {
    Pico::parse(text).unwrap()
}

fn at(day: &str) -> Wall {
    Wall(day_from_text(day).unwrap() * MICROS_PER_DAY)
}

fn close(month: &str, through: u64) -> Close {
    Close { month: month.into(), through, digest: "ab".repeat(32), last: 0 }
}

fn movement(day: &str, cause: Cause, transfers: Vec<Transfer>) -> Record {
    let (wallet, request) = (acme(), None);
    Record::Movement(Box::new(Movement { at: at(day), wallet, member: None, request, cause, transfers }))
}

fn issue(day: &str, operation: &str, source: Source, amount: &str) -> Record {
    let amount = credits(amount);
    let lot = Lot { id: LotId(1), source, priority: 1, expires_at: None, amount };
    let cause = Cause::Issue { operation: operation.into(), lot, reason: "why, \"so\" <b>".into() };
    movement(day, cause, vec![Transfer::new(Account::Issued(source), Account::Lot(LotId(1)), amount)])
}

fn reclaim(day: &str, operation: &str, amount: &str) -> Record {
    let cause = Cause::Reclaim { operation: operation.into(), reason: "".into() };
    let to = Account::Issued(Source::Adjustment);
    movement(day, cause, vec![Transfer::new(Account::Lot(LotId(1)), to, credits(amount))])
}

fn intent() -> Intent {
    Intent {
        id: RequestId::generate(),
        at: Wall(0),
        tenant: acme(),
        party: Arc::default(),
        key: KeyId::parse("k").unwrap(),
        op: Op::Chat,
        model: "gpt".into(),
        provider: "openai".into(),
        upstream_model: "gpt-4o".into(),
        input_bound: 1,
        output_bound: 1,
        hold: Pico::ZERO,
    }
}

fn sale(day: &str, paid: &str) -> [Record; 2] {
    let mut settlement = recovered(&intent(), None);
    settlement.at = at(day);
    settlement.usage = Usage { input: 10, output: 5, ..Usage::default() };
    let (paid, rule) = (credits(paid), Rule::Free);
    let request = Some(settlement.id);
    let cause = Cause::Settle(Sale { rule, tier: 0, owed: paid, paid });
    let transfers = vec![Transfer::new(Account::Hold(LotId(1)), Account::Revenue, paid)];
    let movement = Movement { at: at(day), wallet: acme(), member: None, request, cause, transfers };
    [Record::Settlement(Box::new(settlement)), Record::Movement(Box::new(movement))]
}

/// Records with the batches in which they lie.
fn journal() -> Vec<(u64, Record)> {
    let mut journal = vec![
        (1, issue("2026-09-30", "payment:p1", Source::Purchase, "10")),
        (2, issue("2026-10-05", "code:c:acme", Source::Promotion, "2")),
        (3, reclaim("2026-10-06", "refund:re_1", "1")),
        (3, reclaim("2026-10-07", "dispute:dp_1", "3")),
        (4, issue("2026-10-08", "dispute-undone:dp_1", Source::Refund, "3")),
        (4, reclaim("2026-10-09", "operator:x", "0.5")),
    ];
    journal.extend(sale("2026-10-20", "0.25").map(|record| (5, record)));
    // Of October, but written after October was closed.
    journal.extend(sale("2026-10-31", "0.75").map(|record| (9, record)));
    // Written before October was closed, and of November.
    let over = vec![Transfer::new(Account::Lot(LotId(1)), Account::Expired, credits("1.5"))];
    journal.insert(7, (5, movement("2026-11-01", Cause::Expire, over)));
    journal
}

fn made(closes: &[Close]) -> Vec<Statement> {
    let mut statements = Statements::new(closes).unwrap();
    journal().iter().for_each(|(batch, record)| statements.record(*batch, record));
    statements.finish()
}

#[test]
fn months_follow_one_another_and_nothing_is_counted_twice_or_not_at_all() {
    let closes = [close("2026-09", 2), close("2026-10", 5), close("2026-11", 9)];
    let all = made(&closes);
    let numbers: Vec<_> = all.iter().map(|statement| statement.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let ends: Vec<_> = all.iter().map(|one| (one.opening.to_string(), one.closing.to_string())).collect();
    let pairs = [("0", "10"), ("10", "10.25"), ("10.25", "8")];
    assert_eq!(ends, pairs.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let october = all[1].totals;
    assert_eq!((october.grants, october.refunds), (credits("2"), credits("-1")));
    assert_eq!((october.disputes, october.adjustments), (Pico::ZERO, credits("-0.5")));
    assert_eq!((october.usage, october.expiry), (credits("-0.25"), Pico::ZERO));
    assert_eq!((all[2].totals.usage, all[2].totals.expiry), (credits("-0.75"), credits("-1.5")));
    assert_eq!((all[1].usage[0].requests, all[1].usage[0].input_tokens), (1, 10));
    assert_eq!((all[1].ledger.after, all[1].ledger.through), (2, 5));
}

#[test]
fn what_was_closed_does_not_change_when_more_is_closed() {
    let closes = [close("2026-09", 2), close("2026-10", 5), close("2026-11", 9)];
    let all = made(&closes);
    for known in 1..closes.len() {
        assert_eq!(made(&closes[..known]), all[..made(&closes[..known]).len()]);
    }
}

#[test]
fn every_form_has_the_same_bytes_each_time_and_texts_cannot_break_out() {
    let closes = [close("2026-09", 2), close("2026-10", 5)];
    for format in ["json", "csv", "html", "pdf"].map(|name| Format::parse(name).unwrap()) {
        let (one, other) = (made(&closes).remove(1).write(format), made(&closes).remove(1).write(format));
        assert_eq!(one, other, "{format:?}");
        assert!(one.len() > 200, "{format:?}");
        let text = String::from_utf8_lossy(&one);
        match format {
            Format::Html => assert!(!text.contains("<b>") && text.contains("&lt;b&gt;")),
            Format::Csv => assert!(text.contains("\"why, \"\"so\"\" <b>\"")),
            Format::Pdf => assert!(text.starts_with("%PDF-") && text.trim_end().ends_with("%%EOF")),
            Format::Json => assert_eq!(serde_json::from_slice::<Statement>(&one).unwrap(), made(&closes)[1]),
        }
    }
}

#[test]
fn months_are_read_strictly() {
    assert_eq!(month_end("2026-12"), Some(at("2027-01-01")));
    assert_eq!(month_text(at("2026-12-31")), "2026-12");
    for bad in ["", "2026", "2026-13", "2026-1", "2026-01-01", "x"] {
        assert_eq!(month_end(bad), None, "{bad}");
    }
}
