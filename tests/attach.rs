//! Cards, readers and terminals that get in each other's way: `midsim sim attach`, `midsim sim detach` and their endpoints.
//! A reader's driver is played here; the real one is in `tests/interop/card-tools.sh`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpSocket;

use crate::support::Folder;
use crate::support::process::{Up, http, port_bases};
use crate::support::reader::Driver;

const NUMBER: &str = "+447700900002";
const ICCID: &str = "8944770090000000026";
const OTHER: &str = "+447700900003";
const ATR: &str = "3b9b95801fc78031a073be21136d53696d82";
const IN_READER: &str = "is in the reader";
const LAB: &str = "fixtures/profiles/lab.toml";
/// Nothing here takes so long.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn a_second_card_in_the_same_reader_is_refused_and_told_of_the_first() {
    let suite = Suite::start("same-reader", &["up"], &[]);
    let (listener, reader) = listener();
    let (status, first) = suite.attach(NUMBER, &reader);
    assert_eq!((status, &first["attached"]), (200, &Value::Bool(true)));
    assert_eq!(first["asked"], false, "{first}");
    let port = reader.rsplit(':').next().unwrap();
    for same in [reader.clone(), format!("localhost:{port}")] {
        let (status, problem) = suite.attach(OTHER, &same);
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(status, 409, "{same}: {problem}");
        for part in [NUMBER, ICCID, "midsim sim detach +447700900002"] {
            assert!(detail.contains(part), "{same}: {detail}");
        }
        assert!(suite.in_handset(OTHER), "{same}");
    }
    let (status, problem) = suite.attach(NUMBER, &reader);
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 409);
    assert!(detail.contains("midsim sim detach"), "{detail}");

    let mut driver = Driver(listener.accept().unwrap().0);
    listener.set_nonblocking(true).unwrap();
    assert!(
        listener.accept().is_err(),
        "nobody else has tried the reader"
    );
    assert_eq!(driver.ask("04"), ATR);
    let (_, seen) = suite.api("GET", NUMBER, "/attach", "");
    assert_eq!(seen["asked"], true, "{seen}");
    assert_eq!(suite.api("DELETE", NUMBER, "/attach", "").0, 204);
    assert!(suite.in_handset(NUMBER));
    drop(driver);
    let (status, _) = suite.attach(OTHER, &reader);
    assert_eq!(status, 200, "the reader is free");
}

#[test]
fn whoever_asks_at_once_is_known_to_have_asked() {
    let suite = Suite::start("asks", &["up"], &[]);
    let (listener, reader) = listener();
    let driver = std::thread::spawn(move || {
        let mut driver = Driver(listener.accept().unwrap().0);
        driver.ask("04");
        driver
    });
    let (status, seen) = suite.attach(NUMBER, &reader);
    assert_eq!((status, &seen["asked"]), (200, &Value::Bool(true)));
    drop(driver.join().unwrap());
}

#[test]
fn attach_says_that_the_card_is_in_the_reader_when_the_reader_has_asked_for_it() {
    let suite = Suite::start("says", &["up"], &[]);
    let ui = suite.up.url("ui");
    for options in [&["--alone"][..], &["--ui", ui]] {
        let (listener, reader) = listener();
        let mut attach = Attach::start(&[&[NUMBER, "--reader", &reader], options].concat());
        let mut driver = Driver(listener.accept().unwrap().0);
        let told = attach.told_until("does not ask");
        assert!(!told.contains(IN_READER), "{told}");
        assert_eq!(driver.ask("04"), ATR);
        let told = attach.told_until("opensc-tool -l");
        assert!(told.contains(IN_READER), "{told}");
        attach.signal("INT");
        assert_eq!(attach.ends(), Some(0));
    }
    assert!(suite.in_handset(NUMBER));
}

