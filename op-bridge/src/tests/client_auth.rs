//! Every way of authenticating (RFC 6749 §2.3, RFC 7523 §3, RFC 8705 §2), at the endpoint where everything begins.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::{Map, json};

use super::*;
use crate::testing::{assertion, jwt_client};
use crate::{
    AuthMethod, CertificateName, ClientSecret, DecryptionKey, JwkSet, JwsAlg, PeerCertificate,
    Signer,
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// At least 32 octets, as a MAC key must be.
const MAC_SECRET: &str = "0123456789abcdef0123456789abcdef";
const EC: &[u8] = include_bytes!("../../../fixtures/certificates/client-ec-TEST-ONLY.der");
const RSA: &[u8] = include_bytes!("../../../fixtures/certificates/client-rsa-TEST-ONLY.der");

const RSA_PEM: &str = include_str!("../../../fixtures/keys/op-signing-rsa-TEST-ONLY.pem");

struct Caller {
    world: World,
    signer: Arc<TestSigner>,
}

impl Caller {
    /// A client `jwt` that signs assertions, one `mac` that makes MACs of them, one `post`.
    fn new() -> Self {
        let signer = Arc::new(TestSigner::new());
        let for_config = signer.clone();
        let world = World::with(|config| {
            config.mtls_url = Some("https://127.0.0.1:8262".into());
            config.clients.push(jwt_client("jwt", &for_config));
            let mut mac = Client::new("mac", MAC_SECRET, DeliveryMode::Poll);
            mac.authentication.method = AuthMethod::ClientSecretJwt;
            config.clients.push(mac);
            let mut post = Client::new("post", "post-secret", DeliveryMode::Poll);
            post.authentication.method = AuthMethod::ClientSecretPost;
            config.clients.push(post);
        });
        Self { world, signer }
    }

    fn claims(&self) -> Value {
        let now = at(self.world.now).as_second();
        json!({"iss": "jwt", "sub": "jwt", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "one"})
    }

    fn send(&mut self, assertion: &str) -> (u16, Value) {
        self.send_with(assertion, &[])
    }

    fn send_with(&mut self, assertion: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let mut form = vec![
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", assertion),
        ];
        form.extend(more);
        answer(&self.world.http(unauthenticated(&form)))
    }

    #[track_caller]
    fn refused(&mut self, assertion: &str, why: &str) {
        let (status, body) = self.send(assertion);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client")),
            "{body}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(why), "{description}");
    }
}

/// A good authentication request without authentication.
fn unauthenticated(more: &[(&str, &str)]) -> http::Request<Bytes> {
    let mut form = vec![
        ("scope", "openid"),
        ("acr_values", "mod-mf"),
        ("login_hint", ALICE),
    ];
    form.extend(more);
    http::Request::post("/bc-authorize")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(encode(&form)))
        .unwrap()
}

#[test]
fn private_key_jwt_is_taken_with_every_audience_it_may_have() {
    for (index, aud) in [
        json!(ISSUER),
        json!(format!("{ISSUER}/token")),
        json!(format!("{ISSUER}/bc-authorize")),
        json!("https://127.0.0.1:8262/token"),
        json!(["https://other.example", ISSUER]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut caller = Caller::new();
        let mut claims = caller.claims();
        claims["aud"] = aud.clone();
        claims["jti"] = json!(index.to_string());
        let assertion = assertion(&caller.signer, &claims);
        let (status, body) = caller.send(&assertion);
        assert_eq!(status, 200, "{aud}: {body}");
    }
}

#[test]
fn private_key_jwt_works_at_the_token_endpoint() {
    let mut caller = Caller::new();
    let first = assertion(&caller.signer, &caller.claims());
    let (_, body) = caller.send_with(&first, &[("client_id", "jwt")]);
    let id = body["auth_req_id"].as_str().unwrap().to_owned();
    let mut claims = caller.claims();
    claims["jti"] = json!("two");
    claims["aud"] = json!(format!("{ISSUER}/token"));
    let second = assertion(&caller.signer, &claims);
    let form = [
        ("grant_type", CIBA),
        ("auth_req_id", id.as_str()),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", second.as_str()),
    ];
    let request = http::Request::post("/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(encode(&form)))
        .unwrap();
    let (status, body) = answer(&caller.world.http(request));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("authorization_pending"))
    );
}

