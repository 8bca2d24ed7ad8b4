//! What the MSSP tells an AP of what happens on handset and card, through the whole chain below it. `mssp/docs/faults.md`
//! says which test shows which number.

use midsim::runtime::store::{Batch, RedbStore, Store as _, Write};
use midsim::suite::Builder;
use midsim::world::{DEFAULT, World};
use mssp::pki::credential::CertificateState;

use crate::support::Folder;
use crate::support::sockets::{BEN, Bench, GRETA, msisdn, signature_request};

/// A busy handset.
const IVAN: &str = "+447700900009";

/// Seconds of TimeOut in the request.
pub(super) const TIMEOUT: u64 = 60;

pub(super) fn status_request(mssp_trans_id: &str) -> String {
    format!(
        "<env:Envelope xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\"><env:Body><MSS_StatusQuery>\
         <mss:MSS_StatusReq xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\" MajorVersion=\"1\" MinorVersion=\"1\" \
         MSSP_TransID=\"{mssp_trans_id}\"><mss:AP_Info AP_ID=\"http://midsim.test/ap\" AP_TransID=\"AQ\" \
         AP_PWD=\"midsim-ap\" Instant=\"2026-11-22T10:30:00Z\"/><mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>\
         </mss:MSS_StatusReq></MSS_StatusQuery></env:Body></env:Envelope>"
    )
}

