//! Every hint (CIBA Core §7.1), login_hint_token after the MODRNA Authentication profile, and the discovery service.

use serde_json::json;

use super::*;
use crate::discovery::Discovery;
use crate::jose::jwe::{self, content::ContentEncryption};
use crate::testing::assertion;
use crate::{
    Allowed, DecryptionKey, HintFormats, HintIssuer, HintRules, Jwk, JwkSet, KeyManagement, Signer,
};

const RSA_PEM: &str = include_str!("../../../fixtures/keys/op-encryption-rsa-TEST-ONLY.pem");
const DISCOVERY: &str = "http://127.0.0.1:8261";

/// An OP, and a discovery service that it trusts.
struct Hints {
    world: World,
    discovery: TestSigner,
    keys: Vec<DecryptionKey>,
}

impl Hints {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut HintRules)) -> Self {
        let discovery = TestSigner::named("discovery");
        let keys = vec![
            DecryptionKey::p256(&[9; 32]).unwrap(),
            DecryptionKey::rsa_pem(RSA_PEM).unwrap(),
        ];
        let for_config = keys.clone();
        let jwks = JwkSet(vec![Jwk::parse(&discovery.public_jwk()).unwrap()]);
        let world = World::with(|config| {
            config.decryption = for_config;
            config.hints.issuers = vec![HintIssuer {
                issuer: DISCOVERY.into(),
                jwks,
                jwks_uri: None,
            }];
            change(&mut config.hints);
        });
        Self {
            world,
            discovery,
            keys,
        }
    }

    fn claims(&self) -> Value {
        let iat = at(self.world.now).as_second();
        json!({"iss": DISCOVERY, "aud": ISSUER, "iat": iat, "MSISDN": ALICE})
    }

    fn encrypted(&self, content: &str) -> String {
        let (alg, enc) = (KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
        let to = self.keys[0].public();
        jwe::encrypt(content.as_bytes(), &to, alg, enc, None, &mut TestRng(3)).unwrap()
    }

    fn nested(&self, claims: &Value) -> String {
        self.encrypted(&assertion(&self.discovery, claims))
    }

    fn send(&mut self, token: &str) -> (u16, Value) {
        let change = [("login_hint", ""), ("login_hint_token", token)];
        answer(&self.world.authorize("poll", &change))
    }

    #[track_caller]
    fn taken(&mut self, token: &str) {
        let (status, body) = self.send(token);
        assert_eq!(status, 200, "{body}");
        let sent = text(&self.world.last());
        assert!(sent.contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    }

    #[track_caller]
    fn refused(&mut self, token: &str, error: &str, why: &str) {
        let (status, body) = self.send(token);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some(error)),
            "{body}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains(why), "{description}");
    }

    fn service(&self) -> Discovery {
        Discovery {
            issuer: DISCOVERY.into(),
            op: ISSUER.into(),
            op_keys: JwkSet(self.keys.iter().map(DecryptionKey::public).collect()),
            signer: Arc::new(TestSigner::named("discovery")),
        }
    }
}

#[test]
fn login_hint_token_nested_is_taken() {
    let mut hints = Hints::new();
    let token = hints.nested(&hints.claims());
    hints.taken(&token);
}

#[test]
fn login_hint_token_is_taken_with_every_alg_and_enc() {
    for alg in KeyManagement::ALL {
        for enc in ContentEncryption::ALL {
            let mut hints = Hints::new();
            let inner = assertion(&hints.discovery, &hints.claims());
            let rsa = alg == KeyManagement::RsaOaep256;
            let to = hints.keys[usize::from(rsa)].public();
            let mut rng = TestRng(3);
            let token = jwe::encrypt(inner.as_bytes(), &to, alg, enc, Some("JWT"), &mut rng);
            hints.taken(&token.unwrap());
        }
    }
}

#[test]
fn login_hint_token_claim_shapes() {
    for shape in [
        json!({"MSISDN": ALICE}),
        json!({"MSISDN": "447700900001"}),
        json!({"sub_id": {"format": "phone_number", "phone_number": ALICE}}),
        json!({"subject": {"subject_type": "phone", "phone": ALICE}}),
    ] {
        let mut hints = Hints::new();
        let mut claims = hints.claims();
        let members = claims.as_object_mut().unwrap();
        members.remove("MSISDN");
        members.extend(shape.as_object().unwrap().clone());
        let token = hints.nested(&claims);
        hints.taken(&token);
    }
    for (shape, error) in [
        (json!({}), "unknown_user_id"),
        (json!({"MSISDN": 447_700_900_001_u64}), "unknown_user_id"),
        (json!({"MSISDN": "alice"}), "unknown_user_id"),
        (json!({"MSISDN": NOBODY}), "unknown_user_id"),
        (
            json!({"sub_id": {"format": "email", "email": "a@b"}}),
            "unknown_user_id",
        ),
        (json!({"subject": ALICE}), "unknown_user_id"),
        (
            json!({"MSISDN": ALICE, "sub_id": {"format": "phone_number", "phone_number": "+447700900002"}}),
            "invalid_request",
        ),
    ] {
        let mut hints = Hints::new();
        let mut claims = hints.claims();
        let members = claims.as_object_mut().unwrap();
        members.remove("MSISDN");
        members.extend(shape.as_object().unwrap().clone());
        let token = hints.nested(&claims);
        hints.refused(&token, error, "");
    }
}

