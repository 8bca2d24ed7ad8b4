//! PDUs by hand, and sessions of either end.

use jiff::{SignedDuration, Timestamp};
use ota_wire::secret::Secret;

use super::*;

/// bind_transceiver by hand from SMPP 3.4 §4.1.5: system_id, password, system_type, version, TON, NPI, address_range.
pub(super) const BIND: &str =
    "00000023 00000009 00000000 00000001 6D696473696D00 6D696473696D00 00 34 00 00 00";
/// Its answer with the TLV sc_interface_version (0210).
pub(super) const BIND_RESP: &str =
    "0000001D 80000009 00000000 00000001 4D494453494D3100 0210000134";
/// submit_sm by hand from §4.4.1: 8220 to 447700900001, esm_class 40, PID 7F, receipt on failure, DCS F6.
pub(super) const SUBMIT: &str = "00000036 00000004 00000000 00000002 00 03 00 3832323000 01 01 34343737303039303030303100 \
                      40 7F 00 00 00 02 00 F6 00 05 027000AABB";
pub(super) const SUBMIT_RESP: &str = "00000014 80000004 00000000 00000002 61623100";
/// deliver_sm with the message in message_payload (0424) and an optional parameter of a vendor (1401).
pub(super) const DELIVER: &str = "0000003D 00000005 00000000 00000007 00 01 01 34343737303039303030303100 03 00 3832323000 \
                       00 00 00 00 00 00 00 F7 00 00 04240003010203 1401000109";
/// By hand from §4.5.1 and §4.5.2: from 8220 to 447700900001 and to the list "all", user data AA; one receiver refused.
pub(super) const MULTI: &str = "00000039 00000021 00000000 00000007 00 03 00 3832323000 02 \
                     01 01 01 34343737303039303030303100 02 616C6C00 00 00 00 00 00 01 00 04 00 01 AA";
pub(super) const MULTI_RESP: &str =
    "00000027 80000021 00000000 00000007 413100 01 01 01 34343737303039303030303100 0000000B";
pub(super) const ENQUIRE: &str = "00000010 00000015 00000000 00000009";
pub(super) const UNBIND: &str = "00000010 00000006 00000000 0000000A";

pub(super) fn octets(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

pub(super) fn start() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(super) fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub(super) fn esme_with(mode: BindMode, limits: Limits) -> Session {
    let password = Secret::new(b"midsim".to_vec());
    let config = EsmeConfig {
        system_id: "midsim".into(),
        password,
        system_type: String::new(),
        mode,
        limits,
    };
    Session::esme(config, start()).unwrap()
}

pub(super) fn smsc_with(limits: Limits) -> Session {
    let account = Account {
        system_id: "midsim".into(),
        password: Secret::new(b"midsim".to_vec()),
    };
    Session::smsc(
        SmscConfig {
            system_id: "MIDSIM1".into(),
            accounts: vec![account],
            limits,
        },
        start(),
    )
}

pub(super) fn sent(session: &mut Session) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| session.poll_transmit()).collect()
}

/// Events other than the PDU reports.
pub(super) fn events(session: &mut Session) -> Vec<SessionEvent> {
    std::iter::from_fn(|| session.poll_event())
        .filter(|event| !matches!(event, SessionEvent::Pdu { .. }))
        .collect()
}

pub(super) fn bound_smsc() -> Session {
    let mut smsc = smsc_with(Limits::default());
    smsc.handle_bytes(&octets(BIND), start());
    assert_eq!(sent(&mut smsc), [octets(BIND_RESP)]);
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Bound {
            system_id: "midsim".into(),
            mode: BindMode::Transceiver
        }]
    );
    smsc
}

pub(super) fn bound_esme() -> Session {
    let mut esme = esme_with(BindMode::Transceiver, Limits::default());
    assert_eq!(sent(&mut esme), [octets(BIND)]);
    esme.handle_bytes(&octets(BIND_RESP), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Bound {
            system_id: "MIDSIM1".into(),
            mode: BindMode::Transceiver
        }]
    );
    esme
}

pub(super) fn mt() -> ShortMessage {
    ShortMessage {
        source: "8220".into(),
        source_ton: 3,
        destination: "447700900001".into(),
        destination_ton: 1,
        destination_npi: 1,
        esm_class: esm_class::UDHI,
        protocol_id: 0x7F,
        registered_delivery: registered_delivery::ON_FAILURE,
        data_coding: 0xF6,
        short_message: octets("027000AABB"),
        ..ShortMessage::default()
    }
}

pub(super) fn nack(status: CommandStatus, sequence: u32) -> Vec<u8> {
    Pdu::GenericNack.encode(status, sequence).unwrap()
}

/// Carries PDUs both ways until neither side has any.
pub(super) fn exchange(one: &mut Session, other: &mut Session) {
    loop {
        let (there, back) = (sent(one), sent(other));
        if there.is_empty() && back.is_empty() {
            return;
        }
        there
            .iter()
            .for_each(|pdu| other.handle_bytes(pdu, start()));
        back.iter().for_each(|pdu| one.handle_bytes(pdu, start()));
    }
}
