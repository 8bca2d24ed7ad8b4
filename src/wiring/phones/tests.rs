//! Handsets come and go; their cards' records stay.

use std::sync::atomic::{AtomicBool, Ordering};

use ota_wire::rp::Cause;

use super::handsets::READY;
use super::*;
use crate::runtime::store::{CommitFuture, MemoryStore, Record, StoreError};
use crate::world::{DEFAULT, Persona};

const FIRST: u64 = 447_701_000_000;

fn number(n: u64) -> Msisdn {
    format!("+{}", FIRST + n).parse().unwrap()
}

fn phones() -> Phones {
    phones_over(Arc::new(MemoryStore::new()))
}

fn phones_over(store: Arc<dyn Store>) -> Phones {
    let world = format!(
        "{DEFAULT}\n[[range]]\nfirst_msisdn = \"+{FIRST}\"\niccid_base = \"894477010000000000\"\n\
         imsi_base = \"001010100000000\"\ncount = 20000\npin = \"1234\"\npuk = \"12345678\"\n"
    );
    Phones::new(
        Arc::new(World::parse(&world).unwrap()),
        store,
        Clock::frozen(Timestamp::UNIX_EPOCH),
        Chance::seeded(1),
        Humans::Approve,
    )
}

fn ready(phones: &Phones) -> usize {
    let shards = phones.shards.iter();
    shards.map(|shard| lock(shard).handsets.len()).sum()
}

#[tokio::test]
async fn idle_handsets_make_room_and_those_in_use_stay() {
    let phones = phones();
    let reader = Input::Reader;
    let now = Timestamp::UNIX_EPOCH;
    // Three that would be missed: another user, no coverage, a card in a reader.
    phones
        .set_user(&Users::new(), &number(0), Persona::Cancel)
        .unwrap();
    phones
        .handle(&number(1), Input::Coverage(false), now)
        .await
        .unwrap();
    phones
        .handle(&number(2), reader(ReaderInput::Insert), now)
        .await
        .unwrap();
    // One that has lost a try of PIN1, which its card remembers.
    phones
        .handle(&number(3), reader(ReaderInput::Insert), now)
        .await
        .unwrap();
    let verify = hex::decode("002000010839393939FFFFFFFF").unwrap();
    phones
        .handle(&number(3), reader(ReaderInput::Apdu(verify)), now)
        .await
        .unwrap();
    phones
        .handle(&number(3), reader(ReaderInput::Eject), now)
        .await
        .unwrap();
    for n in 4..10_000 {
        assert!(phones.view(&number(n)).await.unwrap().unwrap().attached);
    }
    let most = READY * SHARDS;
    assert!(ready(&phones) <= most, "{} are ready", ready(&phones));
    assert!(lock(&phones.handset(&number(0)).unwrap().unwrap().user).replaced);
    assert!(!phones.view(&number(1)).await.unwrap().unwrap().attached);
    assert_eq!(
        phones.view(&number(2)).await.unwrap().unwrap().place,
        Place::Reader
    );
    phones
        .handle(&number(3), reader(ReaderInput::Insert), now)
        .await
        .unwrap();
    let query = hex::decode("0020000100").unwrap();
    let (outputs, _) = phones
        .handle(&number(3), reader(ReaderInput::Apdu(query)), now)
        .await
        .unwrap();
    let tries = ReaderOutput::Response(vec![0x63, 0xC2]);
    assert_eq!(outputs, [Output::Reader(tries)]);
}

/// Looks at a card as the control API does.
async fn look(phones: &Phones, msisdn: &Msisdn) -> CardView {
    phones.view(msisdn).await.unwrap().unwrap()
}

async fn does(phones: &Phones, msisdn: &Msisdn, inputs: impl IntoIterator<Item = Input>) {
    for input in inputs {
        let now = Timestamp::UNIX_EPOCH;
        phones.handle(msisdn, input, now).await.unwrap();
    }
}

fn reader(input: ReaderInput) -> Input {
    Input::Reader(input)
}

/// The one whom the world puts out of coverage, and one whom it does not.
fn out_and_in() -> [(Msisdn, bool); 2] {
    let out = "+447700900008".parse().unwrap();
    [(out, false), (number(0), true)]
}

