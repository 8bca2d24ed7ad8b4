//! Every golden message comes back as it was, and documents written by hand give octets worked out elsewhere.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use ota_wire::applet::Challenge;
use ota_wire::dissect::Keys;
use proptest::prelude::*;

use super::*;
use crate::decode::keys;
use crate::vectors::seeds::{Seed, seeds};

mod errors;

fn encoded(text: &str) -> String {
    encoded_with(text, &Keys::default())
}

fn encoded_with(text: &str, keys: &Keys) -> String {
    hex::encode(encode(text, keys).unwrap().1)
}

fn problem(text: &str) -> String {
    encode(text, &Keys::default()).unwrap_err().to_string()
}

fn vectors() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors");
    ["ota-secured-packets.json", "sms-tpdu.json"]
        .map(|name| fs::read_to_string(folder.join(name)).unwrap())
        .into()
}

static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let files = vectors();
    files.iter().flat_map(|file| seeds(file).unwrap()).collect()
});

/// Octets to TOML and back. Gives whether they could be said in fields.
fn round_trip(kind: Kind, octets: &[u8], keys: &Keys) -> bool {
    let text = to_toml(kind, octets, keys, true).unwrap();
    let (as_kind, back) = encode(&text, keys).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(as_kind, kind);
    assert_eq!(hex::encode(back), hex::encode(octets), "{text}");
    let table: toml::Table = text.parse().unwrap();
    !table.contains_key("octets")
}

fn kind_of(parser: &str) -> Option<Kind> {
    Some(match parser {
        "applet_challenge" | "applet_response" => Kind::Applet,
        "c_apdu" => Kind::CApdu,
        "command_packet" => Kind::CommandPacket,
        "deliver" => Kind::MtTpdu,
        "deliver_report" | "status_report" | "submit_report" => Kind::Report,
        "envelope" | "proactive_command" => Kind::Cat,
        "remote_response" => Kind::RemoteResponse,
        "remote_script" => Kind::RemoteScript,
        "response_packet" => Kind::ResponsePacket,
        "rp" => Kind::Rp,
        "smpp_pdu" => Kind::Smpp,
        "submit" => Kind::MoTpdu,
        "tlv" => Kind::Tlv,
        _ => return None,
    })
}

#[test]
fn every_golden_message_comes_back() {
    let (mut all, mut in_fields) = (0, 0);
    for seed in SEEDS.iter() {
        let Some(kind) = kind_of(seed.parser) else {
            continue;
        };
        all += 1;
        if round_trip(kind, &seed.octets, &Keys::default()) {
            in_fields += 1;
            continue;
        }
        // Octets stand raw only if they are no such message: those of negative cases, data that is no script.
        let reading = &decode(Some(kind), &seed.octets, None)[0];
        assert!(
            !reading.tree.is_complete(),
            "{kind} {}: complete, but not in fields",
            seed.name
        );
    }
    assert!(all > 1000 && in_fields > 1000, "{in_fields} of {all}");
}

