//! Response packets (TS 102 225 §5.2, TS 31.115 §4.3): the card's proof of receipt, and the platform's check of it.

use serde::{Deserialize, Serialize};

use super::algorithm::Protection;
use super::command::{octets, protect, unprotect};
use super::{AlgorithmError, Integrity, Malformed, Opened, PorMode, Rejected, SealError, Spi};
use crate::ids::{Cntr, Tar};
use crate::keys::{KeyError, KeySet};

/// User data header in front of every response packet, covered by its RC/CC.
const UDH: [u8; 3] = [0x02, 0x71, 0x00];

/// Places in a response packet, the user data header included. RC/CC, data and padding follow the status.
mod field {
    use std::ops::{Range, RangeFrom};

    pub(super) const RPL: Range<usize> = 3..5;
    pub(super) const RHL: usize = 5;
    pub(super) const TAR: Range<usize> = 6..9;
    pub(super) const CNTR: Range<usize> = 9..14;
    pub(super) const PCNTR: usize = 14;
    pub(super) const STATUS: usize = 15;
    /// Ciphered from here on.
    pub(super) const CIPHERED: RangeFrom<usize> = 9..;
    /// First octet behind the fixed fields.
    pub(super) const END: usize = 16;
}

/// Octets that RHL counts besides the RC/CC: TAR to status.
const RHL_FIXED: usize = field::END - field::TAR.start;

/// Response status code (TS 102 225 §5.2, table 5). Unknown values survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseStatus(pub u8);

impl ResponseStatus {
    /// Received, checked and passed on.
    pub const POR_OK: Self = Self(0x00);
    /// RC/CC is wrong.
    pub const RC_CC_DS_FAILED: Self = Self(0x01);
    /// CNTR is not above the stored one.
    pub const CNTR_LOW: Self = Self(0x02);
    /// CNTR is too far ahead.
    pub const CNTR_HIGH: Self = Self(0x03);
    /// The stored counter has reached its end.
    pub const CNTR_BLOCKED: Self = Self(0x04);
    /// The ciphered part makes no sense.
    pub const CIPHERING_ERROR: Self = Self(0x05);
    /// Any other security error.
    pub const SECURITY_ERROR: Self = Self(0x06);
    /// The card has no room for the message.
    pub const INSUFFICIENT_MEMORY: Self = Self(0x07);
    /// The card is still at it; the real answer follows.
    pub const MORE_TIME: Self = Self(0x08);
    /// No application has this TAR.
    pub const TAR_UNKNOWN: Self = Self(0x09);
    /// The command is protected less than the application wants.
    pub const INSUFFICIENT_SECURITY_LEVEL: Self = Self(0x0A);
    /// Success; the data follows by SMS-SUBMIT.
    pub const DATA_BY_SUBMIT: Self = Self(0x0B);
    /// Success; the data follows by USSD.
    pub const DATA_BY_USSD: Self = Self(0x0C);

    /// Whether it says that the command was accepted.
    pub fn is_success(self) -> bool {
        matches!(
            self,
            Self::POR_OK | Self::DATA_BY_SUBMIT | Self::DATA_BY_USSD
        )
    }

    /// Short English name; `reserved` for unknown values.
    pub fn name(self) -> &'static str {
        match self {
            Self::POR_OK => "PoR OK",
            Self::RC_CC_DS_FAILED => "RC/CC/DS failed",
            Self::CNTR_LOW => "CNTR low",
            Self::CNTR_HIGH => "CNTR high",
            Self::CNTR_BLOCKED => "CNTR blocked",
            Self::CIPHERING_ERROR => "ciphering error",
            Self::SECURITY_ERROR => "unidentified security error",
            Self::INSUFFICIENT_MEMORY => "insufficient memory",
            Self::MORE_TIME => "more time",
            Self::TAR_UNKNOWN => "TAR unknown",
            Self::INSUFFICIENT_SECURITY_LEVEL => "insufficient security level",
            Self::DATA_BY_SUBMIT => "data will follow by SMS-SUBMIT",
            Self::DATA_BY_USSD => "data will follow by USSD",
            _ => "reserved",
        }
    }
}

