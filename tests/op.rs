//! What a world file can switch at the OP, and what userinfo leaves in the trace.

use midsim::rp::Ended;
use midsim::suite::{Builder, OpSwitches, StartError};
use midsim::world::{DEFAULT, Mode, World};

use crate::support::flow;
use crate::support::sockets::{
    BEN, Bench, Closed, Server, field, good_fields, line, named, outline, secret,
};

#[test]
fn a_world_can_have_refresh_tokens() {
    for (switch, expected) in [("false", false), ("true", true)] {
        let text = DEFAULT.replace(
            "refresh_tokens = false",
            &format!("refresh_tokens = {switch}"),
        );
        let world = World::parse(&text).unwrap();
        let mut suite = Builder::new(world).seed(1).in_process().unwrap();
        let push = flow(&suite.issuer(), Mode::Push, "+447700900002");
        let ended = suite.run(&push).unwrap();
        let Ended::Tokens(tokens) = ended else {
            panic!("{ended:?}");
        };
        assert_eq!(tokens.refresh_token.is_some(), expected);
        let rt_hash = &tokens.claims["urn:openid:params:jwt:claim:rt_hash"];
        assert_eq!(rt_hash.is_string(), expected, "{rt_hash}");
    }
}

#[test]
fn userinfo_is_in_the_trace_of_its_transaction() {
    let mut suite = Builder::new(World::default()).seed(1).in_process().unwrap();
    let poll = flow(&suite.issuer(), Mode::Poll, "+447700900002");
    assert!(matches!(suite.run(&poll).unwrap(), Ended::Tokens(_)));
    let lines = suite.lines();
    assert_eq!(lines[0].step, Some(1));
    assert_eq!(lines.last().unwrap().name, "GET /userinfo 200 OK");
}

#[tokio::test]
async fn a_client_of_the_world_that_contradicts_fapi_ciba_stops_the_start() {
    let switches = OpSwitches {
        profile: op_bridge::Profile::FapiCiba,
        ..OpSwitches::default()
    };
    let signs = "backchannel_authentication_request_signing_alg = \"ES256\"\n";
    let with = |line: &str| {
        let text = DEFAULT.replacen(signs, &format!("{signs}{line}"), 1);
        assert!(text.contains(line));
        Builder::new(World::parse(&text).unwrap()).op(switches)
    };
    for (member, why) in [
        (
            "require_signed_request_object",
            "must be true, or left out: FAPI-CIBA section 5.2.2 wants every request signed",
        ),
        (
            "tls_client_certificate_bound_access_tokens",
            "must be true, or left out: FAPI-CIBA section 5.2.2 builds on FAPI-RW section 5.2.2",
        ),
    ] {
        let refused = with(&format!("{member} = false\n")).start().await;
        let error = refused.err().unwrap();
        assert!(matches!(&error, StartError::Client { id, .. } if id == "signed"));
        assert!(error.is_configuration());
        let text = error.to_string();
        let expected = format!("client signed of the world: {member} {why}");
        assert!(text.starts_with(&expected), "{text}");
        let agreed = with(&format!("{member} = true\n")).start().await.unwrap();
        agreed.shutdown().await;
    }
}

#[test]
fn a_world_can_have_acr_values_of_its_own() {
    let own = "acr_values = [{ name = \"sim-auth\", asks = \"pin\" }, { name = \"sim-ok\", asks = \"confirm\" }]";
    let world = |line: &str| DEFAULT.replacen("[op]\n", &format!("[op]\n{line}\n"), 1);
    let suite = |line: &str| {
        let world = World::parse(&world(line)).unwrap();
        Builder::new(world).seed(1).in_process()
    };
    let mut known = suite(own).unwrap();
    for (acr, asks) in [("sim-auth", true), ("sim-ok", false)] {
        let mut poll = flow(&known.issuer(), Mode::Poll, "+447700900002");
        poll.acr_values = format!("mod-mf {acr}");
        let Ended::Tokens(tokens) = known.run(&poll).unwrap() else {
            panic!("{acr}");
        };
        assert_eq!(tokens.claims["acr"], acr, "the only one it knows");
        let amr = tokens.claims["amr"].as_array().unwrap();
        assert_eq!(amr.iter().any(|method| method == "pin"), asks, "{acr}");
    }
    for bad in [
        "acr_values = [{ name = \"a b\", asks = \"pin\" }]",
        "acr_values = [{ name = \"a\", asks = \"pin\" }, { name = \"a\", asks = \"confirm\" }]",
        "acr_values = []",
    ] {
        let refused = suite(bad).err().unwrap().to_string();
        assert!(refused.contains("acr"), "{bad}: {refused}");
    }
    let wrong = World::parse(&world("acr_values = [{ name = \"a\", asks = \"face\" }]"));
    assert!(wrong.err().unwrap().to_string().contains("signature"));
}

