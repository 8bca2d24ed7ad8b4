//! The card: from ENVELOPE to what the applet gets, and command APDUs over the protocol of the virtual reader.

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use ota_wire::apdu::{Command, Ins};
use ota_wire::cat::tag;
use ota_wire::ids::{Cntr, Iccid, Tar};
use ota_wire::keys::{Family, KeySet, MasterKey};
use ota_wire::packet::{self, Spi};
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::Deliver;
use ota_wire::sms::udh::{Iei, Reference};
use ota_wire::tlv::Writer;
use sim_applet_sim::profile::{NetworkProfile, Profile, Subscriber};
use sim_applet_sim::state::CardState;
use sim_applet_sim::uicc::Uicc;

use super::Result;
use super::timing::{Spread, rates};

/// Octets of secured data; 98 fit one message with this protection.
const PAYLOAD: usize = 90;
/// Messages with counters that go up; then the card is a fresh one.
const MESSAGES: u64 = 20_000;
const TERMINAL_PROFILE: [u8; 25] = {
    let mut command = [0xFF; 25];
    [command[0], command[1], command[2], command[3], command[4]] = [0x80, 0x10, 0x00, 0x00, 20];
    command
};

/// ENVELOPEs with secured packets, to the data that the signature applet is given.
pub(crate) fn envelopes() -> Result<()> {
    let master = MasterKey::new([0x5A; 32]);
    let owner = owner()?;
    let keys = KeySet::derive(&master, &owner.iccid, 1, Family::Aes128);
    let network = NetworkProfile {
        smsc: "+447700900999".parse()?,
        platform: "8220".into(),
    };
    let profile = Arc::new(Profile::standard(master, network));
    let fresh = || {
        let state = CardState::fresh(&profile);
        let mut card = Uicc::new(profile.clone(), owner.clone(), state);
        card.transmit(&TERMINAL_PROFILE);
        card
    };
    let messages = (1..=MESSAGES)
        .map(|cntr| message(&keys, cntr))
        .collect::<Result<Vec<_>>>()?;

    let mut card = fresh();
    for (number, command) in messages.iter().enumerate() {
        let answer = card.transmit(command);
        let dispatched = card.take_notes().len() >= 2;
        if answer != [0x90, 0x00] || !dispatched {
            return Err(format!("message {number} was not dispatched: {answer:02X?}").into());
        }
    }
    if card.state().counters()[0].get() != MESSAGES {
        return Err("the counter did not move".into());
    }

    let (mut card, mut next) = (fresh(), 0);
    let mut work = || {
        if next == messages.len() {
            (card, next) = (fresh(), 0);
        }
        black_box(card.transmit(black_box(&messages[next])));
        black_box(card.take_notes());
        next += 1;
    };
    let seen = rates(&mut [&mut work]);
    let [seen] = seen.as_slice() else {
        return Err("one piece of work has one rate".into());
    };
    println!(
        "  ENVELOPE to the applet, AES  {} /s (aim 400,000)",
        Spread::of(seen.clone())
    );
    Ok(())
}

/// A command packet without PoR in an ENVELOPE (SMS-PP DOWNLOAD).
fn message(keys: &KeySet, cntr: u64) -> Result<Vec<u8>> {
    let packet = packet::Command {
        spi: Spi([0x16, 0x00]),
        kic: keys.kic_octet(),
        kid: keys.kid_octet(),
        tar: Tar::MID,
        cntr: Cntr::new(cntr).ok_or("a counter has five octets")?,
        data: vec![0xA5; PAYLOAD],
    };
    let parts = split(
        &packet.seal(keys)?,
        Reference::Eight(1),
        Some(Iei::COMMAND_PACKET),
    )?;
    let [part] = parts.as_slice() else {
        return Err("a message is one part".into());
    };
    let time = Scts::utc(Timestamp::UNIX_EPOCH);
    let deliver = Deliver::for_card(Address::short_code("8220")?, time, part.clone());
    let mut objects = Writer::new();
    objects.comprehension(tag::DEVICE_IDENTITIES, true, &[0x83, 0x81]);
    objects.comprehension(tag::SMS_TPDU, true, &deliver.emit());
    let mut envelope = Writer::new();
    envelope.ber(0xD1, &objects.into_bytes());
    Ok(Command::new(0x80, Ins::ENVELOPE, 0, 0)
        .with_data(envelope.into_bytes())
        .emit_t0())
}

fn owner() -> Result<Subscriber> {
    Ok(Subscriber {
        msisdn: "+447700900002".parse()?,
        iccid: Iccid::with_check_digit("894477009000000002")?,
        imsi: "001010000000002".parse()?,
        pin: "1234".parse()?,
        puk: "12345678".parse()?,
    })
}

/// SELECT and READ BINARY in turn, by the protocol of vsmartcard's driver, against `midsim sim attach`.
pub(crate) fn vpcd() -> Result<()> {
    for (apart, name) in [
        (false, "length and command in one piece"),
        (true, "apart, as drivers before 2023 send"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let card = Attached::start(&listener.local_addr()?.to_string())?;
        let mut driver = Driver {
            stream: listener.accept()?.0,
            apart,
        };
        driver.send(&[0x01])?;
        let select = Command::new(0x00, Ins::SELECT, 0x00, 0x0C).with_data([0x2F, 0xE2]);
        let read = Command::new(0x00, Ins::READ_BINARY, 0, 0).with_le(10);
        let (select, read) = (select.emit_t0(), read.emit_t0());
        if driver.ask(&select)?.as_slice() != [0x90, 0x00] || driver.ask(&read)?.len() != 12 {
            return Err("EF.ICCID cannot be read".into());
        }
        let mut selecting = false;
        let mut broken = None;
        let mut work = || {
            selecting = !selecting;
            if let Err(error) = driver.ask(if selecting { &select } else { &read }) {
                broken = Some(error);
            }
        };
        let seen = rates(&mut [&mut work]);
        drop(card);
        if let Some(error) = broken {
            return Err(error);
        }
        let [seen] = seen.as_slice() else {
            return Err("one piece of work has one rate".into());
        };
        println!(
            "  {name:<36} {} APDU/s (aim 5,000)",
            Spread::of(seen.clone())
        );
    }
    Ok(())
}

/// `midsim sim attach`, until it is dropped.
struct Attached(Child);

impl Attached {
    fn start(reader: &str) -> Result<Self> {
        let card = Process::new(env!("CARGO_BIN_EXE_midsim"))
            .args([
                "sim",
                "attach",
                "+447700900002",
                "--alone",
                "--reader",
                reader,
            ])
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(card))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The reader's end, with Nagle's algorithm on, as in the real driver.
struct Driver {
    stream: TcpStream,
    /// Length and octets are sent in two calls.
    apart: bool,
}

impl Driver {
    fn send(&mut self, octets: &[u8]) -> Result<()> {
        let length = u16::try_from(octets.len())?.to_be_bytes();
        if self.apart {
            self.stream.write_all(&length)?;
            self.stream.write_all(octets)?;
        } else {
            self.stream.write_all(&[&length, octets].concat())?;
        }
        Ok(())
    }

    fn ask(&mut self, octets: &[u8]) -> Result<Vec<u8>> {
        self.send(octets)?;
        let mut length = [0; 2];
        self.stream.read_exact(&mut length)?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}
