//! Loader and scanner judge alike: what the one refuses as weak the other shows, and nothing besides.

use std::collections::BTreeSet;

use super::*;

/// Minimum security levels that a packet can meet: each of no check, RC and CC, in clear and ciphered, with each counter.
fn levels() -> Vec<u8> {
    let levels = 0x00..=0x1F_u8;
    levels.filter(|level| level & 0x03 != 0x03).collect()
}

/// The four applications of a card: kind, TAR, and what else stands in the entry.
const APPLICATIONS: [(&str, &str, &str); 4] = [
    ("signature", "4D4944", ""),
    ("remote-management", "000000", ""),
    ("remote-files", "B00000", "directory = \"3F00\"\n"),
    ("remote-files", "B00010", "directory = \"7FF0\"\n"),
];

fn applications(levels: [u8; 4]) -> String {
    let entries = APPLICATIONS.iter().zip(levels);
    entries
        .map(|((kind, tar, more), level)| {
            format!(
                "[[application]]\nkind = \"{kind}\"\ntar = \"{tar}\"\nmsl = \"{level:02X}\"\n{more}"
            )
        })
        .collect()
}

fn key_sets(families: &[&str]) -> String {
    let sets = families.iter().zip(1..);
    sets.map(|(family, version)| {
        format!("[[key_set]]\nversion = {version}\nfamily = \"{family}\"\n")
    })
    .collect()
}

/// The scanner finds each weakness that the loader names, no other, and none without the packet that shows it.
fn agree(text: &str) {
    let text = format!("inherits = \"default\"\nname = \"other\"\n{text}");
    let profile = Arc::new(Profile::parse(&text, master(), network()).unwrap());
    let fresh = || Uicc::new(profile.clone(), subscriber(), CardState::fresh(&profile));
    let findings = scan(fresh);
    let found: BTreeSet<Weakness> = findings.iter().map(|it| it.weakness).collect();
    let named: BTreeSet<Weakness> = profile.weaknesses().into_iter().collect();
    assert_eq!(found, named, "{text}");
    for finding in &findings {
        assert_eq!(
            Probe::new(fresh()).por_to(&finding.packet).as_ref(),
            Some(&finding.por)
        );
        let text = finding.to_string();
        assert!(text.contains(&hex::encode_upper(&finding.packet)), "{text}");
        assert!(text.starts_with(&finding.weakness.to_string()), "{text}");
    }
}

/// Every level at every application. A card has four at once, so the levels go round.
#[test]
fn on_every_level_of_every_application() {
    let levels = levels();
    assert_eq!(levels.len(), 24);
    for application in 0..APPLICATIONS.len() {
        for level in &levels {
            let mut of_all = [0x16; 4];
            of_all[application] = *level;
            agree(&applications(of_all));
        }
    }
}

/// A card with a menu wants it set up before it takes messages.
#[test]
fn on_cards_with_a_menu() {
    for level in [0x00, 0x11, 0x16] {
        let menu = "[applet]\nmenu = true\n[weak]\nsigns_errors = true\n";
        agree(&format!(
            "{}{menu}",
            applications([0x16, level, 0x16, 0x16])
        ));
    }
}

/// Every mistake alone and with the others, with every kind of key set, at the highest level as at the usual one.
#[test]
fn on_every_mistake_with_every_kind_of_key_set() {
    for families in [
        &["aes-128"][..],
        &["3des-2"],
        &["des"],
        &["aes-128", "3des-2", "des"],
    ] {
        let single_des = families.contains(&"des");
        for (signs, deciphers) in [(false, false), (false, true), (true, false), (true, true)] {
            for level in [0x16, 0x1E] {
                agree(&format!(
                    "{}{}[weak]\nsingle_des = {single_des}\nsigns_errors = {signs}\ndeciphers_for_strangers = {deciphers}\n",
                    key_sets(families),
                    applications([level; 4]),
                ));
            }
        }
    }
}
