//! `sub` (CIBA Core §4, OpenID Connect Core §8).

use super::*;
use crate::{ConfigError, Issuance, SubjectType};

fn sector(host: &str) -> Issuance {
    Issuance {
        subject_type: SubjectType::Pairwise,
        sector_identifier_uri: Some(format!("https://{host}/redirects.json")),
        ..Issuance::default()
    }
}

fn sub(world: &mut World, client: &str) -> String {
    let tokens = world.tokens(client, &[]);
    let claims = world.signer.verify(tokens["id_token"].as_str().unwrap());
    let userinfo = world.userinfo(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        answer(&userinfo).1["sub"],
        claims["sub"],
        "userinfo says the same"
    );
    claims["sub"].as_str().unwrap().to_owned()
}

#[test]
fn pairwise_sub_differs_between_sectors_and_not_within_one() {
    let mut world = World::with(|config| {
        config.clients[0].issuance = sector("a.example");
        config.clients[1].issuance = sector("A.example");
        config.clients[2].issuance = sector("b.example");
    });
    let first = sub(&mut world, "poll");
    assert_eq!(sub(&mut world, "poll2"), first, "hosts have no case");
    let other = sub(&mut world, "ping");
    assert_ne!(other, first);
    let mut public = World::new();
    assert_ne!(sub(&mut public, "poll"), first);
}

#[test]
fn the_sector_of_a_push_client_is_the_host_of_its_notification_endpoint() {
    let pushed = |endpoint: &str| {
        let mut world = World::with(|config| {
            config.clients[3].issuance.subject_type = SubjectType::Pairwise;
            config.clients[3].notification_endpoint = Some(endpoint.to_owned());
        });
        world.start("push");
        let signature = world.last();
        world.approve(&signature);
        let push: Value = serde_json::from_slice(&world.last().body).unwrap();
        let claims = world.signer.verify(push["id_token"].as_str().unwrap());
        claims["sub"].as_str().unwrap().to_owned()
    };
    let first = pushed("https://rp.example/cb");
    assert_eq!(pushed("https://rp.example:8443/other"), first);
    assert_ne!(pushed("https://rp2.example/cb"), first);
}

#[test]
fn the_sector_of_a_ping_client_is_the_host_of_its_jwks_uri() {
    let told = |jwks_uri: &str, endpoint: &str| {
        let mut world = World::with(|config| {
            let client = &mut config.clients[2];
            client.issuance.subject_type = SubjectType::Pairwise;
            client.requests.jwks_uri = Some(jwks_uri.to_owned());
            client.notification_endpoint = Some(endpoint.to_owned());
        });
        sub(&mut world, "ping")
    };
    let first = told("https://rp.example/jwks", "https://rp.example/cb");
    assert_eq!(
        told("https://rp.example:8443/k", "https://b.example/cb"),
        first
    );
    assert_ne!(
        told("https://b.example/jwks", "https://rp.example/cb"),
        first
    );
}

#[test]
fn a_pairwise_client_without_a_sector_is_refused_at_start() {
    let mut config = World::new().op.config().clone();
    config.clients[0].issuance.subject_type = SubjectType::Pairwise;
    assert_eq!(
        Op::new(config).err(),
        Some(ConfigError::Sector("poll".to_owned()))
    );
}
