//! Ten thousand hostile envelopes: each its answer in the protocol's own form, and the next good request succeeds.

use std::collections::BTreeMap;

use mssp::xml;

use crate::support::envelopes::{Dice, GENERATORS, Target, good};
use crate::support::json::{JSON_GENERATORS, good_json};

const ALL: usize = 10_000;
/// After so many of them a good request is sent: a number at which all generators take turns.
const BETWEEN: usize = 37;
/// For a comparison.
const SOME: usize = 2_000;

/// Answers 200 and 500 of one generator.
#[derive(Default)]
struct Count {
    taken: usize,
    faults: usize,
}

fn attack(strict: bool, envelopes: usize) -> BTreeMap<&'static str, Count> {
    let mut target = Target::new(strict);
    let good = good();
    let mut dice = Dice::new(1);
    let mut counts: BTreeMap<_, Count> = BTreeMap::new();
    for n in 0..envelopes {
        let (name, generator) = GENERATORS[n % GENERATORS.len()];
        let base = &good[dice.roll(good.len())];
        let body = generator(base, &mut dice);
        let (answer, _) = target.post("/soap", body);
        let root = xml::parse(answer.body()).unwrap_or_else(|e| panic!("{name} {n}: {e}"));
        let is_fault = root.elements().any(|body| {
            body.elements()
                .next()
                .is_some_and(|inner| inner.local == "Fault")
        });
        let count = counts.entry(name).or_default();
        match (answer.status().as_u16(), is_fault) {
            (200, false) => count.taken += 1,
            (500, true) => count.faults += 1,
            (status, _) => panic!("{name} {n}: HTTP status {status}, a fault: {is_fault}"),
        }
        if n % BETWEEN == 0 {
            let (answer, _) = target.post("/soap", good[0].clone().into());
            assert_eq!(
                answer.status(),
                200,
                "the next good request, after {name} {n}"
            );
        }
    }
    counts
}

#[test]
fn ten_thousand_hostile_envelopes_get_faults() {
    let counts = attack(false, ALL);
    assert_eq!(counts.len(), GENERATORS.len());
    for (name, count) in &counts {
        // Whoever makes nothing but good requests is no attacker.
        assert!(count.faults > 0, "{name}: {} were taken", count.taken);
    }
    for always in ["truncation", "doctype", "two of a kind"] {
        assert_eq!(counts[always].taken, 0, "{always}");
    }
}

#[test]
fn a_strict_reader_takes_fewer_of_them() {
    let taken = |strict| -> usize { attack(strict, SOME).values().map(|c| c.taken).sum() };
    assert!(taken(true) < taken(false));
}

#[test]
fn good_requests_are_good() {
    let mut target = Target::new(false);
    for request in good() {
        let (answer, _) = target.post("/soap", request.clone().into());
        // Status and receipt are about a transaction that is not there.
        let about_nothing = request.contains("MSSP_TransID");
        let expected = if about_nothing { 500 } else { 200 };
        assert_eq!(answer.status(), expected, "{request}");
    }
}

#[test]
fn hostile_json_gets_faults() {
    let mut target = Target::new(false);
    let good = good_json().to_string();
    let mut dice = Dice::new(2);
    let mut counts: BTreeMap<_, Count> = BTreeMap::new();
    for n in 0..SOME {
        let (name, generator) = JSON_GENERATORS[n % JSON_GENERATORS.len()];
        let (answer, _) = target.post("/rest/service", generator(&good, &mut dice));
        let body: serde_json::Value =
            serde_json::from_slice(answer.body()).unwrap_or_else(|e| panic!("{name} {n}: {e}"));
        let count = counts.entry(name).or_default();
        let code = body["Fault"]["Code"]["SubCode"]["Value"].as_str();
        match (answer.status().as_u16(), code) {
            (200, None) => count.taken += 1,
            (500, Some(code)) if code.starts_with('_') => count.faults += 1,
            other => panic!("{name} {n}: {other:?}"),
        }
        if n % BETWEEN == 0 {
            let (answer, _) = target.post("/rest/service", good.clone().into());
            assert_eq!(
                answer.status(),
                200,
                "the next good request, after {name} {n}"
            );
        }
    }
    for (name, count) in &counts {
        assert!(count.faults > 0, "{name}: {} were taken", count.taken);
    }
    assert_eq!(counts["truncation"].taken, 0);
}
