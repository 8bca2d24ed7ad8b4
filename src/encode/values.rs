//! Values of several kinds of message: octets, addresses, times, user data.

use std::fmt;

use ota_wire::dissect::Keys;
use ota_wire::sms::address::{Address, Npi, Ton};
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::gsm7;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::udh::{Iei, InformationElement, Udh};
use ota_wire::sms::user_data::UserData;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::applet::Applet;
use super::packet::{CommandPacket, ResponsePacket};
use super::{EncodeError, Fields, Result};
use crate::vectors::sms::time_of;

/// Octets: hexadecimal digits, blanks do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hex(pub(super) Vec<u8>);

impl Hex {
    /// Exactly `N` octets.
    pub(super) fn array<const N: usize>(&self, field: &str) -> Result<[u8; N]> {
        let octets = self.0.as_slice();
        octets.try_into().map_err(|_| {
            EncodeError(format!(
                "{field}: expected {N} octets, got {}",
                octets.len()
            ))
        })
    }
}

impl From<&[u8]> for Hex {
    fn from(octets: &[u8]) -> Self {
        Self(octets.to_vec())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: String = text.split_whitespace().collect();
        let octets = hex::decode(digits);
        octets.map(Self).map_err(|error| {
            D::Error::custom(format!(
                "expected hexadecimal digits, got {text:?}: {error}"
            ))
        })
    }
}

/// One octet: two hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Octet(pub(super) u8);

impl Serialize for Octet {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode([self.0]))
    }
}

impl<'de> Deserialize<'de> for Octet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match Hex::deserialize(deserializer)?.0[..] {
            [octet] => Ok(Self(octet)),
            ref other => Err(D::Error::custom(format!(
                "expected one octet, got {}",
                other.len()
            ))),
        }
    }
}

/// A number of 64 bits: TOML's integers have a sign, so the upper half of the numbers stands in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide(pub(super) u64);

impl Serialize for Wide {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match i64::try_from(self.0) {
            Ok(number) => serializer.serialize_i64(number),
            Err(_) => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Wide {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(WideVisitor)
    }
}

struct WideVisitor;

impl Visitor<'_> for WideVisitor {
    type Value = Wide;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a number from 0 to {}", u64::MAX)
    }

    fn visit_i64<E: Error>(self, number: i64) -> std::result::Result<Wide, E> {
        let wrong = |_| E::invalid_value(Unexpected::Signed(number), &self);
        u64::try_from(number).map(Wide).map_err(wrong)
    }

    fn visit_u64<E: Error>(self, number: u64) -> std::result::Result<Wide, E> {
        Ok(Wide(number))
    }

    fn visit_str<E: Error>(self, digits: &str) -> std::result::Result<Wide, E> {
        let number = digits.parse::<u64>().ok();
        // `parse` also takes a sign and leading zeros.
        let plain = number.filter(|number| number.to_string() == digits);
        plain
            .map(Wide)
            .ok_or_else(|| E::invalid_value(Unexpected::Str(digits), &self))
    }
}

