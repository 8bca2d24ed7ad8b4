//! Octets that nobody foresees: a stream of AES-CMAC over entropy that whoever owns the card has given it.

use super::{Session, Uicc};
use crate::card_manager::scp03::cmac;

/// Where the random octets of a session come from.
#[derive(Debug, Default)]
pub(crate) struct Source {
    entropy: [u8; 16],
    drawn: u64,
    /// What the next octets are, in tests that replay a recorded session.
    #[cfg(test)]
    pub(crate) fixed: Vec<u8>,
}

impl Uicc {
    /// Gives the session random octets of its own, from which those of GET CHALLENGE and of random card challenges come.
    /// To be called after [`Uicc::reset`]; without it they are the same after each reset.
    pub fn stir(&mut self, entropy: [u8; 16]) {
        let session = self.session.get_or_insert_default();
        session.random.entropy = entropy;
    }

    /// Decides what the next random octets are.
    #[cfg(test)]
    pub(crate) fn foresee(&mut self, octets: Vec<u8>) {
        self.session.get_or_insert_default().random.fixed = octets;
    }

    /// The next octets, at most 256.
    pub(crate) fn random(&self, session: &mut Session, len: usize) -> Vec<u8> {
        let source = &mut session.random;
        #[cfg(test)]
        if source.fixed.len() >= len && len > 0 {
            return source.fixed.drain(..len).collect();
        }
        let key = self
            .profile
            .master_key
            .derive("challenge", &self.subscriber.iccid, 0, 16);
        let mut octets = Vec::with_capacity(len.next_multiple_of(16));
        while octets.len() < len {
            source.drawn += 1;
            let block = [source.entropy.as_slice(), &source.drawn.to_be_bytes()].concat();
            octets.extend(cmac(key.expose(), &[&block]));
        }
        octets.truncate(len);
        octets
    }
}
