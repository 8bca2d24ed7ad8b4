//! Many requests that wait at once in one process, and how long a poll takes meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Result;
use super::driver::Connection;
use super::server::Server;
use super::timing::now;

/// Requests that wait.
const REQUESTS: usize = 100_000;
/// Connections that poll them.
const CONNECTIONS: usize = 50;
/// Polls in a second, over all connections.
const RATE: usize = 5_000;
/// Every request is polled once: none is asked for again within its interval.
const MOST_BYTES: u64 = 1 << 30;

/// Fills the OP, then polls at a fixed rate. A poll's time counts from when it was due, whether or not the one before was late.
pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server::op_alone("wait").await?;
        let mut filling = JoinSet::new();
        for _ in 0..CONNECTIONS {
            filling.spawn(fill(server.address, REQUESTS / CONNECTIONS));
        }
        let mut ids = Vec::new();
        while let Some(filled) = filling.join_next().await {
            ids.push(filled??);
        }
        let filled = server.resident_bytes()?;
        let mut polling = JoinSet::new();
        for ids in ids {
            polling.spawn(poll(server.address, ids));
        }
        let mut times = Vec::with_capacity(REQUESTS);
        while let Some(polled) = polling.join_next().await {
            times.extend(polled??);
        }
        let polled = server.resident_bytes()?;
        times.sort();
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e3;
        let megabytes = |bytes: u64| bytes / (1 << 20);
        println!(
            "  {} MB with {REQUESTS} pending requests, {} MB after as many polls (aim: at most {} MB)",
            megabytes(filled),
            megabytes(polled),
            megabytes(MOST_BYTES)
        );
        println!(
            "  {RATE} polls/s: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms (aim: p99 within 20 ms)",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        Ok(())
    })
}

/// Starts so many requests; gives their auth_req_ids.
async fn fill(op: SocketAddr, count: usize) -> Result<Vec<String>> {
    let mut connection = Connection::to(op).await?;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let form = "scope=openid&acr_values=mod-mf&requested_expiry=600&login_hint=%2B447700900002";
        let answer = connection
            .post_as("poll", "/bc-authorize", form.to_owned())
            .await?;
        let id = answer["auth_req_id"].as_str();
        ids.push(
            id.ok_or_else(|| format!("no auth_req_id: {answer}"))?
                .to_owned(),
        );
    }
    Ok(ids)
}

/// Polls each once, at this connection's share of the rate; how long each took.
async fn poll(op: SocketAddr, ids: Vec<String>) -> Result<Vec<Duration>> {
    let pause = Duration::from_secs_f64(CONNECTIONS as f64 / RATE as f64);
    let mut connection = Connection::to(op).await?;
    let mut times = Vec::with_capacity(ids.len());
    let mut due = now();
    for id in ids {
        due += pause;
        tokio::time::sleep_until(due.into()).await;
        let form = format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={id}");
        let answer = connection.post_as("poll", "/token", form).await?;
        if answer["error"] != "authorization_pending" {
            return Err(format!("not pending: {answer}").into());
        }
        times.push(now() - due);
    }
    Ok(times)
}
