//! SMPP 3.4 PDUs.

use ota::smpp::{
    Bind, BindMode, CommandId, CommandStatus, Destination, Found, HEADER, Header, Multi,
    MultiTaken, Operation, Party, Pdu, Refused, ShortMessage, VERSION,
};
use ota_wire::dissect::Keys;
use ota_wire::sms::dcs::Dcs;
use ota_wire::sms::user_data::UserData;
use serde::{Deserialize, Serialize};

use super::values::{Octet, UserDataDoc, is_default};
use super::{EncodeError, Fields, Result};

/// What a response to a bind says of the version: SMPP 3.4.
const SC_INTERFACE_VERSION: Option<u8> = Some(VERSION);

/// A PDU. `status` and `sequence` are numbers; the length is worked out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Smpp {
    /// Such as submit_sm.
    command: String,
    #[serde(default, skip_serializing_if = "is_default")]
    status: u32,
    #[serde(default)]
    sequence: u32,
    /// Of a bind, its answer.
    #[serde(default, skip_serializing_if = "is_default")]
    system_id: String,
    #[serde(default, skip_serializing_if = "is_default")]
    password: String,
    #[serde(default, skip_serializing_if = "is_default")]
    system_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface_version: Option<Octet>,
    #[serde(default, skip_serializing_if = "is_default")]
    address_range: String,
    /// Of submit_sm_resp.
    #[serde(default, skip_serializing_if = "is_default")]
    message_id: String,
    /// Receivers of a submit_multi.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    destinations: Vec<Receiver>,
    /// Receivers that a submit_multi_resp refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<Refusal>,
    /// Of query_sm, cancel_sm and replace_sm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<OperationDoc>,
    /// Of query_sm_resp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
    /// Of submit_sm, deliver_sm, data_sm and submit_multi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<ShortMessage>,
    /// Instead of the short_message in `message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_data: Option<UserDataDoc>,
}

/// An address, or a list by its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Receiver {
    #[serde(skip_serializing_if = "is_default")]
    ton: u8,
    #[serde(skip_serializing_if = "is_default")]
    npi: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
}

/// What is asked about a message. Each command has some of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OperationDoc {
    #[serde(skip_serializing_if = "is_default")]
    service_type: String,
    message_id: String,
    source: Party,
    #[serde(skip_serializing_if = "is_default")]
    destination: Party,
    #[serde(skip_serializing_if = "is_default")]
    schedule: String,
    #[serde(skip_serializing_if = "is_default")]
    validity: String,
    #[serde(skip_serializing_if = "is_default")]
    registered_delivery: u8,
    /// Hexadecimal.
    #[serde(skip_serializing_if = "is_default")]
    short_message: String,
}

impl OperationDoc {
    fn read(operation: Operation) -> Self {
        match operation {
            Operation::Query { message_id, source } => Self {
                message_id,
                source,
                ..Self::default()
            },
            Operation::Cancel {
                service_type,
                message_id,
                source,
                destination,
            } => Self {
                service_type,
                message_id,
                source,
                destination,
                ..Self::default()
            },
            Operation::Replace {
                message_id,
                source,
                schedule,
                validity,
                registered_delivery,
                short_message,
            } => Self {
                message_id,
                source,
                schedule,
                validity,
                registered_delivery,
                short_message: hex::encode(short_message),
                ..Self::default()
            },
        }
    }
}

/// An address with the status of its refusal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Refusal {
    ton: u8,
    npi: u8,
    address: String,
    status: u32,
}

impl Receiver {
    fn read(destination: Destination) -> Self {
        match destination {
            Destination::Address(Party { ton, npi, address }) => Self {
                ton,
                npi,
                address: Some(address),
                list: None,
            },
            Destination::List(list) => Self {
                list: Some(list),
                ..Self::default()
            },
        }
    }

    fn destination(&self) -> Result<Destination> {
        match (&self.address, &self.list) {
            (Some(address), None) => Ok(Destination::Address(Party {
                ton: self.ton,
                npi: self.npi,
                address: address.clone(),
            })),
            (None, Some(list)) => Ok(Destination::List(list.clone())),
            _ => Err(EncodeError(
                "destinations: each wants either an address or a list".to_owned(),
            )),
        }
    }
}

