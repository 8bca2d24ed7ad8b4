//! RFC 6749 §6 with the rotation of RFC 9700 §4.14.2.

use super::*;

fn refreshing() -> World {
    World::with(|config| config.refresh_tokens = true)
}

fn refresh(world: &mut World, client: &str, token: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    form.extend_from_slice(more);
    answer(&world.post("/token", client, &form))
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn refresh_token_rotates_and_is_bound_to_its_client() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[("nonce", "n-1")]);
    let first = text_of(&tokens["refresh_token"]);
    let (status, body) = refresh(&mut world, "poll2", &first, &[]);
    assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
    world.now = 100;
    let (status, renewed) = refresh(&mut world, "poll", &first, &[]);
    assert_eq!(status, 200, "another client's try has ended nothing");
    let claims = world.signer.verify(renewed["id_token"].as_str().unwrap());
    assert_eq!(
        claims["auth_time"],
        at(0).as_second(),
        "no new authentication"
    );
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["iat"], at(100).as_second());
    assert_ne!(renewed["refresh_token"], tokens["refresh_token"]);
    assert_ne!(renewed["access_token"], tokens["access_token"]);
    let second = text_of(&renewed["refresh_token"]);
    let (status, again) = refresh(&mut world, "poll", &second, &[]);
    assert_eq!(status, 200, "the new one is good, and brings the next");
    assert_ne!(again["refresh_token"], renewed["refresh_token"]);
}

/// OpenID Connect Core §12.2.
#[test]
fn a_refresh_keeps_the_sub_of_a_client_that_has_become_pairwise() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[]);
    let sub = |world: &mut World, tokens: &Value| {
        let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
        let userinfo = world.userinfo(tokens["access_token"].as_str().unwrap());
        assert_eq!(answer(&userinfo).1["sub"], claims["sub"]);
        text_of(&claims["sub"])
    };
    let first = sub(&mut world, &tokens);
    let mut config = world.op.config().clone();
    config.clients[0].issuance = crate::Issuance {
        subject_type: crate::SubjectType::Pairwise,
        sector_identifier_uri: Some("https://rp.example/redirects.json".to_owned()),
        ..crate::Issuance::default()
    };
    world.op = Op::new(config).unwrap();
    let mut renewed = tokens;
    for _ in 0..2 {
        let token = text_of(&renewed["refresh_token"]);
        renewed = refresh(&mut world, "poll", &token, &[]).1;
        assert_eq!(sub(&mut world, &renewed), first);
    }
    let anew = world.tokens("poll", &[]);
    assert_ne!(sub(&mut world, &anew), first, "a new authentication");
}

#[test]
fn a_refresh_token_that_comes_twice_ends_every_token_of_the_authentication() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[]);
    let first = text_of(&tokens["refresh_token"]);
    let (_, renewed) = refresh(&mut world, "poll", &first, &[]);
    let (status, body) = refresh(&mut world, "poll", &first, &[]);
    assert_eq!((status, &body["error"]), (400, &"invalid_grant".into()));
    assert!(text_of(&body["error_description"]).contains("used before"));
    let second = text_of(&renewed["refresh_token"]);
    assert_eq!(
        refresh(&mut world, "poll", &second, &[]).1["error"],
        "invalid_grant",
        "the newest, too"
    );
    for bearer in [&tokens["access_token"], &renewed["access_token"]] {
        assert_eq!(world.userinfo(bearer.as_str().unwrap()).status(), 401);
    }
}

#[test]
fn scope_can_be_narrowed_and_not_widened() {
    let mut world = refreshing();
    let tokens = world.tokens("poll", &[("scope", "openid phone")]);
    let first = text_of(&tokens["refresh_token"]);
    let wider = [("scope", "openid phone profile")];
    assert_eq!(
        refresh(&mut world, "poll", &first, &wider).1["error"],
        "invalid_scope"
    );
    let (status, narrow) = refresh(&mut world, "poll", &first, &[("scope", "openid")]);
    assert_eq!((status, &narrow["scope"]), (200, &"openid".into()));
    let userinfo = world.userinfo(narrow["access_token"].as_str().unwrap());
    assert!(answer(&userinfo).1.get("phone_number").is_none());
    // RFC 6749 §6: the grant itself stays as wide as it was.
    let second = text_of(&narrow["refresh_token"]);
    assert_eq!(
        refresh(&mut world, "poll", &second, &[]).1["scope"],
        "openid phone"
    );
}

#[test]
fn it_expires_and_leaves_nothing() {
    let mut world = World::with(|config| {
        config.refresh_tokens = true;
        config.lifetimes.refresh_token = 4000;
    });
    let first = text_of(&world.tokens("poll", &[])["refresh_token"]);
    world.now = 4000; // the timer has not fired yet
    assert_eq!(
        refresh(&mut world, "poll", &first, &[]).1["error"],
        "invalid_grant"
    );
    world.advance(0);
    assert!(
        world.store.records.is_empty(),
        "{:?}",
        world.store.records.keys()
    );
}

#[test]
fn two_refreshes_of_one_version_conflict() {
    let mut world = refreshing();
    let first = text_of(&world.tokens("poll", &[])["refresh_token"]);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", first.as_str()),
    ];
    let before = world.store.clone();
    let mut runs: Vec<_> = (0..2)
        .map(|_| {
            let input = world.http_input(form_request("/token", "poll", &form));
            let reader = before.reader();
            let step = world.op.step(&reader, input, at(0), &mut world.rng);
            (step, reader.into_read())
        })
        .collect();
    let mut committed = runs
        .iter_mut()
        .map(|(step, read)| world.store.commit(step, read));
    assert_eq!(
        (committed.next(), committed.next()),
        (Some(true), Some(false))
    );
}

#[test]
fn malformed_refresh_tokens_are_invalid_grant() {
    let mut world = refreshing();
    let first = text_of(&world.tokens("poll", &[])["refresh_token"]);
    let (name, _) = first.split_once('.').unwrap();
    for bad in [
        "x",
        ".",
        "a.b",
        name,
        &format!("{first}."),
        &format!(".{first}"),
    ] {
        let (status, body) = refresh(&mut world, "poll", bad, &[]);
        assert_eq!(
            (status, &body["error"]),
            (400, &"invalid_grant".into()),
            "{bad}"
        );
    }
    let (status, body) = answer(&world.post("/token", "poll", &[("grant_type", "refresh_token")]));
    assert_eq!((status, &body["error"]), (400, &"invalid_request".into()));
}

#[test]
fn a_client_that_is_not_registered_for_refresh_gets_and_redeems_none() {
    let mut world = World::with(|config| {
        config.refresh_tokens = true;
        config.clients[0].requests.grant_types = vec![CIBA.into()];
    });
    let tokens = world.tokens("poll", &[]);
    assert!(tokens.get("refresh_token").is_none(), "{tokens}");
    let others = text_of(&world.tokens("poll2", &[])["refresh_token"]);
    for token in ["x.y", &others] {
        let (status, body) = refresh(&mut world, "poll", token, &[]);
        assert_eq!(
            (status, &body["error"]),
            (400, &"unauthorized_client".into())
        );
    }
    assert_eq!(refresh(&mut world, "poll2", &others, &[]).0, 200);
}