#[tokio::test]
async fn a_handset_that_nobody_has_used_says_how_it_will_be() {
    let phones = phones();
    for (msisdn, coverage) in out_and_in() {
        let fresh = look(&phones, &msisdn).await;
        assert_eq!(fresh.attached, coverage, "{msisdn}");
        does(&phones, &msisdn, [Input::PowerOn]).await;
        assert_eq!(look(&phones, &msisdn).await, fresh, "{msisdn}");
    }
    let with_menu = "+447700900006".parse().unwrap();
    let fresh = look(&phones, &with_menu).await;
    assert_eq!(fresh.menu.as_ref().unwrap().items[&2], "Unblock PIN");
    does(&phones, &with_menu, [Input::PowerOn]).await;
    assert_eq!(look(&phones, &with_menu).await, fresh);
}

/// Whether it was set before the card was taken out or meanwhile, and whether anybody played the handset.
#[tokio::test]
async fn coverage_that_was_set_outlives_a_stay_in_a_reader() {
    let take = || reader(ReaderInput::Take { acknowledge: true });
    let query = || reader(ReaderInput::Apdu(hex::decode("0020000100").unwrap()));
    for (set_before, listens) in [(true, false), (false, false), (true, true), (false, true)] {
        let phones = phones();
        for (msisdn, of_world) in out_and_in() {
            let set = Input::Coverage(!of_world);
            let (before, meanwhile) = match set_before {
                true => (Some(set), None),
                false => (None, Some(set)),
            };
            does(&phones, &msisdn, before).await;
            does(&phones, &msisdn, [reader(ReaderInput::Insert), query()]).await;
            does(&phones, &msisdn, meanwhile).await;
            does(&phones, &msisdn, listens.then(take)).await;
            does(&phones, &msisdn, [reader(ReaderInput::Eject)]).await;
            let case = format!("{msisdn}, {set_before}, {listens}");
            assert_eq!(look(&phones, &msisdn).await.attached, !of_world, "{case}");
            let again = [reader(ReaderInput::Insert), reader(ReaderInput::Eject)];
            does(&phones, &msisdn, again).await;
            assert_eq!(look(&phones, &msisdn).await.attached, !of_world, "{case}");
            // In use again, it is as it was set.
            does(&phones, &msisdn, [Input::Select { item: 9 }]).await;
            assert_eq!(look(&phones, &msisdn).await.attached, !of_world, "{case}");
        }
    }
}

#[tokio::test]
async fn a_handset_that_was_switched_off_stays_off_when_its_card_comes_back() {
    let phones = phones();
    let msisdn = number(0);
    for away in [
        [reader(ReaderInput::Insert), reader(ReaderInput::Eject)],
        [false, true].map(|inserted| Input::Card { inserted }),
    ] {
        does(&phones, &msisdn, [Input::PowerOff]).await;
        does(&phones, &msisdn, away).await;
        assert!(!look(&phones, &msisdn).await.attached);
        does(&phones, &msisdn, [Input::PowerOn]).await;
        assert!(look(&phones, &msisdn).await.attached);
    }
}

#[tokio::test]
async fn what_was_set_outlives_thousands_of_other_handsets() {
    let phones = phones();
    let [(out, _), (covered, _)] = out_and_in();
    does(&phones, &out, [Input::Coverage(true)]).await;
    does(&phones, &covered, [Input::Coverage(false)]).await;
    let (off, table) = (number(1), number(2));
    does(&phones, &off, [Input::PowerOff]).await;
    does(&phones, &table, [Input::Card { inserted: false }]).await;
    let people = number(3);
    does(&phones, &people, [for_people()]).await;
    let busy = number(4);
    phones
        .set_user(&Users::new(), &busy, Persona::Busy)
        .unwrap();
    for n in 5..10_000 {
        look(&phones, &number(n)).await;
    }
    assert!(look(&phones, &out).await.attached);
    does(&phones, &out, [Input::Select { item: 9 }]).await;
    assert!(look(&phones, &out).await.attached);
    assert!(!look(&phones, &covered).await.attached);
    assert!(!look(&phones, &off).await.attached);
    assert_eq!(look(&phones, &table).await.place, Place::Out);
    assert_eq!(inbox(&phones, &people).await, 1);
    assert!(lock(&phones.handset(&busy).unwrap().unwrap().user).replaced);
}

#[tokio::test]
async fn messages_for_people_outlive_a_stay_in_a_reader() {
    let phones = phones();
    let msisdn = number(0);
    does(&phones, &msisdn, [for_people()]).await;
    let away = [reader(ReaderInput::Insert), reader(ReaderInput::Eject)];
    does(&phones, &msisdn, away).await;
    assert_eq!(inbox(&phones, &msisdn).await, 1);
}

/// RP-DATA with an SMS-DELIVER that has no class.
fn for_people() -> Input {
    let (rp, tpdu) = (
        "0101 0791447700090000 00 14",
        "040C91447700099099 00 04 62112212000000 01 41",
    );
    Input::Rp(hex::decode([rp, tpdu].concat().replace(' ', "")).unwrap())
}

