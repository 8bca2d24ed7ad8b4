//! Command packets (TS 102 225 §5.1, TS 31.115 §4.2): sealing, and reading without policy.

use super::algorithm::Protection;
use super::crypto::{decrypt, encrypt, integrity};
use super::{AlgorithmError, RejectReason, Sent, Spi};
use crate::ids::{Cntr, Tar};
use crate::keys::{KeyError, KeySet};

/// Places in a command packet, from CPL on. RC/CC, secured data and padding follow PCNTR.
mod field {
    use std::ops::{Range, RangeFrom};

    pub(super) const CPL: Range<usize> = 0..2;
    pub(super) const CHL: usize = 2;
    pub(super) const SPI: Range<usize> = 3..5;
    pub(super) const KIC: usize = 5;
    pub(super) const KID: usize = 6;
    pub(super) const TAR: Range<usize> = 7..10;
    pub(super) const CNTR: Range<usize> = 10..15;
    pub(super) const PCNTR: usize = 15;
    /// Ciphered from here on.
    pub(super) const CIPHERED: RangeFrom<usize> = 10..;
    /// First octet behind the fixed fields.
    pub(super) const END: usize = 16;
}

/// Octets that CHL counts besides the RC/CC: SPI to PCNTR.
const CHL_FIXED: usize = field::END - field::SPI.start;

/// A command packet, its protection still to come or already removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// How it is protected and answered.
    pub spi: Spi,
    /// Key set and cipher.
    pub kic: u8,
    /// Key set and RC/CC algorithm.
    pub kid: u8,
    /// Application on the card.
    pub tar: Tar,
    /// Replay counter; present in every packet, whatever SPI says of it.
    pub cntr: Cntr,
    /// Secured data, without padding.
    pub data: Vec<u8>,
}

impl Command {
    /// The packet from CPL on, protected as SPI, KIc and KID say. The key set must have the algorithms they name; its
    /// version is not compared, so that wrong packets can be made on purpose.
    pub fn seal(&self, keys: &KeySet) -> Result<Vec<u8>, SealError> {
        let protection = Protection::of_command(self.spi, self.kic, self.kid, Some(keys))?;
        let tail = field::END + protection.tag_len;
        let unpadded = tail + self.data.len();
        let padding = protection.padding(unpadded - field::CIPHERED.start);
        let len = unpadded + padding;
        let cpl = u16::try_from(len - field::CPL.end).map_err(|_| SealError::TooLong {
            got: len - field::CPL.end,
        })?;

        let mut packet = Vec::with_capacity(len);
        packet.extend_from_slice(&cpl.to_be_bytes());
        packet.push((CHL_FIXED + protection.tag_len) as u8);
        packet.extend_from_slice(&self.spi.0);
        packet.extend_from_slice(&[self.kic, self.kid]);
        packet.extend_from_slice(&self.tar.0);
        packet.extend_from_slice(&self.cntr.to_bytes());
        packet.push(padding as u8);
        packet.resize(tail, 0);
        packet.extend_from_slice(&self.data);
        packet.resize(len, 0);
        protect(&mut packet, field::CIPHERED.start, protection, Some(keys))?;
        Ok(packet)
    }

    /// Removes the protection and checks RC/CC and padding, but neither security level nor counter nor whether SPI
    /// asks for a sensible PoR: for tools. Cards use [`super::open`].
    pub fn unseal(packet: &[u8], keys: &KeySet) -> Result<Self, RejectReason> {
        let view = CommandView::new_checked(packet)?;
        let protection = Protection::of_command(view.spi(), view.kic(), view.kid(), Some(keys))?;
        view.unseal(protection, Some(keys))
            .map_err(|(reason, _)| reason)
    }

    /// What the sender has to remember to check the answer.
    pub fn sent(&self) -> Sent {
        Sent {
            spi: self.spi,
            kic: self.kic,
            kid: self.kid,
            tar: self.tar,
            cntr: self.cntr,
        }
    }
}

/// A command packet in place: the fields that are never ciphered. Only CPL has been checked.
#[derive(Clone, Copy, Debug)]
pub struct CommandView<'a> {
    packet: &'a [u8],
}

impl<'a> CommandView<'a> {
    /// Checks that the fixed fields are there and that CPL counts the octets after it.
    pub fn new_checked(packet: &'a [u8]) -> Result<Self, Malformed> {
        if packet.len() < field::END {
            return Err(Malformed::Short {
                expected: field::END,
                got: packet.len(),
            });
        }
        let expected = usize::from(u16::from_be_bytes([packet[0], packet[1]]));
        let got = packet.len() - field::CPL.end;
        if expected != got {
            return Err(Malformed::Length { expected, got });
        }
        Ok(Self { packet })
    }

    /// CPL: octets after it.
    pub fn cpl(&self) -> u16 {
        u16::from_be_bytes([self.packet[0], self.packet[1]])
    }

    /// CHL: octets from SPI to the end of RC/CC, as the sender says.
    pub fn chl(&self) -> u8 {
        self.packet[field::CHL]
    }

    /// SPI.
    pub fn spi(&self) -> Spi {
        Spi([
            self.packet[field::SPI.start],
            self.packet[field::SPI.start + 1],
        ])
    }

    /// KIc.
    pub fn kic(&self) -> u8 {
        self.packet[field::KIC]
    }

