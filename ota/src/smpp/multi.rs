//! submit_multi and data_sm: one message for several receivers (SMPP 3.4 §4.5), and a message in optional parameters alone (§4.7).

use super::fields::{Fields, length};
use super::header::CommandStatus;
use super::message::{FieldError, ShortMessage, Tlv, tag};
use super::operations::Party;

/// `dest_flag` (§5.2.25).
const SME_ADDRESS: u8 = 1;
const DISTRIBUTION_LIST: u8 = 2;

/// One message for several receivers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multi {
    /// The message; it has no destination of its own.
    pub message: ShortMessage,
    /// 1 to 254 receivers.
    pub destinations: Vec<Destination>,
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An address.
    Address(Party),
    /// A distribution list of the SMSC, by its name.
    List(String),
}

/// The answer to a submit_multi.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MultiTaken {
    /// The SMSC's id of the message.
    pub message_id: String,
    /// Receivers that the SMSC did not take it for.
    pub refused: Vec<Refused>,
}

/// A receiver that a message was not taken for, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Refused {
    /// As in the submit_multi.
    pub destination: Party,
    /// Why.
    pub status: CommandStatus,
}

impl Multi {
    /// The message for one receiver.
    pub fn to(&self, destination: &Party) -> ShortMessage {
        ShortMessage {
            destination: destination.address.clone(),
            destination_ton: destination.ton,
            destination_npi: destination.npi,
            ..self.message.clone()
        }
    }

