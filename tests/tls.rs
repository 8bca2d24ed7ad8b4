//! TLS over the whole suite, by our own client; `tests/interop/tls.sh` has foreign ones as judges.

use midsim::Suite;
use midsim::rp::{self, Ended};
use midsim::suite::{Builder, TlsOptions, TlsService};
use midsim::world::{DEFAULT, Mode, World};

use crate::support::process::{Up, port_bases};
use crate::support::{Folder, flow};

fn everywhere() -> TlsOptions {
    TlsOptions {
        services: [TlsService::Op, TlsService::Mssp].into(),
        ..TlsOptions::default()
    }
}

#[tokio::test]
async fn a_flow_over_tls_ends_with_tokens_of_an_https_issuer() {
    let suite = Suite::builder().tls(everywhere()).start().await.unwrap();
    assert!(suite.op_url().starts_with("https://127.0.0.1:"));
    assert!(suite.mssp_url().starts_with("https://127.0.0.1:"));
    let flow = flow(&suite.op_url(), Mode::Push, "+447700900002");
    let ended = rp::run(suite.rp_port().as_ref(), &flow).await;
    let Ended::Tokens(tokens) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(tokens.claims["iss"], suite.op_url());
    suite.shutdown().await;
}

#[test]
fn an_installation_keeps_its_ca() {
    let ca = |folder: &Folder| {
        let up = port_bases()
            .find_map(|base| Up::start(folder.path(), base, &[]))
            .unwrap();
        assert!(up.url("op_mtls").starts_with("https://127.0.0.1:"));
        up.kill();
        std::fs::read_to_string(folder.path().join("ca.pem")).unwrap()
    };
    let (one, other) = (Folder::new("ca"), Folder::new("ca"));
    let first = ca(&one);
    assert!(first.starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(ca(&one), first);
    assert_ne!(ca(&other), first);
}

#[tokio::test]
async fn a_seed_makes_the_ca() {
    let ca = async |seed| {
        let suite = Suite::builder().seed(seed).start().await.unwrap();
        let pem = suite.ca_pem().to_owned();
        suite.shutdown().await;
        pem
    };
    assert_eq!(ca(7).await, ca(7).await);
    assert_ne!(ca(7).await, ca(8).await);
}

/// An AP that is bound to its certificate: the OP shows it, and is refused where it cannot.
#[tokio::test]
async fn an_ap_is_bound_to_its_certificate() {
    let bound = DEFAULT.replacen(
        "password = \"midsim-ap\"\n",
        "password = \"midsim-ap\"\ncertificate = \"op\"\n",
        1,
    );
    let world = World::parse(&bound).unwrap();
    let over_tls = |services: &[TlsService]| TlsOptions {
        services: services.iter().copied().collect(),
        ..TlsOptions::default()
    };
    for (services, signed) in [(&[TlsService::Mssp][..], true), (&[], false)] {
        let suite = Builder::new(world.clone())
            .tls(over_tls(services))
            .start()
            .await
            .unwrap();
        let flow = flow(&suite.op_url(), Mode::Push, "+447700900002");
        let ended = rp::run(suite.rp_port().as_ref(), &flow).await;
        assert_eq!(matches!(ended, Ended::Tokens(_)), signed, "{ended:?}");
        suite.shutdown().await;
    }
}
