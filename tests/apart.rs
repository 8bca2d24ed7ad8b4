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
    assert_eq!(versions(&up), [1]);
    up.kill();
    drop(waiting);

    // After a start the network reaches every handset.
    let up = Up::start(&folder.path().join("data"), base, &["--no-human"]).unwrap();
    assert!(up.until(|| versions(&up) == [1, 3]));
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
