//! Envelopes that no good client sends, from named generators. The test sends ten thousand of them to an MSSP; the bench
//! `mssp-hostile` looks for the slowest.

#[path = "hostile.rs"]
mod hostile;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use ota_wire::applet::MacAlgorithm;
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{MasterKey, applet_mac_key};
use ota_wire::secret::Secret;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// Makes one envelope of a good one.
pub(crate) type Generator = fn(&str, &mut Dice) -> Vec<u8>;

/// By name.
pub(crate) const GENERATORS: [(&str, Generator); 22] = [
    ("truncation", truncation),
    ("bit flips", bit_flips),
    ("octets", octets),
    ("element swaps", element_swaps),
    ("elements dropped", elements_dropped),
    ("elements doubled", elements_doubled),
    ("nesting", nesting),
    ("attribute bomb", attribute_bomb),
    ("attribute doubled", attribute_doubled),
    ("xmlns bomb", xmlns_bomb),
    ("xmlns nested", xmlns_nested),
    ("namespace tricks", namespace_tricks),
    ("doctype", doctype),
    ("references", references),
    ("encodings", encodings),
    ("markup", markup),
    ("many elements", many_elements),
    ("long text", long_text),
    ("two of a kind", two_of_a_kind),
    ("values", values),
    ("header blocks", hostile::header_blocks),
    ("data", hostile::data),
];

/// A good request of each operation.
pub(crate) fn good() -> Vec<String> {
    let user = "<mss:MobileUser><mss:MSISDN>+447700900002</mss:MSISDN></mss:MobileUser>";
    let methods = [
        "MSS_Signature",
        "MSS_Registration",
        "MSS_Notification",
        "MSS_ProfileQuery",
        "MSS_Receipt",
        "MSS_Status",
    ]
    .map(|name| format!(" {name}=\"true\""))
    .concat();
    [
        ("MSS_Signature", "MSS_SignatureReq", " MessagingMode=\"asynchClientServer\" TimeOut=\"80\"", format!(
            "{user}<mss:DataToBeSigned MimeType=\"text/plain\" Encoding=\"UTF-8\">Log in to Example Bank?\
             </mss:DataToBeSigned><mss:SignatureProfile><mss:mssURI>http://uri.gsma.com/mobileconnect/LoA3\
             </mss:mssURI></mss:SignatureProfile>"
        )),
        ("MSS_StatusQuery", "MSS_StatusReq", " MSSP_TransID=\"M1\"", String::new()),
        ("MSS_Receipt", "MSS_ReceiptReq", " MSSP_TransID=\"M1\"", format!(
            "{user}<mss:Status><mss:StatusCode Value=\"100\"/></mss:Status><mss:Message>Done</mss:Message>"
        )),
        ("MSS_Registration", "MSS_RegistrationReq", "", format!(
            "{user}<mss:X509Certificate>AAEC</mss:X509Certificate>"
        )),
        ("MSS_ProfileQuery", "MSS_ProfileReq", "", format!("{user}<mss:Params>sscds</mss:Params>")),
        ("MSS_Handshake", "MSS_HandshakeReq", "", format!(
            "<mss:SecureMethods{methods}/><mss:Certificates><mss:Certificate>AAEC</mss:Certificate></mss:Certificates>\
             <mss:RootCAs><mss:DN>CN=Test</mss:DN></mss:RootCAs><mss:SignatureAlgList/>"
        )),
    ]
    .into_iter()
    .map(|(operation, message, attributes, body)| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><env:Envelope \
             xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\"><env:Header/><env:Body><{operation}>\
             <mss:{message} MajorVersion=\"1\" MinorVersion=\"1\"{attributes}><mss:AP_Info \
             AP_ID=\"http://midsim.test/ap\" AP_TransID=\"A1\" AP_PWD=\"midsim-ap\" \
             Instant=\"2026-11-22T10:30:00Z\"/><mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>{body}</mss:{message}>\
             </{operation}></env:Body></env:Envelope>"
        )
    })
    .collect()
}

