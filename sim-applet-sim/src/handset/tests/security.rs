//! Replays, forgeries, and what the sender of a packet gets to hear.

use ota_wire::applet::AppletResponse;
use ota_wire::keys::MacAlgorithm;
use ota_wire::remote_apdu::ram::SetStatus;

use super::*;
use crate::card_manager::scp03::host::Host;

#[test]
fn the_same_message_twice_is_refused_by_its_counter() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let packet = world.packet(octets);
    let counter = world.cntr;
    world.send_packet(&packet);
    let step = world.act(Action::Ok);
    world.acknowledge(&step);

    let step = world.send_packet(&packet);
    assert_eq!(world.screen(), None);
    let (mr, por) = submit(&step).expect("PoR on error by SMS-SUBMIT");
    world.cntr = counter - 1;
    let keys = world.key_set();
    let command = world.command(Vec::new());
    let checked = check_response(&por.user_data.to_octets(), &command.sent(), &keys).unwrap();
    assert!(checked.authenticated);
    assert_eq!(checked.status, ResponseStatus::CNTR_LOW);
    let ack = Message::Ack { mr, tpdu: None };
    world.step(Input::Rp(ack.emit(Direction::ToPhone)));

    world.restart();
    let step = world.send_packet(&packet);
    assert!(submit(&step).is_some(), "refused after a restart too");
    assert_eq!(world.screen(), None);
}

#[test]
fn the_same_challenge_in_a_new_packet_is_not_answered_again() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    let step = world.act(Action::Ok);
    world.acknowledge(&step);
    let step = world.send_challenge(&challenge);
    assert!(submit(&step).is_none());
    assert_eq!(world.screen(), None);

    let old = world.challenge(Method::Confirm, TEXT);
    let new = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&new);
    let step = world.act(Action::Ok);
    world.acknowledge(&step);
    let step = world.send_challenge(&old);
    assert_eq!(world.answer(&step, &old).0, ResultCode::REPLAY);
    assert_eq!(world.phone.card_state().applet_counter(), new.ctr);
}

#[test]
fn a_corrupted_packet_gets_a_bare_error_and_changes_nothing() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let good = world.packet(octets);
    let before = world.phone.card_state().clone();
    for at in [10, 20, good.len() - 1] {
        let mut packet = good.clone();
        packet[at] ^= 0x10;
        let step = world.send_packet(&packet);
        assert_eq!(world.screen(), None);
        let (mr, por) = submit(&step).expect("PoR on error");
        // 02 71 00, RPL, RHL 0A, TAR, CNTR 0, PCNTR 0, status 01: nothing made with a key.
        assert_eq!(
            hex::encode(por.user_data.to_octets()),
            "027100000b0a4d494400000000000001"
        );
        let ack = Message::Ack { mr, tpdu: None };
        world.step(Input::Rp(ack.emit(Direction::ToPhone)));
    }
    assert_eq!(world.phone.card_state(), &before);
    world.send_packet(&good);
    assert_eq!(world.screen().as_deref(), Some(TEXT));

    let mut world = World::new();
    world.spi = Spi([0x16, 0x00]);
    let challenge = world.challenge(Method::Confirm, TEXT);
    let octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let mut packet = world.packet(octets);
    packet[20] ^= 1;
    let step = world.send_packet(&packet);
    assert!(
        matches!(sent(&step).as_slice(), [Message::Ack { tpdu: None, .. }]),
        "silence"
    );
}

#[test]
fn a_challenge_that_the_mssp_did_not_make_is_answered_with_bad_mac() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    let mut octets = challenge.seal(&world.key(challenge.mac_algorithm));
    let last = octets.len() - 1;
    octets[last] ^= 1;
    let packet = world.packet(octets);
    let step = world.send_packet(&packet);
    assert_eq!(world.screen(), None);
    assert!(notes(&step).iter().any(|note| matches!(
        note,
        Note::Challenge {
            verdict: ChallengeVerdict::BadMac,
            ..
        }
    )));
    let (_, submit) = submit(&step).unwrap();
    let response = AppletResponse::parse(submit.user_data.payload()).unwrap();
    assert_eq!(
        (response.result, response.tid),
        (ResultCode::BAD_MAC, challenge.tid)
    );
    assert_eq!(world.phone.card_state().applet_counter(), 0);
}

