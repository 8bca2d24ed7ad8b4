//! TS 102 223 §7 and TS 31.111 §7.1: ENVELOPE data.

use thiserror::Error;

use super::{Devices, Element, ElementWriter, Elements, TimerId, TimerValue, tag};
use crate::apdu::Sw;
use crate::tlv::{Ber, Tag, TlvError, Writer};

/// Data of an ENVELOPE command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// `D1`: a short message for the card, TS 31.111 §7.1.1.
    SmsPpDownload(SmsPpDownload),
    /// `D3`: the user chose from the card's menu, TS 102 223 §7.2.
    MenuSelection {
        /// Identifier of the item.
        item: u8,
        /// The user wants help about the item instead.
        help: bool,
        /// Other objects.
        extra: Vec<Element>,
    },
    /// `D7`: a timer ran out, TS 102 223 §7.4.
    TimerExpiration {
        /// Which one.
        timer: TimerId,
        /// How long it had run; a terminal may be late.
        value: TimerValue,
        /// Other objects.
        extra: Vec<Element>,
    },
    /// Any other envelope, as it came.
    Other {
        /// BER tag, e.g. `D6` (event download).
        tag: u8,
        /// Value octets.
        value: Vec<u8>,
    },
}

/// An SMS-PP data download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsPpDownload {
    /// Address of the service centre: TON/NPI octet and swapped semi-octets.
    pub service_centre: Option<Vec<u8>>,
    /// The SMS-DELIVER.
    pub tpdu: Vec<u8>,
    /// Other objects.
    pub extra: Vec<Element>,
}

impl Envelope {
    /// BER tag of SMS-PP DOWNLOAD.
    pub const SMS_PP_DOWNLOAD: u8 = 0xD1;
    /// BER tag of MENU SELECTION.
    pub const MENU_SELECTION: u8 = 0xD3;
    /// BER tag of TIMER EXPIRATION.
    pub const TIMER_EXPIRATION: u8 = 0xD7;

    /// An SMS-PP DOWNLOAD without a service centre address.
    pub const fn sms_pp_download(tpdu: Vec<u8>) -> Self {
        Self::SmsPpDownload(SmsPpDownload {
            service_centre: None,
            tpdu,
            extra: Vec::new(),
        })
    }

    /// Reads the data field of an ENVELOPE.
    ///
    /// # Errors
    /// [`EnvelopeError`]; its [`EnvelopeError::sw`] is what a card answers.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let outer = Ber::read_all(bytes)?;
        match u8::try_from(outer.tag) {
            Ok(Self::SMS_PP_DOWNLOAD) => sms_pp_download(outer.value),
            Ok(Self::MENU_SELECTION) => menu_selection(outer.value),
            Ok(Self::TIMER_EXPIRATION) => timer_expiration(outer.value),
            Ok(tag) => Ok(Self::Other {
                tag,
                value: outer.value.to_vec(),
            }),
            Err(_) => Err(EnvelopeError::OuterTag { got: outer.tag }),
        }
    }

    /// The data field of an ENVELOPE.
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = ElementWriter(Writer::new());
        match self {
            Self::SmsPpDownload(download) => {
                writer
                    .put(tag::DEVICE_IDENTITIES, &Devices::NETWORK_TO_UICC.to_value())
                    .put_some(tag::ADDRESS, download.service_centre.as_deref())
                    .put(tag::SMS_TPDU, &download.tpdu)
                    .put_all(&download.extra);
            }
            Self::MenuSelection { item, help, extra } => {
                writer
                    .put(tag::DEVICE_IDENTITIES, &Devices::KEYPAD_TO_UICC.to_value())
                    .put(tag::ITEM_IDENTIFIER, &[*item])
                    .put_some(tag::HELP_REQUEST, help.then_some(&[]))
                    .put_all(extra);
            }
            Self::TimerExpiration {
                timer,
                value,
                extra,
            } => {
                writer
                    .put(
                        tag::DEVICE_IDENTITIES,
                        &Devices::TERMINAL_TO_UICC.to_value(),
                    )
                    .put(tag::TIMER_IDENTIFIER, &[timer.0])
                    .put(tag::TIMER_VALUE, &value.0)
                    .put_all(extra);
            }
            Self::Other { value, .. } => {
                writer.0.raw(value);
            }
        }
        writer.wrap(self.tag())
    }

    /// The BER tag.
    pub const fn tag(&self) -> u8 {
        match self {
            Self::SmsPpDownload(_) => Self::SMS_PP_DOWNLOAD,
            Self::MenuSelection { .. } => Self::MENU_SELECTION,
            Self::TimerExpiration { .. } => Self::TIMER_EXPIRATION,
            Self::Other { tag, .. } => *tag,
        }
    }

    /// The standard's name of an envelope by its tag.
    pub const fn name(tag: u8) -> Option<&'static str> {
        Some(match tag {
            Self::SMS_PP_DOWNLOAD => "SMS-PP DOWNLOAD",
            0xD2 => "CELL BROADCAST DOWNLOAD",
            Self::MENU_SELECTION => "MENU SELECTION",
            0xD4 => "CALL CONTROL",
            0xD5 => "MO SHORT MESSAGE CONTROL",
            0xD6 => "EVENT DOWNLOAD",
            Self::TIMER_EXPIRATION => "TIMER EXPIRATION",
            _ => return None,
        })
    }
}