#[test]
fn a_reader_that_takes_no_card_is_not_waited_for_for_ever() {
    let suite = Suite::start("full", &["up"], &[]);
    let full = FullReader::new();
    let reader = full.address.to_string();
    let (status, problem) = suite.attach(NUMBER, &reader);
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 504, "{problem}");
    assert!(detail.contains("another card"), "{detail}");
    assert!(suite.in_handset(NUMBER));
    let (_, seen) = suite.api("GET", NUMBER, "/attach", "");
    assert_eq!(seen["attached"], false);

    let mut alone = Attach::start(&[NUMBER, "--reader", &reader, "--alone"]);
    let told = alone.told_until("another card");
    assert!(!told.contains(IN_READER), "{told}");
    assert_eq!(alone.ends(), Some(1));
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_attach_while_it_connects() {
    let suite = Suite::start("ctrl-c", &["up"], &[]);
    let ui = suite.up.url("ui").to_owned();
    let full = FullReader::new();
    let reader = full.address.to_string();
    for options in [&["--alone"][..], &["--ui", &ui]] {
        let mut attach = Attach::start(&[&[NUMBER, "--reader", &reader], options].concat());
        full.somebody_knocks();
        attach.signal("INT");
        assert_eq!(attach.ends(), Some(0), "{options:?}");
        let gone = || suite.api("GET", NUMBER, "/attach", "").1["reader"].is_null();
        assert!(suite.up.until(gone), "it goes on to knock");
    }
    assert!(suite.in_handset(NUMBER));
}

#[test]
fn a_terminal_that_closes_puts_the_card_back_and_detach_does_when_nobody_can() {
    let suite = Suite::start("closes", &["up"], &[]);
    let ui = suite.up.url("ui").to_owned();
    let detach = |card: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_midsim"));
        let output = command.args(["sim", "detach", card, "--ui", &ui]).output();
        let output = output.unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), told)
    };
    for card in [NUMBER, ICCID] {
        let (listener, reader) = listener();
        let arguments = [card, "--reader", &reader, "--ui", &ui];
        let mut drivers = Vec::new();
        for signal in ["HUP", "KILL"] {
            let mut attach = Attach::start(&arguments);
            let mut driver = Driver(listener.accept().unwrap().0);
            driver.ask("04");
            attach.told_until(IN_READER);
            attach.signal(signal);
            if signal == "HUP" {
                assert_eq!(attach.ends(), Some(0));
                assert!(suite.in_handset(NUMBER));
            } else {
                assert_eq!(attach.ends(), None);
                assert!(!suite.in_handset(NUMBER), "nobody has told midsim");
            }
            drivers.push(driver);
        }
        let mut again = Attach::start(&arguments);
        again.told_until(&format!("midsim sim detach {NUMBER}"));
        assert_eq!(again.ends(), Some(1));
        assert_eq!(detach(card).0, Some(0));
        assert!(suite.in_handset(NUMBER));
        let (code, told) = detach(card);
        assert_eq!(code, Some(1));
        assert!(told.contains("in no reader"), "{told}");
    }
}

