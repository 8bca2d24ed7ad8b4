//! What a scan says.

use std::fmt;

use ota_wire::ids::Tar;
use ota_wire::packet::{CipherAlgorithm, CommandView, Integrity};

use crate::profile::Weakness;

/// A weakness, and the packet that has shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is weak.
    pub weakness: Weakness,
    /// The application that the packet went to.
    pub tar: Tar,
    /// Version of the key set that took part, and its cipher; `None` where no key was needed.
    pub key_set: Option<(u8, CipherAlgorithm)>,
    /// The packet from CPL on.
    pub packet: Vec<u8>,
    /// The PoR, with its user data header.
    pub por: Vec<u8>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packet = hex::encode_upper(&self.packet);
        write!(f, "{}: ", self.weakness)?;
        match self.weakness {
            Weakness::NoChecksum { .. } => write!(f, "it took {packet} ({}, ", self.check()),
            Weakness::NoCiphering { .. } => write!(f, "it took {packet} (in clear, "),
            Weakness::NoCounter { .. } => write!(f, "it took {packet} twice ("),
            Weakness::SingleDes => write!(f, "TAR {} took {packet} (", self.tar),
            Weakness::SignsErrors | Weakness::DeciphersForStrangers => {
                let por = hex::encode_upper(&self.por);
                write!(f, "TAR {} answered {por} to {packet} (", self.tar)
            }
        }?;
        match self.key_set {
            None => f.write_str("no key needed)"),
            Some((version, cipher)) => write!(f, "key set {version}, {})", name(cipher)),
        }
    }
}

impl Finding {
    /// What a packet without a checksum has in its place.
    fn check(&self) -> &'static str {
        let spi = CommandView::new_checked(&self.packet).map(|packet| packet.spi());
        match spi.map(|spi| spi.integrity()) {
            Ok(Integrity::Rc) => "a CRC",
            _ => "no check at all",
        }
    }
}

const fn name(cipher: CipherAlgorithm) -> &'static str {
    match cipher {
        CipherAlgorithm::None => "no cipher",
        CipherAlgorithm::Des => "single DES",
        CipherAlgorithm::TripleDes2 | CipherAlgorithm::TripleDes3 => "triple DES",
        CipherAlgorithm::Aes => "AES",
    }
}