impl Fields for Smpp {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let header = Header::parse(octets)?;
        let pdu = Pdu::decode(header.id, octets.get(HEADER..)?).ok()?;
        let mut doc = Self {
            command: header.id.name()?.to_owned(),
            status: header.status.0,
            sequence: header.sequence,
            system_id: String::new(),
            password: String::new(),
            system_type: String::new(),
            interface_version: None,
            address_range: String::new(),
            message_id: String::new(),
            destinations: Vec::new(),
            refused: Vec::new(),
            operation: None,
            found: None,
            message: None,
            user_data: None,
        };
        match pdu {
            Pdu::Bind(_, bind) => {
                doc.system_id = bind.system_id;
                doc.password = bind.password;
                doc.system_type = bind.system_type;
                doc.interface_version = Some(Octet(bind.interface_version));
                doc.address_range = bind.address_range;
            }
            Pdu::BindResp(_, system_id, _) => doc.system_id = system_id,
            Pdu::SubmitSmResp(message_id) | Pdu::DataSmResp(message_id) => {
                doc.message_id = message_id
            }
            Pdu::SubmitMultiResp(taken) => {
                doc.message_id = taken.message_id;
                let refusal = |refused: Refused| Refusal {
                    ton: refused.destination.ton,
                    npi: refused.destination.npi,
                    address: refused.destination.address,
                    status: refused.status.0,
                };
                doc.refused = taken.refused.into_iter().map(refusal).collect();
            }
            Pdu::Operate(operation) => doc.operation = Some(OperationDoc::read(*operation)),
            Pdu::QuerySmResp(found) => doc.found = Some(*found),
            Pdu::SubmitMulti(multi) => {
                let destinations = multi.destinations.into_iter();
                doc.destinations = destinations.map(Receiver::read).collect();
                doc.take(multi.message, keys);
            }
            Pdu::SubmitSm(message) | Pdu::DeliverSm(message) | Pdu::DataSm(message) => {
                doc.take(*message, keys)
            }
            _ => {}
        }
        Some(doc)
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let pdu = self.pdu(keys)?;
        let pdu = pdu.encode(CommandStatus(self.status), self.sequence);
        pdu.map_err(EncodeError::new)
    }
}

impl Smpp {
    fn pdu(&self, keys: &Keys) -> Result<Pdu> {
        Ok(match &*self.command {
            "bind_transmitter" => Pdu::Bind(BindMode::Transmitter, self.bind()),
            "bind_receiver" => Pdu::Bind(BindMode::Receiver, self.bind()),
            "bind_transceiver" => Pdu::Bind(BindMode::Transceiver, self.bind()),
            "bind_transmitter_resp" => Pdu::BindResp(
                BindMode::Transmitter,
                self.system_id.clone(),
                SC_INTERFACE_VERSION,
            ),
            "bind_receiver_resp" => Pdu::BindResp(
                BindMode::Receiver,
                self.system_id.clone(),
                SC_INTERFACE_VERSION,
            ),
            "bind_transceiver_resp" => Pdu::BindResp(
                BindMode::Transceiver,
                self.system_id.clone(),
                SC_INTERFACE_VERSION,
            ),
            "submit_sm" => Pdu::SubmitSm(Box::new(self.message(keys)?)),
            "deliver_sm" => Pdu::DeliverSm(Box::new(self.message(keys)?)),
            "query_sm" | "cancel_sm" | "replace_sm" => Pdu::Operate(Box::new(self.operation()?)),
            "query_sm_resp" => {
                let found = self.found.clone();
                Pdu::QuerySmResp(Box::new(
                    found.ok_or_else(|| EncodeError("found: missing".to_owned()))?,
                ))
            }
            "cancel_sm_resp" => Pdu::CancelSmResp,
            "replace_sm_resp" => Pdu::ReplaceSmResp,
            "submit_multi" => Pdu::SubmitMulti(Box::new(self.multi(keys)?)),
            "submit_multi_resp" => Pdu::SubmitMultiResp(Box::new(self.taken())),
            "data_sm" => Pdu::DataSm(Box::new(ShortMessage {
                in_payload: true,
                ..self.message(keys)?
            })),
            "data_sm_resp" => Pdu::DataSmResp(self.message_id.clone()),
            "submit_sm_resp" => Pdu::SubmitSmResp(self.message_id.clone()),
            "deliver_sm_resp" => Pdu::DeliverSmResp,
            "enquire_link" => Pdu::EnquireLink,
            "enquire_link_resp" => Pdu::EnquireLinkResp,
            "unbind" => Pdu::Unbind,
            "unbind_resp" => Pdu::UnbindResp,
            "generic_nack" => Pdu::GenericNack,
            other => {
                return Err(EncodeError(format!(
                    "command: expected one such as {}, got {other:?}",
                    CommandId::SUBMIT_SM
                )));
            }
        })
    }

