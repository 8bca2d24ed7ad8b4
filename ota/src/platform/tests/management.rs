//! Orders that want a response packet, key sets of a card's own, and remote management.

use ota_wire::apdu::Sw;
use ota_wire::keys::{IntegrityKey, check_value};
use ota_wire::packet::{CipherAlgorithm, IntegrityAlgorithm};
use ota_wire::remote_apdu::CompactResponse;
use ota_wire::remote_apdu::ram::{PutKey, SetStatus};
use ota_wire::remote_apdu::{CommandScript, ScriptReader};
use ota_wire::secret::Secret;

use super::key_sets::{Entry, parse_csv};
use super::put_key::put_key;
use super::remote::{self, Done, Refused, Task};
use super::*;

pub(super) fn wanting(por: Por, order: Submit) -> Submit {
    Submit { por, ..order }
}

/// The response packet of a card that took the packet, with data.
pub(super) fn taken(card: &mut TestCard, outputs: &[Output], data: &[u8]) -> Vec<u8> {
    let opened = card.receive(outputs).unwrap();
    let por = response_for(Ok(&opened), ResponseStatus::POR_OK, data.to_vec()).unwrap();
    por.seal(Some(&card.keys)).unwrap()
}

pub(super) fn entry(n: u8, version: u8, tars: &[&str]) -> Entry {
    Entry {
        iccid: Everybody.find(&msisdn(n)).unwrap().iccid.to_string(),
        version,
        kic_algorithm: "aes".into(),
        kic: "000102030405060708090A0B0C0D0E0F".into(),
        kid_algorithm: "aes".into(),
        kid: "101112131415161718191A1B1C1D1E1F".into(),
        cc_length: 8,
        tars: tars.iter().map(|tar| (*tar).to_owned()).collect(),
        kik: None,
    }
}

fn acknowledged(id: &str, data: &[u8]) -> Output {
    let response = CardResponse {
        status: 0,
        data: data.to_vec(),
    };
    Output::Report {
        id: id.into(),
        outcome: Outcome::Acknowledged(response),
    }
}

#[test]
fn the_spi_asks_for_the_response_packet_that_is_wanted() {
    assert_eq!(
        [Por::None, Por::OnError, Por::Always].map(|por| por.spi().0),
        [[0x16, 0x00], [0x16, 0x3A], [0x16, 0x39]]
    );
}

#[test]
fn a_response_packet_that_was_wanted_ends_the_job_and_brings_its_data() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    let outputs = world.submit(wanting(Por::Always, order("j", 1, b"x")));
    let por = taken(&mut card, &outputs, b"\x01\x90\x00data");
    // A message of the same number is no acknowledgement.
    assert_eq!(world.answer(1, b"hello").len(), 1);
    assert_eq!(world.por(1, &por), [acknowledged("j", b"\x01\x90\x00data")]);
    assert_eq!(world.por(1, &por), [], "once");
    let job: Job = serde_json::from_slice(&world.store.records["job/j"]).unwrap();
    assert_eq!(job.state, JobState::Answered);
    assert_eq!(job.response.unwrap().data, b"\x01\x90\x00data");
}

#[test]
fn an_order_is_the_same_one_only_if_every_field_is() {
    let known = put_key("p");
    type Change = fn(&mut Submit);
    let others: [(&str, Change); 9] = [
        ("msisdn", |it| it.msisdn = msisdn(2)),
        ("tar", |it| it.tar = Tar::MID),
        ("payload", |it| it.payload.push(0)),
        ("expires", |it| it.expires += seconds(1)),
        ("valid_for", |it| it.valid_for = Some(300)),
        ("correlation", |it| it.correlation.push('x')),
        ("por", |it| it.por = Por::None),
        ("key_version", |it| it.key_version = Some(2)),
        ("key_set", |it| it.key_set = Some(entry(1, 3, &[]))),
    ];
    for (field, change) in others {
        let mut other = known.clone();
        change(&mut other);
        assert!(!other.repeats(&known), "{field}");
    }
    // A job that is over has no keys any more, and a span is counted anew from each arrival.
    let mut over = known.clone();
    over.key_set.as_mut().unwrap().forget_keys();
    assert!(known.repeats(&over));
    // What tells keys apart are their check values: the KIK may be another one since.
    let under = |kik: &[u8], key: &[u8]| {
        let key = CipherKeyOf(key).key();
        let keys = KeySet {
            version: 3,
            kic: key.clone(),
            kid: IntegrityKey::new(IntegrityAlgorithm::AesCmac, key.secret().clone(), 8).unwrap(),
        };
        let task = Task::PutKey {
            keys,
            kik: key,
            under: CipherKeyOf(kik).key(),
            replaces: false,
        };
        Submit {
            payload: task.script().unwrap(),
            ..known.clone()
        }
    };
    let (kik, other) = ([0x55; 16], [0x56; 16]);
    assert!(under(&kik, &[1; 16]).repeats(&under(&other, &[1; 16])));
    assert!(!under(&kik, &[1; 16]).repeats(&under(&kik, &[2; 16])));
    let without = |order: Submit| Submit {
        key_set: None,
        ..order
    };
    let [one, two] = [&kik, &other].map(|kik| without(under(kik, &[1; 16])));
    assert!(!one.repeats(&two), "an order like any other");
    let span = |from: i64, valid_for| Submit {
        expires: start() + seconds(from + i64::from(valid_for)),
        valid_for: Some(valid_for),
        ..order("s", 1, b"x")
    };
    assert!(span(7, 60).repeats(&span(0, 60)));
    assert!(!span(0, 61).repeats(&span(1, 60)));
}

