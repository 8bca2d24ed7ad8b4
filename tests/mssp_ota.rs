//! 209, and when it is 208 instead: what becomes of a challenge that does not reach its applet.

use std::net::TcpListener;
use std::time::Duration;

use http::Method;
use midsim::suite::{Builder, Serves};
use midsim::world::{DEFAULT, World};
use ota_wire::cat::Envelope;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::KeySet;
use ota_wire::packet::{Command, Spi};
use ota_wire::rp::Cause;
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::Deliver;
use ota_wire::sms::udh::{Iei, Reference};
use serde_json::json;

use crate::mssp_causes::{FICOM, TIMEOUT, begin, outcome, status_request};
use crate::support::sockets::{BEN, Bench, msisdn, signature_request};

/// No coverage.
const HANK: &str = "+447700900008";
/// An MSSP without a platform in its process.
const MSSP: Serves = Serves {
    op: false,
    mssp: true,
    ota: false,
};

/// Somebody with the keys of the card has used its counter up. It says so in a response packet that proves itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_refuses_the_packet_is_209() {
    let world = World::default();
    let iccid = world.subscriber(&msisdn(BEN)).unwrap().iccid;
    let keys = KeySet::derive(&world.master_key(), &iccid, 1, world.family);
    let last = Command {
        spi: Spi::MT,
        kic: keys.kic_octet(),
        kid: keys.kid_octet(),
        tar: Tar::MID,
        cntr: Cntr::MAX,
        data: vec![0],
    };
    let platform = Address::short_code("8220").unwrap();
    let packet = last.seal(&keys).unwrap();
    let parts = split(&packet, Reference::Eight(1), Some(Iei::COMMAND_PACKET)).unwrap();
    let sent = Scts::utc(jiff::Timestamp::UNIX_EPOCH);
    let deliver = Deliver::for_card(platform, sent, parts[0].clone());
    let envelope = Envelope::sms_pp_download(deliver.emit()).emit();

    let bench = Bench::start().await;
    let reader = bench.suite.sim(msisdn(BEN)).reader().await.unwrap();
    let header = [0x80, 0xC2, 0x00, 0x00, envelope.len() as u8];
    reader.reset().await.unwrap();
    reader
        .transmit(&[0x80, 0x10, 0x00, 0x00, 0x04, 0xFF, 0xFF, 0xFF, 0xFF])
        .await
        .unwrap();
    reader
        .transmit(&[&header, envelope.as_slice()].concat())
        .await
        .unwrap();
    reader.eject().await.unwrap();

    assert_eq!(outcome(&bench, BEN, 1).await, [209, 2094]);
    bench.finish().await;
}

/// The platform is somebody else's, and has no such card.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_without_the_card_is_209() {
    let number = "+447700900077";
    let ota = Bench::start().await;
    let world = DEFAULT.to_owned() + &format!("\n[[subscriber]]\nmsisdn = \"{number}\"\n");
    let builder = Builder::new(World::parse(&world).unwrap())
        .serve(MSSP)
        .ota_url(ota.suite.urls().ota.clone());
    let bench = Bench::of(builder).await;
    let request = signature_request("midsim-ap", number, "A1").replace(FICOM.0, FICOM.1);
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    let text = answer.text();
    let (_, rest) = text.split_once("MSSP_TransID=\"").unwrap();
    let (id, _) = rest.split_once('"').unwrap();
    let status = status_request(id).replace(FICOM.0, FICOM.1);
    // The result comes over a connection of its own.
    let mut text = String::new();
    for _ in 0..10_000 {
        let answer = bench.soap(&bench.suite.mssp_url(), status.clone()).await;
        text = answer.text();
        if !text.contains("Value=\"504\"") {
            break;
        }
    }
    assert!(
        text.contains(">fi:_209<") && text.contains(">fi:_2092<"),
        "{text}"
    );
    bench.finish().await;
    ota.finish().await;
}

/// Whoever plays the handset answers RP-ERROR, with a cause that does not pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handset_that_refuses_the_message_is_209() {
    let bench = Bench::start().await;
    let sim = bench.suite.sim(msisdn(BEN));
    let reader = sim.reader().await.unwrap();
    let id = begin(&bench, BEN, "A1").await;
    // The first `take` tells the SMSC that the number is there, at which it sends what it has once more. Nothing may be under
    // way then: of a message that is, the second copy alone would count.
    bench.idle().await;
    let messages = sim.take(Duration::from_secs(20), false).await.unwrap();
    assert_eq!(messages.len(), 1);
    sim.report(messages[0].mr, Some(Cause::UNIDENTIFIED_SUBSCRIBER), None)
        .await
        .unwrap();
    bench.idle().await;
    let answer = bench
        .soap(&bench.suite.mssp_url(), status_request(&id))
        .await;
    let detail = answer.is_soap_fault(500, 209);
    assert!(detail.contains("could not deliver"), "{detail}");
    reader.eject().await.unwrap();
    bench.finish().await;
}

/// Seventeen messages wait for a handset without coverage: one at the SMSC, the others at the platform.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_takes_no_more_is_209() {
    let bench = Bench::start().await;
    for n in 0..17 {
        let order = json!({"id": format!("m{n}"), "msisdn": HANK, "tar": "4D4944", "payload": "00", "por": "none"});
        let url = format!("{}/v1/messages", bench.suite.urls().ota);
        let headers = [("content-type", "application/json")];
        let answer = bench
            .request(Method::POST, &url, &headers, order.to_string())
            .await;
        assert!(answer.status < 300, "{}", answer.text());
    }
    bench.idle().await;
    assert_eq!(outcome(&bench, HANK, 1).await, [209, 2091]);
    bench.finish().await;
}

/// Nothing is known of a message that cannot be handed over: it waits, and the time runs out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_down_is_208_in_the_end() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let builder = Builder::new(World::default()).serve(MSSP).ota_url(url);
    let bench = Bench::of(builder).await;
    let id = begin(&bench, BEN, "A1").await;
    bench.advance(TIMEOUT - 1).await;
    let answer = bench
        .soap(&bench.suite.mssp_url(), status_request(&id))
        .await;
    assert!(answer.text().contains("Value=\"504\""), "{}", answer.text());
    bench.advance(2).await;
    let answer = bench
        .soap(&bench.suite.mssp_url(), status_request(&id))
        .await;
    answer.is_soap_fault(500, 208);
    bench.finish().await;
}