    /// KID.
    pub fn kid(&self) -> u8 {
        self.packet[field::KID]
    }

    /// TAR.
    pub fn tar(&self) -> Tar {
        Tar(octets(self.packet, field::TAR.start))
    }

    /// CNTR, unless it is ciphered.
    pub fn cntr(&self) -> Option<Cntr> {
        (!self.spi().ciphered()).then(|| Cntr::from_bytes(octets(self.packet, field::CNTR.start)))
    }

    /// From CNTR to the end, as it travels.
    pub fn body(&self) -> &'a [u8] {
        &self.packet[field::CIPHERED]
    }

    /// Deciphers, then checks RC/CC, then the padding. The error says whether a right CC had been seen, and the
    /// counter under it.
    pub(super) fn unseal(
        &self,
        protection: Protection,
        keys: Option<&KeySet>,
    ) -> Result<Command, (RejectReason, Option<Cntr>)> {
        let early = |reason| (reason, None);
        let tail = field::END + protection.tag_len;
        let expected = CHL_FIXED + protection.tag_len;
        if usize::from(self.chl()) != expected || tail > self.packet.len() {
            return Err(early(RejectReason::HeaderLength {
                expected,
                got: self.chl().into(),
            }));
        }
        let block = protection.cipher.block_len();
        let got = self.body().len();
        if !got.is_multiple_of(block) {
            return Err(early(RejectReason::BlockLength { block, got }));
        }
        let mut packet = self.packet.to_vec();
        let intact = unprotect(&mut packet, field::CIPHERED.start, protection, keys)
            .map_err(|error| early(RejectReason::Key(error)))?;
        if !intact {
            return Err(early(RejectReason::Integrity));
        }
        let cntr = Cntr::from_bytes(octets(&packet, field::CNTR.start));
        let padding = usize::from(packet[field::PCNTR]);
        let max = (block - 1).min(packet.len() - tail);
        if padding > max {
            let shown = protection.integrity.is_keyed().then_some(cntr);
            return Err((RejectReason::Padding { max, got: padding }, shown));
        }
        packet.truncate(packet.len() - padding);
        packet.drain(..tail);
        Ok(Command {
            spi: self.spi(),
            kic: self.kic(),
            kid: self.kid(),
            tar: self.tar(),
            cntr,
            data: packet,
        })
    }
}

/// Puts RC/CC in its place behind the first 16 octets, then ciphers from `ciphered` on.
pub(super) fn protect(
    packet: &mut [u8],
    ciphered: usize,
    protection: Protection,
    keys: Option<&KeySet>,
) -> Result<(), KeyError> {
    let tag = tag(packet, protection, keys)?;
    packet[field::END..field::END + protection.tag_len].copy_from_slice(tag.as_slice());
    match keys {
        Some(keys) if protection.cipher != super::CipherAlgorithm::None => {
            encrypt(&keys.kic, &mut packet[ciphered..])
        }
        _ => Ok(()),
    }
}

/// Deciphers from `ciphered` on; then whether RC/CC is right. The caller has checked all lengths.
pub(super) fn unprotect(
    packet: &mut [u8],
    ciphered: usize,
    protection: Protection,
    keys: Option<&KeySet>,
) -> Result<bool, KeyError> {
    if let Some(keys) = keys.filter(|_| protection.cipher != super::CipherAlgorithm::None) {
        decrypt(&keys.kic, &mut packet[ciphered..])?;
    }
    let tag = tag(packet, protection, keys)?;
    Ok(tag.matches(&packet[field::END..field::END + protection.tag_len]))
}

/// RC/CC over everything but itself. In both directions 16 octets stand in front of it: for a response the user data
/// header makes up for the shorter packet header.
fn tag(
    packet: &[u8],
    protection: Protection,
    keys: Option<&KeySet>,
) -> Result<super::Tag, KeyError> {
    integrity(
        protection.integrity,
        keys.map(|keys| &keys.kid),
        &octets(packet, 0),
        &packet[field::END + protection.tag_len..],
    )
}

/// `N` octets from `start`, which the caller has checked to be there.
pub(super) fn octets<const N: usize>(packet: &[u8], start: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&packet[start..start + N]);
    value
}

/// Octets that are no packet at all. A card drops them without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another user data header than 02 71 00, or RHL too small for the fixed fields.
    #[error("header {got:02X?} is none of a response packet")]
    Header {
        /// The first six octets: user data header, RPL, RHL.
        got: [u8; 6],
    },
    /// CPL or RPL does not count what follows it: cut off, or something is attached.
    #[error("{expected} octets announced, got {got}")]
    Length {
        /// CPL or RPL.
        expected: usize,
        /// Octets after it.
        got: usize,
    },
    /// Ends within the fixed fields.
    #[error("packet of {got} octets, the fixed fields alone have {expected}")]
    Short {
        /// Octets of the fixed fields.
        expected: usize,
        /// Octets there are.
        got: usize,
    },
}

/// Why a packet cannot be built. The caller's mistake, or a wish the format has no room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// SPI, KIc or KID does not fit the key set.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// A key is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// CPL or RPL has 16 bits.
    #[error("packet of {got} octets, 65535 can be announced")]
    TooLong {
        /// Octets after the length field.
        got: usize,
    },
}
