//! What each messaging mode answers, and when.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::samples::shapes;

#[test]
fn a_synch_request_waits_for_the_user() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "synch".into(),
        ..SignatureRequest::default()
    };
    let (id, step) = world.post(&request.to_xml());
    assert!(answer(&step, id).is_none(), "held");
    let submit = submitted(&step);

    let response = applet(&submit, ResultCode::OK);
    let step = world.mo(&submit.msisdn, response.clone());
    let answer = answer(&step, id).expect("released");
    assert_eq!(answer.status(), "502");
    assert_eq!(
        answer.text("StatusMessage").as_deref(),
        Some("VALID_SIGNATURE")
    );
    // The signature is the MAC of the response, and nothing else.
    let mac = STANDARD.encode(&response[response.len() - 8..]);
    assert_eq!(answer.text("Base64Signature"), Some(mac));
    assert_eq!(
        answer.0.headers()["content-type"],
        "application/soap+xml; charset=utf-8"
    );
}

#[test]
fn a_synch_request_that_fails_ends_in_a_fault() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "synch".into(),
        ..SignatureRequest::default()
    };
    let (id, step) = world.post(&request.to_xml());
    let submit = submitted(&step);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::CANCELLED));
    assert_eq!(answer(&step, id).unwrap().fault(), 401);
}

#[test]
fn client_server_polls_until_there_is_a_result() {
    let mut world = World::new();
    let request = SignatureRequest::default();
    let (id, submit) = world.begin(&request);
    let poll = request.status(&id);

    let pending = world.ask(&poll);
    assert_eq!(pending.status(), "504");
    assert_eq!(pending.text("Base64Signature"), None);
    assert_eq!(pending.text("MSISDN").as_deref(), Some("+447700900002"));

    world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    for _ in 0..2 {
        let done = world.ask(&poll);
        assert_eq!(done.status(), "502");
        assert!(done.text("Base64Signature").is_some());
    }
}

#[test]
fn server_server_acknowledges_and_then_notifies() {
    let mut world = World::new();
    let request = SignatureRequest {
        mode: "asynchServerServer".into(),
        ap_url: Some("http://op.test/mss/notify/s3cret".into()),
        ..SignatureRequest::default()
    };
    let (id, submit) = world.begin(&request);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let send = sent(&step).expect("a notification");
    assert_eq!(
        (send.method.as_str(), send.url.as_str()),
        ("POST", "http://op.test/mss/notify/s3cret")
    );
    let root = parse(&send.body).unwrap();
    assert!(find(&root, "MSS_Notification").is_some());
    let part = find(&root, "MSS_StatusResp").unwrap();
    assert_eq!(part.attribute(None, "MSSP_TransID"), Some(id.as_str()));
    let ap_info = find(part, "AP_Info").unwrap();
    assert_eq!(ap_info.attribute(None, "AP_TransID"), Some("A1"));
    assert!(find(part, "Base64Signature").is_some());
    // The AP confirms with a query, also in this mode.
    assert_eq!(world.ask(&request.status(&id)).status(), "502");
}

#[test]
fn every_answer_mirrors_its_own_request() {
    for asked in shapes() {
        for polled in shapes() {
            let mut world = World::new();
            let request = SignatureRequest {
                shape: asked.clone(),
                ..SignatureRequest::default()
            };
            let first = world.ask(&request.to_xml());
            let root = first.root();
            let ns =
                |root: &Element, local| find(root, local).unwrap().ns.as_deref().map(str::to_owned);
            assert_eq!(ns(&root, "MSS_SignatureResponse"), asked.wrapper);
            assert_eq!(ns(&root, "MSS_SignatureResp"), asked.part);

            let poll = SignatureRequest {
                shape: polled.clone(),
                ..SignatureRequest::default()
            };
            let answer = world.ask(&poll.status(&first.mssp_trans_id()));
            let root = answer.root();
            assert_eq!(ns(&root, "MSS_StatusQueryResponse"), polled.wrapper);
            assert_eq!(ns(&root, "MSS_StatusResp"), polled.part);
        }
    }
}

