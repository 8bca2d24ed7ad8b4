//! The way back, when all parties are honest.

use ota_wire::sms::concat::split;
use ota_wire::sms::udh::{Iei, Reference};

use super::*;
use crate::event::PorEffect;
use crate::smpp::{Tlv, tag};

/// An answer in several short messages.
pub(super) fn parts(
    n: u8,
    payload: &[u8],
    reference: Reference,
    identifier: Option<Iei>,
) -> Vec<ShortMessage> {
    let parts = split(payload, reference, identifier).unwrap();
    let message = |octets: &[u8]| ShortMessage {
        esm_class: esm_class::UDHI,
        ..from_phone(n, octets)
    };
    parts
        .iter()
        .map(|part| message(&part.to_octets()))
        .collect()
}

fn mo(n: u8, payload: &[u8], correlation: Option<&str>) -> Output {
    Output::Mo {
        id: "0102030405060708".into(),
        from: msisdn(n),
        payload: payload.to_vec(),
        correlation: correlation.map(str::to_owned),
        ends: correlation.is_some(),
    }
}

#[test]
fn an_answer_goes_to_the_application_with_what_it_answers() {
    let mut world = World::new();
    world.submit(order("j", 1, b"x"));
    assert_eq!(
        world.answer(1, b"signed"),
        [mo(1, b"signed", Some("applet:8988:j"))]
    );
    assert_eq!(
        world.answer(1, b"signed"),
        [mo(1, b"signed", None)],
        "a repetition answers nothing"
    );
    assert_eq!(world.answer(2, b"unasked"), [mo(2, b"unasked", None)]);
    assert_eq!(world.answer(99, b"stranger"), [mo(99, b"stranger", None)]);
}

#[test]
fn an_answer_may_overtake_the_submit_sm_resp() {
    let mut world = World::new();
    world.submit(order("j", 1, b"x"));
    assert_eq!(world.answer(1, b"signed").len(), 1);
    assert_eq!(world.accept("j/1", "m"), []);
}

#[test]
fn an_answer_is_traced_under_the_message_id_of_the_smsc() {
    let mut world = World::new();
    let mut message = from_phone(1, b"signed");
    message.set_receipted_message_id("AB");
    world.step(Input::Deliver(message));
    assert_eq!(world.events[0].own.as_str(), "smpp:AB");
    assert_eq!(world.outputs[0].durable_id().as_deref(), Some("mo/AB"));
    assert_eq!(world.events[0].row().step, Some(12));
}

#[test]
fn a_long_answer_is_joined_in_any_order() {
    let payload: Vec<u8> = (0..=255).cycle().take(300).collect();
    for order_of in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        for reference in [Reference::Eight(9), Reference::Sixteen(0x0109)] {
            let mut world = World::new();
            world.submit(order("j", 1, b"x"));
            let parts = parts(1, &payload, reference, None);
            for index in &order_of[..2] {
                assert_eq!(world.step(Input::Deliver(parts[*index].clone())), []);
                assert_eq!(
                    world.step(Input::Deliver(parts[*index].clone())),
                    [],
                    "a repeated part"
                );
            }
            let outputs = world.step(Input::Deliver(parts[order_of[2]].clone()));
            assert_eq!(outputs, [mo(1, &payload, Some("applet:8988:j"))]);
            assert!(!world.store.records.contains_key("parts/447700900001"));
        }
    }
}

#[test]
fn a_card_that_proves_a_higher_counter_gets_one_far_higher_and_then_is_given_up() {
    for n in [1, 11] {
        let mut world = World::new();
        let mut card = TestCard::of(n);
        let clock = (start().as_second() as u64) << 8;
        card.counter = Cntr::new(clock + 1_000_000).unwrap();
        let outputs = world.submit(order("j", n, b"x"));
        let again = world.por(n, &card.por(&outputs));
        assert_eq!(submitted(&again)[0].0, "j/1r1");
        assert!(matches!(
            world.kinds()[0],
            PlatformEvent::Por {
                authenticated: true,
                effect: PorEffect::Jump,
                ..
            }
        ));
        assert_eq!(card.receive(&again).unwrap().cntr.get(), clock + (1 << 32));
        // The counter stays up there.
        world.answer(n, b"ok");
        let next = world.submit(order("k", n, b"y"));
        assert_eq!(
            card.receive(&next).unwrap().cntr.get(),
            clock + (1 << 32) + 1
        );

        card.counter = Cntr::new(clock + (1 << 38)).unwrap();
        let again = world.por(n, &card.por(&next));
        let outputs = world.por(n, &card.por(&again));
        assert_eq!(
            outputs,
            [failed("k", FailReason::Card(0x02))],
            "one jump a job"
        );
    }
}

