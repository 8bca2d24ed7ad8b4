use bytes::Bytes;
use ota_wire::trace::{Badge, Id};
use proptest::prelude::*;

use super::*;
use crate::samples::SignatureRequest;

fn requested(body: impl Into<Bytes>) -> Event {
    Event {
        own: Id::mssp_trans_id("M1"),
        parent: Some(Id::ap_trans_id("A1")),
        kind: EventKind::Requested {
            body: Body(body.into()),
            deviations: Vec::new(),
        },
    }
}

/// The octets of an event's message as a viewer may show them.
fn shown(event: &Event) -> String {
    let octets = event.row().octets.expect("octets");
    let shown: Vec<u8> = (0..octets.bytes.len())
        .map(|at| match octets.is_secret(at) {
            true => b'*',
            false => octets.bytes[at],
        })
        .collect();
    String::from_utf8(shown).unwrap()
}

fn request() -> SignatureRequest {
    SignatureRequest {
        ap_url: Some("https://op.test:8443/mss/notify/s3cret?x=s3cret".into()),
        ..SignatureRequest::default()
    }
}

#[test]
fn passwords_and_notification_secrets_are_marked() {
    let event = requested(request().to_xml());
    let text = shown(&event);
    assert!(text.contains("AP_PWD=\"*********\""), "{text}");
    assert!(text.contains("AP_URL=\"https://op.test:8443/*"));
    assert!(!text.contains("midsim-ap") && !text.contains("s3cret"));
    assert!(text.contains("AP_TransID=\"A1\"") && text.contains("+447700900002"));
    let row = format!("{:?}{event:?}", event.row());
    assert!(
        !row.contains("midsim-ap") && !row.contains("s3cret"),
        "{row}"
    );
}

/// Each octet is looked at once, however many passwords are opened and never closed.
#[test]
fn a_body_full_of_open_secrets_has_one_secret() {
    for name in ["AP_PWD>", "AP_URL>"] {
        let octets = requested(name.repeat(500)).row().octets.unwrap();
        let last = name.len()..octets.bytes.len();
        assert_eq!(octets.secrets, [last], "{name}");
    }
}

#[test]
fn secrets_are_marked_in_messages_that_cannot_be_parsed() {
    for (body, expected) in [
        (
            "<a AP_PWD='x1' AP_PWD = \n \"x2\" b='c'",
            "<a AP_PWD='**' AP_PWD = \n \"**\" b='c'",
        ),
        ("<AP_PWD>x1</AP_PWD>", "<AP_PWD>**</AP_PWD>"),
        ("<a ap_pwd='x1", "<a ap_pwd='**"),
        ("<a AP_PWD=x1>", "<a AP_PWD=**>"),
        ("AP_PWD", "AP_PWD"),
        ("AP_URL='nonsense'", "AP_URL='********'"),
        ("AP_URL='http://h'", "AP_URL='http://h'"),
        ("AP_URL='http://u:p@h/x'", "AP_URL='http://*******'"),
    ] {
        assert_eq!(shown(&requested(body)), expected);
    }
    // Another encoding could hide anything.
    let utf16: Vec<u8> = "AP_PWD='ü'"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let shown = shown(&requested(utf16.clone()));
    assert_eq!(shown, "*".repeat(utf16.len()));
}

#[test]
fn a_signature_request_is_step_3_with_its_essentials() {
    let row = requested(request().to_xml()).row();
    assert_eq!(
        (row.step, row.from, row.to, row.name.as_str(), row.badge),
        (Some(3), "OP", "MSSP", "MSS_SignatureReq", Badge::Standard)
    );
    assert_eq!(row.clause, "TS 102 204 §8.2");
    let fields: Vec<_> = row
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("AP_ID", "http://midsim.test/ap"),
            ("AP_TransID", "A1"),
            ("MessagingMode", "asynchClientServer"),
            ("MSISDN", "+447700900002"),
            ("DataToBeSigned", "Log in to Example Bank?"),
            ("SignatureProfile", "http://uri.gsma.com/mobileconnect/LoA3"),
        ]
    );
}

#[test]
fn a_notification_shows_the_host_it_goes_to_and_no_more() {
    let event = Event {
        kind: EventKind::Notified {
            attempt: 2,
            url: Body(Bytes::from_static(
                b"https://op.test:8443/mss/notify/s3cret",
            )),
            body: Body(request().to_xml().into()),
        },
        ..requested("")
    };
    let row = event.row();
    assert_eq!(row.step, Some(14));
    assert!(
        row.fields
            .contains(&("to".into(), "https://op.test:8443/…".into()))
    );
    assert!(row.fields.contains(&("attempt".into(), "2".into())));
    assert!(!format!("{event:?}").contains("s3cret"));
}

#[test]
fn a_message_that_is_none_says_why() {
    let row = requested("<!DOCTYPE a><a/>").row();
    assert_eq!(row.name, "not a SOAP call");
    assert!(row.fields[0].1.contains("DOCTYPE"), "{:?}", row.fields);
    assert_eq!(requested("").row().octets, None);
}

proptest! {
    #[test]
    fn no_truncation_or_flipped_bit_outside_the_password_reveals_it(end in 0usize..2000, at in 0usize..2000, bit in 0u8..8) {
        let mut body = request().to_xml().into_bytes();
        body.truncate(end.max(1));
        let name = body.windows(6).position(|w| w == b"AP_PWD");
        let at = at % body.len();
        // The name of the attribute with what belongs to it may not change: another name is another attribute.
        let untouched = name.is_none_or(|name| !(name..name + 8 + 9).contains(&at));
        if untouched {
            body[at] ^= 1 << bit;
        }
        let event = requested(body);
        if event.row().octets.is_some() {
            let text = shown(&event);
            prop_assert!(!text.contains("midsim-ap"), "{}", text);
        }
    }

    #[test]
    fn any_octets_have_a_row(body: Vec<u8>) {
        requested(body.clone()).row();
        let event = Event {
            kind: EventKind::Responded {
                from: "+447700900002".parse().unwrap(),
                payload: body.clone(),
                verdict: Verdict::Dropped(Why::Unknown),
            },
            ..requested("")
        };
        event.row();
        let event = Event {
            kind: EventKind::Challenged {
                msisdn: "+447700900002".parse().unwrap(),
                payload: body,
            },
            ..requested("")
        };
        event.row();
    }
}