/// A response packet, its protection still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// TAR of the command.
    pub tar: Tar,
    /// CNTR of the command; never the card's own.
    pub cntr: Cntr,
    /// What became of the command.
    pub status: ResponseStatus,
    /// Additional response data, without padding.
    pub data: Vec<u8>,
}

impl Response {
    /// The packet with its user data header 02 71 00, protected as the second octet of SPI asks. KIc and KID are those
    /// of the command. Whether that protection is due at all is the question that [`response_for`] answers.
    pub fn seal(
        &self,
        spi: Spi,
        kic: u8,
        kid: u8,
        keys: Option<&KeySet>,
    ) -> Result<Vec<u8>, SealError> {
        self.build(Protection::of_response(spi, kic, kid, keys)?, keys)
    }

    /// The packet with its user data header, neither ciphered nor with an RC/CC.
    pub fn seal_plain(&self) -> Result<Vec<u8>, SealError> {
        self.build(Protection::NONE, None)
    }

    fn build(&self, protection: Protection, keys: Option<&KeySet>) -> Result<Vec<u8>, SealError> {
        let tail = field::END + protection.tag_len;
        let unpadded = tail + self.data.len();
        let padding = protection.padding(unpadded - field::CIPHERED.start);
        let len = unpadded + padding;
        let rpl = u16::try_from(len - field::RPL.end).map_err(|_| SealError::TooLong {
            got: len - field::RPL.end,
        })?;

        let mut packet = Vec::with_capacity(len);
        packet.extend_from_slice(&UDH);
        packet.extend_from_slice(&rpl.to_be_bytes());
        packet.push((RHL_FIXED + protection.tag_len) as u8);
        packet.extend_from_slice(&self.tar.0);
        packet.extend_from_slice(&self.cntr.to_bytes());
        packet.extend_from_slice(&[padding as u8, self.status.0]);
        packet.resize(tail, 0);
        packet.extend_from_slice(&self.data);
        packet.resize(len, 0);
        protect(&mut packet, field::CIPHERED.start, protection, keys)?;
        Ok(packet)
    }
}

/// A PoR that is due, and how it is to travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Por {
    /// What it says.
    pub response: Response,
    /// SPI of the command.
    pub spi: Spi,
    /// KIc of the command.
    pub kic: u8,
    /// KID of the command.
    pub kid: u8,
    /// Whether RC/CC and ciphering are applied as SPI asks; otherwise none of them is.
    pub secured: bool,
    /// By SMS-SUBMIT; otherwise in the SMS-DELIVER-REPORT.
    pub by_submit: bool,
}

impl Por {
    /// Version of the key set that [`Por::seal`] needs.
    pub fn key_version(&self) -> u8 {
        // Where there are two the command was refused, and no key is used.
        let version = self.spi.por_key_set(self.kic, self.kid);
        version.unwrap_or_default()
    }

    /// The packet with its user data header. `keys` is the key set of the command; it is not used for an unsecured PoR.
    pub fn seal(&self, keys: Option<&KeySet>) -> Result<Vec<u8>, SealError> {
        if self.secured {
            self.response.seal(self.spi, self.kic, self.kid, keys)
        } else {
            self.response.seal_plain()
        }
    }
}

