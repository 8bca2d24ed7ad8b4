//! The OP side by side with npm `oidc-provider`: bc-authorize and one token request a flow, nobody asked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::Result;
use super::driver::{self, Connection, Driven};
use super::server::Server;
use super::timing::{ROUNDS, Spread, now};

/// Flows under way at a time.
const AT_A_TIME: usize = 32;
/// One round.
const ROUND: Duration = Duration::from_secs(2);

/// Where the endpoints are.
#[derive(Clone, Copy)]
struct Op {
    authorize: &'static str,
    token: &'static str,
}

const OURS: Op = Op {
    authorize: "/bc-authorize",
    token: "/token",
};
const THEIRS: Op = Op {
    authorize: "/backchannel",
    token: "/token",
};

/// Runs the two in turn.
pub(crate) fn side_by_side() -> Result<()> {
    let packages = packages()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let ours = Server::op_alone("approve").await?;
        let mut command = Command::new("node");
        command.arg(packages.join("server.mjs"));
        let theirs = Server::other(&mut command)?;
        let (mut our_rounds, mut their_rounds) = (Vec::new(), Vec::new());
        for turn in 0..=ROUNDS {
            let their_seen = round(&theirs, THEIRS).await?;
            let our_seen = round(&ours, OURS).await?;
            // The first round only warms up.
            if turn > 0 {
                our_rounds.push(our_seen);
                their_rounds.push(their_seen);
            }
        }
        let spread =
            |rounds: &[Driven]| Spread::of(rounds.iter().map(Driven::per_cpu_second).collect());
        let pairs = our_rounds.iter().zip(&their_rounds);
        let ratios = pairs.map(|(our, their)| our.per_cpu_second() / their.per_cpu_second());
        println!("  client_secret_basic, flows per CPU-second of the server");
        println!("  midsim        {}", spread(&our_rounds));
        println!("  oidc-provider {}", spread(&their_rounds));
        println!(
            "  ratio {} (aim: at least 10)",
            Spread::of(ratios.collect())
        );
        Ok(())
    })
}

async fn round(server: &Server, op: Op) -> Result<Driven> {
    let address = server.address;
    driver::measure(server, (0..AT_A_TIME).map(move |_| flows(address, op))).await
}

/// Flows on one connection, one after the other.
async fn flows(address: std::net::SocketAddr, op: Op) -> Result<u32> {
    let mut connection = Connection::to(address).await?;
    let end = now() + ROUND;
    let mut done = 0;
    while now() < end {
        let form = "scope=openid&acr_values=mod-mf&login_hint=%2B447700900002".to_owned();
        let acknowledged = connection.post_as("poll", op.authorize, form).await?;
        let id = acknowledged["auth_req_id"].as_str();
        let id = id.ok_or_else(|| format!("no auth_req_id: {acknowledged}"))?;
        let form = format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={id}");
        let tokens: Value = connection.post_as("poll", op.token, form).await?;
        if !tokens["id_token"].is_string() {
            return Err(format!("no id_token: {tokens}").into());
        }
        done += 1;
    }
    Ok(done)
}

/// The packages of the other OP, installed under target/.
fn packages() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let from = root.join("tests/benches/oidc-provider");
    let into = root.join("target/foreign/oidc-provider");
    std::fs::create_dir_all(&into)?;
    for file in ["package.json", "server.mjs"] {
        std::fs::copy(from.join(file), into.join(file))?;
    }
    let npm = Command::new("npm")
        .args([
            "install",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--silent",
        ])
        .current_dir(&into)
        .status()
        .map_err(|error| format!("npm: {error}; this group needs node and npm"))?;
    if !npm.success() {
        return Err("npm cannot install oidc-provider".into());
    }
    Ok(into)
}