#[test]
fn a_bare_message_ends_only_the_job_that_it_can_be_the_answer_to() {
    let mut world = World::new();
    let mut config = Config::new(SHORT_CODE, master(), Arc::new(Everybody));
    config.answers = |order, payload| payload.starts_with(&order.payload);
    world.platform = Platform::new(config);
    let outputs = world.submit(order("j", 1, b"tid"));
    let stranger = world.answer(1, b"what is this?");
    assert!(matches!(
        &stranger[..],
        [Output::Mo {
            correlation: None,
            ..
        }]
    ));
    // The card's refusal still counts.
    let mut card = TestCard::of(1);
    card.counter = Cntr::MAX;
    let por = card.por(&outputs);
    assert_eq!(world.por(1, &por), [failed("j", FailReason::Card(0x04))]);
    world.submit(order("k", 1, b"tid"));
    assert!(matches!(
        &world.answer(1, b"tid yes")[..],
        [Output::Mo {
            correlation: Some(_),
            ..
        }]
    ));
}

#[test]
fn a_cancelled_job_lets_the_next_one_go_and_its_late_answer_is_nobodys() {
    let mut world = World::new();
    let mut card = TestCard::of(1);
    let first = world.submit(wanting(Por::Always, order("j", 1, b"x")));
    world.submit(order("k", 1, b"y"));
    let next = world.step(Input::Cancel { id: "j".into() });
    assert_eq!(submitted(&next)[0].0, "k/1");
    let outcome = Outcome::Cancelled;
    assert_eq!(
        next[0],
        Output::Report {
            id: "j".into(),
            outcome
        }
    );
    let por = taken(&mut card, &first, b"late");
    assert_eq!(world.por(1, &por), []);
    assert_eq!(world.step(Input::Cancel { id: "j".into() }), [], "again");
    assert_eq!(world.step(Input::Cancel { id: "?".into() }), []);
}

#[test]
fn imported_keys_protect_what_they_are_for_and_each_set_has_its_own_order() {
    let mut world = World::new();
    world.step(Input::Import(vec![
        entry(1, 3, &["B00010"]),
        entry(1, 5, &[]),
    ]));
    let usual = world.submit(order("usual", 1, b"x"));
    let to_files = Submit {
        tar: Tar([0xB0, 0x00, 0x10]),
        ..wanting(Por::Always, order("files", 1, b"y"))
    };
    let files = world.submit(to_files);
    let named = Submit {
        key_version: Some(5),
        ..order("named", 1, b"z")
    };
    let named = world.submit(named);
    let mut card = TestCard::of(1);
    assert_eq!(card.receive(&usual).unwrap().kic >> 4, 1);
    let own = entry(1, 3, &[]).key_set().unwrap();
    let mut own = TestCard {
        keys: own,
        counter: Cntr::default(),
        tar: Tar([0xB0, 0x00, 0x10]),
    };
    let por = taken(&mut own, &files, b"done");
    assert_eq!(own.keys.kic_octet(), 0x32);
    let mut fifth = TestCard {
        keys: entry(1, 5, &[]).key_set().unwrap(),
        ..TestCard::of(1)
    };
    assert_eq!(fifth.receive(&named).unwrap().kic, 0x52);
    // All three are under way; the response packet finds its own.
    assert_eq!(world.por(1, &por), [acknowledged("files", b"done")]);
    let nowhere = Submit {
        key_version: Some(9),
        ..order("nowhere", 1, b"z")
    };
    assert!(matches!(
        &world.submit(nowhere)[..],
        [Output::Report { outcome: Outcome::Failed(FailReason::Keys(why)), .. }] if why.contains("key set 9")
    ));
}

