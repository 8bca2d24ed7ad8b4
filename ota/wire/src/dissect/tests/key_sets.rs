//! Which key set a packet comes under.

use super::*;

#[test]
fn two_key_sets_are_told_where_both_count() {
    let keys = keys();
    let named = |spi: [u8; 2], kic: u8, kid: u8| {
        let mut octets = packet(&keys.key_sets[0], Spi(spi), challenge(&keys));
        octets[5..7].copy_from_slice(&[kic, kid]);
        command_packet(&octets, &keys)
    };
    for (kic, kid) in [(0x12, 0x22), (0x12, 0x02), (0x02, 0x12)] {
        let tree = named([0x16, 0x3A], kic, kid);
        let why = meaning(&tree, "CNTR to end");
        assert_eq!(why, "ciphered, KIc and KID name different key sets");
    }
    assert!(meaning(&named([0x16, 0x3A], 0x02, 0x02), "CNTR to end").contains("key set 0 is not"));
    // KIc is covered by the CC, so the octet is there when it is made.
    let command = Command {
        kic: 0x22,
        ..Command::unseal(
            &packet(&keys.key_sets[0], Spi([0x12, 0x00]), challenge(&keys)),
            &keys.key_sets[0],
        )
        .unwrap()
    };
    let tree = command_packet(&command.seal(&keys.key_sets[0]).unwrap(), &keys);
    assert_eq!(meaning(&tree, "RC/CC"), "ok");
}
