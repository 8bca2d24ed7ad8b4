//! TS 102 221, TS 102 223, TS 102 226: APDUs, TLVs, the toolkit and remote management.

use ota_wire::apdu::{Command, Ins, MAX_DATA, Response, Sw};
use ota_wire::cat::tag as cat_tag;
use ota_wire::dissect::Keys;
use ota_wire::remote_apdu::{CommandScript, CompactResponse};
use ota_wire::tlv::{Ber, BerReader, ComprehensionReader, Tag, Writer};
use serde::{Deserialize, Serialize};

use super::tpdu::{MoTpdu, MtTpdu};
use super::values::{Hex, Octet, is_default};
use super::{EncodeError, Fields, Result};

/// A command APDU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CApdu {
    cla: Octet,
    ins: Octet,
    p1: Octet,
    p2: Octet,
    /// Octets wanted, 1 to 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    le: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Hex>,
    /// The data of an ENVELOPE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cat: Option<Cat>,
    /// The data of a TERMINAL RESPONSE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terminal_response: Option<TerminalResponse>,
}

impl CApdu {
    fn of(command: &Command, keys: &Keys) -> Self {
        let data = command.data.as_slice();
        let cat = Cat::read_exactly(data, keys).filter(|_| command.ins == Ins::ENVELOPE);
        let terminal_response = TerminalResponse::read_exactly(data, keys)
            .filter(|_| command.ins == Ins::TERMINAL_RESPONSE);
        let plain = cat.is_none() && terminal_response.is_none() && !data.is_empty();
        Self {
            cla: Octet(command.cla),
            ins: Octet(command.ins.0),
            p1: Octet(command.p1),
            p2: Octet(command.p2),
            le: command.le.and_then(|le| u16::try_from(le).ok()),
            data: plain.then(|| data.into()),
            cat,
            terminal_response,
        }
    }

    fn command(&self, keys: &Keys) -> Result<Command> {
        let data = match (&self.cat, &self.terminal_response) {
            (Some(cat), _) => cat.emit(keys).map_err(|error| error.within("cat"))?,
            (None, Some(response)) => response
                .emit(keys)
                .map_err(|error| error.within("terminal_response"))?,
            (None, None) => self.data.clone().unwrap_or_default().0,
        };
        if data.len() > MAX_DATA {
            return Err(EncodeError(format!(
                "data: expected at most {MAX_DATA} octets, got {}",
                data.len()
            )));
        }
        let mut command = Command::new(self.cla.0, Ins(self.ins.0), self.p1.0, self.p2.0);
        command.data = data;
        command.le = match self.le {
            Some(le @ 1..=256) => Some(le.into()),
            Some(other) => {
                return Err(EncodeError(format!("le: expected 1 to 256, got {other}")));
            }
            None => None,
        };
        Ok(command)
    }
}

impl Fields for CApdu {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        Some(Self::of(&Command::parse(octets).ok()?, keys))
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        Ok(self.command(keys)?.emit())
    }
}

/// A response APDU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RApdu {
    sw: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Hex>,
    /// A proactive command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cat: Option<Cat>,
}

impl Fields for RApdu {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let response = Response::parse(octets).ok()?;
        let cat = Cat::read_exactly(&response.data, keys);
        let plain = cat.is_none() && !response.data.is_empty();
        Some(Self {
            sw: response.sw.0.to_be_bytes().as_slice().into(),
            data: plain.then_some(Hex(response.data)),
            cat,
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let data = match &self.cat {
            Some(cat) => cat.emit(keys).map_err(|error| error.within("cat"))?,
            None => self.data.clone().unwrap_or_default().0,
        };
        let sw = Sw(u16::from_be_bytes(self.sw.array("sw")?));
        Ok(Response::new(data, sw).emit())
    }
}

/// A compact command script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoteScript {
    command: Vec<CApdu>,
}

impl Fields for RemoteScript {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let script = CommandScript::parse(octets).ok()?;
        let commands = script.commands.iter();
        Some(Self {
            command: commands.map(|command| CApdu::of(command, keys)).collect(),
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let commands = self.command.iter().map(|command| command.command(keys));
        let commands = commands.collect::<Result<Vec<_>>>();
        let commands = commands.map_err(|error| error.within("command"))?;
        Ok(CommandScript { commands }.emit())
    }
}

/// A compact response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemoteResponse {
    /// Number of commands.
    executed: u8,
    sw: Hex,
    #[serde(default, skip_serializing_if = "is_default")]
    data: Hex,
}

impl Fields for RemoteResponse {
    fn read(octets: &[u8], _: &Keys) -> Option<Self> {
        let response = CompactResponse::parse(octets).ok()?;
        Some(Self {
            executed: response.executed,
            sw: response.sw.0.to_be_bytes().as_slice().into(),
            data: Hex(response.data),
        })
    }

    fn emit(&self, _: &Keys) -> Result<Vec<u8>> {
        let response = CompactResponse {
            executed: self.executed,
            sw: Sw(u16::from_be_bytes(self.sw.array("sw")?)),
            data: self.data.0.clone(),
        };
        Ok(response.emit())
    }
}

/// BER-TLV objects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tlv {
    object: Vec<BerDoc>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BerDoc {
    tag: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<Vec<Self>>,
}

/// Objects in objects are taken apart to this depth.
const DEPTH: usize = 8;

impl BerDoc {
    fn read_all(octets: &[u8], depth: usize) -> Option<Vec<Self>> {
        BerReader::new(octets)
            .map(|read| Some(Self::of(&read.ok()?, depth)))
            .collect()
    }

