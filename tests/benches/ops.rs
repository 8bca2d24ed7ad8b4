//! The OP side by side with npm `oidc-provider`: bc-authorize and one token request a flow. Alone nobody is asked, as there;
//! with the whole chain the token request is held until the answer has come back from the SIM.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::Result;
use super::driver::{self, Connection, Driven};
use super::server::{Server, World};
use super::timing::{ROUNDS, Spread, now};

/// Flows under way at a time.
const AT_A_TIME: u64 = 32;
/// One round.
const ROUND: Duration = Duration::from_secs(2);
/// Private key of the client `jwt` of the default world.
const CLIENT_KEY: &str = include_str!("../../fixtures/keys/client-es256-TEST-ONLY.jwk");

/// An OP that is measured.
struct Subject {
    server: Server,
    authorize: &'static str,
}

/// How the RP authenticates.
#[derive(Clone)]
enum Auth {
    /// client_secret_basic, as `poll`.
    Basic,
    /// private_key_jwt, as `jwt`: an assertion for each of the two requests.
    Jwt(Arc<Assertions>),
}

/// Makes client assertions.
struct Assertions {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

/// Runs them in turn, with each way of authentication.
pub(crate) fn side_by_side() -> Result<()> {
    let packages = packages()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let receiver = driver::Receiver::start().await?;
        let world = World::with_receiver(receiver.address(), AT_A_TIME)?;
        let numbers: Vec<_> = world.numbers().collect();
        let public = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
            "x": member("x")?, "y": member("y")?, "kid": member("kid")? });
        let mut node = Command::new("node");
        node.arg(packages.join("server.mjs"))
            .arg(public.to_string());
        let ours = |server| Subject {
            server,
            authorize: "/bc-authorize",
        };
        let theirs = Subject {
            server: Server::other(&mut node)?,
            authorize: "/backchannel",
        };
        let alone = ours(Server::op(&world, &["--op-authenticator=approve"]).await?);
        let chain = ours(Server::op(&world, &["--op-poll-hold=30"]).await?);
        let bare = ours(Server::bare_op()?);
        let assertions = Arc::new(Assertions::new()?);
        for (name, auth, aim, signatures) in [
            ("client_secret_basic", Auth::Basic, 10, "a signature"),
            (
                "private_key_jwt",
                Auth::Jwt(assertions),
                5,
                "a signature and two verifications",
            ),
        ] {
            let subjects = [&theirs, &bare, &alone, &chain];
            let mut seen: [Vec<f64>; 4] = Default::default();
            for turn in 0..=ROUNDS {
                for (subject, seen) in subjects.iter().zip(&mut seen) {
                    let rate = round(subject, &auth, &numbers).await?.per_cpu_second();
                    // The first round only warms up.
                    if turn > 0 {
                        seen.push(rate);
                    }
                }
            }
            let [theirs, bare, alone, chain] = &seen;
            let ratio = |of: &[f64]| super::timing::ratio(of, theirs);
            let spread = |of: &[f64]| Spread::of(of.to_vec());
            println!("  {name}, flows per CPU-second of the server");
            println!("    oidc-provider {}", spread(theirs));
            println!(
                "    two answers and {signatures} alone {}: {} times as many",
                spread(bare),
                ratio(bare)
            );
            println!(
                "    OP alone {}: {} times as many (aim: at least {aim}), {:.0} % of the bare limit",
                spread(alone),
                ratio(alone),
                100.0 * super::timing::ratio(alone, bare).median
            );
            println!(
                "    with the chain {}: {} times as many (aim: at least 2)",
                spread(chain),
                ratio(chain)
            );
        }
        Ok(())
    })
}

async fn round(subject: &Subject, auth: &Auth, numbers: &[String]) -> Result<Driven> {
    let (address, authorize) = (subject.server.address, subject.authorize);
    let workers = numbers
        .iter()
        .map(|number| flows(address, authorize, auth.clone(), number.clone()));
    driver::measure(&subject.server, workers).await
}

/// Flows on one connection, one after the other.
async fn flows(
    address: SocketAddr,
    authorize: &'static str,
    auth: Auth,
    number: String,
) -> Result<u32> {
    let mut connection = Connection::to(address).await?;
    let issuer = format!("http://{address}");
    let end = now() + ROUND;
    let mut done = 0;
    while now() < end {
        let form = format!(
            "scope=openid&acr_values=mod-mf&login_hint=%2B{}",
            number.trim_start_matches('+')
        );
        let acknowledged = post(&mut connection, &auth, &issuer, authorize, form).await?;
        let id = acknowledged["auth_req_id"].as_str();
        let id = id.ok_or_else(|| format!("no auth_req_id: {acknowledged}"))?;
        let form = format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={id}");
        let tokens = post(&mut connection, &auth, &issuer, "/token", form).await?;
        if !tokens["id_token"].is_string() {
            return Err(format!("no id_token: {tokens}").into());
        }
        done += 1;
    }
    Ok(done)
}

async fn post(
    connection: &mut Connection,
    auth: &Auth,
    issuer: &str,
    path: &str,
    mut form: String,
) -> Result<Value> {
    match auth {
        Auth::Basic => connection.post_as("poll", path, form).await,
        Auth::Jwt(assertions) => {
            form.push_str(
                "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                 &client_assertion=",
            );
            form.push_str(&assertions.next(issuer)?);
            connection.post_anonymously(path, form).await
        }
    }
}

/// A member of the private key of the client `jwt`.
pub(crate) fn member(name: &str) -> Result<String> {
    let key: Value = serde_json::from_str(CLIENT_KEY)?;
    let text = key[name].as_str();
    Ok(text.ok_or("the client's key is no JWK")?.to_owned())
}

fn octets(name: &str) -> Result<Vec<u8>> {
    Ok(URL_SAFE_NO_PAD.decode(member(name)?)?)
}

/// The public key of the client `jwt`: a point, uncompressed.
pub(crate) fn client_public_key() -> Result<Vec<u8>> {
    Ok([vec![4], octets("x")?, octets("y")?].concat())
}

impl Assertions {
    fn new() -> Result<Self> {
        let public = client_public_key()?;
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &octets("d")?,
            &public,
            &random,
        );
        let key = key.map_err(|error| format!("the client's key: {error}"))?;
        Ok(Self { key, random })
    }

    /// A fresh one (RFC 7523 §3).
    fn next(&self, audience: &str) -> Result<String> {
        let now = midsim::runtime::clock::Clock::real().now().as_second();
        let mut jti = [0; 16];
        ring::rand::SecureRandom::fill(&self.random, &mut jti).map_err(|_| "no random octets")?;
        let header = json!({ "alg": "ES256", "kid": member("kid")? });
        let claims = json!({ "iss": "jwt", "sub": "jwt", "aud": audience, "iat": now, "exp": now + 60,
            "jti": hex::encode(jti) });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&self.random, input.as_bytes());
        let signature = signature.map_err(|_| "no signature")?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
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