/// Begins a signature of this number; gives its MSSP_TransID.
pub(super) async fn begin(bench: &Bench, number: &str, ap_trans_id: &str) -> String {
    let request = signature_request("midsim-ap", number, ap_trans_id);
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let (_, rest) = text.split_once("MSSP_TransID=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// What a signature of this number ends with.
async fn end(bench: &Bench, number: &str, code: u16) {
    let id = begin(
        bench,
        number,
        &format!("A{}", number.trim_start_matches('+')),
    )
    .await;
    bench.idle().await;
    if code == 208 {
        bench.advance(TIMEOUT + 1).await;
    }
    let answer = bench
        .soap(&bench.suite.mssp_url(), status_request(&id))
        .await;
    let detail = answer.is_soap_fault(500, code);
    assert!(!detail.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_on_the_handset_have_their_numbers() {
    let world = DEFAULT.replacen(
        "persona = { kind = \"ignore\" }",
        "persona = { kind = \"ignore\" }\nuser_identifier = \"greta@midsim\"",
        1,
    ) + "\n[[subscriber]]\nmsisdn = \"+447700900020\"\npuk_blocked = true\n";
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    for (number, code) in [
        ("+447700900004", 401),
        ("+447700900006", 402),
        ("+447700900020", 403),
        ("+447700900010", 109),
        ("+447700900007", 208),
        ("+447700900008", 208),
    ] {
        end(&bench, number, code).await;
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_mssp_that_sees_expiry_only_says_208() {
    let world = DEFAULT.replace("only_expiry = false", "only_expiry = true");
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    for number in ["+447700900004", "+447700900006"] {
        end(&bench, number, 208).await;
    }
    bench.finish().await;
}

/// The first challenge is answered late, by a user who wakes up; only then the second one goes to the card.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_request_cancels_the_one_before_and_waits_for_the_card() {
    let world = DEFAULT.replace("when_busy = \"refuse\"", "when_busy = \"cancel-previous\"");
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    let url = bench.suite.mssp_url();
    // This user reads for three seconds.
    let slow = "+447700900003";
    let begin = async |ap_trans_id: &str| {
        let request = signature_request("midsim-ap", slow, ap_trans_id).replace(FICOM.0, FICOM.1);
        let text = bench.soap(&url, request).await.text();
        bench.idle().await;
        let (_, rest) = text.split_once("MSSP_TransID=\"").expect(&text);
        rest.split_once('"').unwrap().0.to_owned()
    };
    let status = |id: &str| status_request(id).replace(FICOM.0, FICOM.1);
    let sent = |id: &str| bench.lines(id).iter().any(|line| line.to == "OTA");
    let first = begin("A1").await;
    assert!(sent(&first));
    let second = begin("A2").await;
    assert_eq!(fault(&bench, &status(&first)).await, [401, 4011]);
    // A dialogue takes three seconds. While the card has the first one, nothing is sent to it.
    for card in ["has the first", "has the second"] {
        assert_eq!(sent(&second), card == "has the second");
        let outstanding = bench.soap(&url, status(&second)).await.text();
        assert!(outstanding.contains("Value=\"504\""), "{outstanding}");
        bench.advance(3).await;
    }
    let signed = bench.soap(&url, status(&second)).await.text();
    assert!(
        signed.contains("Value=\"502\"") || signed.contains("Value=\"500\""),
        "{signed}"
    );
    // The late signature has not revived what was cancelled.
    assert_eq!(fault(&bench, &status(&first)).await, [401, 4011]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_stand_as_the_world_has_them() {
    let world = DEFAULT.to_owned()
        + "\n[[subscriber]]\nmsisdn = \"+447700900020\"\nmssp_state = \"suspended\"\n\
           [[subscriber]]\nmsisdn = \"+447700900021\"\nmssp_state = \"not-registered\"\n";
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    for (number, code) in [
        ("+447700900020", 104),
        ("+447700900021", 105),
        ("+447700900099", 105),
        ("41000092422", 422),
    ] {
        let request = signature_request("midsim-ap", number, "A1");
        let answer = bench.soap(&bench.suite.mssp_url(), request).await;
        answer.is_soap_fault(500, code);
    }
    // A published number of somebody who signs.
    let id = begin(&bench, "41700092501", "A2").await;
    bench.idle().await;
    let signed = bench
        .soap(&bench.suite.mssp_url(), status_request(&id))
        .await;
    assert!(signed.text().contains("Value=\"502\""), "{}", signed.text());
    bench.finish().await;
}

/// An AP of FiCom's dialect, which has two numbers in a fault.
pub(super) const FICOM: (&str, &str) = ("http://midsim.test/ap", "http://midsim.test/ficom");

/// The numbers of the fault that `request` gets, without FiCom's underscore; none if it is served.
async fn fault(bench: &Bench, request: &str) -> Vec<u16> {
    let request = request.replace(FICOM.0, FICOM.1);
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    let text = answer.text();
    let numbers = text.split(">fi:_").skip(1);
    let numbers = numbers.map(|rest| rest.split('<').next().unwrap().parse().unwrap());
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(answer.status == 500, !numbers.is_empty(), "{text}");
    numbers
}

/// The same, of a signature that was accepted, once all is quiet.
pub(super) async fn outcome(bench: &Bench, number: &str, n: usize) -> Vec<u16> {
    let request = signature_request("midsim-ap", number, &format!("A{n}"));
    let answer = bench
        .soap(&bench.suite.mssp_url(), request.replace(FICOM.0, FICOM.1))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let (_, rest) = text.split_once("MSSP_TransID=\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    bench.idle().await;
    fault(bench, &status_request(id)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handset_that_is_busy_is_406_and_so_is_a_second_signature() {
    let bench = Bench::start().await;
    let busy = begin(&bench, IVAN, "A1").await;
    // The applet asks a few times before it gives up.
    bench.idle().await;
    bench.advance(50).await;
    let answer = bench
        .soap(&bench.suite.mssp_url(), status_request(&busy))
        .await;
    let detail = answer.is_soap_fault(500, 406);
    assert!(detail.contains("handset is busy"), "{detail}");

    begin(&bench, GRETA, "A2").await;
    let request = signature_request("midsim-ap", GRETA, "A3");
    let answer = bench.soap(&bench.suite.mssp_url(), request.clone()).await;
    let detail = answer.is_soap_fault(500, 406);
    assert!(detail.contains("another signature"), "{detail}");
    // It left nothing behind, and the first one's time ends.
    bench.advance(TIMEOUT + 1).await;
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    bench.finish().await;
}

/// What befell a record since it was written is not the AP's fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_900() {
    let folder = Folder::new("mssp-record");
    {
        let store = RedbStore::open(folder.path().join("mssp.redb")).unwrap();
        let written = store.commit(Batch {
            writes: vec![Write::Put {
                key: format!("user/{BEN}"),
                value: b"half a rec".to_vec(),
            }],
            ..Batch::default()
        });
        written.await.unwrap();
    }
    let builder = Builder::new(World::default()).data_dir(folder.path());
    let bench = Bench::of(builder).await;
    let request = signature_request("midsim-ap", BEN, "A1");
    assert_eq!(fault(&bench, &request).await, [900, 9002]);
    // The others' records are sound.
    assert_eq!(outcome(&bench, "+447700900004", 2).await, [401, 4011]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_certificates_have_their_numbers() {
    let bench = Bench::start().await;
    let sim = bench.suite.sim(msisdn(BEN));
    let request = |n: usize| {
        let validate = "<mss:AdditionalServices><mss:Service><mss:Description>\
            <mss:mssURI>http://uri.etsi.org/TS102204/v1.1.2#validate</mss:mssURI></mss:Description></mss:Service>\
            </mss:AdditionalServices></mss:MSS_SignatureReq>";
        signature_request("midsim-ap", BEN, &format!("B{n}"))
            .replace("</mss:MSS_SignatureReq>", validate)
    };
    for (n, (state, at_once)) in [
        (CertificateState::NoKey, [404, 4041].as_slice()),
        (CertificateState::NoCertificate, &[422]),
        (CertificateState::CrlMissing, &[]),
        (CertificateState::CrlExpired, &[]),
        (CertificateState::CrlDamaged, &[]),
        (CertificateState::Revoked, &[]),
        (CertificateState::Expired, &[]),
        (CertificateState::Test, &[]),
    ]
    .into_iter()
    .enumerate()
    {
        sim.set_certificate(state).await;
        if !at_once.is_empty() {
            assert_eq!(fault(&bench, &request(n)).await, at_once, "{state:?}");
            continue;
        }
        let ficom = |request: String| request.replace(FICOM.0, FICOM.1);
        let answer = bench.soap(&bench.suite.mssp_url(), ficom(request(n))).await;
        let text = answer.text();
        let (_, rest) = text.split_once("MSSP_TransID=\"").unwrap();
        let (id, _) = rest.split_once('"').unwrap();
        bench.idle().await;
        let answer = bench
            .soap(&bench.suite.mssp_url(), ficom(status_request(id)))
            .await;
        let text = answer.text();
        let expected = match state {
            CertificateState::CrlMissing => ">fi:_423<",
            CertificateState::CrlExpired => ">fi:_424<",
            CertificateState::CrlDamaged => ">fi:_425<",
            CertificateState::Revoked => "Value=\"501\"",
            CertificateState::Expired => "Value=\"503\"",
            _ => "Value=\"505\"",
        };
        assert!(text.contains(expected), "{state:?}: {text}");
    }
    sim.set_certificate(CertificateState::Valid).await;
    let by_url = request(20).replace(
        "</mss:AdditionalServices>",
        "</mss:AdditionalServices><mss:KeyReference><mss:CertificateURL>http://a.test/c</mss:CertificateURL></mss:KeyReference>",
    );
    assert_eq!(fault(&bench, &by_url).await, [405]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_user_does_has_ficoms_second_number() {
    let world =
        DEFAULT.to_owned() + "\n[[subscriber]]\nmsisdn = \"+447700900020\"\npuk_blocked = true\n";
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    for (n, (number, expected)) in [
        ("+447700900004", [401, 4011]),
        ("+447700900006", [402, 4021]),
        ("+447700900020", [403, 4031]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(outcome(&bench, number, n).await, expected);
    }
    // The card has told what MSS_ProfileQuery says from now on.
    let query = |number: &str| {
        format!(
            "<env:Envelope xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\"><env:Body><MSS_ProfileQuery>\
             <mss:MSS_ProfileReq xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\" MajorVersion=\"1\" MinorVersion=\"1\">\
             <mss:AP_Info AP_ID=\"{}\" AP_TransID=\"AP\" AP_PWD=\"midsim-ap\" Instant=\"2026-11-22T10:30:00Z\"/>\
             <mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info><mss:MobileUser><mss:MSISDN>{number}</mss:MSISDN></mss:MobileUser>\
             </mss:MSS_ProfileReq></MSS_ProfileQuery></env:Body></env:Envelope>",
            FICOM.0
        )
    };
    assert_eq!(fault(&bench, &query("+447700900006")).await, [402, 4021]);
    assert_eq!(fault(&bench, &query("+447700900020")).await, [403, 4031]);
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contracts_and_registrations_have_their_numbers() {
    let world = DEFAULT.to_owned()
        + "\n[[mssp.ap]]\nid = \"http://shy.test/ap\"\npassword = \"midsim-ap\"\nhandshake = true\n\
           [[mssp.ap]]\nid = \"http://mesh.test/ap\"\npassword = \"midsim-ap\"\nroaming = true\n";
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    let url = bench.suite.mssp_url();
    let request = |ap: &str| signature_request("midsim-ap", BEN, "A1").replace(FICOM.0, ap);
    let through_mesh = |entry: &str| {
        request("http://mesh.test/ap").replace(
            "<env:Body>",
            &format!(
                "<env:Header><r:RoamingHeader xmlns:r=\"http://uri.etsi.org/TS102207/v1.1.2#\">{entry}</r:RoamingHeader>\
                 </env:Header><env:Body>"
            ),
        )
    };
    let late = "<r:RoamingHeaderEntry><r:RE_SenderInfo Instant=\"2020-01-01T00:00:00Z\" TimeOut=\"60\"/></r:RoamingHeaderEntry>";
    let register = |number: &str, more: &str| {
        format!(
            "<env:Envelope xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\"><env:Body><MSS_Registration>\
             <mss:MSS_RegistrationReq xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\" MajorVersion=\"1\" MinorVersion=\"1\">\
             <mss:AP_Info AP_ID=\"{}\" AP_TransID=\"AR\" AP_PWD=\"midsim-ap\" Instant=\"2026-11-22T10:30:00Z\"/>\
             <mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info><mss:MobileUser><mss:MSISDN>{number}</mss:MSISDN></mss:MobileUser>\
             {more}</mss:MSS_RegistrationReq></MSS_Registration></env:Body></env:Envelope>",
            FICOM.0
        )
    };
    for (sent, code) in [
        (request("http://shy.test/ap"), 106),
        (request("http://mesh.test/ap"), 701),
        (through_mesh(""), 710),
        (through_mesh(late), 720),
        (register("+447700900099", ""), 407),
        (register(BEN, "<mss:EncryptedData/>"), 407),
    ] {
        let answer = bench.soap(&url, sent).await;
        answer.is_soap_fault(500, code);
    }
    bench.finish().await;
}

/// MSSP_ID of an answer is what the page shows, and not just any URI.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentation_shows_the_mssp_id_of_an_answer() {
    const PAGE: &str = include_str!("../mssp/docs/mssp.md");
    let bench = Bench::start().await;
    let request = signature_request("midsim-ap", BEN, "A1");
    let answer = bench.soap(&bench.suite.mssp_url(), request).await.text();
    let id = |text: &str| {
        let (_, rest) = text.split_once("<mss:MSSP_ID><mss:URI>").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(id(PAGE), id(&answer));
    bench.finish().await;
}

/// Each number that a fault can have is in the documentation, with the test that shows it or why there is none.
#[test]
fn the_documentation_names_a_test_for_every_fault() {
    const FAULTS: &str = include_str!("../mssp/docs/faults.md");
    let tests = [
        include_str!("mssp_causes.rs"),
        include_str!("mssp_input.rs"),
        include_str!("mssp_ota.rs"),
        include_str!("../mssp/src/transaction/tests/dialects.rs"),
        include_str!("../mssp/src/transaction/tests/faults.rs"),
        include_str!("../mssp/src/transaction/tests/operations.rs"),
        include_str!("../mssp/src/transaction/tests/roaming.rs"),
        include_str!("../mssp/src/transaction/tests/services.rs"),
        include_str!("../mssp/src/transaction/tests/signatures.rs"),
    ]
    .concat();
    let section = |title: &str| {
        let (_, rest) = FAULTS.split_once(&format!("\n## {title}\n")).unwrap();
        rest.split("\n## ").next().unwrap()
    };
    let shown = section("Which test shows it");
    let named: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
    assert!(named.len() > 15, "{named:?}");
    // Names of dialects and folders aside.
    let others = ["tests/", "mssp/src/transaction/tests/", "ficom"];
    for name in named.iter().filter(|name| !others.contains(name)) {
        let there = [format!("fn {name}("), format!("    {name}: ")];
        assert!(
            there.iter().any(|form| tests.contains(form.as_str())),
            "there is no test {name}"
        );
    }
    let numbers = |section: &str| -> Vec<u16> {
        let cells = section.lines().filter_map(|line| line.split('|').nth(1));
        cells
            .flat_map(|cell| cell.split(','))
            .filter_map(|number| number.trim().parse().ok())
            .collect()
    };
    let (with, without) = (numbers(shown), numbers(section("Without a cause here")));
    for number in (100..1000).filter(|number| mssp::code::Code(*number).is_fault()) {
        let places = [&with, &without].map(|list| list.contains(&number));
        assert_ne!(places[0], places[1], "{number}");
    }
}
