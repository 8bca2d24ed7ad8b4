//! Key sets that PUT KEY brings, and what becomes of their counters.

use super::*;

/// GlobalPlatform §11.8.2.1: P1 has the version that is replaced, the data the new one.
#[test]
fn a_key_set_that_replaces_another_may_have_another_version() {
    let mut card = card();
    let mut host = Host::open(&mut card, 0x30);
    let dek = host.dek.clone();
    let mut put =
        |card: &mut Uicc, version, replaces| host.send(card, &new_keys(version, replaces, &dek));
    assert_eq!(put(&mut card, 0x31, 0), "610A");
    for (version, replaces, expected, why) in [
        (0x32, 0x33, "6A88", "no such set"),
        (0x33, 0x33, "6A88", "nor does the same version help"),
        (0x30, 0x31, "6A80", "the new version is another set's"),
        (0x31, 0, "6A80", "there is one already"),
        (0x32, 0x31, "610A", "one that had come before"),
        (0x03, 0x01, "610A", "one of the profile"),
        (
            0x04,
            0x03,
            "610A",
            "and one in its place, which does not bring it back",
        ),
        (
            0x35,
            0x30,
            "610A",
            "the one of this session, whose DEK goes on",
        ),
        (0x36, 0, "610A", "under that DEK"),
    ] {
        let got = put(&mut card, version, replaces);
        assert_eq!(got, expected, "{replaces:02X} {version:02X}: {why}");
    }
    let again = CardState::from_bytes(&card.state.to_bytes()).unwrap();
    let mut card = Uicc::new(card.profile.clone(), subscriber(), again);
    let sets = registry::key_information(&card.profile, &card.state);
    let versions: Vec<_> = sets.iter().map(|(version, ..)| *version).collect();
    assert_eq!(versions, [0x02, 0x32, 0x04, 0x35, 0x36]);
    let ota = registry::ota_key_sets(&card.profile, &subscriber().iccid, &card.state);
    let ota: Vec<_> = ota.iter().map(|keys| keys.version).collect();
    assert_eq!(ota, [0x02, 0x04]);
    // Nobody's any more, and version 0 is the first there is.
    send(&mut card, "00A4040C08A000000003000000");
    assert_eq!(send(&mut card, "80503000080001020304050607"), "6A88");
    assert_eq!(send(&mut card, "80500000080001020304050607"), "6120");
    assert_eq!(send(&mut card, "00C0000020")[20..22], *"32");
    Host::open(&mut card, 0x35);
}

#[test]
fn keys_that_cannot_be_taken_have_status_words_of_their_own() {
    let mut card = card();
    let mut host = Host::open(&mut card, 0x30);
    let wrap = |algorithm, len: usize| {
        let key = Secret::new((0..len as u8).map(|octet| octet << 1).collect());
        WrappedKey::wrap(&host.dek, algorithm, &key).unwrap()
    };
    let aes = wrap(CipherAlgorithm::Aes, 16);
    let [mut kcv, mut kind] = [aes.clone(), aes.clone()];
    kcv.kcv[0] ^= 1;
    kind.kind.0 = 0x90;
    let triple = wrap(CipherAlgorithm::TripleDes2, 16);
    let long = wrap(CipherAlgorithm::Aes, 32);
    for (key, version, expected) in [
        (kcv, 0x31, "9485"),
        (kind, 0x31, "9484"),
        (triple.clone(), 0x31, "9484"),
        (triple, 0x03, "610A"),
        (long.clone(), 0x31, "6A80"),
        (long, 0x04, "610A"),
        (aes, 0x10, "6A80"),
    ] {
        let kind = key.kind;
        let order = PutKey::add(version, [key.clone(), key.clone(), key]);
        let got = host.send(&mut card, &order.command());
        assert_eq!(got, expected, "{kind:?} {version:02X}");
    }
}

/// A set of old and new keys would be of no use to anybody.
#[test]
fn a_key_set_is_brought_as_a_whole() {
    let mut card = card();
    let mut host = Host::open(&mut card, 0x30);
    let key = Secret::new(vec![7; 16]);
    let key = WrappedKey::wrap(&host.dek, CipherAlgorithm::Aes, &key).unwrap();
    for (first, count, expected) in [
        (1, 2, "6A80"),
        (1, 4, "6A80"),
        (2, 3, "6A80"),
        (1, 3, "610A"),
    ] {
        let mut order = PutKey::add(3, vec![key.clone(); count]);
        order.first = first;
        let got = host.send(&mut card, &order.command());
        assert_eq!(got, expected, "{count} keys from {first} on");
    }
}

/// Only a card that is weak by its profile takes them.
#[test]
fn keys_for_single_des_are_refused() {
    let kik = KeySet::derive_kik(&master(), &subscriber().iccid, 2, Family::TripleDes2);
    let key = Secret::new(vec![0x10; 8]);
    let key = WrappedKey::wrap(&kik, CipherAlgorithm::Des, &key).unwrap();
    let order = PutKey::add(4, [key.clone(), key.clone(), key]).command();
    for (weak, expected) in [(false, Err(Sw::ALGORITHM_NOT_SUPPORTED)), (true, Ok(()))] {
        let mut profile = (*profile()).clone();
        profile.weak.single_des = weak;
        let state = CardState::fresh(&profile);
        let mut card = Uicc::new(profile.into(), subscriber(), state);
        assert_eq!(card.manage(&order, Some(&kik)).map(drop), expected);
    }
}