/// Chance that is the same in every run.
pub(crate) struct Dice(ChaCha12Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// From 0 up to, not including, `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        (self.0.next_u64() % sides.max(1) as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    /// One of the ordinary sizes; once in forty times, one of the large ones, which take their time.
    pub(crate) fn size(&mut self, ordinary: &[usize], large: &[usize]) -> usize {
        if self.roll(40) == 0 {
            self.pick(large)
        } else {
            self.pick(ordinary)
        }
    }
}

/// An MSSP without records that knows everybody.
pub(crate) struct Target {
    mssp: mssp::Mssp,
    dice: ChaCha12Rng,
}

struct Everybody(MasterKey);

impl mssp::Directory for Everybody {
    fn subscriber(&self, msisdn: &Msisdn) -> Option<mssp::Subscriber> {
        Some(mssp::Subscriber::new(
            msisdn.clone(),
            Iccid::with_check_digit("894477009000000002").ok()?,
        ))
    }

    fn mac_key(&self, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret {
        applet_mac_key(&self.0, iccid, algorithm)
    }
}

struct Empty;

impl mssp::View for Empty {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn scan(&self, _: &str) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

impl Target {
    pub(crate) fn new(strict: bool) -> Self {
        let directory = Arc::new(Everybody(MasterKey::new([0x5A; 32])));
        let mut config = mssp::Config::new("http://midsim.test/mssp", directory);
        let password = Secret::new(b"midsim-ap".to_vec());
        config.aps = vec![mssp::Ap::new("http://midsim.test/ap", password)];
        config.strict = strict;
        Self {
            mssp: mssp::Mssp::new(config),
            dice: ChaCha12Rng::seed_from_u64(0),
        }
    }

