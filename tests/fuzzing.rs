//! The fuzz targets, called with seeds: the committed ones and those made of the test vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use midsim::vectors::seeds::seeds;

use crate::fuzz::{TARGETS, Target};

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
/// contract. The seeds are spread over the processors.
#[test]
fn every_seed_and_its_damaged_forms_are_survived() {
    let seeds = all_seeds();
    let inputs: Vec<_> = TARGETS
        .iter()
        .flat_map(|(name, target)| seeds[*name].values().map(move |octets| (*target, octets)))
        .collect();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let damaged: usize = std::thread::scope(|scope| {
        let work = || {
            let mut damaged = 0;
            while let Some((target, octets)) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                damaged += survive(*target, octets);
            }
            damaged
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|it| it.join().unwrap()).sum()
    });
    let octets: usize = inputs.iter().map(|(_, octets)| octets.len()).sum();
    assert_eq!(
        damaged,
        octets * 9,
        "a prefix and eight flips for each octet"
    );
}

/// How many damaged forms there were.
fn survive(target: Target, octets: &[u8]) -> usize {
    target(octets);
    (0..octets.len()).for_each(|len| target(&octets[..len]));
    let mut flipped = octets.to_vec();
    for bit in 0..octets.len() * 8 {
        flipped[bit / 8] ^= 1 << (bit % 8);
        target(&flipped);
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
    octets.len() * 9
}
