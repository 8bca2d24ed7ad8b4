//! What differs between dialects, strict reading, test numbers, and an MSSP that sees expiry only.

use super::*;
use crate::samples::shapes;

const FICOM_PROFILE: &str = "http://mss.ficom.fi/TS102206/v1.0.0/authentication-profile.xml";

fn speaking(dialect: Dialect) -> World {
    let mut world = World::new();
    world.configure(|config| config.dialect = dialect);
    world
}

fn plain() -> SignatureRequest {
    SignatureRequest {
        profile: None,
        ..SignatureRequest::default()
    }
}

#[test]
fn versions_modes_and_lengths_are_the_dialects_own() {
    use Dialect::{Etsi, Ficom, MobileConnect, Swisscom};
    type Case = (fn(&mut SignatureRequest), [(Dialect, u16); 4]);
    let cases: [Case; 7] = [
        (
            |r| r.text = "Ж".into(),
            [(Etsi, 0), (Ficom, 107), (MobileConnect, 0), (Swisscom, 0)],
        ),
        (
            |r| r.version = ("1", "2"),
            [(Etsi, 108), (Ficom, 108), (MobileConnect, 0), (Swisscom, 0)],
        ),
        (
            |r| {
                r.mode = "asynchServerServer".into();
                r.ap_url = Some("http://op.test/n".into());
            },
            [(Etsi, 0), (Ficom, 101), (MobileConnect, 0), (Swisscom, 101)],
        ),
        (
            |r| r.ap_trans_id = format!("ID-{}", "a".repeat(36)),
            [(Etsi, 0), (Ficom, 101), (MobileConnect, 0), (Swisscom, 0)],
        ),
        (
            |r| r.text = "x".repeat(161),
            [(Etsi, 0), (Ficom, 103), (MobileConnect, 0), (Swisscom, 0)],
        ),
        (
            |r| r.profile = Some(FICOM_PROFILE.into()),
            [(Etsi, 0), (Ficom, 0), (MobileConnect, 0), (Swisscom, 109)],
        ),
        (
            |r| r.msisdn = Some("+447700900008".into()),
            [
                (Etsi, 104),
                (Ficom, 104),
                (MobileConnect, 104),
                (Swisscom, 403),
            ],
        ),
    ];
    for (n, (change, expected)) in cases.into_iter().enumerate() {
        for (dialect, code) in expected {
            let mut request = plain();
            change(&mut request);
            let answer = speaking(dialect).ask(&request.to_xml());
            match code {
                0 => assert_eq!(answer.status(), "100", "case {n}, {dialect}"),
                code => assert_eq!(answer.fault(), code, "case {n}, {dialect}"),
            }
        }
    }
}

#[test]
fn a_request_without_a_profile_gets_the_dialects_own() {
    for (dialect, uri) in [
        (Dialect::Etsi, "http://uri.gsma.com/mobileconnect/LoA3"),
        (
            Dialect::MobileConnect,
            "http://uri.gsma.com/mobileconnect/LoA3",
        ),
        (Dialect::Ficom, FICOM_PROFILE),
        (
            Dialect::Swisscom,
            "http://mid.swisscom.ch/MID/v1/AuthProfile1",
        ),
    ] {
        let answer = speaking(dialect).ask(&plain().to_xml());
        assert_eq!(answer.text("mssURI").as_deref(), Some(uri), "{dialect}");
    }
}

#[test]
fn any_profile_is_answered_with_the_one_that_is_used() {
    let answer = speaking(Dialect::Swisscom).ask(
        &SignatureRequest {
            profile: Some("http://mid.swisscom.ch/Any-LoA4".into()),
            ..plain()
        }
        .to_xml(),
    );
    assert_eq!(
        answer.text("mssURI").as_deref(),
        Some("http://mid.swisscom.ch/STK-LoA4")
    );
}

