//! The file of the workspace: all of it passes, and nothing in it passes unread.

use super::*;

const FILE: &str = include_str!("../../../fixtures/vectors/sms-tpdu.json");

fn cases() -> Vec<Value> {
    let mut file: Value = serde_json::from_str(FILE).unwrap();
    let cases = std::mem::take(file["cases"].as_array_mut().unwrap());
    assert_eq!(file["count"], cases.len());
    cases
}

#[test]
fn every_case_passes() {
    let failures: Vec<_> = cases()
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case["id"], run(case).err()?)))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Every fact that a case states matters: with any one of them changed, the case fails.
#[test]
fn a_case_with_one_fact_changed_fails() {
    let mut changed_cases = 0;
    for case in cases() {
        if case["kind"] == "negative" {
            continue;
        }
        for pointer in facts(&case, "") {
            let mut changed = case.clone();
            // Many coding schemes mean the same; two published messages come without their user data stated.
            let message = matches!(case["kind"].as_str(), Some("deliver" | "submit"));
            if case["kind"] == "dcs" && pointer == "/dcs"
                || message && case["user_data"].is_null() && pointer == "/tpdu"
            {
                continue;
            }
            change(changed.pointer_mut(&pointer).unwrap());
            assert!(
                run(&changed).is_err(),
                "{} passes with another {pointer}",
                case["id"]
            );
            changed_cases += 1;
        }
    }
    assert!(
        changed_cases > 1000,
        "only {changed_cases} facts were found"
    );
}

#[test]
fn a_negative_case_fails_when_the_octets_are_good() {
    let cases = cases();
    let good = cases.iter().find(|case| case["kind"] == "deliver").unwrap();
    for case in cases.iter().filter(|case| {
        case["kind"] == "negative"
            && matches!(case["expect"].as_str(), Some("reject" | "keep-raw"))
            && case["parse_as"] == "deliver"
    }) {
        let mut case = case.clone();
        case["tpdu"] = good["tpdu"].clone();
        assert!(run(&case).is_err(), "{}", case["id"]);
    }
}

/// JSON pointers of all values that say something about the octets.
fn facts(value: &Value, pointer: &str) -> Vec<String> {
    const ABOUT_THE_CASE: [&str; 5] = ["direction", "id", "note", "oracle", "origin"];
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(field, _)| !ABOUT_THE_CASE.contains(&field.as_str()))
            .flat_map(|(field, value)| facts(value, &format!("{pointer}/{field}")))
            .collect(),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .flat_map(|(index, value)| facts(value, &format!("{pointer}/{index}")))
            .collect(),
        _ => vec![pointer.to_owned()],
    }
}

fn change(value: &mut Value) {
    *value = match value {
        Value::Bool(bit) => Value::Bool(!*bit),
        Value::Number(number) => (number.as_u64().unwrap() ^ 1).into(),
        Value::Null => 0.into(),
        Value::String(text) => {
            let mut characters: Vec<char> = text.chars().collect();
            match characters.last_mut() {
                Some(last) => *last = if *last == '0' { '1' } else { '0' },
                None => characters.extend(['0', '0']),
            }
            String::from_iter(characters).into()
        }
        other => panic!("{other} is no fact"),
    };
}
