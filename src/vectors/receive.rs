//! The kind `receive`: what a card makes of packets.

use std::collections::BTreeMap;
use std::fmt::Display;

use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{CipherKey, IntegrityKey, KeySet};
use ota_wire::packet::{
    CommandView, Opened, Receiver, Rejected, ResponseStatus, Sent, check_response, open,
    response_for,
};
use ota_wire::sms::tpdu::Deliver;
use serde_json::Value;

use super::packets::{cipher_key, cntr, expect, integrity_key, joined, octet, same_packets, tpdus};
use super::{array, list, number, octets, same, same_octets, text};

/// A card with the receiver's applications and key sets does what is expected of it, packet after packet.
pub(super) fn receive(case: &Value) -> Result<(), String> {
    let mut card = Card::read(case.get("receiver").ok_or("receiver: missing")?)?;
    receive_one(case, &mut card)?;
    for (index, next) in list(case, "then").iter().enumerate() {
        receive_one(next, &mut card).map_err(|reason| format!("then[{index}]: {reason}"))?;
    }
    Ok(())
}

fn receive_one(case: &Value, card: &mut Card) -> Result<(), String> {
    let expect = expect(case)?;
    let sent_as = tpdus(case)?;
    let arrived = joined(&sent_as, Deliver::is_data_download);
    let mut packets = if case.get("packet").is_some() {
        let packets = vec![octets(case, "packet")?];
        if !sent_as.is_empty() {
            same_packets(&packets, &arrived)?;
        }
        packets
    } else {
        arrived
    };
    if packets.is_empty() {
        // What makes no packet is as little as none.
        packets.push(Vec::new());
    }
    let before = card.counters.clone();
    let (mut passed_on, mut last) = (None::<Vec<u8>>, None);
    for packet in &packets {
        let outcome = open(packet, card);
        if let Ok(opened) = &outcome {
            if let Some(counter) = opened.store_counter {
                card.counters.insert(opened.key_version, counter);
            }
            passed_on.get_or_insert_default().extend(&opened.data);
        }
        check_por(expect, packet, outcome.as_ref(), card)?;
        if outcome.is_ok() || passed_on.is_none() {
            last = Some((packet, outcome));
        }
    }
    match (text(expect, "result")?, passed_on, &last) {
        ("accept", Some(passed_on), Some((_, outcome))) => {
            same_octets("payload", &octets(expect, "payload")?, &passed_on)?;
            let answers = response_for(outcome.as_ref(), ResponseStatus::POR_OK, Vec::new());
            // Without a PoR the command was executed all the same.
            let got = match answers {
                Some(_) => &["00"][..],
                None => &["00", "none"],
            };
            check_status(expect, got, "the packet was taken")?;
        }
        ("reject", None, Some((_, Err(rejected)))) => check_refusal(expect, rejected)?,
        (result, None, Some((_, Err(rejected)))) => {
            return Err(format!("expected {result}: {rejected}"));
        }
        (result, ..) => return Err(format!("expected {result}, the packet was taken")),
    }
    check_counters(expect, &packets, &before, card)
}

/// The counter of the key set that a packet names, or of the only one there is, is as expected; others are as before.
fn check_counters(
    expect: &Value,
    packets: &[Vec<u8>],
    before: &BTreeMap<u8, Cntr>,
    card: &Card,
) -> Result<(), String> {
    let named = |packet: &Vec<u8>| {
        let view = CommandView::new_checked(packet).ok()?;
        view.spi().key_set(view.kic(), view.kid())
    };
    let named: Vec<u8> = packets.iter().filter_map(named).collect();
    for (version, counter) in &card.counters {
        let expected = if card.counters.len() == 1 || named.contains(version) {
            cntr(expect, "cntr_after")?
        } else {
            before.get(version).copied().unwrap_or_default()
        };
        same("cntr_after", &expected, counter, Cntr::to_string)?;
    }
    Ok(())
}

fn check_refusal(expect: &Value, rejected: &Rejected) -> Result<(), String> {
    let got = rejected
        .status
        .map_or_else(|| "none".to_owned(), |status| format!("{:02x}", status.0));
    check_status(expect, &[&got], rejected)
}

