//! `midsim sim stdio` and `midsim sim attach`: cards for tools that are not ours. A reader's driver is played here; the real one
//! is in `tests/interop/card-tools.sh`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use midsim::Suite;
use midsim::suite::AttachError;
use ota_wire::cat::{Body, Envelope, ProactiveCommand};
use serde_json::{Value, json};

use crate::support::Folder;
use crate::support::process::{Up, http, port_bases};
use crate::support::reader::Driver;

const NUMBER: &str = "+447700900002";
const ATR: &str = "3b9b95801fc78031a073be21136d53696d82";

#[test]
fn stdio_answers_one_command_a_line() {
    let (status, out, err) = stdio(
        &[NUMBER, "--trace"],
        "# a comment\n\n00 A4 00 0C 02 2FE2\n00b000000a\nreset\n002000010831323334FFFFFFFF\n",
    );
    assert_eq!(status, 0, "{err}");
    assert_eq!(
        out,
        "9000\n984477000900000020F69000\n3B9B95801FC78031A073BE21136D53696D82\n63C2\n"
    );
    assert!(err.contains("003 > 0020000108****************\n    < 63C2"));
    assert!(!err.contains("31323334"), "{err}");
}

#[test]
fn challenges_differ_from_reset_to_reset_and_from_run_to_run() {
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let (_, out, _) = stdio(&[NUMBER], "0084000008\n0084000008\nreset\n0084000008\n");
        seen.extend(
            out.lines()
                .filter(|line| line.len() == 20)
                .map(str::to_owned),
        );
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn stdio_takes_the_iccid_too_and_names_the_line_that_is_wrong() {
    let (status, out, _) = stdio(&["8944770090000000026"], "00A4000C022FE2\n");
    assert_eq!((status, out.as_str()), (0, "9000\n"));
    let (status, out, err) = stdio(&[NUMBER], "00A4000C022FE2\nhello\n");
    assert_eq!((status, out.as_str()), (2, "9000\n"));
    assert!(err.contains("line 2"), "{err}");
    let (status, _, err) = stdio(&["8944770090000000027"], "");
    assert_eq!(status, 2);
    assert!(err.contains("check digit"), "{err}");
    let (status, _, err) = stdio(&["+15005550006"], "");
    assert_eq!(status, 2);
    assert!(err.contains("midsim world"), "{err}");
    let (status, _, err) = stdio(&[NUMBER], b"reset\n\xFF\xFE\n");
    assert_eq!(status, 2);
    assert!(err.contains("line 2: expected a C-APDU"), "{err}");
}

/// Whatever its length, a line costs no more than the longest command.
#[test]
fn stdio_holds_no_line_that_is_longer_than_a_command() {
    let long = "A".repeat(32 << 20);
    let mut child = Command::new(env!("CARGO_BIN_EXE_midsim"))
        .args(["sim", "stdio", NUMBER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    writeln!(input, "#{long}\n{long}\n00A4000C022FE2").unwrap();
    let mut answers = String::new();
    output.read_line(&mut answers).unwrap();
    output.read_line(&mut answers).unwrap();
    assert_eq!(
        answers, "6700\n9000\n",
        "as for any command that is too long"
    );
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap();
        let kilobytes: u64 = peak
            .split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        assert!(kilobytes < 64 << 10, "{peak}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());

    let blanks = " \t".repeat(1 << 20);
    let (status, out, _) = stdio(&[NUMBER], format!("{blanks}\n00{blanks}A4000C022FE2\n"));
    assert_eq!((status, out.as_str()), (0, "9000\n"), "blanks do not count");
    let (status, out, err) = stdio(&[NUMBER], format!("reset\n{long}x\n"));
    assert_eq!((status, out.lines().count()), (2, 1), "{err}");
    assert!(err.contains("line 2: expected a C-APDU"), "{err}");
    let (status, _, err) = stdio(&[NUMBER], format!("{long}A"));
    assert_eq!(status, 2);
    assert!(err.contains("line 1: expected a C-APDU"), "{err}");
}

/// Weak cards are for those who ask for them; then every command takes them, and the scanner names what is wrong.
#[test]
fn weak_cards_are_refused_without_leave_and_found_with_it() {
    let scan = |profile: &str, more: &[&str]| {
        let path = format!("fixtures/profiles/{profile}.toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_midsim"));
        command.args(["sim", "scan", NUMBER, "--card-profile", &path]);
        let output = command.args(more).output().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        let status = output.status.code().unwrap();
        (status, text(output.stdout), text(output.stderr))
    };
    for profile in ["default", "lab", "refreshing"] {
        let (status, out, err) = scan(profile, &[]);
        assert_eq!(
            (status, out.as_str()),
            (0, "0 findings\n"),
            "{profile}: {err}"
        );
    }
    for (profile, found) in [
        ("single-des", "(key set 3, single DES)\n4 findings\n"),
        (
            "no-level",
            "TAR B00000 demands no checksum: it took 00130D0001",
        ),
        ("no-level", "\n3 findings\n"),
        (
            "rc-only",
            "(a CRC, no key needed)\nTAR B00000 demands no ciphering: it took 0",
        ),
        ("no-counter", " twice (key set 1, AES)\n1 finding\n"),
        (
            "counter-not-checked",
            " twice (key set 1, AES)\n1 finding\n",
        ),
        ("no-ciphering", " (in clear, key set 1, AES)\n1 finding\n"),
        (
            "cipher-without-checksum",
            " (no check at all, key set 1, AES)\n1 finding\n",
        ),
        ("des-key-set", "single DES is taken: TAR 000000 took 0"),
        (
            "signed-errors",
            "error PoRs are signed for strangers: TAR 000000 answered 027100",
        ),
        ("oracle", "\n2 findings\n"),
    ] {
        let profile = format!("weak/{profile}");
        let (status, out, err) = scan(&profile, &[]);
        assert_eq!((status, out.as_str()), (2, ""), "{profile}");
        assert!(err.contains("--allow-weak-cards"), "{err}");
        let (status, out, err) = scan(&profile, &["--allow-weak-cards"]);
        assert_eq!(status, 10, "{profile}: {err}");
        assert!(out.contains(found), "{profile}: {out}");
    }
    // A card with a menu is as weak as one without.
    let mut menu = Command::new(env!("CARGO_BIN_EXE_midsim"));
    menu.args(["sim", "scan", "+447700900001", "--allow-weak-cards"]);
    menu.args(["--card-profile", "fixtures/profiles/weak/rc-only.toml"]);
    assert_eq!(menu.output().unwrap().status.code(), Some(10));
    let weak = "fixtures/profiles/weak/oracle.toml";
    let (status, out, err) = stdio(&[NUMBER, "--card-profile", weak], "00A4000C023F00\n");
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    let leave = [NUMBER, "--card-profile", weak, "--allow-weak-cards"];
    let (status, out, err) = stdio(&leave, "00A4000C023F00\n");
    assert_eq!((status, out.as_str()), (0, "9000\n"), "{err}");
}

fn stdio(arguments: &[&str], input: impl AsRef<[u8]>) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_midsim"))
        .args(["sim", "stdio"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that is refused before it reads closes the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    let output = child.wait_with_output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn attach_prints_what_to_try_and_what_the_reader_did() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader = listener.local_addr().unwrap().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_midsim"))
        .args([
            "sim", "attach", NUMBER, "--alone", "--trace", "--reader", &reader,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut driver = Driver(listener.accept().unwrap().0);
    driver.power(1);
    assert_eq!(driver.ask("04"), ATR);
    assert_eq!(driver.ask("00a4000c023f00"), "9000");
    assert_eq!(driver.ask("04"), ATR);
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("opensc-tool -r \"$N\" -a\n") {
        assert!(err.read_line(&mut told).unwrap() > 0, "{told}");
    }
    drop(driver);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "the reader has gone");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "# POWER_ON\n001 > 00A4000C023F00\n    < 9000\n"
    );
}

#[tokio::test]
async fn a_card_of_a_running_suite_is_in_one_place_at_a_time() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    let attached = async || sim.card().await.unwrap().unwrap().attached;
    assert!(attached().await);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader = listener.local_addr().unwrap().to_string();
    sim.attach(&reader, Duration::ZERO).await.unwrap();
    assert!(!attached().await);
    assert!(matches!(
        sim.attach(&reader, Duration::ZERO).await,
        Err(AttachError::Taken { .. })
    ));
    assert!(sim.set_power(true).await.is_err());
    assert!(!attached().await, "there is no card in the handset");

    let talk = tokio::task::spawn_blocking(move || {
        let mut driver = Driver(listener.accept().unwrap().0);
        driver.power(1);
        assert_eq!(driver.ask("04"), ATR);
        assert_eq!(driver.ask("002000010839393939ffffffff"), "63c2");
        driver.power(2);
        assert_eq!(driver.ask("002000010839393939ffffffff"), "63c1");
        driver
    });
    let driver = talk.await.unwrap();
    let seen = sim.attached(1, Duration::ZERO).await;
    assert!(seen.attached);
    assert_eq!(seen.commands, 2);
    assert_eq!(seen.lines, ["002 > 0020000108****************\n    < 63C1"]);

    assert!(sim.detach().await);
    assert!(attached().await, "the handset is on again");
    assert!(!sim.detach().await);
    drop(driver);
    // The wrong codes stay: the next reader sees one try left.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sim.attach(&listener.local_addr().unwrap().to_string(), Duration::ZERO)
        .await
        .unwrap();
    let talk =
        tokio::task::spawn_blocking(move || Driver(listener.accept().unwrap().0).ask("0020000100"));
    assert_eq!(talk.await.unwrap(), "63c1");
    suite.shutdown().await;
}

#[tokio::test]
async fn attaching_to_nothing_leaves_the_handset_on() {
    let suite = Suite::builder().frozen_clock().start().await.unwrap();
    let sim = suite.sim(NUMBER.parse().unwrap());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader = free.local_addr().unwrap().to_string();
    drop(free);
    let error = sim.attach(&reader, Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("pcscd"), "{error}");
    assert!(sim.card().await.unwrap().unwrap().attached);
    assert!(!sim.detach().await);
    suite.shutdown().await;
}

/// The card in a reader, the radio by HTTP, the user cancels.
#[test]
fn a_handset_of_ones_own_is_a_reader_and_three_requests() {
    let folder = Folder::new("handset-http");
    let data = folder.path().join("data");
    let up = port_bases().find_map(|base| Up::start(&data, base, &["--no-human"]));
    let up = up.unwrap();
    let api = |method: &str, path: &str, body: &str| {
        let url = format!("{}/api/v1{path}", up.url("ui"));
        http(method, &url, &[("Content-Type", "application/json")], body).unwrap()
    };
    let handset = format!("/handsets/{NUMBER}");
    let (status, problem) = api("GET", &format!("{handset}/inbox"), "");
    assert_eq!(status, 409, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("midsim sim attach"), "{detail}");

    // What is refused changes nothing, as little as it names.
    let menu = "/sims/+447700900006";
    for change in [
        r#"{"power": false, "select": 9}"#,
        r#"{"inserted": false, "select": 2}"#,
        r#"{"coverage": false, "user": {"kind": "human"}, "select": 9}"#,
    ] {
        let before = api("GET", menu, "");
        let (status, problem) = api("POST", menu, change);
        assert_eq!(status, 409, "{change}: {problem}");
        assert_eq!(api("GET", menu, ""), before, "{change}");
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader = listener.local_addr().unwrap();
    let body = format!(r#"{{"reader": "{reader}"}}"#);
    assert_eq!(api("POST", &format!("/sims/{NUMBER}/attach"), &body).0, 200);
    let mut driver = Driver(listener.accept().unwrap().0);
    driver.power(1);
    assert_eq!(driver.ask("801000000403000502"), "9000");
    let sim = format!("/sims/{NUMBER}");
    for change in [
        r#"{"inserted": true}"#,
        r#"{"inserted": false}"#,
        r#"{"power": false}"#,
        r#"{"power": true, "user": {"kind": "ignore"}}"#,
        r#"{"select": 1}"#,
    ] {
        let (status, problem) = api("POST", &sim, change);
        assert_eq!(status, 409, "{change}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        let leaving = format!("DELETE /api/v1/sims/{NUMBER}/attach");
        assert!(detail.contains(&reader.to_string()), "{detail}");
        assert!(detail.contains(&leaving), "{detail}");
    }
    assert_eq!(api("GET", &sim, "").1["place"], "reader");
    let (status, nothing) = api("GET", &format!("{handset}/inbox"), "");
    assert_eq!((status, nothing), (200, json!({"messages": []})));

    let form = "scope=openid&acr_values=mod-mf&login_hint=%2B447700900002";
    let (status, begun) = up.post("/bc-authorize", form).unwrap();
    assert_eq!(status, 200, "{begun}");

    let path = format!("{handset}/inbox?wait=20s&acknowledge=false");
    let (_, taken) = api("GET", &path, "");
    let message = &taken["messages"][0];
    let tpdu = hex::decode(message["tpdu"].as_str().unwrap()).unwrap();
    let envelope = Envelope::sms_pp_download(tpdu).emit();
    let command = format!("80c20000{:02x}{}", envelope.len(), hex::encode(&envelope));
    let sw = driver.ask(&command);
    assert!(sw.starts_with("91"), "{sw}");
    let answered = format!("{handset}/inbox/{}", message["mr"]);
    assert_eq!(api("POST", &answered, "{}").0, 204);
    assert_eq!(api("POST", &answered, "{}").0, 404, "once");
    driver.ask(&format!("80120000{}", &sw[2..]));
    let sw = driver.ask("801400000c810301218182028281830110");
    let fetched = hex::decode(driver.ask(&format!("80120000{}", &sw[2..]))).unwrap();
    let command = ProactiveCommand::parse(&fetched[..fetched.len() - 2]).unwrap();
    let Body::SendShortMessage { tpdu, .. } = command.body else {
        panic!("{command:?}");
    };
    let body = format!(r#"{{"tpdu": "{}"}}"#, hex::encode(tpdu));
    let (status, sent) = api("POST", &format!("{handset}/outbox"), &body);
    assert_eq!((status, &sent["cause"]), (200, &Value::Null), "{sent}");
    assert_eq!(driver.ask("801400000c810302130082028381830100"), "9000");

    let id = begun["auth_req_id"].as_str().unwrap();
    let form = format!("grant_type=urn:openid:params:grant-type:ciba&auth_req_id={id}");
    let refused = (0..3).find_map(|_| {
        // No faster than the OP allows; time goes on when everybody has done what there is to do.
        api("POST", "/clock/advance", r#"{"seconds": 15}"#);
        let (_, answer) = up.post("/token", &form).unwrap();
        let error = answer["error"].as_str().unwrap().to_owned();
        (error != "authorization_pending").then_some(error)
    });
    assert_eq!(refused.as_deref(), Some("access_denied"));
    up.kill();
}
