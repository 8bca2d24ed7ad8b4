//! A million cards in one process: each opened once, then flows to some of them.

use std::time::Duration;

use midsim::rp::{self, Ended, Flow};
use midsim::suite::{Reader, Running, Sim};
use midsim::world::{DEFAULT, Mode, World};
use ota_wire::applet::{Challenge, Method, Text};
use ota_wire::cat::Envelope;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::{Family, KeySet, MacAlgorithm, applet_mac_key};
use ota_wire::packet::{Command, Spi};
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::Deliver;
use ota_wire::sms::udh::{Iei, Reference};
use tokio::runtime::{Builder, Runtime};

use super::Result;
use super::server::cpu_seconds;
use super::timing::{Spread, now, ratio};

const CARDS: u64 = 1_000_000;
/// Cards whose commands are made before they are opened, so that making them is no part of the time.
const BATCH: u64 = 20_000;
/// Opened before anything is measured: what grows once has grown.
const WARM: u64 = 20_000;
const FLOWS: u64 = 2_000;
const FIRST: u64 = 447_701_000_000;
/// TERMINAL RESPONSE to GET INPUT: a PIN that is nobody's.
const WRONG_PIN: &str = "80140000138103022304820282818301008D050439393939";
/// TERMINAL RESPONSE to GET INPUT: the user ended the dialogue.
const CANCELLED: &str = "801400000C810302230482028281830110";

pub(crate) fn run() -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let world = World::parse(&format!(
        "{DEFAULT}\n[[range]]\nfirst_msisdn = \"+{FIRST}\"\niccid_base = \"894477010000000000\"\n\
         imsi_base = \"001010100000000\"\ncount = {}\npin = \"1234\"\npuk = \"12345678\"\n",
        CARDS + WARM
    ))?;
    let builder = midsim::suite::Builder::new(world.clone());
    let suite = runtime.block_on(builder.frozen_clock().start())?;
    open(&runtime, &suite, &world, CARDS..CARDS + WARM)?;
    let before = resident()?;
    let (mut took, mut used) = (Duration::ZERO, 0.0);
    for first in (0..CARDS).step_by(BATCH as usize) {
        let opened = open(&runtime, &suite, &world, first..first + BATCH)?;
        took += opened.0;
        used += opened.1;
    }
    let grown = resident()?.saturating_sub(before);
    println!(
        "  {CARDS} cards opened in {:.1} s (aim: at most 10 s), {used:.1} s of processor time; {} octets of resident \
         memory a card (aim: at most 400)",
        took.as_secs_f64(),
        grown / CARDS
    );
    let [any, only, any_again, only_again] = runtime.block_on(flows(&suite, &world))?;
    for (which, any, only) in [
        ("a flow", any, only),
        ("one more, its handset being on", any_again, only_again),
    ] {
        let percent = 100.0 * ratio(&any, &only).median;
        println!(
            "  {which}, to any of them: {} ms; to the only one of its suite: {} ms; {percent:.1} % of that (aim: no slower)",
            Spread::of(any),
            Spread::of(only),
        );
    }
    Ok(())
}

fn number(n: u64) -> String {
    format!("+{}", FIRST + n)
}

/// Milliseconds of flows to cards spread over the million and to the only card of another suite, and of one more to each of
/// them. A card that comes back from a reader finds its handset off, like those of the million, so the first flow to the only
/// one switches it on and the second need not. Both suites do as much as the other all the time, so that none is at hand in
/// the caches when the other is not: whenever the only card is put back, so is one of the million, another than is used next.
async fn flows(suite: &Running, world: &World) -> Result<[Vec<f64>; 4]> {
    let alone = midsim::suite::Builder::new(world.clone());
    let alone = alone.frozen_clock().start().await?;
    let sim = alone.sim(number(0).parse()?);
    let mut took: [Vec<f64>; 4] = Default::default();
    // As many transactions as fill the trace there, too.
    for count in 1..=WARM {
        open_one(&sim, &envelope(world, &number(0), count)?, CANCELLED).await?;
    }
    for n in 0..FLOWS {
        let any = |n: u64| number(n * 7919 % CARDS);
        let other = suite.sim(any(FLOWS + n).parse()?);
        // Neither is always the last.
        let reopened = if n % 4 < 2 {
            [&other, &sim]
        } else {
            [&sim, &other]
        };
        for sim in reopened {
            reopen(sim).await?;
        }
        let mut of_this = [0.0; 4];
        for [first, second] in [[0, 1], [2, 3]] {
            // In turn, and each of them first as often as the other, so that both meet the same machine.
            let order = if n % 2 == 0 {
                [first, second]
            } else {
                [second, first]
            };
            for which in order {
                of_this[which] = if which % 2 == 0 {
                    flow(suite, any(n)).await?
                } else {
                    flow(&alone, number(0)).await?
                };
            }
        }
        // The first ones only warm up.
        if n >= FLOWS / 10 {
            for (took, this) in took.iter_mut().zip(of_this) {
                took.push(this);
            }
        }
    }
    Ok(took)
}

/// Takes a card out of its handset and puts it back.
async fn reopen(sim: &Sim<'_>) -> Result<()> {
    let reader = sim.reader().await?;
    reader.reset().await?;
    reader.eject().await?;
    Ok(())
}

