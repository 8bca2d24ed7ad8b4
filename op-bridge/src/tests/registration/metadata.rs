//! What may be registered.

use serde_json::json;

use super::support::*;
use super::*;
use crate::{Profile, Signer};

#[test]
fn rfc_7517_b_key_with_its_certificate_can_be_registered_and_no_other_key_with_it() {
    let rfc = crate::jose::tests::rfc();
    let mut key = rfc["rfc7517"]["x5c"]["key"].clone();
    let metadata = |key: &Value| {
        let mut metadata = poll_client();
        metadata["token_endpoint_auth_method"] = json!("private_key_jwt");
        metadata["jwks"] = json!({ "keys": [key] });
        metadata
    };
    let mut world = World::new();
    let (status, body) = register(&mut world, &metadata(&key));
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["jwks"]["keys"][0], key);
    key["n"] = rfc["rfc7517"]["public"]["keys"][1]["n"].clone();
    let (status, body) = register(&mut world, &metadata(&key));
    assert_eq!(status, 400);
    let why = body["error_description"].as_str().unwrap();
    assert!(
        why.starts_with("jwks has an x5c certificate of another key"),
        "{why}"
    );
}

#[test]
fn metadata_that_cannot_be_kept_are_refused_by_name() {
    let key = TestSigner::new().public_jwk();
    let mut private = key.clone();
    private["d"] = json!("AAAA");
    let weak = json!({"kty": "RSA", "e": "AQAB", "n": crate::jose::base64url([0xff; 128])});
    for (change, member) in [
        (
            json!({"backchannel_token_delivery_mode": null}),
            "backchannel_token_delivery_mode",
        ),
        (
            json!({"backchannel_token_delivery_mode": "long"}),
            "backchannel_token_delivery_mode",
        ),
        (
            json!({"backchannel_token_delivery_mode": "ping"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://rp.example/cb"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://127.0.0.1.evil.example/cb"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://127.evil.example/"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "http://127.0.0.1@evil.example/"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "https://rp.example/cb#x"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_client_notification_endpoint": "file:///etc/passwd"}),
            "backchannel_client_notification_endpoint",
        ),
        (
            json!({"backchannel_authentication_request_signing_alg": "none", "jwks": {"keys": [key]}}),
            "backchannel_authentication_request_signing_alg",
        ),
        (
            json!({"backchannel_authentication_request_signing_alg": "HS256", "jwks": {"keys": [key]}}),
            "backchannel_authentication_request_signing_alg",
        ),
        (
            json!({"backchannel_authentication_request_signing_alg": "ES256"}),
            "jwks",
        ),
        (
            json!({"backchannel_user_code_parameter": true}),
            "backchannel_user_code_parameter",
        ),
        (
            json!({"backchannel_user_code_parameter": "yes"}),
            "backchannel_user_code_parameter",
        ),
        (
            json!({"token_endpoint_auth_method": "none"}),
            "token_endpoint_auth_method",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            "jwks",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": ""}),
            "tls_client_auth_san_dns",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": ""}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"tls_client_auth_san_dns": "rp.example"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a", "tls_client_auth_san_uri": "b"}),
            "tls_client_auth_subject_dn",
        ),
        (
            json!({"token_endpoint_auth_signing_alg": "HS256", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key]}}),
            "token_endpoint_auth_signing_alg",
        ),
        (json!({"jwks": {"keys": [private]}}), "jwks"),
        (json!({"jwks": {"keys": [weak]}}), "jwks"),
        (json!({"jwks": "x"}), "jwks"),
        (
            json!({"jwks_uri": "https://rp.example/jwks", "jwks": {"keys": [key]}}),
            "jwks_uri",
        ),
        (json!({"jwks_uri": "http://rp.example/jwks"}), "jwks_uri"),
        (json!({"jwks_uri": 7}), "jwks_uri"),
        (
            json!({"grant_types": ["authorization_code"]}),
            "grant_types",
        ),
        (json!({"grant_types": "x"}), "grant_types"),
        (
            json!({"require_signed_request_object": true}),
            "require_signed_request_object",
        ),
        (
            json!({"require_signed_request_object": "yes"}),
            "require_signed_request_object",
        ),
        (json!({"response_types": ["code"]}), "response_types"),
        (json!({"subject_type": "other"}), "subject_type"),
        (
            json!({"id_token_signed_response_alg": "none"}),
            "id_token_signed_response_alg",
        ),
        (
            json!({"id_token_encrypted_response_alg": "RSA-OAEP"}),
            "id_token_encrypted_response_alg",
        ),
        (
            json!({"tls_client_certificate_bound_access_tokens": true}),
            "tls_client_certificate_bound_access_tokens",
        ),
        (json!({"client_name": 7}), "client_name"),
    ] {
        let mut metadata = poll_client();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(metadata.as_object_mut().unwrap().remove(name)),
                value => metadata[name] = value.clone(),
            }
        }
        let mut world = World::new();
        let (status, body) = register(&mut world, &metadata);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata")),
            "{metadata}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(member), "{metadata}: {description}");
        assert!(world.store.records.is_empty());
    }
}