#[test]
fn assertion_claims_are_all_checked() {
    let now = at(0).as_second();
    for (claim, value, why) in [
        ("iss", Value::Null, "iss"),
        ("iss", json!("poll"), "iss is poll"),
        ("sub", Value::Null, "sub is missing"),
        ("sub", json!(7), "sub must be a string"),
        ("sub", json!("nobody"), "no client"),
        ("aud", Value::Null, "aud is missing"),
        (
            "aud",
            json!("https://other.example"),
            "aud does not contain",
        ),
        ("aud", json!([]), "aud does not contain"),
        ("aud", json!(format!("{ISSUER}/")), "aud does not contain"),
        ("exp", Value::Null, "exp is missing"),
        ("exp", json!(now - 61), "exp was 61 s ago"),
        ("exp", json!(now + 3601), "exp is 3601 s ahead"),
        ("exp", json!("soon"), "exp must be a number"),
        ("exp", json!(1e300), "exp must be a number"),
        ("nbf", json!(now + 61), "nbf is 61 s ahead"),
        ("iat", json!(now + 61), "iat is 61 s ahead"),
        ("jti", Value::Null, "jti is missing"),
        ("jti", json!(""), "jti must have"),
        ("jti", json!("x".repeat(257)), "jti must have"),
    ] {
        let mut caller = Caller::new();
        let mut claims = caller.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        let assertion = assertion(&caller.signer, &claims);
        caller.refused(&assertion, why);
    }
}

#[test]
fn assertion_is_good_for_once() {
    let mut caller = Caller::new();
    let assertion = assertion(&caller.signer, &caller.claims());
    assert_eq!(caller.send(&assertion).0, 200);
    caller.refused(&assertion, "jti was used before");
    // Its record lives as long as the assertion could be used, and no longer.
    caller.world.advance(119);
    caller.refused(&assertion, "");
    caller.world.advance(2);
    let left = caller.world.store.records.keys();
    assert_eq!(left.filter(|key| key.starts_with("jti/")).count(), 0);
    caller.refused(&assertion, "exp was");
}

#[test]
fn assertion_of_two_requests_at_once_is_taken_once() {
    let mut caller = Caller::new();
    let assertion = assertion(&caller.signer, &caller.claims());
    let form = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion.as_str()),
    ];
    let one = caller.world.http_input(unauthenticated(&form));
    let two = caller.world.http_input(unauthenticated(&form));
    let store = caller.world.store.clone();
    let (first, second) = (store.reader(), store.reader());
    let step = |reader, input| {
        let mut rng = TestRng(5);
        caller.world.op.step(reader, input, at(0), &mut rng)
    };
    let mut done = step(&first, one);
    let mut lost = step(&second, two);
    let (first, second) = (first.into_read(), second.into_read());
    assert!(caller.world.store.commit(&mut done, &first));
    assert!(
        !caller.world.store.commit(&mut lost, &second),
        "the second must step again"
    );
}

#[test]
fn assertion_signed_by_another_client_is_refused() {
    let mut caller = Caller::new();
    let forged = assertion(&TestSigner::new(), &caller.claims());
    caller.refused(&forged, "signature does not verify");
}

