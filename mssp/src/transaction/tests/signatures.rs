//! Signatures of keys, formats, key references. The signatures are those of `fixtures/pki`, which
//! openssl has made.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::services::{service, with_services};
use super::*;
use crate::{
    config::MacResult,
    pki::{
        cms::{Content, SignedData},
        credential::{Certificates, Credential, Holder, MsspKey},
        x509::Certificate,
    },
};

pub(super) const TEXT: &str = "Sign in? W4SCT";
pub(super) const FI: &str = "http://mss.ficom.fi/TS102204/v1.0.0#";
pub(super) const LOA4: &str = "http://uri.gsma.com/mobileconnect/LoA4";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../fixtures/pki/", $name))
    };
}

/// Signs with what openssl has signed.
struct Openssl {
    on_card: bool,
}

fn file(state: CertificateState) -> SignedData<'static> {
    let octets: &'static [u8] = match state {
        CertificateState::Expired => fixture!("expired.cms"),
        CertificateState::Revoked => fixture!("revoked.cms"),
        CertificateState::Test => fixture!("test.cms"),
        _ => fixture!("ec.cms"),
    };
    SignedData::parse(octets).unwrap()
}

impl Certificates for Openssl {
    fn anchors(&self) -> Vec<Vec<u8>> {
        vec![fixture!("root.cer").to_vec()]
    }

    fn subscriber(&self, _: &Subscriber, state: CertificateState, _: Timestamp) -> Credential {
        let own = file(state).signer().unwrap().der.to_vec();
        Credential {
            holder: if self.on_card {
                Holder::Card
            } else {
                Holder::Mssp(MsspKey::Subscriber)
            },
            chain: vec![own, fixture!("issuer.cer").to_vec()],
            crl: match state {
                CertificateState::CrlMissing => None,
                CertificateState::CrlDamaged => Some(fixture!("root.crl").to_vec()),
                _ => Some(fixture!("issuer.crl").to_vec()),
            },
        }
    }

    fn service(&self, _: Timestamp) -> Credential {
        let rsa = SignedData::parse(fixture!("rsa.cms")).unwrap();
        Credential {
            holder: Holder::Mssp(MsspKey::Service),
            chain: vec![rsa.signer().unwrap().der.to_vec()],
            crl: None,
        }
    }

    fn sign(&self, key: MsspKey, message: &[u8]) -> Vec<u8> {
        assert_eq!(message, TEXT.as_bytes());
        let octets: &'static [u8] = match key {
            MsspKey::Service => fixture!("rsa.cms"),
            MsspKey::Subscriber => fixture!("ec.cms"),
        };
        SignedData::parse(octets).unwrap().signature.to_vec()
    }
}

pub(super) fn world(on_card: bool) -> World {
    let mut world = World::new();
    world.configure(|config| config.certificates = Some(Arc::new(Openssl { on_card })));
    world
}

pub(super) fn request() -> SignatureRequest {
    SignatureRequest {
        profile: Some(LOA4.into()),
        text: TEXT.into(),
        ..SignatureRequest::default()
    }
}

/// The answer of an applet whose key is that of the certificate in this state.
pub(super) fn card(submit: &Submit, state: CertificateState) -> Vec<u8> {
    let challenge = Challenge::parse(&submit.payload).unwrap();
    assert_eq!(
        challenge.digest.map(hex::encode).unwrap(),
        // printf 'Sign in? W4SCT' | sha256sum
        "236a943bbe9eeb71916a42f9b3574f681d664170ead5e54d6b56af271e26424e"
    );
    let view = ChallengeView::new_checked(&submit.payload).unwrap();
    AppletResponse {
        tid: challenge.tid,
        ctr: challenge.ctr,
        result: ResultCode::OK,
        tries_left: 3,
        mac_algorithm: challenge.mac_algorithm,
        signature: file(state).signature.to_vec(),
    }
    .seal(&mac_key(submit), &view.mac())
}

/// Has the request signed by a card; the final answer.
pub(super) fn by_card(
    world: &mut World,
    request: &SignatureRequest,
    state: CertificateState,
) -> Answer {
    let (id, submit) = world.begin(request);
    world.mo(&submit.msisdn, card(&submit, state));
    world.ask(&request.status(&id))
}

pub(super) fn signature(answer: &Answer) -> Vec<u8> {
    STANDARD
        .decode(answer.text("Base64Signature").unwrap())
        .unwrap()
}

