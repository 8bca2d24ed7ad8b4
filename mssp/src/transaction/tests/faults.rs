//! Requests that are refused, each with its own number.

use super::*;

fn refused(change: impl FnOnce(&mut SignatureRequest)) -> Answer {
    let mut world = World::new();
    let mut request = SignatureRequest::default();
    change(&mut request);
    let answer = world.ask(&request.to_xml());
    assert!(
        world.records.0.is_empty() && world.timers.is_empty(),
        "a refused request leaves nothing behind: {:?}",
        world.records.0.keys()
    );
    // The next good request succeeds.
    world.begin(&SignatureRequest::default());
    answer
}

#[test]
fn wrong_parameters_are_101() {
    let cases: [fn(&mut SignatureRequest); 14] = [
        |r| r.mode = "sometimes".into(),
        |r| r.ap_trans_id = "1A".into(),
        |r| r.ap_trans_id = "A:1".into(),
        |r| r.ap_trans_id = "A".repeat(65),
        |r| r.instant = "yesterday".into(),
        |r| r.instant = "2026-11-22T10:30:00".into(),
        |r| r.instant = "2026-13-22T10:30:00Z".into(),
        |r| r.timeout = Some("0".into()),
        |r| r.timeout = Some("soon".into()),
        |r| r.timeout = Some("65536".into()),
        |r| r.timeout = Some("99999999999999999999999".into()),
        |r| r.format = Some("http://uri.etsi.org/TS102204/v1.1.2#XML-Signature".into()),
        |r| r.more = &[("mss:Unheard", "")],
        |r| r.more = &[("mss:SignatureProfileComparison", "roughly")],
    ];
    for (n, case) in cases.into_iter().enumerate() {
        let answer = refused(case);
        assert_eq!(answer.fault(), 101, "case {n}: {}", answer.detail());
    }
    let answer = refused(|r| {
        r.mode = "asynchServerServer".into();
        r.ap_url = Some("mailto:op@op.test".into());
    });
    assert_eq!(answer.fault(), 101);
}

#[test]
fn an_additional_service_that_is_not_offered_is_101() {
    let service = |uri: &str| {
        let services = format!(
            "<mss:AdditionalServices><mss:Service><mss:Description><mss:mssURI>{uri}</mss:mssURI>\
             </mss:Description></mss:Service></mss:AdditionalServices></MSS_SignatureReq>"
        );
        SignatureRequest::default()
            .to_xml()
            .replace("</MSS_SignatureReq>", &services)
    };
    let mss = "http://uri.etsi.org/TS102204/v1.1.2#";
    let mut world = World::new();
    assert_eq!(world.ask(&service(&format!("{mss}timestamp"))).fault(), 101);
    assert_eq!(
        world.ask(&service(&format!("{mss}validate"))).status(),
        "100"
    );
}

#[test]
fn missing_parameters_are_102() {
    let without = |what: &str, with: &str| {
        let request = SignatureRequest::default().to_xml();
        assert!(request.contains(what), "{what} is not in {request}");
        World::new().ask(&request.replace(what, with)).fault()
    };
    for (what, with) in [
        (" MajorVersion=\"1\"", ""),
        (" MinorVersion=\"1\"", ""),
        (" MessagingMode=\"asynchClientServer\"", ""),
        (" AP_ID=\"http://midsim.test/ap\"", ""),
        (" AP_TransID=\"A1\"", ""),
        (" AP_TransID=\"A1\"", " AP_TransID=\"\""),
        (" Instant=\"2026-11-22T10:30:00Z\"", ""),
        ("<mss:MSSP_ID></mss:MSSP_ID>", ""),
        (
            "<mss:MSSP_Info><mss:MSSP_ID></mss:MSSP_ID></mss:MSSP_Info>",
            "",
        ),
        (
            "<mss:MobileUser><mss:MSISDN>+447700900002</mss:MSISDN></mss:MobileUser>",
            "",
        ),
        (">Log in to Example Bank?<", "> <"),
    ] {
        assert_eq!(without(what, with), 102, "{what}");
    }
    let answer = refused(|r| r.mode = "asynchServerServer".into());
    assert_eq!(answer.fault(), 102, "AP_URL");
}

