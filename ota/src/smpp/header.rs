//! The 16-octet SMPP header and the framing of a byte stream (SMPP 3.4 §3.2).
//!
//! [`Framer::next`] never panics, whatever the stream holds; it keeps at most one unfinished PDU of
//! [`Framer::max`] octets beside what the last [`Framer::push`] brought.

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Octets of a header.
pub const HEADER: usize = 16;

/// Where each header field lies, all big-endian.
mod field {
    use std::ops::Range;

    pub(super) const COMMAND_LENGTH: Range<usize> = 0..4;
    pub(super) const COMMAND_ID: Range<usize> = 4..8;
    pub(super) const COMMAND_STATUS: Range<usize> = 8..12;
    pub(super) const SEQUENCE_NUMBER: Range<usize> = 12..16;
}

/// `command_id` (SMPP 3.4 §5.1.2.1). Unknown values survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandId(pub u32);

macro_rules! named {
    ($type:ident, $width:literal, { $($(#[$doc:meta])* $name:ident = $value:literal => $text:literal),+ $(,)? }) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($value);)+

            /// The standard's own name of the value, if it has one here.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, $width, self.0),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

named!(CommandId, "{:#010x}", {
    /// Bind for receiving only.
    BIND_RECEIVER = 0x0000_0001 => "bind_receiver",
    /// Bind for sending only.
    BIND_TRANSMITTER = 0x0000_0002 => "bind_transmitter",
    /// ESME to SMSC: a short message.
    SUBMIT_SM = 0x0000_0004 => "submit_sm",
    /// ESME to SMSC: a short message for several receivers.
    SUBMIT_MULTI = 0x0000_0021 => "submit_multi",
    /// Either way: a message in optional parameters alone.
    DATA_SM = 0x0000_0103 => "data_sm",
    /// ESME to SMSC: how far did a message get?
    QUERY_SM = 0x0000_0003 => "query_sm",
    /// ESME to SMSC: deliver something else instead.
    REPLACE_SM = 0x0000_0007 => "replace_sm",
    /// ESME to SMSC: do not deliver a message.
    CANCEL_SM = 0x0000_0008 => "cancel_sm",
    /// SMSC to ESME: a short message or a delivery receipt.
    DELIVER_SM = 0x0000_0005 => "deliver_sm",
    /// Ends a session.
    UNBIND = 0x0000_0006 => "unbind",
    /// Bind for both directions.
    BIND_TRANSCEIVER = 0x0000_0009 => "bind_transceiver",
    /// Is the peer alive?
    ENQUIRE_LINK = 0x0000_0015 => "enquire_link",
    /// Answer to a PDU that cannot have its own answer.
    GENERIC_NACK = 0x8000_0000 => "generic_nack",
    /// Answer to bind_receiver.
    BIND_RECEIVER_RESP = 0x8000_0001 => "bind_receiver_resp",
    /// Answer to bind_transmitter.
    BIND_TRANSMITTER_RESP = 0x8000_0002 => "bind_transmitter_resp",
    /// Answer to query_sm.
    QUERY_SM_RESP = 0x8000_0003 => "query_sm_resp",
    /// Answer to replace_sm.
    REPLACE_SM_RESP = 0x8000_0007 => "replace_sm_resp",
    /// Answer to cancel_sm.
    CANCEL_SM_RESP = 0x8000_0008 => "cancel_sm_resp",
    /// Answer to submit_sm.
    SUBMIT_SM_RESP = 0x8000_0004 => "submit_sm_resp",
    /// Answer to submit_multi.
    SUBMIT_MULTI_RESP = 0x8000_0021 => "submit_multi_resp",
    /// Answer to data_sm.
    DATA_SM_RESP = 0x8000_0103 => "data_sm_resp",
    /// Answer to deliver_sm.
    DELIVER_SM_RESP = 0x8000_0005 => "deliver_sm_resp",
    /// Answer to unbind.
    UNBIND_RESP = 0x8000_0006 => "unbind_resp",
    /// Answer to bind_transceiver.
    BIND_TRANSCEIVER_RESP = 0x8000_0009 => "bind_transceiver_resp",
    /// Answer to enquire_link.
    ENQUIRE_LINK_RESP = 0x8000_0015 => "enquire_link_resp",
});

impl CommandId {
    /// Bit 31 marks every response.
    pub fn is_response(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }
}

/// `command_status` (SMPP 3.4 §5.1.3). Unknown values survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandStatus(pub u32);

named!(CommandStatus, "{:#010x}", {
    /// No error.
    ROK = 0x0000_0000 => "ESME_ROK",
    /// Message length is invalid.
    RINVMSGLEN = 0x0000_0001 => "ESME_RINVMSGLEN",
    /// Command length is invalid.
    RINVCMDLEN = 0x0000_0002 => "ESME_RINVCMDLEN",
    /// Command id is invalid.
    RINVCMDID = 0x0000_0003 => "ESME_RINVCMDID",
    /// The bind status does not allow the command.
    RINVBNDSTS = 0x0000_0004 => "ESME_RINVBNDSTS",
    /// Already bound.
    RALYBND = 0x0000_0005 => "ESME_RALYBND",
    /// System error.
    RSYSERR = 0x0000_0008 => "ESME_RSYSERR",
    /// Invalid source address.
    RINVSRCADR = 0x0000_000A => "ESME_RINVSRCADR",
    /// Invalid destination address.
    RINVDSTADR = 0x0000_000B => "ESME_RINVDSTADR",
    /// Message id is invalid.
    RINVMSGID = 0x0000_000C => "ESME_RINVMSGID",
    /// Bind failed.
    RBINDFAIL = 0x0000_000D => "ESME_RBINDFAIL",
    /// Invalid system_id.
    RINVSYSID = 0x0000_000F => "ESME_RINVSYSID",
    /// Invalid service_type.
    RINVSERTYP = 0x0000_0015 => "ESME_RINVSERTYP",
    /// Invalid number of destinations.
    RINVNUMDESTS = 0x0000_0033 => "ESME_RINVNUMDESTS",
    /// Invalid name of a distribution list.
    RINVDLNAME = 0x0000_0034 => "ESME_RINVDLNAME",
    /// Invalid dest_flag.
    RINVDESTFLAG = 0x0000_0040 => "ESME_RINVDESTFLAG",
    /// Invalid system_type.
    RINVSYSTYP = 0x0000_0053 => "ESME_RINVSYSTYP",
    /// Optional parameter not allowed.
    ROPTPARNOTALLWD = 0x0000_00C1 => "ESME_ROPTPARNOTALLWD",
    /// Invalid length of an optional parameter.
    RINVPARLEN = 0x0000_00C2 => "ESME_RINVPARLEN",
    /// Expected optional parameter missing.
    RMISSINGOPTPARAM = 0x0000_00C3 => "ESME_RMISSINGOPTPARAM",
    /// Invalid password.
    RINVPASWD = 0x0000_000E => "ESME_RINVPASWD",
    /// cancel_sm failed.
    RCANCELFAIL = 0x0000_0011 => "ESME_RCANCELFAIL",
    /// replace_sm failed.
    RREPLACEFAIL = 0x0000_0013 => "ESME_RREPLACEFAIL",
    /// Message queue full.
    RMSGQFUL = 0x0000_0014 => "ESME_RMSGQFUL",
    /// Invalid esm_class.
    RINVESMCLASS = 0x0000_0043 => "ESME_RINVESMCLASS",
    /// Submission failed.
    RSUBMITFAIL = 0x0000_0045 => "ESME_RSUBMITFAIL",
    /// The sender is too fast.
    RTHROTTLED = 0x0000_0058 => "ESME_RTHROTTLED",
    /// Invalid schedule_delivery_time.
    RINVSCHED = 0x0000_0061 => "ESME_RINVSCHED",
    /// Invalid validity_period.
    RINVEXPIRY = 0x0000_0062 => "ESME_RINVEXPIRY",
    /// ESME receiver: temporary application error.
    RX_T_APPN = 0x0000_0064 => "ESME_RX_T_APPN",
    /// ESME receiver: permanent application error.
    RX_P_APPN = 0x0000_0065 => "ESME_RX_P_APPN",
    /// Error in the optional part of a PDU body.
    RINVOPTPARSTREAM = 0x0000_00C0 => "ESME_RINVOPTPARSTREAM",
    /// Unknown error.
    RUNKNOWNERR = 0x0000_00FF => "ESME_RUNKNOWNERR",
});

impl CommandStatus {
    /// True of `ESME_ROK`.
    pub fn is_ok(self) -> bool {
        self == Self::ROK
    }

    /// True of an answer that asks the sender to come back later: throttled, or queue full.
    pub fn asks_to_wait(self) -> bool {
        matches!(self, Self::RTHROTTLED | Self::RMSGQFUL)
    }
}

/// A decoded header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole PDU, header included.
    pub length: u32,
    /// What the PDU is.
    pub id: CommandId,
    /// Zero in requests.
    pub status: CommandStatus,
    /// Joins a request with its response.
    pub sequence: u32,
}

impl Header {
    /// Reads a header; `None` when there are fewer than [`HEADER`] octets. Judges nothing.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let header = octets.first_chunk::<HEADER>()?;
        let word = |range: std::ops::Range<usize>| {
            header[range]
                .iter()
                .fold(0u32, |word, octet| word << 8 | u32::from(*octet))
        };
        Some(Self {
            length: word(field::COMMAND_LENGTH),
            id: CommandId(word(field::COMMAND_ID)),
            status: CommandStatus(word(field::COMMAND_STATUS)),
            sequence: word(field::SEQUENCE_NUMBER),
        })
    }

    /// The header as octets.
    pub fn emit(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[field::COMMAND_LENGTH].copy_from_slice(&self.length.to_be_bytes());
        header[field::COMMAND_ID].copy_from_slice(&self.id.0.to_be_bytes());
        header[field::COMMAND_STATUS].copy_from_slice(&self.status.0.to_be_bytes());
        header[field::SEQUENCE_NUMBER].copy_from_slice(&self.sequence.to_be_bytes());
        header
    }
}

/// One whole PDU cut from the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its header.
    pub header: Header,
    /// All its octets, header included.
    pub octets: Bytes,
}

impl Frame {
    /// The octets after the header.
    pub fn body(&self) -> &[u8] {
        self.octets.get(HEADER..).unwrap_or_default()
    }
}

/// Why a stream can no longer be cut into PDUs. The answer is generic_nack with `status`, then the end of the connection:
/// where the next PDU starts is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("command_length {got}, expected {HEADER} to {max}")]
pub struct FrameError {
    /// The `command_length` that came.
    pub got: u32,
    /// The longest PDU we take.
    pub max: u32,
    /// The sequence number of the offending header.
    pub sequence: u32,
}

impl FrameError {
    /// The status of the generic_nack.
    pub fn status(&self) -> CommandStatus {
        CommandStatus::RINVCMDLEN
    }
}

/// Cuts a byte stream into PDUs.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    max: u32,
}

impl Framer {
    /// `max`: the longest PDU accepted, in octets with the header.
    pub fn new(max: u32) -> Self {
        Self {
            buffer: BytesMut::new(),
            max,
        }
    }

    /// Adds octets from the stream.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole PDU; `Ok(None)` when more octets are needed. After an error the framer is empty and the connection lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(header) = Header::parse(&self.buffer) else {
            return Ok(None);
        };
        let fits = (HEADER as u32..=self.max).contains(&header.length);
        if !fits {
            self.buffer.clear();
            return Err(FrameError {
                got: header.length,
                max: self.max,
                sequence: header.sequence,
            });
        }
        let length = header.length as usize;
        if self.buffer.remaining() < length {
            return Ok(None);
        }
        let octets = self.buffer.split_to(length).freeze();
        Ok(Some(Frame { header, octets }))
    }

    /// Octets that wait for the rest of their PDU.
    pub fn unfinished(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENQUIRE: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];

    #[test]
    fn a_header_reads_and_prints_the_standards_names() {
        let header = Header::parse(&ENQUIRE).unwrap();
        assert_eq!(
            header,
            Header {
                length: 16,
                id: CommandId::ENQUIRE_LINK,
                status: CommandStatus::ROK,
                sequence: 7
            }
        );
        assert_eq!(header.emit(), ENQUIRE);
        assert_eq!(CommandId::ENQUIRE_LINK.to_string(), "enquire_link");
        assert_eq!(CommandStatus(0x0400).to_string(), "0x00000400");
        assert!(Header::parse(&ENQUIRE[..15]).is_none());
    }

    #[test]
    fn a_pdu_arrives_octet_by_octet() {
        let mut framer = Framer::new(64);
        for octet in &ENQUIRE[..15] {
            framer.push(&[*octet]);
            assert_eq!(framer.next_frame(), Ok(None));
        }
        framer.push(&ENQUIRE[15..]);
        assert_eq!(
            framer.next_frame().unwrap().unwrap().octets,
            ENQUIRE.as_slice()
        );
        assert_eq!(framer.unfinished(), 0);
    }

    #[test]
    fn a_length_out_of_bounds_ends_the_stream_and_names_the_sequence_number() {
        for (length, max) in [(15u32, 64), (0, 64), (65, 64), (u32::MAX, 64)] {
            let mut framer = Framer::new(max);
            let mut octets = ENQUIRE;
            octets[..4].copy_from_slice(&length.to_be_bytes());
            framer.push(&octets);
            assert_eq!(
                framer.next_frame(),
                Err(FrameError {
                    got: length,
                    max,
                    sequence: 7
                })
            );
        }
    }

    proptest! {
        #[test]
        fn any_cutting_of_the_stream_gives_the_same_pdus(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
                                                         cuts in prop::collection::vec(1usize..40, 1..40)) {
            let mut stream = Vec::new();
            for (n, body) in bodies.iter().enumerate() {
                let header = Header { length: (HEADER + body.len()) as u32, id: CommandId(n as u32), status: CommandStatus(0), sequence: n as u32 };
                stream.extend_from_slice(&header.emit());
                stream.extend_from_slice(body);
            }
            let mut framer = Framer::new(128);
            let mut seen = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                framer.push(piece);
                while let Some(frame) = framer.next_frame().unwrap() {
                    seen.push(frame.body().to_vec());
                }
                rest = tail;
                if rest.is_empty() { break; }
            }
            prop_assert_eq!(seen, bodies);
        }

        #[test]
        fn any_octets_are_framed_without_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut framer = Framer::new(64);
            framer.push(&octets);
            while let Ok(Some(frame)) = framer.next_frame() {
                prop_assert!(frame.octets.len() >= HEADER);
            }
        }
    }
}
