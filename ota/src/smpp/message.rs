//! A short message as SMPP carries it: submit_sm and deliver_sm (SMPP 3.4 §4.4, §4.6).
//!
//! Both have the same body, so one record serves both and keeps every field: what an SMSC stores and forwards must come out
//! as it went in. The user data header, where `esm_class` announces one, stays inside `short_message` untouched.

use bytes::BytesMut;
use jiff::Timestamp;
use rusmpp_core::encode::owned::Encode;
use rusmpp_core::pdus::owned::{DeliverSm, SubmitSm};
use rusmpp_core::tlvs::TlvTag;
use rusmpp_core::tlvs::owned::{MessageDeliveryRequestTlvValue, MessageSubmissionRequestTlvValue};
use rusmpp_core::types::owned::{
    AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString,
};
use rusmpp_core::values::owned::ServiceType;
use rusmpp_core::values::{
    DataCoding, EsmClass, Npi, PriorityFlag, RegisteredDelivery, ReplaceIfPresentFlag, Ton,
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

use super::time::{self, TimeError};
use crate::octets;

/// Bits of `esm_class` (SMPP 3.4 §5.2.12).
pub mod esm_class {
    /// `short_message` begins with a user data header.
    pub const UDHI: u8 = 0x40;
    /// The sender wants answers by the same path.
    pub const REPLY_PATH: u8 = 0x80;
    /// The bits that hold the messaging mode; they mean something in submit_sm only.
    pub const MODE: u8 = 0x03;
    /// The bits that hold the message type.
    pub const TYPE: u8 = 0x3C;
    /// A delivery receipt of the SMSC.
    pub const DELIVERY_RECEIPT: u8 = 0x04;
    /// An intermediate notification of the SMSC.
    pub const NOTIFICATION: u8 = 0x20;
}

/// Values of `registered_delivery`, bits 1 and 0 (SMPP 3.4 §5.2.17).
pub mod registered_delivery {
    /// The bits that ask for a receipt of the SMSC.
    pub const RECEIPT: u8 = 0x03;
    /// A receipt when delivered and when given up.
    pub const ALWAYS: u8 = 0x01;
    /// A receipt only when given up.
    pub const ON_FAILURE: u8 = 0x02;
    /// A receipt only when delivered (SMPP 5.0; reserved in 3.4).
    pub const ON_SUCCESS: u8 = 0x03;
}

/// Tags of optional parameters used here (SMPP 3.4 §5.3.2).
pub mod tag {
    /// Which message a receipt speaks of.
    pub const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    /// The message itself, when it is not in `short_message`.
    pub const MESSAGE_PAYLOAD: u16 = 0x0424;
    /// Network type and 16-bit error.
    pub const NETWORK_ERROR_CODE: u16 = 0x0423;
    /// The final state of the message a receipt speaks of.
    pub const MESSAGE_STATE: u16 = 0x0427;
}

/// `message_state` (SMPP 3.4 §5.2.28). Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageState(pub u8);

impl MessageState {
    /// On its way.
    pub const ENROUTE: Self = Self(1);
    /// Cancelled by its sender.
    pub const DELETED: Self = Self(4);
    /// Delivered to the phone.
    pub const DELIVERED: Self = Self(2);
    /// Its validity period ended first.
    pub const EXPIRED: Self = Self(3);
    /// The phone or the network refused it for good.
    pub const UNDELIVERABLE: Self = Self(5);
    /// The SMSC refused it.
    pub const REJECTED: Self = Self(8);

    /// The seven letters that Appendix B of SMPP 3.4 puts after `stat:`.
    pub fn stat(self) -> &'static str {
        match self {
            Self::ENROUTE => "ENROUTE",
            Self::DELIVERED => "DELIVRD",
            Self::EXPIRED => "EXPIRED",
            Self::DELETED => "DELETED",
            Self::UNDELIVERABLE => "UNDELIV",
            Self(6) => "ACCEPTD",
            Self::REJECTED => "REJECTD",
            _ => "UNKNOWN",
        }
    }
}

/// An optional parameter, its value as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tlv {
    /// See [`tag`].
    pub tag: u16,
    /// At most 65,535 octets.
    #[serde(with = "octets")]
    pub value: Vec<u8>,
}