#[test]
fn an_ap_can_have_a_dialect_of_its_own() {
    let mut world = World::new();
    world.configure(|config| config.aps[1].dialect = Some(Dialect::Ficom));
    let answer = world.ask(
        &SignatureRequest {
            ap_id: "http://midsim.test/other".into(),
            ap_pwd: Some("other".into()),
            ..SignatureRequest::default()
        }
        .to_xml(),
    );
    assert_eq!(answer.fault(), 109, "LoA3 is not a profile of that dialect");
    assert_eq!(fault_of(answer.0.body()).1, "fi:_109");
    world.begin(&SignatureRequest::default());
}

#[test]
fn the_second_number_of_a_fault_is_ficoms() {
    let unknown = SignatureRequest {
        msisdn: Some("+447700900099".into()),
        ..plain()
    };
    let answer = speaking(Dialect::Ficom).ask(&unknown.to_xml());
    assert_eq!(
        (answer.fault(), answer.second()),
        (105, Some("fi:_1052".into()))
    );
    let root = answer.root();
    let detail = find(&root, "Detail")
        .unwrap()
        .elements()
        .next()
        .unwrap()
        .clone();
    assert_eq!(detail.ns.as_deref(), Some("http://kiuru.methics.fi/mssp"));
    for dialect in [Dialect::Etsi, Dialect::MobileConnect, Dialect::Swisscom] {
        let answer = speaking(dialect).ask(&unknown.to_xml());
        assert_eq!((answer.fault(), answer.second()), (105, None), "{dialect}");
    }
}

/// Each of FiCom's second numbers that has a cause below, by that cause.
#[test]
fn ficoms_second_numbers_have_their_causes() {
    let refused = |change: &dyn Fn(&mut SignatureRequest)| {
        let mut request = plain();
        change(&mut request);
        let answer = speaking(Dialect::Ficom).ask(&request.to_xml());
        (answer.fault(), answer.second().unwrap_or_default())
    };
    let case = |change: &dyn Fn(&mut SignatureRequest), code: u16, second: &str| {
        assert_eq!(refused(change), (code, format!("fi:_{second}")));
    };
    case(&|r| r.mode = "asynchServerServer".into(), 101, "1013");
    case(
        &|r| r.more = &[("mss:DataToBeDisplayed", "Something else")],
        101,
        "1015",
    );
    case(&|r| r.mime = Some("image/png".into()), 107, "1016");
    case(
        &|r| r.format = Some("http://uri.etsi.org/TS102204/v1.1.2#XML-Signature".into()),
        101,
        "1017",
    );
    case(&|r| r.text = " ".into(), 102, "1022");
    case(&|r| r.msisdn = Some("Alice".into()), 105, "1051");
    case(&|r| r.msisdn = Some("+447700900099".into()), 105, "1052");
    case(&|r| r.msisdn = Some("+447700900010".into()), 105, "1053");
    case(&|r| r.msisdn = Some("+447700900008".into()), 104, "1043");
    case(
        &|r| r.validity_date = Some("2026-11-22T10:00:00Z".into()),
        208,
        "2081",
    );
}

/// FiCom's profile for operators: DataToBeDisplayed has to be there, and nowhere else.
#[test]
fn ficoms_operator_profile_has_data_to_be_displayed() {
    let ask = |profile: &str, shown: &'static str| {
        let more: &'static [(&str, &str)] = match shown {
            "" => &[],
            "long" => &[("mss:DataToBeDisplayed", LONG)],
            _ => &[("mss:DataToBeDisplayed", "Call from your operator?")],
        };
        let request = SignatureRequest {
            profile: Some(format!(
                "http://mss.ficom.fi/TS102206/v1.0.0/{profile}-profile.xml"
            )),
            more,
            ..plain()
        };
        let mut world = speaking(Dialect::Ficom);
        let (id, step) = world.post(&request.to_xml());
        let answer = answer(&step, id).unwrap();
        if answer.0.status() != StatusCode::OK {
            return format!("{} {}", answer.fault(), answer.second().unwrap_or_default());
        }
        let challenge = Challenge::parse(&submitted(&step).payload).unwrap();
        challenge.text.to_string()
    };
    // 111 characters.
    const LONG: &str = "Is it you who asks your operator for a new SIM, to be sent to the address that you had given \
                        in the last year?!";
    assert_eq!(LONG.len(), 111);
    assert_eq!(ask("operauth", "short"), "Call from your operator?");
    assert_eq!(ask("operauth", ""), "102 fi:_1021");
    assert_eq!(ask("operauth", "long"), "103 ");
    assert_eq!(ask("authentication", "short"), "101 fi:_1015");
}

