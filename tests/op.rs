//! What a world file can switch at the OP, and what userinfo leaves in the trace.

use midsim::rp::Ended;
use midsim::suite::{Builder, OpSwitches, StartError};
use midsim::world::{DEFAULT, Mode, World};

use crate::support::flow;

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
