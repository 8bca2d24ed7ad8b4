//! Silence, unbind and the end of the stream.

use super::support::*;
use super::*;

#[test]
fn silence_is_probed_and_a_dead_peer_given_up() {
    let mut esme = bound_esme();
    assert_eq!(esme.next_timeout(), Some(after(30)));
    esme.handle_timeout(after(29));
    assert_eq!(sent(&mut esme).len(), 0);
    esme.handle_timeout(after(30));
    assert_eq!(
        sent(&mut esme),
        [octets("00000010 00000015 00000000 00000002")]
    );
    esme.handle_bytes(&octets("00000010 80000015 00000000 00000002"), after(31));
    assert_eq!(esme.next_timeout(), Some(after(61)));
    esme.handle_timeout(after(61));
    assert_eq!(
        (sent(&mut esme).len(), esme.next_timeout()),
        (1, Some(after(91)))
    );
    esme.handle_timeout(after(91));
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Closed(CloseReason::ResponseTimeout)]
    );
}

#[test]
fn unbind_ends_both_ends() {
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&octets(UNBIND), start());
    assert_eq!(
        sent(&mut smsc),
        [octets("00000010 80000006 00000000 0000000A")]
    );
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Closed(CloseReason::PeerUnbound)]
    );

    let mut esme = bound_esme();
    esme.unbind(start());
    assert_eq!(
        esme.submit("x".into(), &mt(), start()),
        Err(SendError::NotBound)
    );
    assert_eq!(
        sent(&mut esme),
        [octets("00000010 00000006 00000000 00000002")]
    );
    esme.handle_bytes(&octets("00000010 80000006 00000000 00000002"), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Closed(CloseReason::Unbound)]
    );
}

#[test]
fn what_was_taken_before_an_unbind_or_the_end_of_the_stream_is_answered_first() {
    let submits = [7, 8].map(|sequence| {
        Pdu::SubmitSm(Box::new(mt()))
            .encode(CommandStatus::ROK, sequence)
            .unwrap()
    });
    let answer = |id: &str, sequence| {
        Pdu::SubmitSmResp(id.into())
            .encode(CommandStatus::ROK, sequence)
            .unwrap()
    };
    let busy = || {
        let mut smsc = bound_smsc();
        smsc.handle_bytes(&submits.concat(), start());
        assert_eq!(events(&mut smsc).len(), 2);
        smsc
    };
    let unbind_resp = octets("00000010 80000006 00000000 0000000A");

    let mut smsc = busy();
    smsc.handle_bytes(&octets(UNBIND), start());
    assert!(sent(&mut smsc).is_empty() && smsc.bound().is_none());
    smsc.respond(7, CommandStatus::ROK, "A");
    assert!(!smsc.is_closed());
    smsc.respond(8, CommandStatus::ROK, "B");
    let answers = [answer("A", 7), answer("B", 8), unbind_resp.clone()];
    assert_eq!(sent(&mut smsc), answers);
    let closed = [SessionEvent::Closed(CloseReason::PeerUnbound)];
    assert_eq!(events(&mut smsc), closed);

    let mut smsc = busy();
    smsc.handle_eof(start());
    smsc.respond(7, CommandStatus::ROK, "A");
    smsc.respond(8, CommandStatus::ROK, "B");
    assert_eq!(sent(&mut smsc), [answer("A", 7), answer("B", 8)]);
    let closed = [SessionEvent::Closed(CloseReason::PeerGone)];
    assert_eq!(events(&mut smsc), closed);

    // Nobody answers: it ends all the same.
    let mut smsc = busy();
    smsc.handle_bytes(&octets(UNBIND), start());
    let due = smsc.next_timeout().unwrap();
    smsc.handle_timeout(due);
    assert_eq!(sent(&mut smsc), [unbind_resp]);
    assert!(smsc.is_closed());
}