#[test]
fn assertion_with_alg_none_or_a_mac_of_the_public_key_is_refused() {
    let mut caller = Caller::new();
    let none = format!(
        "{}.{}.",
        crate::jose::base64url(r#"{"alg":"none"}"#),
        crate::jose::base64url(caller.claims().to_string())
    );
    caller.refused(&none, "none is not allowed");
    let key = caller.signer.public_jwk().to_string();
    let mac = crate::testing::mac(key.as_bytes(), &caller.claims());
    caller.refused(&mac, "HS256 is not allowed");
}

#[test]
fn assertion_alg_is_that_of_registration() {
    let signer = Arc::new(TestSigner::new());
    let mut client = jwt_client("jwt", &signer);
    client.authentication.signing_alg = Some(JwsAlg::Ps256);
    let mut caller = Caller::new();
    caller.world = World::with(|config| config.clients.push(client));
    let assertion = assertion(&signer, &caller.claims());
    caller.refused(&assertion, "ES256 is not allowed here; use PS256");
}

#[test]
fn assertion_rs256_of_a_ps256_client_is_refused_at_both_endpoints() {
    let key = RsaKeyPair::from_pkcs8(&pkcs8(RSA_PEM)).unwrap();
    let mut jwk = DecryptionKey::rsa_pem(RSA_PEM).unwrap().public();
    (jwk.kid, jwk.usage, jwk.alg) = (None, None, None);
    let mut client = Client::new("jwt", "", DeliveryMode::Poll);
    client.secret = None;
    client.authentication.method = AuthMethod::PrivateKeyJwt;
    client.authentication.signing_alg = Some(JwsAlg::Ps256);
    client.authentication.jwks = JwkSet(vec![jwk]);
    let mut caller = Caller::new();
    caller.world = World::with(|config| config.clients.push(client));
    let mut send = |path: &str, alg: &str, scheme: &'static dyn RsaEncoding, jti: &str| {
        let mut claims = caller.claims();
        claims["jti"] = json!(jti);
        let input = format!(
            "{}.{}",
            crate::jose::base64url(json!({ "alg": alg }).to_string()),
            crate::jose::base64url(claims.to_string())
        );
        let mut signature = vec![0; key.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        key.sign(scheme, &random, input.as_bytes(), &mut signature)
            .unwrap();
        let assertion = format!("{input}.{}", crate::jose::base64url(signature));
        let mut request = unauthenticated(&[
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion),
            ("grant_type", CIBA),
            ("auth_req_id", "unknown"),
        ]);
        *request.uri_mut() = path.parse().unwrap();
        answer(&caller.world.http(request))
    };
    for path in ["/bc-authorize", "/token"] {
        let (status, body) = send(path, "RS256", &RSA_PKCS1_SHA256, "rs");
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client")),
            "{path}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.contains("RS256 is not allowed"),
            "{description}"
        );
        // The same key, as it is registered.
        let (_, body) = send(path, "PS256", &RSA_PSS_SHA256, path);
        assert_ne!(body["error"], "invalid_client", "{path}: {body}");
    }
}

fn pkcs8(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|it| !it.starts_with('-')).collect();
    STANDARD.decode(lines).unwrap()
}

#[test]
fn assertion_needs_its_type_and_the_same_client_id() {
    let mut caller = Caller::new();
    let good = assertion(&caller.signer, &caller.claims());
    for form in [
        vec![("client_assertion", good.as_str())],
        vec![("client_assertion_type", JWT_BEARER)],
        vec![
            ("client_assertion_type", "jwt"),
            ("client_assertion", good.as_str()),
        ],
        vec![
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", good.as_str()),
            ("client_id", "poll"),
        ],
    ] {
        let response = caller.world.http(unauthenticated(&form));
        assert!(
            !response.headers().contains_key("www-authenticate"),
            "{form:?}"
        );
        let (status, body) = answer(&response);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client"))
        );
    }
}

