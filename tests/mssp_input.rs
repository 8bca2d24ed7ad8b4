//! Bad input at the MSSP's socket: each case its SOAP fault at once.

use bytes::Bytes;
use http::Method;

use crate::support::envelopes::good;
use crate::support::sockets::{Answer, Bench};

const SOAP: &str = "application/soap+xml; charset=utf-8";

/// Sends a body with these headers to a fresh suite, and a good request after it.
async fn send(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let bench = Bench::start().await;
    let url = bench.suite.mssp_url();
    let answer = bench.request(Method::POST, &url, headers, body).await;
    let next = bench.soap(&url, good()[0].clone()).await;
    assert_eq!(next.status, 200, "the next good request: {}", next.text());
    bench.idle().await;
    bench.finish().await;
    answer
}

async fn refused(body: impl Into<Bytes>, code: u16) -> String {
    send(&[("content-type", SOAP)], body)
        .await
        .is_soap_fault(500, code)
}

fn signature(what: &str, with: &str) -> String {
    let good = good()[0].clone();
    assert!(good.contains(what), "{what} is not in {good}");
    good.replacen(what, with, 1)
}

macro_rules! refusals {
    ($($name:ident: $body:expr => $code:literal, $detail:literal;)+) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let detail = refused($body, $code).await;
            assert!(detail.contains($detail), "{detail}");
        })+
    };
}

refusals! {
    version_1_3: signature("MinorVersion=\"1\"", "MinorVersion=\"3\"") => 108, "1/3";
    version_2_1: signature("MajorVersion=\"1\"", "MajorVersion=\"2\"") => 108, "2/1";
    missing_ap_trans_id: signature(" AP_TransID=\"A1\"", "") => 102, "AP_TransID";
    missing_mssp_id: signature("<mss:MSSP_ID/>", "") => 102, "MSSP_ID";
    missing_text: signature(">Log in to Example Bank?<", "><") => 102, "DataToBeSigned";
    unknown_element: signature("<mss:MobileUser>", "<mss:MobilePhone/><mss:MobileUser>") => 101, "MobilePhone";
    unknown_mode: signature("asynchClientServer", "asynch") => 101, "MessagingMode";
    text_too_long: signature("Log in", &"x".repeat(300)) => 103, "DataToBeSigned";
    characters_outside_the_alphabet: signature("Log in", "\u{1F600}") => 107, "U+1F600";
    xinclude: signature(
        "<mss:MobileUser>",
        "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"file:///etc/passwd\"/><mss:MobilUser>"
    ) => 101, "not well-formed";
    entity: signature("Log in", "&file;") => 101, "&amp;file;";
    nesting_bomb: signature("<env:Header/>", &("<a>".repeat(70) + &"</a>".repeat(70))) => 101, "deeper than 64";
    attribute_bomb: signature(
        "<mss:AP_Info",
        &format!("<mss:AP_Info{}", (0..70).map(|n| format!(" a{n}=''")).collect::<String>())
    ) => 101, "more than 64 attributes";
    xmlns_bomb: signature(
        "<env:Envelope",
        &format!("<env:Envelope{}", (0..200).map(|n| format!(" xmlns:a{n}='urn:a'")).collect::<String>())
    ) => 101, "namespace";
    many_elements: signature("<env:Header/>", &format!("<env:Header>{}</env:Header>", "<a/>".repeat(20_000))) => 101, "10000";
    two_bodies: signature("</env:Body>", "</env:Body><env:Body/>") => 101, "one Body";
    two_calls: signature("</MSS_Signature>", "</MSS_Signature><MSS_StatusQuery/>") => 101, "several";
    processing_instruction: signature("<env:Header/>", "<?php x?>") => 101, "processing instruction";
    utf_16_declared: signature("UTF-8", "UTF-16") => 101, "UTF-16";
    json_instead: "{\"MSS_SignatureReq\":{}}" => 101, "not XML";
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn utf_16() {
    let good = &good()[0];
    let octets: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let detail = refused(octets, 101).await;
    assert!(detail.contains("not"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_utf_8() {
    let mut octets = good()[0].clone().into_bytes();
    let at = octets.windows(3).position(|w| w == b"Log").unwrap();
    octets[at] = 0xE9;
    let detail = refused(octets, 101).await;
    assert!(
        detail.contains(&format!("octet {at} is not UTF-8")),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mandatory_header_block_that_nobody_knows() {
    let body = signature(
        "<env:Header/>",
        "<env:Header><x:Trust xmlns:x=\"urn:x\" env:mustUnderstand=\"true\"/></env:Header>",
    );
    let answer = send(&[("content-type", SOAP)], body).await;
    assert_eq!(answer.status, 500);
    let text = answer.text();
    assert!(
        text.contains("<env:Value>env:MustUnderstand</env:Value>"),
        "{text}"
    );
    assert!(text.contains("qname=\"h:Trust\""), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soap_of_another_version() {
    let body = good()[0].replace("2003/05/soap-envelope", "2002/06/soap-envelope");
    let answer = send(&[("content-type", SOAP)], body).await;
    assert_eq!(answer.status, 500);
    let text = answer.text();
    assert!(
        text.contains("<env:Value>env:VersionMismatch</env:Value>"),
        "{text}"
    );
    assert!(text.contains("SupportedEnvelope"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_content_type() {
    for kind in [
        "application/json",
        "multipart/related",
        "application/x-www-form-urlencoded",
    ] {
        let answer = send(&[("content-type", kind)], good()[0].clone()).await;
        answer.is_soap_fault(415, 101);
    }
}

/// Refused by its header, whatever it would become.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_bomb() {
    // What a megabyte of zeros is like, compressed; it is not looked at.
    let bomb = [&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0; 1000]].concat();
    let headers = [("content-type", SOAP), ("content-encoding", "gzip")];
    let answer = send(&headers, bomb.clone()).await;
    answer.is_soap_fault(415, 101);
    // Without the header it is not XML.
    refused(bomb, 101).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn body_over_a_megabyte() {
    let body = signature("Log in", &"x".repeat(1 << 20));
    let detail = refused(body, 101).await;
    assert!(detail.contains("1048576"), "{detail}");
}

/// Beyond what is running already, hostile requests cost little memory, one after the other or many at a time.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_requests_take_less_than_64_megabytes() {
    use crate::support::Folder;
    use crate::support::envelopes::{Dice, GENERATORS};
    use crate::support::process::{Up, port_bases};

    let folder = Folder::new("hostile");
    let up = port_bases()
        .find_map(|base| Up::start(folder.path(), base, &["--no-human"]))
        .unwrap();
    let url = up.url("mssp").to_owned();
    let bench = Bench::start().await;
    let before = up.memory("VmRSS");
    let mut dice = Dice::new(7);
    for round in 0..8 {
        for (name, generator) in GENERATORS {
            let body = generator(&good()[round % 6], &mut dice);
            let headers = [("content-type", SOAP)];
            let answer = bench.request(Method::POST, &url, &headers, body).await;
            assert!(
                matches!(answer.status, 200 | 500),
                "{name}: {}",
                answer.status
            );
        }
    }
    let most = up.memory("VmHWM");
    up.kill();
    assert!(
        most < before + (64 << 20),
        "{} MB more than the {} MB before",
        (most - before) >> 20,
        before >> 20
    );
    bench.finish().await;
}
