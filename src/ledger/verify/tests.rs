use super::*;
use crate::ledger::{Intent, Price, Rates, recovered, table::tests::intent};
use crate::types::{Rate, Wall};

fn table() -> PriceTable {
    let rates = Rates { input: Rate(2_500_000_000_000), ..Rates::default() };
    PriceTable::new(vec![Price::new("openai", "*", Wall(0), rates, vec![], "test")])
}

fn end(prices: &PriceTable, intent: &Intent) -> Settlement {
    let price = prices.find("openai", "openai", "any", intent.at);
    recovered(intent, price.map(|price| &**price))
}

fn audit(prices: &PriceTable, records: &[Record]) -> Report {
    let mut auditor = Auditor::new(prices, None);
    for record in records {
        auditor.record(record, 1);
    }
    let sums = auditor.spending.clone();
    let wallets = auditor.wallets.clone();
    auditor.finish(&sums, &wallets, |_| false)
}

fn both(intent: &Intent, settlement: &Settlement) -> [Record; 2] {
    [Record::Intent(Box::new(intent.clone())), Record::Settlement(Box::new(settlement.clone()))]
}

#[test]
fn books_that_fit_have_no_problem() {
    let prices = table();
    let intent = intent();
    let report = audit(&prices, &both(&intent, &end(&prices, &intent)));
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.intents, report.settlements, report.charges, report.open), (1, 1, 1, 0));
    assert_eq!(report.cost.to_string(), "0.003");
}

#[test]
fn each_kind_of_damage_is_named() {
    let prices = table();
    let intent = intent();
    let good = end(&prices, &intent);
    let [i, s] = both(&intent, &good);
    let mut wrong = good.clone();
    wrong.charge.as_mut().unwrap().cost = Pico(1);
    let mut denied = good.clone();
    denied.intended = false;
    let cases = [
        (vec![i.clone()], "never ended"),
        (vec![s.clone()], "without its intent"),
        (vec![i.clone(), s.clone(), s.clone()], "settled twice"),
        (vec![i.clone(), i.clone(), s.clone()], "second intent"),
        (vec![i.clone(), s.clone(), i.clone()], "after its settlement"),
        (both(&intent, &wrong).to_vec(), "price says 0.003"),
        (both(&intent, &denied).to_vec(), "denies it"),
    ];
    for (records, expected) in cases {
        let report = audit(&prices, &records);
        assert!(report.problems.iter().any(|p| p.contains(expected)), "{expected}: {:?}", report.problems);
        assert!(report.problems.iter().all(|p| p.contains(&intent.id.to_string())));
    }
}

#[test]
fn a_projection_that_differs_is_a_problem_of_its_key() {
    let prices = table();
    let intent = intent();
    let mut auditor = Auditor::new(&prices, None);
    for record in both(&intent, &end(&prices, &intent)) {
        auditor.record(&record, 1);
    }
    let report = auditor.finish(&HashMap::new(), &Balances::new(), |_| false);
    assert_eq!(report.problem_count, 1);
    assert!(report.problems[0].contains("key-1"), "{:?}", report.problems);
}

#[test]
fn an_intent_in_flight_is_counted_and_no_problem() {
    let prices = table();
    let intent = intent();
    let mut auditor = Auditor::new(&prices, None);
    auditor.record(&Record::Intent(Box::new(intent.clone())), 1);
    let report = auditor.finish(&HashMap::new(), &Balances::new(), |id| id == intent.id);
    assert_eq!((report.open, report.problem_count), (1, 0));
}

#[test]
fn what_began_in_dropped_days_is_not_held_against_the_books() {
    let prices = table();
    let intent = intent();
    let settlement = end(&prices, &intent);
    let day = day_of(intent.at);
    for (kept_from, problems) in [(day, 1), (day + 1, 0)] {
        let mut auditor = Auditor::new(&prices, Some(kept_from));
        auditor.record(&Record::Settlement(Box::new(settlement.clone())), 1);
        let sums = auditor.spending.clone();
        assert_eq!(auditor.finish(&sums, &Balances::new(), |_| false).problem_count, problems);
    }
}

#[test]
fn a_price_row_that_is_gone_is_counted_and_no_problem() {
    let intent = intent();
    let records = both(&intent, &end(&table(), &intent));
    let report = audit(&PriceTable::default(), &records);
    assert_eq!((report.unknown_prices, report.charges, report.problem_count), (1, 0, 0));
}

#[test]
fn the_list_of_problems_is_bounded_and_their_number_is_not() {
    let prices = table();
    let records: Vec<_> = (0..150).map(|_| Record::Intent(Box::new(intent()))).collect();
    let report = audit(&prices, &records);
    assert_eq!((report.problems.len(), report.problem_count), (100, 150));
}