#[test]
fn an_error_that_the_card_has_signed_ends_the_job() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    card.counter = Cntr::MAX;
    let outputs = world.submit(order("j", 1, b"x"));
    world.submit(order("k", 1, b"y"));
    let outputs = world.por(1, &card.por(&outputs));
    assert_eq!(outputs[0], failed("j", FailReason::Card(0x04)));
    assert_eq!(submitted(&outputs)[0].0, "k/1", "the next one goes");
}

#[test]
fn a_signed_success_changes_nothing() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    let outputs = world.submit(order("j", 1, b"x"));
    let opened = card.receive(&outputs).unwrap();
    let response = ota_wire::packet::Response {
        tar: opened.tar,
        cntr: opened.cntr,
        status: ResponseStatus::POR_OK,
        data: b"9000".to_vec(),
    };
    let por = response
        .seal(opened.spi, opened.kic, opened.kid, Some(&card.keys))
        .unwrap();
    assert_eq!(world.por(1, &por), []);
    assert!(matches!(
        world.kinds()[..],
        [PlatformEvent::Por {
            authenticated: true,
            effect: PorEffect::None,
            ..
        }]
    ));
    assert_eq!(world.answer(1, b"ok").len(), 1);
}

/// Only part 1 says that it is a response packet, whichever comes first.
#[test]
fn a_long_response_packet_is_joined_and_checked() {
    for first in [0, 1] {
        long_response_packet(first);
    }
}

fn long_response_packet(first: usize) {
    let mut world = World::new();
    let card = TestCard::of(1);
    let outputs = world.submit(order("j", 1, b"x"));
    let opened = open(&packet_of(&outputs), &card).unwrap();
    let status = ResponseStatus::INSUFFICIENT_MEMORY;
    let response = ota_wire::packet::Response {
        tar: opened.tar,
        cntr: opened.cntr,
        status,
        data: vec![1; 200],
    };
    let por = response
        .seal(opened.spi, opened.kic, opened.kid, Some(&card.keys))
        .unwrap();
    let parts = parts(
        1,
        &por[3..],
        Reference::Eight(1),
        Some(Iei::RESPONSE_PACKET),
    );
    assert_eq!(parts.len(), 2);
    assert_eq!(world.step(Input::Deliver(parts[first].clone())), []);
    assert_eq!(
        world.step(Input::Deliver(parts[1 - first].clone())),
        [failed("j", FailReason::Card(0x07))]
    );
}

fn receipt(message_id: &str, state: MessageState) -> ShortMessage {
    let mut receipt = ShortMessage {
        esm_class: esm_class::DELIVERY_RECEIPT,
        ..from_phone(1, b"")
    };
    receipt.set_receipted_message_id(message_id);
    receipt.tlvs.push(Tlv {
        tag: tag::MESSAGE_STATE,
        value: vec![state.0],
    });
    receipt
}

#[test]
fn a_receipt_of_failure_fails_the_job_and_others_do_not() {
    let mut world = World::new();
    world.submit(order("j", 1, b"x"));
    world.accept("j/1", "m1");
    for (id, state) in [
        ("m1", MessageState::DELIVERED),
        ("m1", MessageState::EXPIRED),
        ("m1", MessageState(7)),
        ("m9", MessageState::UNDELIVERABLE),
    ] {
        assert_eq!(world.step(Input::Deliver(receipt(id, state))), []);
    }
    let outputs = world.step(Input::Deliver(receipt("m1", MessageState::UNDELIVERABLE)));
    assert_eq!(
        outputs,
        [failed(
            "j",
            FailReason::Undelivered(MessageState::UNDELIVERABLE)
        )]
    );
}

#[test]
fn a_receipt_may_overtake_the_submit_sm_resp_and_may_be_text() {
    let mut world = World::new();
    world.submit(order("j", 1, b"x"));
    let text = b"id:m1 sub:001 dlvrd:000 submit date:2601020304 done date:2601020304 stat:UNDELIV err:000 text:";
    let receipt = ShortMessage {
        esm_class: esm_class::DELIVERY_RECEIPT,
        ..from_phone(1, text)
    };
    assert_eq!(world.step(Input::Deliver(receipt)), []);
    assert_eq!(
        world.accept("j/1", "m1"),
        [
            sent("j"),
            failed("j", FailReason::Undelivered(MessageState::UNDELIVERABLE))
        ]
    );
}
