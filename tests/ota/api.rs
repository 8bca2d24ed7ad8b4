//! What the API itself promises: problem documents, guards, its document.

use http::Method;
use serde_json::json;

use super::support::*;

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
