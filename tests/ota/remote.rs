//! Remote management of a card.

use http::Method;
use serde_json::Value;
use serde_json::json;

use super::support::*;

/// AID of the signature applet: F0 "MIDMID".
const APPLET: &str = "f04d49444d4944";

#[tokio::test]
async fn the_platform_reads_a_card_exchanges_its_keys_and_locks_the_applet() {
    let ota = Ota::start().await;
    let (status, read) = ota
        .remote(json!({"msisdn": NUMBER, "action": "read-iccid"}))
        .await;
    assert_eq!(
        (status, &read["result"]["iccid"]),
        (200, &json!(ICCID)),
        "{read}"
    );
    assert_eq!(read["state"], "acknowledged");

    // Messages for the applet go nowhere while it is locked: its TAR is unknown to the card.
    let lock = json!({"iccid": ICCID, "action": "lock", "aid": APPLET});
    assert_eq!(ota.remote(lock.clone()).await.0, 200);
    let message = |id: &str| json!({"id": id, "msisdn": NUMBER, "tar": "4D4944", "payload": "00", "por": "always"});
    ota.post("/v1/messages", message("while-locked")).await;
    ota.bench.idle().await;
    let (_, locked) = ota.get("/v1/messages/while-locked").await;
    assert_eq!(
        locked["state"], "sent",
        "the card's refusal is not signed: {locked}"
    );
    assert_eq!(locked["attempt"], 2, "but worth one more packet");
    let called_off = ota
        .call(Method::DELETE, "/v1/messages/while-locked", Value::Null)
        .await;
    assert_eq!(called_off.json()["state"], "cancelled");
    let unlock = json!({"msisdn": NUMBER, "action": "unlock", "aid": APPLET});
    assert_eq!(ota.remote(unlock).await.0, 200);
    ota.post("/v1/messages", message("unlocked")).await;
    ota.bench.idle().await;
    let (_, unlocked) = ota.get("/v1/messages/unlocked").await;
    assert_eq!(unlocked["state"], "acknowledged", "{unlocked}");

    // A key set that the platform puts on the card protects the next message.
    let keys = json!({"version": 3, "kic_algorithm": "aes", "kic": "000102030405060708090A0B0C0D0E0F",
        "kid_algorithm": "aes", "kid": "101112131415161718191A1B1C1D1E1F"});
    let put = json!({"msisdn": NUMBER, "action": "put-key", "key_set": keys, "kik": "202122232425262728292A2B2C2D2E2F"});
    let (status, done) = ota.remote(put).await;
    assert_eq!(
        (status, &done["result"]["done"]),
        (200, &json!(true)),
        "{done}"
    );
    let with_new = json!({"msisdn": NUMBER, "action": "read-iccid", "key_version": 3});
    let (status, read) = ota.remote(with_new).await;
    assert_eq!((status, &read["key_version"]), (200, &json!(3)), "{read}");
    let (_, shown) = ota.get(&format!("/v1/key-sets/{ICCID}")).await;
    let versions: Vec<_> = shown["key_sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| &set["version"])
        .collect();
    assert_eq!(versions, [1, 2, 3]);

    // What the card refuses is told with its status word.
    let nobody = json!({"msisdn": NUMBER, "action": "lock", "aid": "A0000000AA"});
    let (status, refused) = ota.remote(nobody).await;
    assert_eq!(status, 502, "{refused}");
    assert!(
        refused["result"]["refused"]
            .as_str()
            .unwrap()
            .contains("command 1"),
        "{refused}"
    );
    ota.bench.finish().await;
}

#[tokio::test]
async fn remote_management_takes_no_field_that_is_not_for_the_action() {
    let ota = Ota::start().await;
    for (action, field) in [
        ("read-iccid", "colour"),
        ("read-iccid", "aid"),
        ("lock", "kik"),
        ("lock", "tar"),
    ] {
        let mut order = json!({"msisdn": NUMBER, "action": action, field: "00"});
        if action == "lock" {
            order["aid"] = APPLET.into();
        }
        let (status, problem) = ota.remote(order).await;
        assert_eq!(status, 422, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains(&format!("unknown field `{field}`")),
            "{detail}"
        );
    }
    ota.bench.finish().await;
}

#[tokio::test]
async fn a_key_set_that_is_no_object_is_refused_by_name() {
    let ota = Ota::start().await;
    for key_set in [json!([]), json!("aes"), json!(1), json!(true), Value::Null] {
        let order = json!({"msisdn": NUMBER, "action": "put-key", "key_set": key_set, "kik": "00"});
        let (status, problem) = ota.remote(order).await;
        assert_eq!(status, 422, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("key_set: "), "{detail}");
    }
    ota.bench.finish().await;
}
