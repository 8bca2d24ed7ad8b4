//! The examples in `docs/mssp.md` do what the page says.

use super::*;

const PAGE: &str = include_str!("../../../docs/mssp.md");

fn between<'a>(start: &str, end: &str) -> &'a str {
    let (_, rest) = PAGE.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

#[test]
fn the_example_request_is_signed_and_answered_as_shown() {
    let mut world = World::new();
    let (id, step) = world.post(between("<<'XML'\n", "\nXML\n"));
    let submit = submitted(&step);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let answer = answer(&step, id).unwrap();
    assert_eq!(answer.status(), "502");

    // But for the values of the moment, the page shows the same answer.
    let names = |element: &Element| {
        let mut names = Vec::new();
        let mut stack = vec![element];
        while let Some(element) = stack.pop() {
            names.push(element.local.to_string());
            names.extend(element.attributes.iter().map(|a| a.local.to_string()));
            stack.extend(element.elements());
        }
        names
    };
    let shown = between("wrapped for reading):\n\n```xml\n", "```").replace(
        "<MSS_SignatureResponse>",
        "<MSS_SignatureResponse xmlns:mss=\"http://uri.etsi.org/TS102204/v1.1.2#\">",
    );
    let root = answer.root();
    let given = find(&root, "MSS_SignatureResponse").unwrap();
    assert_eq!(names(&parse(shown.as_bytes()).unwrap()), names(given));
}

#[test]
fn the_example_receipt_acknowledges_a_notification() {
    let mut world = World::new();
    let (id, submit) = world.begin(&SignatureRequest {
        mode: "asynchServerServer".into(),
        ap_url: Some("http://op.test/n".into()),
        ..SignatureRequest::default()
    });
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let receipt = between("the same MSSP_TransID:\n\n```xml\n", "```");
    let receipt = receipt.replace("Md659cce65af39af629ba", &id);
    world.feed(Input::Answer {
        id: sent(&step).unwrap().id,
        result: Ok(Response::new(Bytes::from(receipt))),
    });
    assert!(!world.timers.contains_key(&format!("notify/{id}")));
}

const DIALECTS: &str = include_str!("../../../docs/dialects.md");

#[test]
fn the_example_in_json_is_signed() {
    let (_, rest) = DIALECTS.split_once("<<'JSON'\n").unwrap();
    let (body, _) = rest.split_once("\nJSON\n").unwrap();
    let mut world = World::new();
    let request = Request::post("/rest/service")
        .header("content-type", "application/json")
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap();
    let id = RequestId(1);
    let step = world.feed(Input::Http { id, request });
    let submit = submitted(&step);
    let step = world.mo(&submit.msisdn, applet(&submit, ResultCode::OK));
    let answer = answer(&step, id).unwrap().0;
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        answer["MSS_SignatureResp"]["Status"]["StatusCode"]["Value"],
        "502"
    );
}

/// The table of dialects says what the dialects do.
#[test]
fn the_table_of_dialects_is_true() {
    let row = |name: &str| -> Vec<String> {
        let line = DIALECTS
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")))
            .unwrap();
        line.split('|')
            .skip(2)
            .take(4)
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let order = [
        Dialect::Etsi,
        Dialect::MobileConnect,
        Dialect::Ficom,
        Dialect::Swisscom,
    ];
    let of = |value: fn(&crate::dialect::Rules) -> String| order.map(|d| value(d.rules()));
    assert_eq!(
        row("characters of AP_TransID"),
        of(|r| r.ap_trans_id.to_string())
    );
    assert_eq!(
        row("characters of DataToBeSigned"),
        of(|r| r.text.to_string())
    );
    assert_eq!(row("a suspended user"), of(|r| r.suspended.0.0.to_string()));
    assert_eq!(
        row("a user who is not registered"),
        of(|r| r.unregistered.0.0.to_string())
    );
    let versions = of(|r| {
        let all: Vec<_> = r.versions.iter().map(ToString::to_string).collect();
        all.join(", ")
    });
    assert_eq!(row("MajorVersion/MinorVersion"), versions);
}
