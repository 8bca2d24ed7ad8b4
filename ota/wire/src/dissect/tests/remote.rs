//! Remote management inside and outside of packets.

use super::*;

fn lines(tree: &Tree) -> Vec<String> {
    let text = tree.to_string();
    text.lines()
        .map(|line| line.trim_start().to_owned())
        .collect()
}

#[test]
fn a_script_in_a_packet_shows_its_commands() {
    let keys = keys();
    let command = Command {
        spi: Spi::MT,
        kic: 0x12,
        kid: 0x12,
        tar: Tar([0xB0, 0x00, 0x10]),
        cntr: Cntr::new(7).unwrap(),
        data: bytes("00a4000c023f0000a4000c022fe200b000000a"),
    };
    let tree = command_packet(&command.seal(&keys.key_sets[0]).unwrap(), &keys);
    assert!(tree.is_complete(), "{tree}");
    let shown = lines(tree.find("command script").unwrap());
    assert_eq!(shown[0], "command script: 19 octets  [TS 102 226 §5.1.1]");
    let names = shown.iter().filter(|line| line.contains("§10.1"));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            "SELECT: 7 octets  [TS 102 221 §10.1]",
            "SELECT: 7 octets  [TS 102 221 §10.1]",
            "READ BINARY: 5 octets  [TS 102 221 §10.1]",
        ]
    );
    // To another application the same octets are just data.
    let other = Command {
        tar: Tar::MID,
        ..command
    };
    let tree = command_packet(&other.seal(&keys.key_sets[0]).unwrap(), &keys);
    assert!(tree.find("command script").is_none());
}

/// The answer of a real card, recorded in pySim's manual.
#[test]
fn a_recorded_response() {
    let tree = compact_response(
        &bytes("0290000000ffff7f2002000000000009b106350400838a838a"),
        &no_keys(),
    );
    assert_eq!(
        lines(&tree)[..3],
        [
            "compact response: 25 octets  [TS 102 226 §5.1.2]",
            "number of commands executed: 02",
            "SW of the last command: 9000 (done)",
        ]
    );
    assert!(tree.is_complete());
}

#[test]
fn what_is_no_script_says_where_it_ends() {
    let problem = |octets: &str| {
        let tree = command_script(&bytes(octets), &no_keys());
        tree.first_error().unwrap().value.clone()
    };
    assert_eq!(
        problem("00b000000a 00d60000ff00"),
        "command at offset 5: P3 announces 255 octets of data, got 1"
    );
    assert_eq!(problem(""), "a script has at least one command, got none");
    assert!(problem("00ff000000").contains("expected a known instruction"));
    assert!(problem("aa03220100").contains("expanded format"));
    let tree = compact_response(&bytes("02"), &no_keys());
    assert!(!tree.is_complete());
}

#[test]
fn commands_of_application_management() {
    let put = "80d80281 2d 02
        80 10 970bb3c1a7b10ae644e5df2980700a3b 03 fe8a09
        80 10 970bb3c1a7b10ae644e5df2980700a3b 03 fe8a09";
    let put = hex::decode(put.split_whitespace().collect::<String>()).unwrap();
    let tree = command_apdu(&put, &no_keys());
    let shown = lines(&tree);
    assert_eq!(
        shown[3..13],
        [
            "P1: 02 (replaces key set 2)",
            "P2: 81 (keys from identifier 1)",
            "P3: 2D (Lc 45)",
            "key data: 45 octets  [TS 102 226 §8.2.1.5]",
            "key set version: 02",
            "key type: 80 (DES)",
            "length: 10",
            &format!("key: {}", "•".repeat(32)),
            "length of the check value: 03",
            "key check value: FE8A09",
        ]
    );
    assert!(tree.is_complete());
    // What cannot be told apart is secret as a whole.
    let cut = [&put[..4], &[0x10], &put[5..21]].concat();
    let tree = command_apdu(&cut, &no_keys());
    assert_eq!(tree.secrets().first(), Some(&(5..21)));

    let lock = lines(&command_apdu(
        &bytes("80f0408008a000000559101012"),
        &no_keys(),
    ));
    assert_eq!(lock[0], "SET STATUS: 13 octets  [TS 102 221 §10.1]");
    assert_eq!(
        lock[3..5],
        [
            "P1: 40 (applications and security domains)",
            "P2: 80 (lock)"
        ]
    );
    let list = lines(&command_apdu(&bytes("80f24002024f00"), &no_keys()));
    assert_eq!(list[0], "GET STATUS: 7 octets  [TS 102 221 §10.1]");
    assert_eq!(list[4], "P2: 02 (first, as templates)");
    let status = lines(&command_apdu(&bytes("80f2000016"), &no_keys()));
    assert_eq!(status[0], "STATUS: 5 octets  [TS 102 221 §10.1]");
}
