//! Signatures of keys through the whole chain to the card; `tests/interop/signatures.sh` has openssl as the judge.

use http::Method;
use midsim::suite::Builder;
use midsim::world::World;
use mssp::pki::cms::{Content, SignedData};
use mssp::pki::credential::CertificateState;

use crate::support::sockets::{BEN, Bench};

const TEXT: &str = "Sign in? W4SCT";

fn envelope(operation: &str, message: &str, attributes: &str, content: &str) -> String {
    format!(
        "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope' xmlns:m='http://uri.etsi.org/TS102204/v1.1.2#'>\
         <e:Body><{operation}><m:{message} MajorVersion='1' MinorVersion='1' {attributes}>\
         <m:AP_Info AP_ID='http://midsim.test/ap' AP_TransID='{content_id}' AP_PWD='midsim-ap' \
         Instant='2026-11-26T12:00:00Z'/><m:MSSP_Info><m:MSSP_ID/></m:MSSP_Info>{content}\
         </m:{message}></{operation}></e:Body></e:Envelope>",
        content_id = format_args!("A{}", content.len() + attributes.len()),
    )
}

async fn post(bench: &Bench, body: String) -> String {
    let headers = [("content-type", "application/soap+xml; charset=utf-8")];
    let url = bench.suite.mssp_url();
    let answer = bench.request(Method::POST, &url, &headers, body).await;
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// Has Ben sign; the final answer. `attempt` makes the request another one.
async fn signed(bench: &Bench, attempt: usize) -> String {
    let content = format!(
        "<m:MobileUser><m:MSISDN>{BEN}</m:MSISDN></m:MobileUser><m:DataToBeSigned>{TEXT}</m:DataToBeSigned>\
         <m:SignatureProfile><m:mssURI>http://uri.gsma.com/mobileconnect/LoA4</m:mssURI></m:SignatureProfile>{}",
        " ".repeat(attempt)
    );
    let mode = "MessagingMode='asynchClientServer'";
    let request = envelope("MSS_Signature", "MSS_SignatureReq", mode, &content);
    let first = post(bench, request).await;
    let id = between(&first, "MSSP_TransID=\"", "\"").unwrap_or_else(|| panic!("{first}"));
    bench.suite.clock().idle().await;
    let id = format!("MSSP_TransID='{id}'");
    post(bench, envelope("MSS_StatusQuery", "MSS_StatusReq", &id, "")).await
}

#[tokio::test]
async fn the_card_signs_until_its_certificate_is_revoked() {
    use base64::Engine as _;

    let bench = Bench::of(Builder::new(World::default())).await;
    let answer = signed(&bench, 0).await;
    assert!(answer.contains("StatusCode Value=\"502\""), "{answer}");
    let octets = between(&answer, "Base64Signature>", "<").unwrap();
    let octets = base64::engine::general_purpose::STANDARD
        .decode(octets)
        .unwrap();
    let message = SignedData::parse(&octets).unwrap();
    assert_eq!(message.content, Some(TEXT.as_bytes()));
    let signer = message.signer().unwrap();
    assert!(message.signs(Content::Octets(TEXT.as_bytes()), &signer));
    assert!(signer.subject_name().contains("TEST ONLY"));
    // Signer, issuer, root.
    assert_eq!(message.certificates.len(), 3);
    let trace = bench.suite.trace_log().last().unwrap().render();
    let line = trace
        .lines
        .iter()
        .find(|line| line.name == "signature of a key");
    assert!(line.is_some(), "{:?}", trace.lines);

    let sim = bench.suite.sim(BEN.parse().unwrap());
    for (attempt, (state, code)) in [
        (CertificateState::Revoked, "Value=\"501\""),
        (CertificateState::CrlExpired, "mss:_424"),
        (CertificateState::Valid, "Value=\"502\""),
    ]
    .into_iter()
    .enumerate()
    {
        sim.set_certificate(state).await;
        let answer = signed(&bench, attempt + 1).await;
        assert!(answer.contains(code), "{state:?}: {answer}");
    }
    bench.suite.shutdown().await;
}

/// With a MAC, and something to read that is not what is signed: the card's MAC is over both, and the MSSP verifies it.
#[tokio::test]
async fn the_card_authenticates_a_nonce_under_a_question() {
    let bench = Bench::of(Builder::new(World::default())).await;
    let content = format!(
        "<m:MobileUser><m:MSISDN>{BEN}</m:MSISDN></m:MobileUser><m:DataToBeSigned>nonce 8c1d</m:DataToBeSigned>\
         <m:DataToBeDisplayed>{TEXT}</m:DataToBeDisplayed>\
         <m:SignatureProfile><m:mssURI>http://uri.gsma.com/mobileconnect/LoA3</m:mssURI></m:SignatureProfile>"
    );
    let mode = "MessagingMode='asynchClientServer'";
    let request = envelope("MSS_Signature", "MSS_SignatureReq", mode, &content);
    let first = post(&bench, request).await;
    let id = between(&first, "MSSP_TransID=\"", "\"").unwrap_or_else(|| panic!("{first}"));
    bench.idle().await;
    let attribute = format!("MSSP_TransID='{id}'");
    let answer = post(
        &bench,
        envelope("MSS_StatusQuery", "MSS_StatusReq", &attribute, ""),
    )
    .await;
    assert!(answer.contains("StatusCode Value=\"502\""), "{answer}");
    let octets = between(&answer, "Base64Signature>", "<").unwrap();
    assert_eq!(octets.len(), 12, "a MAC of 8 octets");
    let shown = bench.lines(id).into_iter().any(|line| {
        let mut fields = line.fields.iter();
        fields.any(|field| format!("{field:?}").contains(TEXT))
    });
    assert!(shown, "the user reads the question");
    bench.finish().await;
}