#[test]
fn login_hint_token_formats_are_a_matter_of_policy() {
    let formats = |nested, encrypted, signed| {
        Hints::with(|rules| {
            rules.formats = HintFormats {
                nested,
                encrypted,
                signed,
            };
        })
    };
    let tokens = |hints: &Hints| {
        let claims = hints.claims();
        [
            hints.nested(&claims),
            hints.encrypted(&claims.to_string()),
            assertion(&hints.discovery, &claims),
        ]
    };
    for allowed in 0..3 {
        let mut hints = formats(allowed == 0, allowed == 1, allowed == 2);
        for (kind, token) in tokens(&hints).iter().enumerate() {
            if kind == allowed {
                hints.taken(token);
            } else {
                hints.refused(token, "invalid_request", "hints.formats");
            }
        }
    }
    // Without a word: what the client cannot read is taken, what it can read is not.
    let mut hints = Hints::new();
    let [nested, encrypted, signed] = tokens(&hints);
    hints.taken(&nested);
    hints.taken(&encrypted);
    hints.refused(&signed, "invalid_request", "shows the number to everybody");
}

#[test]
fn login_hint_token_expires_by_age_and_by_exp() {
    let mut hints = Hints::new();
    let token = hints.nested(&hints.claims());
    hints.world.now = 600;
    hints.taken(&token);
    hints.world.now = 601;
    hints.refused(&token, "expired_login_hint_token", "601 s old");

    let mut hints = Hints::new();
    let mut claims = hints.claims();
    claims["exp"] = json!(at(0).as_second() + 30);
    let token = hints.nested(&claims);
    hints.world.now = 89;
    hints.taken(&token);
    hints.world.now = 90;
    hints.refused(&token, "expired_login_hint_token", "exp was");
}

#[test]
fn login_hint_token_claims_are_all_checked() {
    let now = at(0).as_second();
    for (claim, value, why) in [
        ("iss", Value::Null, "iss is missing"),
        (
            "iss",
            json!("https://other.example"),
            "no discovery service that this OP trusts",
        ),
        ("aud", Value::Null, "aud is missing"),
        (
            "aud",
            json!("https://other.example"),
            "aud does not contain",
        ),
        ("iat", Value::Null, "iat is missing"),
        ("iat", json!(now + 61), "iat is 61 s ahead"),
        ("iat", json!("now"), "iat must be a number"),
        ("nbf", json!(now + 61), "nbf is 61 s ahead"),
    ] {
        let mut hints = Hints::new();
        let mut claims = hints.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        let token = hints.nested(&claims);
        hints.refused(&token, "invalid_request", why);
    }
}

#[test]
fn login_hint_token_that_nobody_signed_expires_and_names_its_issuer_rightly_too() {
    let mut hints = Hints::new();
    let of = |hints: &Hints, change: Value| {
        let mut claims = hints.claims();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        hints.encrypted(&claims.to_string())
    };
    let exp = at(0).as_second() + 30;
    let token = of(&hints, json!({"iat": null}));
    hints.refused(&token, "invalid_request", "iat is missing");
    let token = of(&hints, json!({"iat": null, "exp": exp}));
    hints.refused(&token, "invalid_request", "iat is missing");
    let token = of(&hints, json!({"iss": "https://other.example"}));
    hints.refused(&token, "invalid_request", "iss is no discovery service");
    let anonymous = of(&hints, json!({"iss": null, "aud": null}));
    let short = of(&hints, json!({"exp": exp}));
    hints.taken(&anonymous);
    hints.world.now = 89;
    hints.taken(&short);
    hints.world.now = 90;
    hints.refused(&short, "expired_login_hint_token", "exp was");
    hints.world.now = 600;
    hints.taken(&anonymous);
    hints.world.now = 601;
    hints.refused(&anonymous, "expired_login_hint_token", "601 s old");
}

