//! TS 102 225: secured packets.

use ota_wire::dissect::Keys;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{CipherKey, IntegrityKey, KeySet};
use ota_wire::packet::{
    Command, CommandView, Response, ResponseError, ResponseStatus, ResponseView, Sent, Spi,
    check_response,
};
use serde::{Deserialize, Serialize};

use super::applet::Applet;
use super::card::RemoteScript;
use super::values::{Hex, Octet, is_default};
use super::{EncodeError, Fields, Result};

/// A command packet from CPL on: its data in clear, to be sealed with the key set that KIc and KID name; or `chl` and
/// `body`, everything from CNTR on as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandPacket {
    spi: Hex,
    kic: Octet,
    kid: Octet,
    tar: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cntr: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chl: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    script: Option<RemoteScript>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    applet: Option<Applet>,
}

impl Fields for CommandPacket {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let view = CommandView::new_checked(octets).ok()?;
        let closed = Self {
            spi: view.spi().0.as_slice().into(),
            kic: Octet(view.kic()),
            kid: Octet(view.kid()),
            tar: view.tar().0.as_slice().into(),
            cntr: None,
            data: None,
            chl: Some(Octet(view.chl())),
            body: Some(view.body().into()),
            script: None,
            applet: None,
        };
        let Some(version) = view.spi().key_set(view.kic(), view.kid()) else {
            return Some(closed);
        };
        let set = key_set(keys, version);
        let Ok(command) = Command::unseal(octets, &set) else {
            return Some(closed);
        };
        let opened = Self {
            cntr: Some(command.cntr.get()),
            chl: None,
            body: None,
            ..closed.clone()
        };
        let managed = matches!(command.tar.0, [0, 0, 0] | [0xB0, _, _]);
        let script = RemoteScript::read_exactly(&command.data, keys).filter(|_| managed);
        let applet = Applet::read_exactly(&command.data, keys);
        let opened = match (script, applet) {
            (Some(script), _) => Self {
                script: Some(script),
                ..opened
            },
            (None, Some(applet)) => Self {
                applet: Some(applet),
                ..opened
            },
            (None, None) => Self {
                data: Some(Hex(command.data)),
                ..opened
            },
        };
        let same = opened.emit(keys).is_ok_and(|emitted| emitted == octets);
        Some(if same { opened } else { closed })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let spi = Spi(self.spi.array("spi")?);
        let tar = Tar(self.tar.array("tar")?);
        if let Some(Hex(body)) = &self.body {
            let chl = self
                .chl
                .ok_or_else(|| EncodeError("chl: missing beside body".to_owned()))?;
            let mut octets = vec![chl.0];
            octets.extend(spi.0);
            octets.extend([self.kic.0, self.kid.0]);
            octets.extend(tar.0);
            octets.extend(body);
            return with_length(octets);
        }
        let data = if let Some(script) = &self.script {
            script.emit(keys).map_err(|error| error.within("script"))?
        } else if let Some(applet) = &self.applet {
            applet.emit(keys).map_err(|error| error.within("applet"))?
        } else {
            self.data.clone().unwrap_or_default().0
        };
        let command = Command {
            spi,
            kic: self.kic.0,
            kid: self.kid.0,
            tar,
            cntr: counter(self.cntr)?,
            data,
        };
        let version = spi.key_set(self.kic.0, self.kid.0);
        let set = key_set(
            keys,
            version.ok_or_else(|| two_key_sets(self.kic.0, self.kid.0))?,
        );
        command.seal(&set).map_err(|error| {
            EncodeError(format!(
                "{error} (key set {} of --keys or --iccid)",
                set.version
            ))
        })
    }
}

/// A response packet, from RPL on or with its user data header: in clear, to be sealed as SPI, KIc and KID of the
/// command say; or `rhl` and `body`, everything from CNTR on as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponsePacket {
    /// The user data header 02 71 00 stands in front.
    #[serde(default, skip_serializing_if = "is_default")]
    header: bool,
    /// Of the command; without it neither ciphered nor with an RC/CC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spi: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kic: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<Octet>,
    tar: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cntr: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rhl: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Hex>,
}

/// The user data header of a response packet.
const RESPONSE_HEADER: [u8; 3] = [0x02, 0x71, 0x00];
/// RHL without RC/CC.
const BARE_RHL: u8 = 10;

