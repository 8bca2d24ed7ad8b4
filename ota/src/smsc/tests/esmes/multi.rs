//! submit_multi.

use super::*;
use crate::smpp::{Destination, Refused};

#[test]
fn a_submit_multi_reaches_each_receiver_and_names_those_it_does_not() {
    let mut world = World::bound();
    world.bind("other", 2, BindMode::Receiver);
    let party = |address: &str| Party {
        address: address.into(),
        ..Party::default()
    };
    let submit = |world: &mut World, destinations: Vec<Destination>| {
        world.step(Input::SubmitMulti {
            esme: link_of("midsim", 1),
            sequence: 7,
            multi: Multi {
                message: ShortMessage {
                    destination: String::new(),
                    registered_delivery: registered_delivery::ALWAYS,
                    ..to_phone(1, &packet(9))
                },
                destinations,
            },
        })
    };
    let to: Vec<_> = [
        "8330",
        "15005550006",
        msisdn(1).digits(),
        msisdn(2).digits(),
    ]
    .into_iter()
    .map(|address| Destination::Address(party(address)))
    .collect();
    let outputs = submit(&mut world, to);
    let Output::MultiResp {
        sequence: 7,
        status: CommandStatus::ROK,
        taken,
        ..
    } = &outputs[0]
    else {
        panic!("{outputs:?}")
    };
    let nobody = Refused {
        destination: party("15005550006"),
        status: CommandStatus::RINVDSTADR,
    };
    assert_eq!(taken.refused, [nobody]);
    assert_eq!(to_esme(&outputs)[0].2.short_message, packet(9));
    let phones = delivered(&outputs);
    assert_eq!(phones.len(), 2);
    // Each receipt speaks of the one message, and names its receiver.
    for n in [1, 2] {
        let outputs = world.ack(n, 1);
        let receipt = to_esme(&outputs)[0].2;
        assert_eq!(
            receipt.receipted_message_id().as_ref(),
            Some(&taken.message_id)
        );
        assert_eq!(receipt.source, msisdn(n).digits());
    }
    // No receiver at all, and a list, of which there are none.
    for (destination, expected) in [
        (
            Destination::Address(party("15005550006")),
            CommandStatus::RSUBMITFAIL,
        ),
        (Destination::List("all".into()), CommandStatus::RINVDLNAME),
    ] {
        let outputs = submit(&mut world, vec![destination]);
        assert!(
            matches!(&outputs[..], [Output::MultiResp { status, .. }] if *status == expected),
            "{outputs:?}"
        );
    }
}