/// With the keys of the case the data of a packet is shown, and sealed again to the same octets.
#[test]
fn packets_open_and_close_with_their_keys() {
    let file: serde_json::Value = serde_json::from_str(&vectors()[0]).unwrap();
    let mut opened = 0;
    for case in file["cases"].as_array().unwrap() {
        let (kind, field) = match case["kind"].as_str().unwrap() {
            "command" => (Kind::CommandPacket, "packet"),
            "response" => (Kind::ResponsePacket, "packet_with_udh"),
            _ => continue,
        };
        let octet = |field: &str| u8::from_str_radix(case[field].as_str().unwrap(), 16).unwrap();
        let keyed = |field: &str| match case[field].as_str().unwrap() {
            "crc16" | "crc32" => "none".to_owned(),
            other => other.to_owned(),
        };
        let (cipher, check) = (keyed("ciph_algo"), keyed("int_algo"));
        let key = |algorithm: &str, field: &str| match algorithm {
            "none" => String::new(),
            _ => format!("{field} = {}\n", case[field]),
        };
        let text = format!(
            "[[key_set]]\nversion = {}\nciph_algo = \"{cipher}\"\n{}int_algo = \"{check}\"\n{}{}",
            (octet("kic") >> 4).max(octet("kid") >> 4),
            key(&cipher, "kic_key"),
            key(&check, "kid_key"),
            if check == "aes" {
                format!("cc_len = {}\n", case["cc_len"])
            } else {
                String::new()
            },
        );
        let Ok(keys) = keys::parse(&text) else {
            // Version 0 is in no key file.
            assert!(octet("kic") >> 4 == 0 && octet("kid") >> 4 == 0, "{text}");
            continue;
        };
        let octets = hex::decode(case[field].as_str().unwrap()).unwrap();
        if !round_trip(kind, &octets, &keys) {
            assert_eq!(case["expect"]["result"], "reject", "{}", case["id"]);
            continue;
        }
        let text = to_toml(kind, &octets, &keys, true).unwrap();
        if kind == Kind::CommandPacket {
            assert!(!text.contains("body"), "{}: {text}", case["id"]);
        }
        opened += usize::from(!text.contains("body"));
    }
    assert!(opened > 70, "{opened}");
}

/// asterix' unit test, by its inputs alone.
#[test]
fn a_published_packet_from_its_fields() {
    let keys = keys::parse(
        "[[key_set]]\nversion = 2\nciph_algo = \"3des2\"\nkic_key = \"2233445566778899aabbccddeeff0011\"\n\
         int_algo = \"3des2\"\nkid_key = \"456789abcdef012356789abcdef01234\"\n",
    )
    .unwrap();
    let text = r#"
kind = "command-packet"
spi = "16 01"
kic = "25"
kid = "25"
tar = "C00000"
cntr = 1
[[script.command]]
cla = "A0"
ins = "A4"
p1 = "00"
p2 = "00"
data = "3F00"
"#;
    assert_eq!(
        encoded_with(text, &keys),
        "00201516012525c0000090b844a4faabef7184998080d900a6f55a7ad667b45ea3a6"
    );
    let unsealed = encode(text, &Keys::default()).unwrap_err().to_string();
    assert_eq!(
        unsealed,
        "no key for the KID that SPI asks for (key set 2 of --keys or --iccid)"
    );
}

