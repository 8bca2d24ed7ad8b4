//! What TS 102 225 packets allocate: one buffer each, and nothing else. A count, not a time, so the tests run it too.

use std::alloc::System;
use std::hint::black_box;

use ota_wire::ids::{Cntr, Iccid, Tar};
use ota_wire::keys::{Family, KeySet, MasterKey};
use ota_wire::packet::{
    self, Command, Receiver, Response, ResponseStatus, Spi, check_response, response_for,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Packets in a round.
const PACKETS: usize = 1_000;
/// Octets of secured data.
const PAYLOAD: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (name, family) in [
        ("AES-128 + CMAC-8", Family::Aes128),
        ("3DES, two keys", Family::TripleDes2),
    ] {
        let iccid = Iccid::with_check_digit("894477009000000002")?;
        let card = Card {
            keys: KeySet::derive(&MasterKey::new([0x5A; 32]), &iccid, 1, family),
        };
        let command = Command {
            spi: Spi::MT,
            kic: card.keys.kic_octet(),
            kid: card.keys.kid_octet(),
            tar: Tar::MID,
            cntr: Cntr::new(1).ok_or("1 is a counter")?,
            data: vec![0xA5; PAYLOAD],
        };
        let packet = command.seal(&card.keys)?;
        let response = Response {
            tar: command.tar,
            cntr: command.cntr,
            status: ResponseStatus::INSUFFICIENT_MEMORY,
            data: vec![0xA5; PAYLOAD],
        };
        let opened = packet::open(&packet, &card)?;
        let status = ResponseStatus::INSUFFICIENT_MEMORY;
        let por = response_for(Ok(&opened), status, Vec::new()).ok_or("a PoR is due")?;
        let (spi, kic, kid) = (command.spi, command.kic, command.kid);
        let answer = response.seal(spi, kic, kid, Some(&card.keys))?;
        let sent = command.sent();
        check_response(&answer, &sent, &card.keys)?;

        count(name, "seal", 1, || {
            drop(black_box(command.seal(&card.keys)))
        })?;
        count(name, "open", 1, || {
            drop(black_box(packet::open(&packet, &card)))
        })?;
        count(name, "seal a PoR", 1, || {
            drop(black_box(por.seal(Some(&card.keys))))
        })?;
        count(name, "check a PoR", 1, || {
            drop(black_box(check_response(&answer, &sent, &card.keys)));
        })?;
    }
    Ok(())
}

/// Runs `work` and compares what it asks of the allocator, growth of a buffer included, with `expected` a packet.
fn count(name: &str, what: &str, expected: usize, work: impl Fn()) -> Result<(), String> {
    work();
    let region = Region::new(ALLOCATOR);
    (0..PACKETS).for_each(|_| work());
    let seen = region.change();
    let got = (seen.allocations, seen.reallocations, seen.deallocations);
    println!(
        "{name:<16} {what:<12} {PACKETS} packets: {} allocations, {} reallocations, {} octets each",
        seen.allocations,
        seen.reallocations,
        seen.bytes_allocated / PACKETS,
    );
    let wanted = expected * PACKETS;
    if got == (wanted, 0, wanted) {
        Ok(())
    } else {
        Err(format!(
            "{name}, {what}: expected {wanted} allocations and no reallocations, got {got:?}"
        ))
    }
}

/// A card that knows one application and one key set.
struct Card {
    keys: KeySet,
}

impl Receiver for Card {
    fn msl(&self, _: Tar) -> Option<u8> {
        Some(Spi::MT.0[0])
    }

    fn key_set(&self, version: u8) -> Option<&KeySet> {
        (version == self.keys.version).then_some(&self.keys)
    }

    fn counter(&self, _: u8) -> Cntr {
        Cntr::default()
    }
}