#[test]
fn nobody_registers_into_the_sector_of_another_client() {
    let foreign = "https://bank.example/sector.json";
    let endpoint = "https://RP.example:8443/cb";
    for (mode, pairwise, uri, refused) in [
        ("poll", true, Some(foreign), Some("sector_identifier_uri")),
        ("ping", true, Some(foreign), Some("sector_identifier_uri")),
        ("push", true, Some(foreign), Some("sector_identifier_uri")),
        ("push", false, Some(foreign), Some("sector_identifier_uri")),
        // A ping client fetches its tokens from anywhere: its endpoint proves nothing.
        (
            "ping",
            true,
            Some("https://rp.example/s"),
            Some("sector_identifier_uri"),
        ),
        ("ping", true, None, Some("subject_type")),
        ("poll", true, None, Some("subject_type")),
        ("push", true, Some("https://rp.example/s"), None),
        ("push", true, None, None),
        ("poll", false, None, None),
    ] {
        let mut metadata = json!({
            "backchannel_token_delivery_mode": mode,
            "backchannel_client_notification_endpoint": endpoint,
            "subject_type": if pairwise { "pairwise" } else { "public" },
        });
        if let Some(uri) = uri {
            metadata["sector_identifier_uri"] = json!(uri);
        }
        let (status, body) = register(&mut World::new(), &metadata);
        let Some(member) = refused else {
            assert_eq!(status, 201, "{metadata}: {body}");
            continue;
        };
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata")),
            "{metadata}"
        );
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(member), "{metadata}: {description}");
    }
}

#[test]
fn a_jwks_uri_can_be_registered_and_is_the_sector_of_who_has_a_key_there() {
    let mut world = World::new();
    let metadata = json!({
        "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "private_key_jwt",
        "backchannel_authentication_request_signing_alg": "ES256",
        "jwks_uri": "https://rp.example/jwks",
        "subject_type": "pairwise",
    });
    let (status, body) = register(&mut world, &metadata);
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["jwks_uri"], metadata["jwks_uri"]);
    // A secret proves nothing about the keys over there.
    let mut secret = metadata.clone();
    secret["token_endpoint_auth_method"] = json!("client_secret_basic");
    let (status, body) = register(&mut world, &secret);
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("invalid_client_metadata"))
    );
    let why = body["error_description"].as_str().unwrap();
    assert!(why.starts_with("subject_type"), "{why}");
}

#[test]
fn registration_reads_one_json_object() {
    let mut world = World::new();
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", "[]"),
        (
            "application/json",
            r#"{"client_name":"a","client_name":"b"}"#,
        ),
        ("application/x-www-form-urlencoded", "client_name=a"),
    ] {
        let request = http::Request::post("/register").header("content-type", kind);
        let response = world.http(request.body(Bytes::from(body)).unwrap());
        let (status, body) = answer(&response);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata"))
        );
    }
    let long = json!({"client_name": "x".repeat(70_000)});
    assert_eq!(register(&mut world, &long).0, 400);
}

#[test]
fn fapi_ciba_registration_wants_keys_and_signed_requests() {
    let mut world = World::with(|config| {
        config.clients.clear();
        config.set_profile(Profile::FapiCiba);
        config.mtls_url = Some("https://127.0.0.1:8262".into());
    });
    let key = TestSigner::new().public_jwk();
    let good = json!({
        "backchannel_token_delivery_mode": "poll",
        "token_endpoint_auth_method": "private_key_jwt",
        "backchannel_authentication_request_signing_alg": "ES256",
        "jwks": {"keys": [key]},
    });
    let (status, body) = register(&mut world, &good);
    assert_eq!(status, 201, "{body}");
    assert_eq!(body["tls_client_certificate_bound_access_tokens"], true);
    for (member, value) in [
        ("tls_client_certificate_bound_access_tokens", json!(false)),
        ("require_signed_request_object", json!(false)),
        ("backchannel_token_delivery_mode", json!("push")),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        (
            "backchannel_authentication_request_signing_alg",
            Value::Null,
        ),
    ] {
        let mut bad = good.clone();
        match value {
            Value::Null => drop(bad.as_object_mut().unwrap().remove(member)),
            value => bad[member] = value,
        }
        let (status, body) = register(&mut world, &bad);
        assert_eq!(
            (status, body["error"].as_str()),
            (400, Some("invalid_client_metadata")),
            "{member}"
        );
    }
}
