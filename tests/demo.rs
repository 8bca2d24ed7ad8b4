//! `midsim demo` in every mode, with every kind of key and text, and with every persona of the default world.

use std::process::{Command, Output};

use serde_json::Value;

/// 20 characters, one SMS.
const SHORT: &str = "Code W4SCT, 120 CHF?";
/// 200 characters of the GSM 7-bit alphabet, two SMS.
const LONG: &str = "Midsim Bank: pay 1234.56 EUR to Jun Sato, IBAN GB00 TEST 0000 0000 0000 00, reference 4711-0815, \
                    on 22 November? If this is not you, press Cancel and call us. Never tell anybody your PIN. Code: W4SCT!";
/// 119 characters outside it, sent as UCS2, two SMS.
const UCS2: &str = "Подтвердите перевод 1234 рублей на счёт Джун Сато? Если это не вы, нажмите «Отмена» и позвоните нам. Код: ЩЁЛК-4711. Ок";

/// Modes, keys, texts, messaging modes and wirings: every pair of values of any two columns stands in some row.
const PAIRWISE: [[&str; 5]; 11] = [
    // mode, keys, text, MessagingMode of TS 102 204, wiring
    ["poll", "aes", "short", "asynch-server-server", "sockets"],
    ["poll", "3des", "long", "asynch-client-server", "in-process"],
    ["poll", "aes", "ucs2", "synch", "in-process"],
    ["ping", "aes", "long", "synch", "sockets"],
    [
        "ping",
        "3des",
        "short",
        "asynch-server-server",
        "in-process",
    ],
    ["ping", "3des", "ucs2", "asynch-client-server", "sockets"],
    ["push", "3des", "short", "synch", "sockets"],
    ["push", "aes", "short", "asynch-client-server", "in-process"],
    ["push", "aes", "long", "asynch-server-server", "in-process"],
    ["push", "3des", "ucs2", "asynch-server-server", "sockets"],
    ["poll", "3des", "short", "asynch-client-server", "sockets"],
];

/// Who holds the phone, what is asked, and the exit status of DESIGN §3.
const PERSONAS: [(&str, &str, i32); 14] = [
    ("human", "mod-mf", 0),
    ("approve", "mod-mf", 0),
    ("approve", "mod-pr", 0),
    ("slow", "mod-mf", 0),
    ("cancel", "mod-mf", 20),
    ("wrong-pin", "mod-mf", 0),
    ("pin-blocked", "mod-mf", 21),
    ("ignore", "mod-mf", 22),
    ("no-coverage", "mod-mf", 22),
    ("busy", "mod-mf", 22),
    ("confirm-only", "mod-mf", 23),
    ("confirm-only", "mod-pr", 0),
    ("approve", "4", 0),
    ("confirm-only", "4", 23),
];

#[test]
fn every_pair_of_mode_key_text_messaging_and_wiring() {
    for [mode, keys, text, mss, wiring] in PAIRWISE {
        let mut arguments = vec![
            "--mode",
            mode,
            "--keys",
            keys,
            "--mss",
            mss,
            "--text",
            text_of(text),
        ];
        arguments.extend((wiring == "in-process").then_some("--in-process"));
        let (output, document) = demo(&arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{document}");
        assert_eq!(
            document["result"]["claims"]["acr"], "mod-mf",
            "{arguments:?}"
        );
        let shown = document.to_string().matches(text_of(text)).count();
        assert!(
            shown > 0,
            "the text is nowhere in the steps of {arguments:?}\n{document}"
        );
        assert_eq!(
            steps(&document),
            (1..=16).collect::<Vec<_>>(),
            "{arguments:?}"
        );
    }
}

#[test]
fn the_table_is_pairwise() {
    let columns: [Vec<&str>; 5] =
        std::array::from_fn(|column| PAIRWISE.iter().map(|row| row[column]).collect());
    for a in 0..5 {
        for b in a + 1..5 {
            for one in &columns[a] {
                for other in &columns[b] {
                    let found = PAIRWISE
                        .iter()
                        .any(|row| row[a] == *one && row[b] == *other);
                    assert!(found, "{one} never meets {other}");
                }
            }
        }
    }
}

#[test]
fn every_persona_ends_as_it_should() {
    for (persona, acr, exit) in PERSONAS {
        for mode in ["poll", "push"] {
            let (output, document) = demo(&["--user", persona, "--acr", acr, "--mode", mode]);
            assert_eq!(
                output.status.code(),
                Some(exit),
                "{persona}, {acr}, {mode}\n{document:#}"
            );
        }
    }
}

#[test]
fn the_texts_are_as_long_as_they_should_be() {
    assert_eq!(SHORT.chars().count(), 20);
    assert_eq!(LONG.chars().count(), 200);
    assert_eq!(UCS2.chars().count(), 119);
    assert_eq!(ota_wire::sms::gsm7::septets(LONG), Some(200));
    assert_eq!(ota_wire::sms::gsm7::septets(UCS2), None);
}

#[test]
fn a_ucs2_text_of_120_characters_is_an_invalid_binding_message() {
    let (output, document) = demo(&["--text", &format!("{UCS2}!")]);
    assert_eq!(output.status.code(), Some(23), "{document}");
    assert_eq!(
        document["result"]["error"], "invalid_binding_message",
        "{document}"
    );
}

#[test]
fn people_read_sixteen_steps_and_the_tokens() {
    let output = midsim(&["demo", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "POST /bc-authorize",
        "MSS_Signature",
        "DISPLAY TEXT",
        "GET INPUT",
        "midsim's own",
        "id_token",
    ] {
        assert!(text.contains(expected), "no {expected} in\n{text}");
    }
    assert!(!text.contains("1234"), "the PIN is in the output:\n{text}");
}

fn steps(document: &Value) -> Vec<u64> {
    let mut steps: Vec<_> = document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["step"].as_u64())
        .collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

fn text_of(name: &str) -> &'static str {
    match name {
        "short" => SHORT,
        "long" => LONG,
        _ => UCS2,
    }
}

fn demo(arguments: &[&str]) -> (Output, Value) {
    let output = midsim(&[&["demo", "--json"], arguments].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{arguments:?}: {error}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    });
    (output, document)
}

fn midsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_midsim"))
        .args(arguments)
        .output()
        .unwrap()
}
