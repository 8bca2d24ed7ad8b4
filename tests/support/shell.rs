//! The command line as a person has it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::Folder;

/// `midsim` in a folder of its own, with nothing in its environment but PATH.
pub(crate) struct Shell(Folder);

impl Shell {
    pub(crate) fn new() -> Self {
        Self(Folder::new("cli"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_midsim"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TMPDIR", self.0.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn with_env(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        Ended::of(command.output().unwrap())
    }

    pub(crate) fn with_input(&self, input: &[u8], arguments: &[&str]) -> Ended {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::of(child.wait_with_output().unwrap())
    }

    /// Starts `midsim up` and waits until it is ready.
    pub(crate) fn up(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Up {
        let mut command = self.command(&["up", "--json", "--ports-file", "ports.json"]);
        command.args(arguments).envs(variables.iter().copied());
        command.stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let waited = self.run(&["wait", "--ports-file", "ports.json", "--timeout", "60"]);
        let mut line = String::new();
        if waited.code == 0 {
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            stdout.read_line(&mut line).unwrap();
        }
        let up = Up {
            child,
            urls: serde_json::from_str(&line).unwrap_or_default(),
        };
        assert_eq!(waited.code, 0, "{}", waited.stderr);
        up
    }
}

/// What a command left.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Ended with this status, said this on stderr and nothing on stdout.
    pub(crate) fn complains(&self, code: i32, expected: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.stderr.contains(expected), "{}", self.stderr);
        assert_eq!(self.stdout, "");
    }

    pub(crate) fn json(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr));
        assert_eq!(document["schema_version"], 1);
        document
    }
}

/// A running `midsim up`, killed when it goes out of scope.
pub(crate) struct Up {
    pub(crate) child: Child,
    pub(crate) urls: Value,
}

impl Up {
    pub(crate) fn port(&self, service: &str) -> u16 {
        let url = self.urls[service].as_str().unwrap();
        let authority = url.split("://").last().unwrap().split('/').next().unwrap();
        authority.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Status and body of a request to loopback.
    pub(crate) fn call(
        &self,
        service: &str,
        request: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let port = self.port(service);
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut text = format!(
            "{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text.push_str(&format!("Host: 127.0.0.1:{port}\r\n"));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream
            .write_all(format!("{text}\r\n{body}").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    pub(crate) fn ui(&self, request: &str, headers: &[(&str, &str)]) -> u16 {
        self.call("ui", request, headers, "").0
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
