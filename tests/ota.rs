//! The HTTP API of the OTA platform, with the whole chain behind it: SMPP, SMSC, handset, card.

use http::Method;
use midsim::faults::{Action, LinkName};
use midsim::suite::Builder;
use midsim::world::World;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Folder;
use crate::support::sockets::{Answer, Bench};

const NUMBER: &str = "+447700900002";
const ICCID: &str = "8944770090000000026";
/// AID of the signature applet: F0 "MIDMID".
const APPLET: &str = "f04d49444d4944";

struct Ota {
    bench: Bench,
    url: String,
    /// What `/openapi.json` says; every answer is held against it.
    document: Value,
}

impl Ota {
    async fn start() -> Self {
        Self::of(Builder::new(World::default())).await
    }

    async fn of(builder: Builder) -> Self {
        let bench = Bench::of(builder).await;
        let url = bench.suite.urls().ota.clone();
        let document = bench
            .request(Method::GET, &format!("{url}/openapi.json"), &[], "")
            .await
            .json();
        Self {
            bench,
            url,
            document,
        }
    }

    /// Whether the document knows of this status of this call.
    fn documents(&self, method: &Method, path: &str, status: u16) -> bool {
        let method = method.as_str().to_lowercase();
        let mut places = self.document["paths"].as_object().unwrap().iter();
        let same = |pattern: &str| {
            let (mut one, mut other) = (pattern.split('/'), path.split('/'));
            let segments = one
                .by_ref()
                .zip(other.by_ref())
                .all(|(a, b)| a == b || a.starts_with('{'));
            segments && one.next().is_none() && other.next().is_none()
        };
        places.any(|(pattern, methods)| {
            same(pattern) && methods[&method]["responses"][status.to_string()].is_object()
        })
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        let url = format!("{}{path}", self.url);
        let answer = self
            .bench
            .request(method.clone(), &url, &headers, body.to_string())
            .await;
        assert!(
            self.documents(&method, path, answer.status),
            "{method} {path}: {} is not documented: {}",
            answer.status,
            answer.text()
        );
        answer
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.call(Method::POST, path, body).await;
        (answer.status, answer.json())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.call(Method::GET, path, Value::Null).await;
        (answer.status, answer.json())
    }

    async fn remote(&self, body: Value) -> (u16, Value) {
        self.post("/v1/remote", body).await
    }
}

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

