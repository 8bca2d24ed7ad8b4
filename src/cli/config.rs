//! Where options come from besides the command line: flags win over `MIDSIM_*`, those over `midsim.toml`, that over what is
//! built in.
//!
//! What the file says is handed to the parser as if it had been typed, but only where neither a flag nor the environment has
//! spoken, so that a value means the same wherever it stands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches as _};
use toml::Value;

use super::options::{ADMIN_TOKEN, ServicePort};
use super::{Cli, USAGE, command, complain};
use crate::sockets::ports::Service;

/// The file that is read without `--config`.
pub(super) const FILE: &str = "midsim.toml";
/// Single ports in the environment, `ui=8221,op=8261`.
const PORTS_VARIABLE: &str = "MIDSIM_PORT";
/// The table of single ports in the file.
const PORTS_TABLE: &str = "ports.";

/// Keys of the file and the options they stand for.
const KEYS: [(&str, &str); 31] = [
    ("admin_token_file", "admin_token_file"),
    ("allow_host", "allow_host"),
    ("allow_notify", "allow_notify"),
    ("allow_weak_cards", "allow_weak_cards"),
    ("any_number", "any_number"),
    ("card_profile", "card_profile"),
    ("data_dir", "data_dir"),
    ("frozen", "frozen"),
    ("keys", "keys"),
    ("listen", "listen"),
    ("mss", "mss"),
    ("mssp_url", "mssp_url"),
    ("no_human", "no_human"),
    ("op.authenticator", "op_authenticator"),
    ("op.expires_in", "op_expires_in"),
    ("op.interval", "op_interval"),
    ("op.poll_hold", "op_poll_hold"),
    ("op.profile", "op_profile"),
    ("op.refresh_tokens", "op_refresh_tokens"),
    ("op.slow_down", "op_slow_down"),
    ("op.unknown_user", "op_unknown_user"),
    ("ota_url", "ota_url"),
    ("port_base", "port_base"),
    ("ports_file", "ports_file"),
    ("seed", "seed"),
    ("tls.cert", "tls_cert"),
    ("tls.client_ca", "tls_client_ca"),
    ("tls.key", "tls_key"),
    ("tls.services", "tls"),
    ("tls.trust", "tls_trust"),
    ("world.path", "world"),
];

/// Options whose values are paths: relative ones start at the folder of the file.
const PATHS: [&str; 9] = [
    "admin_token_file",
    "card_profile",
    "data_dir",
    "ports_file",
    "tls_cert",
    "tls_client_ca",
    "tls_key",
    "tls_trust",
    "world",
];

/// Keys that can have several values.
const LISTS: [&str; 5] = [
    "allow_host",
    "allow_notify",
    "tls.client_ca",
    "tls.services",
    "tls.trust",
];

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{path}: {why}", path = path.display())]
    Read { path: PathBuf, why: std::io::Error },
    #[error("{path}: {why}", path = path.display())]
    Format { path: PathBuf, why: toml::de::Error },
    #[error("{path}: unknown key {key}; did you mean {nearest}?", path = path.display())]
    Unknown {
        path: PathBuf,
        key: String,
        nearest: String,
    },
    #[error("{path}: {key}: expected {expected}, got {got}", path = path.display())]
    Type {
        path: PathBuf,
        key: String,
        expected: &'static str,
        got: &'static str,
    },
}

/// Reads the command line and what the environment and the file add to it. The error is the exit code; what is wrong has been
/// said by then, as has what `--help` asks for.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Cli, u8> {
    let matches = command()
        .try_get_matches_from(&arguments)
        .map_err(|error| say(&error))?;
    let added = added(&matches).map_err(|error| complain(&error, USAGE))?;
    let whole = with(arguments, &added);
    let matches = command()
        .try_get_matches_from(whole)
        .map_err(|error| complain(&blame(&error, &added), USAGE))?;
    Cli::from_arg_matches(&matches).map_err(|error| say(&error))
}

fn say(error: &clap::Error) -> u8 {
    // Nothing can be said about a closed stdout.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(USAGE)
}

/// An argument that nobody typed.
struct Added {
    /// Who is to blame for it.
    origin: String,
    flag: String,
    value: String,
}