async fn inbox(phones: &Phones, msisdn: &Msisdn) -> usize {
    phones.inbox(msisdn).await.unwrap().len()
}

/// A store whose medium is full for a while.
#[derive(Default)]
struct Fragile {
    store: MemoryStore,
    full: AtomicBool,
}

impl Store for Fragile {
    fn get(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.store.get(key)
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Record)>, StoreError> {
        self.store.scan(prefix)
    }

    fn commit(&self, batch: Batch) -> CommitFuture {
        if self.full.load(Ordering::Relaxed) {
            let full = StoreError::Full {
                file: "sim.redb".into(),
            };
            return CommitFuture::ready(Err(full.into()));
        }
        self.store.commit(batch)
    }

    fn durable(&self) -> bool {
        true
    }
}

/// The reader hears neither of a try that was not taken nor of a code that was right.
#[tokio::test]
async fn what_the_journal_has_not_taken_has_not_happened() {
    let store = Arc::new(Fragile::default());
    let phones = phones_over(store.clone());
    let (msisdn, now) = (number(0), Timestamp::UNIX_EPOCH);
    let command = async |octets: &str| {
        let apdu = ReaderInput::Apdu(hex::decode(octets).unwrap());
        let handled = phones.handle(&msisdn, Input::Reader(apdu), now).await;
        let (outputs, _) = handled.ok()?;
        let [Output::Reader(ReaderOutput::Response(answer))] = outputs.as_slice() else {
            panic!("{outputs:?}");
        };
        Some(hex::encode_upper(answer))
    };
    let insert = Input::Reader(ReaderInput::Insert);
    phones.handle(&msisdn, insert, now).await.unwrap();
    let (wrong, right) = ("002000010839393939FFFFFFFF", "002000010830303030FFFFFFFF");
    assert_eq!(command(wrong).await.as_deref(), Some("63C2"));
    store.full.store(true, Ordering::Relaxed);
    assert_eq!(command(wrong).await, None);
    assert_eq!(command(right).await, None);
    // Nothing is written by these, and the card has lost its power: it asks for PIN1 again.
    assert_eq!(command("0020000100").await.as_deref(), Some("63C2"));
    assert_eq!(
        command("00A4040C07A0000000871002").await.as_deref(),
        Some("9000")
    );
    assert_eq!(command("00B0870009").await.as_deref(), Some("6982"));
    store.full.store(false, Ordering::Relaxed);
    assert_eq!(command(wrong).await.as_deref(), Some("63C1"));
    assert_eq!(command(right).await.as_deref(), Some("9000"));
    assert_eq!(command("0020000100").await.as_deref(), Some("63C3"));
}

/// What the network has said to a message of which nobody wants to know any more.
#[tokio::test]
async fn an_answer_that_nobody_took_is_not_that_of_a_later_message() {
    let (phones, users) = (phones(), Users::default());
    let (msisdn, now) = (number(0), Timestamp::UNIX_EPOCH);
    let handle = async |input| {
        let (outputs, _) = phones
            .handle(&msisdn, Input::Reader(input), now)
            .await
            .unwrap();
        outputs
    };
    let submit = async || {
        let tpdu = hex::decode("0100048121430000013A").unwrap();
        let outputs = handle(ReaderInput::Submit {
            service_centre: None,
            tpdu,
        });
        let told = outputs.await.into_iter().find_map(|output| match output {
            Output::Reader(ReaderOutput::Submitted { mr }) => Some(mr),
            _ => None,
        });
        told.unwrap()
    };
    let ended = |mr, cause| Output::Reader(ReaderOutput::Ended { mr, cause });
    handle(ReaderInput::Insert).await;
    let first = submit().await;
    phones.effects(&users, &msisdn, ended(first, Some(Cause::CONGESTION)));
    for n in 1..=255 {
        let mr = submit().await;
        assert_eq!(mr, first.wrapping_add(n));
        phones.effects(&users, &msisdn, ended(mr, None));
        assert_eq!(phones.take_ended(&msisdn, mr), Ok(Some(None)));
    }
    assert_eq!(submit().await, first);
    assert_eq!(phones.take_ended(&msisdn, first), Ok(None), "not yet");
    phones.effects(&users, &msisdn, ended(first, None));
    // Nor does it outlast the reader: nothing is left to wait for.
    handle(ReaderInput::Eject).await;
    assert_eq!(phones.take_ended(&msisdn, first), Ok(None));
}