    pub(super) fn decode(octets: &[u8]) -> Result<Self, CommandStatus> {
        let mut fields = Fields::new(octets);
        let mut message = fields.sender(length::ADDRESS)?;
        let count = fields.octet()?;
        if !(1..=254).contains(&count) {
            return Err(CommandStatus::RINVNUMDESTS);
        }
        let mut destinations = Vec::with_capacity(count.into());
        for _ in 0..count {
            destinations.push(match fields.octet()? {
                SME_ADDRESS => {
                    let (ton, npi, address) =
                        fields.address(length::ADDRESS, CommandStatus::RINVDSTADR)?;
                    Destination::Address(Party { ton, npi, address })
                }
                DISTRIBUTION_LIST => {
                    Destination::List(fields.text(length::LIST_NAME, CommandStatus::RINVDLNAME)?)
                }
                _ => return Err(CommandStatus::RINVDESTFLAG),
            });
        }
        message.esm_class = fields.octet()?;
        message.protocol_id = fields.octet()?;
        message.priority = fields.octet()?;
        message.schedule = fields.time(CommandStatus::RINVSCHED)?;
        message.validity = fields.time(CommandStatus::RINVEXPIRY)?;
        message.registered_delivery = fields.octet()?;
        message.replace_if_present = fields.octet()?;
        message.data_coding = fields.octet()?;
        message.default_message_id = fields.octet()?;
        message.short_message = fields.short_message()?;
        message.take_optional(fields.optional()?);
        Ok(Self {
            message,
            destinations,
        })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FieldError> {
        let count = self.destinations.len();
        if !(1..=254).contains(&count) {
            return Err(FieldError {
                field: "number_of_dests",
                expected: "1 to 254",
                got: count.to_string(),
            });
        }
        let message = &self.message;
        let mut octets = Vec::new();
        sender(&mut octets, message, length::ADDRESS)?;
        octets.push(count as u8);
        for destination in &self.destinations {
            match destination {
                Destination::Address(party) => {
                    octets.extend([SME_ADDRESS, party.ton, party.npi]);
                    text(
                        &mut octets,
                        "destination_addr",
                        length::ADDRESS,
                        &party.address,
                    )?;
                }
                Destination::List(name) => {
                    octets.push(DISTRIBUTION_LIST);
                    text(&mut octets, "dl_name", length::LIST_NAME, name)?;
                }
            }
        }
        octets.extend([message.esm_class, message.protocol_id, message.priority]);
        time(&mut octets, "schedule_delivery_time", &message.schedule)?;
        time(&mut octets, "validity_period", &message.validity)?;
        octets.extend([
            message.registered_delivery,
            message.replace_if_present,
            message.data_coding,
            message.default_message_id,
        ]);
        let (short, payload) = match message.in_payload {
            true => (&[][..], Some(&message.short_message)),
            false => (&message.short_message[..], None),
        };
        if short.len() > length::SHORT_MESSAGE {
            return Err(FieldError {
                field: "short_message",
                expected: "at most 254 octets",
                got: short.len().to_string(),
            });
        }
        octets.push(short.len() as u8);
        octets.extend(short);
        optional(&mut octets, payload, &message.tlvs)?;
        Ok(octets)
    }
}

impl MultiTaken {
    /// Reads the body of a submit_multi_resp; as with all responses, one that cannot be read counts as an empty one.
    pub(super) fn decode(octets: &[u8]) -> Self {
        let read = || {
            let mut fields = Fields::new(octets);
            let message_id = fields.text(length::MESSAGE_ID, CommandStatus::RINVMSGID)?;
            let mut refused = Vec::new();
            for _ in 0..fields.octet()? {
                let (ton, npi, address) =
                    fields.address(length::ADDRESS, CommandStatus::RINVDSTADR)?;
                let status = fields.octets(4, CommandStatus::RINVCMDLEN)?;
                let status = status
                    .iter()
                    .fold(0, |all, octet| all << 8 | u32::from(*octet));
                refused.push(Refused {
                    destination: Party { ton, npi, address },
                    status: CommandStatus(status),
                });
            }
            Ok::<_, CommandStatus>(Self {
                message_id,
                refused,
            })
        };
        read().unwrap_or_default()
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, FieldError> {
        let mut octets = Vec::new();
        text(
            &mut octets,
            "message_id",
            length::MESSAGE_ID,
            &self.message_id,
        )?;
        octets.push(u8::try_from(self.refused.len()).map_err(|_| FieldError {
            field: "no_unsuccess",
            expected: "at most 255",
            got: self.refused.len().to_string(),
        })?);
        for refused in &self.refused {
            let Party { ton, npi, address } = &refused.destination;
            octets.extend([*ton, *npi]);
            text(&mut octets, "destination_addr", length::ADDRESS, address)?;
            octets.extend(refused.status.0.to_be_bytes());
        }
        Ok(octets)
    }
}

/// The body of a data_sm.
pub(super) fn decode_data(octets: &[u8]) -> Result<ShortMessage, CommandStatus> {
    let mut fields = Fields::new(octets);
    let mut message = fields.sender(length::LONG_ADDRESS)?;
    (
        message.destination_ton,
        message.destination_npi,
        message.destination,
    ) = fields.address(length::LONG_ADDRESS, CommandStatus::RINVDSTADR)?;
    message.esm_class = fields.octet()?;
    message.registered_delivery = fields.octet()?;
    message.data_coding = fields.octet()?;
    message.in_payload = true;
    message.take_optional(fields.optional()?);
    Ok(message)
}

pub(super) fn encode_data(message: &ShortMessage) -> Result<Vec<u8>, FieldError> {
    let mut octets = Vec::new();
    sender(&mut octets, message, length::LONG_ADDRESS)?;
    octets.extend([message.destination_ton, message.destination_npi]);
    text(
        &mut octets,
        "destination_addr",
        length::LONG_ADDRESS,
        &message.destination,
    )?;
    octets.extend([
        message.esm_class,
        message.registered_delivery,
        message.data_coding,
    ]);
    let payload = Some(&message.short_message).filter(|payload| !payload.is_empty());
    optional(&mut octets, payload, &message.tlvs)?;
    Ok(octets)
}

/// What every submission begins with: service_type and source.
fn sender(octets: &mut Vec<u8>, message: &ShortMessage, most: usize) -> Result<(), FieldError> {
    text(
        octets,
        "service_type",
        length::SERVICE_TYPE,
        &message.service_type,
    )?;
    octets.extend([message.source_ton, message.source_npi]);
    text(octets, "source_addr", most, &message.source)
}

fn text(
    octets: &mut Vec<u8>,
    field: &'static str,
    most: usize,
    value: &str,
) -> Result<(), FieldError> {
    if value.len() >= most || !value.is_ascii() || value.contains('\0') {
        return Err(FieldError {
            field,
            expected: "a short ASCII text",
            got: format!("{value:?}"),
        });
    }
    octets.extend(value.as_bytes());
    octets.push(0);
    Ok(())
}

fn time(octets: &mut Vec<u8>, field: &'static str, value: &str) -> Result<(), FieldError> {
    if !value.is_empty() && value.len() + 1 != length::TIME {
        return Err(FieldError {
            field,
            expected: "nothing or 16 ASCII characters",
            got: format!("{value:?}"),
        });
    }
    text(octets, field, length::TIME, value)
}

fn optional(
    octets: &mut Vec<u8>,
    payload: Option<&Vec<u8>>,
    tlvs: &[Tlv],
) -> Result<(), FieldError> {
    let payload = payload.map(|payload| (tag::MESSAGE_PAYLOAD, payload));
    let all = payload
        .into_iter()
        .chain(tlvs.iter().map(|tlv| (tlv.tag, &tlv.value)));
    for (tag, value) in all {
        let count = u16::try_from(value.len()).map_err(|_| FieldError {
            field: "optional parameter",
            expected: "at most 65535 octets",
            got: "more".to_owned(),
        })?;
        octets.extend(tag.to_be_bytes());
        octets.extend(count.to_be_bytes());
        octets.extend(value);
    }
    Ok(())
}