fn change(world: &mut World, state: CertificateState) {
    let msisdn = "+447700900002".parse().unwrap();
    world.feed(Input::Certificate { msisdn, state });
}

#[test]
fn the_cards_key_signs_the_text() {
    let mut world = world(true);
    let answer = by_card(&mut world, &request(), CertificateState::Valid);
    assert_eq!(answer.status(), "502");
    let octets = signature(&answer);
    let message = SignedData::parse(&octets).unwrap();
    assert_eq!(message.content, Some(TEXT.as_bytes()));
    assert!(message.signs(Content::Octets(TEXT.as_bytes()), &message.signer().unwrap()));
    // The signer's certificate first, then the one above.
    assert_eq!(message.certificates[1], fixture!("issuer.cer"));
}

/// With a key, what is signed need not be what is read.
#[test]
fn the_user_reads_data_to_be_displayed_and_the_card_signs_data_to_be_signed() {
    let mut world = world(true);
    let request = SignatureRequest {
        more: &[("mss:DataToBeDisplayed", "Contract 4711, 12 pages")],
        ..request()
    };
    let (id, submit) = world.begin(&request);
    let challenge = Challenge::parse(&submit.payload).unwrap();
    assert_eq!(challenge.text.to_string(), "Contract 4711, 12 pages");
    // `card` holds the digest against that of DataToBeSigned.
    world.mo(&submit.msisdn, card(&submit, CertificateState::Valid));
    let answer = world.ask(&request.status(&id));
    assert_eq!(answer.status(), "502");
    let octets = signature(&answer);
    let message = SignedData::parse(&octets).unwrap();
    assert_eq!(message.content, Some(TEXT.as_bytes()));
}

/// A MAC is over what is read, and over the digest of what is signed if that is something else.
#[test]
fn with_a_mac_the_challenge_holds_what_is_signed_beside_what_is_read() {
    let begin = |more| {
        let request = SignatureRequest {
            text: "nonce 8c1d".into(),
            more,
            ..SignatureRequest::default()
        };
        let mut world = World::new();
        let (id, submit) = world.begin(&request);
        let challenge = Challenge::parse(&submit.payload).unwrap();
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        let answer = world.ask(&request.status(&id));
        assert_eq!(answer.status(), "502");
        assert_eq!(signature(&answer).len(), 8, "the MAC");
        (challenge.text.to_string(), challenge.digest)
    };
    let read = "nonce 8c1d".to_owned();
    assert_eq!(begin(&[]), (read.clone(), None));
    assert_eq!(
        begin(&[("mss:DataToBeDisplayed", "nonce 8c1d")]),
        (read, None)
    );
    let (read, digest) = begin(&[("mss:DataToBeDisplayed", "Log in?")]);
    assert_eq!(read, "Log in?");
    // printf 'nonce 8c1d' | sha256sum
    assert_eq!(
        hex::encode(digest.unwrap()),
        "d1c59a659abb071c30df0b17d34b33ebc90d6f1673caaf0bc1d14f23e9066ae6"
    );
}

#[test]
fn a_signature_is_judged_by_the_state_of_its_certificate() {
    for (state, code) in [
        (CertificateState::Valid, 502),
        (CertificateState::Revoked, 501),
        (CertificateState::Expired, 503),
        (CertificateState::Test, 505),
    ] {
        let mut world = world(true);
        change(&mut world, state);
        let answer = by_card(&mut world, &request(), state);
        assert_eq!(answer.status(), code.to_string(), "{state:?}");
        assert!(!signature(&answer).is_empty());
    }
    for (state, code) in [
        (CertificateState::CrlMissing, 423),
        (CertificateState::CrlDamaged, 425),
    ] {
        let mut world = world(true);
        change(&mut world, state);
        assert_eq!(
            by_card(&mut world, &request(), state).fault(),
            code,
            "{state:?}"
        );
    }
    let mut world = world(true);
    // The CRL of the fixtures ends with 2026.
    world.now = "2027-02-01T00:00:00Z".parse().unwrap();
    assert_eq!(
        by_card(&mut world, &request(), CertificateState::Valid).fault(),
        424
    );
}

#[test]
fn a_certificate_that_is_revoked_while_the_user_reads_is_revoked() {
    let mut world = world(true);
    let (id, submit) = world.begin(&request());
    change(&mut world, CertificateState::Revoked);
    world.mo(&submit.msisdn, card(&submit, CertificateState::Revoked));
    assert_eq!(world.ask(&request().status(&id)).status(), "501");
}

