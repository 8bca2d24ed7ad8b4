//! The RP of the benches: as little work as a client can have, in another process than what is measured.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Result;
use super::server::Server;
use super::timing;

/// What one round has seen.
pub(crate) struct Driven {
    done: f64,
    cpu_seconds: f64,
    seconds: f64,
}

impl Driven {
    /// By the server's own processor time.
    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.done / self.cpu_seconds
    }

    /// By the clock on the wall.
    pub(crate) fn per_second(&self) -> f64 {
        self.done / self.seconds
    }
}

/// Runs workers side by side to their ends; each returns how often it did its work.
pub(crate) async fn measure<W>(server: &Server, workers: impl Iterator<Item = W>) -> Result<Driven>
where
    W: Future<Output = Result<u32>> + Send + 'static,
{
    let before = server.cpu_seconds()?;
    let start = timing::now();
    let mut running: JoinSet<_> = workers.collect();
    let mut done = 0.0;
    while let Some(worker) = running.join_next().await {
        done += f64::from(worker??);
    }
    Ok(Driven {
        done,
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: server.cpu_seconds()? - before,
    })
}

/// One subscriber's flows in ping mode, one after the other, for so long.
pub(crate) async fn flows(
    op: SocketAddr,
    receiver: Receiver,
    number: String,
    round: Duration,
) -> Result<u32> {
    let mut connection = Connection::to(op).await?;
    let end = timing::now() + round;
    let mut done = 0;
    while timing::now() < end {
        let body = format!(
            "scope=openid&acr_values=mod-mf&client_notification_token=bench&binding_message=Code+W4SCT\
             &login_hint=%2B{}",
            number.trim_start_matches('+')
        );
        let acknowledged = connection.post_form("/bc-authorize", body).await?;
        let auth_req_id = acknowledged["auth_req_id"].as_str();
        let auth_req_id = auth_req_id.ok_or_else(|| format!("no auth_req_id: {acknowledged}"))?;
        receiver.ping(auth_req_id).await?;
        let body = format!(
            "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={auth_req_id}"
        );
        let tokens = connection.post_form("/token", body).await?;
        if !tokens["id_token"].is_string() {
            return Err(format!("no id_token: {tokens}").into());
        }
        done += 1;
    }
    Ok(done)
}

/// POSTs to the echo, one after the other, for so long.
pub(crate) async fn echoes(echo: SocketAddr, round: Duration) -> Result<u32> {
    let mut connection = Connection::to(echo).await?;
    let end = timing::now() + round;
    let mut done = 0;
    while timing::now() < end {
        let request = Request::post("/").body("x".repeat(1000))?;
        connection.send(request).await?;
        done += 1;
    }
    Ok(done)
}

/// A keep-alive connection.
pub(crate) struct Connection {
    sender: http1::SendRequest<String>,
    host: String,
}

impl Connection {
    /// Connects.
    pub(crate) async fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows in the next request.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: address.to_string(),
        })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        mut request: Request<String>,
    ) -> Result<(StatusCode, Bytes)> {
        let host = self.host.parse()?;
        request.headers_mut().insert(header::HOST, host);
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }

    /// POSTs a form as the client `ping`.
    async fn post_form(&mut self, path: &str, form: String) -> Result<Value> {
        self.post_as("ping", path, form).await
    }

    /// POSTs a form as this client.
    pub(crate) async fn post_as(
        &mut self,
        client: &str,
        path: &str,
        form: String,
    ) -> Result<Value> {
        let credentials = STANDARD.encode(format!("{client}:{client}-secret"));
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)?;
        let (_, body) = self.send(request).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}

/// The notification endpoint of the client `ping`.
#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    pings: Arc<Mutex<HashMap<String, Ping>>>,
}

/// A ping and who waits for it: either may come first.
enum Ping {
    Arrived,
    Awaited(oneshot::Sender<()>),
}

impl Receiver {
    /// Listens.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let receiver = Self {
            address: listener.local_addr()?,
            pings: Arc::default(),
        };
        let accepting = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = accepting.clone();
                let service = service_fn(move |request| {
                    let receiver = receiver.clone();
                    async move { receiver.arrive(request).await }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(receiver)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn arrive(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let body = request.into_body().collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&body)?;
        let id = body["auth_req_id"].as_str().ok_or("no auth_req_id")?;
        let mut pings = self.lock();
        if let Some(Ping::Awaited(waiting)) = pings.remove(id) {
            // Who does not wait any more has failed for a reason of its own.
            let _ = waiting.send(());
        } else {
            pings.insert(id.to_owned(), Ping::Arrived);
        }
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    /// Waits for the ping of a request.
    async fn ping(&self, auth_req_id: &str) -> Result<()> {
        let waiting = {
            let mut pings = self.lock();
            if pings.remove(auth_req_id).is_some() {
                return Ok(());
            }
            let (sender, waiting) = oneshot::channel();
            pings.insert(auth_req_id.to_owned(), Ping::Awaited(sender));
            waiting
        };
        Ok(waiting.await?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Ping>> {
        self.pings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