#[tokio::test]
async fn a_world_sets_lifetimes_delivery_and_how_the_mssp_is_dealt_with() {
    let switches = "[op.lifetimes]\nauth_req_id = 33\nid_token = 44\naccess_token = 55\n\
        [op.delivery]\ntries = 2\nback_off = 7\n[op.mssp]\nbusy_retry = 9\nconfirm_notifications = false\n\
        pin_profile = \"http://uri.gsma.com/mobileconnect/LoA3/CBCMAC3DES\"\n[op.hints]\n";
    let text = DEFAULT.replacen("[op.hints]\n", switches, 1);
    let place = Closed::new();
    let endpoint = place.url("/cb");
    let text = text.replacen(
        "id = \"ping\"\n",
        &format!("id = \"ping\"\nnotification_endpoint = \"{endpoint}\"\n"),
        1,
    );
    let bench = Bench::of(Builder::new(World::parse(&text).unwrap())).await;
    let server = Server::endpoint(place.open(), &[503, 503, 503]);
    let id = bench.begin("ping", BEN).await;
    bench.idle().await;
    bench.advance(6).await;
    assert_eq!(server.seen().len(), 1, "back_off");
    bench.advance(60).await;
    assert_eq!(server.seen().len(), 2, "tries");
    let lines = bench.lines(&id);
    assert!(outline(&lines).contains("MSS_Notification"));
    assert!(named(&lines, "MSS_StatusReq").is_empty(), "it is believed");
    let profile = field(line(&lines, "MSS_SignatureReq"), "SignatureProfile").to_owned();
    assert!(profile.ends_with("CBCMAC3DES"), "{profile}");
    let expired = bench.expect_error("ping", &id, "expired_token").await;
    assert!(expired.text().contains("expires_in"));
    let second = bench.begin("poll", BEN).await;
    bench.idle().await;
    let tokens = bench.token("poll", &second).await.json();
    assert_eq!(tokens["expires_in"], 55);
    bench.finish().await;
}

#[test]
fn switches_that_do_not_exist_or_cannot_be_are_refused_by_name() {
    for (switch, named) in [
        ("[op.lifetimes]\nrefresh = 1\n", "unknown field `refresh`"),
        ("[op.delivery]\ntry = 1\n", "try"),
        ("[op.mssp]\nquery_interval = 0\n", "nonzero"),
        ("[op.mssp]\nquery = 1\n", "query"),
    ] {
        let text = DEFAULT.replacen("[op.hints]\n", &format!("{switch}[op.hints]\n"), 1);
        let refused = World::parse(&text).err().unwrap().to_string();
        assert!(refused.contains(named), "{refused}");
    }
}

#[test]
fn a_foreign_discovery_service_has_its_keys_in_one_place() {
    let start = |keys: &str| {
        let issuer = format!("[[op.hints.issuer]]\niss = \"https://d.example\"\n{keys}\n[smpp]\n");
        let text = DEFAULT.replacen("[smpp]\n", &issuer, 1);
        Builder::new(World::parse(&text).unwrap()).in_process()
    };
    assert!(start("jwks_uri = \"https://d.example/jwks\"").is_ok());
    for keys in [
        "",
        "jwks_uri = \"ftp://d.example/jwks\"",
        "jwks_uri = \"https://d.example/jwks\"\njwks.keys = []",
    ] {
        let refused = start(keys).err().unwrap();
        assert!(matches!(&refused, StartError::HintIssuerKeys(iss) if iss == "https://d.example"));
        assert!(refused.is_configuration());
    }
}

/// What the MSSP would refuse is refused to the client, in the words of its own protocol.
#[tokio::test]
async fn a_text_that_the_mssp_does_not_take_is_refused_before_it_is_asked() {
    let plain = DEFAULT.to_owned();
    let ficom = DEFAULT.replacen("dialect = \"mobile-connect\"", "dialect = \"ficom\"", 1);
    let of = ["\u{1f600}", "Pay \u{20000}", "\u{a0}", "\u{a0}\u{3000}"];
    let cases = of.map(|text| (&plain, text));
    for (world, text) in cases.into_iter().chain([(&ficom, "\u{6f22}\u{5b57}")]) {
        let bench = Bench::of(Builder::new(World::parse(world).unwrap())).await;
        let mut fields = good_fields(BEN);
        fields.retain(|(name, _)| *name != "binding_message");
        fields.push(("binding_message", text));
        let secret = secret("poll");
        let answer = bench
            .form("/bc-authorize", ("poll", &secret), &fields)
            .await;
        answer.is_oauth_error(400, "invalid_binding_message");
        let metadata =
            serde_json::json!({"backchannel_token_delivery_mode": "poll", "client_name": text});
        let url = format!("{}/register", bench.suite.op_url());
        let json = [("content-type", "application/json")];
        let answer = bench
            .request(http::Method::POST, &url, &json, metadata.to_string())
            .await;
        answer.is_oauth_error(400, "invalid_client_metadata");
        bench.finish().await;
    }
    // Of the UCS2 that the MSSP takes nothing is refused.
    let bench = Bench::start().await;
    let text = [("binding_message", "\u{6f22}\u{5b57}")];
    let id = bench.begin_with("poll", BEN, &text).await;
    bench.idle().await;
    bench.expect_tokens("poll", &id).await;
    bench.finish().await;
}
