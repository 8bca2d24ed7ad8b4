//! What the README and the quickstart print is what happens.

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");
const QUICKSTART: &str = include_str!("../src/docs/quickstart.md");
/// These stay, or run everything: they have tests of their own.
const NOT_HERE: [&str; 3] = ["midsim up", "tests/run", "midsim exec -- your test command"];

#[test]
fn every_command_of_the_readme_runs_as_printed() {
    let mut ran = 0;
    for command in commands(README) {
        if NOT_HERE.iter().any(|prefix| command.starts_with(prefix)) {
            continue;
        }
        let output = shell(&command);
        assert!(
            output.status.success(),
            "{command}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    assert!(ran >= 9, "only {ran} commands");
}

#[test]
fn every_command_of_the_quickstart_begins_with_a_program_that_is_there() {
    for command in commands(QUICKSTART) {
        let known = ["midsim ", "curl ", "id=$(curl "];
        assert!(known.iter().any(|p| command.starts_with(p)), "{command}");
    }
}

#[test]
fn the_demo_has_the_lines_that_the_readme_shows() {
    let printed = String::from_utf8(shell("midsim demo").stdout).unwrap();
    let shown = blocks(README, "text").next().unwrap();
    let steps = |text: &str| {
        let mut steps: Vec<_> = text
            .lines()
            .filter(|line| {
                line.get(..2)
                    .is_some_and(|n| n.trim().parse::<u8>().is_ok())
            })
            .map(str::to_owned)
            .collect();
        // Two parties that act at the same time may be told of in either order.
        steps.sort();
        steps
    };
    assert_eq!(steps(shown), steps(&printed));
    assert!(printed.lines().count() <= 62, "{printed}");
    assert!(!printed.contains("response="), "{printed}");
}

#[test]
fn decoding_gives_what_the_readme_shows() {
    let command = commands(README)
        .find(|command| command.starts_with("midsim decode"))
        .unwrap();
    let printed = String::from_utf8(shell(&command).stdout).unwrap();
    assert!(blocks(README, "text").any(|block| block == printed.trim_end()));
}

#[test]
fn links_of_the_readme_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for link in README.split("](").skip(1) {
        let link = link.split(')').next().unwrap();
        assert!(
            link.starts_with("https://") || root.join(link).exists(),
            "{link}"
        );
    }
}

#[test]
fn the_quickstart_prints_the_example_that_is_tested() {
    let example = include_str!("library.rs")
        .split_once("// quickstart begins\n")
        .and_then(|(_, rest)| rest.split_once("// quickstart ends"))
        .unwrap()
        .0;
    assert!(QUICKSTART.contains(example.trim_end()));
}

pub(crate) fn blocks<'a>(text: &'a str, language: &'a str) -> impl Iterator<Item = &'a str> {
    text.split("\n```")
        .filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// The commands of all blocks `sh`, those that go on with a backslash joined; `cargo run --` is `midsim`.
fn commands(text: &str) -> impl Iterator<Item = String> {
    blocks(text, "sh").flat_map(|block| {
        let joined = block.replace("\\\n", " ");
        joined
            .lines()
            .map(|line| line.replace("cargo run -- ", "midsim "))
            .collect::<Vec<_>>()
    })
}

fn shell(command: &str) -> std::process::Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_midsim"));
    let path = format!(
        "{}:{}",
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Command::new("sh")
        .args(["-c", command])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .output()
        .unwrap()
}
