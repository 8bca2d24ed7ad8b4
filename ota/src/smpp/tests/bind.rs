//! Who may bind, and what a bind opens.

use super::support::*;
use super::*;

#[test]
fn nothing_is_taken_before_the_bind() {
    let mut smsc = smsc_with(Limits::default());
    smsc.handle_bytes(&octets(SUBMIT), start());
    smsc.handle_bytes(&octets(DELIVER), start());
    smsc.handle_bytes(&octets(ENQUIRE), start());
    assert_eq!(
        sent(&mut smsc),
        [
            octets("00000010 80000004 00000004 00000002"),
            octets("00000010 80000005 00000004 00000007"),
            octets("00000010 80000015 00000000 00000009"),
        ]
    );
    assert_eq!(events(&mut smsc), []);
    assert_eq!(
        smsc.deliver("x".into(), &mt(), start()),
        Err(SendError::NotBound)
    );
}

#[test]
fn a_wrong_name_and_a_wrong_password_get_the_same_answer_and_the_third_ends_it() {
    let mut smsc = smsc_with(Limits::default());
    let mut name = octets(BIND);
    name[16] = b'M';
    let mut password = octets(BIND);
    password[28] = b'M';
    for pdu in [&name, &password] {
        smsc.handle_bytes(pdu, start());
        assert_eq!(
            sent(&mut smsc),
            [octets("00000010 80000009 0000000E 00000001")]
        );
        assert_eq!(events(&mut smsc), []);
    }
    smsc.handle_bytes(&name, start());
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Closed(CloseReason::TooManyBinds)]
    );

    let mut esme = esme_with(BindMode::Transceiver, Limits::default());
    esme.handle_bytes(&octets("00000010 80000009 0000000E 00000001"), start());
    assert_eq!(
        events(&mut esme),
        [SessionEvent::Closed(CloseReason::BindRefused(
            CommandStatus::RINVPASWD
        ))]
    );
}

#[test]
fn an_esme_of_an_earlier_version_gets_no_optional_parameters() {
    let mut bind = octets(BIND);
    let version = bind.iter().rposition(|&octet| octet == 0x34).unwrap();
    bind[version] = 0x33;
    let mut smsc = smsc_with(Limits::default());
    smsc.handle_bytes(&bind, start());
    let mut expected = octets(BIND_RESP);
    // Without sc_interface_version: tag, length, one octet.
    expected.truncate(expected.len() - 5);
    expected[3] -= 5;
    assert_eq!(sent(&mut smsc), [expected]);
}

#[test]
fn a_second_bind_is_refused() {
    let mut smsc = bound_smsc();
    smsc.handle_bytes(&octets(BIND), start());
    assert_eq!(
        sent(&mut smsc),
        [octets("00000010 80000009 00000005 00000001")]
    );
    let mut esme = bound_esme();
    esme.handle_bytes(&octets(BIND), start());
    assert_eq!(sent(&mut esme), [nack(CommandStatus::RINVCMDID, 1)]);
}

#[test]
fn a_bind_opens_only_its_directions() {
    for mode in [BindMode::Transmitter, BindMode::Receiver] {
        let mut esme = esme_with(mode, Limits::default());
        let mut smsc = smsc_with(Limits::default());
        exchange(&mut esme, &mut smsc);
        assert_eq!((esme.bound(), smsc.bound()), (Some(mode), Some(mode)));
        assert_eq!(
            esme.submit("a".into(), &mt(), start()).is_ok(),
            mode.sends()
        );
        assert_eq!(
            smsc.deliver("b".into(), &mt(), start()).is_ok(),
            mode.receives()
        );
        assert!(smsc.submit("c".into(), &mt(), start()).is_err());
        assert!(esme.deliver("d".into(), &mt(), start()).is_err());
        // The peer is not believed either.
        let (pdu, status) = if mode.sends() {
            (DELIVER, "80000005")
        } else {
            (SUBMIT, "80000004")
        };
        let wrong = if mode.sends() { &mut esme } else { &mut smsc };
        sent(wrong);
        wrong.handle_bytes(&octets(pdu), start());
        assert_eq!(
            hex::encode(&sent(wrong)[0][4..12]),
            format!("{status}00000004")
        );
    }
}

#[test]
fn a_client_that_never_binds_is_hung_up() {
    let mut smsc = smsc_with(Limits::default());
    assert_eq!(smsc.next_timeout(), Some(after(10)));
    smsc.handle_timeout(after(10));
    assert_eq!(
        events(&mut smsc),
        [SessionEvent::Closed(CloseReason::BindTimeout)]
    );
}

#[test]
fn a_password_is_marked_where_a_bind_holds_it_and_not_shown() {
    let pdu = octets(BIND);
    assert_eq!(secret_range(&pdu), Some(23..29));
    assert_eq!(secret_range(&octets(SUBMIT)), None);
    for end in 0..pdu.len() {
        assert!(
            secret_range(&pdu[..end])
                .is_none_or(|range| range.end <= end && range.start <= range.end)
        );
    }
    let decoded = Pdu::decode(CommandId::BIND_TRANSCEIVER, &pdu[HEADER..]).unwrap();
    assert_eq!(format!("{decoded:?}").matches("midsim").count(), 1);
}
