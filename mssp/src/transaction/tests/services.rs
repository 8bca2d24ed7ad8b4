//! Additional services.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::signatures::{FI, TEXT, card, request, world};
use super::*;
use crate::pki::x509::Certificate;

pub(super) fn service(uri: &str, more: &str) -> String {
    format!(
        "<mss:Service><mss:Description><mss:mssURI>{uri}</mss:mssURI></mss:Description>{more}</mss:Service>"
    )
}

pub(super) fn with_services(request: &SignatureRequest, services: &str) -> String {
    if services.is_empty() {
        return request.to_xml();
    }
    request.to_xml().replace(
        "</MSS_SignatureReq>",
        &format!("<mss:AdditionalServices>{services}</mss:AdditionalServices></MSS_SignatureReq>"),
    )
}

/// A service of FiCom, with its element, whose tag has a blank where the namespace goes.
fn fi(name: &str, element: &str) -> String {
    let declared = element.replacen(' ', &format!(" xmlns:f=\"{FI}\" "), 1);
    service(&format!("{FI}{name}"), &declared)
}

#[test]
fn additional_services_are_checked_and_answered() {
    let all = [
        fi("eventId", "<f:EventID >A1b2</f:EventID>"),
        fi("userLang", "<f:UserLang >sv</f:UserLang>"),
        fi("displayName", "<f:DisplayName >Bank</f:DisplayName>"),
        service(
            "http://www.methics.fi/KiuruMSSP/v5.0.0#signingCertificate",
            "",
        ),
        service("http://uri.etsi.org/TS102204/v1.1.2#validate", ""),
    ]
    .concat();
    let mut world = world(true);
    let (id, step) = world.post(&with_services(&request(), &all));
    let id = answer(&step, id).unwrap().mssp_trans_id();
    let submit = submitted(&step);
    world.mo(&submit.msisdn, card(&submit, CertificateState::Valid));
    let answer = world.ask(&request().status(&id));
    let root = answer.root();
    let responses = find(&root, "ServiceResponses").unwrap();
    assert_eq!(responses.ns.as_deref(), Some(FI));
    let uris: Vec<_> = responses
        .elements()
        .map(|one| find(one, "mssURI").unwrap().text().into_owned())
        .collect();
    assert_eq!(
        uris,
        [
            &format!("{FI}eventId"),
            &format!("{FI}userLang"),
            &format!("{FI}displayName"),
            "http://www.methics.fi/KiuruMSSP/v5.0.0#signingCertificate",
        ]
    );
    let first = find(responses, "X509Certificate").unwrap();
    let der = STANDARD.decode(first.text().as_bytes()).unwrap();
    assert_eq!(Certificate::parse(&der).unwrap().serial, [0x10, 0x03]);
}

#[test]
fn a_service_with_a_value_that_it_cannot_have_is_101() {
    for (name, element) in [
        ("eventId", "<f:EventID >abc</f:EventID>"),
        ("eventId", "<f:EventID >toolong99</f:EventID>"),
        ("eventId", "<f:EventID >ab-cd</f:EventID>"),
        ("eventId", ""),
        ("userLang", "<f:UserLang >xx</f:UserLang>"),
        ("noSpam", "<f:NoSpamCode >1abc</f:NoSpamCode>"),
        (
            "noSpam",
            "<f:NoSpamCode verify=\"maybe\">abcd</f:NoSpamCode>",
        ),
        ("displayName", "<f:DisplayName ></f:DisplayName>"),
        ("personIdentity", ""),
    ] {
        let mut world = world(true);
        world.configure(|config| config.dialect = Dialect::Ficom);
        let request = SignatureRequest {
            profile: None,
            ..request()
        };
        let answer = world.ask(&with_services(&request, &fi(name, element)));
        assert_eq!(answer.fault(), 101, "{name} {element}");
        let second = answer.second();
        let expected = (name == "personIdentity").then(|| "fi:_1014".to_owned());
        assert_eq!(second, expected, "{name} {element}");
    }
}

