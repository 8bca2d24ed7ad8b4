use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme, SupportedCipherSuite};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;
use crate::authority::Authority;
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::sockets::addresses::Policy;
use crate::sockets::http_client::{Bounds, HttpClient};
use crate::sockets::http_server::{Arrived, HttpParty, Limits, Listener, Replies, serve_party};
use crate::sockets::shutdown::{self, Stopper};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

fn authority(key: u8) -> Authority {
    Authority::new(&[key; 32]).unwrap()
}

/// Says whom it believes to talk to.
struct Doorman(Replies);

impl HttpParty for Doorman {
    async fn handle(&self, arrived: Arrived) {
        let text = arrived.certificate.map_or_else(
            || "nobody".to_owned(),
            |peer| format!("{} {}", hex::encode(&peer.der), peer.trusted),
        );
        self.0.reply(arrived.id, Response::new(text.into()));
    }

    fn too_large(&self, _: &Parts) -> Response<Bytes> {
        Response::default()
    }
}

struct Bench {
    address: SocketAddr,
    /// Keeps the server alive.
    _stopper: Stopper,
}

impl Bench {
    /// A server of authority 1 that trusts clients of authority 2.
    async fn start(limits: Limits) -> Self {
        let server = authority(1).server(["127.0.0.1", "sim.test"]).unwrap();
        let clients = ClientCertificates::Asked(vec![authority(2).certificate().clone()]);
        let tls = ServerTls::new(&server, &clients).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = port.local_addr().unwrap();
        let replies = Replies::new(&Clock::real(), &Chance::seeded(1));
        let party = Arc::new(Doorman(replies.clone()));
        let (stopper, shutdown) = shutdown::channel();
        let listener = Listener::new(port, Some(tls));
        tokio::spawn(serve_party(listener, party, replies, limits, shutdown));
        Self {
            address,
            _stopper: stopper,
        }
    }

    async fn ask(&self, tls: ClientTls, host: &str) -> Result<String, String> {
        let client = HttpClient::with_tls(Clock::real(), Policy::default(), tls);
        let url = format!("https://{host}:{}/", self.address.port());
        let request = Request::get(url).body(Bytes::new()).unwrap();
        let sent = client.send(request, Bounds::default()).await;
        let answer = sent.result.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer.body().to_vec()).unwrap())
    }

    /// A handshake by hand.
    async fn shake(&self, config: ClientConfig) -> std::io::Result<()> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = "sim.test".try_into().unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await?;
        // In TLS 1.3 the server judges the client after the client is done.
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

fn trusting(authorities: &[&Authority], identity: Option<&Identity>) -> ClientTls {
    let roots = authorities.iter().map(|one| one.certificate());
    ClientTls::new(roots, None, identity).unwrap()
}

#[test]
fn the_same_key_makes_the_same_certificates() {
    let of = |key| {
        let authority = authority(key);
        let leaf = authority.server(["a.test"]).unwrap();
        let client = authority.client("x", &[9; 32]).unwrap();
        [
            authority.certificate().clone(),
            leaf.certificate().unwrap().clone(),
            client.certificate().unwrap().clone(),
        ]
    };
    assert_eq!(of(1), of(1));
    let all = [of(1), of(2)].concat();
    let different: std::collections::BTreeSet<_> = all.iter().map(|one| one.as_ref()).collect();
    assert_eq!(different.len(), all.len());
    assert!(Authority::new(&[0; 32]).is_err());
}

#[test]
fn a_server_is_believed_by_its_authority_and_its_name() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let ours = || trusting(&[&authority(1)], None);
        assert_eq!(bench.ask(ours(), "127.0.0.1").await.unwrap(), "nobody");
        let others = trusting(&[&authority(2)], None);
        let error = bench.ask(others, "127.0.0.1").await.unwrap_err();
        assert!(
            error.contains("TLS with 127.0.0.1") && error.contains("UnknownIssuer"),
            "{error}"
        );
        let error = bench.ask(ours(), "localhost").await.unwrap_err();
        assert!(error.contains("not valid for"), "{error}");
    });
}