/// The card's PoR, if one is due. `status` and `data` say what the application made of an accepted command and are
/// ignored for a refused one.
///
/// No key is used unless the sender has shown one by a right CC: strangers must not get the card to sign or cipher for
/// them. They get the bare status, with CNTR zero where theirs was ciphered, and no data where they asked for it to be
/// ciphered. An accepted command still gets the RC it asked for, as that takes no key.
pub fn response_for(
    outcome: Result<&Opened, &Rejected>,
    status: ResponseStatus,
    data: Vec<u8>,
) -> Option<Por> {
    let (spi, kic, kid, tar, cntr, authenticated, status, data) = match outcome {
        Ok(o) => {
            let shown = o.authenticated || !o.spi.ciphered();
            (
                o.spi,
                o.kic,
                o.kid,
                o.tar,
                shown.then_some(o.cntr),
                o.authenticated,
                status,
                data,
            )
        }
        Err(r) => {
            let header = r.header?;
            (
                header.spi,
                header.kic,
                header.kid,
                header.tar,
                header.cntr,
                r.authenticated,
                r.status?,
                Vec::new(),
            )
        }
    };
    let due = match spi.por() {
        PorMode::Always => true,
        PorMode::OnError => !status.is_success(),
        PorMode::Never | PorMode::Reserved => false,
    };
    let data = if authenticated || !spi.por_ciphered() {
        data
    } else {
        Vec::new()
    };
    let keyless = outcome.is_ok() && spi.por_integrity() == Integrity::Rc && !spi.por_ciphered();
    due.then(|| Por {
        response: Response {
            tar,
            cntr: cntr.unwrap_or_default(),
            status,
            data,
        },
        spi,
        kic,
        kid,
        secured: authenticated || keyless,
        by_submit: spi.por_by_submit(),
    })
}

/// What the sender of a command remembers to check its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// SPI.
    pub spi: Spi,
    /// KIc.
    pub kic: u8,
    /// KID.
    pub kid: u8,
    /// TAR.
    pub tar: Tar,
    /// CNTR.
    pub cntr: Cntr,
}

/// A PoR that answers the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it carried a right CC, so that it can only come from the card. Otherwise it is a hint that anybody could
    /// have sent.
    pub authenticated: bool,
    /// Whether it is protected as the command asked. False for the bare error that cards send to those who have shown
    /// no key.
    pub as_asked: bool,
    /// What became of the command.
    pub status: ResponseStatus,
    /// Additional response data.
    pub data: Vec<u8>,
}

/// A response packet in place: the fields that are never ciphered.
#[derive(Clone, Copy, Debug)]
pub struct ResponseView<'a> {
    packet: &'a [u8],
}

impl<'a> ResponseView<'a> {
    /// Checks the user data header, RPL, and that RHL covers the fixed fields.
    pub fn new_checked(packet: &'a [u8]) -> Result<Self, Malformed> {
        if packet.len() < field::END {
            return Err(Malformed::Short {
                expected: field::END,
                got: packet.len(),
            });
        }
        let rhl = usize::from(packet[field::RHL]);
        if packet[..UDH.len()] != UDH || rhl < RHL_FIXED {
            return Err(Malformed::Header {
                got: octets(packet, 0),
            });
        }
        let expected = usize::from(u16::from_be_bytes(octets(packet, field::RPL.start)));
        let got = packet.len() - field::RPL.end;
        if expected != got {
            return Err(Malformed::Length { expected, got });
        }
        Ok(Self { packet })
    }

    /// RPL: octets after it.
    pub fn rpl(&self) -> u16 {
        u16::from_be_bytes(octets(self.packet, field::RPL.start))
    }

    /// RHL: octets from TAR to the end of RC/CC, as the sender says.
    pub fn rhl(&self) -> u8 {
        self.packet[field::RHL]
    }

    /// TAR.
    pub fn tar(&self) -> Tar {
        Tar(octets(self.packet, field::TAR.start))
    }

    /// From CNTR to the end, as it travels.
    pub fn body(&self) -> &'a [u8] {
        &self.packet[field::CIPHERED]
    }
}

