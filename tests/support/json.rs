//! The JSON twin of the messages of TS 102 204, as no good client sends it, from named generators.

use serde_json::{Value, json};

use super::envelopes::Dice;

/// A good request of the JSON twin.
pub(crate) fn good_json() -> Value {
    json!({ "MSS_SignatureReq": {
        "MajorVersion": "1", "MinorVersion": "1", "MessagingMode": "asynch", "TimeOut": "80",
        "AP_Info": {
            "AP_ID": "http://midsim.test/ap", "AP_PWD": "midsim-ap", "AP_TransID": "J1", "Instant": "2026-11-22T10:30:00Z",
        },
        "MSSP_Info": { "MSSP_ID": {} },
        "MobileUser": { "MSISDN": "447700900002" },
        "DataToBeSigned": { "Data": "Log in to Example Bank?", "MimeType": "text/plain", "Encoding": "UTF-8" },
        "SignatureProfile": "http://uri.gsma.com/mobileconnect/LoA3",
        "AdditionalServices": [{
            "Description": "http://mss.ficom.fi/TS102204/v1.0.0#userLang", "UserLang": { "Value": "en" },
        }],
    } })
}

type JsonGenerator = fn(&str, &mut Dice) -> Vec<u8>;

/// What is done to it.
pub(crate) const JSON_GENERATORS: [(&str, JsonGenerator); 6] = [
    ("truncation", |good, dice| {
        good.as_bytes()[..dice.roll(good.len())].to_vec()
    }),
    ("octets", |good, dice| {
        let mut octets = good.as_bytes().to_vec();
        for _ in 0..=dice.roll(6) {
            let at = dice.roll(octets.len());
            octets[at] = dice.roll(256) as u8;
        }
        octets
    }),
    ("nesting", |good, dice| {
        let depth = dice.size(&[10, 60, 64, 127, 128, 1000], &[100_000]);
        let (open, close) = dice.pick(&[("[", "]"), ("{\"a\":", "}")]);
        let bomb = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        good.replacen("\"J1\"", &bomb, 1).into()
    }),
    ("members", |good, dice| {
        let count = dice.size(&[10, 70, 300], &[20_000]);
        let members: String = (0..count).map(|n| format!("\"m{n}\":\"\",")).collect();
        good.replacen('{', &format!("{{{members}"), 1 + dice.roll(3))
            .into()
    }),
    ("members doubled", |good, dice| {
        let double = dice.pick(&[
            "\"AP_PWD\":\"midsim-ap\",",
            "\"TimeOut\":\"80\",",
            "\"Data\":\"x\",",
        ]);
        good.replace(
            double.trim_end_matches(','),
            &format!("{double}{double}\"z\":\"\""),
        )
        .into()
    }),
    ("values", |good, dice| {
        let (what, with) = dice.pick(&[
            ("\"80\"", "80"),
            ("\"80\"", "1e999"),
            ("\"80\"", "null"),
            ("\"80\"", "\"\\ud800\""),
            ("\"1\"", "true"),
            ("\"J1\"", "\"<AP_Info/>\""),
            ("\"J1\"", "\"\\u0000\""),
            ("\"asynch\"", "[\"asynch\"]"),
            ("MSS_SignatureReq", "MSS_Signature><x"),
            ("MSS_SignatureReq", ""),
            ("\"MSSP_ID\":{}", "\"MSSP_ID\":[]"),
            ("Description", "$text"),
            ("Description", "@xmlns"),
            ("UserLang", "fi:UserLang xmlns"),
        ]);
        good.replace(what, with).into()
    }),
];
