//! What an ESME can ask about a message that it has submitted: query_sm, cancel_sm and replace_sm (SMPP 3.4 §4.8 to §4.10).

use bytes::BytesMut;
use rusmpp_core::encode::owned::Encode;
use rusmpp_core::pdus::owned as body;
use rusmpp_core::types::owned::OctetString;
use rusmpp_core::values::owned::ServiceType;
use rusmpp_core::values::{Npi, RegisteredDelivery, Ton};

use super::fields::{Fields, length};
use super::header::CommandStatus;
use super::message::{FieldError, MessageState, instant, text};

const ID: &str = "at most 64 ASCII characters";
const ADDRESS: &str = "at most 20 ASCII characters";

/// An address with its type.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Party {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan.
    pub npi: u8,
    /// Digits, or a name.
    pub address: String,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// query_sm: how far did it get?
    Query {
        /// The SMSC's id of the message.
        message_id: String,
        /// As in the submit_sm.
        source: Party,
    },
    /// cancel_sm: do not deliver it.
    Cancel {
        /// Empty for all messages between the two addresses.
        service_type: String,
        /// The SMSC's id of the message, or nothing.
        message_id: String,
        /// As in the submit_sm.
        source: Party,
        /// As in the submit_sm; may be empty where there is an id.
        destination: Party,
    },
    /// replace_sm: deliver this instead.
    Replace {
        /// The SMSC's id of the message.
        message_id: String,
        /// As in the submit_sm.
        source: Party,
        /// Empty for at once.
        schedule: String,
        /// Empty to leave it as it is.
        validity: String,
        /// The new wish for receipts.
        registered_delivery: u8,
        /// The new user data.
        short_message: Vec<u8>,
    },
}

/// What query_sm_resp says of a message.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Found {
    /// The SMSC's id of it.
    pub message_id: String,
    /// When it ended, empty if it has not; see [`super::time`].
    pub final_date: String,
    /// How far it got.
    pub state: MessageState,
    /// Of the network.
    pub error_code: u8,
}

impl Operation {
    pub(super) fn encode_body(&self, octets: &mut BytesMut) -> Result<(), FieldError> {
        let id = |id: &str| text("message_id", ID, id);
        match self {
            Self::Query { message_id, source } => body::QuerySm::new(
                id(message_id)?,
                Ton::from(source.ton),
                Npi::from(source.npi),
                text("source_addr", ADDRESS, &source.address)?,
            )
            .encode(octets),
            Self::Cancel {
                service_type,
                message_id,
                source,
                destination,
            } => body::CancelSm::new(
                ServiceType::new(text(
                    "service_type",
                    "at most 5 ASCII characters",
                    service_type,
                )?),
                id(message_id)?,
                Ton::from(source.ton),
                Npi::from(source.npi),
                text("source_addr", ADDRESS, &source.address)?,
                Ton::from(destination.ton),
                Npi::from(destination.npi),
                text("destination_addr", ADDRESS, &destination.address)?,
            )
            .encode(octets),
            Self::Replace {
                message_id,
                source,
                schedule,
                validity,
                registered_delivery,
                short_message,
            } => {
                let short = OctetString::from_slice(short_message).map_err(|_| FieldError {
                    field: "short_message",
                    expected: "at most 254 octets",
                    got: format!("{} octets", short_message.len()),
                })?;
                body::ReplaceSm::new(
                    id(message_id)?,
                    Ton::from(source.ton),
                    Npi::from(source.npi),
                    text("source_addr", ADDRESS, &source.address)?,
                    instant("schedule_delivery_time", schedule)?,
                    instant("validity_period", validity)?,
                    RegisteredDelivery::from(*registered_delivery),
                    0,
                    short,
                    None,
                )
                .encode(octets);
            }
        }
        Ok(())
    }
}

impl Found {
    /// Reads the body of a query_sm_resp; one that cannot be read says nothing.
    pub(super) fn decode(octets: &[u8]) -> Self {
        let read = || {
            let mut fields = Fields::new(octets);
            Ok::<_, CommandStatus>(Self {
                message_id: fields.text(length::MESSAGE_ID, CommandStatus::RINVMSGID)?,
                final_date: fields.time(CommandStatus::RINVEXPIRY)?,
                state: MessageState(fields.octet()?),
                error_code: fields.octet()?,
            })
        };
        read().unwrap_or_else(|_| Self::nothing())
    }

    /// What a refused query says of the message; it does not travel.
    pub(super) fn nothing() -> Self {
        Self {
            message_id: String::new(),
            final_date: String::new(),
            state: MessageState::ENROUTE,
            error_code: 0,
        }
    }

    pub(super) fn encode_body(&self, octets: &mut BytesMut) -> Result<(), FieldError> {
        body::QuerySmResp::new(
            text("message_id", ID, &self.message_id)?,
            instant("final_date", &self.final_date)?,
            self.state.0.into(),
            self.error_code,
        )
        .encode(octets);
        Ok(())
    }
}

impl From<body::QuerySm> for Operation {
    fn from(pdu: body::QuerySm) -> Self {
        Self::Query {
            message_id: pdu.message_id.as_str().to_owned(),
            source: Party {
                ton: pdu.source_addr_ton.into(),
                npi: pdu.source_addr_npi.into(),
                address: pdu.source_addr.as_str().to_owned(),
            },
        }
    }
}

impl From<body::CancelSm> for Operation {
    fn from(pdu: body::CancelSm) -> Self {
        Self::Cancel {
            service_type: pdu.service_type.value().as_str().to_owned(),
            message_id: pdu.message_id.as_str().to_owned(),
            source: Party {
                ton: pdu.source_addr_ton.into(),
                npi: pdu.source_addr_npi.into(),
                address: pdu.source_addr.as_str().to_owned(),
            },
            destination: Party {
                ton: pdu.dest_addr_ton.into(),
                npi: pdu.dest_addr_npi.into(),
                address: pdu.destination_addr.as_str().to_owned(),
            },
        }
    }
}

impl From<body::ReplaceSm> for Operation {
    fn from(pdu: body::ReplaceSm) -> Self {
        Self::Replace {
            message_id: pdu.message_id.as_str().to_owned(),
            source: Party {
                ton: pdu.source_addr_ton.into(),
                npi: pdu.source_addr_npi.into(),
                address: pdu.source_addr.as_str().to_owned(),
            },
            schedule: pdu.schedule_delivery_time.as_str().to_owned(),
            validity: pdu.validity_period.as_str().to_owned(),
            registered_delivery: pdu.registered_delivery.into(),
            short_message: pdu.short_message().as_ref().to_vec(),
        }
    }
}