#[test]
fn texts_that_do_not_fit_are_103() {
    let long = |text: String| refused(move |r| r.text = text);
    assert_eq!(long("x".repeat(240)).fault(), 103);
    assert_eq!(long("ж".repeat(120)).fault(), 103);
    for fits in ["x".repeat(239), "ж".repeat(119)] {
        let mut world = World::new();
        let (_, submit) = world.begin(&SignatureRequest {
            text: fits.clone(),
            ..SignatureRequest::default()
        });
        let challenge = Challenge::parse(&submit.payload).unwrap();
        assert_eq!(challenge.text.to_string(), fits);
    }
}

#[test]
fn an_ap_that_does_not_prove_itself_is_104() {
    assert_eq!(
        refused(|r| r.ap_id = "http://nobody.test".into()).fault(),
        104
    );
    assert_eq!(refused(|r| r.ap_pwd = Some("wrong".into())).fault(), 104);
    assert_eq!(refused(|r| r.ap_pwd = Some(String::new())).fault(), 104);
    assert_eq!(refused(|r| r.ap_pwd = None).fault(), 104);
    // One AP cannot use the password of another.
    assert_eq!(refused(|r| r.ap_pwd = Some("other".into())).fault(), 104);
    // Who is not authenticated learns nothing about the rest of the request.
    let answer = refused(|r| {
        r.ap_pwd = Some("wrong".into());
        r.msisdn = Some("+1".into());
    });
    assert_eq!(answer.fault(), 104);
}

#[test]
fn a_user_that_is_not_known_is_105() {
    for msisdn in [
        None,
        Some(""),
        Some("+447700900011"),
        Some("+447700900010"),
        Some("Alice"),
        Some("+4477009000020000000"),
    ] {
        let answer = refused(|r| r.msisdn = msisdn.map(str::to_owned));
        assert_eq!(answer.fault(), 105, "{msisdn:?}");
    }
}

#[test]
fn data_that_cannot_be_shown_is_107() {
    assert_eq!(refused(|r| r.text = "Pay 5 € 😀".into()).fault(), 107);
    assert_eq!(
        refused(|r| r.mime = Some("application/octet-stream".into())).fault(),
        107
    );
    assert_eq!(refused(|r| r.encoding = Some("base64".into())).fault(), 107);
    let answer = refused(|r| {
        r.mime = Some("text/plain;gsm".into());
        r.text = "жж".into();
    });
    assert_eq!(answer.fault(), 107);
    // What deployed clients send.
    for (mime, encoding) in [
        (None, None),
        (Some("text/plain"), Some("7bit")),
        (Some("text/plain;UTF-8"), Some("UTF-8")),
        (Some("text/plain;ucs2"), None),
        (Some("Text/Plain; charset=utf-8"), Some("utf-8")),
    ] {
        World::new().begin(&SignatureRequest {
            mime: mime.map(str::to_owned),
            encoding: encoding.map(str::to_owned),
            ..SignatureRequest::default()
        });
    }
}

#[test]
fn a_version_that_is_not_spoken_is_108() {
    for version in [
        ("1", "3"),
        ("2", "1"),
        ("0", "1"),
        ("one", "1"),
        ("257", "1"),
    ] {
        assert_eq!(refused(|r| r.version = version).fault(), 108, "{version:?}");
    }
    for version in [("1", "1"), ("1", "2"), ("2", "0")] {
        World::new().begin(&SignatureRequest {
            version,
            ..SignatureRequest::default()
        });
    }
}

#[test]
fn a_profile_that_is_not_offered_is_109() {
    let answer = refused(|r| r.profile = Some("http://mid.swisscom.ch/Device-LoA4".into()));
    assert_eq!(answer.fault(), 109);
}

