//! The PDUs that a session uses, decoded and encoded (SMPP 3.4 §4). Bodies are the business of `rusmpp-core`; the header is ours.
//!
//! [`Pdu::decode`] never panics; its error is the status of the answer to a request that it cannot read, see [`Pdu::refusal`].

use bytes::BytesMut;
use rusmpp_core::decode::owned::DecodeWithKeyOptional;
use rusmpp_core::encode::owned::Encode;
use rusmpp_core::pdus::owned::{
    self as body, BindReceiver, BindReceiverResp, BindTransceiver, BindTransceiverResp,
    BindTransmitter, BindTransmitterResp, DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp,
};
use rusmpp_core::values::{InterfaceVersion, Npi, Ton};
use std::fmt;
use std::ops::Range;

use super::fields;
use super::header::{CommandId, CommandStatus, HEADER, Header};
use super::message::{FieldError, ShortMessage, text};
use super::multi::{self, Multi, MultiTaken};
use super::operations::{Found, Operation};

/// `interface_version` of SMPP 3.4.
pub const VERSION: u8 = 0x34;

/// Which directions a bind opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum BindMode {
    /// The ESME sends.
    Transmitter,
    /// The ESME receives.
    Receiver,
    /// Both.
    Transceiver,
}

impl BindMode {
    /// May the ESME submit?
    pub fn sends(self) -> bool {
        self != Self::Receiver
    }

    /// May the SMSC deliver?
    pub fn receives(self) -> bool {
        self != Self::Transmitter
    }

    fn request(self) -> CommandId {
        match self {
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Receiver => CommandId::BIND_RECEIVER,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    fn response(self) -> CommandId {
        match self {
            Self::Transmitter => CommandId::BIND_TRANSMITTER_RESP,
            Self::Receiver => CommandId::BIND_RECEIVER_RESP,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER_RESP,
        }
    }
}

/// The body of a bind request. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Bind {
    /// Who asks, at most 15 characters.
    pub system_id: String,
    /// At most 8 characters.
    pub password: String,
    /// At most 12 characters.
    pub system_type: String,
    /// [`VERSION`] from us; anything from others.
    pub interface_version: u8,
    /// Addresses the ESME serves; informative.
    pub address_range: String,
}

impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bind")
            .field("system_id", &self.system_id)
            .field("system_type", &self.system_type)
            .field("interface_version", &self.interface_version)
            .field("address_range", &self.address_range)
            .finish_non_exhaustive()
    }
}

/// One PDU, without the fields of its header other than its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pdu {
    /// bind_transmitter, bind_receiver or bind_transceiver.
    Bind(BindMode, Bind),
    /// Its answer, with the `system_id` of the SMSC and the `sc_interface_version` to be sent; the latter is not read.
    BindResp(BindMode, String, Option<u8>),
    /// submit_sm.
    SubmitSm(Box<ShortMessage>),
    /// submit_sm_resp with its `message_id`; empty where the peer gave none.
    SubmitSmResp(String),
    /// deliver_sm.
    DeliverSm(Box<ShortMessage>),
    /// deliver_sm_resp; its `message_id` has no meaning.
    DeliverSmResp,
    /// submit_multi.
    SubmitMulti(Box<Multi>),
    /// submit_multi_resp.
    SubmitMultiResp(Box<MultiTaken>),
    /// data_sm, its message [in message_payload](ShortMessage::in_payload); fields that it has not are empty.
    DataSm(Box<ShortMessage>),
    /// data_sm_resp with its `message_id`; empty where the peer gave none.
    DataSmResp(String),
    /// query_sm, cancel_sm or replace_sm.
    Operate(Box<Operation>),
    /// query_sm_resp.
    QuerySmResp(Box<Found>),
    /// cancel_sm_resp.
    CancelSmResp,
    /// replace_sm_resp.
    ReplaceSmResp,
    /// enquire_link.
    EnquireLink,
    /// enquire_link_resp.
    EnquireLinkResp,
    /// unbind.
    Unbind,
    /// unbind_resp.
    UnbindResp,
    /// generic_nack.
    GenericNack,
}

