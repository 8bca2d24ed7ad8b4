//! The files of `fixtures/pki` were made with `openssl ca` and `openssl cms -sign -nodetach -noattr`; each is over the same
//! text, by a key of its own, with the issuer's certificate in it.

use proptest::prelude::*;

use super::cms::{Content, SignedData, signed_data};
use super::credential::TEST_POLICY;
use super::der::{DerError, Element, Reader, element, sequence, tag, unsigned};
use super::key::Algorithm;
use super::validate::{Criteria, Verdict, judge};
use super::x509::{Certificate, Crl, KeyUsage};

const CONTENT: &[u8] = b"Sign in? W4SCT";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../fixtures/pki/", $name))
    };
}

const EC: &[u8] = fixture!("ec.cms");
const RSA: &[u8] = fixture!("rsa.cms");
const ROOT: &[u8] = fixture!("root.cer");
const ISSUER: &[u8] = fixture!("issuer.cer");
const CRL: &[u8] = fixture!("issuer.crl");

fn anchors() -> Vec<Vec<u8>> {
    vec![ROOT.to_vec()]
}

fn criteria(anchors: &[Vec<u8>]) -> Criteria<'_> {
    Criteria {
        content: Content::Octets(CONTENT),
        anchors,
        crl: Some(CRL),
        usage: KeyUsage::NON_REPUDIATION,
        refused_policy: Some(TEST_POLICY),
        now: "2026-06-01T00:00:00Z".parse().unwrap(),
    }
}

fn verdict(message: &[u8]) -> Verdict {
    judge(message, &criteria(&anchors()))
}