#[test]
fn client_secret_jwt_is_a_mac_with_the_secret() {
    let mut caller = Caller::new();
    let mut claims = caller.claims();
    claims["iss"] = json!("mac");
    claims["sub"] = json!("mac");
    let good = crate::testing::mac(MAC_SECRET.as_bytes(), &claims);
    assert_eq!(caller.send(&good).0, 200);
    claims["jti"] = json!("two");
    let wrong = crate::testing::mac(b"fedcba9876543210fedcba9876543210", &claims);
    caller.refused(&wrong, "signature does not verify");
    let signed = assertion(&caller.signer, &claims);
    caller.refused(&signed, "ES256 is not allowed");
}

#[test]
fn client_secret_jwt_needs_a_secret_of_32_octets() {
    let mut mac = Client::new("mac", "short", DeliveryMode::Poll);
    mac.authentication.method = AuthMethod::ClientSecretJwt;
    let mut config = bare_config();
    config.clients.push(mac);
    assert!(matches!(
        Op::new(config),
        Err(crate::ConfigError::ShortSecret(_))
    ));
}

#[test]
fn client_secret_post_is_taken_from_those_registered_for_it() {
    let mut caller = Caller::new();
    for (id, secret, status) in [
        ("post", "post-secret", 200),
        ("post", "wrong", 401),
        ("poll", "poll-secret", 401),
        ("nobody", "post-secret", 401),
        ("jwt", "jwt-secret", 401),
    ] {
        let form = [("client_id", id), ("client_secret", secret)];
        let (got, body) = answer(&caller.world.http(unauthenticated(&form)));
        assert_eq!(got, status, "{id} {secret}: {body}");
    }
    // And the other way round.
    let mut request = authorize_request("poll", &[]);
    let header = basic("post", "post-secret").parse().unwrap();
    request.headers_mut().insert("authorization", header);
    let (status, body) = answer(&caller.world.http(request));
    assert_eq!(status, 401);
    let description = body["error_description"].as_str().unwrap();
    assert!(description.contains("registered for client_secret_post and used client_secret_basic"));
}

#[test]
fn without_client_authentication_is_invalid_client_at_both_endpoints() {
    let mut caller = Caller::new();
    for (form, status) in [(vec![], 401), (vec![("client_id", "jwt")], 401)] {
        let mut request = unauthenticated(&form);
        let (got, body) = answer(&caller.world.http(request.clone()));
        assert_eq!(
            (got, body["error"].as_str()),
            (status, Some("invalid_client"))
        );
        *request.uri_mut() = "/token".parse().unwrap();
        let (got, body) = answer(&caller.world.http(request));
        assert_eq!(
            (got, body["error"].as_str()),
            (status, Some("invalid_client"))
        );
    }
}