/// Left out of a document where it is what is assumed.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An address: `"+447700900001"` for an international number, `"8220"` for one of unknown type in the E.164 plan,
/// else a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum AddressDoc {
    Short(String),
    Number(NumberDoc),
    Name(NameDoc),
    /// As it stands in a TPDU, length first.
    Raw(RawDoc),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberDoc {
    ton: u8,
    npi: u8,
    digits: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NameDoc {
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDoc {
    octets: Hex,
}

impl From<&Address> for AddressDoc {
    fn from(address: &Address) -> Self {
        let digits = address.digits().unwrap_or_default();
        let candidates = [
            Self::Short(format!("+{digits}")),
            Self::Short(digits.clone()),
            Self::Number(NumberDoc {
                ton: address.ton().get(),
                npi: address.npi().get(),
                digits,
            }),
            Self::Name(NameDoc {
                text: address.text().unwrap_or_default(),
            }),
        ];
        let same = |candidate: &Self| candidate.address().is_ok_and(|built| built == *address);
        candidates.into_iter().find(same).unwrap_or_else(|| {
            let mut octets = Vec::new();
            address.emit(&mut octets);
            Self::Raw(RawDoc {
                octets: Hex(octets),
            })
        })
    }
}

impl AddressDoc {
    pub(super) fn address(&self) -> Result<Address> {
        let address = match self {
            Self::Short(text) => match text.strip_prefix('+') {
                Some(digits) => Address::new(Ton::INTERNATIONAL, Npi::E164, digits),
                None => Address::short_code(text),
            },
            Self::Number(number) => {
                let ton = Ton::new(number.ton).ok_or_else(|| too_large("ton", 7, number.ton))?;
                let npi = Npi::new(number.npi).ok_or_else(|| too_large("npi", 15, number.npi))?;
                Address::new(ton, npi, &number.digits)
            }
            Self::Name(name) => Address::alphanumeric(&name.text),
            Self::Raw(raw) => {
                let (address, rest) = Address::parse(&raw.octets.0).map_err(EncodeError::new)?;
                if !rest.is_empty() {
                    return Err(EncodeError("more octets than one address".to_owned()));
                }
                Ok(address)
            }
        };
        address.map_err(EncodeError::new)
    }
}

fn too_large(field: &str, most: u8, got: u8) -> EncodeError {
    EncodeError(format!("{field}: expected at most {most}, got {got}"))
}

/// A time stamp: ISO 8601 with the distance from UTC, or its seven octets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct TimeDoc(String);

impl From<&Scts> for TimeDoc {
    fn from(scts: &Scts) -> Self {
        let iso = Self(scts.to_string());
        match iso.scts() {
            Ok(back) if back == *scts => iso,
            _ => Self(hex::encode(scts.0)),
        }
    }
}

impl TimeDoc {
    pub(super) fn scts(&self) -> Result<Scts> {
        let mut octets = [0; Scts::LEN];
        if hex::decode_to_slice(&self.0, &mut octets).is_ok() {
            return Ok(Scts(octets));
        }
        time_of(&self.0).map_err(|why| {
            EncodeError(format!(
                "expected a time such as 2026-01-31T12:00:00+01:00 or 7 octets, got {:?}: {why}",
                self.0
            ))
        })
    }
}

/// TP-UD: a header, and one of the other fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UserDataDoc {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Septets, one an octet, where the text does not say them.
    #[serde(skip_serializing_if = "Option::is_none")]
    septets: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Hex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    udh: Option<Vec<ElementDoc>>,
    /// From CPL on.
    #[serde(skip_serializing_if = "Option::is_none")]
    command_packet: Option<CommandPacket>,
    /// From RPL on.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_packet: Option<ResponsePacket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    applet: Option<Applet>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementDoc {
    iei: Octet,
    #[serde(default, skip_serializing_if = "is_default")]
    data: Hex,
}

impl UserDataDoc {
    /// `dcs`: how the length counts, if it is known.
    pub(super) fn read(user_data: &UserData, dcs: Option<Dcs>, keys: &Keys) -> Self {
        let udh = user_data.udh().map(|udh| {
            let elements = udh.elements().iter();
            elements
                .map(|element| ElementDoc {
                    iei: Octet(element.iei.0),
                    data: Hex(element.data.clone()),
                })
                .collect()
        });
        let empty = Self {
            udh,
            ..Self::default()
        };
        let payload = user_data.payload();
        let septets = dcs.and_then(|_| {
            let header = user_data.udh().map_or(0, Udh::len);
            let count = usize::from(user_data.udl()).checked_sub(gsm7::header_septets(header))?;
            gsm7::unpack(payload, gsm7::fill_bits(header), count)
        });
        let packet = user_data.udh().and_then(Udh::packet);
        let candidates = [
            Self {
                text: dcs.and_then(|dcs| user_data.to_text(dcs)),
                ..empty.clone()
            },
            Self {
                command_packet: CommandPacket::read_exactly(payload, keys)
                    .filter(|_| packet == Some(Iei::COMMAND_PACKET)),
                ..empty.clone()
            },
            Self {
                response_packet: ResponsePacket::read_exactly(payload, keys)
                    .filter(|_| packet == Some(Iei::RESPONSE_PACKET)),
                ..empty.clone()
            },
            Self {
                applet: Applet::read_exactly(payload, keys),
                ..empty.clone()
            },
            Self {
                septets: septets.map(Hex),
                ..empty.clone()
            },
        ];
        let same = |candidate: &Self| {
            candidate
                .user_data(dcs, keys)
                .is_ok_and(|built| built == *user_data)
        };
        // Without a payload all of them are the same: the bare header.
        let mut candidates = candidates.into_iter().filter(|doc| *doc != empty);
        candidates.find(same).unwrap_or_else(|| Self {
            data: (!payload.is_empty()).then(|| Hex(payload.to_vec())),
            ..empty
        })
    }

    pub(super) fn user_data(&self, dcs: Option<Dcs>, keys: &Keys) -> Result<UserData> {
        let udh = self.header()?;
        let given = [
            ("text", self.text.is_some()),
            ("septets", self.septets.is_some()),
            ("data", self.data.is_some()),
            ("command_packet", self.command_packet.is_some()),
            ("response_packet", self.response_packet.is_some()),
            ("applet", self.applet.is_some()),
        ];
        let given: Vec<_> = given.iter().filter(|given| given.1).collect();
        if let [(first, _), (second, _), ..] = given[..] {
            return Err(EncodeError(format!(
                "{second}: cannot stand beside {first}"
            )));
        }
        let octets = if let Some(text) = &self.text {
            let dcs = dcs.ok_or_else(|| EncodeError("text: needs dcs".to_owned()))?;
            return UserData::text(udh, text, dcs).map_err(EncodeError::new);
        } else if let Some(Hex(septets)) = &self.septets {
            return UserData::septets(udh, septets).map_err(EncodeError::new);
        } else if let Some(packet) = &self.command_packet {
            packet
                .emit(keys)
                .map_err(|error| error.within("command_packet"))?
        } else if let Some(packet) = &self.response_packet {
            packet
                .emit(keys)
                .map_err(|error| error.within("response_packet"))?
        } else if let Some(applet) = &self.applet {
            applet.emit(keys).map_err(|error| error.within("applet"))?
        } else {
            self.data.clone().unwrap_or_default().0
        };
        if dcs.is_some_and(Dcs::counts_septets) && octets.is_empty() {
            return UserData::septets(udh, &[]).map_err(EncodeError::new);
        }
        UserData::report(udh, octets).map_err(EncodeError::new)
    }

    fn header(&self) -> Result<Option<Udh>> {
        let Some(elements) = &self.udh else {
            return Ok(None);
        };
        let elements = elements
            .iter()
            .map(|element| InformationElement::new(Iei(element.iei.0), element.data.0.clone()));
        let udh = Udh::new(elements.collect()).map_err(EncodeError::new);
        udh.map(Some).map_err(|error| error.within("udh"))
    }
}
