//! Scripts and responses: those with a name come from unit tests of asterix and gsm0348 (payloads of the vector
//! files), the others are worked out by hand from the tables of the standards.

use proptest::collection::vec;
use proptest::prelude::*;

use super::ram::{
    GetStatus, KeyType, LifeCycle, NoStatus, PutKey, Scope, SetStatus, StatusEntry, WrappedKey,
};
use super::*;
use crate::keys::CipherKey;
use crate::packet::CipherAlgorithm;
use crate::secret::Secret;

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn instructions(script: &str) -> Vec<(Ins, usize, Option<usize>)> {
    let octets = hex(script);
    let script = CommandScript::parse(&octets).unwrap();
    assert_eq!(script.emit(), octets);
    let commands = script.commands.iter();
    commands
        .map(|command| (command.ins, command.data.len(), command.le))
        .collect()
}

#[test]
fn scripts_that_were_published() {
    assert_eq!(
        instructions("a0a40000023f00 a0a40000027f10 a0a40000026f3c a0b2010405"),
        [
            (Ins::SELECT, 2, None),
            (Ins::SELECT, 2, None),
            (Ins::SELECT, 2, None),
            (Ins::READ_RECORD, 0, Some(5)),
        ]
    );
    assert_eq!(
        instructions("80ca00e000 00c0000000"),
        [
            (Ins::GET_DATA, 0, Some(256)),
            (Ins::GET_RESPONSE, 0, Some(256)),
        ]
    );
    assert_eq!(
        instructions("80f28002024f00 00c0000000"),
        [(Ins::STATUS, 2, None), (Ins::GET_RESPONSE, 0, Some(256)),]
    );
    assert_eq!(
        instructions("80f2000016"),
        [(Ins::STATUS, 0, Some(0x16))],
        "STATUS of TS 102 221 has no data"
    );
}

#[test]
fn responses_that_were_published() {
    let response = CompactResponse::parse(&hex("019000e012c00401018210c00402018210c00403018210"));
    let response = response.unwrap();
    assert_eq!((response.executed, response.sw), (1, Sw::OK));
    assert_eq!(response.data[..2], [0xE0, 0x12]);
    let get_data = CommandScript::parse(&hex("80ca00e000 00c0000000")).unwrap();
    assert!(response.completes(&get_data));

    let failed = CompactResponse::parse(&hex("016e00")).unwrap();
    assert_eq!((failed.sw, failed.data.len()), (Sw::CLA_NOT_SUPPORTED, 0));
    assert!(!failed.completes(&get_data));
    let early = CompactResponse::parse(&hex("019000")).unwrap();
    let two = CommandScript::parse(&hex("a0a40000023f00 a0a40000027f10")).unwrap();
    assert!(!early.completes(&two));
    assert_eq!(
        CompactResponse::parse(&[1, 0x90]),
        Err(ShortResponse { got: 2 })
    );
}

#[test]
fn reading_the_iccid() {
    let script = rfm::read_iccid();
    assert_eq!(
        hex::encode(script.emit()),
        "00a4000c023f0000a4000c022fe200b000000a"
    );
    let response = CompactResponse {
        executed: 3,
        sw: Sw::OK,
        data: hex("98880000000000000061"),
    };
    assert!(response.completes(&script));
    assert_eq!(hex::encode(response.emit()), "03900098880000000000000061");
}