#[test]
fn login_hint_token_forged_or_for_others_is_refused() {
    let mut hints = Hints::new();
    let forged = hints.encrypted(&assertion(&TestSigner::new(), &hints.claims()));
    hints.refused(&forged, "invalid_request", "signature does not verify");
    let none = format!(
        "{}.{}.",
        crate::jose::base64url(r#"{"alg":"none"}"#),
        crate::jose::base64url(hints.claims().to_string())
    );
    let none = hints.encrypted(&none);
    hints.refused(&none, "invalid_request", "none is not allowed");
    let other = DecryptionKey::p256(&[8; 32]).unwrap().public();
    let (alg, enc) = (KeyManagement::EcdhEs, ContentEncryption::A128Gcm);
    let token = jwe::encrypt(b"{}", &other, alg, enc, None, &mut TestRng(3)).unwrap();
    hints.refused(
        &token,
        "invalid_request",
        "no key for ECDH-ES is known here",
    );
    for bad in [
        "....",
        "a.b.c.d.e",
        "x",
        &hints.encrypted("no json"),
        &hints.encrypted("a.b.c"),
    ] {
        hints.refused(bad, "invalid_request", "");
    }
}

#[test]
fn login_hint_token_algorithms_are_those_of_the_configuration() {
    let mut hints = Hints::with(|rules| {
        rules.encryption = Allowed {
            key_management: vec![KeyManagement::RsaOaep256],
            ..Allowed::default()
        };
    });
    let token = hints.nested(&hints.claims());
    hints.refused(
        &token,
        "invalid_request",
        "ECDH-ES is not allowed here; use RSA-OAEP-256",
    );
}

#[test]
fn encr_msisdn_is_a_number_encrypted_for_the_op() {
    let mut hints = Hints::new();
    for blob in [hints.encrypted(ALICE), hints.nested(&hints.claims())] {
        let hint = format!("ENCR_MSISDN:{blob}");
        hints.world.start_with("poll", &[("login_hint", &hint)]);
        assert!(text(&hints.world.last()).contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    }
    let (status, body) = answer(
        &hints
            .world
            .authorize("poll", &[("login_hint", "ENCR_MSISDN:x")]),
    );
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn pcr_is_the_sub_that_the_client_knows() {
    let mut world = World::new();
    let tokens = world.tokens("poll", &[]);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    let hint = format!("PCR:{}", claims["sub"].as_str().unwrap());
    world.start_with("poll", &[("login_hint", &hint)]);
    assert!(text(&world.last()).contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    let (_, body) = answer(&world.authorize("poll", &[("login_hint", "PCR:unknown")]));
    assert_eq!(body["error"], "unknown_user_id");
}

fn id_token(world: &mut World) -> String {
    let tokens = world.tokens("poll", &[]);
    tokens["id_token"].as_str().unwrap().to_owned()
}

fn by_id_token(world: &mut World, client: &str, hint: &str) -> (u16, Value) {
    answer(&world.authorize(client, &[("login_hint", ""), ("id_token_hint", hint)]))
}

#[test]
fn id_token_hint_names_its_user_even_when_expired() {
    let mut world = World::new();
    let hint = id_token(&mut world);
    assert_eq!(by_id_token(&mut world, "poll", &hint).0, 200);
    assert!(text(&world.last()).contains(&format!("<mss:MSISDN>{ALICE}</mss:MSISDN>")));
    world.now = 100_000;
    assert_eq!(by_id_token(&mut world, "poll", &hint).0, 200);
}

#[test]
fn id_token_hint_expired_is_refused_by_policy() {
    let mut world = World::with(|config| config.hints.expired_id_tokens = false);
    let hint = id_token(&mut world);
    assert_eq!(by_id_token(&mut world, "poll", &hint).0, 200);
    world.now = 600;
    let (status, body) = by_id_token(&mut world, "poll", &hint);
    assert_eq!(
        (status, body["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

#[test]
fn id_token_hint_must_be_ours_and_for_this_client() {
    let mut world = World::new();
    let hint = id_token(&mut world);
    let now = at(0).as_second();
    let claims =
        |iss: &str, aud: &str, sub: &str| json!({"iss": iss, "aud": aud, "sub": sub, "exp": now});
    let own = world.signer.clone();
    for (client, hint) in [
        ("poll2", hint),
        (
            "poll",
            assertion(&TestSigner::new(), &claims(ISSUER, "poll", "x")),
        ),
        (
            "poll",
            assertion(&own, &claims("https://other.example", "poll", "x")),
        ),
        ("poll", "not.a.token".to_owned()),
    ] {
        let (status, body) = by_id_token(&mut world, client, &hint);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{body}"
        );
    }
    let unknown = assertion(&own, &claims(ISSUER, "poll", "AAAAAAAAAAAAAAAAAAAAAA"));
    assert_eq!(
        by_id_token(&mut world, "poll", &unknown).1["error"],
        "unknown_user_id"
    );
}

#[test]
fn multiple_hints() {
    let mut world = World::new();
    for pair in [
        [("login_hint", ALICE), ("login_hint_token", "x")],
        [("login_hint", ALICE), ("id_token_hint", "x")],
        [("login_hint_token", "x"), ("id_token_hint", "x")],
    ] {
        let mut change = vec![("login_hint", "")];
        change.extend(pair);
        let (status, body) = answer(&world.authorize("poll", &change));
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_request")),
            "{pair:?}"
        );
    }
}

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