#[test]
fn a_signature_of_another_key_is_503() {
    let mut world = world(true);
    let answer = by_card(&mut world, &request(), CertificateState::Revoked);
    assert_eq!(answer.status(), "503");
    assert!(
        answer
            .text("detail")
            .unwrap()
            .contains("not one of the key")
    );
}

#[test]
fn an_applet_that_does_not_sign_is_an_internal_error() {
    let mut world = world(true);
    let id = world.signed(&request());
    let answer = world.ask(&request().status(&id));
    assert_eq!(answer.fault(), 900);
    assert!(answer.detail().contains("was to sign"));
}

#[test]
fn without_key_or_certificate_the_user_is_not_asked() {
    for (state, code) in [
        (CertificateState::NoKey, 404),
        (CertificateState::NoCertificate, 422),
    ] {
        let mut world = world(true);
        change(&mut world, state);
        assert_eq!(world.ask(&request().to_xml()).fault(), code);
        // A MAC needs neither.
        let mac = SignatureRequest {
            ap_trans_id: "A2".into(),
            ..SignatureRequest::default()
        };
        assert_eq!(world.ask(&mac.to_xml()).status(), "100");
    }
}

#[test]
fn a_key_at_the_mssp_signs_once_the_card_has_agreed() {
    let mut world = world(false);
    let (id, submit) = world.begin(&request());
    let challenge = Challenge::parse(&submit.payload).unwrap();
    assert_eq!(challenge.digest, None);
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let answer = world.ask(&request().status(&id));
    assert_eq!(answer.status(), "502");
    let octets = signature(&answer);
    assert!(SignedData::parse(&octets).unwrap().signer().is_some());
}

#[test]
fn the_format_decides_what_is_around_a_signature() {
    let value = file(CertificateState::Valid).signature.to_vec();
    let with = |format: &str| {
        let request = SignatureRequest {
            format: Some(format.to_owned()),
            ..request()
        };
        let mut world = world(true);
        by_card(&mut world, &request, CertificateState::Valid)
    };
    for format in ["PKCS7", "CMS-Signature"] {
        let answer = with(&format!("http://uri.etsi.org/TS102204/v1.1.2#{format}"));
        let octets = signature(&answer);
        assert_eq!(SignedData::parse(&octets).unwrap().signature, value);
    }
    let bare = with("http://www.methics.fi/KiuruMSSP/v3.2.0#PKCS1");
    assert_eq!(signature(&bare), value);
    let answer = with(&format!("{FI}PKCS1"));
    let root = answer.root();
    let pkcs1 = find(&root, "PKCS1").unwrap();
    assert_eq!(pkcs1.ns.as_deref(), Some(FI));
    let part = |name: &str| {
        let part = pkcs1.elements().find(|e| e.local == name).unwrap();
        assert_eq!(part.ns.as_deref(), Some(FI));
        STANDARD.decode(part.text().as_bytes()).unwrap()
    };
    assert_eq!(part("SignatureValue"), value);
    assert_eq!(
        Certificate::parse(&part("X509Certificate")).unwrap().serial,
        [0x10, 0x03]
    );
}

#[test]
fn a_format_that_does_not_fit_is_101() {
    let fault = |profile: &str, format: &str, strict: bool| {
        let mut world = world(true);
        world.configure(|config| config.strict = strict);
        let request = SignatureRequest {
            profile: Some(format!("http://uri.gsma.com/mobileconnect/{profile}")),
            format: Some(format.to_owned()),
            ..request()
        };
        let answer = world.ask(&request.to_xml());
        (answer.0.status() != StatusCode::OK).then(|| answer.fault())
    };
    let pkcs7 = "http://uri.etsi.org/TS102204/v1.1.2#PKCS7";
    let pkcs1 = &format!("{FI}PKCS1");
    let xml = "http://uri.etsi.org/TS102204/v1.1.2#XML-Signature";
    assert_eq!(fault("LoA3", pkcs7, false), None);
    assert_eq!(fault("LoA3", pkcs7, true), Some(101));
    assert_eq!(fault("LoA3", pkcs1, false), Some(101));
    assert_eq!(fault("LoA4", pkcs7, true), None);
    assert_eq!(fault("LoA4", xml, false), Some(101));
}

