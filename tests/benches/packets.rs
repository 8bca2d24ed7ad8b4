//! TS 102 225 packets against the bare ciphers over as many octets.

use std::hint::black_box;

use aes::Aes128;
use cbc::{Decryptor, Encryptor};
use cipher::{
    Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use cmac::{Cmac, Mac};
use des::TdesEde2;
use ota_wire::ids::{Cntr, Iccid, Tar};
use ota_wire::keys::{Family, KeySet, MasterKey};
use ota_wire::packet::{self, Command, Spi};

use super::Result;
use super::timing::{Spread, rates, ratio};

/// Octets of secured data.
const PAYLOAD: usize = 100;
/// MSL of the applet (SPI 1).
const MSL: u8 = 0x16;
/// Octets in front of the ciphered part: CPL to TAR (TS 31.115 §4.2).
const CLEAR: usize = 10;
/// Octets of CC, which the CC does not cover.
const CC: usize = 8;

pub(crate) fn run() -> Result<()> {
    for (name, family, aim) in [
        ("AES-128 + CMAC-8", Family::Aes128, 70),
        ("3DES, two keys", Family::TripleDes2, 90),
    ] {
        let iccid = Iccid::with_check_digit("894477009000000002")?;
        let card = Card {
            keys: KeySet::derive(&MasterKey::new([0x5A; 32]), &iccid, 1, family),
            counter: Cntr::new(0).ok_or("0 is a counter")?,
        };
        let command = Command {
            spi: Spi::MT,
            kic: card.keys.kic_octet(),
            kid: card.keys.kid_octet(),
            tar: Tar::MID,
            cntr: Cntr::new(1).ok_or("1 is a counter")?,
            data: vec![0xA5; PAYLOAD],
        };
        let sealed = command.seal(&card.keys)?;
        let opened = packet::open(&sealed, &card)?;
        if opened.data != command.data {
            return Err("what was sealed is not what was opened".into());
        }

        let mut buffer = sealed.clone();
        let mut bare_seal = || bare(family, &card.keys, black_box(&mut buffer), true);
        let mut seal = || {
            // What could go wrong did not go wrong above.
            let _ = black_box(black_box(&command).seal(&card.keys));
        };
        let mut buffer = sealed.clone();
        let mut bare_open = || bare(family, &card.keys, black_box(&mut buffer), false);
        let mut open = || {
            let _ = black_box(packet::open(black_box(&sealed), &card));
        };
        let seen = rates(&mut [&mut bare_seal, &mut seal, &mut bare_open, &mut open]);
        let [bare_seal, seal, bare_open, open] = &seen[..] else {
            return Err("four pieces of work have four rates".into());
        };
        print(name, "seal", seal, bare_seal, aim);
        print(name, "open", open, bare_open, aim);
    }
    Ok(())
}

fn print(name: &str, what: &str, seen: &[f64], bare: &[f64], aim: u32) {
    let share = ratio(seen, bare);
    println!(
        "  {name:<16} {what}  {} /s, bare {} /s: {:.0} % (aim {aim} %)",
        Spread::of(seen.to_vec()),
        Spread::of(bare.to_vec()),
        100.0 * share.median,
    );
}

/// A card that knows one application and one key set.
struct Card {
    keys: KeySet,
    counter: Cntr,
}

impl packet::Receiver for Card {
    fn msl(&self, _: Tar) -> Option<u8> {
        Some(MSL)
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        (version == self.keys.version).then_some(&self.keys)
    }

    fn counter(&self, _: u8) -> Cntr {
        self.counter
    }
}

/// The cryptography of one packet and nothing else: key schedules, CC, cipher, in a buffer that is already there.
fn bare(family: Family, keys: &KeySet, packet: &mut [u8], seal: bool) {
    let (kic, kid) = (keys.kic.secret().expose(), keys.kid.secret().expose());
    let covered = packet.len() - CC;
    match family {
        Family::Aes128 => {
            if !seal {
                cbc_decrypt::<Aes128>(kic, &mut packet[CLEAR..]);
            }
            if let Ok(mut mac) = <Cmac<Aes128> as KeyInit>::new_from_slice(kid) {
                mac.update(&packet[..covered]);
                black_box(mac.finalize());
            }
            if seal {
                cbc_encrypt::<Aes128>(kic, &mut packet[CLEAR..]);
            }
        }
        Family::TripleDes2 => {
            if !seal {
                cbc_decrypt::<TdesEde2>(kic, &mut packet[CLEAR..]);
            }
            if let Ok(cipher) = TdesEde2::new_from_slice(kid) {
                let mut block = Array::default();
                for part in packet[..covered].chunks(8) {
                    for (sum, octet) in block.iter_mut().zip(part) {
                        *sum ^= octet;
                    }
                    cipher.encrypt_block(&mut block);
                }
                black_box(block);
            }
            if seal {
                cbc_encrypt::<TdesEde2>(kic, &mut packet[CLEAR..]);
            }
        }
    }
}

fn cbc_encrypt<C: BlockCipherEncrypt + KeyInit>(key: &[u8], buffer: &mut [u8]) {
    if let Ok(cipher) = C::new_from_slice(key) {
        let mut mode = Encryptor::inner_iv_init(cipher, &Array::default());
        mode.encrypt_blocks(Array::slice_as_chunks_mut(buffer).0);
    }
}

fn cbc_decrypt<C: BlockCipherDecrypt + KeyInit>(key: &[u8], buffer: &mut [u8]) {
    if let Ok(cipher) = C::new_from_slice(key) {
        let mut mode = Decryptor::inner_iv_init(cipher, &Array::default());
        mode.decrypt_blocks(Array::slice_as_chunks_mut(buffer).0);
    }
}
