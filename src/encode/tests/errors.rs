//! Documents that are no message, and what is said about them.

use super::*;

#[test]
fn errors_name_their_place() {
    for (text, expected) in [
        ("", "missing field `kind`"),
        ("kind = \"tpdu\"", "no kind \"tpdu\"; expected one of smpp"),
        (
            "kind = \"r-apdu\"\nsw = \"90\"",
            "sw: expected 2 octets, got 1",
        ),
        ("kind = \"r-apdu\"\nsw = \"9g00\"", "line 2"),
        (
            "kind = \"r-apdu\"\nsw = \"9000\"\nle = 3",
            "unknown field `le`",
        ),
        (
            "kind = \"tlv\"\noctets = \"00\"\nsw = \"00\"",
            "octets: stand alone, got also sw",
        ),
        (
            "kind = \"c-apdu\"\ncla = \"00\"\nins = \"B0\"\np1 = \"00\"\np2 = \"00\"\nle = 257",
            "le: expected 1 to 256, got 257",
        ),
        (
            "kind = \"report\"\nreport = \"sms-submit-report\"",
            "scts: missing",
        ),
        (
            "kind = \"report\"\nreport = \"sms-deliver-report\"\nst = \"00\"",
            "st: not in this report",
        ),
        (
            "kind = \"mo-tpdu\"\nda = \"44x\"",
            "da: 'x' is not a digit of an address",
        ),
        (
            "kind = \"mo-tpdu\"\nda = \"44\"\n[user_data]\ntext = \"a\"\ndata = \"00\"",
            "user_data: data: cannot stand beside text",
        ),
        (
            "kind = \"mt-tpdu\"\noa = \"44\"\nscts = \"yesterday\"",
            "scts: expected a time such as",
        ),
        (
            "kind = \"mt-tpdu\"\noa = \"44\"\nscts = \"2026-01-31T12:00:00+20:00\"",
            "expected quarters of an hour from UTC, at most 19:45, got +20:00",
        ),
        (
            "kind = \"mt-tpdu\"\noa = \"44\"\nscts = \"2026-01-31T12:00:00-01:10\"",
            "got -01:10",
        ),
        (
            "kind = \"mt-tpdu\"\noa = \"44\"\nscts = \"2100-01-31T12:00:00Z\"",
            "expected a year from 2000 to 2099, got 2100",
        ),
        (
            "kind = \"mo-tpdu\"\nda = \"44\"\nvp = { relative_minutes = 7 }",
            "the nearest being 5 and 10, got 7",
        ),
        (
            "kind = \"mo-tpdu\"\nda = \"44\"\nvp = { relative_minutes = 635041 }",
            "the nearest being 635040, got 635041",
        ),
        (
            "kind = \"command-packet\"\nspi = \"1600\"\nkic = \"12\"\nkid = \"22\"\ntar = \"B00000\"",
            "expected one key set, got 1 in KIc 12 and 2 in KID 22",
        ),
        (
            "kind = \"command-packet\"\nspi = \"1600\"\nkic = \"12\"\nkid = \"02\"\ntar = \"B00000\"",
            "expected one key set, got 1 in KIc 12 and 0 in KID 02",
        ),
        (
            "kind = \"command-packet\"\nspi = \"1200\"\nkic = \"12\"\nkid = \"02\"\ntar = \"B00000\"",
            "no key for the KID that SPI asks for (key set 0 of --keys or --iccid)",
        ),
        (
            "kind = \"smpp\"\ncommand = \"submit\"",
            "command: expected one such as submit_sm, got \"submit\"",
        ),
        (
            "kind = \"applet\"\ntid = \"0102030405060708\"\nctr = 1\nmethod = \"pin\"",
            "mac: missing, and no applet key",
        ),
        (
            "kind = \"applet\"\ntid = \"0102030405060708\"\nctr = -1\nmethod = \"pin\"",
            "invalid value: integer `-1`, expected a number from 0 to 18446744073709551615",
        ),
        (
            "kind = \"applet\"\ntid = \"0102030405060708\"\nctr = \"18446744073709551616\"\nmethod = \"pin\"",
            "invalid value: string \"18446744073709551616\", expected a number from 0 to 18446744073709551615",
        ),
        (
            "kind = \"command-packet\"\nspi = \"0000\"\nkic = \"00\"\nkid = \"00\"\ntar = \"000000\"\ncntr = 1099511627776",
            "cntr: expected at most 1099511627775, got 1099511627776",
        ),
    ] {
        let problem = problem(text);
        assert!(problem.contains(expected), "{text}\n{problem}");
    }
    let long = format!(
        "kind = \"mo-tpdu\"\nda = \"44\"\ndcs = \"04\"\nuser_data = {{ data = \"{}\" }}",
        "00".repeat(141)
    );
    assert_eq!(
        problem(&long),
        "user_data: expected at most 140 octets with the header, got 141"
    );
}
