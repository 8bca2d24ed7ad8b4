use std::sync::Arc;

use ota_wire::ids::Tar;
use ota_wire::keys::{Family, KeySet};
use ota_wire::packet::{self, ResponseStatus, Spi, check_response};
use ota_wire::remote_apdu::ram::WrappedKey;

use super::*;
use crate::card_manager::scp03::host::Host;
use crate::scan::Probe;
use crate::state::CardState;
use crate::testing::{master, network, profile, send, subscriber};

mod keys;

fn card() -> Uicc {
    let profile = profile();
    let state = CardState::fresh(&profile);
    Uicc::new(profile, subscriber(), state)
}

fn own() -> KeySet {
    KeySet::derive(&master(), &subscriber().iccid, 1, Family::Aes128)
}

/// A packet for the security domain under key set 1.
fn packet(counter: u64, data: Vec<u8>) -> packet::Command {
    packet::Command {
        spi: Spi([0x16, 0x09]),
        kic: own().kic_octet(),
        kid: own().kid_octet(),
        tar: Tar([0, 0, 0]),
        cntr: Cntr::new(counter).unwrap(),
        data,
    }
}

/// PUT KEY of three keys that are nobody's yet.
fn new_keys(version: u8, replaces: u8, kik: &CipherKey) -> apdu::Command {
    let key = |octet| {
        let key = Secret::new(vec![octet; 16]);
        WrappedKey::wrap(kik, CipherAlgorithm::Aes, &key).unwrap()
    };
    let mut order = PutKey::add(version, [key(0xA1), key(0xA2), key(0xA3)]);
    order.replaces = replaces;
    order.command()
}

/// TS 102 225 §5.1.4: a packet that was taken is never taken again.
#[test]
fn a_recorded_packet_is_worthless_when_a_channel_has_replaced_its_keys() {
    let mut probe = Probe::new(card());
    let recorded = packet(5, vec![0x80, 0xF2, 0x40, 0x00, 0x02, 0x4F, 0x00]);
    let octets = recorded.seal(&own()).unwrap();
    let por = probe.por_to(&octets).unwrap();
    let taken = check_response(&por, &recorded.sent(), &own()).unwrap();
    assert_eq!(taken.status, ResponseStatus::POR_OK);

    // Whatever it is that comes next, the card has its keys at hand from then on.
    let mut corrupted = octets.clone();
    *corrupted.last_mut().unwrap() ^= 1;
    probe.por_to(&corrupted).unwrap();
    let mut host = Host::open(&mut probe.card, 0x30);
    let command = new_keys(1, 1, &host.dek);
    assert_eq!(host.send(&mut probe.card, &command), "610A");
    let por = probe.por_to(&octets).unwrap();
    // The status comes last: RC, CC or DS failed.
    assert_eq!(por.last(), Some(&0x01), "{}", hex::encode(&por));
    assert_eq!(
        probe.card.state.counter(&probe.card.profile, 1),
        Cntr::default()
    );
}

/// TS 102 225 §5.2: the response is secured with what KIc and KID of the command name.
#[test]
fn the_response_to_a_packet_that_replaces_its_own_keys_is_sealed_with_the_old_ones() {
    let mut probe = Probe::new(card());
    let kik = KeySet::derive_kik(&master(), &subscriber().iccid, 1, Family::Aes128);
    let command = new_keys(1, 1, &kik);
    let order = packet(5, command.emit_t0());
    let por = probe.por_to(&order.seal(&own()).unwrap()).unwrap();
    let response = check_response(&por, &order.sent(), &own()).unwrap();
    assert_eq!(response.status, ResponseStatus::POR_OK);
    assert_eq!(response.data[..2], [1, 0x61]);
    // The next packet is for the new ones.
    let old = packet(6, vec![0x80, 0xF2, 0x40, 0x00, 0x02, 0x4F, 0x00]);
    let por = probe.por_to(&old.seal(&own()).unwrap()).unwrap();
    assert_eq!(por.last(), Some(&0x01), "{}", hex::encode(&por));
}