/// TS 102 223's example of SEND SHORT MESSAGE, and the report that comes back.
#[test]
fn documents_by_hand() {
    let send = r#"
kind = "cat"
tag = "D0"
[[object]]
tag = "01"
value = "011300"
[[object]]
tag = "02"
value = "8183"
[[object]]
tag = "05"
value = "53656E6420534D"
[[object]]
tag = "06"
value = "91112233445566 77F8"
[[object]]
tag = "0B"
[object.mo_tpdu]
da = { ton = 1, npi = 1, digits = "012345678" }
dcs = "F4"
pid = "40"
user_data = { data = "54657374204D657373616765" }
"#;
    assert_eq!(
        encoded(send),
        "d037810301130082028183850753656e6420534d86099111223344556677f88b18010009911032547\
         6f840f40c54657374204d657373616765"
    );
    let report = r#"
kind = "report"
report = "sms-status-report"
mr = 5
ra = "+447700900001"
scts = "2026-01-31T12:00:00+01:00"
dt = "2026-01-31T12:00:05+01:00"
st = "00"
"#;
    assert_eq!(
        encoded(report),
        "06050c91447700090010621013210000406210132100504000"
    );
    assert_eq!(
        encoded("kind = \"r-apdu\"\nsw = \"9000\"\ndata = \"01\""),
        "019000"
    );
    assert_eq!(
        encoded(
            "kind = \"rp\"\nmessage = \"rp-error\"\ndirection = \"to-phone\"\nmr = 7\ncause = 41\n"
        ),
        "05070129"
    );
    // SMPP 3.4 §4.5.1, §4.5.2 and §4.7.1.
    let multi = r#"
kind = "smpp"
command = "submit_multi"
sequence = 7
destinations = [{ ton = 1, npi = 1, address = "447700900001" }, { list = "all" }]
[message]
source = "8220"
source_ton = 3
registered_delivery = 1
data_coding = 4
short_message = "AA"
"#;
    assert_eq!(
        encoded(multi),
        "00000039000000210000000000000007000300383232300002010101343437373030393030303031000261\
         6c6c0000000000000100040001aa"
    );
    let answer = r#"
kind = "smpp"
command = "submit_multi_resp"
sequence = 7
message_id = "A1"
refused = [{ ton = 1, npi = 1, address = "447700900001", status = 11 }]
"#;
    assert_eq!(
        encoded(answer),
        "00000027800000210000000000000007413100010101343437373030393030303031000000000b"
    );
    let data = r#"
kind = "smpp"
command = "data_sm"
sequence = 8
[message]
source = "8220"
source_ton = 3
destination = "447700900001"
destination_ton = 1
destination_npi = 1
esm_class = 64
registered_delivery = 1
data_coding = 4
short_message = "027000AABB"
"#;
    assert_eq!(
        encoded(data),
        "00000033000001030000000000000008000300383232300001013434373730303930303030310040010404\
         240005027000aabb"
    );
    // SMPP 3.4 §4.8 to §4.10.
    let operations = [
        (
            "kind = \"smpp\"\ncommand = \"query_sm\"\nsequence = 2\n[operation]\nmessage_id = \"A1\"\n\
             source = { ton = 3, npi = 0, address = \"8220\" }",
            "0000001a000000030000000000000002413100030038323230 00",
        ),
        (
            "kind = \"smpp\"\ncommand = \"query_sm_resp\"\nsequence = 2\n[found]\nmessage_id = \"A1\"\n\
             final_date = \"\"\nstate = 1\nerror_code = 0",
            "00000016800000030000000000000002413100 00 01 00",
        ),
        (
            "kind = \"smpp\"\ncommand = \"cancel_sm\"\nsequence = 3\n[operation]\nmessage_id = \"A1\"\n\
             source = { ton = 3, npi = 0, address = \"8220\" }",
            "0000001e000000080000000000000003 00 413100 0300 3832323000 0000 00",
        ),
        (
            "kind = \"smpp\"\ncommand = \"replace_sm\"\nsequence = 4\n[operation]\nmessage_id = \"A1\"\n\
             source = { ton = 3, npi = 0, address = \"8220\" }\nregistered_delivery = 1\nshort_message = \"AABB\"",
            "00000021000000070000000000000004 413100 0300 3832323000 00 00 01 00 02 aabb",
        ),
    ];
    for (document, octets) in operations {
        let octets = octets.replace(' ', "");
        assert_eq!(encoded(document), octets, "{document}");
        let octets = hex::decode(octets).unwrap();
        assert!(
            round_trip(Kind::Smpp, &octets, &Keys::default()),
            "{document}"
        );
    }
    for document in [multi, answer, data] {
        let octets = hex::decode(encoded(document)).unwrap();
        assert!(round_trip(Kind::Smpp, &octets, &Keys::default()));
        let reading = &decode(Some(Kind::Smpp), &octets, None)[0];
        // The secured packet in the data_sm is cut short, but it is found.
        let packet = document == data && reading.tree.to_string().contains("command packet");
        assert!(reading.tree.is_complete() || packet, "{}", reading.tree);
    }
    assert_eq!(
        encoded("octets = \"00 11\"\nkind = \"tlv\""),
        "0011",
        "any octets, whatever they are"
    );
}

