use super::*;
use crate::testing::{master, network};
use crate::uicc::file::FileIndex;

fn parsed(text: &str) -> Result<Profile, ProfileError> {
    parse(text, master(), network())
}

fn error(text: &str) -> String {
    parsed(text).unwrap_err().to_string()
}

#[test]
fn every_profile_of_the_repository_is_one() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/profiles");
    let mut names = Vec::new();
    for folder in [root.clone(), root.join("weak")] {
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            if entry.path().extension().is_some_and(|it| it == "toml") {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let profile =
                    parsed(&text).unwrap_or_else(|error| panic!("{:?}: {error}", entry.path()));
                let weak = folder.ends_with("weak");
                assert_eq!(!profile.weaknesses().is_empty(), weak, "{:?}", entry.path());
                names.push(profile.name);
            }
        }
    }
    assert!(names.contains(&"default".to_owned()) && names.contains(&"lab".to_owned()));
}

#[test]
fn every_file_can_be_described_in_127_octets() {
    let fs = parsed(DEFAULT).unwrap().files;
    let usim = fs.child(FileIndex::MF, 0x7FF0).unwrap();
    for index in [FileIndex::MF, usim] {
        assert!(fs.fcp(index, 0xE0).len() <= 127);
    }
}

#[test]
fn an_heir_changes_only_what_it_names() {
    let heir = parsed(
        "inherits = \"default\"\nname = \"heir\"\n[codes.pin1]\ncode = \"4711\"\n\
         [[file]]\npath = \"7FF0/6FAD\"\naccess = \"public\"\nhex = \"80000002\"\n\
         [[file]]\npath = \"2F50\"\naccess = \"public\"\nsize = 3\n",
    )
    .unwrap();
    let base = parsed(DEFAULT).unwrap();
    assert_eq!(heir.name, "heir");
    assert_eq!(heir.codes[0].code.digits(), "4711");
    assert_eq!(heir.codes[0].tries, base.codes[0].tries);
    assert_eq!(heir.atr, base.atr);
    assert!(heir.files.child(FileIndex::MF, 0x2F50).is_some());
    assert!(heir.files.child(FileIndex::MF, 0x2FE2).is_some());
}

