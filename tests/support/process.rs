//! The real binary, as a process that can be killed, and HTTP to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// A `midsim up` that is ready.
pub(crate) struct Up {
    child: Child,
    /// Kept open: what the process prints must not fail.
    stdout: Option<BufReader<ChildStdout>>,
    urls: Value,
}

/// Ports for a test that starts `up` again and again: a restart must find its own ports, or the URLs in its records lead nowhere.
/// Below the range from which the system takes free ones.
/// No base is given twice, so that no test takes the ports of another one that is about to start again.
pub(crate) fn port_bases() -> impl Iterator<Item = u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % 700) as u16;
    std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
        .take(700)
        .map(move |n| 20_000 + (first + n) % 700 * 16)
}

impl Up {
    /// Starts it; `None` if it ends before it is ready, because a port is in use, say.
    pub(crate) fn start(data: &Path, base: u16, options: &[&str]) -> Option<Self> {
        Self::start_as(&["up"], data, base, options)
    }

    /// The same for another command that stays.
    pub(crate) fn start_as(
        command: &[&str],
        data: &Path,
        base: u16,
        options: &[&str],
    ) -> Option<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_midsim"))
            .args(command)
            .args(["--json", "--port-base", &base.to_string(), "--data-dir"])
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        // The URLs come when everything is ready, as one JSON document over several lines.
        let mut document = String::new();
        while stdout.read_line(&mut document).unwrap() > 0 {
            if let Ok(urls) = serde_json::from_str(&document) {
                return Some(Self {
                    child,
                    stdout: Some(stdout),
                    urls,
                });
            }
        }
        child.wait().unwrap();
        None
    }

    /// Its URL of this name: `ui`, `op`, `mssp`, or `smpp` without a scheme.
    pub(crate) fn url(&self, name: &str) -> &str {
        self.urls[name].as_str().unwrap()
    }

    /// Whether it says that it has one of this name.
    pub(crate) fn has_url(&self, name: &str) -> bool {
        self.urls[name].is_string()
    }

    /// The status of a GET of the control API.
    pub(crate) fn probe(&self, path: &str) -> Option<u16> {
        let answer = http("GET", &format!("{}{path}", self.url("ui")), &[], "");
        answer.map(|(status, _)| status)
    }

    /// Octets of memory, by their name in proc_pid_status(5).
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kilobytes: u64 = line
            .split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        kilobytes << 10
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for its end, for so many seconds at most.
    pub(crate) fn wait_at_most(mut self, seconds: u64) -> Option<ExitStatus> {
        let (ended, end) = mpsc::channel();
        // Its stdout ends with the process.
        let mut stdout = self.stdout.take()?;
        std::thread::spawn(move || {
            let _ = stdout.read_to_end(&mut Vec::new());
            ended.send(()).unwrap_or_default();
        });
        end.recv_timeout(Duration::from_secs(seconds)).ok()?;
        self.child.wait().ok()
    }

    /// Sends a GET to the control API and leaves it open.
    pub(crate) fn hold(&self, path: &str) -> TcpStream {
        let host = self.url("ui").trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Returns when it accepts no connections any more.
    pub(crate) fn refuses(&self) {
        while self.get("/livez").is_some() || TcpStream::connect(self.url("smpp")).is_ok() {}
    }

    /// GET of the control API, which answers JSON.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = http("GET", &format!("{}{path}", self.url("ui")), &[], "")?;
        (status == 200).then_some(body)
    }

    /// POST of JSON to the control API.
    pub(crate) fn change(&self, path: &str, body: &str) -> bool {
        let headers = [("Content-Type", "application/json")];
        let answer = http("POST", &format!("{}{path}", self.url("ui")), &headers, body);
        answer.is_some_and(|(status, _)| status == 200)
    }

    /// A request with JSON to the OTA platform's API.
    pub(crate) fn ota(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let headers = [("Content-Type", "application/json")];
        http(
            method,
            &format!("{}{path}", self.url("ota")),
            &headers,
            body,
        )
    }

    /// Sends JSON to the OTA platform's API and leaves the request open.
    pub(crate) fn hold_ota(&self, path: &str, body: &str) -> TcpStream {
        let host = self.url("ota").trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// POST of a form by the client `poll` to the OP.
    pub(crate) fn post(&self, path: &str, form: &str) -> Option<(u16, Value)> {
        let headers = [
            // poll:poll-secret
            ("Authorization", "Basic cG9sbDpwb2xsLXNlY3JldA=="),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        http("POST", &format!("{}{path}", self.url("op")), &headers, form)
    }

    /// Looks again whenever something has happened, until `done`; false if that is not so after 20 s in which nothing happens.
    pub(crate) fn until(&self, mut done: impl FnMut() -> bool) -> bool {
        let (mut version, mut quiet) = (0, 0);
        while !done() {
            let state = self.get(&format!("/api/v1/state?after={version}&wait=2"));
            let now = state.unwrap()["version"].as_u64().unwrap();
            quiet = if now == version { quiet + 1 } else { 0 };
            if quiet == 10 {
                return false;
            }
            version = now;
        }
        true
    }
}

/// Nothing that a test has started outlives it.
impl Drop for Up {
    fn drop(&mut self) {
        // After `kill` or `wait` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request on a connection of its own; `None` if the connection breaks.
pub(crate) fn http(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, Value)> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let mut request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}