#[test]
fn por_is_given_when_and_how_spi_asks() {
    for (second, by_submit, por) in [
        (0x00, false, false),
        (0x02, false, false),
        (0x39, true, true),
        (0x21, true, true),
        (0x19, false, true),
        (0x01, false, true),
    ] {
        let mut world = World::new();
        world.spi = Spi([0x16, second]);
        let challenge = world.challenge(Method::Confirm, TEXT);
        let octets = challenge.seal(&world.key(challenge.mac_algorithm));
        let command = world.command(octets);
        let keys = world.key_set();
        let step = world.send_packet(&command.seal(&keys).unwrap());
        let report = match &sent(&step)[0] {
            Message::Ack { tpdu, .. } => tpdu.clone(),
            other => panic!("{other:?}"),
        };
        let packet = if by_submit {
            assert!(report.is_none());
            let (_, por) = submit(&step).unwrap();
            assert_eq!((por.pid.0, por.dcs.0), (0x7F, 0xF6));
            let packet = por.user_data.to_octets();
            world.acknowledge(&step);
            Some(packet)
        } else {
            assert!(submit(&step).is_none());
            report.map(|tpdu| {
                let report = DeliverReport::parse(tpdu.octets(), ReportIn::Ack).unwrap();
                report.parameters.user_data.unwrap().to_octets()
            })
        };
        assert_eq!(packet.is_some(), por, "SPI 16 {second:02X}");
        if let Some(packet) = packet {
            let checked = check_response(&packet, &command.sent(), &keys).unwrap();
            assert!(checked.as_asked);
            assert_eq!(checked.status, ResponseStatus::POR_OK);
        }
        assert_eq!(world.screen().as_deref(), Some(TEXT));
    }
}

#[test]
fn what_the_applet_does_not_know() {
    let mut world = World::new();
    // METHOD 03, CTR 1; the MAC is from `openssl mac CMAC` with the applet key of the test card.
    let header = "00230100a1a2a3a4a5a6a7a80000000000000001";
    let unknown_method = hex::decode(format!("{header}030100000000003c055addcf5471f9")).unwrap();
    let packet = world.packet(unknown_method.clone());
    let step = world.send_packet(&packet);
    let (_, submit) = submit(&step).unwrap();
    let response = AppletResponse::parse(submit.user_data.payload()).unwrap();
    assert_eq!(response.result, ResultCode::UNSUPPORTED);
    assert_eq!(world.phone.card_state().applet_counter(), 1);
    world.acknowledge(&step);

    // ALG 03: no key to check with, none to answer with. Then octets that are no challenge at all.
    let mut unknown_algorithm = unknown_method.clone();
    unknown_algorithm[21] = 0x03;
    let mut short = unknown_method;
    short.pop();
    for (octets, expected) in [
        (unknown_algorithm, "unknown ALG, dropped"),
        (short, "message of 35 octets announced, got 34"),
    ] {
        let packet = world.packet(octets);
        let step = world.send_packet(&packet);
        assert!(super::submit(&step).is_none());
        let said = step.events.iter().flat_map(|event| event.row().fields);
        assert!(said.map(|(_, value)| value).any(|value| value == expected));
    }
}

#[test]
fn a_handset_that_cannot_ask_is_told_apart_from_a_user_who_does_not_answer() {
    // SEND SHORT MESSAGE and SMS-PP data download, nothing to show or ask with.
    let mut profile = Profile::standard(master(), network());
    profile.handset.terminal_profile = vec![0x03, 0x00, 0x00, 0x02];
    let mut world = World::with(Arc::new(profile));
    let challenge = world.challenge(Method::Confirm, TEXT);
    let step = world.send_challenge(&challenge);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::UNSUPPORTED);

    // Nor anything to answer with.
    let mut profile = Profile::standard(master(), network());
    profile.handset.terminal_profile = vec![0x03];
    let mut world = World::with(Arc::new(profile));
    let challenge = world.challenge(Method::Confirm, TEXT);
    let step = world.send_challenge(&challenge);
    assert!(submit(&step).is_none());
    assert_eq!(
        world.phone.card_state().last_challenge(),
        (challenge.tid, true)
    );
}

