//! What the MSSP tells an AP of what happens on handset and card, through the whole chain below it.

use midsim::suite::Builder;
use midsim::world::{DEFAULT, World};

use crate::support::sockets::{Bench, signature_request};

/// Seconds of TimeOut in the request.
const TIMEOUT: u64 = 60;

fn status_request(mssp_trans_id: &str) -> String {
    format!(
        "<env:Envelope xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\"><env:Body><MSS_StatusQuery>\
         <mss:MSS_StatusReq xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\" MajorVersion=\"1\" MinorVersion=\"1\" \
         MSSP_TransID=\"{mssp_trans_id}\"><mss:AP_Info AP_ID=\"http://midsim.test/ap\" AP_TransID=\"AQ\" \
         AP_PWD=\"midsim-ap\" Instant=\"2026-11-22T10:30:00Z\"/><mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>\
         </mss:MSS_StatusReq></MSS_StatusQuery></env:Body></env:Envelope>"
    )
}

/// Begins a signature of this number; gives its MSSP_TransID.
async fn begin(bench: &Bench, number: &str, ap_trans_id: &str) -> String {
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

/// The first challenge is answered late, by a user who wakes up; the second one then goes to the card.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_request_cancels_the_one_before_and_waits_for_the_card() {
    let world = DEFAULT.replace("when_busy = \"refuse\"", "when_busy = \"cancel-previous\"");
    let bench = Bench::of(Builder::new(World::parse(&world).unwrap())).await;
    let url = bench.suite.mssp_url();
    // This user takes three seconds for each key.
    let slow = "+447700900003";
    let first = begin(&bench, slow, "A1").await;
    bench.idle().await;
    let second = begin(&bench, slow, "A2").await;
    bench.idle().await;
    bench
        .soap(&url, status_request(&first))
        .await
        .is_soap_fault(500, 401);
    let outstanding = bench.soap(&url, status_request(&second)).await;
    assert!(outstanding.text().contains("Value=\"504\""));
    // Two dialogues of two screens each.
    for _ in 0..5 {
        bench.advance(3).await;
    }
    let signed = bench.soap(&url, status_request(&second)).await;
    assert!(signed.text().contains("Value=\"502\""), "{}", signed.text());
    bench
        .soap(&url, status_request(&first))
        .await
        .is_soap_fault(500, 401);
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
