//! Messages that an ESME may not send.

use super::*;
use crate::smpp::{Tlv, tag};

#[test]
fn an_esme_cannot_speak_as_the_smsc() {
    let mut world = World::bound();
    let forged = ShortMessage {
        esm_class: esm_class::DELIVERY_RECEIPT,
        ..to_phone(1, b"id:1 stat:UNDELIV")
    };
    // A receipt, or an intermediate notification (SMPP 3.4 §5.2.12).
    for kind in [0x04, 0x20] {
        let forged = ShortMessage {
            esm_class: kind | esm_class::REPLY_PATH,
            ..forged.clone()
        };
        let refused = [response(CommandStatus::RINVESMCLASS, "")];
        assert_eq!(world.submit(forged), refused, "{kind:02x}");
    }
}

#[test]
fn a_message_stands_in_one_place_only() {
    let mut world = World::bound();
    let mut message = to_phone(1, &packet(1));
    message.tlvs.push(Tlv {
        tag: tag::MESSAGE_PAYLOAD,
        value: vec![1],
    });
    let refused = [response(CommandStatus::ROPTPARNOTALLWD, "")];
    assert_eq!(world.submit(message.clone()), refused);
    let empty = ShortMessage {
        in_payload: true,
        ..to_phone(1, b"")
    };
    let missing = [response(CommandStatus::RMISSINGOPTPARAM, "")];
    assert_eq!(world.submit(empty), missing);
    let long = ShortMessage {
        source: "1".repeat(21),
        ..to_phone(1, &packet(1))
    };
    let refused = [response(CommandStatus::RINVSRCADR, "")];
    assert_eq!(world.submit(long), refused);
}