/// TS 102 226 §8.2.1.5: the KIK is that of the key set which protects the packet, to its end.
#[test]
fn every_key_of_a_packet_comes_under_the_kik_that_the_card_had_when_it_came() {
    let mut probe = Probe::new(card());
    let kik = KeySet::derive_kik(&master(), &subscriber().iccid, 1, Family::Aes128);
    let script = [new_keys(1, 1, &kik), new_keys(4, 0, &kik)];
    let script = script.map(|command| command.emit_t0()).concat();
    let order = packet(5, script);
    let por = probe.por_to(&order.seal(&own()).unwrap()).unwrap();
    let response = check_response(&por, &order.sent(), &own()).unwrap();
    assert_eq!(response.data[..2], [2, 0x61]);
}

/// Amendment D §5, §7.1: what does not belong into a session is refused, and some of it ends the session.
#[test]
fn a_session_takes_only_what_it_was_opened_for() {
    const PLAIN: &str = "80F24002024F00";
    let status = GetStatus::all(Scope::APPLICATIONS).command();
    let mut card = card();
    let mut host = Host::begin(&mut card, 0x30);
    assert_eq!(send(&mut card, PLAIN), "6982", "nobody is authenticated");
    for level in [0x02, 0x10, 0x23, 0x30, 0x31, 0xFF] {
        assert_eq!(host.authenticate(&mut card, level), "6A86", "{level:02X}");
        host = Host::begin(&mut card, 0x30);
    }
    let mut host = Host::open(&mut card, 0x30);
    assert_eq!(send(&mut card, PLAIN), "6982", "without its MAC");
    assert_eq!(host.send(&mut card, &status), "6114");
    assert_eq!(host.authenticate(&mut card, 0x00), "6985", "a second time");
    assert_eq!(host.send(&mut card, &status), "6985", "it is over");

    let mut host = Host::open(&mut card, 0x30);
    assert_eq!(send(&mut card, "80503001080001020304050607"), "6A86");
    assert_eq!(host.send(&mut card, &status), "6985", "another has begun");
}

/// Amendment D §7.1.2: the host, too, has to show that it has the keys.
#[test]
fn a_host_without_the_right_cryptogram_gets_no_session() {
    let mut card = card();
    let right = Host::begin(&mut card, 0x30).cryptogram();
    let another = {
        let mut another = Host::begin(&mut card, 0x30);
        assert_ne!(another.cryptogram(), right, "of the session before");
        another.authenticate_with(&mut card, C_MAC, &right)
    };
    assert_eq!(another, "6300");
    for len in [7, 9, 16] {
        let mut host = Host::begin(&mut card, 0x30);
        let mut cryptogram = host.cryptogram().to_vec();
        cryptogram.resize(len, 0);
        let got = host.authenticate_with(&mut card, C_MAC, &cryptogram);
        assert_eq!(got, "6700", "{len} octets");
        let status = GetStatus::all(Scope::APPLICATIONS).command();
        assert_eq!(host.send(&mut card, &status), "6985");
    }
}

/// Amendment D §6.2.6, §6.2.7: every command counts for the vector, with data or without; a response without data has a MAC
/// and nothing that is ciphered.
#[test]
fn commands_without_data_count_and_responses_without_data_are_not_ciphered() {
    let mut card = card();
    let mut host = Host::open_at(&mut card, 0x30, 0x33);
    let get_data = |cla| apdu::Command::new(cla, Ins::GET_DATA, 0x00, 0xCF);
    // Under either class.
    for cla in [0x00, 0x80] {
        let sw = host.send(&mut card, &get_data(cla));
        assert_eq!(host.response(&mut card, &sw).len(), 16);
    }
    let aid = card.profile.applet.aid.clone();
    let sw = host.send(&mut card, &SetStatus::lock(aid).command());
    assert_eq!(host.response(&mut card, &sw), []);
    assert!(card.state.applet_locked());
}