fn added(matches: &ArgMatches) -> Result<Vec<Added>, FileError> {
    let whole = command();
    let (mut command, mut matches) = (&whole, matches);
    // The innermost command: that is where arguments at the end of the line go.
    while let Some((chosen, inner)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(chosen) else {
            return Ok(Vec::new());
        };
        (command, matches) = (found, inner);
    }
    if !KEYS.iter().any(|(_, id)| has(command, id)) {
        return Ok(Vec::new());
    }
    let settings = match matches.get_one::<PathBuf>("config") {
        Some(path) => Settings::read(path)?,
        None if Path::new(FILE).exists() => Settings::read(Path::new(FILE))?,
        None => Settings::default(),
    };
    let mut added = Vec::new();
    for (key, id) in KEYS {
        let in_environment = id == "admin_token_file" && std::env::var_os(ADMIN_TOKEN).is_some();
        if !has(command, id) || is_set(matches, id) || in_environment {
            continue;
        }
        let values = settings.values.get(key).into_iter().flatten();
        added.extend(values.map(|value| Added {
            origin: format!("{}: {key}", settings.path.display()),
            flag: format!("--{}", id.replace('_', "-")),
            value: value.clone(),
        }));
    }
    if has(command, "port") {
        added.extend(ports(
            matches,
            std::env::var(PORTS_VARIABLE).ok(),
            &settings,
        ));
    }
    Ok(added)
}

fn has(command: &Command, id: &str) -> bool {
    command
        .get_arguments()
        .any(|argument| argument.get_id() == id)
}

fn is_set(matches: &ArgMatches, id: &str) -> bool {
    matches
        .value_source(id)
        .is_some_and(|source| source != ValueSource::DefaultValue)
}

/// Single ports of the environment and of the file. Whoever names a base in a stronger place means all ports.
fn ports(matches: &ArgMatches, variable: Option<String>, settings: &Settings) -> Vec<Added> {
    let mut taken: Vec<_> = matches
        .get_many::<ServicePort>("port")
        .into_iter()
        .flatten()
        .map(|port| port.service.name().to_owned())
        .collect();
    let base = matches.value_source("port_base");
    let mut added = Vec::new();
    let mut add = |origin: String, value: String| {
        let service = value.split('=').next().unwrap_or_default().to_owned();
        if !taken.contains(&service) {
            taken.push(service);
            added.push(Added {
                origin,
                flag: "--port".into(),
                value,
            });
        }
    };
    if base == Some(ValueSource::CommandLine) {
        return added;
    }
    let variable = variable.filter(|list| !list.is_empty());
    for value in variable.iter().flat_map(|list| list.split(',')) {
        add(PORTS_VARIABLE.into(), value.trim().into());
    }
    if base == Some(ValueSource::EnvVariable) {
        return added;
    }
    for service in Service::ALL {
        let key = format!("{PORTS_TABLE}{service}");
        for value in settings.values.get(&key).into_iter().flatten() {
            add(
                format!("{}: {key}", settings.path.display()),
                format!("{service}={value}"),
            );
        }
    }
    added
}

/// Before `--`, after which everything belongs to somebody else.
fn with(mut arguments: Vec<OsString>, added: &[Added]) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--");
    let end = end.unwrap_or(arguments.len());
    let whole = |add: &Added| OsString::from(format!("{}={}", add.flag, add.value));
    arguments.splice(end..end, added.iter().map(whole));
    arguments
}

/// The parser's complaint about a value that nobody typed.
fn blame(error: &clap::Error, added: &[Added]) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let argument = context(ContextKind::InvalidArg);
    let value = context(ContextKind::InvalidValue);
    let flag = argument.split([' ', '[', '=']).next().unwrap_or_default();
    let guilty = added
        .iter()
        .find(|add| add.flag == flag && (value.is_empty() || add.value == value));
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let text = text.split("\n\nFor more").next().unwrap_or(text).trim_end();
    match guilty {
        Some(add) => format!("{}: {text}", add.origin),
        None => text.to_owned(),
    }
}

/// What the file says, by full key. A list has several values, everything else one.
#[derive(Default)]
struct Settings {
    path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

impl Settings {
    fn read(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|why| FileError::Read {
            path: path.to_owned(),
            why,
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let table: toml::Table = text.parse().map_err(|why| FileError::Format {
            path: path.to_owned(),
            why,
        })?;
        let mut settings = Self {
            path: path.to_owned(),
            values: BTreeMap::new(),
        };
        settings.take("", &table)?;
        Ok(settings)
    }

    fn take(&mut self, prefix: &str, table: &toml::Table) -> Result<(), FileError> {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                Value::Table(inner) if is_table(&key) => {
                    self.take(&format!("{key}."), inner)?;
                }
                _ if !known().any(|known| known == key) => {
                    return Err(FileError::Unknown {
                        path: self.path.clone(),
                        nearest: nearest(&key),
                        key,
                    });
                }
                _ => {
                    let values = self.values_of(&key, value)?;
                    self.values.insert(key, values);
                }
            }
        }
        Ok(())
    }