/// The weakest profile that will do, of those in the AP's contract; 109 if there is none.
#[test]
fn a_comparison_finds_the_weakest_profile_that_will_do() {
    let ask = |named: &str, comparison: &'static str, contract: &[&str]| {
        let uri = |name: &str| format!("http://uri.gsma.com/mobileconnect/{name}");
        let mut world = World::new();
        world.configure(|config| {
            config.profiles = crate::Profile::mobile_connect();
            config.aps[0].profiles = contract.iter().map(|name| uri(name)).collect();
        });
        let more: &'static [(&str, &str)] = match comparison {
            "exact" => &[("mss:SignatureProfileComparison", "exact")],
            "minimum" => &[("mss:SignatureProfileComparison", "minimum")],
            _ => &[("mss:SignatureProfileComparison", "better")],
        };
        let request = SignatureRequest {
            profile: Some(uri(named)),
            more,
            ..SignatureRequest::default()
        };
        let answer = world.ask(&request.to_xml());
        if answer.0.status() != StatusCode::OK {
            return answer.fault().to_string();
        }
        let used = answer.text("mssURI").unwrap();
        used.rsplit('/').next().unwrap().to_owned()
    };
    let all: &[&str] = &[];
    for (named, comparison, contract, used) in [
        ("LoA2", "exact", all, "LoA2"),
        ("LoA2", "minimum", all, "LoA2"),
        ("LoA2", "better", all, "LoA3"),
        ("LoA3", "better", all, "LoA4"),
        ("LoA4", "minimum", all, "LoA4"),
        ("LoA4", "better", all, "109"),
        ("LoA2", "exact", &["LoA3"], "104"),
        ("LoA2", "minimum", &["LoA4", "LoA3"], "LoA3"),
        ("LoA3", "minimum", &["LoA2", "LoA4"], "LoA4"),
        ("LoA3", "minimum", &["LoA2"], "109"),
        ("LoA9", "minimum", all, "109"),
    ] {
        assert_eq!(
            ask(named, comparison, contract),
            used,
            "{named} {comparison} {contract:?}"
        );
    }
}

#[test]
fn a_validity_date_in_the_past_is_208() {
    let answer = refused(|r| r.validity_date = Some("2026-11-22T10:30:01Z".into()));
    assert_eq!(answer.fault(), 208);
}

#[test]
fn the_earlier_of_time_out_and_validity_date_counts() {
    for (timeout, date, seconds) in [
        (None, None, 300),
        (Some("80"), None, 80),
        (None, Some("2026-11-22T12:30:41.5+02:00"), 41),
        (Some("30"), Some("2026-11-22T10:30:41Z"), 30),
        (Some("50"), Some("2026-11-22T10:30:41Z"), 40),
        (None, Some("2999-01-01T00:00:00Z"), 65_535),
        (Some("65535"), None, 65_535),
    ] {
        let mut world = World::new();
        let (_, submit) = world.begin(&SignatureRequest {
            timeout: timeout.map(str::to_owned),
            validity_date: date.map(str::to_owned),
            ..SignatureRequest::default()
        });
        // Rounded up for the card, so that it never gives up before the MSSP does.
        let challenge = Challenge::parse(&submit.payload).unwrap();
        assert_eq!(challenge.valid_for, seconds, "{timeout:?} {date:?}");
    }
}

#[test]
fn a_second_signature_for_a_busy_sim_is_406() {
    let mut world = World::new();
    let (_, submit) = world.begin(&SignatureRequest::default());
    let second = SignatureRequest {
        ap_trans_id: "A2".into(),
        ..SignatureRequest::default()
    };
    assert_eq!(world.ask(&second.to_xml()).fault(), 406);
    // Somebody else's SIM is free.
    world.begin(&SignatureRequest {
        ap_trans_id: "A3".into(),
        msisdn: Some("+447700900003".into()),
        ..SignatureRequest::default()
    });
    // Once the first is over, the same request goes through.
    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    world.begin(&second);
}