/// What a channel has changed is written before its answer is given.
#[test]
fn what_comes_by_a_channel_is_kept() {
    let mut card = card();
    let mut host = Host::open(&mut card, 0x30);
    assert!(card.take_changed(), "the sequence counter");
    let status = GetStatus::all(Scope::APPLICATIONS).command();
    host.send(&mut card, &status);
    assert!(!card.take_changed());
    let aid = card.profile.applet.aid.clone();
    assert_eq!(
        host.send(&mut card, &SetStatus::lock(aid).command()),
        "9000"
    );
    assert!(card.take_changed(), "SET STATUS");
    let keys = new_keys(3, 0, &host.dek);
    assert_eq!(host.send(&mut card, &keys), "610A");
    assert!(card.take_changed(), "PUT KEY");
}

/// Amendment D §6.2.2.1: a card challenge never comes again.
#[test]
fn the_sequence_counter_does_not_go_round() {
    let profile = profile();
    let mut state = CardState::fresh(&profile);
    state.domain.get_or_insert_default().sequence = 0x00FF_FFFE;
    let mut card = Uicc::new(profile, subscriber(), state);
    Host::open(&mut card, 0x30);
    for _ in 0..2 {
        assert_eq!(send(&mut card, "80503000080001020304050607"), "6985");
    }
}

/// TS 31.111 §7.1.1.2: the acknowledgement of a download has 128 octets at most; TS 23.040: a message has 140.
#[test]
fn a_response_has_the_length_that_its_way_allows() {
    // By report and by message, with CC in clear, and in blocks of 16 octets behind 9 in clear.
    for (second, expected) in [
        (0x09, 128),
        (0x29, 140),
        (0x19, 9 + 7 * 16),
        (0x39, 9 + 8 * 16),
    ] {
        // EF.SMS, the first record, which has 176 octets.
        let script = hex::decode("00A40000026F3C00B2010400").unwrap();
        let mut order = packet(1, script);
        order.spi = Spi([0x16, second]);
        order.tar = Tar([0xB0, 0x00, 0x10]);
        let por = Probe::new(card()).por_to(&order.seal(&own()).unwrap());
        let por = por.unwrap();
        assert_eq!(por.len(), expected, "SPI 16{second:02X}");
        let response = check_response(&por, &order.sent(), &own()).unwrap();
        assert_eq!(response.status, ResponseStatus::POR_OK);
        assert_eq!(response.data[..5], [2, 0x62, 0xF1, 0x00, 0xFF], "cut");
    }

    // 137 octets are too long for one way and not for the other.
    let text = "inherits = \"default\"\nname = \"other\"\n\
                [[file]]\npath = \"2F50\"\naccess = \"public\"\nsize = 110\n";
    let profile = Arc::new(Profile::parse(text, master(), network()).unwrap());
    for (second, expected, sw) in [(0x09, 128, [0x62, 0xF1]), (0x29, 137, [0x90, 0x00])] {
        let state = CardState::fresh(&profile);
        let card = Uicc::new(profile.clone(), subscriber(), state);
        let mut order = packet(1, hex::decode("00A40000022F5000B000006E").unwrap());
        order.spi = Spi([0x16, second]);
        order.tar = Tar([0xB0, 0x00, 0x00]);
        let por = Probe::new(card).por_to(&order.seal(&own()).unwrap());
        let por = por.unwrap();
        assert_eq!((por.len(), &por[25..27]), (expected, &sw[..]));
    }
}

/// A profile like the default one with OTA key sets of these versions, in this order.
fn profile_with(versions: &[u8]) -> Arc<Profile> {
    let mut text = "inherits = \"default\"\nname = \"other\"\n".to_owned();
    for version in versions {
        text += &format!("[[key_set]]\nversion = {version}\nfamily = \"aes-128\"\n");
    }
    Arc::new(Profile::parse(&text, master(), network()).unwrap())
}