impl Pdu {
    /// The `command_id` it travels under.
    pub fn id(&self) -> CommandId {
        match self {
            Self::Bind(mode, _) => mode.request(),
            Self::BindResp(mode, ..) => mode.response(),
            Self::SubmitSm(_) => CommandId::SUBMIT_SM,
            Self::SubmitSmResp(_) => CommandId::SUBMIT_SM_RESP,
            Self::DeliverSm(_) => CommandId::DELIVER_SM,
            Self::DeliverSmResp => CommandId::DELIVER_SM_RESP,
            Self::SubmitMulti(_) => CommandId::SUBMIT_MULTI,
            Self::SubmitMultiResp(_) => CommandId::SUBMIT_MULTI_RESP,
            Self::DataSm(_) => CommandId::DATA_SM,
            Self::DataSmResp(_) => CommandId::DATA_SM_RESP,
            Self::Operate(operation) => match **operation {
                Operation::Query { .. } => CommandId::QUERY_SM,
                Operation::Cancel { .. } => CommandId::CANCEL_SM,
                Operation::Replace { .. } => CommandId::REPLACE_SM,
            },
            Self::QuerySmResp(_) => CommandId::QUERY_SM_RESP,
            Self::CancelSmResp => CommandId::CANCEL_SM_RESP,
            Self::ReplaceSmResp => CommandId::REPLACE_SM_RESP,
            Self::EnquireLink => CommandId::ENQUIRE_LINK,
            Self::EnquireLinkResp => CommandId::ENQUIRE_LINK_RESP,
            Self::Unbind => CommandId::UNBIND,
            Self::UnbindResp => CommandId::UNBIND_RESP,
            Self::GenericNack => CommandId::GENERIC_NACK,
        }
    }

    /// The answer that refuses a request of this kind: with its own response, unless its kind is unknown or its length does not fit
    /// (§4.3): then with generic_nack.
    pub fn refusal(id: CommandId, status: CommandStatus) -> Self {
        let nothing = String::new;
        match id {
            _ if [CommandStatus::RINVCMDLEN, CommandStatus::RINVCMDID].contains(&status) => {
                Self::GenericNack
            }
            CommandId::BIND_TRANSMITTER => Self::BindResp(BindMode::Transmitter, nothing(), None),
            CommandId::BIND_RECEIVER => Self::BindResp(BindMode::Receiver, nothing(), None),
            CommandId::BIND_TRANSCEIVER => Self::BindResp(BindMode::Transceiver, nothing(), None),
            CommandId::SUBMIT_SM => Self::SubmitSmResp(nothing()),
            CommandId::DELIVER_SM => Self::DeliverSmResp,
            CommandId::SUBMIT_MULTI => Self::SubmitMultiResp(Box::default()),
            CommandId::DATA_SM => Self::DataSmResp(nothing()),
            CommandId::QUERY_SM => Self::QuerySmResp(Box::new(Found::nothing())),
            CommandId::CANCEL_SM => Self::CancelSmResp,
            CommandId::REPLACE_SM => Self::ReplaceSmResp,
            _ => Self::GenericNack,
        }
    }