#[test]
fn what_attach_prints_runs_as_printed_and_fits_the_card() {
    let lab = Suite::start("prints", &["up"], &["--card-profile", LAB]);
    let ui = lab.up.url("ui").to_owned();
    let own = Suite::start("prints-own", &["up"], &[]);
    let own_ui = own.up.url("ui").to_owned();
    for (options, pin, pin1) in [
        (&["--alone"][..], "PIN2 0000", true),
        (
            &["--alone", "--card-profile", LAB],
            "PIN1 1234 (off), PIN2 1234",
            false,
        ),
        (&["--ui", &ui], "PIN1 1234 (off), PIN2 1234", false),
        (
            &["--ui", &ui, "--card-profile", LAB],
            "PIN1 1234 (off), PIN2 1234",
            false,
        ),
        (&["--ui", &own_ui], "PIN1 0000, PIN2 0000", true),
    ] {
        let (listener, reader) = listener();
        let mut attach = Attach::start(&[&[NUMBER, "--reader", &reader], options].concat());
        Driver(listener.accept().unwrap().0).ask("04");
        let told = attach.told_until("# PIN1");
        let (_, block) = told.split_once("\n\n").unwrap();
        assert!(told.contains(pin), "{options:?}: {told}");
        let disables = told.contains("-s 002600010830303030FFFFFFFF\n");
        assert_eq!(disables, pin1, "{options:?}: {told}");
        let bash = Command::new("bash").args(["-n", "-c", block]).output();
        let bash = bash.unwrap();
        assert!(bash.status.success() && bash.stderr.is_empty(), "{bash:?}");
        attach.ends();
    }
    // Somebody has switched PIN1 off: there is nothing to switch off any more.
    let (listener, reader) = listener();
    assert_eq!(own.attach(NUMBER, &reader).0, 200);
    let mut driver = Driver(listener.accept().unwrap().0);
    driver.power(1);
    assert_eq!(driver.ask("002600010830303030ffffffff"), "9000");
    // And PIN2 is another one: which, only they know.
    let change = "0024008110 30303030FFFFFFFF 39393939FFFFFFFF".replace(' ', "");
    assert_eq!(driver.ask(&change), "9000");
    assert_eq!(own.api("DELETE", NUMBER, "/attach", "").0, 204);
    let mut attach = Attach::start(&[NUMBER, "--reader", &reader, "--ui", &own_ui]);
    Driver(listener.accept().unwrap().0).ask("04");
    let told = attach.told_until("# PIN1");
    assert!(!told.contains("0026"), "{told}");
    assert!(told.contains("PIN1 0000 (off), PIN2 changed"), "{told}");
}

#[test]
fn a_card_profile_is_not_passed_over_where_a_midsim_runs() {
    let suite = Suite::start("profile", &["up"], &[]);
    let (_listener, reader) = listener();
    let ui = suite.up.url("ui");
    let arguments = [
        NUMBER,
        "--reader",
        &reader,
        "--ui",
        ui,
        "--card-profile",
        LAB,
    ];
    let mut attach = Attach::start(&arguments);
    let told = attach.told_until("--alone");
    assert!(told.contains("start midsim with --card-profile"), "{told}");
    assert_eq!(attach.ends(), Some(2));
    assert!(suite.in_handset(NUMBER));
}

