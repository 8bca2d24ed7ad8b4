//! A suite whose OTA platform is called, each answer held against its own document.

use http::Method;
use midsim::suite::Builder;
use midsim::world::World;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::sockets::{Answer, Bench};

pub(super) const NUMBER: &str = "+447700900002";
pub(super) const ICCID: &str = "8944770090000000026";

pub(super) struct Ota {
    pub(super) bench: Bench,
    pub(super) url: String,
    /// What `/openapi.json` says; every answer is held against it.
    pub(super) document: Value,
}

impl Ota {
    pub(super) async fn start() -> Self {
        Self::of(Builder::new(World::default())).await
    }

    pub(super) async fn of(builder: Builder) -> Self {
        let bench = Bench::of(builder).await;
        let url = bench.suite.urls().ota.clone();
        let document = bench
            .request(Method::GET, &format!("{url}/openapi.json"), &[], "")
            .await
            .json();
        Self {
            bench,
            url,
            document,
        }
    }

    /// Whether the document knows of this status of this call.
    pub(super) fn documents(&self, method: &Method, path: &str, status: u16) -> bool {
        let method = method.as_str().to_lowercase();
        let mut places = self.document["paths"].as_object().unwrap().iter();
        let same = |pattern: &str| {
            let (mut one, mut other) = (pattern.split('/'), path.split('/'));
            let segments = one
                .by_ref()
                .zip(other.by_ref())
                .all(|(a, b)| a == b || a.starts_with('{'));
            segments && one.next().is_none() && other.next().is_none()
        };
        places.any(|(pattern, methods)| {
            same(pattern) && methods[&method]["responses"][status.to_string()].is_object()
        })
    }

    pub(super) async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        let url = format!("{}{path}", self.url);
        let answer = self
            .bench
            .request(method.clone(), &url, &headers, body.to_string())
            .await;
        assert!(
            self.documents(&method, path, answer.status),
            "{method} {path}: {} is not documented: {}",
            answer.status,
            answer.text()
        );
        answer
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.call(Method::POST, path, body).await;
        (answer.status, answer.json())
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.call(Method::GET, path, Value::Null).await;
        (answer.status, answer.json())
    }

    pub(super) async fn remote(&self, body: Value) -> (u16, Value) {
        self.post("/v1/remote", body).await
    }
}

/// A POST whose sender does not stay for the answer.
pub(super) async fn post_and_leave(ota: &Ota, path: &str, body: Value) -> TcpStream {
    let at = ota.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(at).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads a stream of events until `count` have come.
pub(super) async fn events(
    ota: &Ota,
    last: Option<&str>,
    count: usize,
) -> Vec<(String, String, Value)> {
    let at = ota.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(at).await.unwrap();
    let resume = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: {at}\r\n{resume}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    loop {
        let found: Vec<_> = text
            .split("\n\n")
            .filter_map(|block| {
                let line = |name: &str| block.split('\n').find_map(|line| line.strip_prefix(name));
                Some((
                    line("id: ")?.to_owned(),
                    line("event: ")?.to_owned(),
                    serde_json::from_str(line("data: ")?).ok()?,
                ))
            })
            .collect();
        if found.len() >= count && text.contains(": midsim") {
            return found;
        }
        let mut octets = [0; 4096];
        let read = stream.read(&mut octets).await.unwrap();
        assert!(read > 0, "{text}");
        text += &String::from_utf8_lossy(&octets[..read]);
    }
}