    /// POSTs to `path`. Gives the answer, and what a viewer of the trace is shown.
    pub(crate) fn post(&mut self, path: &str, body: Vec<u8>) -> (http::Response<Bytes>, usize) {
        // The time is as good as any other.
        let now = Timestamp::UNIX_EPOCH;
        let content_type = if path.starts_with("/rest") {
            "application/json"
        } else {
            "application/soap+xml; charset=utf-8"
        };
        let request = Request::post(path)
            .header("content-type", content_type)
            .body(Bytes::from(body));
        let input = mssp::Input::Http {
            id: mssp::RequestId(1),
            request: request.unwrap_or_default(),
        };
        let step = self.mssp.step(&Empty, input, now, &mut self.dice);
        let shown = step
            .events
            .iter()
            .map(|event| event.row().fields.len())
            .sum();
        let answer = step.outputs.into_iter().find_map(|output| match output {
            mssp::Output::Reply { response, .. } => Some(response),
            _ => None,
        });
        (answer.unwrap_or_default(), shown)
    }
}

fn truncation(good: &str, dice: &mut Dice) -> Vec<u8> {
    good.as_bytes()[..dice.roll(good.len())].to_vec()
}

fn bit_flips(good: &str, dice: &mut Dice) -> Vec<u8> {
    let mut octets = good.as_bytes().to_vec();
    for _ in 0..=dice.roll(8) {
        let at = dice.roll(octets.len());
        octets[at] ^= 1 << dice.roll(8);
    }
    octets
}

fn octets(good: &str, dice: &mut Dice) -> Vec<u8> {
    let mut octets = good.as_bytes().to_vec();
    let at = dice.roll(octets.len());
    let end = at + dice.roll((octets.len() - at).min(40));
    let random: Vec<u8> = (0..dice.roll(40)).map(|_| dice.roll(256) as u8).collect();
    octets.splice(at..end, random);
    octets
}

/// Where elements that have no elements in them begin and end.
fn leaves(good: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, _) in good.match_indices('<') {
        let rest = &good[start..];
        let Some(close) = rest.find('>') else { break };
        let tag = &rest[1..close];
        if tag.starts_with(['/', '?']) {
            continue;
        }
        if tag.ends_with('/') {
            found.push((start, start + close + 1));
            continue;
        }
        let name = tag.split(' ').next().unwrap_or_default();
        let end = format!("</{name}>");
        if let Some(at) = rest.find(&end) {
            found.push((start, start + at + end.len()));
        }
    }
    found
}

fn element_swaps(good: &str, dice: &mut Dice) -> Vec<u8> {
    let leaves = leaves(good);
    let (first, second) = (dice.pick(&leaves), dice.pick(&leaves));
    let (first, second) = (first.min(second), first.max(second));
    if first.1 > second.0 {
        // One is in the other: put the inner one in its place.
        return [
            &good[..first.0],
            &good[second.0..second.1],
            &good[first.1..],
        ]
        .concat()
        .into();
    }
    [
        &good[..first.0],
        &good[second.0..second.1],
        &good[first.1..second.0],
        &good[first.0..first.1],
        &good[second.1..],
    ]
    .concat()
    .into()
}

fn elements_dropped(good: &str, dice: &mut Dice) -> Vec<u8> {
    let (start, end) = dice.pick(&leaves(good));
    [&good[..start], &good[end..]].concat().into()
}

fn elements_doubled(good: &str, dice: &mut Dice) -> Vec<u8> {
    let (start, end) = dice.pick(&leaves(good));
    let times = dice.pick(&[1, 2, 100]);
    let copies = good[start..end].repeat(times);
    [&good[..end], &copies, &good[end..]].concat().into()
}

/// Puts something into the message, behind its head or before its end.
fn inserted(good: &str, dice: &mut Dice, what: &str) -> Vec<u8> {
    let places = [
        "<mss:MobileUser>",
        "</mss:MSSP_Info>",
        "<env:Header/>",
        "<env:Body>",
    ];
    let place = dice.pick(&places);
    let at = good.find(place).map_or(0, |at| at + place.len());
    [&good[..at], what, &good[at..]].concat().into()
}

fn nesting(good: &str, dice: &mut Dice) -> Vec<u8> {
    let depth = dice.size(&[30, 63, 64, 65, 1000], &[50_000]);
    let open = dice.pick(&["<a>", "<mss:MobileUser>", "<a xmlns=\"urn:a\">"]);
    let name = &open[1..open.find([' ', '>']).unwrap_or(1)];
    let close = format!("</{name}>").repeat(depth);
    inserted(good, dice, &(open.repeat(depth) + &close))
}

fn attribute_bomb(good: &str, dice: &mut Dice) -> Vec<u8> {
    let count = dice.size(&[63, 64, 65, 1000], &[20_000]);
    let attributes: String = (0..count).map(|n| format!(" a{n}=\"\"")).collect();
    good.replacen("<mss:AP_Info", &format!("<mss:AP_Info{attributes}"), 1)
        .into()
}

fn attribute_doubled(good: &str, dice: &mut Dice) -> Vec<u8> {
    let double = dice.pick(&[
        " AP_ID=\"http://midsim.test/ap\"",
        " xmlns:a=\"urn:a\" xmlns:b=\"urn:a\" a:x=\"1\" b:x=\"2\"",
        " mss:AP_ID=\"http://midsim.test/ap\"",
        " AP_PWD='midsim-ap' AP_PWD=\"\"",
    ]);
    good.replacen("<mss:AP_Info", &format!("<mss:AP_Info{double}"), 1)
        .into()
}

fn xmlns_bomb(good: &str, dice: &mut Dice) -> Vec<u8> {
    let count = dice.size(&[60, 100, 129], &[5000]);
    let length = dice.pick(&[1, 100, 600]);
    let long = "u".repeat(length);
    let declarations: String = (0..count)
        .map(|n| format!(" xmlns:p{n}=\"urn:{long}{n}\""))
        .collect();
    good.replacen("<env:Envelope", &format!("<env:Envelope{declarations}"), 1)
        .into()
}

fn xmlns_nested(good: &str, dice: &mut Dice) -> Vec<u8> {
    let depth = dice.size(&[10, 40, 60, 200], &[3000]);
    let open: String = (0..depth)
        .map(|n| format!("<a xmlns:p{n}=\"urn:{n}\" xmlns=\"urn:d{n}\">"))
        .collect();
    inserted(good, dice, &(open + &"</a>".repeat(depth)))
}

fn namespace_tricks(good: &str, dice: &mut Dice) -> Vec<u8> {
    let (what, with) = dice.pick(&[
        ("xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\"", ""),
        ("http://uri.etsi.org/TS102204/v1.1.2#", ""),
        (
            "http://uri.etsi.org/TS102204/v1.1.2#",
            "http://uri.etsi.org/TS102204/v1.1.3#",
        ),
        ("xmlns:mss=", "xmlns:xml="),
        ("xmlns:mss=", "xmlns:xmlns="),
        ("xmlns:mss=", "xmlns="),
        (
            "http://www.w3.org/2003/05/soap-envelope",
            "http://schemas.xmlsoap.org/soap/envelope/",
        ),
        (
            "http://www.w3.org/2003/05/soap-envelope",
            "http://www.w3.org/2001/12/soap-envelope",
        ),
        (
            "<mss:MobileUser>",
            "<mss:MobileUser xmlns:mss=\"urn:other\">",
        ),
        ("mss:", "x:"),
        ("mss:", ""),
        ("mss:", "mss:mss:"),
        ("mss:", ":"),
        ("env:Body", "mss:Body"),
        (
            "<env:Body>",
            "<env:Body xmlns=\"http://www.w3.org/XML/1998/namespace\">",
        ),
        (
            "<env:Header/>",
            "<env:Header><x:y xmlns:x=\"urn:x\" env:mustUnderstand=\"1\"/></env:Header>",
        ),
    ]);
    good.replace(what, with).into()
}

fn doctype(good: &str, dice: &mut Dice) -> Vec<u8> {
    let declaration = dice.pick(&[
        "<!DOCTYPE x>",
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>",
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE x [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/\"> %p;]>",
        "<!DOCTYPE x [<!ATTLIST x y CDATA \"z\">]>",
        "<!doctype x>",
        "<!DOCTYPE x [",
    ]);
    let entity = dice.pick(&["Log in", "&c;", "&a;"]);
    good.replacen("?>", &format!("?>{declaration}"), 1)
        .replace("Log in", entity)
        .into()
}

fn references(good: &str, dice: &mut Dice) -> Vec<u8> {
    let reference = dice.pick(&[
        "&unknown;",
        "&amp",
        "&;",
        "&#0;",
        "&#x0;",
        "&#xFFFFFFFFFF;",
        "&#xD800;",
        "&#-1;",
        "&#x;",
        "&#65;",
        "&#x41;",
        "&lt;&gt;&amp;",
        "&#xFFFF;",
        "&&",
    ]);
    let place = dice.pick(&["Log in", "+4477", "A1", "midsim", "text/plain"]);
    good.replace(place, reference).into()
}

fn encodings(good: &str, dice: &mut Dice) -> Vec<u8> {
    match dice.roll(7) {
        0 => good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => [0xFE, 0xFF]
            .into_iter()
            .chain(good.encode_utf16().flat_map(u16::to_be_bytes))
            .collect(),
        2 => good.replace("UTF-8\"?>", "ISO-8859-1\"?>").into(),
        3 => {
            let mut octets = good.as_bytes().to_vec();
            octets.insert(
                dice.roll(octets.len()),
                dice.pick(&[0xFF, 0xC0, 0xE9, 0x80]),
            );
            octets
        }
        4 => format!("\u{FEFF}{good}").into(),
        5 => good.replace("UTF-8\"?>", "utf-7\"?>").into(),
        _ => good.replace("Log in", "Log\u{0}in").into(),
    }
}

fn markup(good: &str, dice: &mut Dice) -> Vec<u8> {
    let what = dice.pick(&[
        "<!-- -->",
        "<!---->",
        "<!-- -- -->",
        "<![CDATA[x]]>",
        "<![CDATA[",
        "]]>",
        "<?php x?>",
        "<?xml version=\"1.0\"?>",
        "text",
        "<",
        ">",
        "</a>",
        "<a",
        "<a/>",
        "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" \
        href=\"file:///etc/passwd\"/>",
        "<a b=c/>",
        "<a b=\"<\"/>",
        "\u{1}",
        "\u{FFFE}",
    ]);
    inserted(good, dice, what)
}

fn many_elements(good: &str, dice: &mut Dice) -> Vec<u8> {
    let count = dice.size(&[10, 100, 300], &[9_000, 11_000, 100_000]);
    let element = dice.pick(&["<a/>", "<mss:MSISDN>1</mss:MSISDN>", "<!---->", "<b>x</b>"]);
    inserted(good, dice, &element.repeat(count))
}

fn long_text(good: &str, dice: &mut Dice) -> Vec<u8> {
    let length = dice.size(&[250, 600, 3000], &[1_000_000, 1_050_000]);
    let text = dice.pick(&["x", "&amp;", " ", "é"]).repeat(length);
    let place = dice.pick(&["Log in", "+4477", "A1", "1.0"]);
    good.replacen(place, &text, 1).into()
}

fn two_of_a_kind(good: &str, dice: &mut Dice) -> Vec<u8> {
    let body = good.find("<env:Body>").unwrap_or_default();
    let end = good.rfind("</env:Envelope>").unwrap_or(good.len());
    let inner = &good[body + "<env:Body>".len()..end - "</env:Body>".len()];
    match dice.roll(6) {
        0 => good.replace(
            "</env:Envelope>",
            &format!("{}</env:Envelope>", &good[body..end]),
        ),
        1 => good.replace(inner, &inner.repeat(2)),
        2 => good.replace("<env:Header/>", "<env:Header/><env:Header/>"),
        3 => format!("{good}{}", &good[good.find("?>").unwrap_or(0) + 2..]),
        4 => format!("{good}{good}"),
        _ => good.replace("<env:Header/>", &good[body..end]),
    }
    .into()
}

fn values(good: &str, dice: &mut Dice) -> Vec<u8> {
    let (what, with) = dice.pick(&[
        (
            "MajorVersion=\"1\"",
            "MajorVersion=\"99999999999999999999\"",
        ),
        ("MajorVersion=\"1\"", "MajorVersion=\"-1\""),
        ("MinorVersion=\"1\"", "MinorVersion=\"1.0\""),
        ("TimeOut=\"80\"", "TimeOut=\"-5\""),
        ("TimeOut=\"80\"", "TimeOut=\"18446744073709551616\""),
        ("2026-11-22T10:30:00Z", "-9999-01-01T00:00:00Z"),
        ("2026-11-22T10:30:00Z", "2026-11-22T24:00:00Z"),
        ("2026-11-22T10:30:00Z", "9999-12-31T23:59:60+14:00"),
        ("+447700900002", "+"),
        ("+447700900002", "00000000000000000000000000"),
        ("+447700900002", "٤٤٧٧٠٠٩٠٠٠٠٢"),
        ("asynchClientServer", "ASYNCH"),
        ("AP_TransID=\"A1\"", "AP_TransID=\"../../A1\""),
        ("MSSP_TransID=\"M1\"", "MSSP_TransID=\"txn/M1\""),
        ("AAEC", "===="),
        ("AAEC", "A"),
        ("\"true\"", "\"TRUE\""),
        ("Value=\"100\"", "Value=\"99999\""),
        ("text/plain", "text/plain; charset=utf-16"),
        ("UTF-8\">", "base64\">"),
    ]);
    good.replace(what, with).into()
}
