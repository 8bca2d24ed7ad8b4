//! The card's side of command packets: what is passed on to an application, and what is turned away.

use super::algorithm::Protection;
use super::{AlgorithmError, CommandView, CounterMode, Malformed, ResponseStatus, Spi};
use crate::ids::{Cntr, Tar};
use crate::keys::{KeyError, KeySet};

/// What a card knows. Its answers must not change while a packet is being opened.
pub trait Receiver {
    /// Minimum security level of the application, coded as the first octet of SPI; `None` if no application has this
    /// TAR.
    fn msl(&self, tar: Tar) -> Option<u8>;

    /// The key set of this version, 0 to 15. Version 0 is what a sender means who leaves the choice to the card; a card
    /// should have none there, and refuses the packet then.
    fn key_set(&self, version: u8) -> Option<&KeySet>;

    /// The last counter accepted with this key set.
    fn counter(&self, version: u8) -> Cntr;

    /// Whether the application may be reached with this key set. Any, unless the card says otherwise.
    fn allows_key_set(&self, _tar: Tar, _version: u8) -> bool {
        true
    }

    /// Whether packets with single DES are taken. They are not unless the card says so.
    fn allows_single_des(&self) -> bool {
        false
    }
}

/// A command that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
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
    /// Version of the key set, from KIc and KID: [`Spi::key_set`].
    pub key_version: u8,
    /// Whether a key was shown: a right CC. False for packets that the security level of the application lets through
    /// without.
    pub authenticated: bool,
    /// Secured data without padding.
    pub data: Vec<u8>,
    /// Counter to store for the key set before the data is passed on; `None` where SPI does not want a check.
    pub store_counter: Option<Cntr>,
}

/// A command that was turned away. Nothing may be stored and nothing passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("command packet refused: {reason}")]
pub struct Rejected {
    /// Status for the PoR; `None` means silence, whatever SPI asks.
    pub status: Option<ResponseStatus>,
    /// Why.
    pub reason: RejectReason,
    /// Whether the sender had shown a key before this check failed.
    pub authenticated: bool,
    /// The header, if the packet has one.
    pub header: Option<Header>,
}

/// Header fields of a refused packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// SPI.
    pub spi: Spi,
    /// KIc.
    pub kic: u8,
    /// KID.
    pub kid: u8,
    /// TAR.
    pub tar: Tar,
    /// CNTR if the sender knows it anyway: it came in clear, or under a right CC. Showing any other would decipher for
    /// strangers.
    pub cntr: Option<Cntr>,
}

/// Why a packet was turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// SPI, KIc, KID and the key set do not go together.
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
    /// The stored counter has reached its end.
    #[error("the counter is blocked")]
    CounterBlocked,
    /// CNTR is too far ahead for counter mode 3.
    #[error("CNTR {got} is too high, expected {expected}")]
    CounterHigh {
        /// The only value that is right.
        expected: Cntr,
        /// CNTR.
        got: Cntr,
    },
    /// CNTR is not above the stored value: a replay, or messages overtook each other.
    #[error("CNTR {got} is not above {stored}")]
    CounterLow {
        /// The stored value.
        stored: Cntr,
        /// CNTR.
        got: Cntr,
    },
    /// CHL does not leave room for exactly the RC/CC that is due.
    #[error("CHL is {got}, expected {expected}")]
    HeaderLength {
        /// CHL that fits SPI and the key set.
        expected: usize,
        /// CHL.
        got: usize,
    },
    /// RC/CC is wrong: changed on the way, or another key.
    #[error("RC/CC is wrong")]
    Integrity,
    /// A key of the card itself is unusable.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The application may not be reached with this key set.
    #[error("TAR {tar} may not be reached with key set {version}")]
    KeySetRefused {
        /// The application.
        tar: Tar,
        /// Version of the key set.
        version: u8,
    },
    /// There is no such key set.
    #[error("no key set {version}")]
    KeySetUnknown {
        /// Version asked for.
        version: u8,
    },
    /// KIc and KID name different key sets.
    #[error("KIc {kic:02X} and KID {kid:02X} name different key sets")]
    KeyVersions {
        /// KIc.
        kic: u8,
        /// KID.
        kid: u8,
    },
    /// No packet at all.
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
    /// SPI asks for a PoR with a protection that the command does not have.
    #[error("SPI {spi} asks for more protection of the PoR than the command has")]
    PorProtection {
        /// SPI.
        spi: Spi,
    },
    /// The packet is protected less than the application wants.
    #[error("SPI {got:02X} is below security level {expected:02X}")]
    SecurityLevel {
        /// Minimum security level.
        expected: u8,
        /// First octet of SPI.
        got: u8,
    },
    /// Single DES is not allowed on this card.
    #[error("single DES is not allowed")]
    SingleDes,
    /// No application has this TAR.
    #[error("TAR {tar} is unknown")]
    TarUnknown {
        /// TAR.
        tar: Tar,
    },
}

