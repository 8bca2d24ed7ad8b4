//! Who is shown the OP's certificate.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::sockets::addresses::Policy;
use crate::sockets::http_client::{Bounds, HttpClient};
use crate::sockets::http_server::{Arrived, HttpParty, Limits, Replies, serve_party};
use crate::sockets::shutdown::{self, Stopper};
use crate::suite::Builder;
use crate::world::{DEFAULT, World};

/// Asks for a certificate, and tells who called what with which.
struct Curious {
    replies: Replies,
    told: UnboundedSender<(String, Option<Bytes>)>,
}

impl HttpParty for Curious {
    async fn handle(&self, arrived: Arrived) {
        let path = arrived.request.uri().path().to_owned();
        let shown = arrived.certificate.map(|peer| peer.der);
        // The test may have seen enough.
        let _ = self.told.send((path, shown));
        self.replies.reply(arrived.id, Response::default());
    }

    fn too_large(&self, _: &Parts) -> Response<Bytes> {
        Response::default()
    }
}

type Told = UnboundedReceiver<(String, Option<Bytes>)>;

async fn curious(authority: &Authority) -> (String, Told, Stopper) {
    let server = authority.server(["127.0.0.1"]).unwrap();
    let root = authority.certificate().clone();
    let tls = ServerTls::new(&server, &ClientCertificates::Asked(vec![root])).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", port.local_addr().unwrap());
    let replies = Replies::new(&Clock::real(), &Chance::seeded(1));
    let (told, heard) = unbounded_channel();
    let party = Arc::new(Curious {
        replies: replies.clone(),
        told,
    });
    let (stopper, shutdown) = shutdown::channel();
    let listener = Listener::new(port, Some(tls));
    tokio::spawn(serve_party(
        listener,
        party,
        replies,
        Limits::default(),
        shutdown,
    ));
    (url, heard, stopper)
}

/// The first call of that path which a suite made after a client asked for a token; the certificate that came with it.
async fn shown(builder: Builder, told: &mut Told, path: &str) -> Option<Bytes> {
    let suite = builder.start().await.unwrap();
    let form = "scope=openid&acr_values=mod-mf\
                &login_hint=%2B447700900002&client_notification_token=notification-token-of-a-test";
    let request = Request::post(format!("{}/bc-authorize", suite.op_url()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "Basic cHVzaDpwdXNoLXNlY3JldA==")
        .body(Bytes::from(form))
        .unwrap();
    let client = HttpClient::new(Clock::real(), Policy::default());
    let answer = client.send(request, Bounds::default()).await.result;
    assert_eq!(answer.unwrap().status(), 200);
    let certificate = loop {
        let (called, certificate) = told.recv().await.unwrap();
        if called == path {
            break certificate;
        }
    };
    suite.shutdown().await;
    certificate
}

#[tokio::test]
async fn the_op_shows_its_certificate_to_the_mssp_and_to_nobody_else() {
    let authority = Authority::new(&[1; 32]).unwrap();
    let file = std::env::temp_dir().join(format!("midsim-curious-{}.pem", std::process::id()));
    std::fs::write(&file, authority.certificate_pem()).unwrap();
    let (url, mut told, _stopper) = curious(&authority).await;
    let endpoint = format!("mode = \"push\"\nnotification_endpoint = \"{url}/push\"\n");
    let world = DEFAULT.replacen("mode = \"push\"\n", &endpoint, 1);
    assert_ne!(world, DEFAULT);
    let options = TlsOptions {
        trusted: vec![file.clone()],
        ..TlsOptions::default()
    };
    let suite = Builder::new(World::parse(&world).unwrap()).tls(options);

    assert_eq!(shown(suite.clone(), &mut told, "/push").await, None);
    let mssp = async |told: &mut Told, seed| {
        let suite = suite.clone().mssp_url(format!("{url}/mssp"));
        let suite = match seed {
            Some(seed) => suite.seed(seed),
            None => suite,
        };
        shown(suite, told, "/mssp").await.unwrap()
    };
    let (one, other) = (mssp(&mut told, None).await, mssp(&mut told, None).await);
    assert_ne!(one, other, "each installation has its own");
    let (one, other) = (
        mssp(&mut told, Some(7)).await,
        mssp(&mut told, Some(7)).await,
    );
    assert_eq!(one, other, "but a seed makes one");
    // id-ecPublicKey with prime256v1 (RFC 5480 §2.1.1), not the RSA key that everybody has.
    let p256 = hex::decode("301306072a8648ce3d020106082a8648ce3d030107").unwrap();
    assert!(one.windows(p256.len()).any(|at| at == p256));
    std::fs::remove_file(file).unwrap();
}
