//! Orders of messages, and what comes of them.

use http::Method;
use midsim::suite::Builder;
use midsim::world::World;
use serde_json::{Value, json};

use super::support::*;
use crate::support::Folder;
use crate::support::sockets::Bench;

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

/// Whoever is cut off among the states has not been told the others yet.
#[tokio::test]
async fn a_stream_that_broke_among_the_states_tells_them_all_again() {
    let ota = Ota::start().await;
    for id in ["a", "b"] {
        let order =
            json!({"id": id, "msisdn": NUMBER, "tar": "4D4944", "payload": "00", "por": "always"});
        ota.post("/v1/messages", order).await;
        ota.bench.idle().await;
    }
    let states = |events: &[(String, String, Value)]| -> Vec<Value> {
        let states = events.iter().filter(|(_, kind, _)| kind == "state");
        states.map(|(_, _, value)| value["id"].clone()).collect()
    };
    let seen = events(&ota, Some("none"), 6).await;
    assert_eq!(states(&seen), ["a", "b"]);
    let again = events(&ota, Some(&seen[0].0), 4).await;
    assert_eq!(states(&again), ["a", "b"], "{again:?}");
    // Behind them nothing is told twice.
    let (last, _, _) = &seen[5];
    ota.post(
        "/v1/messages",
        json!({"id": "c", "msisdn": NUMBER, "tar": "4D4944", "payload": "00", "por": "always"}),
    )
    .await;
    ota.bench.idle().await;
    let rest = events(&ota, Some(last), 2).await;
    assert!(
        rest.iter().all(|(_, _, value)| value["id"] == "c"),
        "{rest:?}"
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