impl Fields for ResponsePacket {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let header = octets.starts_with(&RESPONSE_HEADER);
        let whole = if header {
            octets.to_vec()
        } else {
            [&RESPONSE_HEADER, octets].concat()
        };
        let view = ResponseView::new_checked(&whole).ok()?;
        let closed = Self {
            header,
            spi: None,
            kic: None,
            kid: None,
            tar: view.tar().0.as_slice().into(),
            cntr: None,
            status: None,
            data: None,
            rhl: Some(Octet(view.rhl())),
            body: Some(view.body().into()),
        };
        let protections = [[0x16, 0x19], [0x16, 0x09], [0x16, 0x11]];
        let sealed = keys.key_sets.iter().flat_map(|set| {
            protections.map(|spi| (Spi(spi), set.kic_octet(), set.kid_octet(), set.clone()))
        });
        let bare = (Spi([0, 0]), 0, 0, keyless(0));
        // A bare packet opens without a key; a key that opens another has made it.
        let opened = sealed.chain([bare]).find_map(|(spi, kic, kid, set)| {
            let protected = spi != Spi([0, 0]);
            let (cntr, status, data) = open_response(&whole, spi, kic, kid, view.tar(), &set)?;
            let doc = Self {
                spi: protected.then(|| spi.0.as_slice().into()),
                kic: protected.then_some(Octet(kic)),
                kid: protected.then_some(Octet(kid)),
                cntr: Some(cntr.get()),
                status: Some(Octet(status.0)),
                data: (!data.is_empty()).then_some(Hex(data)),
                rhl: None,
                body: None,
                ..closed.clone()
            };
            let ciphered_only = spi == Spi([0x16, 0x11]);
            let plausible = !ciphered_only || view.rhl() == BARE_RHL && cntr.get() >> 32 == 0;
            let same = doc.emit(keys).is_ok_and(|emitted| emitted == octets);
            (same && plausible).then_some(doc)
        });
        Some(opened.unwrap_or(closed))
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let tar = Tar(self.tar.array("tar")?);
        let whole = if let Some(Hex(body)) = &self.body {
            let rhl = self
                .rhl
                .ok_or_else(|| EncodeError("rhl: missing beside body".to_owned()))?;
            let mut octets = vec![rhl.0];
            octets.extend(tar.0);
            octets.extend(body);
            [&RESPONSE_HEADER[..], &with_length(octets)?].concat()
        } else {
            let status = self
                .status
                .ok_or_else(|| EncodeError("status: missing".to_owned()))?;
            let response = Response {
                tar,
                cntr: counter(self.cntr)?,
                status: ResponseStatus(status.0),
                data: self.data.clone().unwrap_or_default().0,
            };
            let sealed = match &self.spi {
                None => response.seal_plain(),
                Some(spi) => {
                    let kic = self.kic.unwrap_or_default().0;
                    let kid = self.kid.unwrap_or_default().0;
                    let spi = Spi(spi.array("spi")?);
                    let version = spi.por_key_set(kic, kid);
                    let set = key_set(keys, version.ok_or_else(|| two_key_sets(kic, kid))?);
                    response.seal(spi, kic, kid, Some(&set))
                }
            };
            sealed.map_err(EncodeError::new)?
        };
        let start = if self.header {
            0
        } else {
            RESPONSE_HEADER.len()
        };
        Ok(whole[start..].to_vec())
    }
}

fn open_response(
    whole: &[u8],
    spi: Spi,
    kic: u8,
    kid: u8,
    tar: Tar,
    set: &KeySet,
) -> Option<(Cntr, ResponseStatus, Vec<u8>)> {
    let mut sent = Sent {
        spi,
        kic,
        kid,
        tar,
        cntr: Cntr::default(),
    };
    let mut checked = check_response(whole, &sent, set);
    if let Err(ResponseError::Counter { got, .. }) = checked {
        sent.cntr = got;
        checked = check_response(whole, &sent, set);
    }
    let checked = checked.ok().filter(|checked| checked.as_asked)?;
    Some((sent.cntr, checked.status, checked.data))
}

/// The key set of this version, or one without keys.
fn key_set(keys: &Keys, version: u8) -> KeySet {
    let set = keys.key_sets.iter().find(|set| set.version == version);
    set.cloned().unwrap_or_else(|| keyless(version))
}

/// KIc and KID name two key sets, and both keys are used.
fn two_key_sets(kic: u8, kid: u8) -> EncodeError {
    let (ciphers, checks) = (kic >> 4, kid >> 4);
    EncodeError(format!(
        "kic, kid: expected one key set, got {ciphers} in KIc {kic:02X} and {checks} in KID {kid:02X}"
    ))
}

fn keyless(version: u8) -> KeySet {
    KeySet {
        version,
        kic: CipherKey::none(),
        kid: IntegrityKey::none(),
    }
}

fn counter(cntr: Option<u64>) -> Result<Cntr> {
    let value = cntr.unwrap_or_default();
    Cntr::new(value).ok_or_else(|| {
        EncodeError(format!(
            "cntr: expected at most {}, got {value}",
            Cntr::MAX.get()
        ))
    })
}

/// The octets behind their number in two octets.
fn with_length(octets: Vec<u8>) -> Result<Vec<u8>> {
    let length = u16::try_from(octets.len())
        .map_err(|_| EncodeError(format!("body: {} octets are too many", octets.len())))?;
    Ok([&length.to_be_bytes(), octets.as_slice()].concat())
}