/// Opens cards on two threads: power, TERMINAL PROFILE, a challenge accepted, a wrong PIN, back into the handset. How long it
/// took, and the seconds of processor time in it.
fn open(
    runtime: &Runtime,
    suite: &Running,
    world: &World,
    cards: std::ops::Range<u64>,
) -> Result<(Duration, f64)> {
    let mut made = Vec::new();
    for n in cards {
        made.push((number(n), envelope(world, &number(n), 1)?));
    }
    let before = cpu_seconds(std::process::id())?;
    let began = now();
    std::thread::scope(|scope| {
        let halves = made.chunks(made.len().div_ceil(2));
        let threads: Vec<_> = halves
            .map(|half| scope.spawn(|| runtime.block_on(open_each(suite, half))))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a panic".into())))
    })?;
    let took = began.elapsed();
    Ok((took, cpu_seconds(std::process::id())? - before))
}

async fn open_each(suite: &Running, cards: &[(String, Vec<u8>)]) -> Result<()> {
    for (number, envelope) in cards {
        open_one(&suite.sim(number.parse()?), envelope, WRONG_PIN).await?;
    }
    Ok(())
}

/// Puts a card into a reader, gives it a challenge and the answer to the question for the PIN, and puts it back.
async fn open_one(sim: &Sim<'_>, envelope: &[u8], answer: &str) -> Result<()> {
    let reader = sim.reader().await?;
    reader.reset().await?;
    expect(&reader, &hex::decode("801000000403000502")?, 0x90).await?;
    let len = expect(&reader, envelope, 0x91).await?;
    fetch(&reader, len).await?;
    let shown = hex::decode("801400000C810301218182028281830100")?;
    let len = expect(&reader, &shown, 0x91).await?;
    fetch(&reader, len).await?;
    expect(&reader, &hex::decode(answer)?, 0x91).await?;
    reader.eject().await?;
    Ok(())
}

async fn fetch(reader: &Reader, len: u8) -> Result<()> {
    reader.transmit(&[0x80, 0x12, 0x00, 0x00, len]).await?;
    Ok(())
}

/// SW2, if SW1 is as expected.
async fn expect(reader: &Reader, command: &[u8], sw1: u8) -> Result<u8> {
    match reader.transmit(command).await?.as_slice() {
        &[first, second] if first == sw1 => Ok(second),
        other => Err(format!("the card answered {}", hex::encode(other)).into()),
    }
}

/// The ENVELOPE with the challenge of this count for a card.
fn envelope(world: &World, number: &str, count: u64) -> Result<Vec<u8>> {
    let subscriber = world
        .subscriber(&number.parse()?)
        .ok_or("nobody's number")?;
    let master = world.master_key();
    let keys = KeySet::derive(&master, &subscriber.iccid, 1, Family::Aes128);
    let challenge = Challenge {
        tid: count.to_be_bytes(),
        ctr: count,
        method: Method::Pin,
        mac_algorithm: MacAlgorithm::AesCmac8,
        valid_for: 120,
        text: Text::encode("Log in?")?,
        digest: None,
    };
    let key = applet_mac_key(&master, &subscriber.iccid, challenge.mac_algorithm);
    let command = Command {
        spi: Spi::MT,
        kic: keys.kic_octet(),
        kid: keys.kid_octet(),
        tar: Tar::MID,
        cntr: Cntr::new(count).ok_or("CNTR")?,
        data: challenge.seal(&key),
    };
    let packet = command.seal(&keys)?;
    let parts = split(&packet, Reference::Eight(1), Some(Iei::COMMAND_PACKET))?;
    let part = parts.into_iter().next().ok_or("no part")?;
    let sent = Scts::utc(jiff::Timestamp::UNIX_EPOCH);
    let deliver = Deliver::for_card(Address::short_code("8220")?, sent, part);
    let data = Envelope::sms_pp_download(deliver.emit()).emit();
    Ok([&[0x80, 0xC2, 0x00, 0x00, data.len() as u8], data.as_slice()].concat())
}

/// Milliseconds of a whole flow, the clock jumping whenever everybody waits.
async fn flow(suite: &Running, login_hint: String) -> Result<f64> {
    let flow = Flow {
        issuer: suite.op_url(),
        client_id: "poll".into(),
        client_secret: "poll-secret".into(),
        mode: Mode::Poll,
        login_hint,
        acr_values: "mod-mf".into(),
        scope: "openid".into(),
        binding_message: Some("Code W4SCT".into()),
        requested_expiry: None,
        notification_token: String::new(),
    };
    let jumping = async {
        loop {
            suite.clock().jump_to_next().await;
            tokio::task::yield_now().await;
        }
    };
    let port = suite.rp_port();
    let began = now();
    tokio::select! {
        biased;
        ended = rp::run(port.as_ref(), &flow) => match ended {
            Ended::Tokens(_) => Ok(began.elapsed().as_secs_f64() * 1000.0),
            other => Err(format!("a flow ended with {other:?}").into()),
        },
        () = jumping => Err("the clock has an end".into()),
    }
}

/// Resident memory of this process, in octets.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kilobytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
}
