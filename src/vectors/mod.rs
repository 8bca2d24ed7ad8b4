//! Test vectors as data: runs files in the format of `fixtures/vectors/README.md` against the codecs.

use serde_json::Value;

pub mod packets;
mod receive;
pub mod seeds;
pub mod sms;

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases that came out as expected.
    pub passed: usize,
    /// The others: id and reason.
    pub failed: Vec<(String, String)>,
}

/// Text that is no vector file.
#[derive(Debug, thiserror::Error)]
pub enum NoVectors {
    /// Not JSON.
    #[error("no JSON: {0}")]
    Format(#[from] serde_json::Error),
    /// JSON of another kind.
    #[error("no list of cases, or an empty one")]
    NoCases,
    /// Cases are missing, or there are too many.
    #[error("count: expected {expected} cases, got {got}")]
    Count {
        /// What the file says.
        expected: u64,
        /// What it has.
        got: u64,
    },
}

/// Runs every case of a vector file. Fields that a case has besides the known ones are ignored; a case of an unknown
/// kind fails, so that nothing passes unseen.
///
/// # Errors
/// [`NoVectors`] if there are no cases in it at all, or not as many as it says.
pub fn run_file(text: &str) -> Result<Report, NoVectors> {
    let file: Value = serde_json::from_str(text)?;
    let cases = file.get("cases").and_then(Value::as_array);
    let cases = cases.filter(|cases| !cases.is_empty());
    let cases = cases.ok_or(NoVectors::NoCases)?;
    let got = cases.len() as u64;
    if let Some(expected) = file.get("count").and_then(Value::as_u64)
        && expected != got
    {
        return Err(NoVectors::Count { expected, got });
    }
    let mut report = Report::default();
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
    Ok(report)
}

fn run(case: &Value) -> Result<(), String> {
    match text(case, "kind")? {
        "command" | "response" | "receive" | "reassembly" => packets::run(case),
        "address" | "dcs" | "deliver" | "deliver-report" | "negative" | "status-report"
        | "submit" | "submit-report" | "udh" => sms::run(case),
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
    use std::collections::BTreeMap;
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
            let text = fs::read_to_string(&path).unwrap();
            let report = run_file(&text).unwrap();
            assert_eq!(report.failed, [], "{}", path.display());
            let count = serde_json::from_str::<Value>(&text).unwrap()["count"].as_u64();
            assert_eq!(Some(report.passed as u64), count, "{}", path.display());
            files += 1;
        }
        assert!(files > 0);
    }

