//! What each command promises: exit status, what goes to stdout and what to stderr, and where its options come from.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::support::shell::{Ended, Shell};

const COMMANDS: [&str; 9] = [
    "decode", "demo", "docs", "encode", "exec", "up", "vectors", "wait", "world",
];
const TOKEN: &str = "token-of-the-test";

#[test]
fn help_is_data_and_mistakes_are_talk() {
    let shell = Shell::new();
    for command in COMMANDS {
        let help = shell.run(&[command, "--help"]);
        assert_eq!((help.code, &*help.stderr), (0, ""), "{command}");
        assert!(help.stdout.contains("Usage: midsim"), "{command}");
        shell
            .run(&[command, "--no-such-flag"])
            .complains(2, "--no-such-flag");
    }
    let help = shell.run(&["--help"]);
    for command in COMMANDS {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{command}"
        );
    }
    shell.run(&[]).complains(2, "Usage: midsim");
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_and_that_over_the_default() {
    let shell = Shell::new();
    let seed = |ended: Ended| {
        assert_eq!((ended.code, &*ended.stdout), (0, ""), "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stderr).unwrap()["seed"]
            .as_u64()
            .unwrap()
    };
    let other = shell.write("other/own.toml", "seed = 4");
    shell.write("midsim.toml", "seed = 1");
    let variable = [("MIDSIM_SEED", "2")];
    let exec = ["exec", "--json", "--", "true"];
    assert_eq!(seed(shell.run(&exec)), 1);
    assert_eq!(seed(shell.with_env(&variable, &exec)), 2);
    let flag = ["exec", "--json", "--seed", "3", "--", "true"];
    assert_eq!(seed(shell.with_env(&variable, &flag)), 3);
    let named = ["exec", "--config", &other, "--json", "--", "true"];
    assert_eq!(seed(shell.run(&named)), 4);
    assert_eq!(seed(shell.with_env(&[("MIDSIM_CONFIG", &other)], &exec)), 4);
}

#[test]
fn switches_of_the_op_and_the_world_come_from_the_file_too() {
    let shell = Shell::new();
    let world = include_str!("../fixtures/world.toml").replace("+447700900004", "+447700900444");
    shell.write("conf/people.toml", world);
    let config = shell.write(
        "conf/midsim.toml",
        "any_number = true\nmss = 'synch'\n[world]\npath = 'people.toml'\n[op]\nexpires_in = 77\ninterval = 2\n\
         refresh_tokens = true\nunknown_user = 'ask-mssp'\nprofile = 'ciba'",
    );
    let demo = ["demo", "--config", &config, "--in-process", "--json"];
    let ended = shell.run(&[&demo[..], &["--user", "slow"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let steps = ended.json()["steps"].to_string();
    assert!(steps.contains(r#"["expires_in","77"]"#), "{steps}");
    assert!(steps.contains(r#"["interval","2"]"#), "{steps}");
    // The world's number for who cancels is another one now, found by what its user does.
    assert_eq!(
        shell.run(&[&demo[..], &["--user", "cancel"]].concat()).code,
        20
    );
    // any_number is on, and a flag can take it back.
    let stranger = [&demo[..], &["--msisdn", "+15005550006"]].concat();
    assert_eq!(shell.run(&stranger).code, 0);
    assert_eq!(
        shell
            .run(&[&stranger[..], &["--any-number=false"]].concat())
            .code,
        23
    );
    assert!(
        shell
            .run(&["world", "--config", &config])
            .stdout
            .contains("+447700900444")
    );
}

#[test]
fn what_is_wrong_in_the_file_is_named() {
    let shell = Shell::new();
    let nowhere = shell.path("nowhere.toml").display().to_string();
    for (text, expected) in [
        (
            "seeed = 1",
            "midsim.toml: unknown key seeed; did you mean seed?",
        ),
        (
            "[op]\nintervall = 1",
            "unknown key op.intervall; did you mean op.interval?",
        ),
        ("seed = 'x'", "midsim.toml: seed: invalid value 'x'"),
        (
            "[op]\ninterval = 0",
            "midsim.toml: op.interval: invalid value '0'",
        ),
        ("mss = 'smoke'", "midsim.toml: mss: invalid value 'smoke'"),
        (
            "seed = [1]",
            "midsim.toml: seed: expected one value, got array",
        ),
        ("seed =", "midsim.toml: "),
    ] {
        shell.write("midsim.toml", text);
        shell.run(&["demo", "--in-process"]).complains(2, expected);
    }
    // Commands that need nothing of it do not mind.
    assert_eq!(shell.run(&["docs"]).code, 0);
    shell
        .run(&["demo", "--config", &nowhere])
        .complains(2, "nowhere.toml");
    shell.with_env(&[("MIDSIM_SEED", "x")], &["world", "--config", "/dev/null"]);
    shell
        .with_env(&[("MIDSIM_SEED", "x")], &["demo", "--config", "/dev/null"])
        .complains(2, "invalid value 'x' for '--seed");
}

#[test]
fn a_port_in_use_is_named_with_a_way_out_that_works() {
    let shell = Shell::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let in_use = format!("midsim: port {port} (ui) is in use; try --port-base ");
    let single = format!("ui={port}");
    shell
        .run(&["up", "--port-base", "0", "--port", &single])
        .complains(2, &in_use);
    shell
        .with_env(
            &[("MIDSIM_PORT", &single), ("MIDSIM_PORT_BASE", "0")],
            &["up"],
        )
        .complains(2, &in_use);
    shell.write(
        "midsim.toml",
        format!("port_base = 0\n[ports]\nui = {port}"),
    );
    shell.run(&["up"]).complains(2, &in_use);
    // A base in a stronger place means every port.
    let up = shell.up(&[], &["--port-base", ":0"]);
    assert_ne!(up.port("ui"), port);
    let written: Value =
        serde_json::from_slice(&std::fs::read(shell.path("ports.json")).unwrap()).unwrap();
    for service in ["ui", "op", "mssp", "smpp"] {
        assert_eq!(written[service], up.port(service), "{service}");
    }
    for (argument, expected) in [
        (
            "--port=otto=1",
            "nothing listens as \"otto\"; there are ui, op, mssp, ota, smpp, discovery, op-mtls",
        ),
        ("--port=ui", "write it as ui=8221"),
        ("--port=ui=70000", "0 to 65535"),
        ("--port-base=65530", "use one up to 65528"),
        ("--listen=nowhere", "write an IP address"),
    ] {
        shell
            .run(&["up", argument, "--config", "/dev/null"])
            .complains(2, expected);
    }
}

#[test]
fn others_may_come_only_with_a_token() {
    let shell = Shell::new();
    let all = ["up", "--port-base", "0", "--listen", "0.0.0.0"];
    shell.run(&all).complains(
        2,
        "add --admin-token-file FILE (or set MIDSIM_ADMIN_TOKEN), or use --listen 127.0.0.1",
    );
    for text in ["", " \n", "two words"] {
        let file = shell.write("token", text);
        shell
            .run(&[&all[..], &["--admin-token-file", &file]].concat())
            .complains(2, "must be one line of visible ASCII characters");
    }
    shell
        .with_env(&[("MIDSIM_ADMIN_TOKEN", "")], &all)
        .complains(2, "MIDSIM_ADMIN_TOKEN must be");

    let arguments = [
        "--port-base",
        "0",
        "--listen",
        "0.0.0.0",
        "--allow-host",
        "sim.example",
        "--no-human",
    ];
    let up = shell.up(&[("MIDSIM_ADMIN_TOKEN", TOKEN)], &arguments);
    let port = up.port("ui");
    assert_eq!(up.urls["ui"], format!("http://sim.example:{port}"));
    let right = ("Authorization", "Bearer token-of-the-test");
    let host = |host| ("Host", host);
    assert_eq!(
        up.ui("GET /api/v1/info", &[right, host("sim.example")]),
        200
    );
    assert_eq!(
        up.ui("GET /api/v1/info", &[right, host("192.0.2.1:1")]),
        421
    );
    assert_eq!(
        up.ui("GET /api/v1/info", &[right, host("evil.example")]),
        421
    );
    let (status, body) = up.call("op", "GET /.well-known/openid-configuration", &[], "");
    assert_eq!(status, 200);
    let metadata: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(metadata["issuer"], up.urls["op"]);

    // The parties find each other all the same: the flow gets to its tokens.
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    // printf poll:poll-secret | base64
    let client = ("Authorization", "Basic cG9sbDpwb2xsLXNlY3JldA==");
    let request = "scope=openid&acr_values=mod-mf&login_hint=%2B447700900002&binding_message=W4SCT";
    let (status, body) = up.call("op", "POST /bc-authorize", &[client, form], request);
    assert_eq!(status, 200, "{body}");
    let mut version = 0;
    let mut done = false;
    while !done {
        let state = format!("GET /api/v1/state?after={version}&wait=20");
        let (_, body) = up.call("ui", &state, &[right], "");
        let state: Value = serde_json::from_str(&body).unwrap();
        assert_ne!(
            state["version"], version,
            "nothing happens any more:\n{state}"
        );
        version = state["version"].as_u64().unwrap();
        // Of step 14 on, the OP has the MSSP's answer.
        let mut traces = state["traces"].as_array().unwrap().iter();
        done = traces.any(|trace| trace["reached"].as_u64() >= Some(14));
    }
}

#[test]
fn with_a_token_loopback_needs_it_too() {
    let shell = Shell::new();
    let file = shell.write("token", format!("{TOKEN}\n"));
    let up = shell.up(&[], &["--port-base", "0", "--admin-token-file", &file]);
    for open in ["/livez", "/readyz"] {
        assert_eq!(up.ui(&format!("GET {open}"), &[]), 200);
    }
    let json = ("Content-Type", "application/json");
    let bearer = |token| ("Authorization", token);
    for (request, granted) in [
        ("GET /api/v1/info", 200),
        ("GET /", 200),
        ("DELETE /api/v1/faults", 204),
    ] {
        assert_eq!(up.ui(request, &[]), 401, "{request}");
        assert_eq!(up.ui(request, &[bearer("Bearer wrong")]), 401, "{request}");
        assert_eq!(
            up.ui(request, &[bearer("Bearer token-of-the-test")]),
            granted,
            "{request}"
        );
    }
    let advance = "POST /api/v1/clock/advance";
    assert_eq!(up.call("ui", advance, &[json], r#"{"seconds":1}"#).0, 401);
    // The token does not make a foreign page welcome.
    let foreign = [
        bearer("Bearer token-of-the-test"),
        ("Origin", "http://evil.example"),
    ];
    assert_eq!(up.ui("DELETE /api/v1/faults", &foreign), 403);
}

#[test]
fn wait_ends_with_0_or_3() {
    let shell = Shell::new();
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{nobody}");
    shell
        .run(&["wait", "--url", &url, "--timeout", "0"])
        .complains(3, "is not ready after");
    let ended = shell.run(&["wait", "--url", &url, "--timeout", "0", "--json"]);
    assert_eq!(
        (ended.code, &ended.json()["ready"]),
        (3, &Value::from(false))
    );
    shell
        .run(&["wait", "--ports-file", "none.json", "--timeout", "0"])
        .complains(3, "the midsim of none.json is not ready");
    let up = shell.up(&[], &["--port-base", "0"]);
    let url = up.urls["ui"].as_str().unwrap();
    let ended = shell.with_env(&[("MIDSIM_UI_URL", url)], &["wait", "--json"]);
    assert_eq!((ended.code, &ended.json()["url"]), (0, &Value::from(url)));
}

#[test]
fn exec_hands_over_urls_and_hands_back_the_status() {
    let shell = Shell::new();
    let script = "echo $MIDSIM_UI_URL $MIDSIM_OP_URL $MIDSIM_MSSP_URL $MIDSIM_SMPP_ADDR; exit 7";
    let ended = shell.run(&["exec", "--mss", "synch", "--", "sh", "-c", script]);
    assert_eq!(ended.code, 7);
    let words: Vec<_> = ended.stdout.split_whitespace().collect();
    assert_eq!(words.len(), 4, "{}", ended.stdout);
    assert!(
        words[..3]
            .iter()
            .all(|url| url.starts_with("http://127.0.0.1:")),
        "{words:?}"
    );
    assert!(words[3].starts_with("127.0.0.1:"), "{words:?}");
    let again = ended
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("midsim: again with: "))
        .unwrap();
    assert!(
        again.starts_with("midsim exec --mss synch --seed "),
        "{again}"
    );
    assert!(again.ends_with("; exit 7'"), "{again}");
    let kept = ended
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("midsim: traces kept in "))
        .unwrap();
    let traces: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert!(traces.is_array());

    let wait = [env!("CARGO_BIN_EXE_midsim"), "wait"];
    let ended = shell.run(&[&["exec", "--"], &wait[..]].concat());
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
    shell
        .run(&["exec", "--", "no-such-command"])
        .complains(127, "midsim: no command no-such-command");
    let text = shell.write("text", "no program");
    shell
        .run(&["exec", "--", &text])
        .complains(126, "cannot run");
    shell.run(&["exec"]).complains(2, "CMD");
    let killed = shell.run(&["exec", "--json", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.code, 128 + 9);
    let report: Value = serde_json::from_str(&killed.stderr).unwrap();
    assert_eq!(report["exit"], 137);
    assert!(Path::new(report["traces"].as_str().unwrap()).exists());
}

#[cfg(unix)]
#[test]
fn exec_passes_signals_on_and_ends_with_the_command() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let shell = Shell::new();
    for (signal, code) in [
        (Signal::SIGTERM, 40),
        (Signal::SIGINT, 41),
        (Signal::SIGHUP, 42),
    ] {
        // `read` is woken by the signal; nothing ever comes down the pipe.
        let script =
            "trap 'exit 40' TERM; trap 'exit 41' INT; trap 'exit 42' HUP; echo ready; read nothing";
        let mut child = shell
            .command(&["exec", "--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "ready\n");
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        drop(pipe);
    }
}

#[test]
fn demo_takes_personas_and_numbers() {
    let shell = Shell::new();
    let demo = |arguments: &[&str]| shell.run(&[&["demo", "--json"], arguments].concat());
    let ended = demo(&["--user", "+44 7700 900004"]);
    assert_eq!((ended.code, &ended.json()["exit"]), (20, &Value::from(20)));
    let stranger = ["--msisdn", "+15005550006"];
    let ended = demo(&stranger);
    assert_eq!(ended.code, 23);
    assert_eq!(ended.json()["result"]["error"], "unknown_user_id");
    assert!(
        ended
            .stderr
            .contains("nobody has +15005550006; --any-number"),
        "{}",
        ended.stderr
    );
    let ended = demo(&[&stranger[..], &["--any-number"]].concat());
    assert_eq!((ended.code, &*ended.stderr), (0, ""));
    assert_eq!(
        ended.json()["result"]["userinfo"]["phone_number"],
        "+15005550006"
    );
    let ended = shell.with_env(
        &[("MIDSIM_ANY_NUMBER", "yes")],
        &[&["demo", "--json"], &stranger[..]].concat(),
    );
    assert_eq!(ended.code, 0);
    demo(&["--user", "bob"]).complains(2, "neither a persona");
    demo(&["--world", "nowhere.toml"]).complains(2, "nowhere.toml");
    let nobody = include_str!("../fixtures/world.toml")
        .split("[[subscriber]]")
        .next()
        .unwrap();
    let world = shell.write("empty.toml", nobody);
    demo(&["--world", &world, "--user", "wrong-pin"])
        .complains(2, "this world has no wrong-pin user");
}

#[test]
fn demo_can_go_step_by_step_and_in_real_time() {
    let shell = Shell::new();
    let ended = shell.with_input(&[b'\n'; 40], &["demo", "--step", "--in-process"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("id_token"));
    assert_eq!(
        shell.run(&["demo", "--real-time", "--mode", "push"]).code,
        0
    );
    shell
        .run(&["demo", "--step", "--json"])
        .complains(2, "cannot be used with");
}

#[test]
fn lists_come_as_json_too() {
    let shell = Shell::new();
    let world = shell.run(&["world", "--json"]).json();
    assert_eq!(world["subscribers"].as_array().unwrap().len(), 10);
    let topics = shell.run(&["docs", "--json"]).json();
    let name = topics["topics"][0]["name"].as_str().unwrap().to_owned();
    let page = shell.run(&["docs", &name, "--json"]).json();
    assert_eq!(
        page["text"].as_str().unwrap(),
        shell.run(&["docs", &name]).stdout
    );
    shell
        .run(&["docs", "nothing"])
        .complains(2, "no documentation on nothing");
}
