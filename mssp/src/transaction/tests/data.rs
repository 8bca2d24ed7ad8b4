//! DataToBeSigned that is no text: octets, and digests of what only the AP has.

use super::signatures::{TEXT, by_card, card, request, signature, world};
use super::*;
use crate::{
    config::MacResult,
    dialect::Dialect,
    pki::cms::{Content, SignedData},
};

/// printf 'Sign in? W4SCT' | openssl dgst -sha256 -binary | base64
const DIGEST: &str = "I2qUO76e63GRakL5s1dPaB1mQXDq1eVNa1avJx4mQk4=";
/// printf 'Sign in? W4SCT' | base64
const OCTETS: &str = "U2lnbiBpbj8gVzRTQ1Q=";

fn of(mime: &str, text: &str) -> SignatureRequest {
    SignatureRequest {
        text: text.into(),
        mime: Some(mime.into()),
        encoding: Some("base64".into()),
        ..request()
    }
}

fn screen(submit: &Submit) -> String {
    Challenge::parse(&submit.payload).unwrap().text.to_string()
}

/// `card` holds the digest of the challenge against that of the text; the signature is openssl's.
#[test]
fn a_digest_is_signed_as_it_is_and_its_message_is_external() {
    let mut world = world(true);
    let request = of("application/x-sha256", DIGEST);
    let (id, submit) = world.begin(&request);
    assert_eq!(
        screen(&submit),
        "236a943bbe9eeb71916a42f9b3574f681d664170ead5e54d6b56af271e26424e"
    );
    world.mo(&submit.msisdn, card(&submit, CertificateState::Valid));
    let answer = world.ask(&request.status(&id));
    assert_eq!(answer.status(), "502");
    let octets = signature(&answer);
    let message = SignedData::parse(&octets).unwrap();
    assert_eq!(message.content, None);
    let signer = message.signer().unwrap();
    assert!(message.signs(Content::Octets(TEXT.as_bytes()), &signer));
}

#[test]
fn a_signature_of_another_digest_is_503() {
    let mut world = world(true);
    let request = of("application/x-sha256", &format!("A{}", &DIGEST[1..]));
    let (id, submit) = world.begin(&request);
    let challenge = Challenge::parse(&submit.payload).unwrap();
    let view = ChallengeView::new_checked(&submit.payload).unwrap();
    let text_alone = self::request();
    let mut other = self::world(true);
    let signed = by_card(&mut other, &text_alone, CertificateState::Valid);
    let octets = signature(&signed);
    let response = AppletResponse {
        tid: challenge.tid,
        ctr: challenge.ctr,
        result: ResultCode::OK,
        tries_left: 3,
        mac_algorithm: challenge.mac_algorithm,
        signature: SignedData::parse(&octets).unwrap().signature.to_vec(),
    };
    let response = response.seal(&mac_key(&submit), &view.mac());
    world.mo(&submit.msisdn, response);
    assert_eq!(world.ask(&request.status(&id)).status(), "503");
}

#[test]
fn octets_are_signed_and_stand_in_the_message() {
    let mut world = world(true);
    let request = of("application/octet-stream", OCTETS);
    let (id, submit) = world.begin(&request);
    assert_eq!(screen(&submit), hex::encode(TEXT));
    world.mo(&submit.msisdn, card(&submit, CertificateState::Valid));
    let answer = world.ask(&request.status(&id));
    assert_eq!(answer.status(), "502");
    let octets = signature(&answer);
    let message = SignedData::parse(&octets).unwrap();
    assert_eq!(message.content, Some(TEXT.as_bytes()));
}