    /// One case of each kind, falsified: the runner has to notice.
    #[test]
    fn wrong_cases_fail_and_say_why() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors/ota-secured-packets.json");
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let reason = |id: &str, pointer: &str, value: Value| {
            let mut case = list(&file, "cases")
                .iter()
                .find(|case| case["id"] == id)
                .unwrap()
                .clone();
            assert_eq!(run(&case), Ok(()));
            *case.pointer_mut(pointer).unwrap() = value;
            run(&case).unwrap_err()
        };
        let falsified = [
            (
                "kat-cmd-001",
                "/payload",
                "abecedac".into(),
                "packet: expected 0018",
            ),
            (
                "d-cmd-006",
                "/sms/concat_ref",
                60247.into(),
                "tpdus[0]: expected 400c91",
            ),
            (
                "kat-resp-003",
                "/data",
                "00".into(),
                "data: expected 00, got",
            ),
            (
                "d-rneg-003",
                "/expect/result",
                "accept".into(),
                "expected accept: TAR is 534054, expected 000000",
            ),
            (
                "d-rx-001",
                "/expect/result",
                "accept".into(),
                "expected accept: command packet refused",
            ),
            (
                "d-rx-006",
                "/expect/rsc_any_of/0",
                "03".into(),
                "rsc: expected one of",
            ),
            (
                "d-rx-008",
                "/expect/cntr_after",
                "0000006988".into(),
                "cntr_after: expected 0000006988, got 0000006989",
            ),
            (
                "d-rx-040",
                "/then/0/expect/result",
                "accept".into(),
                "then[0]: expected accept: command packet refused",
            ),
            (
                "d-asm-001",
                "/tpdus/4",
                "440f9121800538592767f27ff6521170910113480100".into(),
                "packets: expected",
            ),
        ];
        for (id, pointer, value, expected) in falsified {
            let reason = reason(id, pointer, value);
            assert!(reason.starts_with(expected), "{id}: {reason}");
        }
    }

    /// Valid cases that the fixtures have none of; those named `wrong-…` are to fail.
    #[test]
    fn corner_cases_pass() {
        let report = run_file(include_str!("corner_cases.json")).unwrap();
        let failed: Vec<_> = report.failed.iter().map(|(id, _)| &**id).collect();
        assert_eq!(failed, ["wrong-accept-rsc"], "{:?}", report.failed);
    }

    /// What cases say for people, and what nothing follows from.
    const COMMENTS: [&str; 11] = [
        "/id",
        "/kind",
        "/origin",
        "/oracle",
        "/note",
        "/direction",
        "/mutation",
        "/scenario",
        "/why",
        "/spi_note",
        "/tpdu_as_published",
    ];
    /// `basis` says where an expectation comes from; `rsc` is preferred, `rsc_any_of` decides; what must not be
    /// secured may be.
    const NOT_DECISIVE: [&str; 4] = [
        "/expect/basis",
        "/expect/rsc",
        "/expect/por_must_not_be_secured",
        "/then/#/expect/rsc",
    ];

    /// A value of the same kind that says something else.
    fn other(value: &Value) -> Option<Value> {
        Some(match value {
            Value::Bool(bit) => (!bit).into(),
            Value::Number(number) => (number.as_u64()? + 1).into(),
            Value::String(text) => match hex::decode(text) {
                Ok(mut octets) if !octets.is_empty() => {
                    *octets.last_mut()? ^= 0x18;
                    hex::encode(octets).into()
                }
                Ok(_) => "00".into(),
                Err(_) => format!("{text}x").into(),
            },
            _ => return None,
        })
    }

    fn leaves(value: &Value, pointer: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                leaves(field, &format!("{pointer}/{name}"), found);
            }),
            Value::Array(list) => list.iter().enumerate().for_each(|(index, item)| {
                leaves(item, &format!("{pointer}/{index}"), found);
            }),
            _ => found.push(pointer.to_owned()),
        }
    }

    /// Each field of each kind, falsified case by case: if no case minds, the field is not looked at.
    #[test]
    fn every_field_matters() {
        let mut minded: BTreeMap<(String, String), bool> = BTreeMap::new();
        for name in ["ota-secured-packets.json", "sms-tpdu.json"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors");
            let file = fs::read_to_string(path.join(name)).unwrap();
            let file: Value = serde_json::from_str(&file).unwrap();
            for case in list(&file, "cases") {
                let mut pointers = Vec::new();
                leaves(case, "", &mut pointers);
                for pointer in pointers {
                    let pattern = pointer
                        .split('/')
                        .map(|part| {
                            if part.parse::<u8>().is_ok() {
                                "#"
                            } else {
                                part
                            }
                        })
                        .collect::<Vec<_>>()
                        .join("/");
                    if COMMENTS.contains(&&*pattern) || NOT_DECISIVE.contains(&&*pattern) {
                        continue;
                    }
                    let kind = text(case, "kind").unwrap().to_owned();
                    let minded = minded.entry((kind, pattern)).or_default();
                    let Some(value) = case.pointer(&pointer).and_then(other) else {
                        *minded |= case.pointer(&pointer).is_some_and(Value::is_null);
                        continue;
                    };
                    if *minded {
                        continue;
                    }
                    let mut falsified = case.clone();
                    *falsified.pointer_mut(&pointer).unwrap() = value;
                    *minded = run(&falsified).is_err();
                }
            }
        }
        assert!(minded.len() > 100, "{}", minded.len());
        minded.retain(|_, minded| !*minded);
        // The octets of a negative case are refused before and after.
        let refused = ("negative".to_owned(), "/tpdu".to_owned());
        assert_eq!(minded.into_keys().collect::<Vec<_>>(), [refused]);
    }

    #[test]
    fn what_is_no_vector_file_fails() {
        assert!(matches!(run_file("["), Err(NoVectors::Format(_))));
        assert!(matches!(run_file("{}"), Err(NoVectors::NoCases)));
        let empty = run_file(r#"{"count":0,"cases":[]}"#);
        assert!(matches!(empty, Err(NoVectors::NoCases)));
        let short = run_file(r#"{"count":2,"cases":[{}]}"#);
        let counted = NoVectors::Count {
            expected: 2,
            got: 1,
        };
        assert_eq!(short.unwrap_err().to_string(), counted.to_string());
        let failed = |text: &str| run_file(text).unwrap().failed;
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
