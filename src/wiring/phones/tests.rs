//! Handsets come and go; their cards' records stay.

use super::*;
use crate::runtime::store::MemoryStore;
use crate::world::DEFAULT;

const FIRST: u64 = 447_701_000_000;

fn number(n: u64) -> Msisdn {
    format!("+{}", FIRST + n).parse().unwrap()
}

fn phones() -> Phones {
    let world = format!(
        "{DEFAULT}\n[[range]]\nfirst_msisdn = \"+{FIRST}\"\niccid_base = \"894477010000000000\"\n\
         imsi_base = \"001010100000000\"\ncount = 20000\npin = \"1234\"\npuk = \"12345678\"\n"
    );
    Phones::new(
        Arc::new(World::parse(&world).unwrap()),
        Arc::new(MemoryStore::new()),
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