#[test]
fn the_head_of_an_answer_is_the_requests_with_the_mssp_filled_in() {
    let mut world = World::new();
    let request = SignatureRequest {
        version: ("1", "2"),
        msisdn: Some("00 44 7700-900002".into()),
        ..SignatureRequest::default()
    };
    let answer = world.ask(&request.to_xml());
    let root = answer.root();
    let part = find(&root, "MSS_SignatureResp").unwrap();
    assert_eq!(part.attribute(None, "MinorVersion"), Some("2"));
    let ap_info = find(part, "AP_Info").unwrap();
    for (name, value) in [
        ("AP_ID", "http://midsim.test/ap"),
        ("AP_TransID", "A1"),
        ("AP_PWD", "midsim-ap"),
        ("Instant", "2026-11-22T10:30:00Z"),
    ] {
        assert_eq!(ap_info.attribute(None, name), Some(value));
    }
    let mssp_info = find(part, "MSSP_Info").unwrap();
    assert_eq!(
        mssp_info.attribute(None, "Instant"),
        Some("2026-11-22T10:30:01.000Z")
    );
    assert_eq!(
        answer.text("URI").as_deref(),
        Some("http://mssp.midsim.test/")
    );
    // As the AP spelt it, not as it is stored.
    assert_eq!(answer.text("MSISDN").as_deref(), Some("00 44 7700-900002"));
    assert_eq!(
        answer.text("mssURI").as_deref(),
        Some("http://uri.gsma.com/mobileconnect/LoA3")
    );
}

#[test]
fn the_profile_decides_method_and_mac() {
    for (profile, method, algorithm) in [
        (Some("LoA2"), 1, MacAlgorithm::AesCmac8),
        (Some("LoA3"), 2, MacAlgorithm::AesCmac8),
        (Some("LoA3/CBCMAC3DES"), 2, MacAlgorithm::TripleDesCbcMac),
        (None, 2, MacAlgorithm::AesCmac8),
    ] {
        let mut world = World::new();
        let (id, submit) = world.begin(&SignatureRequest {
            profile: profile.map(|name| format!("http://uri.gsma.com/mobileconnect/{name}")),
            ..SignatureRequest::default()
        });
        let challenge = Challenge::parse(&submit.payload).unwrap();
        assert_eq!(challenge.method as u8, method);
        assert_eq!(challenge.mac_algorithm, algorithm);
        assert_eq!(challenge.text.to_string(), "Log in to Example Bank?");
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        let status = SignatureRequest::default().status(&id);
        assert_eq!(world.ask(&status).status(), "502");
    }
}

#[test]
fn a_challenge_names_its_sim_its_time_and_its_place_in_the_trace() {
    let mut world = World::new();
    let (id, submit) = world.begin(&SignatureRequest {
        timeout: Some("80".into()),
        ..SignatureRequest::default()
    });
    let challenge = Challenge::parse(&submit.payload).unwrap();
    assert_eq!(submit.msisdn.to_string(), "+447700900002");
    assert_eq!(submit.tar.to_string(), "4D4944");
    assert_eq!(submit.expires, world.now + SignedDuration::from_secs(80));
    assert_eq!(challenge.valid_for, 80);
    assert_eq!(challenge.ctr, world.now.as_millisecond() as u64);
    let iccid = Fiction.subscriber(&submit.msisdn).unwrap().iccid;
    assert_eq!(
        submit.correlation,
        format!("applet:{iccid}:{}", challenge.ctr)
    );
    assert_eq!(submit.id, id);
}

#[test]
fn counters_rise_even_if_the_clock_goes_back() {
    let mut world = World::new();
    let mut last = 0;
    for (n, jump) in [0, 0, -86_400, 0, 200_000].into_iter().enumerate() {
        world.pass(jump);
        let (_, submit) = world.begin(&SignatureRequest {
            ap_trans_id: format!("A{n}"),
            ..SignatureRequest::default()
        });
        let ctr = Challenge::parse(&submit.payload).unwrap().ctr;
        assert!(ctr > last, "{ctr} after {last}");
        last = ctr;
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    }
    assert_eq!(last, world.now.as_millisecond() as u64);
}

#[test]
fn one_steps_outcome_depends_on_nothing_but_its_arguments() {
    let run = || {
        let mut world = World::new();
        let (id, submit) = world.begin(&SignatureRequest::default());
        world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
        let answer = world.ask(&SignatureRequest::default().status(&id));
        (submit, answer.0.into_body(), world.records.0)
    };
    assert_eq!(run(), run());
}

#[test]
fn outputs_survive_a_crash() {
    let mut world = World::new();
    let (id, submit) = world.begin(&SignatureRequest {
        mode: "asynchServerServer".into(),
        ap_url: Some("https://op.test/n".into()),
        ..SignatureRequest::default()
    });
    let (key, octets) = Output::Submit(submit.clone()).durable().unwrap();
    assert_eq!(key, format!("submit/{id}"));
    let Some(Output::Submit(restored)) = Output::restore(&octets) else {
        panic!("no challenge");
    };
    assert_eq!(restored, submit);

    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let send = sent(&step).unwrap();
    let (key, octets) = Output::Send(send.clone()).durable().unwrap();
    assert_eq!(key, format!("send/{id}/1"));
    let Some(Output::Send(restored)) = Output::restore(&octets) else {
        panic!("no notification");
    };
    assert_eq!(restored, send);
    assert!(Output::restore(b"{}").is_none());
}
