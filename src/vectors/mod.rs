//! Test vectors as data: runs files in the format of `fixtures/vectors/README.md` against the codecs.

use serde_json::Value;

mod packets;

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases that came out as expected.
    pub passed: usize,
    /// The others: id and reason.
    pub failed: Vec<(String, String)>,
}

/// Runs every case of a vector file. Fields that a case has besides the known ones are ignored; a case of an unknown
/// kind fails, so that nothing passes unseen. Text that is no vector file gives one failure with the id `file`.
pub fn run_file(text: &str) -> Report {
    let mut report = Report::default();
    let file: Value = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            report
                .failed
                .push(("file".to_owned(), format!("no JSON: {error}")));
            return report;
        }
    };
    let Some(cases) = file.get("cases").and_then(Value::as_array) else {
        report
            .failed
            .push(("file".to_owned(), "no list of cases".to_owned()));
        return report;
    };
    for (index, case) in cases.iter().enumerate() {
        match run(case) {
            Ok(()) => report.passed += 1,
            Err(reason) => {
                let id = case
                    .get("id")
                    .and_then(Value::as_str)
                    .map_or_else(|| format!("#{index}"), str::to_owned);
                report.failed.push((id, reason));
            }
        }
    }
    report
}

fn run(case: &Value) -> Result<(), String> {
    match text(case, "kind")? {
        "command" | "response" | "receive" | "reassembly" => packets::run(case),
        kind => Err(format!("unknown kind {kind:?}")),
    }
}

/// A text field.
fn text<'a>(case: &'a Value, name: &str) -> Result<&'a str, String> {
    case.get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("{name}: expected a text"))
}

/// A field with a number.
fn number(case: &Value, name: &str) -> Result<u64, String> {
    case.get(name)
        .and_then(Value::as_u64)
        .ok_or_else(|| format!("{name}: expected a number"))
}

/// A field with octets in hexadecimal.
fn octets(case: &Value, name: &str) -> Result<Vec<u8>, String> {
    hex::decode(text(case, name)?).map_err(|error| format!("{name}: {error}"))
}

/// A field with exactly `N` octets in hexadecimal.
fn array<const N: usize>(case: &Value, name: &str) -> Result<[u8; N], String> {
    octets(case, name)?
        .try_into()
        .map_err(|got: Vec<u8>| format!("{name}: expected {N} octets, got {}", got.len()))
}

/// A field with a list; a missing one is empty.
fn list<'a>(case: &'a Value, name: &str) -> &'a [Value] {
    case.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Both values are equal, or a reason that names what differs.
fn same<T: PartialEq + ?Sized>(
    what: &str,
    expected: &T,
    got: &T,
    show: impl Fn(&T) -> String,
) -> Result<(), String> {
    if expected == got {
        Ok(())
    } else {
        Err(format!(
            "{what}: expected {}, got {}",
            show(expected),
            show(got)
        ))
    }
}

/// [`same`] for octets.
fn same_octets(what: &str, expected: &[u8], got: &[u8]) -> Result<(), String> {
    same(what, expected, got, |octets| hex::encode(octets))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_vector_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors");
        let mut files = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let report = run_file(&fs::read_to_string(&path).unwrap());
            assert_eq!(report.failed, [], "{}", path.display());
            assert!(report.passed > 0, "{}", path.display());
            files += 1;
        }
        assert!(files > 0);
    }

    #[test]
    fn a_wrong_case_fails_and_says_why() {
        let text = fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/vectors/ota-secured-packets.json"
        ))
        .unwrap();
        let broken = text.replacen("\"payload\": \"abecedab\"", "\"payload\": \"abecedac\"", 1);
        assert_ne!(text, broken);
        let report = run_file(&broken);
        assert_eq!(report.failed.len(), 1);
        assert_eq!(report.failed[0].0, "kat-cmd-001");
        assert!(
            report.failed[0].1.starts_with("packet: expected 0018"),
            "{}",
            report.failed[0].1
        );
    }

    #[test]
    fn what_is_no_vector_file_fails() {
        let failed = |text: &str| run_file(text).failed;
        assert_eq!(failed("[")[0].0, "file");
        assert_eq!(
            failed("{}"),
            [("file".to_owned(), "no list of cases".to_owned())]
        );
        assert_eq!(
            failed(r#"{"cases":[{"kind":"teapot"}]}"#),
            [("#0".to_owned(), "unknown kind \"teapot\"".to_owned())]
        );
        assert_eq!(
            failed(r#"{"cases":[{"id":"a"}]}"#),
            [("a".to_owned(), "kind: expected a text".to_owned())]
        );
    }
}
