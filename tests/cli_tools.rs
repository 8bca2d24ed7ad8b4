//! What the commands promise that need no running suite: `vectors`, `decode`, `encode`.

use std::path::Path;

use serde_json::Value;

use super::support::shell::{Ended, Shell};

/// RP-ACK from the network to a phone, without user data (TS 24.011 §7.3.3).
const RP_ACK: &str = "0307";

#[test]
fn vectors_name_their_failures() {
    let shell = Shell::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors");
    let good = folder.join("sms-tpdu.json").display().to_string();
    let ended = shell.run(&["vectors", &good]);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(
        ended.stdout.ends_with(" passed, 0 failed\n"),
        "{}",
        ended.stdout
    );
    let bad = shell.write("bad.json", r#"{"cases":[{"id":"one","kind":"teapot"}]}"#);
    let ended = shell.run(&["vectors", &bad]);
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stdout,
        format!("FAILED {bad}: one: unknown kind \"teapot\"\n0 passed, 1 failed\n")
    );
    let ended = shell.run(&["vectors", "--json", &good, &bad]);
    let report = ended.json();
    assert_eq!((ended.code, &report["failed"]), (1, &Value::from(1)));
    assert_eq!(report["failures"][0]["id"], "one");
    for unread in ["nowhere.json", &shell.write("text.json", "no JSON")] {
        let ended = shell.run(&["vectors", unread, &bad]);
        assert_eq!(ended.code, 2);
        assert!(ended.stderr.contains(unread), "{}", ended.stderr);
        assert!(
            ended.stdout.ends_with("0 passed, 1 failed\n"),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn decode_reads_hex_files_and_standard_input() {
    let shell = Shell::new();
    let kinds = |ended: Ended| {
        assert_eq!((ended.code, &*ended.stderr), (0, ""), "{}", ended.stdout);
        let readings = ended.json()["readings"].as_array().unwrap().clone();
        readings
            .iter()
            .map(|reading| reading["kind"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let expected = kinds(shell.run(&["decode", "--json", RP_ACK]));
    assert!(expected.contains(&"rp".to_owned()), "{expected:?}");
    let digits = shell.write("digits", "03 0\n7 ");
    let raw = shell.write("raw", [0x03, 0x07]);
    assert_eq!(kinds(shell.run(&["decode", "--json", &digits])), expected);
    assert_eq!(kinds(shell.run(&["decode", "--json", &raw])), expected);
    assert_eq!(
        kinds(shell.with_input(b"0307\n", &["decode", "--json", "-"])),
        expected
    );
    assert_eq!(
        kinds(shell.with_input(&[0x03, 0x07], &["decode", "--json", "-"])),
        expected
    );
    shell
        .run(&["decode", "xyz"])
        .complains(2, "xyz is not hexadecimal, and as a file: ");
    shell
        .run(&["decode", "/dev/zero"])
        .complains(2, "longer than 1048576 octets");
}

#[test]
fn decode_shows_how_far_it_gets() {
    let shell = Shell::new();
    for arguments in [&["decode", "--as", "smpp", RP_ACK][..], &["decode", "00"]] {
        let ended = shell.run(arguments);
        assert_eq!(ended.code, 1, "{}", ended.stdout);
        assert!(ended.stdout.contains("error"), "{}", ended.stdout);
        assert!(ended.stderr.starts_with("midsim: "), "{}", ended.stderr);
    }
    let ended = shell.run(&["decode", "--json", "--as", "smpp", RP_ACK]);
    assert_eq!(
        (ended.code, &ended.json()["readings"][0]["kind"]),
        (1, &Value::from("smpp"))
    );
}

#[test]
fn decode_opens_packets_with_keys_from_a_file() {
    let shell = Shell::new();
    let vectors = include_str!("../fixtures/vectors/ota-secured-packets.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let case = vectors["cases"].as_array().unwrap().iter().find(|case| {
        case["kind"] == "command"
            && case["ciph_algo"] == "aes"
            && case["int_algo"] == "aes"
            && case["oracle"] == "published"
    });
    let case = case.unwrap();
    let text = |name: &str| case[name].as_str().unwrap();
    let version = u8::from_str_radix(&text("kic")[..1], 16).unwrap();
    let (kic, kid, cc_len) = (text("kic_key"), text("kid_key"), &case["cc_len"]);
    let toml = shell.write(
        "keys.toml",
        format!(
            "[[key_set]]\nversion = {version}\nciph_algo = 'aes'\nkic_key = '{kic}'\nint_algo = 'aes'\n\
             kid_key = '{kid}'\ncc_len = {cc_len}"
        ),
    );
    let json = shell.write(
        "keys.json",
        format!(
            r#"{{"key_set":[{{"version":{version},"ciph_algo":"aes","kic_key":"{kic}","int_algo":"aes",
            "kid_key":"{kid}","cc_len":{cc_len}}}]}}"#
        ),
    );
    let shown = |arguments: &[&str]| {
        let fixed = ["decode", "--as", "command-packet", text("packet")];
        shell
            .run(&[&fixed, arguments].concat())
            .stdout
            .to_lowercase()
            .replace(char::is_whitespace, "")
    };
    assert!(!shown(&[]).contains(text("payload")));
    for file in [&toml, &json] {
        let shown = shown(&["--keys", file]);
        assert!(shown.contains(text("payload")), "{shown}");
        assert!(!shown.contains(kic), "a key is shown:\n{shown}");
    }
    let bad = shell.write(
        "bad.toml",
        format!("[[key_set]]\nversion = 1\nkic_key = '{kic}"),
    );
    let ended = shell.run(&["decode", "--keys", &bad, RP_ACK]);
    ended.complains(2, "bad.toml");
    assert!(!ended.stderr.contains(kic), "{}", ended.stderr);
    shell
        .run(&[
            "decode",
            "--keys",
            &toml,
            "--iccid",
            "8988000000000000016",
            RP_ACK,
        ])
        .complains(2, "cannot be used with");
}