#[test]
fn two_authentications_are_invalid_request() {
    let mut caller = Caller::new();
    let good = assertion(&caller.signer, &caller.claims());
    let form = [
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", good.as_str()),
        ("client_id", "post"),
        ("client_secret", "post-secret"),
    ];
    let (status, body) = answer(&caller.world.http(unauthenticated(&form)));
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

/// The answer to `client_id=mtls` over mutual TLS with this certificate.
fn over_tls(change: impl FnOnce(&mut Client), der: &'static [u8], trusted: bool) -> (u16, Value) {
    let mut client = Client::new("mtls", "", DeliveryMode::Poll);
    client.secret = None;
    change(&mut client);
    let mut world = World::with(|config| config.clients.push(client));
    let mut request = unauthenticated(&[("client_id", "mtls")]);
    let der = Bytes::from_static(der);
    request
        .extensions_mut()
        .insert(PeerCertificate { der, trusted });
    answer(&world.http(request))
}

#[test]
fn tls_client_auth_compares_what_was_registered() {
    let names = [
        (
            CertificateName::SubjectDn(
                r"DC=example,CN=Client One+OU=TEST ONLY,O=Example\, Ltd,C=DE".into(),
            ),
            true,
        ),
        (CertificateName::SubjectDn("CN=Client One".into()), false),
        (CertificateName::SanDns("RP.example".into()), true),
        (CertificateName::SanDns("rp.example.org".into()), false),
        (
            CertificateName::SanUri("https://rp.example/id".into()),
            true,
        ),
        (CertificateName::SanUri("https://rp.example/".into()), false),
        (CertificateName::SanEmail("rp@example.org".into()), true),
        (CertificateName::SanEmail("other@example.org".into()), false),
        (CertificateName::SanIp("192.0.2.7".parse().unwrap()), true),
        (CertificateName::SanIp("2001:db8::7".parse().unwrap()), true),
        (CertificateName::SanIp("192.0.2.8".parse().unwrap()), false),
    ];
    for (name, good) in names {
        let register = |client: &mut Client| {
            client.authentication.method = AuthMethod::TlsClientAuth;
            client.authentication.certificate = Some(name.clone());
        };
        let (status, body) = over_tls(register, EC, true);
        assert_eq!(status, if good { 200 } else { 401 }, "{name:?}: {body}");
        let (status, body) = over_tls(register, EC, false);
        assert_eq!(status, 401, "from an authority that nobody knows: {body}");
    }
}

fn self_signed(der: &[u8], with_x5c: bool) -> impl FnOnce(&mut Client) {
    use base64::Engine;
    let der = Bytes::copy_from_slice(der);
    move |client: &mut Client| {
        let key = crate::client_auth::x509::Certificate::parse(&der)
            .unwrap()
            .key()
            .unwrap();
        let jwk = crate::Jwk {
            kid: None,
            usage: None,
            alg: None,
            key,
        };
        let mut value = jwk.to_value();
        if with_x5c {
            let x5c = STANDARD.encode(&der);
            value["x5c"] = json!([x5c]);
        }
        let mut members = Map::new();
        members.insert(
            "token_endpoint_auth_method".into(),
            json!("self_signed_tls_client_auth"),
        );
        members.insert("backchannel_token_delivery_mode".into(), json!("poll"));
        members.insert("jwks".into(), json!({"keys": [value]}));
        *client = Client::from_metadata(
            &bare_config(),
            "mtls",
            None,
            &members,
            crate::Source::Request,
        )
        .unwrap();
    }
}

#[test]
fn self_signed_tls_client_auth_compares_the_registered_certificate() {
    for with_x5c in [true, false] {
        let (status, body) = over_tls(self_signed(EC, with_x5c), EC, false);
        assert_eq!(status, 200, "{body}");
        let (status, body) = over_tls(self_signed(EC, with_x5c), RSA, true);
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client"))
        );
    }
}

#[test]
fn a_certificate_does_not_stand_in_for_another_method() {
    for method in [AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt] {
        let (status, _) = over_tls(
            |client| {
                client.authentication.method = method;
                client.authentication.jwks = JwkSet::default();
                client.secret = Some(ClientSecret::new("x"));
            },
            EC,
            true,
        );
        assert_eq!(status, 401, "{method:?}");
    }
}

#[test]
fn mtls_different_client_id_and_issuer_is_refused() {
    // The certificate of one client with the client_id of another.
    let mut world = World::with(|config| {
        let mut one = Client::new("one", "", DeliveryMode::Poll);
        self_signed(EC, true)(&mut one);
        one.id = "one".into();
        let mut two = Client::new("two", "", DeliveryMode::Poll);
        self_signed(RSA, true)(&mut two);
        two.id = "two".into();
        config.clients.extend([one, two]);
    });
    for path in ["/bc-authorize", "/token"] {
        let mut request = unauthenticated(&[("client_id", "two")]);
        *request.uri_mut() = path.parse().unwrap();
        let der = Bytes::from_static(EC);
        request.extensions_mut().insert(PeerCertificate {
            der,
            trusted: false,
        });
        let (status, body) = answer(&world.http(request));
        assert_eq!(
            (status, body["error"].as_str()),
            (401, Some("invalid_client")),
            "{path}"
        );
    }
}
