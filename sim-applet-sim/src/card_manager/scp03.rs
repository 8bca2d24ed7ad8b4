//! GlobalPlatform Card Specification, amendment D: secure channel protocol 03 with AES-128.
//!
//! Keys of a session come from the static ones by NIST SP 800-108 in counter mode with AES-CMAC. Commands carry the
//! first half of a MAC that is chained from command to command.

use aes::{Aes128, Block};
use cbc::{Decryptor, Encryptor};
use cipher::{Array, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit};
use cmac::{Cmac, Mac};
use ota_wire::apdu::{Command, Sw};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Octets of a challenge, of a cryptogram, and of the part of a MAC that travels.
pub(crate) const SHORT: usize = 8;

/// A key for AES-128.
pub(crate) type Key = Zeroizing<[u8; 16]>;

/// The static keys of one key version.
pub(crate) struct Keys {
    pub(crate) enc: Key,
    pub(crate) mac: Key,
    pub(crate) dek: Key,
}

/// Security levels that EXTERNAL AUTHENTICATE may ask for.
pub(crate) const LEVELS: [u8; 6] = [0x00, C_MAC, 0x03, 0x11, 0x13, 0x33];

pub(crate) const C_MAC: u8 = 0x01;
const C_DECRYPTION: u8 = 0x02;
const R_MAC: u8 = 0x10;
const R_ENCRYPTION: u8 = 0x20;

/// Data derivation constants, table 4-1.
mod constant {
    pub(super) const CARD_CRYPTOGRAM: u8 = 0x00;
    pub(super) const HOST_CRYPTOGRAM: u8 = 0x01;
    pub(super) const CARD_CHALLENGE: u8 = 0x02;
    pub(super) const S_ENC: u8 = 0x04;
    pub(super) const S_MAC: u8 = 0x06;
    pub(super) const S_RMAC: u8 = 0x07;
}

/// A session, from INITIALIZE UPDATE on.
pub(crate) struct Channel {
    enc: Key,
    mac: Key,
    rmac: Key,
    /// The key under which keys come: the static one, as it was when the session began.
    pub(crate) dek: Key,
    /// Version of the static keys.
    pub(crate) version: u8,
    /// What was agreed on; nothing before EXTERNAL AUTHENTICATE.
    level: Option<u8>,
    /// MAC of the last command.
    chaining: [u8; 16],
    /// Commands since the session is open.
    counter: u128,
    challenges: [u8; 2 * SHORT],
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("version", &self.version)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl Channel {
    /// A session with these two challenges, not yet authenticated.
    pub(crate) fn new(keys: &Keys, version: u8, host: &[u8; SHORT], card: &[u8; SHORT]) -> Self {
        let mut challenges = [0; 2 * SHORT];
        challenges[..SHORT].copy_from_slice(host);
        challenges[SHORT..].copy_from_slice(card);
        let derive = |key: &Key, constant| kdf(key, constant, 128, &challenges);
        Self {
            enc: derive(&keys.enc, constant::S_ENC),
            mac: derive(&keys.mac, constant::S_MAC),
            rmac: derive(&keys.mac, constant::S_RMAC),
            dek: keys.dek.clone(),
            version,
            level: None,
            chaining: [0; 16],
            counter: 0,
            challenges,
        }
    }

    /// What proves to the host that the card has the keys.
    pub(crate) fn card_cryptogram(&self) -> [u8; SHORT] {
        self.cryptogram(constant::CARD_CRYPTOGRAM)
    }

    fn cryptogram(&self, constant: u8) -> [u8; SHORT] {
        let mut cryptogram = [0; SHORT];
        let derived = kdf(&self.mac, constant, 64, &self.challenges);
        cryptogram.copy_from_slice(&derived[..SHORT]);
        cryptogram
    }

    /// The security level, once the host is authenticated.
    pub(crate) const fn level(&self) -> Option<u8> {
        self.level
    }

    /// EXTERNAL AUTHENTICATE: cryptogram of the host, MAC.
    ///
    /// # Errors
    /// The status word; the session is over then.
    pub(crate) fn authenticate(&mut self, command: &Command) -> Result<(), Sw> {
        if self.level.is_some() {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        }
        if !LEVELS.contains(&command.p1) {
            return Err(Sw::WRONG_P1_P2);
        }
        if command.p2 != 0 {
            return Err(Sw::WRONG_P1_P2);
        }
        if command.data.len() != 2 * SHORT {
            return Err(Sw::WRONG_LENGTH);
        }
        let data = self.check_mac(command)?;
        let expected = self.cryptogram(constant::HOST_CRYPTOGRAM);
        if !same(&expected, data) {
            return Err(Sw::AUTHENTICATION_FAILED);
        }
        self.level = Some(command.p1);
        Ok(())
    }

    /// The command inside a protected one.
    ///
    /// # Errors
    /// The status word; the session is over then.
    pub(crate) fn unwrap(&mut self, command: &Command) -> Result<Command, Sw> {
        let level = self.level.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        let mut plain = command.clone();
        plain.cla &= !SECURE_MESSAGING;
        if level & C_MAC != 0 {
            plain.data = self.check_mac(command)?.to_vec();
        }
        if level & C_DECRYPTION != 0 {
            self.counter += 1;
            if !plain.data.is_empty() {
                let iv = self.iv(0);
                decrypt(&self.enc, &iv, &mut plain.data)
                    .and_then(|()| unpad(&mut plain.data))
                    .ok_or(Sw::SECURE_MESSAGING_INCORRECT)?;
            }
        }
        Ok(plain)
    }

    /// Protects response data as the level asks. The response of a refused command is not protected.
    pub(crate) fn wrap(&self, mut data: Vec<u8>, sw: Sw) -> Vec<u8> {
        const RESPONSE: u8 = 0x80;
        let level = self.level.unwrap_or_default();
        if level & R_ENCRYPTION != 0 && !data.is_empty() {
            pad(&mut data);
            encrypt(&self.enc, &self.iv(RESPONSE), &mut data);
        }
        if level & R_MAC != 0 {
            let mac = cmac(&*self.rmac, &[&self.chaining, &data, &sw.0.to_be_bytes()]);
            data.extend_from_slice(&mac[..SHORT]);
        }
        data
    }

    /// Data of a command without its MAC, which is right.
    fn check_mac<'c>(&mut self, command: &'c Command) -> Result<&'c [u8], Sw> {
        let (data, received) = command
            .data
            .split_last_chunk::<SHORT>()
            .ok_or(Sw::SECURE_MESSAGING_INCORRECT)?;
        let header = [
            command.cla,
            command.ins.0,
            command.p1,
            command.p2,
            command.data.len() as u8,
        ];
        let mac = cmac(&*self.mac, &[&self.chaining, &header, data]);
        if !same(&mac[..SHORT], received) {
            return Err(Sw::SECURE_MESSAGING_INCORRECT);
        }
        self.chaining = mac;
        Ok(data)
    }

    /// The ciphered counter; `first` is its first octet.
    fn iv(&self, first: u8) -> [u8; 16] {
        let mut block = self.counter.to_be_bytes();
        block[0] = first;
        let mut block = Block::from(block);
        Aes128::new(&(*self.enc).into()).encrypt_block(&mut block);
        block.into()
    }
}

