//! The fuzz targets, called with seeds: the committed ones and those made of the test vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use midsim::vectors::seeds::seeds;

use crate::fuzz::{TARGETS, Target};

/// Targets whose seeds are messages of other targets in a further layer: a part of them is damaged, evenly spread. Of
/// `deliver` that holds for those that carry the packets of packet cases.
const OUTER: [&str; 6] = [
    "c_apdu",
    "envelope",
    "rp",
    "smpp_pdu",
    "smpp_session",
    "tlv",
];
/// How many of those.
const MOST_OUTER: usize = 6;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// Octets by target and name.
fn all_seeds() -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let mut all: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for folder in fs::read_dir(root().join("seeds")).unwrap() {
        let folder = folder.unwrap();
        let target = folder.file_name().into_string().unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let octets = fs::read(&path).unwrap();
            let of_target = all.entry(target.clone()).or_default();
            of_target.insert(path.display().to_string(), octets);
        }
    }
    for file in ["ota-secured-packets.json", "sms-tpdu.json"] {
        let vectors = root().join("../../fixtures/vectors").join(file);
        for seed in seeds(&fs::read_to_string(vectors).unwrap()).unwrap() {
            let of_target = all.entry(seed.parser.to_owned()).or_default();
            of_target.insert(seed.name, seed.octets);
        }
    }
    all
}

#[test]
fn the_list_of_targets_is_that_of_the_fuzzer() {
    let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len());
    let files: BTreeSet<_> = fs::read_dir(root().join("fuzz_targets"))
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(files, names, "fuzz_targets/");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let binaries: BTreeSet<_> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|binary| binary["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(binaries, names, "[[bin]] in Cargo.toml");
}

#[test]
fn every_target_has_seeds_and_every_seed_a_target() {
    let seeds = all_seeds();
    let seeded: BTreeSet<_> = seeds.keys().map(String::as_str).collect();
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(seeded, targets);
}

/// Every seed, every prefix of it and every single-bit flip is survived: the targets panic when a parser breaks its
/// contract.
#[test]
fn every_seed_and_its_damaged_forms_are_survived() {
    let seeds = all_seeds();
    let packets = ["command_packet", "concat"].map(|target| &seeds[target]);
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            let (outer, golden) = seeds[*name].iter().partition(|(seed, _)| {
                let case = seed.rsplit_once('-').map_or("", |(case, _)| case);
                let carries = |case: &str| packets.iter().any(|packets| packets.contains_key(case));
                OUTER.contains(name) || *name == "deliver" && (carries(seed) || carries(case))
            });
            scope.spawn(move || survive(*target, golden, outer));
        }
    });
}

type Seeds<'a> = Vec<(&'a String, &'a Vec<u8>)>;

fn survive(target: Target, golden: Seeds<'_>, outer: Seeds<'_>) {
    for (_, octets) in golden.iter().chain(&outer) {
        target(octets);
    }
    let spread = outer.len().div_ceil(MOST_OUTER).max(1);
    for (_, octets) in golden.into_iter().chain(outer.into_iter().step_by(spread)) {
        (0..octets.len()).for_each(|len| target(&octets[..len]));
        let mut flipped = octets.clone();
        for bit in 0..octets.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            target(&flipped);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
