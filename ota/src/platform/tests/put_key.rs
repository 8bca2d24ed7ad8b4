//! PUT KEY: when the platform learns a key set, when it forgets it, and what it does with one of which it is not sure.

use super::key_sets;
use super::management::{CipherKeyOf, entry, response, taken, wanting};
use super::remote::{self, Task};
use super::*;

/// An order that puts key set 3 on the card.
pub(super) fn put_key(id: &str) -> Submit {
    let keys = entry(1, 3, &["B00010"]);
    let task = Task::PutKey {
        keys: keys.key_set().unwrap(),
        kik: CipherKeyOf(&[0x66; 16]).key(),
        under: CipherKeyOf(&[0x55; 16]).key(),
        replaces: false,
    };
    Submit {
        tar: task.tar(),
        payload: task.script().unwrap(),
        key_set: Some(keys),
        ..wanting(Por::Always, order(id, 1, b""))
    }
}

fn security_domain(n: u8) -> TestCard {
    TestCard {
        tar: remote::RAM,
        ..TestCard::of(n)
    }
}

/// The card's answer to PUT KEY, with this status word.
fn answered(card: &mut TestCard, outputs: &[Output], sw: u16) -> Vec<u8> {
    taken(card, outputs, &response(1, sw, &[]).data)
}

/// The key set versions that the platform has imported for card 1.
fn imported(world: &World) -> Vec<u8> {
    let record = world.store.records.get("keys/8988000000000000016");
    let sets: Option<key_sets::KeySets> = record.map(|it| serde_json::from_slice(it).unwrap());
    sets.map_or_else(Vec::new, |sets| sets.versions().collect())
}

fn stored(world: &World) -> String {
    let octets = world.store.records.values().flatten().copied().collect();
    String::from_utf8(octets).unwrap()
}

#[test]
fn a_key_set_is_imported_in_the_step_in_which_the_card_says_that_it_has_it() {
    let mut world = World::new();
    let mut card = security_domain(1);
    let outputs = world.submit(put_key("p"));
    assert!(
        stored(&world).contains(&entry(1, 3, &[]).kic),
        "kept with the job"
    );
    assert_eq!(imported(&world), [0_u8; 0]);
    // The next order was waiting for the card: it goes out under the new keys already.
    let next = Submit {
        tar: Tar([0xB0, 0x00, 0x10]),
        ..order("n", 1, b"next")
    };
    let por = answered(&mut card, &outputs, 0x9000);
    world.por(1, &por);
    let learnt = world
        .events
        .iter()
        .map(|event| event.row())
        .find(|row| row.name.contains("imported"));
    assert!(!format!("{:?}", learnt.unwrap()).contains("04050607"));
    assert_eq!(imported(&world), [3]);
    let sent = world.submit(next);
    let mut own = TestCard {
        keys: entry(1, 3, &[]).key_set().unwrap(),
        counter: Cntr::default(),
        tar: Tar([0xB0, 0x00, 0x10]),
    };
    assert_eq!(own.receive(&sent).unwrap().kic, 0x32);
    // The job does not need the keys any more.
    let job = String::from_utf8(world.store.records["job/p"].clone()).unwrap();
    assert!(!job.contains("04050607"), "{job}");
}

#[test]
fn a_key_set_that_replaces_the_one_in_use_protects_what_waited() {
    let mut world = World::new();
    let mut card = security_domain(1);
    let mut put = put_key("p");
    put.key_set = Some(entry(1, 1, &[]));
    let outputs = world.submit(put);
    world.submit(order("n", 1, b"next"));
    let por = answered(&mut card, &outputs, 0x9000);
    let next = world.por(1, &por);
    let mut renewed = TestCard {
        keys: entry(1, 1, &[]).key_set().unwrap(),
        ..TestCard::of(1)
    };
    assert!(renewed.receive(&next[1..]).is_ok(), "{next:?}");
}

#[test]
fn a_key_set_that_the_card_does_not_take_is_forgotten() {
    let secret = entry(1, 3, &[]).kic;
    // Refused by a status word, signed.
    let mut world = World::new();
    let mut card = security_domain(1);
    let outputs = world.submit(put_key("p"));
    let por = answered(&mut card, &outputs, 0x6A80);
    world.por(1, &por);
    assert_eq!(imported(&world), [0_u8; 0]);
    assert!(!stored(&world).contains(&secret));
    // The SMSC did not even take it.
    let mut world = World::new();
    world.submit(put_key("p"));
    assert!(stored(&world).contains(&secret));
    world.refuse("p/1", CommandStatus::RINVDSTADR);
    assert!(!stored(&world).contains(&secret));
    // It waited for its turn until it was called off.
    let mut world = World::new();
    world.submit(wanting(Por::Always, order("j", 1, b"x")));
    world.submit(put_key("p"));
    world.step(Input::Cancel { id: "p".into() });
    assert!(!stored(&world).contains(&secret));
}

/// The key set versions of card 1 of which the platform does not know whether the card has them.
fn unsure(world: &World) -> Vec<u8> {
    let record = world.store.records.get("unsure/8988000000000000016");
    let sets: Option<key_sets::KeySets> = record.map(|it| serde_json::from_slice(it).unwrap());
    sets.map_or_else(Vec::new, |sets| sets.versions().collect())
}

#[test]
fn a_key_set_that_the_card_may_have_is_kept_until_the_card_proves_it() {
    type End = fn(&mut World);
    let ends: [(&str, End); 2] = [
        ("cancelled", |world| {
            world.step(Input::Cancel { id: "p".into() });
        }),
        ("expired", |world| {
            world.run(start() + seconds(300));
        }),
    ];
    for (name, end) in ends {
        let mut world = World::new();
        let mut card = security_domain(1);
        let outputs = world.submit(put_key("p"));
        // The card executes it; its word is lost.
        answered(&mut card, &outputs, 0x9000);
        end(&mut world);
        assert_eq!(
            (imported(&world), unsure(&world)),
            (vec![], vec![3]),
            "{name}"
        );
        let mut own = TestCard {
            keys: entry(1, 3, &[]).key_set().unwrap(),
            counter: Cntr::default(),
            tar: Tar::MID,
        };
        // Nobody gets it who did not ask for it.
        let application = Submit {
            tar: Tar([0xB0, 0x00, 0x10]),
            ..order("other", 1, b"x")
        };
        let other = world.submit(Submit {
            expires: world.now + seconds(300),
            ..application
        });
        assert_eq!(packet_of(&other)[5], 0x12, "{name}");
        let probe = Submit {
            key_version: Some(3),
            expires: world.now + seconds(300),
            ..wanting(Por::Always, order("probe", 1, b"x"))
        };
        let outputs = world.submit(probe);
        let por = taken(&mut own, &outputs, &[]);
        world.por(1, &por);
        assert_eq!(
            (imported(&world), unsure(&world)),
            (vec![3], vec![]),
            "{name}"
        );
    }
}

#[test]
fn a_refused_second_packet_says_nothing_of_the_first() {
    let mut world = World::new();
    let mut card = security_domain(1);
    let first = world.submit(put_key("p"));
    card.receive(&first).unwrap();
    // The SMSC delivers it twice: the card refuses the counter, the platform raises it, and now the card has the keys already.
    let por = card.por(&first);
    let second = world.por(1, &por);
    let por = answered(&mut card, &second, 0x6A80);
    world.por(1, &por);
    assert_eq!((imported(&world), unsure(&world)), (vec![], vec![3]));
    // Importing settles it.
    world.step(Input::Import(vec![entry(1, 3, &[])]));
    assert_eq!((imported(&world), unsure(&world)), (vec![3], vec![]));
}