/// TOML knows no integer above 2^63 - 1.
#[test]
fn counters_of_64_bits_come_back() {
    for (ctr, said) in [
        (i64::MAX as u64, "ctr = 9223372036854775807\n"),
        (1 << 63, "ctr = \"9223372036854775808\"\n"),
        (u64::MAX, "ctr = \"18446744073709551615\"\n"),
    ] {
        let document = format!(
            "kind = \"applet\"\ntid = \"0102030405060708\"\n{said}method = \"pin\"\ntext = \"Sign in?\"\nmac = \"0011223344556677\"\n"
        );
        let (kind, octets) = encode(&document, &Keys::default()).unwrap();
        assert_eq!(Challenge::parse(&octets).unwrap().ctr, ctr);
        let text = to_toml(kind, &octets, &Keys::default(), false).unwrap();
        assert!(text.contains(said), "{text}");
        assert!(round_trip(kind, &octets, &Keys::default()));
        assert_eq!(
            encoded(&document.replace(said, &said.replace('"', ""))),
            hex::encode(octets)
        );
    }
}

/// Every example of the documentation makes a message of its kind, and that message the same again.
#[test]
fn examples_of_the_documentation() {
    let page = crate::docs::find("encode").unwrap().text;
    let blocks = |language: &str| {
        let fence = format!("```{language}\n");
        let parts = page.split(&*fence).skip(1);
        parts
            .map(|part| part.split("```").next().unwrap())
            .collect::<Vec<_>>()
    };
    let keys = keys::parse(blocks("keys")[0]).unwrap();
    let mut kinds = Vec::new();
    for example in blocks("toml") {
        let (kind, octets) = encode(example, &keys).unwrap_or_else(|error| {
            panic!("{error}\n{example}");
        });
        let reading = &decode(Some(kind), &octets, Some(&keys))[0];
        assert!(reading.tree.is_complete(), "{}", reading.tree);
        assert!(round_trip(kind, &octets, &keys), "{example}");
        kinds.push(kind);
    }
    for kind in Kind::ALL {
        assert!(kinds.contains(&kind), "no example of {kind}");
    }
}

/// What `Display` writes, and nothing else that means the same number.
#[test]
fn numbers_in_quotes_are_plain_digits() {
    let document = |ctr: &str| {
        format!(
            "kind = \"applet\"\ntid = \"0102030405060708\"\nctr = \"{ctr}\"\nmethod = \"pin\"\ntext = \"Sign in?\"\n\
             mac = \"0011223344556677\"\n"
        )
    };
    for (digits, ctr) in [("0", 0), ("7", 7), ("18446744073709551615", u64::MAX)] {
        let (_, octets) = encode(&document(digits), &Keys::default()).unwrap();
        assert_eq!(Challenge::parse(&octets).unwrap().ctr, ctr);
    }
    for digits in [
        "+5", "-0", "00", "007", "", " 7", "7 ", "0x7", "7.0", "1_000", "\u{664}",
    ] {
        let problem = problem(&document(digits));
        let expected = format!("string \"{digits}\", expected a number from 0 to");
        assert!(problem.contains(&expected), "{digits:?}: {problem}");
    }
}

#[test]
fn secrets_are_shown_on_demand_only() {
    let pin = "8103012304820282818301008D050431323334";
    let bind = "00000023000000090000000000000001 6d696473696d00 6d696473696d00 00 34 00 00 00";
    for (kind, octets) in [(Kind::TerminalResponse, pin), (Kind::Smpp, bind)] {
        let octets = hex::decode(octets.replace(' ', "")).unwrap();
        let refused = to_toml(kind, &octets, &Keys::default(), false).unwrap_err();
        assert!(refused.to_string().contains("--reveal"));
        assert!(round_trip(kind, &octets, &Keys::default()));
    }
}

proptest! {
    #[test]
    fn any_octets_come_back(octets in prop::collection::vec(any::<u8>(), 0..80), kind in prop::sample::select(&Kind::ALL[..])) {
        round_trip(kind, &octets, &Keys::default());
    }

    /// Golden messages with some octets changed: near misses of every kind.
    #[test]
    fn damaged_messages_come_back(which: prop::sample::Index, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let seed = which.get(&SEEDS);
        let Some(kind) = kind_of(seed.parser) else {
            return Ok(());
        };
        let mut octets = seed.octets.clone();
        for (index, value) in changes {
            if !octets.is_empty() {
                let index = index.index(octets.len());
                octets[index] = value;
            }
        }
        round_trip(kind, &octets, &Keys::default());
    }
}
