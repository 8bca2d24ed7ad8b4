//! login_hint_token: its forms, claims, signature and keys.

use serde_json::json;

use super::support::*;
use super::*;
use crate::jose::jwe::{self, content::ContentEncryption};
use crate::testing::assertion;
use crate::{Allowed, DecryptionKey, HintFormats, KeyManagement};

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
