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
    phones.set_user(&number(0), Persona::Cancel).unwrap();
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