#[test]
fn what_happens_on_the_card_has_its_second_number() {
    for (result, code, second) in [
        (ResultCode::CANCELLED, 401, "4011"),
        (ResultCode::TIMEOUT, 208, "2082"),
        (ResultCode::PIN_BLOCKED, 402, "4021"),
        (ResultCode::PUK_BLOCKED, 403, "4031"),
        (ResultCode::BAD_MAC, 900, "9004"),
        (ResultCode(0x77), 900, "9003"),
    ] {
        let mut world = speaking(Dialect::Ficom);
        let (id, submit) = world.begin(&plain());
        world.mo(&submit.msisdn, applet(&submit, result));
        let answer = world.ask(&plain().status(&id));
        assert_eq!(
            (answer.fault(), answer.second()),
            (code, Some(format!("fi:_{second}")))
        );
    }
    for (kind, second) in [
        (crate::OtaFailure::Other, "2091"),
        (crate::OtaFailure::NoSuchCard, "2092"),
        (crate::OtaFailure::Handset, "2093"),
        (crate::OtaFailure::Applet, "2094"),
    ] {
        let mut world = speaking(Dialect::Ficom);
        let (id, _) = world.begin(&plain());
        world.feed(Input::Report {
            id: id.clone(),
            outcome: OtaOutcome::Failed {
                reason: "absent".into(),
                kind,
            },
        });
        let answer = world.ask(&plain().status(&id));
        assert_eq!(
            (answer.fault(), answer.second()),
            (209, Some(format!("fi:_{second}")))
        );
    }
}

#[test]
fn an_mssp_that_sees_expiry_only_lets_failures_run_out() {
    for result in [
        ResultCode::CANCELLED,
        ResultCode::PIN_BLOCKED,
        ResultCode::PUK_BLOCKED,
        ResultCode::BUSY,
    ] {
        let mut world = World::new();
        world.configure(|config| config.only_expiry = true);
        let (id, submit) = world.begin(&SignatureRequest::default());
        let step = world.mo(&submit.msisdn, applet(&submit, result));
        assert!(matches!(verdict(&step), Verdict::Withheld(_)));
        let query = SignatureRequest::default().status(&id);
        assert_eq!(world.ask(&query).status(), "504");
        world.next_timer();
        assert_eq!(world.ask(&query).fault(), 208);
    }
    let mut world = World::new();
    world.configure(|config| config.only_expiry = true);
    let id = world.signed(&SignatureRequest::default());
    assert_eq!(
        world.ask(&SignatureRequest::default().status(&id)).status(),
        "502"
    );
}

#[test]
fn strict_reading_refuses_what_lenient_reading_lists() {
    let deviating = SignatureRequest::default()
        .to_xml()
        .replace("<mss:MobileUser>", "<MobileUser>")
        .replace("</mss:MobileUser>", "</MobileUser>");
    let mut world = World::new();
    let (id, step) = world.post(&deviating);
    assert_eq!(answer(&step, id).unwrap().status(), "100");
    let fields = step.events[0].row().fields;
    let listed = |what: &str| {
        fields
            .iter()
            .any(|(name, value)| name == "deviation" && value.contains(what))
    };
    assert!(listed("MobileUser stands in no namespace"), "{fields:?}");
    let mut world = World::new();
    world.configure(|config| config.strict = true);
    assert_eq!(world.ask(&deviating).fault(), 101);
    for shape in shapes() {
        let request = SignatureRequest {
            shape,
            ..SignatureRequest::default()
        };
        assert_eq!(World::new().ask(&request.to_xml()).status(), "100");
    }
    let lacking = Call::handshake().to_xml().replace("<mss:RootCAs/>", "");
    assert_eq!(world.ask(&lacking).fault(), 102);
}