    fn of(object: &Ber<'_>, depth: usize) -> Self {
        let tag = object.tag.to_be_bytes();
        let zeros = tag.iter().take_while(|octet| **octet == 0).count().min(3);
        let inner = if object.is_constructed() && depth > 0 {
            Self::read_all(object.value, depth - 1).filter(|inner| {
                let mut writer = Writer::new();
                Self::emit_all(inner, &mut writer).is_ok() && writer.into_bytes() == object.value
            })
        } else {
            None
        };
        Self {
            tag: tag[zeros..].into(),
            value: inner.is_none().then(|| object.value.into()),
            object: inner,
        }
    }

    fn emit_all(objects: &[Self], writer: &mut Writer) -> Result<()> {
        for object in objects {
            let octets = &object.tag.0;
            if !matches!(octets.len(), 1..=3) {
                let got = octets.len();
                return Err(EncodeError(format!(
                    "tag: expected 1 to 3 octets, got {got}"
                )));
            }
            let tag = octets
                .iter()
                .fold(0, |tag, octet| tag << 8 | u32::from(*octet));
            match (&object.object, &object.value) {
                (Some(inner), None) => {
                    let mut value = Writer::new();
                    Self::emit_all(inner, &mut value)?;
                    writer.ber(tag, &value.into_bytes());
                }
                (None, Some(Hex(value))) => {
                    writer.ber(tag, value);
                }
                _ => return Err(EncodeError("expected either value or object".to_owned())),
            }
        }
        Ok(())
    }
}

impl Fields for Tlv {
    fn read(octets: &[u8], _: &Keys) -> Option<Self> {
        let object = BerDoc::read_all(octets, DEPTH)?;
        Some(Self { object })
    }

    fn emit(&self, _: &Keys) -> Result<Vec<u8>> {
        let mut writer = Writer::new();
        BerDoc::emit_all(&self.object, &mut writer).map_err(|error| error.within("object"))?;
        Ok(writer.into_bytes())
    }
}

/// A proactive command or the data of an ENVELOPE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cat {
    tag: Octet,
    object: Vec<ObjectDoc>,
}

/// The data of a TERMINAL RESPONSE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TerminalResponse {
    object: Vec<ObjectDoc>,
}

/// A COMPREHENSION-TLV object: its value, or the short message it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectDoc {
    /// Without the comprehension bit.
    tag: Hex,
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    comprehension: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mt_tpdu: Option<MtTpdu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mo_tpdu: Option<MoTpdu>,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_true(value: &bool) -> bool {
    *value
}

impl ObjectDoc {
    fn read_all(octets: &[u8], to_card: bool, keys: &Keys) -> Option<Vec<Self>> {
        ComprehensionReader::new(octets)
            .map(|read| {
                let object = read.ok()?;
                let is_tpdu = object.tag == cat_tag::SMS_TPDU;
                let mt_tpdu =
                    MtTpdu::read_exactly(object.value, keys).filter(|_| is_tpdu && to_card);
                let mo_tpdu =
                    MoTpdu::read_exactly(object.value, keys).filter(|_| is_tpdu && !to_card);
                let plain = mt_tpdu.is_none() && mo_tpdu.is_none();
                let tag = match object.tag.0 {
                    short @ ..=0x7E => vec![short as u8],
                    long => long.to_be_bytes().to_vec(),
                };
                Some(Self {
                    tag: Hex(tag),
                    comprehension: object.required,
                    value: plain.then(|| object.value.into()),
                    mt_tpdu,
                    mo_tpdu,
                })
            })
            .collect()
    }

    fn emit_all(objects: &[Self], keys: &Keys) -> Result<Vec<u8>> {
        let mut writer = Writer::new();
        for object in objects {
            let tag = match object.tag.0[..] {
                [tag] if tag & 0x80 == 0 => u16::from(tag),
                [high, low] if high & 0x80 == 0 => u16::from_be_bytes([high, low]),
                _ => {
                    return Err(EncodeError(
                        "object: tag: expected one octet up to 7E, or two up to 7FFF".to_owned(),
                    ));
                }
            };
            let value = match (&object.mt_tpdu, &object.mo_tpdu, &object.value) {
                (Some(tpdu), None, None) => {
                    tpdu.emit(keys).map_err(|error| error.within("mt_tpdu"))?
                }
                (None, Some(tpdu), None) => {
                    tpdu.emit(keys).map_err(|error| error.within("mo_tpdu"))?
                }
                (None, None, Some(Hex(value))) => value.clone(),
                _ => {
                    return Err(EncodeError(
                        "object: expected one of value, mt_tpdu and mo_tpdu".to_owned(),
                    ));
                }
            };
            writer.comprehension(Tag(tag), object.comprehension, &value);
        }
        Ok(writer.into_bytes())
    }
}

impl Fields for Cat {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let outer = Ber::read_all(octets).ok()?;
        let tag = u8::try_from(outer.tag).ok().filter(|tag| *tag >= 0xC0)?;
        let to_card = tag != ota_wire::cat::PROACTIVE_COMMAND;
        Some(Self {
            tag: Octet(tag),
            object: ObjectDoc::read_all(outer.value, to_card, keys)?,
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let mut writer = Writer::new();
        let value = ObjectDoc::emit_all(&self.object, keys)?;
        writer.ber(self.tag.0.into(), &value);
        Ok(writer.into_bytes())
    }
}

impl Fields for TerminalResponse {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        Some(Self {
            object: ObjectDoc::read_all(octets, false, keys)?,
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        ObjectDoc::emit_all(&self.object, keys)
    }
}