/// A POST whose sender does not stay for the answer.
async fn post_and_leave(ota: &Ota, path: &str, body: Value) -> TcpStream {
    let at = ota.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(at).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {at}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

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

/// A suite that was shut down lets go of its folder, so that the next one in the same process takes it up: here with a message
/// that is on its way to a phone, and a stream of results that was followed.
#[tokio::test]
async fn the_next_suite_on_the_same_folder_goes_on_where_the_last_one_stopped() {
    let folder = Folder::new("again");
    let builder = || Builder::new(World::default()).data_dir(folder.path());
    let ota = Ota::of(builder()).await;
    let number: ota_wire::ids::Msisdn = NUMBER.parse().unwrap();
    ota.bench
        .suite
        .sim(number.clone())
        .set_coverage(false)
        .await;
    let order = |id: &str| json!({"id": id, "msisdn": NUMBER, "tar": "4D4944", "payload": "00", "por": "always"});
    ota.post("/v1/messages", order("m")).await;
    let refused =
        json!({"id": "no", "msisdn": NUMBER, "tar": "4D4944", "payload": "00", "key_version": 9});
    ota.post("/v1/messages", refused).await;
    ota.bench.idle().await;
    let seen = events(&ota, Some("none"), 4).await;
    ota.bench.finish().await;

    let ota = Ota::of(builder()).await;
    ota.bench.idle().await;
    // Another life: the states, then the events that were kept, though they are of the one before.
    let again = events(&ota, Some(&seen[3].0), 4).await;
    let failed = |events: &[(String, String, Value)]| {
        let failed = events.iter().find(|(_, kind, _)| kind == "failed");
        failed.map(|(_, _, value)| value.clone())
    };
    assert!(failed(&seen).is_some(), "{seen:?}");
    assert_eq!(failed(&again), failed(&seen), "{again:?}");
    ota.bench.suite.sim(number).set_coverage(true).await;
    ota.bench.idle().await;
    let (_, shown) = ota.get("/v1/messages/m").await;
    assert_eq!(shown["state"], "acknowledged", "{shown}");
    ota.bench.finish().await;
}

#[tokio::test]
async fn a_message_is_taken_once_and_its_fate_can_be_asked_for() {
    let ota = Ota::start().await;
    let order =
        json!({"id": "m-1", "iccid": ICCID, "tar": "4d4944", "payload": "0102", "por": "always"});
    let (status, taken) = ota.post("/v1/messages", order.clone()).await;
    assert_eq!((status, &taken["id"]), (202, &json!("m-1")), "{taken}");
    ota.bench.idle().await;
    assert_eq!(
        ota.post("/v1/messages", order.clone()).await.0,
        200,
        "it is the same"
    );
    // Whatever else is said makes it another one.
    for (field, value) in [
        ("payload", json!("0103")),
        ("tar", json!("B00000")),
        ("por", json!("none")),
        ("key_version", json!(1)),
        ("valid_for", json!(301)),
        ("msisdn", json!("+447700900003")),
    ] {
        let mut other = order.clone();
        other[field] = value;
        if field == "msisdn" {
            other["iccid"].take();
        }
        let (status, problem) = ota.post("/v1/messages", other).await;
        assert_eq!(status, 409, "{field}: {problem}");
    }
    let (_, shown) = ota.get("/v1/messages/m-1").await;
    assert_eq!(
        (&shown["state"], &shown["msisdn"]),
        (&json!("acknowledged"), &json!(NUMBER))
    );
    assert_eq!(shown["response"]["status"], 0);
    let again = ota
        .call(Method::DELETE, "/v1/messages/m-1", Value::Null)
        .await;
    assert_eq!(again.status, 409, "it is over");
    for (wrong, status, word) in [
        (
            json!({"tar": "4D4944", "payload": ""}),
            422,
            "msisdn or iccid",
        ),
        (
            json!({"msisdn": "+15005550006", "tar": "4D4944", "payload": ""}),
            404,
            "subscriber",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D49", "payload": ""}),
            422,
            "tar",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D4944", "payload": "0"}),
            422,
            "payload",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D4944", "payload": "", "valid_for": 0}),
            422,
            "valid_for",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D4944", "payload": "", "expires": "2020-01-01T00:00:00Z"}),
            422,
            "expires",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D4944", "payload": "", "expires": soon(&ota, 9), "valid_for": 9}),
            422,
            "either",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D4944", "payload": "", "id": "a/b"}),
            422,
            "id",
        ),
        (
            json!({"msisdn": NUMBER, "tar": "4D4944", "payload": "", "colour": 1}),
            422,
            "colour",
        ),
    ] {
        let (got, problem) = ota.post("/v1/messages", wrong).await;
        assert_eq!(got, status, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "{problem}"
        );
    }
    assert_eq!(ota.get("/v1/messages/nobody").await.0, 404);
    ota.bench.finish().await;
}

/// So many seconds from now.
fn soon(ota: &Ota, seconds: i64) -> String {
    let now = ota.bench.suite.clock().now();
    (now + jiff::SignedDuration::from_secs(seconds)).to_string()
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
async fn whatever_is_not_there_is_refused_by_a_problem_document() {
    let ota = Ota::start().await;
    let json = [("content-type", "application/json")];
    let text = [("content-type", "text/plain")];
    let large = " ".repeat((1 << 20) + 1);
    for (method, path, headers, body, status, header, value) in [
        (Method::GET, "/v1/messages", &json, "", 405, "allow", "POST"),
        (
            Method::PUT,
            "/v1/messages/m",
            &json,
            "",
            405,
            "allow",
            "GET,HEAD,DELETE",
        ),
        (
            Method::DELETE,
            "/v1/events",
            &json,
            "",
            405,
            "allow",
            "GET,HEAD",
        ),
        (Method::GET, "/v2/messages", &json, "", 404, "", ""),
        (
            Method::POST,
            "/v1/remote",
            &text,
            "{}",
            415,
            "accept-post",
            "application/json",
        ),
        (
            Method::POST,
            "/v1/key-sets",
            &json,
            large.as_str(),
            413,
            "",
            "",
        ),
        (Method::POST, "/v1/messages", &json, "{", 422, "", ""),
    ] {
        let url = format!("{}{path}", ota.url);
        let answer = ota
            .bench
            .request(method.clone(), &url, headers, body.to_owned())
            .await;
        let what = format!("{method} {path}: {}", answer.text());
        assert_eq!(answer.status, status, "{what}");
        let kind = answer.headers.get("content-type").unwrap();
        assert_eq!(kind, "application/problem+json", "{what}");
        assert_eq!(answer.json()["status"], status, "{what}");
        assert!(
            !answer.json()["detail"].as_str().unwrap().is_empty(),
            "{what}"
        );
        if !header.is_empty() {
            assert_eq!(answer.headers.get(header).unwrap(), value, "{what}");
        }
    }
    ota.bench.finish().await;
}

#[tokio::test]
async fn every_end_of_a_message_is_an_event_and_is_told_again_to_who_comes_back() {
    let ota = Ota::start().await;
    let sim = ota.bench.suite.sim(NUMBER.parse().unwrap());
    let order = |id: &str, valid_for: u32, key_version: u8| {
        json!({"id": id, "msisdn": NUMBER, "tar": "4D4944",
        "payload": "00", "por": "always", "valid_for": valid_for, "key_version": key_version})
    };
    ota.post("/v1/messages", order("good", 60, 1)).await;
    ota.bench.idle().await;
    sim.set_coverage(false).await;
    for (id, valid_for, key_version) in
        [("failed", 60, 9), ("cancelled", 60, 1), ("expired", 10, 1)]
    {
        ota.post("/v1/messages", order(id, valid_for, key_version))
            .await;
    }
    ota.bench.idle().await;
    ota.call(Method::DELETE, "/v1/messages/cancelled", Value::Null)
        .await;
    ota.bench.advance(10).await;
    // An id of another life: the states of what is still there, then every event.
    let all = events(&ota, Some("00000000-1"), 10).await;
    let mut ends: Vec<_> = all
        .iter()
        .filter(|(_, kind, _)| !["state", "sent"].contains(&kind.as_str()))
        .map(|(_, kind, value)| (kind.as_str(), value["id"].as_str().unwrap()))
        .collect();
    ends.sort_unstable();
    assert_eq!(
        ends,
        [
            ("acknowledged", "good"),
            ("cancelled", "cancelled"),
            ("expired", "expired"),
            ("failed", "failed")
        ],
        "{all:?}"
    );
    let of = |kind: &str| all.iter().position(|(_, it, _)| it == kind).unwrap();
    assert_eq!(all[of("failed")].2["code"], "keys");
    // From the cancellation on: the expiry came after it.
    let rest = events(&ota, Some(&all[of("cancelled")].0), 1).await;
    assert_eq!(rest, all[of("cancelled") + 1..]);
    assert!(rest.iter().any(|(_, kind, _)| kind == "expired"));
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
    under["key_version"] = json!(3);
    let (status, problem) = ota.remote(under).await;
    assert_eq!(status, 422, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("expected 1 or 2"),
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

/// Reads a stream of events until `count` have come.
async fn events(ota: &Ota, last: Option<&str>, count: usize) -> Vec<(String, String, Value)> {
    let at = ota.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(at).await.unwrap();
    let resume = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: {at}\r\n{resume}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    loop {
        let found: Vec<_> = text
            .split("\n\n")
            .filter_map(|block| {
                let line = |name: &str| block.split('\n').find_map(|line| line.strip_prefix(name));
                Some((
                    line("id: ")?.to_owned(),
                    line("event: ")?.to_owned(),
                    serde_json::from_str(line("data: ")?).ok()?,
                ))
            })
            .collect();
        if found.len() >= count && text.contains(": midsim") {
            return found;
        }
        let mut octets = [0; 4096];
        let read = stream.read(&mut octets).await.unwrap();
        assert!(read > 0, "{text}");
        text += &String::from_utf8_lossy(&octets[..read]);
    }
}

#[tokio::test]
async fn a_stream_tells_what_comes_of_messages_and_goes_on_where_it_broke() {
    let ota = Ota::start().await;
    let order = |id: &str| json!({"id": id, "msisdn": NUMBER, "tar": "4D4944", "payload": "00", "por": "always"});
    // Whoever comes late with an id of another life gets the state of everything, and every event again.
    ota.post("/v1/messages", order("a")).await;
    ota.bench.idle().await;
    let late = events(&ota, Some("00000000-1"), 3).await;
    let [(_, kind, state), (_, _, _), (first, _, _)] = &late[..] else {
        panic!("{late:?}")
    };
    assert_eq!(
        (kind.as_str(), &state["state"]),
        ("state", &json!("acknowledged"))
    );
    // From there on, in order, and nothing twice.
    ota.post("/v1/messages", order("b")).await;
    ota.bench.idle().await;
    let seen = events(&ota, Some(first), 2).await;
    let kinds: Vec<_> = seen
        .iter()
        .map(|(_, kind, value)| (kind.as_str(), value["id"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds.len(), 2, "{seen:?}");
    assert!(
        kinds.contains(&("sent", "b")) && kinds.contains(&("acknowledged", "b")),
        "{seen:?}"
    );
    let rest = events(&ota, Some(&seen[0].0), 1).await;
    assert_eq!(rest, seen[1..]);
    ota.bench.finish().await;
}

#[tokio::test]
async fn the_guards_of_the_control_api_hold_here_too() {
    let ota = Ota::start().await;
    let url = format!("{}/v1/messages", ota.url);
    for (headers, status) in [
        (
            [
                ("content-type", "application/json"),
                ("host", "evil.example"),
            ],
            421,
        ),
        (
            [
                ("content-type", "application/json"),
                ("origin", "http://evil.example"),
            ],
            403,
        ),
        ([("content-type", "text/plain"), ("x-nothing", "0")], 415),
    ] {
        let answer = ota.bench.request(Method::POST, &url, &headers, "{}").await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    ota.bench.finish().await;
}

#[tokio::test]
async fn everything_that_is_documented_is_there() {
    let ota = Ota::start().await;
    let document = ota.document.clone();
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            if path == "/v1/events" {
                continue;
            }
            let concrete = path.replace("{id}", "nobody").replace("{card}", ICCID);
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = ota.call(method.clone(), &concrete, json!({})).await;
            assert!(
                ![405, 500].contains(&answer.status),
                "{method} {path}: {}",
                answer.text()
            );
            assert!(
                !answer.text().contains("there is nothing at"),
                "{method} {path}"
            );
        }
    }
    // Every reference leads somewhere.
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
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
    ota.bench.finish().await;
}

#[tokio::test]
async fn user_data_goes_in_message_payload_where_the_world_says_so() {
    let text = midsim::world::DEFAULT.replace(
        "[smpp]\n",
        "[smpp]\ndata_coding = 0xF6\nmessage_payload = true\n",
    );
    let world = World::parse(&text).unwrap();
    assert!(world.smpp.message_payload);
    let bench = Bench::of(Builder::new(world)).await;
    let url = format!("{}/v1/remote", bench.suite.urls().ota);
    let headers = [("content-type", "application/json")];
    let body = json!({"msisdn": NUMBER, "action": "read-iccid"}).to_string();
    let answer = bench.request(Method::POST, &url, &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    bench.finish().await;
}