/// b3 of CLA: the command is protected.
pub(crate) const SECURE_MESSAGING: u8 = 0x04;

/// The challenge of a card that has no random source (i = 70): from a counter that never comes back.
pub(crate) fn card_challenge(keys: &Keys, sequence: [u8; 3], aid: &[u8]) -> [u8; SHORT] {
    let mut challenge = [0; SHORT];
    let context = [&sequence, aid].concat();
    let derived = kdf(&keys.enc, constant::CARD_CHALLENGE, 64, &context);
    challenge.copy_from_slice(&derived[..SHORT]);
    challenge
}

/// AES-CMAC (SP 800-38B) with a key of 16 octets over the parts one after the other.
pub(crate) fn cmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut whole = [0; 16];
    let len = key.len().min(whole.len());
    whole[..len].copy_from_slice(&key[..len]);
    let mut mac = <Cmac<Aes128> as KeyInit>::new(&whole.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// §4.1.5: one block is enough for all that is derived here.
fn kdf(key: &Key, constant: u8, bits: u16, context: &[u8]) -> Key {
    let mut label = [0; 12];
    label[11] = constant;
    let [high, low] = bits.to_be_bytes();
    Zeroizing::new(cmac(&**key, &[&label, &[0x00, high, low, 0x01], context]))
}

/// Compares in constant time. Fuzzing builds take any value, so that a fuzzer gets behind the check.
fn same(expected: &[u8], received: &[u8]) -> bool {
    cfg!(fuzzing) || bool::from(expected.ct_eq(received))
}

fn pad(data: &mut Vec<u8>) {
    data.push(0x80);
    data.resize(data.len().next_multiple_of(16), 0);
}

fn unpad(data: &mut Vec<u8>) -> Option<()> {
    let end = data.iter().rposition(|octet| *octet != 0)?;
    (data[end] == 0x80).then(|| data.truncate(end))
}

fn encrypt(key: &Key, iv: &[u8; 16], data: &mut [u8]) {
    let mut mode = Encryptor::<Aes128>::new(&(**key).into(), iv.into());
    mode.encrypt_blocks(Array::slice_as_chunks_mut(data).0);
}

fn decrypt(key: &Key, iv: &[u8; 16], data: &mut [u8]) -> Option<()> {
    if !data.len().is_multiple_of(16) {
        return None;
    }
    let mut mode = Decryptor::<Aes128>::new(&(**key).into(), iv.into());
    mode.decrypt_blocks(Array::slice_as_chunks_mut(data).0);
    Some(())
}

/// The other end of a channel.
#[cfg(test)]
pub(crate) mod host {
    use ota_wire::apdu::Ins;
    use ota_wire::keys::CipherKey;
    use ota_wire::packet::CipherAlgorithm;
    use ota_wire::secret::Secret;

    use super::*;
    use crate::card_manager::registry::scp03_keys;
    use crate::testing::send;
    use crate::uicc::Uicc;

    /// A host with a session, whose commands carry a MAC and what else the level asks for.
    pub(crate) struct Host {
        channel: Channel,
        pub(crate) dek: CipherKey,
        level: u8,
    }

    impl Host {
        /// Opens a session with the keys that the card has under this version.
        pub(crate) fn open(card: &mut Uicc, version: u8) -> Self {
            Self::open_at(card, version, C_MAC)
        }

        pub(crate) fn open_at(card: &mut Uicc, version: u8, level: u8) -> Self {
            let mut host = Self::begin(card, version);
            assert_eq!(host.authenticate(card, level), "9000");
            host.level = level;
            host
        }

        /// EXTERNAL AUTHENTICATE.
        pub(crate) fn authenticate(&mut self, card: &mut Uicc, level: u8) -> String {
            let cryptogram = self.channel.cryptogram(constant::HOST_CRYPTOGRAM);
            self.authenticate_with(card, level, &cryptogram)
        }

        pub(crate) fn authenticate_with(
            &mut self,
            card: &mut Uicc,
            level: u8,
            cryptogram: &[u8],
        ) -> String {
            let authenticate = Command::new(0x80, Ins::EXTERNAL_AUTHENTICATE, level, 0);
            self.send(card, &authenticate.with_data(cryptogram))
        }

        /// What proves to the card that the host has the keys.
        pub(crate) fn cryptogram(&self) -> [u8; SHORT] {
            self.channel.cryptogram(constant::HOST_CRYPTOGRAM)
        }

        /// A session as INITIALIZE UPDATE leaves it.
        pub(crate) fn begin(card: &mut Uicc, version: u8) -> Self {
            let chosen = [0x5A; SHORT];
            send(card, "00A4040C08A000000003000000");
            let update = format!("8050{version:02X}0008{}", hex::encode(chosen));
            assert_eq!(send(card, &update), "6120");
            let answer = hex::decode(send(card, "00C0000020")).unwrap();
            let challenge = answer[13..21].try_into().unwrap();
            let iccid = &card.subscriber.iccid;
            let (_, keys) = scp03_keys(&card.profile, iccid, card.state(), version).unwrap();
            let dek = Secret::new(keys.dek.to_vec());
            Self {
                channel: Channel::new(&keys, version, &chosen, &challenge),
                dek: CipherKey::new(CipherAlgorithm::Aes, dek).unwrap(),
                level: 0,
            }
        }

        /// Sends a command with its protection (§6.2.4, §6.2.6).
        pub(crate) fn send(&mut self, card: &mut Uicc, command: &Command) -> String {
            let mut command = command.clone();
            if self.level & C_DECRYPTION != 0 {
                self.channel.counter += 1;
                if !command.data.is_empty() {
                    pad(&mut command.data);
                    let iv = self.channel.iv(0);
                    encrypt(&self.channel.enc, &iv, &mut command.data);
                }
            }
            command.cla |= SECURE_MESSAGING;
            let Command {
                cla, ins, p1, p2, ..
            } = command;
            let len = (command.data.len() + SHORT) as u8;
            let header = [cla, ins.0, p1, p2, len];
            let mac = cmac(
                &*self.channel.mac,
                &[&self.channel.chaining, &header, &command.data],
            );
            self.channel.chaining = mac;
            command.data.extend_from_slice(&mac[..SHORT]);
            hex::encode_upper(card.transmit(&command.emit_t0()))
        }

        /// The response data that waits, its MAC checked and taken off (§6.2.5), still enciphered.
        pub(crate) fn response(&self, card: &mut Uicc, sw: &str) -> Vec<u8> {
            let len = sw.strip_prefix("61").expect("response data waits");
            let answer = hex::decode(send(card, &format!("00C00000{len}"))).unwrap();
            let data = answer.strip_suffix(&[0x90, 0x00]).expect("it is all");
            let (data, received) = data.split_last_chunk::<SHORT>().unwrap();
            let parts = [&self.channel.chaining[..], data, &[0x90, 0x00]];
            assert_eq!(cmac(&*self.channel.rmac, &parts)[..SHORT], *received);
            data.to_vec()
        }
    }
}
