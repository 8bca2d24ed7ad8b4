//! JWTs and JWEs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::super::envelopes::Dice;
use super::Target;
use super::draws::{CLAIMS, HEADER, PARAMETERS, bend, flip, flipped, text};

pub(super) fn assertion_claims(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut claims = target.assertion("jwt", dice);
    bend(dice, &mut claims, &CLAIMS);
    target.asserted(&target.signer.es256(&claims))
}

pub(super) fn assertion_headers(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256", "typ": "JWT"});
    bend(dice, &mut header, &HEADER);
    let claims = target.assertion("jwt", dice);
    target.asserted(&target.signer.sign(&header, &claims))
}

pub(super) fn request_claims(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut claims = target.request(dice);
    bend(dice, &mut claims, &[&CLAIMS[..], &PARAMETERS[..]].concat());
    let request = target.signer.es256(&claims);
    target.requested(&request, dice)
}

pub(super) fn request_headers(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let mut header = json!({"alg": "ES256"});
    bend(dice, &mut header, &HEADER);
    let claims = target.request(dice);
    let request = target.signer.sign(&header, &claims);
    target.requested(&request, dice)
}

pub(super) fn jwt_octets(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    match dice.roll(3) {
        0 => {
            let assertion = target.signer.es256(&target.assertion("jwt", dice));
            target.asserted(&flipped(dice, &assertion))
        }
        1 => target.hinted("id_token_hint", &flipped(dice, &target.id_token)),
        _ => {
            let request = target.signer.es256(&target.request(dice));
            let request = flipped(dice, &request);
            target.requested(&request, dice)
        }
    }
}

pub(super) fn jwe_parts(target: &Target, dice: &mut Dice) -> Request<Bytes> {
    let token = &target.hints[dice.roll(target.hints.len())];
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let at = dice.roll(parts.len());
    match dice.roll(5) {
        0 => {
            let other = dice.roll(parts.len());
            parts.swap(at, other);
        }
        1 => {
            let mut octets = URL_SAFE_NO_PAD.decode(&parts[at]).unwrap();
            flip(dice, &mut octets);
            parts[at] = URL_SAFE_NO_PAD.encode(octets);
        }
        2 => {
            let octets = URL_SAFE_NO_PAD.decode(&parts[0]).unwrap();
            let mut header: Value = serde_json::from_slice(&octets).unwrap();
            bend(dice, &mut header, &HEADER);
            if header["epk"].is_object() {
                bend(dice, &mut header["epk"], &["kty", "crv", "x", "y"]);
            }
            parts[0] = URL_SAFE_NO_PAD.encode(header.to_string());
        }
        3 => parts[at] = text(dice),
        _ => drop(parts.remove(at)),
    }
    let token = parts.join(".");
    match dice.roll(4) {
        0 => target.hinted("login_hint", &format!("ENCR_MSISDN:{token}")),
        _ => target.hinted("login_hint_token", &token),
    }
}
