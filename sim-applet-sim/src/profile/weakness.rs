//! For what cards of a profile are not to be trusted.

use std::fmt;

use ota_wire::ids::Tar;

use super::Profile;

/// Something that makes a card weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// An application takes packets without a cryptographic checksum: with an RC, or with nothing.
    NoChecksum {
        /// The application.
        tar: Tar,
    },
    /// An application takes packets in clear.
    NoCiphering {
        /// The application.
        tar: Tar,
    },
    /// An application takes packets whose counter nobody looks at.
    NoCounter {
        /// The application.
        tar: Tar,
    },
    /// Packets with single DES are taken.
    SingleDes,
    /// An error PoR is signed for those who have shown no key.
    SignsErrors,
    /// An error PoR repeats CNTR as it deciphered.
    DeciphersForStrangers,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChecksum { tar } => write!(f, "TAR {tar} demands no checksum"),
            Self::NoCiphering { tar } => write!(f, "TAR {tar} demands no ciphering"),
            Self::NoCounter { tar } => write!(f, "TAR {tar} demands no counter"),
            Self::SingleDes => f.write_str("single DES is taken"),
            Self::SignsErrors => f.write_str("error PoRs are signed for strangers"),
            Self::DeciphersForStrangers => {
                f.write_str("error PoRs show what a stranger's CNTR deciphers to")
            }
        }
    }
}

/// What a profile says, application by application, then what its cards do for everybody.
pub(super) fn of(profile: &Profile) -> Vec<Weakness> {
    const TRUSTED: u8 = 0x16;
    let mut found = Vec::new();
    for application in &profile.applications {
        let (msl, tar) = (application.msl, application.tar);
        // CC at least, ciphering, a counter that goes up: field by field.
        let fields = [
            (0x03, Weakness::NoChecksum { tar }),
            (0x04, Weakness::NoCiphering { tar }),
            (0x18, Weakness::NoCounter { tar }),
        ];
        let missing = fields
            .into_iter()
            .filter(|(field, _)| msl & field < TRUSTED & field);
        found.extend(missing.map(|(_, weakness)| weakness));
    }
    let flags = [
        (profile.weak.single_des, Weakness::SingleDes),
        (profile.weak.signs_errors, Weakness::SignsErrors),
        (
            profile.weak.deciphers_for_strangers,
            Weakness::DeciphersForStrangers,
        ),
    ];
    let set = flags.into_iter().filter(|(set, _)| *set);
    found.extend(set.map(|(_, weakness)| weakness));
    found
}