#[test]
fn a_sim_is_free_at_the_deadline_even_if_the_timer_is_late() {
    let mut world = World::new();
    let request = SignatureRequest {
        timeout: Some("60".into()),
        ..SignatureRequest::default()
    };
    let (first, _) = world.begin(&request);
    world.pass(60);
    world.begin(&SignatureRequest {
        ap_trans_id: "A2".into(),
        ..SignatureRequest::default()
    });
    assert_eq!(world.ask(&request.status(&first)).fault(), 208);
}

#[test]
fn the_same_request_again_is_the_same_transaction() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    for _ in 0..2 {
        let (connection, step) = world.post(&request.to_xml());
        let answer = answer(&step, connection).unwrap();
        assert_eq!(
            (answer.status().as_str(), answer.mssp_trans_id()),
            ("100", id.clone())
        );
        assert!(!step.outputs.iter().any(|o| matches!(o, Output::Submit(_))));
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    }
}

#[test]
fn the_same_synch_request_again_takes_the_place_of_the_first() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "synch".into(),
        ..SignatureRequest::default()
    };
    let (first, step) = world.post(&request.to_xml());
    let submit = submitted(&step);
    let (second, step) = world.post(&request.to_xml());
    assert_eq!(answer(&step, first).unwrap().fault(), 406);
    assert!(answer(&step, second).is_none());
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert_eq!(answer(&step, second).unwrap().status(), "502");
    assert_eq!(world.ask(&request.to_xml()).status(), "502");
}

#[test]
fn an_ap_trans_id_cannot_be_used_for_another_request() {
    let cases: [fn(&mut SignatureRequest); 4] = [
        |r| r.text = "Pay 1000 GBP".into(),
        |r| r.instant = "2026-11-22T10:30:02Z".into(),
        |r| r.mode = "synch".into(),
        |r| r.msisdn = Some("+447700900003".into()),
    ];
    for case in cases {
        let mut world = World::new();
        let (_, submit) = world.begin(&SignatureRequest::default());
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        let mut other = SignatureRequest::default();
        case(&mut other);
        assert_eq!(world.ask(&other.to_xml()).fault(), 101);
    }
    // It is the AP's own: another AP may use the same.
    let mut world = World::new();
    world.begin(&SignatureRequest::default());
    world.begin(&SignatureRequest {
        ap_id: "http://midsim.test/other".into(),
        ap_pwd: Some("other".into()),
        msisdn: Some("+447700900003".into()),
        ..SignatureRequest::default()
    });
}

#[test]
fn a_transaction_is_known_to_its_own_ap_only() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, _) = world.begin(&request);
    assert_eq!(world.ask(&request.status("Mffff")).fault(), 101);
    let other = SignatureRequest {
        ap_id: "http://midsim.test/other".into(),
        ap_pwd: Some("other".into()),
        ..SignatureRequest::default()
    };
    let (stranger, nobody) = (
        world.ask(&other.status(&id)),
        world.ask(&other.status("Mffff")),
    );
    assert_eq!((stranger.fault(), nobody.fault()), (101, 101));
    let wrong = SignatureRequest {
        ap_pwd: Some("wrong".into()),
        ..SignatureRequest::default()
    };
    assert_eq!(world.ask(&wrong.status(&id)).fault(), 104);
    let status = request
        .status(&id)
        .replace(&format!(" MSSP_TransID=\"{id}\""), "");
    assert_eq!(world.ask(&status).fault(), 102);
}

#[test]
fn operations_that_are_not_offered_say_so() {
    for operation in [
        "MSS_Receipt",
        "MSS_Registration",
        "MSS_ProfileQuery",
        "MSS_Handshake",
        "Nonsense",
    ] {
        let request = SignatureRequest::default()
            .to_xml()
            .replace("MSS_Signature>", &format!("{operation}>"));
        let answer = World::new().ask(&request);
        assert_eq!(answer.fault(), 101);
        assert!(answer.detail().starts_with(operation));
    }
}

#[test]
fn a_record_that_cannot_be_read_is_900() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    world.records.0.insert(format!("txn/{id}"), b"{".to_vec());
    assert_eq!(world.ask(&request.status(&id)).fault(), 900);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    assert!(matches!(step.events[0].kind, EventKind::Internal { .. }));
}