#[test]
fn a_process_without_sims_has_no_cards() {
    let suite = Suite::start("no-sims", &["serve", "op", "mssp"], &[]);
    let (listener, reader) = listener();
    let body = format!(r#"{{"reader": "{reader}"}}"#);
    for (method, path, body) in [
        ("POST", "/attach", body.as_str()),
        ("GET", "/attach", ""),
        ("DELETE", "/attach", ""),
        ("GET", "", ""),
        ("POST", "", r#"{"coverage": false}"#),
    ] {
        for card in [NUMBER, ICCID] {
            let (status, problem) = suite.api(method, card, path, body);
            assert_eq!(status, 404, "{method} {path}: {problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("serves `sim`"), "{detail}");
        }
    }
    let inbox = format!("{}/api/v1/handsets/{NUMBER}/inbox", suite.up.url("ui"));
    assert_eq!(http("GET", &inbox, &[], "").unwrap().0, 404);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "no card knocks");
    let data = suite.folder.path().join("data");
    assert!(data.join("op.redb").exists());
    assert!(!data.join("sim.redb").exists());
}

#[test]
fn frames_of_a_reader_are_not_kept_at_length() {
    let suite = Suite::start("frames", &["up"], &[]);
    let (listener, reader) = listener();
    assert_eq!(suite.attach(NUMBER, &reader).0, 200);
    let mut driver = Driver(listener.accept().unwrap().0);
    let frame = "00".repeat(usize::from(u16::MAX));
    for _ in 0..50 {
        assert_eq!(driver.ask(&frame), "6700");
    }
    // As long as a command can be, and one octet more.
    let longest = format!("00d60000ff{}", "00".repeat(255));
    assert_eq!(driver.ask(&format!("{longest}00")), "6986");
    assert_eq!(driver.ask(&format!("{longest}0000")), "6700");
    assert_eq!(driver.ask("04"), ATR);
    let (_, seen) = suite.api("GET", NUMBER, "/attach", "");
    assert_eq!(seen["commands"], 52);
    let kept = seen["lines"].to_string().len();
    assert!(kept < 100_000, "{kept} octets are kept");
}

/// A midsim with a folder of its own.
struct Suite {
    up: Up,
    folder: Folder,
}

impl Suite {
    fn start(name: &str, command: &[&str], options: &[&str]) -> Self {
        let folder = Folder::new(name);
        let data = folder.path().join("data");
        let options = [&["--no-human"], options].concat();
        let up = port_bases().find_map(|base| Up::start_as(command, &data, base, &options));
        Self {
            up: up.unwrap(),
            folder,
        }
    }

    fn api(&self, method: &str, card: &str, path: &str, body: &str) -> (u16, Value) {
        let url = format!("{}/api/v1/sims/{card}{path}", self.up.url("ui"));
        http(method, &url, &[("Content-Type", "application/json")], body).unwrap()
    }

    fn attach(&self, card: &str, reader: &str) -> (u16, Value) {
        self.api(
            "POST",
            card,
            "/attach",
            &format!(r#"{{"reader": "{reader}"}}"#),
        )
    }

    /// Whether the handset of this number is on, with its card.
    fn in_handset(&self, card: &str) -> bool {
        let (_, seen) = self.api("GET", card, "", "");
        seen["place"] == "handset" && seen["attached"] == true
    }
}

/// A `midsim sim attach`.
struct Attach {
    child: Child,
    stdout: Option<ChildStdout>,
    told: mpsc::Receiver<String>,
}

impl Attach {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_midsim"));
        command.args(["sim", "attach"]).args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (teller, told) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                let _ = teller.send(std::mem::take(&mut line));
            }
        });
        let stdout = child.stdout.take();
        Self {
            child,
            stdout,
            told,
        }
    }

    /// What it says up to and with the line that has this in it.
    fn told_until(&mut self, part: &str) -> String {
        let mut all = String::new();
        loop {
            match self.told.recv_timeout(LONG) {
                Ok(line) => all.push_str(&line),
                Err(_) => panic!("no {part:?} in {all:?}"),
            }
            if all.contains(part) {
                return all;
            }
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Its exit status, when it has ended by itself; `None` if a signal has ended it.
    fn ends(&mut self) -> Option<i32> {
        let (ended, end) = mpsc::channel();
        let mut stdout = self.stdout.take().unwrap();
        std::thread::spawn(move || {
            let _ = stdout.read_to_end(&mut Vec::new());
            let _ = ended.send(());
        });
        assert!(end.recv_timeout(LONG).is_ok(), "it does not end");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Attach {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader = listener.local_addr().unwrap().to_string();
    (listener, reader)
}

/// A reader that has a card and another one waiting: like pcscd's driver it lets one wait at most, and hears no more.
struct FullReader {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    _listener: tokio::net::TcpListener,
    _waiting: TcpStream,
}

impl FullReader {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = {
            let _runtime = runtime.enter();
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(0).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let waiting = TcpStream::connect(address).unwrap();
        Self {
            address,
            runtime,
            _listener: listener,
            _waiting: waiting,
        }
    }

    /// Returns when somebody has begun to connect, proc_net_tcp(5): SYN_SENT is 02.
    #[cfg(target_os = "linux")]
    fn somebody_knocks(&self) {
        let knock = format!("0100007F:{:04X} 02 ", self.address.port());
        let knocked = async {
            while !std::fs::read_to_string("/proc/net/tcp")
                .unwrap()
                .contains(&knock)
            {
                tokio::task::yield_now().await;
            }
        };
        let knocked = async { tokio::time::timeout(LONG, knocked).await };
        self.runtime.block_on(knocked).unwrap();
    }
}
