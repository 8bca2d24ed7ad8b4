//! The processes that are measured: `midsim up`, and an echo of as little as HTTP allows.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use axum::routing::post;
use http::{Request, StatusCode};
use serde_json::Value;

use super::Result;
use super::driver::Connection;

/// Tells this binary to be the echo.
pub(crate) const ECHO: &str = "--be-the-echo";
/// Tells this binary to be the least that an OP has to do.
pub(crate) const BARE_OP: &str = "--be-the-bare-op";
/// Tells this binary to be the SMPP echo.
pub(crate) const SMPP_ECHO: &str = "--be-the-smpp-echo";

/// `USER_HZ`: what /proc counts processor time in; 100 on every Linux machine of today.
const TICKS_A_SECOND: f64 = 100.0;

/// A process that serves, until this is dropped.
pub(crate) struct Server {
    process: Process,
    /// Where the RP goes.
    pub(crate) address: SocketAddr,
    /// Where an AP goes.
    pub(crate) mssp: SocketAddr,
}

impl Server {
    /// `midsim up` in this world; returns when it is ready.
    pub(crate) async fn midsim(world: &World) -> Result<Self> {
        let mut command = up();
        Self::when_ready(command.arg("--world").arg(&world.file), "op").await
    }

    /// The SMSC of `midsim up` in this world, with its records in `folder` or in memory; returns when it is ready.
    pub(crate) async fn smsc(world: &World, folder: Option<&Path>) -> Result<Self> {
        let mut command = up();
        command.arg("--world").arg(&world.file);
        if let Some(folder) = folder {
            command.arg("--data-dir").arg(folder);
        }
        Self::when_ready(&mut command, "smpp").await
    }

    /// `midsim up` in the default world; returns when it is ready.
    pub(crate) async fn default_world() -> Result<Self> {
        Self::when_ready(&mut up(), "op").await
    }

    /// `midsim up` in this world with more switches.
    pub(crate) async fn op(world: &World, switches: &[&str]) -> Result<Self> {
        let mut command = up();
        let command = command.arg("--world").arg(&world.file).args(switches);
        Self::when_ready(command, "op").await
    }

    /// `midsim up` whose requests wait for a decision.
    pub(crate) async fn waiting() -> Result<Self> {
        Self::when_ready(up().arg("--op-authenticator=wait"), "op").await
    }

    /// Somebody else's OP, which prints its URL as `op`.
    pub(crate) fn other(command: &mut Command) -> Result<Self> {
        let (process, urls) = Process::start(command)?;
        let address = address(urls["op"].as_str())?;
        Ok(Self {
            process,
            address,
            mssp: address,
        })
    }

    async fn when_ready(command: &mut Command, service: &str) -> Result<Self> {
        let ports = temporary("ports.json");
        // The document is printed when the ports file is there.
        let (process, urls) = Process::start(command.arg("--ports-file").arg(&ports))?;
        fs::remove_file(ports)?;
        let at = |name: &str| address(urls[name].as_str());
        let server = Self {
            process,
            address: at(service)?,
            mssp: at("mssp")?,
        };
        let ready = Request::get("/readyz").body(String::new())?;
        let (status, _) = Connection::to(at("ui")?).await?.send(ready).await?;
        if status != StatusCode::OK {
            return Err(format!("/readyz says {status}").into());
        }
        Ok(server)
    }

    /// The process of [`echo`].
    pub(crate) fn echo() -> Result<Self> {
        Self::of_this_binary(ECHO)
    }

    /// The process of [`super::bare_op::serve`].
    pub(crate) fn bare_op() -> Result<Self> {
        Self::of_this_binary(BARE_OP)
    }

    /// The process of [`super::smsc::echo`].
    pub(crate) fn smpp_echo() -> Result<Self> {
        Self::of_this_binary(SMPP_ECHO)
    }

    fn of_this_binary(role: &str) -> Result<Self> {
        let (process, document) = Process::start(Command::new(std::env::current_exe()?).arg(role))?;
        let address = address(document["address"].as_str())?;
        Ok(Self {
            process,
            address,
            mssp: address,
        })
    }

    /// Seconds of processor time that the process has used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.process.0.id())
    }
}

impl Server {
    /// Octets of the process that are in memory: `VmRSS` of proc_pid_status(5).
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(1024 * kilobytes.parse::<u64>()?)
    }
}

