//! SMPP 3.4.

use jiff::{SignedDuration, Timestamp};
use ota::smpp::{
    Account, Answer, BindMode, CommandStatus, EsmeConfig, Framer, Header, Limits, MultiTaken, Pdu,
    Session, SessionEvent, SmscConfig, secret_range,
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

/// A session of an SMSC that hears whatever an ESME says, in whatever pieces.
pub fn session(octets: &[u8]) {
    let config = SmscConfig {
        system_id: "midsim".to_owned(),
        accounts: vec![Account {
            system_id: "midsim".to_owned(),
            password: password(),
        }],
        limits: Limits::default(),
    };
    hear(Session::smsc(config, Timestamp::UNIX_EPOCH), octets);

    let mut framer = Framer::new(4096);
    framer.push(octets);
    while let Ok(Some(frame)) = framer.next_frame() {
        assert!(frame.body().len() <= 4096);
    }
}

/// A session of an ESME that hears whatever an SMSC says. The bind it sends has the sequence number 1.
pub fn esme(octets: &[u8]) {
    let config = EsmeConfig {
        system_id: "midsim".to_owned(),
        password: password(),
        system_type: String::new(),
        mode: BindMode::Transceiver,
        limits: Limits::default(),
    };
    if let Ok(session) = Session::esme(config, Timestamp::UNIX_EPOCH) {
        hear(session, octets);
    }
}

fn password() -> Secret {
    Secret::new(b"midsim".to_vec())
}

/// Feeds pieces, each with its length before it, answers what asks for an answer, and lets time pass between them. What
/// the session sends are whole PDUs, and it ends when its peer does.
fn hear(mut session: Session, octets: &[u8]) {
    let mut now = Timestamp::UNIX_EPOCH;
    let mut choices = Choices(octets);
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Message { sequence, .. } => {
                    session.respond(sequence, CommandStatus::ROK, "A1");
                }
                SessionEvent::Multi { sequence, .. } => {
                    let taken = MultiTaken::default();
                    session.respond_multi(sequence, CommandStatus::RSUBMITFAIL, &taken);
                }
                SessionEvent::Operation { sequence, .. } => {
                    session.answer(sequence, &Answer::Cancel(CommandStatus::RCANCELFAIL));
                }
                _ => {}
            }
        }
        while let Some(sent) = session.poll_transmit() {
            let header = Header::parse(&sent);
            assert!(header.is_some_and(|header| header.length as usize == sent.len()));
        }
        if choices.is_empty() || session.is_closed() {
            break;
        }
        session.handle_bytes(choices.piece(), now);
        now += SignedDuration::from_secs(1);
        session.handle_timeout(now);
    }
    session.handle_end();
    while session.poll_event().is_some() {}
    assert!(session.is_closed());
}
