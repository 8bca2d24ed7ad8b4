//! TS 102 204: envelopes, each message, the JSON twin, and whole requests.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use mssp::messages::{
    HandshakeReq, Head, ProfileReq, ReceiptCall, ReceiptReq, RegistrationReq, SignatureReq,
    StatusReq,
};
use mssp::soap::{Call, Fault, Version};
use mssp::xml::{self, Element};
use mssp::{Ap, Config, Dialect, Directory, Input, Mssp, Output, RequestId, Subscriber, View};
use ota_wire::applet::MacAlgorithm;
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::secret::Secret;
use rand_core::TryRng;

/// XML, and the SOAP in it.
pub fn envelope(octets: &[u8]) {
    if let Ok(root) = xml::parse(octets) {
        // What is read can be written, and reads the same.
        let mut w = xml::Writer::new();
        copy(&root, &mut w);
        let copied = w.finish();
        let again = xml::parse(copied.as_bytes());
        assert_eq!(again.map(unprefixed), Ok(unprefixed(root)));
    }
    if let Err(refusal) = Call::parse(octets) {
        is_written(&refusal.fault);
    }
}

/// MSS_SignatureReq.
pub fn signature(octets: &[u8]) {
    message(octets, |message| {
        let request = SignatureReq::parse(message)?;
        assert_ne!(request.timeout, Some(0));
        if let Some(date) = &request.validity_date {
            let _ = date.instant();
        }
        Ok(())
    });
}

/// MSS_StatusReq.
pub fn status(octets: &[u8]) {
    message(octets, |message| StatusReq::parse(message).map(drop));
}

/// MSS_ReceiptReq, as a call and as the answer to a notification.
pub fn receipt(octets: &[u8]) {
    message(octets, |message| {
        let called = ReceiptCall::parse(message);
        let answered = ReceiptReq::parse(message);
        assert!(called.is_err() || answered.is_ok());
        called.map(drop)
    });
}

/// MSS_RegistrationReq.
pub fn registration(octets: &[u8]) {
    message(octets, |message| RegistrationReq::parse(message).map(drop));
}

/// MSS_ProfileReq.
pub fn profile(octets: &[u8]) {
    message(octets, |message| ProfileReq::parse(message).map(drop));
}

/// MSS_HandshakeReq.
pub fn handshake(octets: &[u8]) {
    message(octets, |message| HandshakeReq::parse(message).map(drop));
}

/// A whole SOAP request.
pub fn request(octets: &[u8]) {
    post("/soap", octets);
}

/// A whole request in JSON.
pub fn json(octets: &[u8]) {
    post("/rest/service", octets);
}

/// Reads a document whose root is a message.
fn message(octets: &[u8], parse: impl Fn(&Element) -> Result<(), Fault>) {
    let Ok(root) = xml::parse(octets) else {
        return;
    };
    if let Ok(head) = Head::parse(&root) {
        assert!(xml::is_nc_name(&head.ap.ap_trans_id));
    }
    if let Err(fault) = parse(&root) {
        is_written(&fault);
    }
}

/// A fault is complete and well-formed in every dialect and version.
fn is_written(fault: &Fault) {
    assert!(!fault.detail.is_empty());
    assert_ne!(fault.code.name(), "UNNAMED");
    for dialect in Dialect::ALL {
        for version in [Version::V1_1, Version::V1_2] {
            let written = fault.to_xml(&version.into(), dialect);
            assert!(xml::parse(written.as_bytes()).is_ok(), "{written}");
        }
    }
}

fn copy(element: &Element, w: &mut xml::Writer) {
    // Names are the writer's own business; only their spelling has to survive.
    w.open(&element.local);
    w.optional_attribute("xmlns", Some(element.ns.as_deref().unwrap_or_default()));
    for (n, attribute) in element.attributes.iter().enumerate() {
        match &attribute.ns {
            None => w.attribute(&attribute.local, &attribute.value),
            Some(ns) if &**ns == "http://www.w3.org/XML/1998/namespace" => {
                w.attribute(&format!("xml:{}", attribute.local), &attribute.value)
            }
            Some(ns) => w
                .attribute(&format!("xmlns:p{n}"), ns)
                .attribute(&format!("p{n}:{}", attribute.local), &attribute.value),
        };
    }
    for node in &element.children {
        match node {
            xml::Node::Element(child) => copy(child, w),
            xml::Node::Text(text) => {
                w.text(text);
            }
        }
    }
    w.close();
}

/// Without what a copy need not keep.
fn unprefixed(mut element: Element<'_>) -> Element<'_> {
    element.prefix = "".into();
    element.declared.clear();
    element.children = element
        .children
        .into_iter()
        .map(|node| match node {
            xml::Node::Element(child) => xml::Node::Element(unprefixed(child)),
            text => text,
        })
        .collect();
    element
}

fn post(path: &str, octets: &[u8]) {
    let directory = Arc::new(Everybody);
    let mut config = Config::new("http://midsim.test/mssp", directory);
    config.aps = vec![Ap::new(
        "http://midsim.test/ap",
        Secret::new(b"midsim-ap".to_vec()),
    )];
    config.strict = octets.len() % 2 == 1;
    let request = Request::post(path).body(Bytes::copy_from_slice(octets));
    let input = Input::Http {
        id: RequestId(1),
        request: request.unwrap_or_default(),
    };
    let step = Mssp::new(config).step(&Empty, input, Timestamp::UNIX_EPOCH, &mut Zeros);
    let replies = step.outputs.iter().filter_map(|output| match output {
        Output::Reply { response, .. } => Some(response),
        _ => None,
    });
    for reply in replies {
        assert!(matches!(reply.status().as_u16(), 200 | 500));
        assert!(!reply.body().is_empty());
    }
    for event in &step.events {
        let _ = event.row();
    }
    for change in step.changes {
        let _ = change.into_write();
    }
}

struct Everybody;

impl Directory for Everybody {
    fn subscriber(&self, msisdn: &Msisdn) -> Option<Subscriber> {
        Some(Subscriber::new(
            msisdn.clone(),
            Iccid::with_check_digit("894477009000000002").ok()?,
        ))
    }

    fn mac_key(&self, _: &Iccid, _: MacAlgorithm) -> Secret {
        Secret::new(vec![0x5A; 16])
    }
}

struct Empty;

impl View for Empty {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn scan(&self, _: &str) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

struct Zeros;

impl TryRng for Zeros {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        dst.fill(0);
        Ok(())
    }
}
