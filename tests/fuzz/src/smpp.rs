//! SMPP 3.4.

use jiff::Timestamp;
use ota::smpp::{
    Account, Answer, CommandStatus, Framer, Header, Limits, Pdu, Session, SessionEvent, SmscConfig,
    secret_range,
};
use ota_wire::secret::Secret;

use super::Choices;

/// One PDU.
pub fn pdu(octets: &[u8]) {
    let _ = secret_range(octets);
    let Some(header) = Header::parse(octets) else {
        return;
    };
    assert_eq!(header.emit(), octets[..ota::smpp::HEADER]);
    let Ok(pdu) = Pdu::decode(header.id, &octets[ota::smpp::HEADER..]) else {
        return;
    };
    assert_eq!(pdu.id(), header.id);
    // What was read can be written, and reads the same.
    if let Ok(encoded) = pdu.encode(CommandStatus::ROK, header.sequence) {
        let again = Pdu::decode(header.id, &encoded[ota::smpp::HEADER..]);
        assert_eq!(again.as_ref(), Ok(&pdu));
    }
}

/// A session of an SMSC that hears whatever an ESME says, in whatever pieces. It never keeps more than one PDU, answers
/// no more than it was asked, and ends or goes on.
pub fn session(octets: &[u8]) {
    let now = Timestamp::UNIX_EPOCH;
    let config = SmscConfig {
        system_id: "midsim".to_owned(),
        accounts: vec![Account {
            system_id: "midsim".to_owned(),
            password: Secret::new(b"midsim".to_vec()),
        }],
        limits: Limits::default(),
    };
    let mut session = Session::smsc(config, now);
    let mut choices = Choices(octets);
    while !choices.is_empty() && !session.is_closed() {
        session.handle_bytes(choices.piece(), now);
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Message { sequence, .. } => {
                    session.respond(sequence, CommandStatus::ROK, "A1");
                }
                SessionEvent::Operation { sequence, .. } => {
                    session.answer(sequence, &Answer::Cancel(CommandStatus::RCANCELFAIL));
                }
                _ => {}
            }
        }
        while let Some(sent) = session.poll_transmit() {
            assert!(Header::parse(&sent).is_some());
        }
    }
    session.handle_end();
    while session.poll_event().is_some() {}

    let mut framer = Framer::new(4096);
    framer.push(octets);
    while let Ok(Some(frame)) = framer.next_frame() {
        assert!(frame.body().len() <= 4096);
    }
}