/// The status is one of those allowed; where none are listed, the preferred one if there is one.
fn check_status(expect: &Value, got: &[&str], why: impl Display) -> Result<(), String> {
    let preferred = expect.get("rsc").filter(|code| code.is_string());
    let allowed = match list(expect, "rsc_any_of") {
        [] => preferred.map_or(&[][..], std::slice::from_ref),
        several => several,
    };
    let fits = |code: &Value| got.iter().any(|got| *code == **got);
    if allowed.is_empty() || allowed.iter().any(fits) {
        return Ok(());
    }
    let got = got.join(" or ");
    Err(format!(
        "rsc: expected one of {allowed:?}, got {got} ({why})"
    ))
}

/// The PoR, if there is one, is bare where it must be, and its sender could read it.
fn check_por(
    expect: &Value,
    packet: &[u8],
    outcome: Result<&Opened, &Rejected>,
    card: &Card,
) -> Result<(), String> {
    let Some(por) = response_for(outcome, ResponseStatus::POR_OK, Vec::new()) else {
        return Ok(());
    };
    let keys = card.key_set(por.key_version());
    let sealed = por.seal(keys).map_err(|error| format!("PoR: {error}"))?;
    let must_be_bare = expect
        .get("por_must_not_be_secured")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if must_be_bare {
        let bare = por
            .response
            .seal_plain()
            .map_err(|error| format!("PoR: {error}"))?;
        return same_octets("PoR", &bare, &sealed);
    }
    let (Some(keys), true) = (keys, por.secured) else {
        return Ok(());
    };
    let view = CommandView::new_checked(packet).map_err(|error| error.to_string())?;
    let sent = Sent {
        spi: view.spi(),
        kic: view.kic(),
        kid: view.kid(),
        tar: view.tar(),
        cntr: por.response.cntr,
    };
    let checked = check_response(&sealed, &sent, keys).map_err(|error| format!("PoR: {error}"))?;
    same(
        "status of the PoR",
        &por.response.status.0,
        &checked.status.0,
        |status| format!("{status:02X}"),
    )
}
/// What a card knows.
pub(super) struct Card {
    pub(super) security_levels: BTreeMap<Tar, u8>,
    pub(super) key_sets: Vec<KeySet>,
    pub(super) counters: BTreeMap<u8, Cntr>,
    pub(super) single_des: bool,
}

impl Card {
    fn read(receiver: &Value) -> Result<Self, String> {
        let mut card = Self {
            security_levels: BTreeMap::new(),
            key_sets: Vec::new(),
            counters: BTreeMap::new(),
            // Cases that have such keys want them used.
            single_des: true,
        };
        for app in list(receiver, "apps") {
            card.security_levels
                .insert(Tar(array(app, "tar")?), octet(app, "msl")?);
        }
        for set in list(receiver, "keysets") {
            let version =
                u8::try_from(number(set, "version")?).map_err(|error| error.to_string())?;
            let cc_len = number(set, "cc_len")? as usize;
            // A key that does not fit its algorithm counts as absent: d-rx-005 has such keys and does not use them.
            card.key_sets.push(KeySet {
                version,
                kic: cipher_key(text(set, "kic_algo")?, octets(set, "kic_key")?)
                    .unwrap_or_else(|_| CipherKey::none()),
                kid: integrity_key(text(set, "kid_algo")?, octets(set, "kid_key")?, cc_len)
                    .unwrap_or_else(|_| IntegrityKey::none()),
            });
            card.counters.insert(version, cntr(set, "cntr")?);
        }
        Ok(card)
    }
}

impl Receiver for Card {
    fn msl(&self, tar: Tar) -> Option<u8> {
        self.security_levels.get(&tar).copied()
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        self.key_sets.iter().find(|keys| keys.version == version)
    }

    fn counter(&self, version: u8) -> Cntr {
        self.counters.get(&version).copied().unwrap_or_default()
    }

    fn allows_single_des(&self) -> bool {
        self.single_des
    }
}