/// One short message with all fields of submit_sm and deliver_sm. Texts are ASCII; empty means absent. Stored, fields that are
/// empty or zero are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShortMessage {
    /// At most 5 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_type: String,
    /// `source_addr`, at most 20 characters, without `+`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Type of number of the source: 1 international, 3 network specific, 5 alphanumeric, 6 abbreviated.
    #[serde(skip_serializing_if = "is_zero")]
    pub source_ton: u8,
    /// Numbering plan of the source: 1 E.164.
    #[serde(skip_serializing_if = "is_zero")]
    pub source_npi: u8,
    /// `destination_addr`, at most 20 characters, without `+`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination: String,
    /// Type of number of the destination.
    #[serde(skip_serializing_if = "is_zero")]
    pub destination_ton: u8,
    /// Numbering plan of the destination.
    #[serde(skip_serializing_if = "is_zero")]
    pub destination_npi: u8,
    /// Mode, type and the bits of [`esm_class`].
    #[serde(skip_serializing_if = "is_zero")]
    pub esm_class: u8,
    /// TP-PID.
    #[serde(skip_serializing_if = "is_zero")]
    pub protocol_id: u8,
    /// 0 to 3.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: u8,
    /// When to deliver first, empty for at once; see [`super::time`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schedule: String,
    /// Until when to try, empty for the SMSC's default; see [`super::time`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub validity: String,
    /// Which receipts are wanted; see [`registered_delivery`].
    #[serde(skip_serializing_if = "is_zero")]
    pub registered_delivery: u8,
    /// 1 replaces an earlier message.
    #[serde(skip_serializing_if = "is_zero")]
    pub replace_if_present: u8,
    /// TP-DCS.
    #[serde(skip_serializing_if = "is_zero")]
    pub data_coding: u8,
    /// A canned message of the SMSC; 0 in practice.
    #[serde(skip_serializing_if = "is_zero")]
    pub default_message_id: u8,
    /// The user data, header included where `esm_class` has [`esm_class::UDHI`]. What came in message_payload is here as well.
    #[serde(with = "octets")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub short_message: Vec<u8>,
    /// True when the user data travels in message_payload instead of short_message.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_payload: bool,
    /// All other optional parameters, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tlvs: Vec<Tlv>,
}

fn is_zero(octet: &u8) -> bool {
    *octet == 0
}

/// A field that no PDU can carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, got {got}")]
pub struct FieldError {
    /// The field's name in the standard.
    pub field: &'static str,
    /// What it may hold.
    pub expected: &'static str,
    /// What it held; of the user data only the length.
    pub got: String,
}

impl ShortMessage {
    /// True when the user data begins with a header.
    pub fn has_udh(&self) -> bool {
        self.esm_class & esm_class::UDHI != 0
    }

    /// True of a delivery receipt.
    pub fn is_receipt(&self) -> bool {
        self.esm_class & esm_class::TYPE == esm_class::DELIVERY_RECEIPT
    }

    /// The last instant at which the SMSC may deliver; `None` leaves it to the SMSC.
    pub fn expires(&self, now: Timestamp) -> Result<Option<Timestamp>, TimeError> {
        time::parse(&self.validity, now)
    }

    /// The first optional parameter with this tag.
    pub fn tlv(&self, tag: u16) -> Option<&[u8]> {
        self.tlvs
            .iter()
            .find(|tlv| tlv.tag == tag)
            .map(|tlv| tlv.value.as_slice())
    }

    /// Takes optional parameters over: the first message_payload is the message, where short_message is empty. The standard allows
    /// it in one of the two places only; short_message wins, and what is over stays among the parameters.
    pub(super) fn take_optional(&mut self, tlvs: impl IntoIterator<Item = Tlv>) {
        for tlv in tlvs {
            if tlv.tag == tag::MESSAGE_PAYLOAD && self.short_message.is_empty() {
                self.short_message = tlv.value;
                self.in_payload = true;
            } else {
                self.tlvs.push(tlv);
            }
        }
    }

    /// The message id that a receipt speaks of, without its final zero octet.
    pub fn receipted_message_id(&self) -> Option<String> {
        let value = self.tlv(tag::RECEIPTED_MESSAGE_ID)?;
        let text = value.strip_suffix(&[0]).unwrap_or(value);
        String::from_utf8(text.to_vec()).ok()
    }

    /// Adds `receipted_message_id`.
    pub fn set_receipted_message_id(&mut self, id: &str) {
        let mut value = id.as_bytes().to_vec();
        value.push(0);
        self.tlvs.push(Tlv {
            tag: tag::RECEIPTED_MESSAGE_ID,
            value,
        });
    }

    /// The final state that a receipt reports.
    pub fn message_state(&self) -> Option<MessageState> {
        self.tlv(tag::MESSAGE_STATE)?
            .first()
            .copied()
            .map(MessageState)
    }
}