#[test]
fn our_own_server_may_have_a_strangers_certificate() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let server = authority(1).server(["127.0.0.1", "sim.test"]).unwrap();
        let strangers = [authority(3).certificate().clone()];
        let own = ClientTls::new(&strangers, server.certificate(), None).unwrap();
        assert_eq!(bench.ask(own.clone(), "127.0.0.1").await.unwrap(), "nobody");
        // By name, somebody else's server could show it: the key is published.
        let error = bench.ask(own, "localhost").await.unwrap_err();
        assert!(error.contains("UnknownIssuer"), "{error}");
    });
}

#[test]
fn a_party_learns_which_certificate_the_client_has() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        for (issuer, trusted) in [(2, true), (3, false)] {
            let client = authority(issuer).client("rp", &[9; 32]).unwrap();
            let tls = trusting(&[&authority(1)], Some(&client));
            let expected = format!("{} {trusted}", hex::encode(client.certificate().unwrap()));
            assert_eq!(bench.ask(tls, "127.0.0.1").await.unwrap(), expected);
        }
    });
}

/// Shows a certificate whose key it does not have.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let key = ring::default_provider()
            .key_provider
            .load_private_key(authority(1).server([]).unwrap().key)
            .unwrap();
        // The root's key is P-256, not the RSA key that signs here.
        for stolen in [
            authority(2).certificate().clone(),
            b"no certificate".to_vec().into(),
        ] {
            for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
                let thief = Thief(Arc::new(CertifiedKey::new(
                    vec![stolen.clone()],
                    key.clone(),
                )));
                let config = ClientConfig::builder_with_provider(provider())
                    .with_protocol_versions(&[version])
                    .unwrap()
                    .with_root_certificates(roots([authority(1).certificate()]).unwrap())
                    .with_client_cert_resolver(Arc::new(thief));
                bench.shake(config).await.unwrap_err();
            }
        }
    });
}

#[test]
fn of_tls_1_2_only_what_fapi_allows_is_spoken() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        for suite in ring::ALL_CIPHER_SUITES {
            let spoken = match suite {
                SupportedCipherSuite::Tls13(_) => true,
                SupportedCipherSuite::Tls12(suite) => matches!(
                    format!("{:?}", suite.common.suite).as_str(),
                    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
                        | "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
                ),
            };
            let only = CryptoProvider {
                cipher_suites: vec![*suite],
                ..ring::default_provider()
            };
            let config = ClientConfig::builder_with_provider(Arc::new(only))
                .with_protocol_versions(&[suite.version()])
                .unwrap()
                .with_root_certificates(roots([authority(1).certificate()]).unwrap())
                .with_no_client_auth();
            let shaken = bench.shake(config).await;
            assert_eq!(shaken.is_ok(), spoken, "{suite:?}: {shaken:?}");
        }
    });
}

#[test]
fn a_silent_peer_stops_nobody_and_is_cut_off() {
    block_on(async {
        let limits = Limits {
            handshake_within: Duration::from_millis(50),
            ..Limits::default()
        };
        let bench = Bench::start(limits).await;
        let mut silent = TcpStream::connect(bench.address).await.unwrap();
        let answer = bench
            .ask(trusting(&[&authority(1)], None), "127.0.0.1")
            .await;
        assert_eq!(answer.unwrap(), "nobody");
        assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn what_is_no_tls_is_answered_with_an_alert() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let mut stream = TcpStream::connect(bench.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        // A reset may follow the alert: not everything was read.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer.first(), Some(&0x15), "{answer:02X?}");
    });
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let directory = std::env::temp_dir().join(format!("midsim-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (good, bad) = (directory.join("good.pem"), directory.join("bad.pem"));
    std::fs::write(&good, authority(1).certificate_pem()).unwrap();
    std::fs::write(&bad, "nothing").unwrap();
    assert_eq!(
        certificates(&good).unwrap(),
        [authority(1).certificate().clone()]
    );
    for error in [
        certificates(&bad).unwrap_err(),
        Identity::read(&good, &bad).unwrap_err(),
        certificates(&directory.join("none.pem")).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.starts_with(&directory.display().to_string()), "{text}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}
