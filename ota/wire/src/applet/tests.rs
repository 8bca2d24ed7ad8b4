//! Golden messages were computed outside of Rust: MACs with `openssl mac CMAC` and `openssl enc -des-ede-cbc`, GSM
//! packing with integer arithmetic.

use proptest::prelude::*;

use super::*;

const TID: [u8; 8] = [0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8];
const CHALLENGE: &str =
    "002a0100a1a2a3a4a5a6a7a80000018bcfe56800020100780007ccf7199476ff0000117e3180dc8def73";
const RESPONSE: &str = "00200101a1a2a3a4a5a6a7a80000018bcfe56800000301002fa97621eae075d2";
const CHALLENGE_3DES: &str = "00470100a1a2a3a4a5a6a7a80000018bcfe568010102000008040414043020000102030405060708090a0b0c\
                              0d0e0f101112131415161718191a1b1c1d1e1fad18fab57f28847e";
const RESPONSE_3DES: &str =
    "00280101a1a2a3a4a5a6a7a80000018bcfe568010003020830060201010201021991ca2280bb4980";

fn key(algorithm: MacAlgorithm) -> Secret {
    match algorithm {
        MacAlgorithm::AesCmac8 => Secret::new((0x00..0x10).collect()),
        MacAlgorithm::TripleDesCbcMac => Secret::new((0x10..0x20).collect()),
    }
}

fn challenge() -> Challenge {
    Challenge {
        tid: TID,
        ctr: 1_700_000_000_000,
        method: Method::Pin,
        mac_algorithm: MacAlgorithm::AesCmac8,
        valid_for: 120,
        text: Text::encode("Log in?").unwrap(),
        digest: None,
    }
}

fn challenge_3des() -> Challenge {
    Challenge {
        ctr: 1_700_000_000_001,
        method: Method::Confirm,
        mac_algorithm: MacAlgorithm::TripleDesCbcMac,
        valid_for: 0,
        text: Text::encode("Да").unwrap(),
        digest: Some(std::array::from_fn(|i| i as u8)),
        ..challenge()
    }
}

fn response() -> AppletResponse {
    AppletResponse {
        tid: TID,
        ctr: 1_700_000_000_000,
        result: ResultCode::OK,
        tries_left: 3,
        mac_algorithm: MacAlgorithm::AesCmac8,
        signature: Vec::new(),
    }
}

#[test]
fn golden_challenges() {
    for (challenge, golden) in [(challenge(), CHALLENGE), (challenge_3des(), CHALLENGE_3DES)] {
        let key = key(challenge.mac_algorithm);
        let octets = challenge.seal(&key);
        assert_eq!(hex::encode(&octets), golden);
        assert_eq!(Challenge::parse(&octets).unwrap(), challenge);
        let view = ChallengeView::new_checked(&octets).unwrap();
        assert!(view.verify(&key));
        assert!(!view.verify(&Secret::new(vec![0; 16])) && !view.verify(&Secret::new(vec![0; 15])));
        assert_eq!(view.digest().copied(), challenge.digest);
        assert_eq!(hex::encode(view.mac()), golden[golden.len() - 16..]);
    }
    assert_eq!(challenge().text.to_string(), "Log in?");
    assert_eq!(challenge_3des().text.to_string(), "Да");
}

#[test]
fn golden_responses() {
    let aes = response();
    let des = AppletResponse {
        ctr: 1_700_000_000_001,
        mac_algorithm: MacAlgorithm::TripleDesCbcMac,
        signature: vec![0x30, 6, 2, 1, 1, 2, 1, 2],
        ..response()
    };
    for (response, challenge, golden) in [
        (aes, CHALLENGE, RESPONSE),
        (des, CHALLENGE_3DES, RESPONSE_3DES),
    ] {
        let key = key(response.mac_algorithm);
        let challenge = hex::decode(challenge).unwrap();
        let mac = ChallengeView::new_checked(&challenge).unwrap().mac();
        let octets = response.seal(&key, &mac);
        assert_eq!(hex::encode(&octets), golden);
        assert_eq!(AppletResponse::parse(&octets).unwrap(), response);
        assert!(AppletResponse::verify(&octets, &key, &mac));
        assert!(
            !AppletResponse::verify(&octets, &key, &[0; 8]),
            "the MAC of the challenge is covered"
        );
    }
}

