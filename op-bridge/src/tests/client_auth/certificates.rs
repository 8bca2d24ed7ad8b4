//! Certificates of TLS.

use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, json};

use super::support::*;
use super::*;
use crate::{AuthMethod, CertificateName, ClientSecret, JwkSet, PeerCertificate};

const EC: &[u8] = include_bytes!("../../../../fixtures/certificates/client-ec-TEST-ONLY.der");
const RSA: &[u8] = include_bytes!("../../../../fixtures/certificates/client-rsa-TEST-ONLY.der");

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
