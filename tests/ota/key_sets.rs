//! Key sets: put on the card, imported, shown.

use http::Method;
use midsim::faults::{Action, LinkName};
use serde_json::{Value, json};

use super::support::*;
use crate::support::Folder;

async fn versions(ota: &Ota) -> Vec<u64> {
    let (_, shown) = ota.get(&format!("/v1/key-sets/{ICCID}")).await;
    let sets = shown["key_sets"].as_array().unwrap();
    sets.iter()
        .map(|set| set["version"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_key_set_is_imported_when_the_card_has_it_whoever_waits() {
    let ota = Ota::start().await;
    let keys = json!({"version": 3, "kic_algorithm": "aes", "kic": "000102030405060708090A0B0C0D0E0F",
        "kid_algorithm": "aes", "kid": "101112131415161718191A1B1C1D1E1F"});
    let put = json!({"id": "put", "msisdn": NUMBER, "action": "put-key", "key_set": keys,
        "kik": "202122232425262728292A2B2C2D2E2F"});
    let sim = ota.bench.suite.sim(NUMBER.parse().unwrap());
    sim.set_coverage(false).await;
    let waiting = post_and_leave(&ota, "/v1/remote", put.clone()).await;
    let mut state = Value::Null;
    while state != "sent" {
        tokio::task::yield_now().await;
        state = ota.get("/v1/messages/put").await.1["state"].take();
    }
    drop(waiting);
    ota.bench.idle().await;
    assert_eq!(versions(&ota).await, [1, 2], "the card has not answered");
    sim.set_coverage(true).await;
    ota.bench.idle().await;
    assert_eq!(versions(&ota).await, [1, 2, 3]);
    // Who asks again gets the same order's result, and the new keys work.
    let (status, done) = ota.remote(put).await;
    assert_eq!(
        (status, &done["result"]["done"]),
        (200, &json!(true)),
        "{done}"
    );
    let with_new = json!({"msisdn": NUMBER, "action": "read-iccid", "key_version": 3});
    assert_eq!(ota.remote(with_new).await.0, 200);
    for trace in ota.bench.suite.trace_log().list(100) {
        let text = format!("{:?}", trace.render().lines).to_uppercase();
        assert!(
            !text.contains("04050607") && !text.contains("14151617"),
            "{text}"
        );
    }
    ota.bench.finish().await;
}

/// The answer to a PUT KEY that replaces the key set of its own packet still comes under the old keys; what follows goes under
/// the new ones.
#[tokio::test]
async fn the_key_set_in_use_is_replaced() {
    let ota = Ota::start().await;
    let read = || json!({"msisdn": NUMBER, "action": "read-iccid"});
    assert_eq!(ota.remote(read()).await.0, 200);
    let keys = json!({"version": 1, "kic_algorithm": "aes", "kic": "000102030405060708090A0B0C0D0E0F",
        "kid_algorithm": "aes", "kid": "101112131415161718191A1B1C1D1E1F"});
    let put = json!({"msisdn": NUMBER, "action": "put-key", "key_set": keys, "replaces": true,
        "kik": "202122232425262728292A2B2C2D2E2F"});
    let (status, done) = ota.remote(put).await;
    assert_eq!(
        (status, &done["result"]["done"]),
        (200, &json!(true)),
        "{done}"
    );
    let (_, shown) = ota.get(&format!("/v1/key-sets/{ICCID}")).await;
    let set = &shown["key_sets"][0];
    assert_eq!(
        (&set["version"], &set["from"]),
        (&json!(1), &json!("imported")),
        "{shown}"
    );
    let (status, done) = ota.remote(read()).await;
    assert_eq!(status, 200, "{done}");
    ota.bench.finish().await;
}

#[tokio::test]
async fn every_key_set_of_the_card_from_the_factory_can_protect_an_order() {
    let ota = Ota::start().await;
    let (_, shown) = ota.get(&format!("/v1/key-sets/{ICCID}")).await;
    let sets = shown["key_sets"].as_array().unwrap();
    let kic: Vec<_> = sets.iter().map(|set| &set["kic"]).collect();
    assert_eq!(kic, ["12", "25"], "{shown}");
    for version in [1, 2] {
        let read = json!({"msisdn": NUMBER, "action": "read-iccid", "key_version": version});
        let (status, read) = ota.remote(read).await;
        assert_eq!(
            (status, &read["result"]["iccid"]),
            (200, &json!(ICCID)),
            "{read}"
        );
    }
    // New keys travel under the KIK of the set that protects them.
    let keys = json!({"version": 3, "kic_algorithm": "3des2", "kic": "000102030405060708090A0B0C0D0E0F",
        "kid_algorithm": "3des2", "kid": "101112131415161718191A1B1C1D1E1F"});
    let put = json!({"msisdn": NUMBER, "action": "put-key", "key_set": keys, "key_version": 2,
        "kik": "202122232425262728292A2B2C2D2E2F"});
    let (status, done) = ota.remote(put.clone()).await;
    assert_eq!(
        (status, &done["result"]["done"]),
        (200, &json!(true)),
        "{done}"
    );
    let mut under = put;
    under["key_version"] = json!(4);
    let (status, problem) = ota.remote(under).await;
    assert_eq!(status, 422, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("expected 1, 2 or 3"),
        "{problem}"
    );
    ota.bench.finish().await;
}

/// TS 102 226 §8.2.1.5: keys come under the KIK of the set that protects the packet, also where PUT KEY has brought that set.
#[tokio::test]
async fn the_kik_of_a_set_that_put_key_has_brought_brings_the_next() {
    let ota = Ota::start().await;
    let put = |version: u8, under: Option<u8>, id: &str| {
        let key = |label: u8| hex::encode([[label, version]; 8].concat());
        json!({"id": id, "msisdn": NUMBER, "action": "put-key", "key_version": under, "kik": key(3), "key_set":
            {"version": version, "kic_algorithm": "aes", "kic": key(1), "kid_algorithm": "aes", "kid": key(2)}})
    };
    let put_key = async |order: Value| {
        let (status, done) = ota.remote(order).await;
        assert_eq!(
            (status, &done["result"]["done"]),
            (200, &json!(true)),
            "{done}"
        );
    };
    // The card's first set gets other keys, and so another KIK.
    let mut first = put(1, None, "first");
    first["replaces"] = json!(true);
    put_key(first.clone()).await;
    put_key(put(3, None, "second")).await;
    put_key(put(4, Some(3), "third")).await;
    // The same orders once more have the same results, whatever the KIK is now.
    put_key(first.clone()).await;
    put_key(put(3, None, "second")).await;
    first["key_set"]["kic"] = json!("00112233445566778899AABBCCDDEEFF");
    assert_eq!(ota.remote(first).await.0, 409, "other keys");

    // An imported one for the security domain, with its KIK or without.
    let entry = |kik: Option<&str>| {
        json!({"key_sets": [{"iccid": ICCID, "version": 4, "kic_algorithm": "aes", "kic": "01040104010401040104010401040104",
            "kid_algorithm": "aes", "kid": "02040204020402040204020402040204", "tars": ["000000"], "kik": kik}]})
    };
    ota.post("/v1/key-sets", entry(None)).await;
    let (status, problem) = ota.remote(put(5, None, "fourth")).await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 422, "{problem}");
    assert!(
        detail.contains("expected 1, 2 or 3, whose KIK is known, got 4"),
        "{problem}"
    );
    ota.post(
        "/v1/key-sets",
        entry(Some("03040304030403040304030403040304")),
    )
    .await;
    put_key(put(5, None, "fourth")).await;
    let (status, problem) = ota.post("/v1/key-sets", entry(Some("0304"))).await;
    assert_eq!(status, 422);
    assert!(
        problem["detail"].as_str().unwrap().contains("kik"),
        "{problem}"
    );
    ota.bench.finish().await;
}

/// The card has executed PUT KEY, and its response packet is lost on the way to the SMSC.
#[tokio::test]
async fn put_key_can_be_repeated_when_nobody_knows_what_became_of_it() {
    let ota = Ota::start().await;
    let keys = json!({"version": 3, "kic_algorithm": "aes", "kic": "000102030405060708090A0B0C0D0E0F",
        "kid_algorithm": "aes", "kid": "101112131415161718191A1B1C1D1E1F"});
    let put = |id: &str| {
        json!({"id": id, "msisdn": NUMBER, "action": "put-key", "key_set": keys,
        "kik": "202122232425262728292A2B2C2D2E2F"})
    };
    // The first message of the handset is its RP-ACK.
    ota.bench
        .break_link(LinkName::HandsetToSmsc, Action::Lose, 1, 1);
    let waiting = post_and_leave(&ota, "/v1/remote", put("lost")).await;
    let mut state = Value::Null;
    while state != "sent" {
        tokio::task::yield_now().await;
        state = ota.get("/v1/messages/lost").await.1["state"].take();
    }
    ota.bench.idle().await;
    drop(waiting);
    let cancelled = ota
        .call(Method::DELETE, "/v1/messages/lost", Value::Null)
        .await;
    assert!(cancelled.status < 300);
    let (_, shown) = ota.get(&format!("/v1/key-sets/{ICCID}")).await;
    let set = &shown["key_sets"][2];
    assert_eq!(
        (&set["kic"], &set["from"]),
        (&json!("32"), &json!("unsure")),
        "{shown}"
    );
    // The handset gives up waiting for the SMSC.
    ota.bench.advance(120).await;
    ota.bench.idle().await;
    for _ in 0..2 {
        let (status, done) = ota.remote(put("again")).await;
        assert_eq!(
            (status, &done["id"]),
            (200, &json!("again-replace")),
            "{done}"
        );
    }
    let (_, shown) = ota.get(&format!("/v1/key-sets/{ICCID}")).await;
    assert_eq!(shown["key_sets"][2]["from"], "imported", "{shown}");
    let with_new = json!({"msisdn": NUMBER, "action": "read-iccid", "key_version": 3});
    assert_eq!(ota.remote(with_new).await.0, 200);
    ota.bench.finish().await;
}

#[tokio::test]
async fn key_sets_go_in_as_csv_and_come_out_as_check_values() {
    let ota = Ota::start().await;
    let csv = format!(
        "iccid,version,kic_algorithm,kic,kid_algorithm,kid,tars\n\
        {ICCID},7,3des2,000102030405060708090A0B0C0D0E0F,aes,101112131415161718191A1B1C1D1E1F,B00010\n"
    );
    let (status, imported) = ota.post("/v1/key-sets", json!({"csv": csv})).await;
    assert_eq!(
        (status, &imported["imported"]),
        (200, &json!(1)),
        "{imported}"
    );
    let answer = ota
        .call(Method::GET, "/v1/key-sets/447700900002", Value::Null)
        .await;
    let shown = answer.json();
    let set = &shown["key_sets"][2];
    assert_eq!(
        (
            &set["kic"],
            &set["kic_kcv"],
            &set["kid"],
            &set["kid_kcv"],
            &set["from"]
        ),
        (
            &json!("75"),
            &json!("DDADA1"),
            &json!("72"),
            &json!("013808"),
            &json!("imported")
        )
    );
    assert!(!answer.text().contains("04050607"));
    let (status, problem) = ota
        .post("/v1/key-sets", json!({"csv": csv.replace(",7,", ",17,")}))
        .await;
    assert_eq!(status, 422);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("line 2: version"),
        "{problem}"
    );
    // The set is for the application, so it protects its messages; this card has it not, and says nothing that proves itself.
    ota.post(
        "/v1/messages",
        json!({"id": "m", "msisdn": NUMBER, "tar": "B00010", "payload": "00"}),
    )
    .await;
    let (_, message) = ota.get("/v1/messages/m").await;
    assert_eq!(message["key_version"], 7);
    ota.bench.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_imports_key_sets_and_shows_no_key() {
    let ota = Ota::start().await;
    let folder = Folder::new("keys");
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_midsim"));
        command
            .arg("keys")
            .args(arguments)
            .args(["--url", &ota.url]);
        let output = command.output().await.unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    // More than one request takes: there is progress to see.
    let mut csv = "iccid,version,kic_algorithm,kic,kid_algorithm,kid\n".to_owned();
    for n in 0..2500_u32 {
        csv += &format!("8988{n:014},1,aes,{n:032X},aes,{n:032X}\n");
    }
    let file = folder.path().join("many.csv");
    std::fs::write(&file, &csv).unwrap();
    let (code, stdout, stderr) = run(&["import", file.to_str().unwrap()]).await;
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), "2500 key sets imported\n"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().last(), Some("2500 of 2500 key sets (100 %)"));

    let file = folder.path().join("one.toml");
    let toml = format!(
        "[[key_set]]\niccid = \"{ICCID}\"\nversion = 4\nkic_algorithm = \"aes\"\nkic = \"000102030405060708090A0B0C0D0E0F\"\n\
         kid_algorithm = \"aes\"\nkid = \"101112131415161718191A1B1C1D1E1F\"\ncc_length = 4\ntars = [\"B00010\"]\n"
    );
    std::fs::write(&file, &toml).unwrap();
    assert_eq!(run(&["import", file.to_str().unwrap()]).await.0, Some(0));
    let (code, shown, _) = run(&["show", NUMBER]).await;
    assert_eq!(code, Some(0));
    let line = shown.lines().find(|line| line.starts_with('4')).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "4", "42", "C35280", "42", "013808", "4", "-", "imported", "B00010"
        ]
    );
    assert!(!shown.contains("04050607"));

    std::fs::write(&file, toml.replace("version = 4", "version = 40")).unwrap();
    let (code, _, stderr) = run(&["import", file.to_str().unwrap()]).await;
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("key set 1: version: expected 1 to 15, got 40"),
        "{stderr}"
    );
    std::fs::write(&file, format!("{toml}kik = \"0304\"\n")).unwrap();
    let (code, _, stderr) = run(&["import", file.to_str().unwrap()]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("key set 1: kik: "), "{stderr}");
    ota.bench.finish().await;
}