/// The card's public key is from `openssl ec -pubout`, its private key from `openssl kdf`.
#[test]
fn a_digest_is_signed_by_the_key_of_the_card_and_by_nothing_less_than_the_right_pin() {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    use p256::ecdsa::{DerSignature, VerifyingKey};

    let public = hex::decode(concat!(
        "04191acb79c26077796dbd4edcbd9b9bc88f7af901a462afc40767b09b7ee29a8e",
        "6091ec3b7a8add978db365b870bb6513df01cbf55bf3f5215dca20497a7ae297"
    ));
    let public = VerifyingKey::from_sec1_bytes(&public.unwrap()).unwrap();
    let digest: [u8; 32] = std::array::from_fn(|i| i as u8);
    let answered = |step: &Step| {
        let (_, submit) = submit(step).expect("a message was sent");
        AppletResponse::parse(submit.user_data.payload()).unwrap()
    };
    let algorithms = [MacAlgorithm::AesCmac8, MacAlgorithm::TripleDesCbcMac];
    for (method, mac_algorithm) in [Method::Confirm, Method::Pin].into_iter().zip(algorithms) {
        let mut world = World::new();
        let mut challenge = world.challenge(method, &"Ж".repeat(119));
        challenge.digest = Some(digest);
        challenge.mac_algorithm = mac_algorithm;
        world.send_challenge(&challenge);
        let mut step = world.act(Action::Ok);
        if method == Method::Pin {
            world.type_in("9999");
            world.act(Action::Ok);
            step = world.type_in("1234");
        }
        assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
        let signature = DerSignature::try_from(answered(&step).signature.as_slice()).unwrap();
        assert!(public.verify_prehash(&digest, &signature).is_ok());
    }
    for action in [Action::Cancel, Action::Back, Action::NoResponse] {
        let mut world = World::new();
        let mut challenge = world.challenge(Method::Confirm, TEXT);
        challenge.digest = Some(digest);
        world.send_challenge(&challenge);
        let step = world.act(action);
        world.answer(&step, &challenge);
        assert!(answered(&step).signature.is_empty());
    }
    let mut world = World::with(Arc::new(Profile::confirm_only(master(), network())));
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.digest = Some(digest);
    let step = world.send_challenge(&challenge);
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::UNSUPPORTED);
    assert!(answered(&step).signature.is_empty());
}

/// Locked by a channel from a reader while a dialogue is on: it ends there, whatever it was waiting for.
#[test]
fn an_applet_that_is_locked_in_a_dialogue_asks_for_nothing_more() {
    let lock = |world: &mut World| {
        let card = world.phone.card_mut();
        let mut host = Host::open(card, 0x30);
        let aid = card.profile().applet.aid.clone();
        let sw = host.send(card, &SetStatus::lock(aid).command());
        // Where a command waits the status word says so.
        assert!(sw == "9000" || sw.starts_with("91"), "{sw}");
    };
    // It waits for a timer, after which it would ask again.
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.act(Action::Busy);
    lock(&mut world);
    world.next_timer("card:2");
    assert_eq!(world.screen(), None);

    // Its first command waits behind a response packet, which is the CardManager's.
    let mut world = World::new();
    world.spi = Spi([0x16, 0x39]);
    let mut challenge = world.challenge(Method::Confirm, TEXT);
    challenge.valid_for = 0;
    let step = world.send_challenge(&challenge);
    assert!(submit(&step).is_some() && world.screen().is_none());
    lock(&mut world);
    let step = world.acknowledge(&step);
    assert!(submit(&step).is_none() && world.screen().is_none());
    // Nothing of it comes back, and it stands in nobody's way.
    let aid = world.phone.card_mut().profile().applet.aid.clone();
    let card = world.phone.card_mut();
    let mut host = Host::open(card, 0x30);
    assert_eq!(host.send(card, &SetStatus::unlock(aid).command()), "9000");
    let challenge = world.challenge(Method::Confirm, "Next");
    let step = world.send_challenge(&challenge);
    world.acknowledge(&step);
    assert_eq!(world.screen().as_deref(), Some("Next"));
}

/// TS 102 223 §7.4.1: a terminal may say so of a timer that was stopped in the meantime.
#[test]
fn an_answer_that_waits_for_service_outlives_the_timer_of_its_challenge() {
    let mut world = World::new();
    let challenge = world.challenge(Method::Confirm, TEXT);
    world.send_challenge(&challenge);
    world.step(Input::Coverage(false));
    let step = world.act(Action::Ok);
    assert!(submit(&step).is_none());
    let expired = "80C200000E D70C 82028281 A40101 A503002000";
    assert_eq!(testing::send(world.phone.card_mut(), expired), "9000");
    world.step(Input::Coverage(true));
    let step = world.next_timer("card:2");
    assert_eq!(world.answer(&step, &challenge).0, ResultCode::OK);
}
