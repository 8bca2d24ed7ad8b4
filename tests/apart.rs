//! What must survive the end of the process that has it, or of the one that waits for it.

use serde_json::{Value, json};

use crate::support::Folder;
use crate::support::process::{Up, port_bases};

const NUMBER: &str = "+447700900002";
const ICCID: &str = "8944770090000000026";

/// Starts a command on free ports.
fn start(command: &[&str], folder: &Folder, name: &str, options: &[&str]) -> (Up, u16) {
    let data = folder.path().join(name);
    let started = port_bases().find_map(|base| {
        let up = Up::start_as(command, &data, base, options)?;
        Some((up, base))
    });
    started.unwrap()
}

fn versions(up: &Up) -> Vec<u64> {
    let (_, shown) = up.ota("GET", &format!("/v1/key-sets/{ICCID}"), "").unwrap();
    let sets = shown["key_sets"].as_array().unwrap();
    sets.iter()
        .map(|set| set["version"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_key_set_on_its_way_to_a_card_is_imported_in_the_next_life() {
    let folder = Folder::new("put-key");
    let keys = json!({"version": 3, "kic_algorithm": "aes", "kic": "000102030405060708090A0B0C0D0E0F",
        "kid_algorithm": "aes", "kid": "101112131415161718191A1B1C1D1E1F"});
    let put = json!({"id": "put", "msisdn": NUMBER, "action": "put-key", "key_set": keys,
        "kik": "202122232425262728292A2B2C2D2E2F"})
    .to_string();
    let (up, base) = start(&["up"], &folder, "data", &["--no-human"]);
    let sim = format!("/api/v1/sims/{NUMBER}");
    assert!(up.change(&sim, r#"{"coverage":false}"#));
    let waiting = up.hold_ota("/v1/remote", &put);
    let sent = |up: &Up| {
        let shown = up.ota("GET", "/v1/messages/put", "");
        shown.is_some_and(|(_, shown)| shown["state"] == "sent")
    };
    assert!(up.until(|| sent(&up)));
    assert_eq!(versions(&up), [1, 2]);
    up.kill();
    drop(waiting);

    // After a start the network reaches every handset.
    let up = Up::start(&folder.path().join("data"), base, &["--no-human"]).unwrap();
    assert!(up.until(|| versions(&up) == [1, 2, 3]));
    let (status, done) = up.ota("POST", "/v1/remote", &put).unwrap();
    assert_eq!(
        (status, &done["result"]["done"]),
        (200, &Value::Bool(true)),
        "{done}"
    );
    let with_new = json!({"msisdn": NUMBER, "action": "read-iccid", "key_version": 3}).to_string();
    let (status, read) = up.ota("POST", "/v1/remote", &with_new).unwrap();
    assert_eq!((status, &read["key_version"]), (200, &json!(3)), "{read}");
}

/// Asks for a person at the OP; gives the auth_req_id.
fn begin(op: &Up, number: &str) -> String {
    let form = format!(
        "scope=openid&acr_values=mod-mf&binding_message=W4SCT&requested_expiry=60&login_hint={}",
        number.replace('+', "%2B")
    );
    let (status, body) = op.post("/bc-authorize", &form).unwrap();
    assert_eq!(status, 200, "{body}");
    body["auth_req_id"].as_str().unwrap().to_owned()
}

/// What the OP says to a poll: an error, or `tokens`.
fn poll(op: &Up, id: &str) -> String {
    let form = format!("grant_type=urn:openid:params:grant-type:ciba&auth_req_id={id}");
    let (status, body) = op.post("/token", &form).unwrap();
    if status == 200 {
        assert!(body["id_token"].is_string(), "{body}");
        return "tokens".to_owned();
    }
    body["error"].as_str().unwrap().to_owned()
}

/// Polls as often as something has happened, until there is an outcome.
fn outcome(op: &Up, id: &str) -> String {
    let mut said = String::new();
    op.until(|| {
        said = poll(op, id);
        !["authorization_pending", "slow_down"].contains(&said.as_str())
    });
    said
}

/// The names of what a process has seen, over all of its traces.
fn seen(up: &Up) -> Vec<String> {
    // A trace may become part of another one between the list and the look at it: then once more.
    std::iter::repeat_with(|| lines(up))
        .flatten()
        .next()
        .unwrap()
}

fn lines(up: &Up) -> Option<Vec<String>> {
    let traces = up.get("/api/v1/traces")?;
    let mut names = Vec::new();
    for trace in traces["traces"].as_array()? {
        let id = trace["id"].as_str()?;
        let lines = up.get(&format!("/api/v1/traces/{id}"))?;
        for line in lines["lines"].as_array()? {
            names.push(line["name"].as_str()?.to_owned());
        }
    }
    Some(names)
}

/// Whether the process is ready for a flow.
fn ready(up: &Up) -> bool {
    up.probe("/readyz") == Some(200)
}

fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|it| it.starts_with(name)).count()
}

const OPTIONS: [&str; 4] = ["--no-human", "--op-interval", "1", "--op-slow-down=false"];
const CANCELS: &str = "+447700900004";
/// Approves, and is out of coverage where a test says so.
const LATER: &str = "+447700900003";

#[test]
fn op_and_mssp_in_one_process_and_ota_and_sim_in_another_end_in_tokens_over_the_death_of_either() {
    let folder = Folder::new("apart");
    let data = |name: &str| folder.path().join(name);
    let (ota, ota_base) = start(&["serve", "ota", "sim"], &folder, "ota", &OPTIONS);
    let ota_url = ota.url("ota").to_owned();
    let options = [&OPTIONS[..], &["--ota-url", &ota_url]].concat();
    let (op, op_base) = start(&["serve", "op", "mssp"], &folder, "op", &options);
    assert!(op.until(|| ready(&op)), "the MSSP follows the platform");
    for (up, absent) in [(&ota, "op"), (&ota, "mssp"), (&op, "smpp")] {
        assert!(!up.has_url(absent), "{absent} is not served there");
    }

    // A whole flow, and one that the user ends.
    let (good, bad) = (begin(&op, NUMBER), begin(&op, CANCELS));
    assert_eq!(outcome(&op, &good), "tokens");
    assert_eq!(outcome(&op, &bad), "access_denied");

    // The platform dies with a message on its way to a phone out of reach, and with it the stream.
    let sim = format!("/api/v1/sims/{LATER}");
    assert!(ota.change(&sim, r#"{"coverage":false}"#));
    let waits = begin(&op, LATER);
    assert!(ota.until(|| count(&seen(&ota), "submit_sm_resp") >= 3));
    ota.kill();
    // What is asked for meanwhile waits at the MSSP.
    let meanwhile = begin(&op, NUMBER);
    let ota = Up::start_as(&["serve", "ota", "sim"], &data("ota"), ota_base, &OPTIONS).unwrap();
    assert_eq!(outcome(&op, &waits), "tokens");
    assert_eq!(outcome(&op, &meanwhile), "tokens");

    // A phone whose network goes before it has acknowledged the card's answer waits for that.
    let acknowledged = "TERMINAL RESPONSE (SEND SHORT MESSAGE)";
    assert!(ota.until(|| count(&seen(&ota), acknowledged) >= 2));

    // The MSSP dies while the card answers: the platform tells the next one.
    assert!(ota.change(&sim, r#"{"coverage":false}"#));
    let answered = begin(&op, LATER);
    assert!(op.until(|| poll(&op, &answered) == "authorization_pending"
        && count(&seen(&op), "challenge is on its way") >= 3));
    op.kill();
    assert!(ota.change(&sim, r#"{"coverage":true}"#));
    assert!(ota.until(|| count(&seen(&ota), "application message") >= 3));
    let op = Up::start_as(&["serve", "op", "mssp"], &data("op"), op_base, &options).unwrap();
    assert_eq!(outcome(&op, &answered), "tokens");
    assert_eq!(poll(&op, &answered), "invalid_grant", "once");

    // However often it was told: one command packet for each message.
    let (_, state) = ota.ota("GET", "/v1/messages/nobody", "").unwrap();
    assert_eq!(state["status"], 404);
    assert_eq!(count(&seen(&ota), "submit_sm (command packet)"), 2);
}
