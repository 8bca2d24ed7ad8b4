//! Messages as TOML: what `midsim encode` reads and `midsim decode --toml` writes.
//!
//! A document names its kind and gives the fields of that kind under the names of the standards; lengths, packing, MACs
//! and ciphering are worked out. Any kind can instead be given as `octets`, which is how octets are written that are no
//! proper message, or a proper one in a form that the fields cannot say. So what `to_toml` makes of octets, [`encode`]
//! turns into the same octets.

use std::ops::Range;

use ota_wire::dissect::Keys;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use self::applet::Applet;
use self::card::{CApdu, Cat, RApdu, RemoteResponse, RemoteScript, TerminalResponse, Tlv};
use self::packet::{CommandPacket, ResponsePacket};
use self::relay::Rp;
use self::smpp::Smpp;
use self::tpdu::{MoTpdu, MtTpdu, Report};
use self::values::Hex;
use crate::decode::{Kind, decode};

mod applet;
mod card;
mod packet;
mod relay;
mod smpp;
mod tpdu;
mod values;

/// Why a document makes no message, or a message no document.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

impl EncodeError {
    fn new(problem: impl ToString) -> Self {
        Self(problem.to_string())
    }

    /// The same, inside a table or field of this name.
    fn within(self, name: &str) -> Self {
        Self(format!("{name}: {self}"))
    }
}

type Result<T> = std::result::Result<T, EncodeError>;

/// One kind of message in fields.
trait Fields: Sized + Serialize + DeserializeOwned {
    /// The fields of octets; `None` if they are no such message.
    fn read(octets: &[u8], keys: &Keys) -> Option<Self>;

    /// The octets.
    fn emit(&self, keys: &Keys) -> Result<Vec<u8>>;

    /// [`Fields::read`], if the fields say all there is in the octets.
    fn read_exactly(octets: &[u8], keys: &Keys) -> Option<Self> {
        let fields = Self::read(octets, keys)?;
        let same = fields.emit(keys).is_ok_and(|emitted| emitted == octets);
        same.then_some(fields)
    }
}

/// What a document has besides its fields.
#[derive(Deserialize)]
struct Head {
    kind: Spanned<String>,
    octets: Option<Hex>,
}

#[derive(Serialize)]
struct Raw {
    octets: Hex,
}

/// A message in TOML, its kind and its octets.
///
/// # Errors
/// What is missing, unknown or impossible in the document, with its place.
pub fn encode(text: &str, keys: &Keys) -> Result<(Kind, Vec<u8>)> {
    let head: Head = toml::from_str(text).map_err(EncodeError::new)?;
    let kind: Kind = head.kind.get_ref().parse().map_err(EncodeError::new)?;
    if let Some(Hex(octets)) = head.octets {
        let fields: toml::Table = text.parse().map_err(EncodeError::new)?;
        return match fields
            .keys()
            .find(|name| !["kind", "octets"].contains(&&***name))
        {
            Some(other) => Err(EncodeError(format!(
                "octets: stand alone, got also {other}"
            ))),
            None => Ok((kind, octets)),
        };
    }
    let text = &without_kind(text, head.kind.span());
    let octets = match kind {
        Kind::Smpp => emit::<Smpp>(text, keys),
        Kind::Applet => emit::<Applet>(text, keys),
        Kind::CommandPacket => emit::<CommandPacket>(text, keys),
        Kind::ResponsePacket => emit::<ResponsePacket>(text, keys),
        Kind::Cat => emit::<Cat>(text, keys),
        Kind::TerminalResponse => emit::<TerminalResponse>(text, keys),
        Kind::MtTpdu => emit::<MtTpdu>(text, keys),
        Kind::MoTpdu => emit::<MoTpdu>(text, keys),
        Kind::Report => emit::<Report>(text, keys),
        Kind::Rp => emit::<Rp>(text, keys),
        Kind::CApdu => emit::<CApdu>(text, keys),
        Kind::RApdu => emit::<RApdu>(text, keys),
        Kind::RemoteScript => emit::<RemoteScript>(text, keys),
        Kind::RemoteResponse => emit::<RemoteResponse>(text, keys),
        Kind::Tlv => emit::<Tlv>(text, keys),
    }?;
    Ok((kind, octets))
}

/// A message of this kind as TOML. With the keys of its packets they are opened.
///
/// # Errors
/// Only for a message that holds something secret, such as a PIN, unless `reveal`: TOML has no way to mask it.
pub fn to_toml(kind: Kind, octets: &[u8], keys: &Keys, reveal: bool) -> Result<String> {
    let readings = decode(Some(kind), octets, Some(keys));
    let secret = readings
        .iter()
        .any(|reading| !reading.tree.secrets().is_empty());
    if secret && !reveal {
        return Err(EncodeError(format!(
            "this {kind} holds a secret, such as a PIN or a password; --reveal shows it"
        )));
    }
    let fields = match kind {
        Kind::Smpp => fields::<Smpp>(octets, keys),
        Kind::Applet => fields::<Applet>(octets, keys),
        Kind::CommandPacket => fields::<CommandPacket>(octets, keys),
        Kind::ResponsePacket => fields::<ResponsePacket>(octets, keys),
        Kind::Cat => fields::<Cat>(octets, keys),
        Kind::TerminalResponse => fields::<TerminalResponse>(octets, keys),
        Kind::MtTpdu => fields::<MtTpdu>(octets, keys),
        Kind::MoTpdu => fields::<MoTpdu>(octets, keys),
        Kind::Report => fields::<Report>(octets, keys),
        Kind::Rp => fields::<Rp>(octets, keys),
        Kind::CApdu => fields::<CApdu>(octets, keys),
        Kind::RApdu => fields::<RApdu>(octets, keys),
        Kind::RemoteScript => fields::<RemoteScript>(octets, keys),
        Kind::RemoteResponse => fields::<RemoteResponse>(octets, keys),
        Kind::Tlv => fields::<Tlv>(octets, keys),
    };
    let fields = match fields {
        Some(fields) => fields,
        None => {
            let octets = Hex(octets.to_vec());
            toml::to_string(&Raw { octets }).map_err(EncodeError::new)?
        }
    };
    Ok(format!("kind = \"{kind}\"\n{fields}"))
}

/// `text` is the document without its kind.
fn emit<F: Fields>(text: &str, keys: &Keys) -> Result<Vec<u8>> {
    let fields: F = toml::from_str(text).map_err(EncodeError::new)?;
    fields.emit(keys)
}

/// Blanks where the kind stands, so that errors about the rest keep their lines.
fn without_kind(text: &str, kind: Range<usize>) -> String {
    let line = text[..kind.start].rfind('\n').map_or(0, |end| end + 1);
    let blanks = " ".repeat(kind.end - line);
    [&text[..line], &blanks, &text[kind.end..]].concat()
}

fn fields<F: Fields>(octets: &[u8], keys: &Keys) -> Option<String> {
    toml::to_string(&F::read_exactly(octets, keys)?).ok()
}

#[cfg(test)]
mod tests;