/// Eight that PUT KEY has brought, besides those of the profile.
#[test]
fn a_ninth_key_set_finds_no_room() {
    let mut card = card();
    let mut host = Host::open(&mut card, 0x30);
    let dek = host.dek.clone();
    let mut put = |version, replaces| host.send(&mut card, &new_keys(version, replaces, &dek));
    for version in 3..=10 {
        assert_eq!(put(version, 0), "610A");
    }
    assert_eq!(put(11, 0), "6A84");
    assert_eq!(put(1, 1), "6A84");
    assert_eq!(put(11, 10), "610A");
}

/// A card whose key set 1 has seen a packet, and that gets these KIc and KID in place of its own.
fn counter_after(kic: &Secret, kid: &Secret) -> Cntr {
    let profile = profile();
    let mut state = CardState::fresh(&profile);
    state.set_counter(&profile, 1, Cntr::new(7).unwrap());
    let mut card = Uicc::new(profile, subscriber(), state);
    let kik = KeySet::derive_kik(&master(), &subscriber().iccid, 1, Family::Aes128);
    let wrap = |key: &Secret| WrappedKey::wrap(&kik, CipherAlgorithm::Aes, key).unwrap();
    let mut order = PutKey::add(1, [wrap(kic), wrap(kid), wrap(kik.secret())]);
    order.replaces = 1;
    card.manage(&order.command(), Some(&kik)).unwrap();
    card.state.counter(&card.profile, 1)
}

#[test]
fn a_counter_falls_only_with_the_key_that_old_packets_were_signed_with() {
    let own = KeySet::derive(&master(), &subscriber().iccid, 1, Family::Aes128);
    let (kic, kid) = (own.kic.secret(), own.kid.secret());
    let other = Secret::new(vec![9; 16]);
    let (seen, fresh) = (Cntr::new(7).unwrap(), Cntr::default());
    assert_eq!(counter_after(kic, kid), seen, "the same keys");
    assert_eq!(counter_after(&other, kid), seen, "another KIc");
    assert_eq!(counter_after(kic, &other), fresh, "another KID");
    assert_eq!(counter_after(&other, &other), fresh, "both");
}

/// Gone for a while, and its old packets are as old as before.
#[test]
fn the_counter_of_a_key_set_that_comes_back_is_what_it_was() {
    // Another version has taken its place, or other keys of its own version.
    for (version, replaces) in [(3, 0), (1, 1)] {
        comes_back(version, replaces);
    }
}

fn comes_back(version: u8, replaces: u8) {
    let mut probe = Probe::new(card());
    let recorded = packet(5, vec![0x80, 0xF2, 0x40, 0x00, 0x02, 0x4F, 0x00]);
    let octets = recorded.seal(&own()).unwrap();
    let status = |probe: &mut Probe| {
        let por = probe.por_to(&octets).unwrap();
        let response = check_response(&por, &recorded.sent(), &own()).unwrap();
        response.status
    };
    assert_eq!(status(&mut probe), ResponseStatus::POR_OK);
    let mut host = Host::open(&mut probe.card, 0x30);
    let dek = host.dek.clone();
    let other = new_keys(version, 1, &dek);
    assert_eq!(host.send(&mut probe.card, &other), "610A");
    let wrap = |key: &Secret| WrappedKey::wrap(&dek, CipherAlgorithm::Aes, key).unwrap();
    let (kic, kid) = (own().kic, own().kid);
    let keys = [wrap(kic.secret()), wrap(kid.secret()), wrap(kic.secret())];
    let mut again = PutKey::add(1, keys);
    again.replaces = replaces;
    assert_eq!(host.send(&mut probe.card, &again.command()), "610A");
    assert_eq!(status(&mut probe), ResponseStatus::CNTR_LOW);
}

/// As long as the KID of a set that PUT KEY has brought stays, its counter does.
#[test]
fn the_counter_of_a_set_that_was_brought_stays_with_its_kid() {
    let profile = profile();
    let mut card = card();
    let kik = KeySet::derive_kik(&master(), &subscriber().iccid, 1, Family::Aes128);
    let seen = Cntr::new(7).unwrap();
    let mut put = |replaces, kic: u8, kid: u8| {
        let keys = [kic, kid, 9].map(|octet| {
            let key = Secret::new(vec![octet; 16]);
            WrappedKey::wrap(&kik, CipherAlgorithm::Aes, &key).unwrap()
        });
        let mut order = PutKey::add(3, keys);
        order.replaces = replaces;
        card.manage(&order.command(), Some(&kik)).unwrap();
        let counter = card.state.counter(&profile, 3);
        card.state.set_counter(&profile, 3, seen);
        counter
    };
    assert_eq!(put(0, 1, 2), Cntr::default());
    assert_eq!(put(3, 3, 2), seen, "another KIc");
    assert_eq!(put(3, 3, 4), Cntr::default(), "another KID");
}

/// TS 102 226 §8.2.1.5: not that of another set, whichever is the first.
#[test]
fn keys_come_under_the_kik_of_the_set_that_protects_the_packet() {
    let families = [(1, Family::Aes128), (2, Family::TripleDes2)];
    for (version, family) in families {
        for (wrapped, kik_family) in families {
            let iccid = subscriber().iccid;
            let keys = KeySet::derive(&master(), &iccid, version, family);
            let kik = KeySet::derive_kik(&master(), &iccid, wrapped, kik_family);
            let mut order = packet(5, new_keys(4, 0, &kik).emit_t0());
            (order.kic, order.kid) = (keys.kic_octet(), keys.kid_octet());
            let mut probe = Probe::new(card());
            let por = probe.por_to(&order.seal(&keys).unwrap()).unwrap();
            let response = check_response(&por, &order.sent(), &keys).unwrap();
            let expected = if version == wrapped { 0x61 } else { 0x94 };
            assert_eq!(response.data[1], expected, "set {version}, KIK {wrapped}");
        }
    }
}