    /// Its user data by fields, if it has a header.
    fn take(&mut self, mut message: ShortMessage, keys: &Keys) {
        let user_data = UserData::from_octets(&message.short_message, true);
        if let (Ok(user_data), true) = (user_data, message.has_udh()) {
            self.user_data = Some(UserDataDoc::read(&user_data, None, keys));
            message.short_message = Vec::new();
        }
        self.message = Some(message);
    }

    fn operation(&self) -> Result<Operation> {
        let doc = self.operation.clone();
        let doc = doc.ok_or_else(|| EncodeError("operation: missing".to_owned()))?;
        let (message_id, source) = (doc.message_id, doc.source);
        Ok(match &*self.command {
            "query_sm" => Operation::Query { message_id, source },
            "cancel_sm" => Operation::Cancel {
                service_type: doc.service_type,
                message_id,
                source,
                destination: doc.destination,
            },
            _ => Operation::Replace {
                message_id,
                source,
                schedule: doc.schedule,
                validity: doc.validity,
                registered_delivery: doc.registered_delivery,
                short_message: hex::decode(&doc.short_message)
                    .map_err(|error| EncodeError(format!("short_message: {error}")))?,
            },
        })
    }

    fn multi(&self, keys: &Keys) -> Result<Multi> {
        let destinations = self.destinations.iter().map(Receiver::destination);
        Ok(Multi {
            message: self.message(keys)?,
            destinations: destinations.collect::<Result<_>>()?,
        })
    }

    fn taken(&self) -> MultiTaken {
        let refused = |refusal: &Refusal| Refused {
            destination: Party {
                ton: refusal.ton,
                npi: refusal.npi,
                address: refusal.address.clone(),
            },
            status: CommandStatus(refusal.status),
        };
        MultiTaken {
            message_id: self.message_id.clone(),
            refused: self.refused.iter().map(refused).collect(),
        }
    }

    fn bind(&self) -> Bind {
        Bind {
            system_id: self.system_id.clone(),
            password: self.password.clone(),
            system_type: self.system_type.clone(),
            interface_version: self.interface_version.map_or(VERSION, |version| version.0),
            address_range: self.address_range.clone(),
        }
    }

    fn message(&self, keys: &Keys) -> Result<ShortMessage> {
        let message = self.message.clone();
        let mut message = message.ok_or_else(|| EncodeError("message: missing".to_owned()))?;
        if let Some(doc) = &self.user_data {
            if !message.short_message.is_empty() {
                return Err(EncodeError(
                    "user_data: cannot stand beside short_message".to_owned(),
                ));
            }
            // SMPP counts octets, and leaves text in the alphabet of data_coding to the sender.
            let dcs = Dcs(message.data_coding);
            let dcs = (!dcs.counts_septets()).then_some(dcs);
            let user_data = doc.user_data(dcs, keys);
            let user_data = user_data.map_err(|error| error.within("user_data"))?;
            message.short_message = user_data.to_octets();
        }
        Ok(message)
    }
}
