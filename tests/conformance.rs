//! The rules of the OP name their tests; each of those must exist.

use std::collections::BTreeSet;
use std::path::Path;

const RULES: &str = include_str!("../op-bridge/docs/conformance.md");

/// Names of all tests in Rust files below `folder`.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let (mut marked, mut lines) = (false, text.lines());
            while let Some(line) = lines.next().map(str::trim) {
                if line.ends_with("test]") && line.starts_with("#[") {
                    marked = true;
                } else if let (true, Some((_, rest))) = (marked, line.split_once("fn ")) {
                    let name = rest.split('(').next().unwrap_or_default();
                    names.insert(name.to_owned());
                    marked = false;
                }
            }
        }
    }
}

#[test]
fn every_test_that_a_rule_names_exists_and_every_rule_names_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    for folder in ["op-bridge/src", "src", "tests"] {
        tests_below(&root.join(folder), &mut known);
    }
    let rows = RULES.lines().filter(|line| line.starts_with("| "));
    let rules: Vec<_> = rows
        .filter_map(|row| row.trim_end_matches('|').rsplit_once(" | "))
        .filter(|(_, tests)| tests.trim() != "tests")
        .collect();
    assert!(rules.len() > 80, "only {} rules were read", rules.len());
    for (rule, tests) in rules {
        let named: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test for {rule}");
        for name in named {
            assert!(
                known.contains(name),
                "no test {name}, which is to hold {rule}"
            );
        }
    }
}