#[test]
fn an_ap_that_knows_no_macs_gets_a_signature_of_the_mssp() {
    let mut world = world(true);
    world.configure(|config| config.aps[0].mac_result = Some(MacResult::ServerSigned));
    let request = SignatureRequest {
        text: TEXT.into(),
        ..SignatureRequest::default()
    };
    let id = world.signed(&request);
    let answer = world.ask(&request.status(&id));
    assert_eq!(answer.status(), "502");
    let octets = signature(&answer);
    let message = SignedData::parse(&octets).unwrap();
    assert!(message.signs(Content::Octets(TEXT.as_bytes()), &message.signer().unwrap()));

    let other = SignatureRequest {
        ap_id: "http://midsim.test/other".into(),
        ap_pwd: Some("other".into()),
        ..request
    };
    let id = world.signed(&other);
    assert_eq!(signature(&world.ask(&other.status(&id))).len(), 8);
}

/// The user signs; by then the key, or its certificate, is gone.
#[test]
fn a_key_that_is_taken_away_while_the_user_reads_signs_nothing() {
    for (state, code) in [
        (CertificateState::NoKey, 404),
        (CertificateState::NoCertificate, 422),
    ] {
        for on_card in [true, false] {
            let mut world = world(on_card);
            let (id, submit) = world.begin(&request());
            change(&mut world, state);
            let response = match on_card {
                true => card(&submit, CertificateState::Valid),
                false => applet(&submit, ResultCode::OK),
            };
            world.mo(&submit.msisdn, response);
            let answer = world.ask(&request().status(&id));
            assert_eq!(answer.fault(), code, "{state:?}, on the card: {on_card}");
        }
    }
}

/// FiCom and Swisscom: 500 unless `validate` is asked for.
#[test]
fn some_deployments_validate_only_on_request() {
    let profile = "http://mss.ficom.fi/TS102206/v1.0.0/signature-profile.xml";
    let result = |services: &str| {
        let mut world = world(false);
        world.configure(|config| config.dialect = Dialect::Ficom);
        change(&mut world, CertificateState::Revoked);
        let request = SignatureRequest {
            profile: Some(profile.into()),
            ..request()
        };
        let (id, step) = world.post(&with_services(&request, services));
        let id = answer(&step, id).unwrap().mssp_trans_id();
        let submit = submitted(&step);
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        world.ask(&request.status(&id)).status()
    };
    assert_eq!(result(""), "500");
    // The signature is that of another certificate's key.
    assert_eq!(result(&service(&format!("{FI}validate"), "")), "503");
}

#[test]
fn a_key_reference_must_be_true_of_the_key() {
    let with = |inner: &str, profile: &str| {
        let request = SignatureRequest {
            profile: Some(format!("http://uri.gsma.com/mobileconnect/{profile}")),
            ..request()
        };
        let xml = request.to_xml().replace(
            "</MSS_SignatureReq>",
            &format!("<mss:KeyReference>{inner}</mss:KeyReference></MSS_SignatureReq>"),
        );
        let answer = world(true).ask(&xml);
        match answer.0.status() {
            StatusCode::OK => 0,
            _ => answer.fault(),
        }
    };
    let hash = |name: &str, of: &[u8], algorithm| {
        let hash = ring::digest::digest(algorithm, of);
        format!(
            "<mss:{name}><d:DigestValue xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">{}</d:DigestValue></mss:{name}>",
            STANDARD.encode(hash)
        )
    };
    let own = file(CertificateState::Valid).signer().unwrap();
    let issuer = Certificate::parse(fixture!("issuer.cer")).unwrap();
    let sha1 = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
    let sha256 = &ring::digest::SHA256;
    let (own, above) = (own.public_key.octets(), issuer.public_key.octets());
    for good in [
        String::new(),
        hash("HashOfUsersPublicKey", own, sha1),
        hash("HashOfUsersPublicKey", own, sha256),
        hash("HashOfCAPublicKey", above, sha256),
        "<mss:CertificateIssuerDN>o=midsim TEST ONLY, cn=Fixture issuer TEST ONLY</mss:CertificateIssuerDN>"
            .to_owned(),
    ] {
        assert_eq!(with(&good, "LoA4"), 0, "{good}");
    }
    for wrong in [
        hash("HashOfUsersPublicKey", above, sha256),
        hash("HashOfCAPublicKey", own, sha256),
        "<mss:CertificateIssuerDN>CN=Nobody</mss:CertificateIssuerDN>".to_owned(),
    ] {
        assert_eq!(with(&wrong, "LoA4"), 404, "{wrong}");
    }
    assert_eq!(
        with("<mss:CertificateURL>ldap://x</mss:CertificateURL>", "LoA4"),
        405
    );
    assert_eq!(with("", "LoA3"), 404);
}
