//! What must stay true of the whole: which crate may depend on which, how many packages, under which licences.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// DESIGN §2: crates of ours that each may depend on. No other arrow.
const ARROWS: [(&str, &[&str]); 6] = [
    (
        "midsim",
        &["mssp", "op-bridge", "ota", "ota-wire", "sim-applet-sim"],
    ),
    ("mssp", &["ota-wire"]),
    ("op-bridge", &[]),
    ("ota", &["ota-wire"]),
    ("ota-wire", &[]),
    ("sim-applet-sim", &["ota-wire"]),
];

/// What a pure crate must not touch: the world, and how to wait for it.
const IMPURE: [&str; 9] = [
    "axum",
    "getrandom",
    "hyper",
    "hyper-util",
    "rand",
    "redb",
    "tokio",
    "tower-http",
    "tracing-subscriber",
];

/// Licences that need no word with a lawyer.
const LICENCES: [&str; 9] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const MOST_PACKAGES: usize = 220;
const MOST_LOCKED: usize = 340;

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    for (name, allowed) in ARROWS {
        let package = packages
            .iter()
            .find(|p| p["name"] == name && p["source"].is_null())
            .unwrap();
        let ours: BTreeSet<_> = dependencies(package)
            .filter(|dependency| ARROWS.iter().any(|(crate_, _)| crate_ == dependency))
            .collect();
        assert_eq!(ours, allowed.iter().copied().collect(), "{name}");
    }
}

#[test]
fn a_party_cannot_touch_the_world() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let pure = package["source"].is_null() && package["name"] != "midsim";
        for dependency in dependencies(package).filter(|_| pure) {
            assert!(
                !IMPURE.contains(&dependency),
                "{} depends on {dependency}",
                package["name"]
            );
        }
    }
}

#[test]
fn there_are_few_packages() {
    let tree = cargo(&[
        "tree",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--locked",
        "--offline",
    ]);
    let packages: BTreeSet<_> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    assert!(
        packages.len() <= MOST_PACKAGES,
        "{} packages",
        packages.len()
    );
    let locked = include_str!("../Cargo.lock").matches("[[package]]").count();
    assert!(locked <= MOST_LOCKED, "{locked} packages in Cargo.lock");
}

#[test]
fn every_package_has_a_licence_that_we_may_use() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(may_use(licence), "{} is under {licence:?}", package["name"]);
    }
}

#[test]
fn heavy_or_doubtful_packages_stay_out() {
    for banned in [
        "aws-lc-rs",
        "libsqlite3-sys",
        "openssl-sys",
        "reqwest",
        "roxmltree",
    ] {
        assert!(
            !include_str!("../Cargo.lock").contains(&format!("name = \"{banned}\"")),
            "{banned}"
        );
    }
}

/// Of alternatives (OR, `/`) one must be on the list, of what holds together (AND) all.
fn may_use(licence: &str) -> bool {
    let flat = licence.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" AND ")
        .all(|all| all.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| dependency["name"].as_str().unwrap())
}

fn metadata() -> Value {
    let host = cargo(&["-vV"]);
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
        "--filter-platform",
        host,
    ];
    serde_json::from_str(&cargo(&arguments)).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