    /// Reads the body of a PDU. Requests are read strictly, and the error is the status of the first field that is wrong; of responses, whose kind and status say nearly all, a body that
    /// cannot be read counts as an empty one, since a response is never answered.
    pub fn decode(id: CommandId, octets: &[u8]) -> Result<Self, CommandStatus> {
        match id {
            CommandId::GENERIC_NACK => Ok(Self::GenericNack),
            CommandId::DELIVER_SM_RESP => Ok(Self::DeliverSmResp),
            CommandId::ENQUIRE_LINK_RESP => Ok(Self::EnquireLinkResp),
            CommandId::UNBIND_RESP => Ok(Self::UnbindResp),
            CommandId::CANCEL_SM_RESP => Ok(Self::CancelSmResp),
            CommandId::REPLACE_SM_RESP => Ok(Self::ReplaceSmResp),
            CommandId::SUBMIT_SM_RESP => Ok(Self::SubmitSmResp(first_text(octets))),
            CommandId::QUERY_SM_RESP => Ok(Self::QuerySmResp(Box::new(Found::decode(octets)))),
            CommandId::DATA_SM_RESP => Ok(Self::DataSmResp(first_text(octets))),
            CommandId::SUBMIT_MULTI_RESP => {
                Ok(Self::SubmitMultiResp(Box::new(MultiTaken::decode(octets))))
            }
            CommandId::SUBMIT_MULTI => Ok(Self::SubmitMulti(Box::new(Multi::decode(octets)?))),
            CommandId::DATA_SM => Ok(Self::DataSm(Box::new(multi::decode_data(octets)?))),
            CommandId::BIND_TRANSMITTER_RESP => Ok(Self::BindResp(
                BindMode::Transmitter,
                first_text(octets),
                None,
            )),
            CommandId::BIND_RECEIVER_RESP => {
                Ok(Self::BindResp(BindMode::Receiver, first_text(octets), None))
            }
            CommandId::BIND_TRANSCEIVER_RESP => Ok(Self::BindResp(
                BindMode::Transceiver,
                first_text(octets),
                None,
            )),
            CommandId::ENQUIRE_LINK if octets.is_empty() => Ok(Self::EnquireLink),
            CommandId::UNBIND if octets.is_empty() => Ok(Self::Unbind),
            CommandId::ENQUIRE_LINK | CommandId::UNBIND => Err(CommandStatus::RINVCMDLEN),
            CommandId::BIND_TRANSMITTER
            | CommandId::BIND_RECEIVER
            | CommandId::BIND_TRANSCEIVER
            | CommandId::SUBMIT_SM
            | CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM
            | CommandId::DELIVER_SM => Self::decode_request(id, octets),
            _ => Err(CommandStatus::RINVCMDID),
        }
    }

    /// The whole PDU. A response with an error status has no body (§4.1.2, §4.4.2).
    pub fn encode(&self, status: CommandStatus, sequence: u32) -> Result<Vec<u8>, FieldError> {
        let mut octets = BytesMut::zeroed(HEADER);
        if status.is_ok() {
            self.encode_body(&mut octets)?;
        }
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let header = Header {
            length,
            id: self.id(),
            status,
            sequence,
        };
        octets[..HEADER].copy_from_slice(&header.emit());
        Ok(octets.into())
    }

    fn decode_request(id: CommandId, octets: &[u8]) -> Result<Self, CommandStatus> {
        let mut rest = BytesMut::from(octets);
        let decoded = body::Pdu::decode(id.0.into(), &mut rest, octets.len());
        let whole = decoded.ok().flatten();
        let whole = whole.filter(|(_, size)| *size == octets.len());
        let (body, _) = whole.ok_or_else(|| fields::fault(id, octets))?;
        Ok(match body {
            body::Pdu::BindTransmitter(bind) => Self::Bind(BindMode::Transmitter, bind.into()),
            body::Pdu::BindReceiver(bind) => Self::Bind(BindMode::Receiver, bind.into()),
            body::Pdu::BindTransceiver(bind) => Self::Bind(BindMode::Transceiver, bind.into()),
            body::Pdu::SubmitSm(message) => Self::SubmitSm(Box::new(message.into())),
            body::Pdu::DeliverSm(message) => Self::DeliverSm(Box::new(message.into())),
            body::Pdu::QuerySm(query) => Self::Operate(Box::new(query.into())),
            body::Pdu::CancelSm(cancel) => Self::Operate(Box::new(cancel.into())),
            body::Pdu::ReplaceSm(replace) => Self::Operate(Box::new(replace.into())),
            _ => return Err(CommandStatus::RINVCMDID),
        })
    }