#[test]
fn the_profile_of_the_documentation_is_one() {
    let page = include_str!("../../../docs/card.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let profile = parsed(example).unwrap();
    assert_eq!(profile.name, "mine");
    assert!(!profile.codes[0].enabled && profile.applet.text_in_prompt);
    assert_eq!(profile.handset.screen_characters, 40);
}

/// What stands in the default profile is what a profile without it has.
#[test]
fn applet_and_handset_have_standards() {
    let said = parsed(DEFAULT).unwrap();
    let mut table: Table = DEFAULT.parse().unwrap();
    table.remove("applet").unwrap();
    table.remove("handset").unwrap();
    let silent = parsed(&table.to_string()).unwrap();
    let shown = |profile: &Profile| format!("{:?} {:?}", profile.applet, profile.handset);
    assert_eq!(shown(&said), shown(&silent));
}

#[test]
fn applet_and_handset_are_as_the_profile_says() {
    let profile = parsed(
        "inherits = \"default\"\nname = \"heir\"\n[codes.pin1]\ncode = \"4711\"\ntries = 5\n\
         [applet]\npin_tries = 5\npin_prompt = \"Code\"\ntext_in_prompt = true\ntone = \"11\"\n\
         menu = true\n[handset]\nterminal_profile = \"03 00 05 02\"\nscreen_characters = 20\n",
    );
    let Profile {
        applet, handset, ..
    } = profile.unwrap();
    assert_eq!((applet.pin_tries, applet.puk_tries), (5, 10));
    assert_eq!((applet.tone, applet.menu), (Some(0x11), true));
    assert_eq!(applet.pin_prompt, "Code");
    assert!(applet.text_in_prompt);
    assert_eq!(handset.terminal_profile, [0x03, 0x00, 0x05, 0x02]);
    assert_eq!(handset.screen_characters, 20);
    assert_eq!(handset.pin1.unwrap().digits(), "4711");
}

#[test]
fn what_is_wrong_is_named() {
    let heir = |text: &str| error(&format!("inherits = \"default\"\n{text}"));
    assert!(error("inherits = \"another\"").contains("another"));
    assert!(heir("colour = 1").contains("colour"));
    assert!(heir("[codes.pin1]\ncode = \"12\"").contains("codes.pin1.code"));
    assert!(
        heir("[[file]]\npath = \"6F01/6F02\"\naccess = \"own\"\nsize = 1").contains("6F01/6F02")
    );
    assert!(heir("[[file]]\npath = \"6F01\"\naccess = \"secret\"\nsize = 1").contains("secret"));
    assert!(heir("[[file]]\npath = \"6F01\"\naccess = \"own\"\nsize = 0").contains("6F01"));
    assert!(heir("[[file]]\npath = \"6F01\"\naccess = \"own\"\nstructure = \"linear\"\nrecord = 2\nrecords = [\"010203\"]").contains("record"));
    assert!(
        heir("[[file]]\npath = \"6F01\"\nstructure = \"link\"\nto = \"7FF0/0000\"")
            .contains("7FF0/0000")
    );
    assert!(
        heir("[security_domain]\nscp03 = { version = \"30\", i = \"15\" }").contains("60 or 70")
    );
    assert!(heir("[[key_set]]\nversion = 16\nfamily = \"aes-128\"").contains("1 to 15"));
    assert!(
        heir("[security_domain]\nscp03 = { version = \"01\", i = \"70\" }").contains("30 to 3F")
    );
    assert!(heir("[security_domain]\naid = \"A000\"").contains("5 to 16 octets"));
    assert!(heir("[applet]\npin_tries = 0").contains("applet.pin_tries: expected 1 to 15"));
    assert!(heir("[applet]\ncolour = 1").contains("colour"));
    let long = "x".repeat(61);
    assert!(heir(&format!("[applet]\npin_prompt = \"{long}\"")).contains("60 characters"));
    assert!(heir("[handset]\nterminal_profile = \"\"").contains("1 to 255 octets"));
}

/// Whatever came later would not be reached.
#[test]
fn what_may_come_once_is_refused_twice() {
    let heir = |text: &str| error(&format!("inherits = \"default\"\n{text}"));
    let keys = "[[key_set]]\nversion = 2\nfamily = \"aes-128\"\n";
    assert!(heir(&keys.repeat(2)).contains("key_set.version"));
    let signature = |tar: &str| {
        format!("[[application]]\nkind = \"signature\"\ntar = \"{tar}\"\nmsl = \"16\"\n")
    };
    let two = heir(&(signature("4D4944") + &signature("4D4945")));
    assert!(two.contains("one signature"), "{two}");
    let files = "[[application]]\nkind = \"remote-files\"\ntar = \"B00000\"\nmsl = \"16\"\n";
    let same = heir(&(signature("4D4944") + &files.repeat(2)));
    assert!(same.contains("application.tar"), "{same}");
    assert!(heir("[codes.pin2]\nreference = \"01\"").contains("codes.reference"));
}

/// Levels that no packet meets, and single DES by halves: nobody could tell such a card from a good one.
#[test]
fn what_no_card_could_show_is_refused() {
    let heir = |text: &str| error(&format!("inherits = \"default\"\n{text}"));
    let signature = |msl: u8| {
        heir(&format!(
            "[[application]]\nkind = \"signature\"\ntar = \"4D4944\"\nmsl = \"{msl:02X}\"\n"
        ))
    };
    for msl in [0x03, 0x07, 0x0B, 0x13, 0x17, 0x1F, 0x20, 0x36, 0x96] {
        let expected = format!(
            "application 4D4944: msl: expected 00 to 1F without digital signature (bits 2 and 1 both set), got {msl:02X}"
        );
        assert!(signature(msl).contains(&expected), "{}", signature(msl));
    }
    let leave = heir("[weak]\nsingle_des = true");
    assert!(
        leave.contains("weak.single_des: expected a key set of family des with it, got none"),
        "{leave}"
    );
    let keys = heir("[[key_set]]\nversion = 3\nfamily = \"des\"");
    assert!(
        keys.contains("key_set 3: expected `single_des = true` in [weak]"),
        "{keys}"
    );
    let none = heir("key_set = []");
    assert!(
        none.contains("key_set: expected one at least, got none"),
        "{none}"
    );
}

#[test]
fn bounds_are_named() {
    let heir = |text: &str| error(&format!("inherits = \"default\"\n{text}"));
    assert!(heir("atr = \"3B\"").contains("2 to 33 octets"));
    assert!(heir(&format!("atr = \"{}\"", "3B".repeat(34))).contains("2 to 33 octets"));
    for tries in ["tries = 0", "tries = 16", "unblock_tries = 16"] {
        let error = heir(&format!("[codes.pin2]\n{tries}"));
        assert!(error.contains("codes.pin2: expected 1 to 15"), "{error}");
    }
    let file = "[[file]]\npath = \"2F50\"\naccess = \"public\"\nsize = 1\n";
    assert!(heir(&format!("{file}sfi = 31")).contains("an sfi of 1 to 30"));
    assert!(heir(&format!("{file}sfi = 0")).contains("an sfi of 1 to 30"));
    assert!(error(&format!("{DEFAULT}\n{}", file.repeat(2))).contains("each path once"));
    let link = "[[file]]\npath = \"2F50\"\nstructure = \"link\"\nto = \"7F10\"";
    assert!(heir(link).contains("a file before it"));
    let many: String = (0..1001)
        .map(|n| file.replace("2F50", &format!("{:04X}", 0x5000 + n)))
        .collect();
    assert!(heir(&many).contains("at most 1000"));
}

/// CC, ciphering and a counter that goes up: what lacks one of them is not to be trusted.
#[test]
fn every_part_of_a_security_level_that_is_missing_is_named() {
    let default = parsed(DEFAULT).unwrap();
    for (msl, expected) in [
        (0x16, vec![]),
        (0x15, vec!["checksum"]),
        (0x12, vec!["ciphering"]),
        (0x0E, vec!["counter"]),
        (0x1E, vec![]),
        (0x00, vec!["checksum", "ciphering", "counter"]),
    ] {
        let mut profile = default.clone();
        profile.applications[0].msl = msl;
        let tar = profile.applications[0].tar;
        let expected: Vec<_> = expected
            .into_iter()
            .map(|what| format!("TAR {tar} demands no {what}"))
            .collect();
        let found = profile.weaknesses();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{msl:02X}");
    }
}

/// A terminal would find the first of them only.
#[test]
fn a_short_identifier_is_given_once_in_a_directory() {
    let heir = |text: &str| parsed(&format!("inherits = \"default\"\nname = \"heir\"\n{text}"));
    let file = |path: &str, sfi: u8| {
        format!("[[file]]\npath = \"{path}\"\naccess = \"public\"\nsize = 1\nsfi = {sfi}\n")
    };
    // EF.ICCID has 2 in the MF; in another directory, or once more for the same file, it is free.
    let twice = heir(&file("2F50", 2)).unwrap_err().to_string();
    assert_eq!(
        twice,
        "profile: file 2F50: expected an sfi that no other file of its directory has, got 2, that of 2FE2"
    );
    let new = heir(&(file("2F50", 9) + &file("2F51", 9))).unwrap_err();
    assert!(
        new.to_string().contains("file 2F51: expected an sfi"),
        "{new}"
    );
    assert!(heir(&file("2F50", 9)).is_ok());
    assert!(heir(&(file("7FF0/6F50", 20) + &file("2F50", 20))).is_ok());
    assert!(heir(&file("2FE2", 2)).is_ok());
    // A link has the short identifier of its file.
    let link = "[[file]]\npath = \"2F51\"\nstructure = \"link\"\nto = \"7FF0/6F50\"\n";
    let linked = heir(&(file("7FF0/6F50", 20) + &file("2F50", 20) + link)).unwrap_err();
    assert!(
        linked.to_string().contains("file 2F51: expected an sfi"),
        "{linked}"
    );
}

#[test]
fn an_atr_that_no_terminal_could_read_is_refused() {
    let heir = |atr: &str| error(&format!("inherits = \"default\"\natr = \"{atr}\""));
    assert_eq!(
        heir("000000"),
        "profile: atr: TS: expected 3B or 3F, got 00"
    );
    let wrong = heir("3B9B95801FC78031A073BE21136D53696D00");
    assert_eq!(wrong, "profile: atr: TCK: expected 82, got 00");
}