/// With something to read there is something to prove, under a MAC too.
#[test]
fn data_to_be_displayed_stands_for_what_nobody_can_read() {
    let more = &[("mss:DataToBeDisplayed", "Contract 4711?")];
    for profile in ["LoA3", "LoA4"] {
        let request = SignatureRequest {
            more,
            profile: Some(format!("http://uri.gsma.com/mobileconnect/{profile}")),
            ..of("application/x-sha256", DIGEST)
        };
        let (_, submit) = world(true).begin(&request);
        assert_eq!(screen(&submit), "Contract 4711?");
        let challenge = Challenge::parse(&submit.payload).unwrap();
        assert_eq!(
            hex::encode(challenge.digest.unwrap()),
            "236a943bbe9eeb71916a42f9b3574f681d664170ead5e54d6b56af271e26424e"
        );
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let loa3 = || Some("http://uri.gsma.com/mobileconnect/LoA3".to_owned());
    let sha1 = of("application/x-sha1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
    let mac = SignatureRequest {
        profile: loa3(),
        ..of("application/x-sha256", DIGEST)
    };
    let shown_octets = SignatureRequest {
        encoding: Some("UTF-8".into()),
        ..of("application/octet-stream", OCTETS)
    };
    for (name, request, code) in [
        ("SHA-1", sha1, 107),
        ("a MAC, and nothing to read", mac, 107),
        ("not base64", of("application/x-sha256", "?"), 107),
        ("octets that are not base64", shown_octets, 107),
        (
            "31 octets",
            of("application/x-sha256", &"A".repeat(40)),
            103,
        ),
        ("empty", of("application/octet-stream", " "), 102),
        (
            "120 octets in hexadecimal",
            of("application/octet-stream", &"A".repeat(160)),
            103,
        ),
    ] {
        let answer = world(true).ask(&request.to_xml());
        assert_eq!(answer.fault(), code, "{name}: {}", answer.detail());
    }
    // A key that is not on a card makes its own digests.
    let answer = world(false).ask(&of("application/x-sha256", DIGEST).to_xml());
    assert_eq!(answer.fault(), 107);
    let mut server_signed = world(true);
    server_signed.configure(|config| config.mac_result = MacResult::ServerSigned);
    let request = SignatureRequest {
        profile: loa3(),
        more: &[("mss:DataToBeDisplayed", "Contract 4711?")],
        ..of("application/x-sha256", DIGEST)
    };
    assert_eq!(server_signed.ask(&request.to_xml()).fault(), 107);
}

#[test]
fn ficom_tells_that_by_1016() {
    let mut world = world(true);
    world.configure(|config| config.dialect = Dialect::Ficom);
    let request = SignatureRequest {
        profile: None,
        ..of("application/x-sha1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")
    };
    let answer = world.ask(&request.to_xml());
    assert_eq!(
        (answer.fault(), answer.second().as_deref()),
        (107, Some("fi:_1016"))
    );
    let digestive = SignatureRequest {
        profile: Some("http://mss.ficom.fi/TS102206/v1.0.0/digestive-signature-profile.xml".into()),
        ..of("application/x-sha256", DIGEST)
    };
    assert_eq!(world.ask(&digestive.to_xml()).status(), "100");
}

/// A word beforehand and the MSSP's answer are one.
#[test]
fn a_dialect_says_beforehand_which_texts_it_takes() {
    let texts = [
        ("Sign in?".to_owned(), true),
        ("a".repeat(239), true),
        ("a".repeat(240), false),
        ("\u{6f22}".repeat(119), true),
        ("\u{6f22}".repeat(120), false),
        ("\u{ffe6}".to_owned(), true),
        ("\u{1f600}".to_owned(), false),
        ("\u{a0}".to_owned(), false),
    ];
    for (text, taken) in texts {
        assert_eq!(Dialect::Etsi.takes(&text).is_ok(), taken, "{text:?}");
        let mut world = world(false);
        let request = SignatureRequest {
            text: text.clone(),
            ..request()
        };
        let answer = world.ask(&request.to_xml());
        assert_eq!(answer.0.status() == 200, taken, "{text:?}: {answer:?}");
    }
    assert!(Dialect::Ficom.takes("\u{6f22}").is_err());
    let why = Dialect::Etsi.takes("\u{1f600}").unwrap_err();
    assert!(why.starts_with("has U+1F600"), "{why}");
}