    fn encode_body(&self, octets: &mut BytesMut) -> Result<(), FieldError> {
        match self {
            Self::Bind(BindMode::Transmitter, bind) => {
                BindTransmitter::try_from(bind)?.encode(octets)
            }
            Self::Bind(BindMode::Receiver, bind) => BindReceiver::try_from(bind)?.encode(octets),
            Self::Bind(BindMode::Transceiver, bind) => {
                BindTransceiver::try_from(bind)?.encode(octets)
            }
            Self::BindResp(mode, system_id, version) => {
                let system_id = text("system_id", "at most 15 ASCII characters", system_id)?;
                let version = version.map(InterfaceVersion::from);
                match mode {
                    BindMode::Transmitter => {
                        BindTransmitterResp::new(system_id, version).encode(octets)
                    }
                    BindMode::Receiver => BindReceiverResp::new(system_id, version).encode(octets),
                    BindMode::Transceiver => {
                        BindTransceiverResp::new(system_id, version).encode(octets)
                    }
                }
            }
            Self::SubmitSm(message) => SubmitSm::try_from(&**message)?.encode(octets),
            Self::DeliverSm(message) => DeliverSm::try_from(&**message)?.encode(octets),
            Self::SubmitSmResp(id) => {
                let id = text("message_id", "at most 64 ASCII characters", id)?;
                SubmitSmResp::new(id, Vec::new()).encode(octets);
            }
            Self::DeliverSmResp => {
                let unused = text("message_id", "nothing", "")?;
                DeliverSmResp::new(unused, Vec::new()).encode(octets);
            }
            Self::SubmitMulti(multi) => octets.extend_from_slice(&multi.encode()?),
            Self::SubmitMultiResp(taken) => octets.extend_from_slice(&taken.encode()?),
            Self::DataSm(message) => octets.extend_from_slice(&multi::encode_data(message)?),
            Self::DataSmResp(id) => {
                let id = text("message_id", "at most 64 ASCII characters", id)?;
                SubmitSmResp::new(id, Vec::new()).encode(octets);
            }
            Self::Operate(operation) => operation.encode_body(octets)?,
            Self::QuerySmResp(found) => found.encode_body(octets)?,
            Self::CancelSmResp
            | Self::ReplaceSmResp
            | Self::EnquireLink
            | Self::EnquireLinkResp
            | Self::Unbind
            | Self::UnbindResp
            | Self::GenericNack => {}
        }
        Ok(())
    }
}

macro_rules! bind {
    ($pdu:ident) => {
        impl From<$pdu> for Bind {
            fn from(pdu: $pdu) -> Self {
                Self {
                    system_id: pdu.system_id.as_str().to_owned(),
                    password: pdu.password.as_str().to_owned(),
                    system_type: pdu.system_type.as_str().to_owned(),
                    interface_version: pdu.interface_version.into(),
                    address_range: pdu.address_range.as_str().to_owned(),
                }
            }
        }

        impl TryFrom<&Bind> for $pdu {
            type Error = FieldError;

            fn try_from(bind: &Bind) -> Result<Self, FieldError> {
                let password = text("password", "at most 8 ASCII characters", &bind.password);
                Ok(Self::new(
                    text("system_id", "at most 15 ASCII characters", &bind.system_id)?,
                    password.map_err(|error| FieldError {
                        got: "something else".to_owned(),
                        ..error
                    })?,
                    text(
                        "system_type",
                        "at most 12 ASCII characters",
                        &bind.system_type,
                    )?,
                    InterfaceVersion::from(bind.interface_version),
                    Ton::from(0),
                    Npi::from(0),
                    text(
                        "address_range",
                        "at most 40 ASCII characters",
                        &bind.address_range,
                    )?,
                ))
            }
        }
    };
}

bind!(BindTransmitter);
bind!(BindReceiver);
bind!(BindTransceiver);

/// Where a bind request of any kind holds its password, final zero left out; `None` for other PDUs. Reads whatever octets
/// it is given.
pub fn secret_range(octets: &[u8]) -> Option<Range<usize>> {
    let id = Header::parse(octets)?.id;
    let binds = [
        BindMode::Transmitter,
        BindMode::Receiver,
        BindMode::Transceiver,
    ];
    if !binds.iter().any(|mode| mode.request() == id) {
        return None;
    }
    let zero = |from: usize| {
        octets
            .iter()
            .skip(from)
            .position(|octet| *octet == 0)
            .map_or(octets.len(), |at| from + at)
    };
    let start = (zero(HEADER) + 1).min(octets.len());
    Some(start..zero(start))
}

/// The zero-terminated text at the start of a response body; empty when there is none.
fn first_text(octets: &[u8]) -> String {
    let text = octets.split(|octet| *octet == 0).next().unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) if text.is_ascii() && text.len() < octets.len() => text.to_owned(),
        _ => String::new(),
    }
}