#[test]
fn keys_are_read_from_csv_and_never_shown() {
    let text = "version, iccid, kic_algorithm, kic, kid_algorithm, kid, tars\n\
                3, 8988000000000000016, 3des2, 000102030405060708090A0B0C0D0E0F, aes, 101112131415161718191a1b1c1d1e1f, B00000 B00010\n\n\
                16,8988000000000000016,aes,00,aes,00,\n\
                1,8988000000000000016,aes,0011,aes,101112131415161718191a1b1c1d1e1f,\n\
                1,8988000000000000016,aes\n";
    let rows: Vec<_> = parse_csv(text).collect();
    let good = rows[0].as_ref().unwrap();
    assert_eq!(good.applications().unwrap().len(), 2);
    let errors: Vec<_> = rows[1..]
        .iter()
        .map(|row| {
            let (line, error) = row.as_ref().unwrap_err();
            (*line, error.to_string())
        })
        .collect();
    assert_eq!(errors[0], (4, "version: expected 1 to 15, got 16".into()));
    assert!(
        errors[1].0 == 5 && errors[1].1.starts_with("kic: "),
        "{errors:?}"
    );
    assert_eq!(errors[2], (6, "line: expected 7 fields, got 3".into()));
    for broken in ["", "iccid,version\n", "iccid,key\n1,2\n"] {
        assert!(parse_csv(broken).next().unwrap().is_err(), "{broken:?}");
    }

    let mut world = World::new();
    world.step(Input::Import(vec![good.clone()]));
    let record = &world.store.records["keys/8988000000000000016"];
    let sets: key_sets::KeySets = serde_json::from_slice(record).unwrap();
    let [shown] = &sets.shown()[..] else { panic!() };
    // Triple DES of zeros, and AES of 01s, by openssl:
    // printf '%016d' | xxd -r -p | openssl enc -des-ede -nopad -K 000102030405060708090A0B0C0D0E0F | xxd -p
    assert_eq!(
        (shown.kic.as_str(), shown.kic_kcv.as_str()),
        ("35", KCV_OF_KIC)
    );
    assert_eq!(
        (shown.kid.as_str(), shown.kid_kcv.as_str()),
        ("32", KCV_OF_KID)
    );
    for debug in [
        format!("{good:?}"),
        format!("{sets:?}"),
        format!("{shown:?}"),
    ] {
        assert!(!debug.to_uppercase().contains("04050607"), "{debug}");
    }
    // Another set of the same version takes its place.
    world.step(Input::Import(vec![entry(1, 3, &[])]));
    let record = &world.store.records["keys/8988000000000000016"];
    let sets: key_sets::KeySets = serde_json::from_slice(record).unwrap();
    assert_eq!(sets.shown()[0].kic, "32");
}

const KCV_OF_KIC: &str = "DDADA1";
const KCV_OF_KID: &str = "013808";

pub(super) fn response(executed: u8, sw: u16, data: &[u8]) -> CardResponse {
    let answer = CompactResponse {
        executed,
        sw: Sw(sw),
        data: data.to_vec(),
    };
    CardResponse {
        status: 0,
        data: answer.emit(),
    }
}

#[test]
fn remote_management_makes_scripts_and_reads_their_answers() {
    // TS 102 226 §5.1: SELECT 3F00, SELECT 2FE2, READ BINARY 0A.
    let read = Task::ReadIccid;
    assert_eq!((read.tar(), remote::RFM.0), (remote::RFM, [0xB0, 0, 0]));
    assert_eq!(
        hex::encode(read.script().unwrap()),
        "00a4000c023f0000a4000c022fe200b000000a"
    );
    let ef = hex::decode("988800000000000010f6").unwrap();
    let Ok(Done::Iccid(iccid)) = read.result(&response(3, 0x9000, &ef)) else {
        panic!()
    };
    assert_eq!(iccid.to_string(), "8988000000000000016");
    assert_eq!(
        read.result(&response(2, 0x6A82, &[])),
        Err(Refused::Status {
            command: 2,
            sw: 0x6A82
        })
    );
    assert_eq!(
        read.result(&response(3, 0x9000, &[1])),
        Err(Refused::NoAnswer)
    );

    let aid = hex::decode("A000000000").unwrap();
    let lock = Task::Lock { aid: aid.clone() };
    let script = CommandScript::parse(&lock.script().unwrap()).unwrap();
    assert_eq!(
        SetStatus::try_from(&script.commands[0]),
        Ok(SetStatus::lock(aid))
    );
    assert_eq!(lock.result(&response(1, 0x9000, &[])), Ok(Done::Changed));
}

#[test]
fn the_keys_of_put_key_travel_under_the_kik_of_the_card() {
    let kik = CipherKeyOf(&[0x55; 16]).key();
    let keys = entry(1, 3, &[]).key_set().unwrap();
    let task = Task::PutKey {
        keys: keys.clone(),
        kik: CipherKeyOf(&[0x66; 16]).key(),
        under: kik.clone(),
        replaces: false,
    };
    let script = task.script().unwrap();
    assert!(!hex::encode(&script).contains("0405060708090a0b"));
    let command = ScriptReader::new(&script).next().unwrap().unwrap();
    let order = PutKey::try_from(&command).unwrap();
    assert_eq!((order.version, order.replaces, order.first), (3, 0, 1));
    let unwrapped: Vec<_> = order
        .keys
        .iter()
        .map(|key| key.unwrap_with(&kik).unwrap())
        .collect();
    assert_eq!(unwrapped[0], keys.kic);
    assert_eq!(unwrapped[1].secret(), keys.kid.secret());
    assert_eq!(
        order.keys[0].kcv,
        check_value(CipherAlgorithm::Aes, keys.kic.secret()).unwrap()
    );
}

pub(super) struct CipherKeyOf<'a>(pub(super) &'a [u8]);

impl CipherKeyOf<'_> {
    pub(super) fn key(&self) -> ota_wire::keys::CipherKey {
        let secret = Secret::new(self.0.to_vec());
        ota_wire::keys::CipherKey::new(CipherAlgorithm::Aes, secret).unwrap()
    }
}
