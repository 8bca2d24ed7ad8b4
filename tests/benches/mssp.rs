//! The MSSP: one request without I/O, and MSS_StatusQuery over HTTP beside a bare POST.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use ota_wire::applet::MacAlgorithm;
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{MasterKey, applet_mac_key};
use ota_wire::secret::Secret;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng;

use super::Result;
use super::driver::{self, Connection, Driven};
use super::envelopes::{Dice, GENERATORS, Target, good};
use super::server::{self, Server};
use super::timing::{self, ROUNDS, Spread, rates};

/// MSS_SignatureReqs a second on one thread that are aimed at.
const AIM: f64 = 60_000.0;
/// Percent of a bare axum POST that MSS_StatusQuery aims at.
const AIM_HTTP: f64 = 60.0;
/// Connections at a time.
const AT_A_TIME: usize = 32;
const ROUND: Duration = Duration::from_secs(2);
/// Envelopes of each hostile generator.
const EACH: usize = 500;

/// Everybody has a SIM.
struct Everybody(MasterKey);

impl mssp::Directory for Everybody {
    fn subscriber(&self, msisdn: &Msisdn) -> Option<mssp::Subscriber> {
        let iccid = Iccid::with_check_digit("894477009000000002").ok()?;
        Some(mssp::Subscriber::new(msisdn.clone(), iccid))
    }

    fn mac_key(&self, iccid: &Iccid, algorithm: MacAlgorithm) -> Secret {
        applet_mac_key(&self.0, iccid, algorithm)
    }
}

/// Nothing was there before.
struct Empty;

impl mssp::View for Empty {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn scan(&self, _: &str) -> Vec<(String, Vec<u8>)> {
        Vec::new()
    }
}

/// MSS_SignatureReq, from the octets of the request to those of the answer, of the records and of the challenge.
pub(crate) fn one_thread() -> Result<()> {
    let directory = Arc::new(Everybody(MasterKey::new([0x5A; 32])));
    let mut config = mssp::Config::new("http://midsim.test/mssp", directory);
    let password = Secret::new(b"midsim-ap".to_vec());
    config.aps = vec![mssp::Ap::new("http://midsim.test/ap", password)];
    let mssp = mssp::Mssp::new(config);
    let now: Timestamp = "2026-11-22T10:30:01Z".parse()?;
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let request = Bytes::from(signature_request("A1", "+447700900002"));

    let mut step = || {
        let mut http = Request::new(request.clone());
        *http.method_mut() = http::Method::POST;
        *http.uri_mut() = http::Uri::from_static("/soap/services/MSS_SignaturePort");
        http.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(CONTENT_TYPE),
        );
        let input = mssp::Input::Http {
            id: mssp::RequestId(1),
            request: http,
        };
        let step = mssp.step(&Empty, input, now, &mut rng);
        let writes: Vec<_> = step
            .changes
            .into_iter()
            .map(mssp::Change::into_write)
            .collect();
        (step.outputs, writes)
    };
    let (outputs, writes) = step();
    let accepted = outputs
        .iter()
        .any(|output| matches!(output, mssp::Output::Submit(_)));
    if !accepted || writes.is_empty() {
        return Err(format!("the request was not accepted: {outputs:?}").into());
    }
    let mut done = 0.0;
    let mut work = || {
        drop(black_box(step()));
        done += 1.0;
    };
    let before = server::cpu_seconds(std::process::id())?;
    let seen = Spread::of(rates(&mut [&mut work]).swap_remove(0));
    let used = server::cpu_seconds(std::process::id())? - before;
    println!(
        "  {seen} MSS_SignatureReq/s, {:.0} per second of processor time (aim: at least {AIM:.0})",
        done / used
    );
    Ok(())
}

/// MSS_StatusQuery of transactions that are not finished, and as many bare POSTs.
pub(crate) fn status_query() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let suite = Server::default_world().await?;
        let echo = Server::echo()?;
        // Nobody answers at this number, so that the transaction stays as it is.
        let id = begin(&suite).await?;
        let (mut queries, mut echoes) = (Vec::new(), Vec::new());
        for turn in 0..=ROUNDS {
            let workers = (0..AT_A_TIME).map(|_| driver::echoes(echo.address, ROUND));
            let bare = driver::measure(&echo, workers).await?;
            let workers = (0..AT_A_TIME).map(|_| query(suite.mssp, id.clone()));
            let seen = driver::measure(&suite, workers).await?;
            // The first round only warms up.
            if turn > 0 {
                queries.push(seen);
                echoes.push(bare);
            }
        }
        let each = |rounds: &[Driven], of: fn(&Driven) -> f64| -> Vec<f64> {
            rounds.iter().map(of).collect()
        };
        for (unit, of) in [
            ("CPU-second of the server", Driven::per_cpu_second as fn(&Driven) -> f64),
            ("second", Driven::per_second),
        ] {
            let (seen, bare) = (each(&queries, of), each(&echoes, of));
            let share = timing::ratio(&seen, &bare);
            println!(
                "  {} MSS_StatusQuery per {unit}, {} bare axum POSTs: {:.0} % ({:.0}…{:.0}; aim: at least {AIM_HTTP:.0} %)",
                Spread::of(seen),
                Spread::of(bare),
                100.0 * share.median,
                100.0 * share.least,
                100.0 * share.most,
            );
        }
        Ok(())
    })
}