#[test]
fn broken_scripts() {
    assert_eq!(CommandScript::parse(&[]), Err(ScriptError::Empty));
    let cases = [
        ("00a4000c", ScriptError::Header { at: 0, got: 4 }),
        (
            "00a4000c023f",
            ScriptError::Data {
                at: 0,
                expected: 2,
                got: 1,
            },
        ),
        ("00b000000a 00", ScriptError::Header { at: 5, got: 1 }),
        (
            "00b000000a 00d60000ff00",
            ScriptError::Data {
                at: 5,
                expected: 255,
                got: 1,
            },
        ),
        ("aa022201", ScriptError::Expanded { tag: 0xAA }),
        ("ae80", ScriptError::Expanded { tag: 0xAE }),
    ];
    for (octets, error) in cases {
        assert_eq!(CommandScript::parse(&hex(octets)), Err(error), "{octets}");
    }
    // What comes before the broken command can be executed, and nothing comes after it.
    let octets = hex("00b000000a 00d60000ff00");
    let mut reader = ScriptReader::new(&octets);
    assert_eq!(reader.next().unwrap().unwrap().ins, Ins::READ_BINARY);
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

fn aes_kik() -> CipherKey {
    CipherKey::new(CipherAlgorithm::Aes, Secret::new((0..16).collect())).unwrap()
}

fn des_kik() -> CipherKey {
    CipherKey::new(CipherAlgorithm::TripleDes2, Secret::new((0..16).collect())).unwrap()
}

/// Ciphered values by `openssl enc -aes-128-cbc -iv 0` and `openssl enc -des-ede -nopad`, check values the same way.
#[test]
fn put_key() {
    let key = Secret::new((0x10..0x20).collect());
    let aes = WrappedKey::wrap(&aes_kik(), CipherAlgorithm::Aes, &key).unwrap();
    let command = PutKey::add(3, [aes.clone()]).command();
    assert_eq!(
        hex::encode(command.emit()),
        hex::encode(hex(AES_PUT_KEY)),
        "AES"
    );
    assert_eq!(
        PutKey::try_from(&command),
        Ok(PutKey::add(3, [aes.clone()]))
    );
    assert_eq!(aes.unwrap_with(&aes_kik()).unwrap().secret(), &key);

    let des = WrappedKey::wrap(&des_kik(), CipherAlgorithm::TripleDes2, &key).unwrap();
    let put = PutKey {
        replaces: 2,
        ..PutKey::add(2, [des.clone(), des.clone()])
    };
    let command = put.command();
    assert_eq!(
        hex::encode(command.emit()),
        hex::encode(hex(DES_PUT_KEY)),
        "DES"
    );
    assert_eq!(PutKey::try_from(&command), Ok(put.clone()));
    assert_eq!(put.response_data()[0], 2);
    assert_eq!(put.response_data().len(), 7);
    let opened = des.unwrap_with(&des_kik()).unwrap();
    assert_eq!(opened.algorithm(), CipherAlgorithm::TripleDes2);
    assert_eq!(opened.secret(), &key);
}

const AES_PUT_KEY: &str = "80d80001 18 03 88 11 10 07feef74e1d5036e900eee118e949293 03 013808";
const DES_PUT_KEY: &str = "80d80281 2d 02
    80 10 970bb3c1a7b10ae644e5df2980700a3b 03 fe8a09
    80 10 970bb3c1a7b10ae644e5df2980700a3b 03 fe8a09";

#[test]
fn keys_of_every_length_survive_their_way() {
    for kik in [aes_kik(), des_kik()] {
        for (algorithm, len) in [
            (CipherAlgorithm::Des, 8),
            (CipherAlgorithm::TripleDes2, 16),
            (CipherAlgorithm::TripleDes3, 24),
            (CipherAlgorithm::Aes, 16),
            (CipherAlgorithm::Aes, 24),
            (CipherAlgorithm::Aes, 32),
        ] {
            let key = Secret::new((0..len).map(|octet| octet * 7).collect());
            let wrapped = WrappedKey::wrap(&kik, algorithm, &key);
            // A DES key states the length of its ciphered form only, and AES makes whole blocks of 16 octets.
            let is_des = algorithm != CipherAlgorithm::Aes;
            if kik.algorithm() == CipherAlgorithm::Aes && is_des && len % 16 != 0 {
                assert!(wrapped.is_err(), "{algorithm:?} of {len} octets");
                continue;
            }
            let command = PutKey::add(1, [wrapped.unwrap()]).command();
            let put = PutKey::try_from(&command).unwrap();
            let opened = put.keys[0].unwrap_with(&kik).unwrap();
            assert_eq!((opened.algorithm(), opened.secret()), (algorithm, &key));
        }
    }
}

#[test]
fn put_key_that_a_card_refuses() {
    let key = Secret::new((0x10..0x20).collect());
    let wrapped = WrappedKey::wrap(&aes_kik(), CipherAlgorithm::Aes, &key).unwrap();
    let wrong = WrappedKey {
        kcv: [0; 3],
        ..wrapped.clone()
    };
    let refused = Err(Sw(0x9485));
    assert_eq!(wrong.unwrap_with(&aes_kik()), refused);
    assert_eq!(wrapped.unwrap_with(&des_kik()), refused);
    let unknown = WrappedKey {
        kind: KeyType(0x90),
        ..wrapped.clone()
    };
    assert_eq!(unknown.unwrap_with(&aes_kik()), Err(Sw(0x9484)));
    let odd = WrappedKey {
        len: 17,
        ..wrapped.clone()
    };
    assert_eq!(odd.unwrap_with(&aes_kik()), Err(Sw::WRONG_DATA));
    assert_eq!(wrapped.unwrap_with(&CipherKey::none()), Err(Sw::WRONG_DATA));
    assert!(WrappedKey::wrap(&CipherKey::none(), CipherAlgorithm::Aes, &key).is_err());

    let good = PutKey::add(3, [wrapped]).command();
    let refusal = |change: fn(&mut Command)| {
        let mut command = good.clone();
        change(&mut command);
        PutKey::try_from(&command).unwrap_err()
    };
    assert_eq!(
        refusal(|command| command.ins = Ins::SET_STATUS),
        Sw::INS_NOT_SUPPORTED
    );
    assert_eq!(refusal(|command| command.p1 = 0x80), Sw::WRONG_P1_P2);
    assert_eq!(refusal(|command| command.p2 = 0x81), Sw::WRONG_DATA);
    assert_eq!(refusal(|command| command.data.truncate(1)), Sw::WRONG_DATA);
    assert_eq!(refusal(|command| command.data.clear()), Sw::WRONG_DATA);
    assert_eq!(refusal(|command| command.data[0] = 0), Sw::WRONG_DATA);
    assert_eq!(refusal(|command| command.data[2] = 0xFF), Sw::WRONG_DATA);
    for len in 1..good.data.len() {
        let mut command = good.clone();
        command.data.truncate(len);
        assert!(PutKey::try_from(&command).is_err(), "{len} octets");
    }
}

#[test]
fn locking_an_application() {
    let aid = hex("a000000559101012");
    let lock = SetStatus::lock(aid.clone()).command();
    assert_eq!(hex::encode(lock.emit()), "80f0408008a000000559101012");
    assert!(SetStatus::try_from(&lock).unwrap().state.is_locked());
    let unlock = SetStatus::unlock(aid).command();
    assert_eq!(hex::encode(unlock.emit()), "80f0400708a000000559101012");
    assert!(!SetStatus::try_from(&unlock).unwrap().state.is_locked());
    let short = SetStatus::lock([1, 2, 3, 4]).command();
    assert_eq!(SetStatus::try_from(&short), Err(Sw::WRONG_DATA));
}

#[test]
fn asking_for_the_status() {
    let all = GetStatus::all(Scope::APPLICATIONS).command();
    assert_eq!(hex::encode(all.emit()), "80f24002024f00");
    assert_eq!(
        GetStatus::try_from(&all),
        Ok(GetStatus::all(Scope::APPLICATIONS))
    );
    let status = Command::new(0x80, Ins::STATUS, 0, 0).with_le(22);
    assert_eq!(GetStatus::try_from(&status), Err(Sw::INS_NOT_SUPPORTED));
    let without = all.with_data([0x5C, 0x00]);
    assert_eq!(GetStatus::try_from(&without), Err(Sw::WRONG_DATA));

    let entry = StatusEntry {
        aid: hex("a000000559101012"),
        state: LifeCycle(0x87),
        privileges: vec![0, 0, 0],
    };
    let mut answer = Vec::new();
    entry.emit(GetStatus::TLV, &mut answer);
    assert_eq!(
        hex::encode(&answer),
        "e3134f08a0000005591010129f700187c503000000"
    );
    assert_eq!(
        StatusEntry::parse_all(GetStatus::TLV, &answer),
        Ok(vec![entry.clone()])
    );
    let mut answer = Vec::new();
    entry.emit(0, &mut answer);
    entry.emit(0, &mut answer);
    assert_eq!(hex::encode(&answer[..11]), "08a0000005591010128700");
    let entries = StatusEntry::parse_all(0, &answer).unwrap();
    assert_eq!((entries.len(), entries[1].privileges.len()), (2, 1));
    assert_eq!(StatusEntry::parse_all(0, &answer[..21]), Err(NoStatus));
    assert_eq!(
        StatusEntry::parse_all(GetStatus::TLV, &[0xE4, 0]),
        Err(NoStatus)
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    (any::<[u8; 4]>(), vec(any::<u8>(), 0..40), 1usize..=256).prop_map(
        |([cla, ins, p1, p2], data, le)| {
            // A script that begins with AA or AE is an expanded one.
            let command = Command::new(cla & !0x20, Ins(ins), p1, p2);
            if takes_data(&command) {
                command.with_data(data)
            } else {
                command.with_le(le)
            }
        },
    )
}

proptest! {
    #[test]
    fn scripts_survive(commands in vec(any_command(), 1..8)) {
        let script = CommandScript { commands };
        prop_assert_eq!(CommandScript::parse(&script.emit()), Ok(script));
    }

    #[test]
    fn what_reads_is_written_as_it_was(octets in vec(any::<u8>(), 0..200)) {
        if let Ok(script) = CommandScript::parse(&octets) {
            prop_assert_eq!(script.emit(), octets.clone());
        }
        if let Ok(response) = CompactResponse::parse(&octets) {
            prop_assert_eq!(response.emit(), octets.clone());
        }
        let mut command = Command::new(0x80, Ins::PUT_KEY, 0, 1).with_data(octets.clone());
        for several in [0, 0x80] {
            command.p2 = several | 1;
            if let Ok(put) = PutKey::try_from(&command) {
                prop_assert_eq!(put.command(), command.clone());
            }
        }
        let _ = StatusEntry::parse_all(GetStatus::TLV, &octets);
        let _ = StatusEntry::parse_all(0, &octets);
    }
}