#[test]
fn encode_undoes_decode() {
    let shell = Shell::new();
    // The challenge of the README, in a packet for a card of the world.
    let packet = "005815163a12124d494479cd5c3d3195dbd59e50aaba8eaf1671c923133920f942a3bfb92ecb7bdbed0a22e65221\
                  c7c99ae8e2200c86e4ae95462d4c1b6fb4743227a974be7bece992c766e8af7a615add6350f987bf6d5618e2";
    let card = ["--iccid", "8944770090000000018"];
    let opened = ["decode", "--as", "command-packet", "--toml", packet];
    let document = shell.run(&[&opened[..], &card].concat());
    assert_eq!(document.code, 0, "{}", document.stderr);
    assert!(
        document
            .stdout
            .contains("text = \"Midsim Bank: sign in? Code W4SCT\""),
        "{}",
        document.stdout
    );
    let file = shell.write("challenge.toml", &document.stdout);
    let back = shell.run(&[&["encode", &*file][..], &card].concat());
    assert_eq!((&*back.stderr, back.stdout.trim()), ("", packet));
    let json = shell.run(&[&["encode", "--json", &*file][..], &card].concat());
    assert_eq!(json.json()["kind"], "command-packet");
    assert_eq!(json.json()["octets"], packet);
    let input = shell.with_input(b"kind = 'r-apdu'\nsw = '6161'", &["encode", "--raw", "-"]);
    assert_eq!((input.code, &*input.stdout), (0, "aa"));

    shell
        .run(&["encode", &file])
        .complains(1, "no applet key in --keys or --iccid");
    shell
        .run(&["encode", "nowhere.toml"])
        .complains(2, "nowhere.toml");
    let bad = shell.write("bad.toml", "kind = 'r-apdu'\nsw = '9g00'");
    shell
        .run(&["encode", &bad])
        .complains(1, "bad.toml: TOML parse error at line 2");
    shell
        .run(&["decode", "--toml", "9000"])
        .complains(2, "--as");
    let pin = [
        "decode",
        "--as",
        "c-apdu",
        "--toml",
        "00200001083132333435FFFFFF",
    ];
    shell.run(&pin).complains(1, "--reveal");
    let shown = shell.run(&[&pin[..], &["--reveal"]].concat());
    assert!(
        shown.stdout.contains("3132333435ffffff"),
        "{}",
        shown.stdout
    );
}

#[test]
fn seeds_are_exported_by_parser() {
    let shell = Shell::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors/sms-tpdu.json");
    let seeds = shell.path("seeds");
    let ended = shell.run(&[
        "vectors",
        &file.display().to_string(),
        "--export-seeds",
        &seeds.display().to_string(),
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains(" seeds are in "), "{}", ended.stderr);
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let case = vectors["cases"].as_array().unwrap().iter();
    let case = case.clone().find(|case| case["kind"] == "submit").unwrap();
    let seed = seeds.join("submit").join(case["id"].as_str().unwrap());
    let octets = std::fs::read(seed).unwrap();
    assert_eq!(case["tpdu"], hex::encode(octets));
    let unwritable = shell.write("file", "");
    let ended = shell.run(&[
        "vectors",
        &shell.write("one.json", vectors.to_string()),
        "--export-seeds",
        &unwritable,
    ]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains(&unwritable), "{}", ended.stderr);
    // Also where there is nothing to write into it.
    let mut none = vectors;
    none["cases"] = Value::Array(Vec::new());
    let ended = shell.run(&[
        "vectors",
        &shell.write("none.json", none.to_string()),
        "--export-seeds",
        &unwritable,
    ]);
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .stderr
            .contains(&format!("--export-seeds {unwritable}")),
        "{}",
        ended.stderr
    );
}