/// Why the data of an ENVELOPE cannot be taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// No TLV, or octets behind it.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// The outer tag is none of an envelope.
    #[error("expected the tag of an envelope (one octet), got {got:X}")]
    OuterTag {
        /// The tag.
        got: u32,
    },
    /// A mandatory object is missing.
    #[error("object {tag} is missing")]
    Missing {
        /// Its tag.
        tag: Tag,
    },
    /// An object that may only come once came more often, so that it is not clear which one is meant.
    #[error("object {tag}: expected one, got {got}")]
    Repeated {
        /// Its tag.
        tag: Tag,
        /// How many there were.
        got: usize,
    },
    /// The message goes from or to somewhere else than its kind prescribes.
    #[error("expected device identities {expected:?}, got {got:?}")]
    WrongDevices {
        /// As prescribed.
        expected: Devices,
        /// As received.
        got: Devices,
    },
    /// An object has a length it cannot have.
    #[error("object {tag}: expected {expected} octets, got {got}")]
    WrongLength {
        /// Its tag.
        tag: Tag,
        /// Octets it must have.
        expected: usize,
        /// Octets it has.
        got: usize,
    },
}

impl EnvelopeError {
    /// The status word a card answers with.
    pub const fn sw(&self) -> Sw {
        match self {
            Self::Tlv(TlvError::Value { .. }) => Sw::WRONG_LENGTH,
            _ => Sw::WRONG_DATA,
        }
    }
}

fn sms_pp_download(value: &[u8]) -> Result<Envelope, EnvelopeError> {
    let mut elements = Elements::parse(value)?;
    devices(&mut elements, Devices::NETWORK_TO_UICC)?;
    let service_centre = elements.take(tag::ADDRESS);
    let mut tpdus = elements.take_all(tag::SMS_TPDU);
    let tpdu = match (tpdus.pop(), tpdus.len()) {
        (Some(tpdu), 0) => tpdu,
        (None, _) => return Err(EnvelopeError::Missing { tag: tag::SMS_TPDU }),
        (Some(_), others) => {
            return Err(EnvelopeError::Repeated {
                tag: tag::SMS_TPDU,
                got: others + 1,
            });
        }
    };
    Ok(Envelope::SmsPpDownload(SmsPpDownload {
        service_centre,
        tpdu,
        extra: elements.0,
    }))
}

fn menu_selection(value: &[u8]) -> Result<Envelope, EnvelopeError> {
    let mut elements = Elements::parse(value)?;
    devices(&mut elements, Devices::KEYPAD_TO_UICC)?;
    let [item] = fixed(&mut elements, tag::ITEM_IDENTIFIER)?;
    Ok(Envelope::MenuSelection {
        item,
        help: elements.take(tag::HELP_REQUEST).is_some(),
        extra: elements.0,
    })
}

fn timer_expiration(value: &[u8]) -> Result<Envelope, EnvelopeError> {
    let mut elements = Elements::parse(value)?;
    devices(&mut elements, Devices::TERMINAL_TO_UICC)?;
    let [timer] = fixed(&mut elements, tag::TIMER_IDENTIFIER)?;
    Ok(Envelope::TimerExpiration {
        timer: TimerId(timer),
        value: TimerValue(fixed(&mut elements, tag::TIMER_VALUE)?),
        extra: elements.0,
    })
}

fn devices(elements: &mut Elements, expected: Devices) -> Result<(), EnvelopeError> {
    let [source, destination] = fixed(elements, tag::DEVICE_IDENTITIES)?;
    let got = Devices::new(super::Device(source), super::Device(destination));
    if got == expected {
        Ok(())
    } else {
        Err(EnvelopeError::WrongDevices { expected, got })
    }
}

fn fixed<const N: usize>(elements: &mut Elements, tag: Tag) -> Result<[u8; N], EnvelopeError> {
    let value = elements.take(tag).ok_or(EnvelopeError::Missing { tag })?;
    value
        .as_slice()
        .try_into()
        .map_err(|_| EnvelopeError::WrongLength {
            tag,
            expected: N,
            got: value.len(),
        })
}