#[test]
fn an_instant_far_away_is_refused_by_strict_reading_only() {
    let late = SignatureRequest {
        instant: "2026-11-22T10:20:00Z".into(),
        ..plain()
    };
    let (id, step) = {
        let mut world = speaking(Dialect::Swisscom);
        world.post(&late.to_xml())
    };
    assert_eq!(answer(&step, id).unwrap().status(), "100");
    let fields = step.events[0].row().fields;
    assert!(fields.iter().any(|(_, value)| value.contains("Instant is")));
    let mut world = speaking(Dialect::Swisscom);
    world.configure(|config| config.strict = true);
    let in_english = |request: &SignatureRequest| {
        let fi = "http://mss.ficom.fi/TS102204/v1.0.0#";
        let services = format!(
            "<mss:AdditionalServices><mss:Service><mss:Description><mss:mssURI>{fi}userLang</mss:mssURI></mss:Description>\
             <f:UserLang xmlns:f=\"{fi}\">en</f:UserLang></mss:Service></mss:AdditionalServices></MSS_SignatureReq>"
        );
        request.to_xml().replace("</MSS_SignatureReq>", &services)
    };
    assert_eq!(world.ask(&in_english(&late)).fault(), 101);
    assert_eq!(world.ask(&in_english(&plain())).status(), "100");
}

#[test]
fn every_fault_of_the_table_can_be_had_from_a_test_number() {
    for code in [
        101, 102, 103, 104, 105, 106, 107, 108, 109, 208, 209, 401, 402, 403, 404, 405, 406, 407,
        422, 423, 424, 425, 450, 701, 702, 703, 710, 720, 750, 760, 770, 780, 900,
    ] {
        let mut world = World::new();
        let answer = world.ask(
            &SignatureRequest {
                msisdn: Some(format!("41000092{code}")),
                ..SignatureRequest::default()
            }
            .to_xml(),
        );
        assert_eq!(answer.fault(), code);
        let (value, _, reason, _) = fault_of(answer.0.body());
        assert_ne!(reason, "UNNAMED");
        let sender = matches!(code, 101..=108 | 701..=720);
        let expected = if sender { "env:Sender" } else { "env:Receiver" };
        assert_eq!(value, expected, "{code}");
        let query = Call::new(
            Operation::ProfileQuery,
            USER.replace("+447700900002", &format!("+41000092{code}")),
        );
        assert_eq!(world.ask(&query.to_xml()).fault(), code);
    }
    let with = |msisdn: &str| {
        let mut world = speaking(Dialect::Ficom);
        let request = SignatureRequest {
            msisdn: Some(msisdn.into()),
            ..plain()
        };
        world.ask(&request.to_xml())
    };
    let second = with("410000924012");
    assert_eq!(
        (second.fault(), second.second()),
        (401, Some("fi:_4012".into()))
    );
    let heartbeat = with("+41000000000");
    assert_eq!(
        (heartbeat.fault(), heartbeat.detail().as_str()),
        (101, "Illegal msisdn")
    );
    // As it is published: with DataToBeDisplayed.
    for dialect in Dialect::ALL {
        let request = SignatureRequest {
            msisdn: Some("+41000000000".into()),
            more: &[("mss:DataToBeDisplayed", "Heartbeat")],
            ..plain()
        };
        let answer = speaking(dialect).ask(&request.to_xml());
        let got = (answer.fault(), answer.detail());
        assert_eq!(got, (101, "Illegal msisdn".to_owned()), "{dialect}");
    }
    assert_eq!(with("41000092700").fault(), 105, "no fault has that number");
    let mut world = World::new();
    world.configure(|config| config.test_numbers = false);
    let request = SignatureRequest {
        msisdn: Some("41000092401".into()),
        ..SignatureRequest::default()
    };
    assert_eq!(world.ask(&request.to_xml()).fault(), 105, "switched off");
}