/// Seconds of processor time that a process has used: `utime` and `stime` of proc_pid_stat(5).
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is a name in parentheses, which may hold anything; behind it comes the third.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let mut ticks = 0.0;
    for field in fields.split_ascii_whitespace().skip(14 - 3).take(2) {
        ticks += field.parse::<f64>()?;
    }
    Ok(ticks / TICKS_A_SECOND)
}

/// What this binary does when it is told [`ECHO`]: answers every POST with its own body.
pub(crate) fn echo() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!(
            "{}",
            serde_json::json!({ "address": listener.local_addr()?.to_string() })
        );
        std::io::stdout().flush()?;
        let router = axum::Router::new().route("/", post(|body: bytes::Bytes| async { body }));
        let (_stopper, shutdown) = midsim::sockets::shutdown::channel();
        let limits = midsim::sockets::http_server::Limits::default();
        midsim::sockets::http_server::serve_router(listener, router, limits, shutdown).await;
        Ok(())
    })
}

/// A world file with room for many subscribers, and with our receiver as the endpoint of the client `ping`.
pub(crate) struct World {
    file: PathBuf,
    subscribers: u64,
}

impl World {
    /// Of the subscribers that the bench adds.
    pub(crate) const FIRST_NUMBER: u64 = 447_700_950_000;

    /// Writes a file with subscribers whose phones hear no network; it is removed when this is dropped.
    pub(crate) fn out_of_coverage(subscribers: u64) -> Result<Self> {
        let mut world = midsim::world::DEFAULT.to_owned();
        for n in 0..subscribers {
            world += &format!(
                "\n[[subscriber]]\nmsisdn = '+{}'\ncoverage = false\n",
                Self::FIRST_NUMBER + n
            );
        }
        let file = temporary("world.toml");
        fs::write(&file, world)?;
        Ok(Self { file, subscribers })
    }

    /// Writes the file; it is removed when this is dropped.
    pub(crate) fn with_receiver(receiver: SocketAddr, subscribers: u64) -> Result<Self> {
        let mut world: toml::Table = toml::from_str(midsim::world::DEFAULT)?;
        let clients = world.get_mut("client").and_then(toml::Value::as_array_mut);
        for client in clients.ok_or("no clients")? {
            let client = client.as_table_mut().ok_or("a client is no table")?;
            if client["id"].as_str() == Some("ping") {
                let endpoint = format!("http://{receiver}/");
                client.insert("notification_endpoint".into(), endpoint.into());
            }
        }
        let range: toml::Table = toml::from_str(&format!(
            "first_msisdn = '+{}'\niccid_base = '894477009000050000'\n\
             imsi_base = '001010000050000'\ncount = {subscribers}\npin = '1234'\npuk = '12345678'",
            Self::FIRST_NUMBER
        ))?;
        let ranges = world.get_mut("range").and_then(toml::Value::as_array_mut);
        ranges.ok_or("no ranges")?.push(range.into());
        let file = temporary("world.toml");
        fs::write(&file, toml::to_string(&world)?)?;
        Ok(Self { file, subscribers })
    }

    /// Its subscribers, who all type the right PIN.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = String> {
        (0..self.subscribers).map(|n| format!("+{}", Self::FIRST_NUMBER + n))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What is left behind is a small file in the folder for such.
        let _ = fs::remove_file(&self.file);
    }
}

fn up() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midsim"));
    command.args(["up", "--port-base", "0", "--no-human", "--json"]);
    command
}

/// The address in a URL.
fn address(url: Option<&str>) -> Result<SocketAddr> {
    let url = url.ok_or("no address in what the process printed")?;
    let authority = url.trim_start_matches("http://").split('/').next();
    Ok(authority.unwrap_or_default().parse()?)
}

fn temporary(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("midsim-bench-{}-{name}", std::process::id()))
}

/// Ends when it is dropped.
struct Process(Child);

impl Process {
    /// Starts it and waits for the JSON document that it prints when it serves.
    fn start(command: &mut Command) -> Result<(Self, Value)> {
        let mut process = Self(command.stdout(Stdio::piped()).spawn()?);
        let stdout = process.0.stdout.take().ok_or("no standard output")?;
        let mut stdout = BufReader::new(stdout);
        let mut document = String::new();
        loop {
            if stdout.read_line(&mut document)? == 0 {
                return Err(format!("{command:?} ended early").into());
            }
            if let Ok(document) = serde_json::from_str(&document) {
                return Ok((process, document));
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
