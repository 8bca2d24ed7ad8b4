//! The discovery service.

use super::support::*;
use super::*;
use crate::discovery::Discovery;
use crate::{HintIssuer, JwkSet};

fn ask(service: &Discovery, request: http::Request<Bytes>) -> http::Response<Bytes> {
    service.answer(&request, at(0), &mut TestRng(11))
}

fn discover(service: &Discovery, form: &[(&str, &str)], accept: &str) -> http::Response<Bytes> {
    let request = http::Request::post("/discover")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", accept);
    ask(service, request.body(Bytes::from(encode(form))).unwrap())
}

#[test]
fn discovery_service_makes_tokens_that_the_op_takes() {
    for (format, alg, enc) in [
        ("nested", "ECDH-ES", "A128GCM"),
        ("nested", "RSA-OAEP-256", "A256CBC-HS512"),
        ("jwe", "ECDH-ES+A256KW", "A256GCM"),
    ] {
        let mut hints = Hints::new();
        let service = Discovery {
            signer: Arc::new(TestSigner::named("discovery")),
            ..hints.service()
        };
        let jwks = service.as_hint_issuer().jwks;
        let keys = hints.keys.clone();
        hints.world = World::with(|config| {
            config.decryption = keys;
            config.hints.issuers = vec![HintIssuer {
                issuer: DISCOVERY.into(),
                jwks,
                jwks_uri: None,
            }];
        });
        let form = [
            ("msisdn", ALICE),
            ("format", format),
            ("alg", alg),
            ("enc", enc),
        ];
        let (status, body) = answer(&discover(&service, &form, "application/json"));
        assert_eq!(status, 200, "{body}");
        let token = body["login_hint_token"].as_str().unwrap();
        assert!(!token.contains("447700900001"));
        hints.taken(token);
    }
}

#[test]
fn discovery_service_publishes_its_name_and_key() {
    let service = Hints::new().service();
    let get = |path: &str| {
        ask(
            &service,
            http::Request::get(path).body(Bytes::new()).unwrap(),
        )
    };
    let (_, metadata) = answer(&get("/.well-known/openid-configuration"));
    assert_eq!(metadata["issuer"], DISCOVERY);
    assert_eq!(metadata["jwks_uri"], format!("{DISCOVERY}/jwks"));
    let (_, jwks) = answer(&get("/jwks"));
    assert!(JwkSet::parse(&jwks).unwrap().0[0].kid.is_some());
    assert_eq!(get("/nothing").status(), 404);
    let post = http::Request::post("/jwks").body(Bytes::new()).unwrap();
    assert_eq!(ask(&service, post).status(), 405);
}

#[test]
fn discovery_page_escapes_and_goes_back_to_loopback_only() {
    let service = Hints::new().service();
    let query = "/?redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&state=%22%3E%3Cscript%3E";
    let page = ask(
        &service,
        http::Request::get(query).body(Bytes::new()).unwrap(),
    );
    let page = String::from_utf8(page.into_body().to_vec()).unwrap();
    assert!(page.contains("&quot;&gt;&lt;script&gt;") && !page.contains("<script>"));

    let target = "http://127.0.0.1:9/cb?x=1";
    let form = [
        ("msisdn", ALICE),
        ("redirect_uri", target),
        ("state", "a b&c"),
    ];
    let response = discover(&service, &form, "text/html");
    assert_eq!(response.status(), 303);
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("http://127.0.0.1:9/cb?x=1&login_hint_token=ey"));
    assert!(location.ends_with("&state=a%20b%26c"));
    for bad in [
        "https://evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "javascript:alert(1)",
        "http://localhost/#x",
        "/relative",
    ] {
        let form = [("msisdn", ALICE), ("redirect_uri", bad)];
        assert_eq!(discover(&service, &form, "*/*").status(), 400, "{bad}");
    }
}

#[test]
fn discovery_service_refuses_bad_input_in_the_form_it_was_asked_in() {
    let service = Hints::new().service();
    for form in [
        vec![],
        vec![("msisdn", "alice")],
        vec![("msisdn", ALICE), ("alg", "dir")],
        vec![("msisdn", ALICE), ("enc", "A192GCM")],
        vec![("msisdn", ALICE), ("format", "x")],
    ] {
        let (status, body) = answer(&discover(&service, &form, "application/json"));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{form:?}"
        );
        let page = discover(&service, &form, "text/html");
        assert_eq!(page.status(), 400);
        assert!(
            page.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html")
        );
    }
}