impl RejectReason {
    /// Status code that says this in a PoR; `None` where a packet is dropped in silence.
    pub fn status(&self) -> Option<ResponseStatus> {
        Some(match self {
            Self::Malformed(_) => return None,
            Self::Algorithm(_)
            | Self::HeaderLength { .. }
            | Self::Key(_)
            | Self::KeySetRefused { .. }
            | Self::KeySetUnknown { .. }
            | Self::KeyVersions { .. }
            | Self::PorProtection { .. }
            | Self::SingleDes => ResponseStatus::SECURITY_ERROR,
            Self::BlockLength { .. } | Self::Padding { .. } => ResponseStatus::CIPHERING_ERROR,
            Self::CounterBlocked => ResponseStatus::CNTR_BLOCKED,
            Self::CounterHigh { .. } => ResponseStatus::CNTR_HIGH,
            Self::CounterLow { .. } => ResponseStatus::CNTR_LOW,
            Self::Integrity => ResponseStatus::RC_CC_DS_FAILED,
            Self::SecurityLevel { .. } => ResponseStatus::INSUFFICIENT_SECURITY_LEVEL,
            Self::TarUnknown { .. } => ResponseStatus::TAR_UNKNOWN,
        })
    }
}

/// Opens a command packet (from CPL on, whole) by the rules of a card.
///
/// On `Ok` the caller stores [`Opened::store_counter`] durably, then passes the data on, then asks
/// [`super::response_for`] for the PoR. On `Err` it only does the last.
pub fn open(packet: &[u8], receiver: &dyn Receiver) -> Result<Opened, Rejected> {
    let view = CommandView::new_checked(packet).map_err(|malformed| Rejected {
        status: None,
        reason: malformed.into(),
        authenticated: false,
        header: None,
    })?;
    let (spi, kic, kid, tar) = (view.spi(), view.kic(), view.kid(), view.tar());
    let rejected = |reason: RejectReason, proven: Option<Cntr>| Rejected {
        status: reason.status(),
        reason,
        authenticated: proven.is_some(),
        header: Some(Header {
            spi,
            kic,
            kid,
            tar,
            cntr: proven.or_else(|| view.cntr()),
        }),
    };

    let admitted = admit(&view, receiver).map_err(|reason| rejected(reason, None))?;
    let command = view
        .unseal(admitted.protection, admitted.keys)
        .map_err(|(reason, proven)| rejected(reason, proven))?;
    let authenticated = admitted.protection.integrity.is_keyed();
    let store_counter = check_counter(spi.counter_mode(), command.cntr, || {
        receiver.counter(admitted.key_version)
    })
    .map_err(|reason| rejected(reason, authenticated.then_some(command.cntr)))?;
    Ok(Opened {
        spi,
        kic,
        kid,
        tar,
        cntr: command.cntr,
        key_version: admitted.key_version,
        authenticated,
        data: command.data,
        store_counter,
    })
}

struct Admitted<'r> {
    protection: Protection,
    keys: Option<&'r KeySet>,
    key_version: u8,
}

/// Everything that can be decided from the clear header.
fn admit<'r>(
    view: &CommandView<'_>,
    receiver: &'r dyn Receiver,
) -> Result<Admitted<'r>, RejectReason> {
    let (spi, kic, kid, tar) = (view.spi(), view.kic(), view.kid(), view.tar());
    let msl = receiver.msl(tar).ok_or(RejectReason::TarUnknown { tar })?;
    if !spi.meets(msl) {
        return Err(RejectReason::SecurityLevel {
            expected: msl,
            got: spi.0[0],
        });
    }
    if !spi.por_fits_command() {
        return Err(RejectReason::PorProtection { spi });
    }
    let key_version = spi
        .key_set(kic, kid)
        .ok_or(RejectReason::KeyVersions { kic, kid })?;
    let keys = receiver.key_set(key_version);
    let protection = match Protection::of_command(spi, kic, kid, keys) {
        Err(AlgorithmError::NoKey { .. }) if keys.is_none() => {
            return Err(RejectReason::KeySetUnknown {
                version: key_version,
            });
        }
        other => other?,
    };
    // The counter belongs to a key set, so a packet that wants it checked needs one even if nothing is keyed.
    if spi.counter_mode().is_checked() && keys.is_none() {
        return Err(RejectReason::KeySetUnknown {
            version: key_version,
        });
    }
    if keys.is_some() && !receiver.allows_key_set(tar, key_version) {
        return Err(RejectReason::KeySetRefused {
            tar,
            version: key_version,
        });
    }
    if protection.uses_single_des() && !receiver.allows_single_des() {
        return Err(RejectReason::SingleDes);
    }
    Ok(Admitted {
        protection,
        keys,
        key_version,
    })
}

/// The counter to store, if any.
fn check_counter(
    mode: CounterMode,
    got: Cntr,
    stored: impl FnOnce() -> Cntr,
) -> Result<Option<Cntr>, RejectReason> {
    if !mode.is_checked() {
        return Ok(None);
    }
    let stored = stored();
    let expected = stored.next().ok_or(RejectReason::CounterBlocked)?;
    if got < expected {
        return Err(RejectReason::CounterLow { stored, got });
    }
    if mode == CounterMode::OneHigher && got > expected {
        return Err(RejectReason::CounterHigh { expected, got });
    }
    Ok(Some(got))
}