#[test]
fn no_prefix_and_no_single_bit_flip_passes() {
    let key = key(MacAlgorithm::AesCmac8);
    let golden = hex::decode(CHALLENGE).unwrap();
    let passes =
        |octets: &[u8]| ChallengeView::new_checked(octets).is_ok_and(|view| view.verify(&key));
    assert!(passes(&golden));
    assert!((0..golden.len()).all(|len| ChallengeView::new_checked(&golden[..len]).is_err()));
    for bit in 0..golden.len() * 8 {
        let mut octets = golden.clone();
        octets[bit / 8] ^= 1 << (bit % 8);
        assert!(!passes(&octets), "bit {bit}");
    }
    let mac = [0x11, 0x7E, 0x31, 0x80, 0xDC, 0x8D, 0xEF, 0x73];
    let golden = hex::decode(RESPONSE).unwrap();
    assert!(AppletResponse::verify(&golden, &key, &mac));
    assert!((0..golden.len()).all(|len| AppletResponse::parse(&golden[..len]).is_err()));
    for bit in 0..golden.len() * 8 {
        let mut octets = golden.clone();
        octets[bit / 8] ^= 1 << (bit % 8);
        assert!(!AppletResponse::verify(&octets, &key, &mac), "bit {bit}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let changed = |at: usize, octet: u8| {
        let mut octets = hex::decode(CHALLENGE).unwrap();
        octets[at] = octet;
        Challenge::parse(&octets).unwrap_err()
    };
    assert_eq!(
        changed(2, 2),
        AppletError::Unsupported {
            field: "VER",
            got: 2
        }
    );
    assert_eq!(
        changed(3, 1),
        AppletError::Direction {
            expected: 0,
            got: 1
        }
    );
    assert_eq!(
        changed(20, 3),
        AppletError::Unsupported {
            field: "METHOD",
            got: 3
        }
    );
    assert_eq!(
        changed(21, 0),
        AppletError::Unsupported {
            field: "ALG",
            got: 0
        }
    );
    assert_eq!(
        changed(24, 4),
        AppletError::Unsupported {
            field: "DCS",
            got: 4
        }
    );
    assert_eq!(changed(24, 8), AppletError::HalfCharacter { got: 7 });
    assert_eq!(
        changed(25, 240),
        TextError {
            max: 239,
            got: 240,
            alphabet: TextAlphabet::Gsm7
        }
        .into()
    );
    assert_eq!(changed(33, 31), AppletError::Digest { got: 31 });
    assert_eq!(
        changed(33, 32),
        AppletError::Length {
            expected: 74,
            got: 42
        }
    );
    assert_eq!(
        changed(1, 43),
        AppletError::Length {
            expected: 43,
            got: 42
        }
    );
}

#[test]
fn texts_are_bounded_in_their_own_alphabet() {
    assert_eq!(Text::encode(&"a".repeat(239)).unwrap().octets().len(), 210);
    assert_eq!(
        Text::encode(&"a".repeat(240)),
        Err(TextError {
            max: 239,
            got: 240,
            alphabet: TextAlphabet::Gsm7
        })
    );
    assert_eq!(
        Text::encode(&"€".repeat(120)),
        Err(TextError {
            max: 239,
            got: 240,
            alphabet: TextAlphabet::Gsm7
        })
    );
    let text = Text::encode(&"Ж".repeat(119)).unwrap();
    assert_eq!((text.dcs(), text.udl()), (0x08, 238));
    assert_eq!(
        Text::encode(&"😀".repeat(60)),
        Err(TextError {
            max: 119,
            got: 120,
            alphabet: TextAlphabet::Ucs2
        })
    );
    assert_eq!(Text::encode("").unwrap().to_string(), "");
}

#[test]
#[should_panic(expected = "applet MAC key")]
fn a_short_key_is_a_mistake_of_the_caller() {
    challenge().seal(&Secret::new(vec![0; 8]));
}

prop_compose! {
    fn any_challenge()(
        tid: [u8; 8], ctr: u64, pin: bool, des: bool, valid_for: u16,
        text in prop_oneof!["[ -~]{0,119}", "\\PC{0,59}"], digest: Option<[u8; 32]>,
    ) -> Challenge {
        Challenge {
            tid,
            ctr,
            method: if pin { Method::Pin } else { Method::Confirm },
            mac_algorithm: if des { MacAlgorithm::TripleDesCbcMac } else { MacAlgorithm::AesCmac8 },
            valid_for,
            text: Text::encode(&text).unwrap(),
            digest,
        }
    }
}

proptest! {
    #[test]
    fn challenges_round_trip(challenge in any_challenge()) {
        let octets = challenge.seal(&key(challenge.mac_algorithm));
        prop_assert_eq!(Challenge::parse(&octets), Ok(challenge.clone()));
        prop_assert!(ChallengeView::new_checked(&octets).unwrap().verify(&key(challenge.mac_algorithm)));
    }

    #[test]
    fn texts_round_trip(text in "[ -Z€ЖД😀]{0,59}") {
        prop_assert_eq!(Text::encode(&text).unwrap().to_string(), text);
    }

    #[test]
    fn responses_round_trip(tid: [u8; 8], ctr: u64, result: u8, tries_left: u8, signature in prop::collection::vec(any::<u8>(), 0..=255), mac: [u8; 8]) {
        let response = AppletResponse { tid, ctr, result: ResultCode(result), tries_left, signature, ..response() };
        let octets = response.seal(&key(MacAlgorithm::AesCmac8), &mac);
        prop_assert_eq!(AppletResponse::parse(&octets), Ok(response));
        prop_assert!(AppletResponse::verify(&octets, &key(MacAlgorithm::AesCmac8), &mac));
    }

    /// A right LEN, VER and DIR in front, or the fuzz would end at the first check.
    #[test]
    fn octets_never_panic(mut octets in prop::collection::vec(any::<u8>(), 0..300), framed: bool, dir in 0u8..2) {
        if framed && octets.len() > 26 {
            let len = (octets.len() as u16).to_be_bytes();
            octets[..4].copy_from_slice(&[len[0], len[1], VERSION, dir]);
            octets[24] &= 0x08;
        }
        if let Ok(view) = ChallengeView::new_checked(&octets) {
            let _ = (view.text().to_string(), view.digest(), view.verify(&key(MacAlgorithm::AesCmac8)));
        }
        let _ = (Challenge::parse(&octets), AppletResponse::parse(&octets));
        let _ = AppletResponse::verify(&octets, &key(MacAlgorithm::AesCmac8), &[0; 8]);
    }
}
