//! Bad input over real sockets: whoever sends it gets the error of their own protocol, the trace says what happened,
//! and the next good request succeeds.

use bytes::Bytes;
use midsim::suite::Builder;
use midsim::world::World;

use crate::support::sockets::{
    Answer, BEN, Bench, Closed, GRETA, NOBODY, Server, attribute, field, good_fields, line, named,
    notification, outline, signature_request,
};

const POLL: (&str, &str) = ("poll", "poll-secret");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_msisdn() {
    let bench = Bench::start().await;
    let answer = bench
        .form("/bc-authorize", POLL, &good_fields(NOBODY))
        .await;
    answer.is_oauth_error(400, "unknown_user_id");
    refused_in_trace(&bench, "HTTP 400 unknown_user_id");

    let request = signature_request("midsim-ap", NOBODY, "A1");
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    let detail = answer.is_soap_fault(500, 105);
    assert!(detail.contains(NOBODY), "{detail}");
    fault_in_trace(&bench, "mss:_105");

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_client_secret() {
    let bench = Bench::start().await;
    let wrong = ("poll", "poll-secreT");
    let challenged = |answer: &Answer| {
        answer.is_oauth_error(401, "invalid_client");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    };
    challenged(&bench.form("/bc-authorize", wrong, &good_fields(BEN)).await);
    refused_in_trace(&bench, "HTTP 401 invalid_client");

    // Nor does it cost the right client its tokens.
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    let fields = [
        ("grant_type", "urn:openid:params:grant-type:ciba"),
        ("auth_req_id", id.as_str()),
    ];
    challenged(&bench.form("/token", wrong, &fields).await);
    line(&bench.newest(), "HTTP 401 invalid_client");
    bench
        .form("/token", ("ping", "ping-secret"), &fields)
        .await
        .is_oauth_error(400, "invalid_grant");
    bench.expect_tokens("poll", &id).await;

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_acr_values() {
    let bench = Bench::start().await;
    let mut fields = good_fields(BEN);
    fields.retain(|(name, _)| *name != "acr_values");
    let answer = bench.form("/bc-authorize", POLL, &fields).await;
    let description = answer.is_oauth_error(400, "invalid_request");
    assert!(description.contains("acr_values"), "{description}");
    refused_in_trace(&bench, "HTTP 400 invalid_request");
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hints() {
    let bench = Bench::start().await;
    let mut fields = good_fields(BEN);
    fields.push(("id_token_hint", "e30.e30.e30"));
    let answer = bench.form("/bc-authorize", POLL, &fields).await;
    let description = answer.is_oauth_error(400, "invalid_request");
    assert!(
        description.contains("login_hint") && description.contains("id_token_hint"),
        "{description}"
    );
    refused_in_trace(&bench, "HTTP 400 invalid_request");

    let mut fields = good_fields(BEN);
    fields.push(("login_hint", GRETA));
    let answer = bench.form("/bc-authorize", POLL, &fields).await;
    answer.is_oauth_error(400, "invalid_request");

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_soap() {
    let bench = Bench::start().await;
    let good = signature_request("midsim-ap", BEN, "A1");
    for malformed in [
        String::new(),
        "not xml".into(),
        good.replace("</env:Envelope>", ""),
        good.replace("</env:Body>", "</env:Header>"),
        good.replace("env:Body", "env:Corpse"),
        good.replace("Sign in?", "Sign in&unknown;"),
        format!("{good}<more/>"),
    ] {
        let answer = bench.soap(&bench.suite.mssp_url(), malformed.clone()).await;
        answer.is_soap_fault(500, 101);
        let lines = bench.newest();
        assert_eq!(lines[0].name, "not a SOAP call", "{malformed}");
        fault_in_trace(&bench, "mss:_101");
    }
    // Well-formed, and an envelope, but without what the message needs.
    let without = good.replace(" AP_TransID=\"A1\"", "");
    bench
        .soap(&bench.suite.mssp_url(), without)
        .await
        .is_soap_fault(500, 102);
    fault_in_trace(&bench, "mss:_102");

    let answer = bench.soap(&bench.suite.mssp_url(), good).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    bench.idle().await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctype() {
    let bench = Bench::start().await;
    let good = signature_request("midsim-ap", BEN, "A1");
    let (declaration, envelope) = good.split_once("?>").unwrap();
    for doctype in [
        "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>",
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE x [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/x\"> %p;]>",
    ] {
        let hostile = format!("{declaration}?>{doctype}{envelope}");
        let answer = bench.soap(&bench.suite.mssp_url(), hostile).await;
        let detail = answer.is_soap_fault(500, 101);
        assert!(detail.contains("DOCTYPE"), "{detail}");
        line(&bench.newest(), "not a SOAP call");
        fault_in_trace(&bench, "mss:_101");
    }
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_ap_pwd() {
    let bench = Bench::start().await;
    let wrong = "midsim-Ap";
    let request = signature_request(wrong, BEN, "A1");
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    let detail = answer.is_soap_fault(500, 104);
    assert!(!detail.contains(wrong), "{detail}");
    fault_in_trace(&bench, "mss:_104");
    let lines = bench.newest();
    let octets = line(&lines, "MSS_SignatureReq").octets.as_ref().unwrap();
    assert!(octets.hex.contains("xx"), "the password is masked");
    assert!(!octets.hex.contains(&hex::encode(wrong)));
    assert!(named(&lines, "challenge").is_empty(), "{}", outline(&lines));

    // The AP_TransID is not used up by somebody else's attempt.
    let request = signature_request("midsim-ap", BEN, "A1");
    let answer = bench.soap(&bench.suite.mssp_url(), request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    bench.idle().await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_body() {
    let bench = Bench::start().await;
    let too_large = Bytes::from(vec![b'a'; (1 << 20) + 1]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let url = format!("{}/bc-authorize", bench.suite.op_url());
    let answer = bench
        .request(http::Method::POST, &url, &headers, too_large.clone())
        .await;
    answer.is_oauth_error(413, "invalid_request");
    let lines = bench.newest();
    assert_eq!(
        field(line(&lines, "POST /bc-authorize refused"), "why"),
        "the body is larger than 1 MB"
    );

    let answer = bench.soap(&bench.suite.mssp_url(), too_large).await;
    let detail = answer.is_soap_fault(500, 101);
    assert!(detail.contains("1048576"), "{detail}");
    let lines = bench.newest();
    assert_eq!(line(&lines, "POST /soap refused").to, "MSSP");

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

/// A transaction whose user thinks, and what somebody who listens to the OP's side of SOAP knows of it.
struct Eavesdropped {
    bench: Bench,
    _proxy: Server,
    id: String,
    ap_url: String,
    ap_trans_id: String,
    mssp_trans_id: String,
}

impl Eavesdropped {
    async fn start(number: &str) -> Self {
        let closed = Closed::new();
        let url = closed.url("/soap");
        let proxy = Server::proxy(closed.open());
        let bench = Bench::of(Builder::new(World::default()).mssp_url(url)).await;
        proxy.passes_on_to(bench.suite.mssp_url());
        let id = bench.begin("poll", number).await;
        bench.idle().await;
        let request = proxy.seen_with("MSS_SignatureReq");
        let lines = bench.lines(&id);
        let acknowledged = line(&lines, "MSS_SignatureResp");
        Self {
            ap_url: attribute(&request, "AP_URL"),
            ap_trans_id: attribute(&request, "AP_TransID"),
            mssp_trans_id: field(acknowledged, "MSSP_TransID").to_owned(),
            bench,
            _proxy: proxy,
            id,
        }
    }

    async fn ring(&self, url: &str, ids: (&str, &str), number: &str, status: u16) -> Answer {
        let body = notification(ids.0, ids.1, number, status);
        let answer = self.bench.soap(url, body).await;
        self.bench.idle().await;
        answer
    }

    fn ids(&self) -> (&str, &str) {
        (&self.ap_trans_id, &self.mssp_trans_id)
    }

    /// What the trace says that the OP made of the notifications.
    fn taken(&self) -> Vec<String> {
        let lines = self.bench.lines(&self.id);
        named(&lines, "MSS_Notification")
            .into_iter()
            .filter(|line| line.fields.iter().any(|(name, _)| name == "taken"))
            .map(|line| field(line, "taken").to_owned())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_notification_with_a_wrong_secret() {
    let flow = Eavesdropped::start(GRETA).await;
    let (path, _) = flow.ap_url.rsplit_once('/').unwrap();
    let guess = format!("{path}/guess");
    let answer = flow.ring(&guess, flow.ids(), GRETA, 502).await;
    answer.is_oauth_error(404, "not_found");
    let lines = flow.bench.newest();
    let forged = line(&lines, "MSS_Notification");
    assert_eq!(
        field(forged, "taken"),
        "refused: the path holds no secret of ours"
    );
    assert!(flow.taken().is_empty(), "not in the trace of its victim");
    flow.bench
        .expect_error("poll", &flow.id, "authorization_pending")
        .await;
    flow.bench.next_good_request_succeeds().await;
    flow.bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_notification_with_the_right_secret() {
    let flow = Eavesdropped::start(GRETA).await;
    let (ap, mssp) = flow.ids();
    for (ids, number, what) in [
        ((ap, mssp), BEN, "MSISDN"),
        (("Aother", mssp), GRETA, "AP_TransID"),
        ((ap, "Mother"), GRETA, "MSSP_TransID"),
    ] {
        let answer = flow.ring(&flow.ap_url, ids, number, 502).await;
        let detail = answer.is_soap_fault(400, 101);
        let why = format!("{what} is not that of the transaction");
        assert_eq!(detail, why);
        assert_eq!(flow.taken().pop(), Some(format!("refused: {why}")));
    }
    // Nothing is wrong with this one but that it is not true: the OP asks before it believes.
    let answer = flow.ring(&flow.ap_url, (ap, mssp), GRETA, 502).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("Value=\"600\""), "{}", answer.text());
    assert_eq!(flow.taken().pop().as_deref(), Some("news"));
    let lines = flow.bench.lines(&flow.id);
    line(&lines, "MSS_StatusReq");
    let outstanding = |line: &&midsim::trace::Line| {
        line.fields
            .iter()
            .any(|(name, value)| name == "Status" && value.starts_with("504"))
    };
    assert!(lines.iter().any(|line| outstanding(&line)));
    flow.bench
        .expect_error("poll", &flow.id, "authorization_pending")
        .await;
    assert!(named(&lines, "id_token, access_token").is_empty());

    flow.bench.next_good_request_succeeds().await;
    flow.bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_notification() {
    let flow = Eavesdropped::start(GRETA).await;
    let (ap, mssp) = flow.ids();
    let good = notification(ap, mssp, GRETA, 502);
    for (malformed, taken) in [
        (String::new(), "refused: "),
        (good.replace("</env:Envelope>", ""), "refused: "),
        (
            good.replace("?>", "?><!DOCTYPE x [<!ENTITY a \"ha\">]>"),
            "refused: ",
        ),
        (
            good.replace("MSS_StatusResp", "MSS_SignatureResp"),
            "refused: expected MSS_StatusResp, got MSS_SignatureResp",
        ),
        (
            good.replace("StatusCode", "StatusColour"),
            "refused: Status is missing",
        ),
    ] {
        let answer = flow.bench.soap(&flow.ap_url, malformed.clone()).await;
        answer.is_soap_fault(400, 101);
        let said = flow.taken().pop().unwrap();
        assert!(said.starts_with(taken), "{said}: {malformed}");
    }
    let lines = flow.bench.lines(&flow.id);
    assert!(named(&lines, "MSS_StatusReq").is_empty(), "nothing rang");
    flow.bench
        .expect_error("poll", &flow.id, "authorization_pending")
        .await;
    flow.bench.next_good_request_succeeds().await;
    flow.bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_notification() {
    let flow = Eavesdropped::start(BEN).await;
    assert_eq!(flow.taken(), ["news"]);
    for status in [502, 401] {
        let answer = flow.ring(&flow.ap_url, flow.ids(), BEN, status).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("Value=\"600\""), "{}", answer.text());
        assert_eq!(flow.taken().pop().as_deref(), Some("old, changes nothing"));
    }
    flow.bench.expect_tokens("poll", &flow.id).await;
    flow.ring(&flow.ap_url, flow.ids(), BEN, 502).await;
    flow.bench
        .expect_error("poll", &flow.id, "invalid_grant")
        .await;
    let lines = flow.bench.lines(&flow.id);
    assert_eq!(named(&lines, "id_token, access_token").len(), 1);
    flow.bench.next_good_request_succeeds().await;
    flow.bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_notification() {
    let flow = Eavesdropped::start(GRETA).await;
    flow.bench.advance(120).await;
    flow.bench
        .expect_error("poll", &flow.id, "expired_token")
        .await;
    let answer = flow.ring(&flow.ap_url, flow.ids(), GRETA, 502).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("Value=\"600\""), "{}", answer.text());
    assert_eq!(flow.taken().pop().as_deref(), Some("old, changes nothing"));
    flow.bench
        .expect_error("poll", &flow.id, "expired_token")
        .await;
    flow.bench.next_good_request_succeeds().await;
    flow.bench.finish().await;
}

/// The OP tells of a request that it refused at bc-authorize.
fn refused_in_trace(bench: &Bench, answer: &str) {
    let lines = bench.newest();
    let names: Vec<_> = lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["POST /bc-authorize", answer]);
}

/// The newest trace ends with this fault.
fn fault_in_trace(bench: &Bench, code: &str) {
    let lines = bench.newest();
    let last = lines.last().unwrap();
    assert_eq!(last.name, "env:Fault", "{}", outline(&lines));
    assert_eq!(field(last, "code"), code);
}