fn invalid(verdict: Verdict, why: &str) {
    match verdict {
        Verdict::Invalid(text) => assert!(text.contains(why), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_openssl_signed_is_valid() {
    for (message, algorithm) in [(EC, Algorithm::EcdsaP256), (RSA, Algorithm::RsaPkcs1)] {
        let read = SignedData::parse(message).unwrap();
        assert_eq!(read.content, Some(CONTENT));
        assert_eq!(read.signer().unwrap().public_key.algorithm, algorithm);
        assert_eq!(verdict(message), Verdict::Valid);
    }
}

/// Ours is openssl's, but for what RFC 5652 leaves open: openssl sorts the certificates.
#[test]
fn the_same_parts_make_the_same_message() {
    for message in [EC, RSA] {
        let read = SignedData::parse(message).unwrap();
        let signer = read.signer().unwrap();
        let made = signed_data(Content::Octets(CONTENT), &signer, &[ISSUER], read.signature);
        let again = SignedData::parse(&made).unwrap();
        assert_eq!(again.certificates, [signer.der, ISSUER]);
        assert_eq!(verdict(&made), Verdict::Valid);
        let sorted = |message: &SignedData<'_>| {
            let mut all: Vec<_> = message
                .certificates
                .iter()
                .map(|der| der.to_vec())
                .collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&again), sorted(&read));
        assert_eq!(made.len(), message.len());
    }
}

#[test]
fn a_certificate_that_is_not_valid_now_makes_503() {
    invalid(verdict(fixture!("expired.cms")), "expired at 2021-01-01");
    let anchors = anchors();
    let early = Criteria {
        now: "2019-12-31T23:59:59Z".parse().unwrap(),
        ..criteria(&anchors)
    };
    invalid(judge(EC, &early), "not valid before 2020-01-01");
}

#[test]
fn a_revoked_certificate_makes_501() {
    let verdict = verdict(fixture!("revoked.cms"));
    assert!(matches!(verdict, Verdict::Revoked { .. }), "{verdict:?}");
    assert!(
        verdict.detail().contains("since 2026-11-26"),
        "{}",
        verdict.detail()
    );
    assert_eq!(verdict.code().0, 501);
}

#[test]
fn a_certificate_that_the_profile_does_not_allow_makes_505() {
    for (message, why) in [
        (&fixture!("test.cms")[..], "for tests only"),
        (fixture!("usage.cms"), "keyUsage"),
    ] {
        let verdict = verdict(message);
        assert!(
            matches!(&verdict, Verdict::Constraint(text) if text.contains(why)),
            "{verdict:?}"
        );
        assert_eq!(verdict.code().0, 505);
    }
}

#[test]
fn without_a_usable_crl_nothing_is_known() {
    let anchors = anchors();
    let with = |crl: Option<&[u8]>, now: &str| {
        let by = Criteria {
            crl,
            now: now.parse().unwrap(),
            ..criteria(&anchors)
        };
        judge(EC, &by).code().0
    };
    let june = "2026-06-01T00:00:00Z";
    assert_eq!(with(None, june), 423);
    assert_eq!(with(Some(CRL), "2027-01-01T00:00:01Z"), 424);
    assert_eq!(with(Some(CRL), "2025-12-31T00:00:00Z"), 425);
    assert_eq!(with(Some(fixture!("root.crl")), june), 425);
    assert_eq!(with(Some(b"no CRL"), june), 425);
    let mut damaged = CRL.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(with(Some(&damaged), june), 425);
}

#[test]
fn what_does_not_belong_together_makes_503() {
    let anchors = anchors();
    let other_content = Criteria {
        content: Content::Octets(b"Sign in? W4SCR"),
        ..criteria(&anchors)
    };
    invalid(judge(EC, &other_content), "something else was signed");
    invalid(verdict(fixture!("no-issuer.cms")), "no path");
    let strangers = [ISSUER.to_vec()];
    // The issuer is trusted by itself, without the root.
    assert_eq!(judge(EC, &criteria(&strangers)), Verdict::Valid);
    invalid(judge(EC, &criteria(&[])), "no path");

    let (ec, rsa) = (
        SignedData::parse(EC).unwrap(),
        SignedData::parse(RSA).unwrap(),
    );
    let signer = ec.signer().unwrap();
    let swapped = signed_data(Content::Octets(CONTENT), &signer, &[ISSUER], rsa.signature);
    invalid(verdict(&swapped), "not one of the key");
    let own = Certificate::parse(ROOT).unwrap();
    let stolen = signed_data(Content::Octets(CONTENT), &own, &[], ec.signature);
    invalid(verdict(&stolen), "not one of the key");
    // A subscriber is no authority.
    let rsa_signer = rsa.signer().unwrap();
    assert!(!rsa_signer.is_ca && Certificate::parse(ISSUER).unwrap().is_ca);
    invalid(verdict(b""), "cannot be read");
}

#[test]
fn what_is_not_made_here_is_not_read() {
    for (message, why) in [
        (&fixture!("attributes.cms")[..], "signed attributes"),
        (ROOT, "expected tag 06"),
    ] {
        let error = SignedData::parse(message).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn certificates_and_crls_say_what_openssl_wrote() {
    let issuer = Certificate::parse(ISSUER).unwrap();
    let root = Certificate::parse(ROOT).unwrap();
    assert_eq!(
        (root.serial, issuer.serial),
        (&[0x10, 0x01][..], &[0x10, 0x02][..])
    );
    assert_eq!(issuer.issuer, root.subject);
    assert!(issuer.is_signed_by(&root.public_key) && !root.is_signed_by(&issuer.public_key));
    assert_eq!(issuer.not_before.to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(issuer.not_after.to_string(), "2049-12-31T23:59:59Z");
    let usage = issuer.key_usage.unwrap();
    assert!(usage.has(KeyUsage::KEY_CERT_SIGN) && usage.has(KeyUsage::CRL_SIGN));
    assert!(!usage.has(KeyUsage::DIGITAL_SIGNATURE));

    let crl = Crl::parse(CRL).unwrap();
    assert_eq!(crl.issuer, issuer.subject);
    assert_eq!(crl.this_update.to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(crl.next_update.unwrap().to_string(), "2027-01-01T00:00:00Z");
    assert!(crl.revoked(&[0x10, 0x06]).is_some());
    assert!(crl.revoked(&[0x10, 0x03]).is_none());
    assert!(crl.is_signed_by(&issuer.public_key) && !crl.is_signed_by(&root.public_key));
}

/// X.690 §8.1.3 and §10.1, by hand.
#[test]
fn lengths_have_their_shortest_form_only() {
    for (length, head) in [
        (0, "3000"),
        (127, "307f"),
        (128, "308180"),
        (255, "3081ff"),
        (256, "30820100"),
        (65_536, "3083010000"),
    ] {
        let made = sequence(&[&vec![0; length]]);
        assert_eq!(hex::encode(&made[..made.len() - length]), head);
        assert_eq!(Element::only(&made).unwrap().content.len(), length);
    }
    let read = |octets: &str| Element::only(&hex::decode(octets).unwrap()).map(|e| e.tag);
    for (octets, error) in [
        ("", DerError::Truncated { missing: 2 }),
        ("30", DerError::Truncated { missing: 1 }),
        ("3080", DerError::Length),
        ("30810000", DerError::Length),
        ("30817f", DerError::Length),
        ("3082007f", DerError::Length),
        ("3082", DerError::Truncated { missing: 2 }),
        ("30850000000000", DerError::Length),
        (
            "3084ffffffff",
            DerError::Truncated {
                missing: 0xFFFF_FFFF,
            },
        ),
        ("300200", DerError::Truncated { missing: 1 }),
        ("3f8101", DerError::LongTag(0x3F)),
        ("05000500", DerError::Trailing(2)),
    ] {
        assert_eq!(read(octets), Err(error), "{octets}");
    }
}

#[test]
fn integers_have_one_form_only() {
    let read = |octets: &[u8]| Reader::new(octets).unsigned().map(<[u8]>::to_vec);
    for (number, der) in [
        (&[0][..], "020100"),
        (&[0x7F], "02017f"),
        (&[0x80], "02020080"),
        (&[0x01, 0x00], "02020100"),
    ] {
        assert_eq!(hex::encode(unsigned(number)), der);
        assert_eq!(read(&unsigned(number)).unwrap(), number);
    }
    assert_eq!(unsigned(&[0, 0, 5]), unsigned(&[5]));
    for wrong in ["0200", "020180", "0202007f", "0301ff"] {
        read(&hex::decode(wrong).unwrap()).unwrap_err();
    }
}

/// Everything that is read here, on any octets.
fn read_all(octets: &[u8]) {
    let _ = Element::only(octets);
    if let Ok(certificate) = Certificate::parse(octets) {
        assert_eq!(certificate.der, octets);
        certificate.issuer_and_serial();
    }
    if let Ok(crl) = Crl::parse(octets) {
        crl.revoked(&[0x10, 0x06]);
    }
    if let Ok(message) = SignedData::parse(octets) {
        message.signer();
    }
    verdict(octets);
}

#[derive(Clone, Debug)]
enum Tree {
    Leaf(u8, Vec<u8>),
    Inner(u8, Vec<Self>),
}

impl Tree {
    fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Leaf(tag, content) => element(*tag, &[content]),
            Self::Inner(tag, parts) => {
                let parts: Vec<_> = parts.iter().map(Self::to_der).collect();
                let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
                element(*tag, &parts)
            }
        }
    }

    fn check(&self, element: &Element<'_>) {
        match self {
            Self::Leaf(tag, content) => {
                assert_eq!((element.tag, element.content), (*tag, &content[..]));
            }
            Self::Inner(tag, parts) => {
                assert_eq!(element.tag, *tag);
                let mut reader = element.inside();
                for part in parts {
                    part.check(&reader.any().unwrap());
                }
                reader.end().unwrap();
            }
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let tag = any::<u8>().prop_filter("one octet", |tag| tag & 0x1F != 0x1F);
    let leaf = (tag.clone(), proptest::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(tag, content)| Tree::Leaf(tag, content));
    leaf.prop_recursive(4, 32, 5, move |inner| {
        (tag.clone(), proptest::collection::vec(inner, 0..5))
            .prop_map(|(tag, parts)| Tree::Inner(tag, parts))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree()) {
        let der = tree.to_der();
        tree.check(&Element::only(&der).unwrap());
    }

    #[test]
    fn numbers_come_back(number in proptest::collection::vec(any::<u8>(), 1..40)) {
        let der = unsigned(&number);
        let read = Reader::new(&der).unsigned().unwrap();
        let significant = |number: &[u8]| -> Vec<u8> {
            number.iter().copied().skip_while(|&octet| octet == 0).collect()
        };
        prop_assert_eq!(significant(read), significant(&number));
    }

    #[test]
    fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&octets);
    }

    /// One octet of a good file changed, or its end cut off: never valid, never a panic.
    #[test]
    fn damaged_files_are_read_without_panic(
        which in 0..5_usize, at in any::<prop::sample::Index>(), xor in 1..=255_u8, cut in any::<bool>(),
    ) {
        let mut octets = [EC, RSA, ROOT, ISSUER, CRL][which].to_vec();
        let at = at.index(octets.len());
        if cut {
            octets.truncate(at);
        } else {
            octets[at] ^= xor;
        }
        read_all(&octets);
        if cut {
            prop_assert_ne!(verdict(&octets), Verdict::Valid);
        }
    }
}

/// Of the same key and signature, without the content in it: what openssl takes with `-content`.
#[test]
fn a_signature_of_a_digest_has_no_content() {
    use ring::digest::{SHA256, digest};

    let ec = SignedData::parse(EC).unwrap();
    let own: [u8; 32] = digest(&SHA256, CONTENT).as_ref().try_into().unwrap();
    let anchors = anchors();
    let of = |digest| Criteria {
        content: Content::Digest(digest),
        ..criteria(&anchors)
    };
    let signer = ec.signer().unwrap();
    let made = signed_data(Content::Digest(&own), &signer, &[ISSUER], ec.signature);
    for message in [fixture!("detached.cms"), made.as_slice()] {
        assert_eq!(SignedData::parse(message).unwrap().content, None);
        assert_eq!(judge(message, &of(&own)), Verdict::Valid);
    }
    invalid(judge(&made, &of(&[7; 32])), "not one of the key");
    // A message with its content is something else, and the other way round.
    invalid(judge(EC, &of(&own)), "something else was signed");
    invalid(verdict(&made), "something else was signed");
    let rsa = SignedData::parse(RSA).unwrap();
    let signer = rsa.signer().unwrap();
    let made = signed_data(Content::Digest(&own), &signer, &[ISSUER], rsa.signature);
    invalid(judge(&made, &of(&own)), "not one of the key");
}

/// A changed octet of the content, the signature or the signer's certificate is noticed.
#[test]
fn every_octet_that_matters_is_looked_at() {
    for message in [EC, RSA] {
        let read = SignedData::parse(message).unwrap();
        let signer = read.signer().unwrap();
        for part in [
            read.content.unwrap(),
            read.signature,
            signer.tbs,
            signer.signature,
        ] {
            let start = part.as_ptr() as usize - message.as_ptr() as usize;
            for at in start..start + part.len() {
                let mut changed = message.to_vec();
                changed[at] ^= 1;
                assert_ne!(verdict(&changed), Verdict::Valid, "octet {at}");
            }
        }
    }
}

#[test]
fn tags_are_those_of_x_690() {
    assert_eq!((tag::constructed(0), tag::constructed(3)), (0xA0, 0xA3));
    assert_eq!(tag::primitive(2), 0x82);
}