    fn values_of(&self, key: &str, value: &Value) -> Result<Vec<String>, FileError> {
        let list = LISTS.contains(&key);
        match value {
            Value::Array(values) if list => values
                .iter()
                .map(|value| self.scalar(key, value, "names"))
                .collect(),
            value => {
                let expected = if list { "a list of names" } else { "one value" };
                Ok(vec![self.scalar(key, value, expected)?])
            }
        }
    }

    fn scalar(
        &self,
        key: &str,
        value: &Value,
        expected: &'static str,
    ) -> Result<String, FileError> {
        Ok(match value {
            Value::String(text) if is_path(key) => self.beside(text),
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
            other => {
                return Err(FileError::Type {
                    path: self.path.clone(),
                    key: key.to_owned(),
                    expected,
                    got: other.type_str(),
                });
            }
        })
    }

    /// A path as seen from the folder of the file.
    fn beside(&self, text: &str) -> String {
        let folder = self.path.parent().unwrap_or_else(|| Path::new(""));
        folder.join(text).to_string_lossy().into_owned()
    }
}

fn is_path(key: &str) -> bool {
    KEYS.iter()
        .any(|(name, id)| *name == key && PATHS.contains(id))
}

fn is_table(key: &str) -> bool {
    known().any(|known| {
        known
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn known() -> impl Iterator<Item = String> {
    let ports = Service::ALL.map(|service| format!("{PORTS_TABLE}{service}"));
    KEYS.into_iter().map(|(key, _)| key.to_owned()).chain(ports)
}

/// The known key that takes the fewest changes, by its whole name or one part of it; in the same table, if there is
/// such a table.
fn nearest(key: &str) -> String {
    let changes = |known: &String| {
        let parts = known.split('.').chain([known.as_str()]);
        parts.map(|part| distance(key, part)).min()
    };
    let table = key.split_once('.').map(|(table, _)| format!("{table}."));
    let (same, others): (Vec<_>, Vec<_>) =
        known().partition(|known| table.as_ref().is_some_and(|table| known.starts_with(table)));
    let candidates = if same.is_empty() { others } else { same };
    let nearest = candidates.into_iter().min_by_key(changes);
    nearest.unwrap_or_default()
}

/// Letters to insert, remove or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let replaced = diagonal + usize::from(letter != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_file(text: &str) -> Result<Settings, String> {
        Settings::parse(Path::new("/conf/midsim.toml"), text).map_err(|error| error.to_string())
    }

    fn error(text: &str) -> String {
        parse_file(text).err().unwrap()
    }

    #[test]
    fn every_key_is_an_option_of_some_command() {
        let command = command();
        for (key, id) in KEYS {
            let argument = command
                .get_subcommands()
                .flat_map(Command::get_arguments)
                .find(|argument| argument.get_id() == id)
                .unwrap_or_else(|| panic!("{key} stands for no option"));
            let flag = argument.get_long().unwrap();
            assert_eq!(flag, id.replace('_', "-"));
            let variable = format!("MIDSIM_{}", id.to_uppercase());
            assert_eq!(argument.get_env().unwrap(), &*variable, "{key}");
        }
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest() {
        for (text, key, nearest) in [
            ("sede = 1", "sede", "seed"),
            ("interval = 1", "interval", "op.interval"),
            ("[op]\nintervall = 1", "op.intervall", "op.interval"),
            ("[ports]\nuu = 1", "ports.uu", "ports.ui"),
            ("[world]\nfile = 'x'", "world.file", "world.path"),
            ("admin_token = 'x'", "admin_token", "admin_token_file"),
            ("[wrold]\npath = 'x'", "wrold", "world.path"),
        ] {
            assert_eq!(
                error(text),
                format!("/conf/midsim.toml: unknown key {key}; did you mean {nearest}?")
            );
        }
    }

    #[test]
    fn values_are_taken_as_they_would_be_typed() {
        let settings = parse_file(
            "seed = 7\nany_number = true\nallow_host = ['a', 'b']\ndata_dir = 'd'\n\
             [world]\npath = '/w.toml'\n[ports]\nui = 0",
        );
        let values = settings.unwrap().values;
        let expected = [
            ("allow_host", vec!["a", "b"]),
            ("any_number", vec!["true"]),
            ("data_dir", vec!["/conf/d"]),
            ("ports.ui", vec!["0"]),
            ("seed", vec!["7"]),
            ("world.path", vec!["/w.toml"]),
        ];
        let got: Vec<_> = values
            .iter()
            .map(|(key, values)| (&**key, values.iter().map(|v| &**v).collect::<Vec<_>>()))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_no_value_is_named() {
        assert_eq!(
            error("seed = [1]"),
            "/conf/midsim.toml: seed: expected one value, got array"
        );
        assert!(error("op = 1").contains("unknown key op"));
        assert!(error("seed = ").contains("/conf/midsim.toml: "));
    }

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("seed", "seed"), 0);
    }
}