const CONTENT_TYPE: &str = "application/soap+xml; charset=utf-8";

async fn begin(suite: &Server) -> Result<String> {
    let mut connection = Connection::to(suite.mssp).await?;
    let request = post(signature_request("A1", "+447700900007"))?;
    let (status, body) = connection.send(request).await?;
    let body = std::str::from_utf8(&body)?;
    let id = body
        .split_once("MSSP_TransID=\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match id {
        Some((id, _)) if status.is_success() => Ok(id.to_owned()),
        _ => Err(format!("{status}: {body}").into()),
    }
}

async fn query(mssp: std::net::SocketAddr, id: String) -> Result<u32> {
    let mut connection = Connection::to(mssp).await?;
    let end = timing::now() + ROUND;
    let mut done = 0;
    while timing::now() < end {
        let (status, body) = connection.send(post(status_request(&id))?).await?;
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        done += 1;
    }
    Ok(done)
}

fn post(body: String) -> Result<Request<String>> {
    let request = Request::post("/soap").header(http::header::CONTENT_TYPE, CONTENT_TYPE);
    Ok(request.body(body)?)
}

fn signature_request(ap_trans_id: &str, msisdn: &str) -> String {
    envelope(&format!(
        "<MSS_Signature><mss:MSS_SignatureReq MajorVersion=\"1\" MinorVersion=\"1\" \
         MessagingMode=\"asynchClientServer\" TimeOut=\"3000\">{}<mss:MobileUser><mss:MSISDN>{msisdn}</mss:MSISDN>\
         </mss:MobileUser><mss:DataToBeSigned MimeType=\"text/plain\" Encoding=\"UTF-8\">Log in to Example Bank? \
         Code W4SCT</mss:DataToBeSigned><mss:SignatureProfile><mss:mssURI>http://uri.gsma.com/mobileconnect/LoA3\
         </mss:mssURI></mss:SignatureProfile></mss:MSS_SignatureReq></MSS_Signature>",
        head(ap_trans_id)
    ))
}

fn status_request(id: &str) -> String {
    envelope(&format!(
        "<MSS_StatusQuery><mss:MSS_StatusReq MajorVersion=\"1\" MinorVersion=\"1\" MSSP_TransID=\"{id}\">{}\
         </mss:MSS_StatusReq></MSS_StatusQuery>",
        head("A1")
    ))
}

fn head(ap_trans_id: &str) -> String {
    format!(
        "<mss:AP_Info AP_ID=\"http://midsim.test/ap\" AP_TransID=\"{ap_trans_id}\" AP_PWD=\"midsim-ap\" \
         Instant=\"2026-11-22T10:30:00Z\"/><mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>"
    )
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><env:Envelope \
         xmlns:env=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\">\
         <env:Body>{body}</env:Body></env:Envelope>"
    )
}

/// The slowest answer to the hostile envelopes of each generator.
pub(crate) fn hostile() -> Result<()> {
    let mut target = Target::new(false);
    let good = good();
    let mut dice = Dice::new(2);
    let mut slowest = ("", 0.0);
    for (name, generator) in GENERATORS {
        for n in 0..EACH {
            let body = generator(&good[n % good.len()], &mut dice);
            let start = timing::now();
            let (answer, _) = target.post("/soap", body);
            let took = start.elapsed().as_secs_f64();
            if !matches!(answer.status().as_u16(), 200 | 500) {
                return Err(format!("{name}: {}", answer.status()).into());
            }
            if took > slowest.1 {
                slowest = (name, took);
            }
        }
    }
    println!(
        "  {} envelopes: none took more than {:.0} ms, answer and trace ({}; aim: at most 1 s)",
        EACH * GENERATORS.len(),
        slowest.1 * 1000.0,
        slowest.0
    );
    Ok(())
}