/// Checks a PoR (with its user data header 02 71 00, whole) against the command it is said to answer.
///
/// A bare error where protection was asked for comes out as `Ok` with `authenticated` and `as_asked` false, also with
/// CNTR zero: cards do answer so. A bare success is an error: anybody can send one.
pub fn check_response(packet: &[u8], sent: &Sent, keys: &KeySet) -> Result<Checked, ResponseError> {
    let view = ResponseView::new_checked(packet)?;
    if view.tar() != sent.tar {
        return Err(ResponseError::Tar {
            expected: sent.tar,
            got: view.tar(),
        });
    }
    let protection = Protection::of_response(sent.spi, sent.kic, sent.kid, Some(keys))?;
    match read(&view, sent, protection, keys) {
        Err(error) if protection != Protection::NONE => {
            match read(&view, sent, Protection::NONE, keys) {
                Ok(bare) if bare.status.is_success() => {
                    Err(ResponseError::UnprotectedSuccess { got: bare.status })
                }
                Ok(bare) => Ok(Checked {
                    as_asked: false,
                    ..bare
                }),
                Err(_) => Err(error),
            }
        }
        other => other,
    }
}

/// Reads a response as if it were protected in this way.
fn read(
    view: &ResponseView<'_>,
    sent: &Sent,
    protection: Protection,
    keys: &KeySet,
) -> Result<Checked, ResponseError> {
    let tail = field::END + protection.tag_len;
    let expected = RHL_FIXED + protection.tag_len;
    if usize::from(view.rhl()) != expected || tail > view.packet.len() {
        return Err(ResponseError::HeaderLength {
            expected,
            got: view.rhl().into(),
        });
    }
    let block = protection.cipher.block_len();
    let got = view.body().len();
    if !got.is_multiple_of(block) {
        return Err(ResponseError::BlockLength { block, got });
    }
    let mut packet = view.packet.to_vec();
    if !unprotect(&mut packet, field::CIPHERED.start, protection, Some(keys))? {
        return Err(ResponseError::Integrity);
    }
    let status = ResponseStatus(packet[field::STATUS]);
    let cntr = Cntr::from_bytes(octets(&packet, field::CNTR.start));
    let anonymous =
        protection == Protection::NONE && !status.is_success() && cntr == Cntr::default();
    if cntr != sent.cntr && !anonymous {
        return Err(ResponseError::Counter {
            expected: sent.cntr,
            got: cntr,
        });
    }
    let padding = usize::from(packet[field::PCNTR]);
    let max = (block - 1).min(packet.len() - tail);
    if padding > max {
        return Err(ResponseError::Padding { max, got: padding });
    }
    packet.truncate(packet.len() - padding);
    packet.drain(..tail);
    Ok(Checked {
        authenticated: protection.integrity.is_keyed(),
        as_asked: true,
        status,
        data: packet,
    })
}

/// Why a response packet is no answer to the command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The command's own SPI, KIc and KID do not fit the key set.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// The ciphered part is not a whole number of blocks.
    #[error("ciphered part of {got} octets is no multiple of {block}")]
    BlockLength {
        /// Octets of a block.
        block: usize,
        /// Octets of the ciphered part.
        got: usize,
    },
    /// The answer to another command, or a replay.
    #[error("CNTR is {got}, expected {expected}")]
    Counter {
        /// CNTR of the command.
        expected: Cntr,
        /// CNTR of the response.
        got: Cntr,
    },
    /// RHL does not leave room for exactly the RC/CC that was asked for.
    #[error("RHL is {got}, expected {expected}")]
    HeaderLength {
        /// RHL that fits.
        expected: usize,
        /// RHL.
        got: usize,
    },
    /// RC/CC is wrong: forged, changed on the way, or another key.
    #[error("RC/CC is wrong")]
    Integrity,
    /// A key is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No response packet at all.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// PCNTR counts more octets than can be padding.
    #[error("PCNTR is {got}, at most {max} octets can be padding")]
    Padding {
        /// Largest value that makes sense.
        max: usize,
        /// PCNTR.
        got: usize,
    },
    /// From another application than the command went to.
    #[error("TAR is {got}, expected {expected}")]
    Tar {
        /// TAR of the command.
        expected: Tar,
        /// TAR of the response.
        got: Tar,
    },
    /// Success without the protection that was asked for: anybody could have sent it.
    #[error("success ({}) without the protection asked for", got.name())]
    UnprotectedSuccess {
        /// Status.
        got: ResponseStatus,
    },
}