macro_rules! body {
    ($pdu:ident, $tlv:ident) => {
        impl TryFrom<&ShortMessage> for $pdu {
            type Error = FieldError;

            fn try_from(message: &ShortMessage) -> Result<Self, FieldError> {
                let mut tlvs: Vec<$tlv> = message
                    .tlvs
                    .iter()
                    .map(|tlv| $tlv::Other {
                        tag: TlvTag::Other(tlv.tag),
                        value: AnyOctetString::from_slice(&tlv.value),
                    })
                    .collect();
                let too_long = message
                    .tlvs
                    .iter()
                    .any(|tlv| tlv.value.len() > usize::from(u16::MAX));
                let payload = &message.short_message;
                if too_long || message.in_payload && payload.len() > usize::from(u16::MAX) {
                    return Err(FieldError {
                        field: "optional parameter",
                        expected: "at most 65535 octets",
                        got: "more".to_owned(),
                    });
                }
                let short: &[u8] = if message.in_payload {
                    tlvs.push($tlv::Other {
                        tag: TlvTag::Other(tag::MESSAGE_PAYLOAD),
                        value: AnyOctetString::from_slice(payload),
                    });
                    &[]
                } else {
                    payload
                };
                let short_message = OctetString::from_slice(short)
                    .ok()
                    .filter(|text| text.len() <= 254);
                Ok(Self::builder()
                    .service_type(ServiceType::new(text(
                        "service_type",
                        "at most 5 ASCII characters",
                        &message.service_type,
                    )?))
                    .source_addr_ton(Ton::from(message.source_ton))
                    .source_addr_npi(Npi::from(message.source_npi))
                    .source_addr(text(
                        "source_addr",
                        "at most 20 ASCII characters",
                        &message.source,
                    )?)
                    .dest_addr_ton(Ton::from(message.destination_ton))
                    .dest_addr_npi(Npi::from(message.destination_npi))
                    .destination_addr(text(
                        "destination_addr",
                        "at most 20 ASCII characters",
                        &message.destination,
                    )?)
                    // From the octet, never by the type's own default: that one sets 08, an ANSI-41 acknowledgement.
                    .esm_class(EsmClass::from(message.esm_class))
                    .protocol_id(message.protocol_id)
                    .priority_flag(PriorityFlag::from(message.priority))
                    .schedule_delivery_time(instant("schedule_delivery_time", &message.schedule)?)
                    .validity_period(instant("validity_period", &message.validity)?)
                    .registered_delivery(RegisteredDelivery::from(message.registered_delivery))
                    .replace_if_present_flag(ReplaceIfPresentFlag::from(message.replace_if_present))
                    .data_coding(DataCoding::from(message.data_coding))
                    .sm_default_msg_id(message.default_message_id)
                    .short_message(short_message.ok_or_else(|| FieldError {
                        field: "short_message",
                        expected: "at most 254 octets",
                        got: payload.len().to_string(),
                    })?)
                    .tlvs(tlvs)
                    .build())
            }
        }

        impl From<$pdu> for ShortMessage {
            fn from(pdu: $pdu) -> Self {
                let mut message = Self {
                    service_type: pdu.service_type.value().as_str().to_owned(),
                    source: pdu.source_addr.as_str().to_owned(),
                    source_ton: pdu.source_addr_ton.into(),
                    source_npi: pdu.source_addr_npi.into(),
                    destination: pdu.destination_addr.as_str().to_owned(),
                    destination_ton: pdu.dest_addr_ton.into(),
                    destination_npi: pdu.dest_addr_npi.into(),
                    esm_class: pdu.esm_class.into(),
                    protocol_id: pdu.protocol_id,
                    priority: pdu.priority_flag.into(),
                    schedule: pdu.schedule_delivery_time.as_str().to_owned(),
                    validity: pdu.validity_period.as_str().to_owned(),
                    registered_delivery: pdu.registered_delivery.into(),
                    replace_if_present: pdu.replace_if_present_flag.into(),
                    data_coding: pdu.data_coding.into(),
                    default_message_id: pdu.sm_default_msg_id,
                    short_message: pdu.short_message().as_ref().to_vec(),
                    in_payload: false,
                    tlvs: Vec::new(),
                };
                message.take_optional(pdu.tlvs().iter().map(|tlv| {
                    let mut octets = BytesMut::new();
                    if let Some(value) = tlv.value() {
                        value.encode(&mut octets);
                    }
                    Tlv {
                        tag: u16::from(tlv.tag()),
                        value: octets.to_vec(),
                    }
                }));
                message
            }
        }
    };
}

body!(SubmitSm, MessageSubmissionRequestTlvValue);
body!(DeliverSm, MessageDeliveryRequestTlvValue);

/// A text as a zero-terminated field of at most `MAX` octets.
pub(super) fn text<const MAX: usize>(
    field: &'static str,
    expected: &'static str,
    value: &str,
) -> Result<COctetString<1, MAX>, FieldError> {
    COctetString::from_str(value).map_err(|_| FieldError {
        field,
        expected,
        got: format!("{value:?}"),
    })
}

pub(super) fn instant(
    field: &'static str,
    value: &str,
) -> Result<EmptyOrFullCOctetString<17>, FieldError> {
    let expected = "nothing or 16 ASCII characters";
    EmptyOrFullCOctetString::from_str(value).map_err(|_| FieldError {
        field,
        expected,
        got: format!("{value:?}"),
    })
}