/// TS 102 225 §5.1.4: the counter is that of a key set, wherever the profile has it. Somebody may start again with another
/// profile and the cards that there are.
#[test]
fn a_counter_stays_with_its_key_set_when_the_profile_changes() {
    let status_of = |state: &mut CardState, versions: &[u8], version: u8, counter: u64| {
        let octets = state.to_bytes();
        let restarted = CardState::from_bytes(&octets).unwrap();
        let card = Uicc::new(profile_with(versions), subscriber(), restarted);
        let keys = KeySet::derive(&master(), &subscriber().iccid, version, Family::Aes128);
        let mut order = packet(counter, vec![0x80, 0xF2, 0x40, 0x00, 0x02, 0x4F, 0x00]);
        (order.kic, order.kid) = (keys.kic_octet(), keys.kid_octet());
        let mut probe = Probe::new(card);
        let por = probe.por_to(&order.seal(&keys).unwrap()).unwrap();
        *state = probe.card.state.clone();
        check_response(&por, &order.sent(), &keys).unwrap().status
    };
    const OK: ResponseStatus = ResponseStatus::POR_OK;
    const LOW: ResponseStatus = ResponseStatus::CNTR_LOW;
    let state = &mut CardState::fresh(&profile_with(&[2, 1]));
    assert_eq!(status_of(state, &[1, 2], 1, 100), OK);
    assert_eq!(status_of(state, &[1, 2], 2, 7), OK);
    // Another order.
    assert_eq!(status_of(state, &[2, 1], 1, 100), LOW, "a recorded packet");
    assert_eq!(status_of(state, &[2, 1], 2, 7), LOW, "a recorded packet");
    assert_eq!(status_of(state, &[2, 1], 2, 8), OK);
    // One is added in front, which has taken nothing yet; then one is gone, and comes back.
    assert_eq!(status_of(state, &[3, 2, 1], 3, 1), OK);
    assert_eq!(status_of(state, &[3, 2, 1], 1, 100), LOW);
    assert_eq!(status_of(state, &[2], 2, 8), LOW);
    assert_eq!(status_of(state, &[2], 2, 9), OK);
    let counters = [100, 9, 1].map(|counter| Cntr::new(counter).unwrap());
    assert_eq!(state.counters(), counters, "lowest version first");
    for (version, counter) in [(1, 100), (2, 9), (3, 1)] {
        assert_eq!(status_of(state, &[1, 2, 3], version, counter), LOW);
        assert_eq!(status_of(state, &[1, 2, 3], version, counter + 1), OK);
    }
}

/// Nor does what was written to a file come back as part of another one.
#[test]
fn a_file_that_has_another_size_in_another_profile_is_a_fresh_one() {
    let card = |size: usize, state: Option<CardState>| {
        let text = format!(
            "inherits = \"default\"\nname = \"other\"\n\
             [[file]]\npath = \"2F50\"\naccess = \"public\"\nsize = {size}\n"
        );
        let profile = Arc::new(Profile::parse(&text, master(), network()).unwrap());
        let state = state.unwrap_or_else(|| CardState::fresh(&profile));
        Uicc::new(profile, subscriber(), state)
    };
    let mut first = card(8, None);
    for (command, expected) in [
        ("0020000A08 3838383838383838", "9000"),
        ("00A4000C02 2F50", "9000"),
        ("00D6000008 0102030405060708", "9000"),
    ] {
        assert_eq!(send(&mut first, command), expected, "{command}");
    }
    for (size, expected) in [
        (8, "01020304050607089000"),
        (4, "FFFFFFFF9000"),
        (10, "FFFFFFFFFFFFFFFFFFFF9000"),
    ] {
        let mut other = card(size, Some(first.state.clone()));
        assert_eq!(send(&mut other, "00A4000C02 2F50"), "9000");
        assert_eq!(send(&mut other, &format!("00B00000{size:02X}")), expected);
    }
}