/// The third subscriber has set a code.
#[test]
fn a_code_against_spam_is_asked_for() {
    let mut trans_id = 0;
    let mut ask = |msisdn: &str, services: &str| {
        let mut world = world(true);
        world.configure(|config| config.dialect = Dialect::Ficom);
        trans_id += 1;
        let request = SignatureRequest {
            profile: None,
            msisdn: Some(msisdn.into()),
            ap_trans_id: format!("A{trans_id}"),
            ..request()
        };
        let answer = world.ask(&with_services(&request, services));
        match answer.0.status() {
            StatusCode::OK => String::new(),
            _ => format!("{} {}", answer.fault(), answer.second().unwrap_or_default()),
        }
    };
    let code = |text: &str| fi("noSpam", &format!("<f:NoSpamCode >{text}</f:NoSpamCode>"));
    let third = "+447700900003";
    assert_eq!(ask(third, &code("Secret1")), "");
    assert_eq!(ask(third, &code("SECRET1")), "");
    assert_eq!(ask(third, &code("Secret2")), "101 fi:_1011");
    assert_eq!(ask(third, &code("")), "101 fi:_1012");
    assert_eq!(ask(third, ""), "101 fi:_1012");
    let unverified = fi("noSpam", "<f:NoSpamCode verify=\"no\"></f:NoSpamCode>");
    assert_eq!(ask(third, &unverified), "");
    assert_eq!(ask("+447700900002", &code("Any1")), "");
    assert_eq!(ask("+447700900002", ""), "");
}

#[test]
fn the_name_of_the_ap_stands_above_the_text() {
    let begin = |text: &str, name: &str| {
        let request = SignatureRequest {
            text: text.into(),
            ..request()
        };
        let service = fi(
            "displayName",
            &format!("<f:DisplayName >{name}</f:DisplayName>"),
        );
        let mut world = world(true);
        let (id, step) = world.post(&with_services(&request, &service));
        let answer = answer(&step, id).unwrap();
        if answer.0.status() != StatusCode::OK {
            return Err((answer.fault(), answer.detail()));
        }
        let submit = submitted(&step);
        // `card` holds the digest against that of the text alone.
        if text == TEXT {
            world.mo(&submit.msisdn, card(&submit, CertificateState::Valid));
        }
        Ok(Challenge::parse(&submit.payload).unwrap().text.to_string())
    };
    assert_eq!(begin(TEXT, "Bank"), Ok(format!("Bank\n{TEXT}")));
    // Both have to fit.
    assert!(begin(&"x".repeat(234), "Bank").is_ok());
    let (code, detail) = begin(&"x".repeat(235), "Bank").unwrap_err();
    assert_eq!(code, 103);
    assert!(detail.contains("DisplayName"), "{detail}");
    assert_eq!(begin("x", "\u{1F3E6}").unwrap_err().0, 107);
}

#[test]
fn a_strict_mssp_of_swisscoms_dialect_wants_the_users_language() {
    let request = SignatureRequest {
        profile: None,
        ..request()
    };
    let language = |code: &str| {
        let element = format!("<f:UserLang >{code}</f:UserLang>");
        with_services(&request, &fi("userLang", &element))
    };
    let ask = |strict: bool, body: &str| {
        let mut world = world(true);
        world.configure(|config| {
            config.dialect = Dialect::Swisscom;
            config.strict = strict;
            config.mssp_uri = String::new();
        });
        let answer = world.ask(body);
        let refused = answer.0.status() != StatusCode::OK;
        refused.then(|| (answer.fault(), answer.detail().contains("serLang")))
    };
    assert_eq!(ask(false, &request.to_xml()), None);
    assert_eq!(ask(false, &language("sv")), Some((101, true)));
    assert_eq!(ask(true, &request.to_xml()), Some((102, true)));
    assert_eq!(ask(true, &language("IT")), None);
}

#[test]
fn a_strict_mssp_of_ficoms_dialect_wants_an_event_id() {
    let mut world = world(true);
    world.configure(|config| {
        config.dialect = Dialect::Ficom;
        config.strict = true;
        config.mssp_uri = String::new();
    });
    let request = SignatureRequest {
        profile: None,
        ..request()
    };
    let answer = world.ask(&request.to_xml());
    assert_eq!(answer.fault(), 102, "{}", answer.detail());
    assert!(answer.detail().contains("eventId"), "{}", answer.detail());
}

#[test]
fn a_code_against_spam_is_no_ones_business() {
    let body = with_services(
        &request(),
        &fi(
            "noSpam",
            "<f:NoSpamCode verify=\"no\">Secret1</f:NoSpamCode>",
        ),
    );
    let event = crate::Event {
        own: ota_wire::trace::Id::new("a", 1),
        parent: None,
        kind: EventKind::Requested {
            body: crate::event::Body(body.clone().into()),
            deviations: Vec::new(),
        },
    };
    let octets = event.row().octets.unwrap();
    let at = body.find("Secret1").unwrap();
    assert!(
        octets.secrets.contains(&(at..at + 7)),
        "{:?}",
        octets.secrets
    );
}
