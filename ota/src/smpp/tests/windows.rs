//! Requests and their responses: which answers which, and how many may be open.

use super::support::*;
use super::*;

#[test]
fn a_deliver_sm_may_overtake_the_submit_sm_resp() {
    let mut esme = bound_esme();
    esme.submit("job/1".into(), &mt(), start()).unwrap();
    esme.handle_bytes(&[octets(DELIVER), octets(SUBMIT_RESP)].concat(), start());
    let seen = events(&mut esme);
    assert!(matches!(seen[0], SessionEvent::Message { sequence: 7, .. }));
    assert_eq!(
        seen[1],
        SessionEvent::Response {
            id: "job/1".into(),
            result: Ok("ab1".into())
        }
    );
}

#[test]
fn a_response_settles_only_the_request_it_answers() {
    let mut esme = bound_esme();
    esme.submit("job/1".into(), &mt(), start()).unwrap();
    esme.handle_bytes(&octets("00000011 80000005 00000000 00000002 00"), start()); // other kind
    esme.handle_bytes(
        &octets("00000014 80000004 00000000 00000003 61623100"),
        start(),
    ); // other number
    assert_eq!(events(&mut esme), []);
    esme.handle_bytes(&nack(CommandStatus::RSYSERR, 2), start());
    esme.handle_bytes(&octets(SUBMIT_RESP), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Response {
            id: "job/1".into(),
            result: Err(CommandStatus::RSYSERR)
        }]
    );
}

#[test]
fn the_window_holds_requests_back_and_the_queue_has_an_end() {
    let limits = Limits {
        window: 2,
        queue: 3,
        ..Limits::default()
    };
    let mut esme = esme_with(BindMode::Transceiver, limits);
    let mut smsc = smsc_with(Limits::default());
    exchange(&mut esme, &mut smsc);
    for n in 0..5 {
        esme.submit(n.to_string(), &mt(), start()).unwrap();
    }
    assert_eq!(
        esme.submit("5".into(), &mt(), start()),
        Err(SendError::Full { waiting: 3 })
    );
    let first = sent(&mut esme);
    assert_eq!(first.len(), 2);
    first.iter().for_each(|pdu| smsc.handle_bytes(pdu, start()));
    smsc.respond(2, CommandStatus::ROK, "x");
    exchange(&mut esme, &mut smsc);
    let sequences: Vec<u32> = events(&mut smsc)
        .iter()
        .filter_map(|event| match event {
            SessionEvent::Message { sequence, .. } => Some(*sequence),
            _ => None,
        })
        .collect();
    assert_eq!(sequences, [2, 3, 4]);
}

#[test]
fn a_peer_that_does_not_wait_is_throttled() {
    let mut smsc = smsc_with(Limits {
        inbound: 1,
        ..Limits::default()
    });
    smsc.handle_bytes(
        &[octets(BIND), octets(SUBMIT), octets(SUBMIT)].concat(),
        start(),
    );
    assert_eq!(
        sent(&mut smsc)[1..],
        [octets("00000010 80000004 00000058 00000002")]
    );
    smsc.respond(2, CommandStatus::ROK, "a");
    smsc.handle_bytes(&octets(SUBMIT), start());
    assert_eq!(events(&mut smsc).len(), 3);
}
