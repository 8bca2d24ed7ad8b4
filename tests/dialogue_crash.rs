//! `kill -9` at random points of dialogues with a card: tries never come back, counters never fall, and no challenge is answered
//! twice. The test is the reader that the card is in, and the MSSP and the platform behind it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use midsim::runtime::store::{RedbStore, Store as _};
use midsim::world::World;
use ota_wire::applet::{AppletResponse, Challenge, Method, ResultCode, Text};
use ota_wire::cat::{
    Body, CommandType, Envelope, InputText, ProactiveCommand, TerminalResponse, TerminalResult,
};
use ota_wire::ids::{Cntr, Iccid, Tar};
use ota_wire::keys::{Family, KeySet, MacAlgorithm, MasterKey, applet_mac_key, applet_signing_key};
use ota_wire::packet::{Command, Spi};
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::sms::udh::{Iei, Reference};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sim_applet_sim::state::CardState;

use crate::support::process::{Up, port_bases};
use crate::support::{Folder, crowd_text, number};

/// How often the process is killed.
const KILLS: usize = 200;
/// Exchanges of a dialogue with two wrong PINs, and some more.
const LONGEST: u32 = 15;
const TRIES: u8 = 3;

#[test]
fn two_hundred_kills_in_the_middle_of_dialogues() {
    let mut test = Test::new();
    let mut up = test.first_start();
    let mut places = BTreeMap::<&str, u32>::new();
    for round in 0..KILLS {
        let reader = test.dialogue(&up, round);
        up.kill();
        *places.entry(reader.place).or_default() += 1;
        test.look_into_the_store();
        up = test.start();
    }
    let Approved { by_mac, by_key } = test.approved;
    eprintln!("killed {places:?}; {by_mac} challenges approved with a MAC, {by_key} with a key");
    assert!(
        places.len() >= 6,
        "the points are too much alike: {places:?}"
    );
    assert!(
        by_mac > 0 && by_key > 0 && test.lowest == 1,
        "nothing was at stake"
    );
}

struct Test {
    world: World,
    folder: Folder,
    base: u16,
    driver: TcpListener,
    chance: ChaCha20Rng,
    /// The number whose card is in the reader; the next one when its PIN is in danger of being blocked.
    subscriber: usize,
    card: Known,
    approved: Approved,
    lowest: u8,
}

/// How many challenges were approved, by what is in the answer besides.
#[derive(Default)]
struct Approved {
    /// A MAC and nothing else.
    by_mac: u32,
    /// A signature of the card's key over a digest, under a MAC.
    by_key: u32,
}

/// What is known about a card from what it said.
#[derive(Default)]
struct Known {
    /// CNTR and CTR that were used, and that it surely stored.
    cntr: u64,
    stored_cntr: u64,
    ctr: u64,
    stored_ctr: u64,
    /// Most tries it can have left.
    tries: u8,
    /// The challenge of which the answer was on its way.
    answered: Option<[u8; 8]>,
    /// How often each challenge was approved.
    approvals: BTreeMap<u64, u32>,
    /// The last challenge with the packet it was in.
    last: Option<(Challenge, Vec<u8>)>,
}

/// The process is to be killed now.
struct Kill;

impl Test {
    fn new() -> Self {
        let driver = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = Folder::new("dialogue-crash");
        std::fs::write(folder.path().join("world.toml"), crowd_text()).unwrap();
        Self {
            world: World::parse(&crowd_text()).unwrap(),
            folder,
            base: 0,
            driver,
            chance: ChaCha20Rng::seed_from_u64(4),
            subscriber: 0,
            card: Known::fresh(),
            approved: Approved::default(),
            lowest: TRIES,
        }
    }

    fn first_start(&mut self) -> Up {
        for base in port_bases() {
            self.base = base;
            if let Some(up) = self.try_start() {
                return up;
            }
        }
        panic!("no free ports")
    }

    fn start(&self) -> Up {
        self.try_start().unwrap()
    }

    fn try_start(&self) -> Option<Up> {
        let world = self.folder.path().join("world.toml");
        let options = ["--no-human", "--world", world.to_str().unwrap()];
        Up::start(&self.folder.path().join("data"), self.base, &options)
    }

    fn iccid(&self) -> Iccid {
        let msisdn = number(self.subscriber).parse().unwrap();
        self.world.subscriber(&msisdn).unwrap().iccid
    }

    /// A dialogue until the process is to be killed.
    fn dialogue(&mut self, up: &Up, round: usize) -> Reader {
        let mut reader = self.insert_card(up);
        // Nothing comes of what was there before the last kill.
        self.replay(&mut reader);
        reader.left = 1 + self.chance.next_u32() % LONGEST;
        reader.impatient = self.chance.next_u32().is_multiple_of(2);
        reader.yields = self.chance.next_u32() % 400;
        let method = if round % 5 == 4 {
            Method::Confirm
        } else {
            Method::Pin
        };
        // Dialogues that are over before their last exchange are killed in the next.
        while self.challenge(&mut reader, method).is_ok() {}
        reader
    }

    fn insert_card(&mut self, up: &Up) -> Reader {
        if self.card.tries <= 1 {
            self.subscriber += 1;
            self.card = Known::fresh();
        }
        let sim = format!("/api/v1/sims/{}/attach", number(self.subscriber));
        let address = self.driver.local_addr().unwrap();
        // The answer waits for the reader to ask for its card.
        let order = format!(r#"{{"reader": "{address}"}}"#);
        let mut reader = std::thread::scope(|scope| {
            let attached = scope.spawn(|| up.change(&sim, &order));
            let stream = self.driver.accept().unwrap().0;
            let mut reader = Reader::of(stream);
            reader.frame(&[0x01]);
            assert!(attached.join().unwrap());
            reader
        });
        // With MORE TIME, which the card wants before it signs.
        let sw = reader.command("8010000004 03000D02", "power on");
        assert!(sw.is_ok_and(|answer| answer == [0x90, 0x00]));
        reader
    }

    /// The last packet again, and the last challenge in a new packet: neither is taken up or answered.
    fn replay(&mut self, reader: &mut Reader) {
        let Some((challenge, packet)) = self.card.last.clone() else {
            return;
        };
        if self.card.stored_ctr < challenge.ctr {
            // It was not taken, so it may be now; and no packet of ours has gone out since.
            return;
        }
        let packets = if self.card.stored_cntr >= self.card.cntr {
            vec![packet, self.packet(&challenge)]
        } else {
            vec![self.packet(&challenge)]
        };
        for packet in packets {
            let mut answer = reader.deliver(&packet).unwrap_or_default();
            while let Some(command) = reader.fetch(&answer).unwrap_or_default() {
                let Body::SendShortMessage { tpdu, .. } = &command.body else {
                    panic!("a challenge is taken up again: {command:?}");
                };
                let submit = Submit::parse(tpdu).unwrap();
                let response = AppletResponse::parse(submit.user_data.payload());
                assert!(response.is_err(), "answered again: {response:?}");
                answer = reader.respond(&command, None).unwrap_or_default();
            }
        }
        self.card.stored_cntr = self.card.cntr;
    }

    /// One challenge: wrong PINs as chance has it, then the right one.
    fn challenge(&mut self, reader: &mut Reader, method: Method) -> Result<(), Kill> {
        let ctr = self.card.ctr + 1;
        let challenge = Challenge {
            tid: ctr.to_be_bytes(),
            ctr,
            method,
            mac_algorithm: MacAlgorithm::AesCmac8,
            valid_for: 0,
            text: Text::encode("Log in?").unwrap(),
            // Each has a digest of its own, so that no two of them have the same signature.
            digest: self
                .chance
                .next_u32()
                .is_multiple_of(2)
                .then(|| digest_of(ctr)),
        };
        let packet = self.packet(&challenge);
        self.card.ctr = ctr;
        self.card.last = Some((challenge.clone(), packet.clone()));
        let mut answer = reader.deliver(&packet)?;
        self.card.stored_ctr = ctr;
        self.card.stored_cntr = self.card.cntr;
        loop {
            let Some(command) = reader.fetch(&answer)? else {
                return Ok(());
            };
            let typed = match &command.body {
                Body::GetInput { .. } => {
                    let wrong = self.card.tries > 1 && self.chance.next_u32().is_multiple_of(2);
                    Some(if wrong { "9999" } else { "1234" })
                }
                Body::SendShortMessage { tpdu, .. } => {
                    self.answered(&challenge, tpdu);
                    None
                }
                _ => None,
            };
            if typed == Some("1234") {
                // Whether or not we hear of it.
                self.card.tries = TRIES;
            }
            answer = reader.respond(&command, typed)?;
            if typed == Some("9999") {
                self.card.tries -= 1;
                self.lowest = self.lowest.min(self.card.tries);
            }
        }
    }

    fn answered(&mut self, challenge: &Challenge, tpdu: &[u8]) {
        let submit = Submit::parse(tpdu).unwrap();
        let octets = submit.user_data.payload();
        let key = self.mac_key();
        let sealed = challenge.seal(&key);
        let mac = sealed[sealed.len() - 8..].try_into().unwrap();
        assert!(AppletResponse::verify(octets, &key, &mac));
        let response = AppletResponse::parse(octets).unwrap();
        assert_eq!(
            (response.ctr, response.result),
            (challenge.ctr, ResultCode::OK)
        );
        let approvals = self.card.approvals.entry(challenge.ctr).or_default();
        *approvals += 1;
        assert_eq!(*approvals, 1, "answered twice");
        match &challenge.digest {
            None => {
                assert!(response.signature.is_empty());
                self.approved.by_mac += 1;
            }
            Some(digest) => {
                let signature = DerSignature::try_from(response.signature.as_slice()).unwrap();
                self.signing_key()
                    .verify_prehash(digest, &signature)
                    .unwrap();
                self.approved.by_key += 1;
            }
        }
        self.card.answered = Some(challenge.tid);
    }

    /// What the card has written, now that no process has its file open.
    fn look_into_the_store(&mut self) {
        let store = RedbStore::open(self.folder.path().join("data/sim.redb")).unwrap();
        let key = format!("card/{}", self.iccid().digits());
        let Some(record) = store.get(&key).unwrap() else {
            assert_eq!(self.card.stored_cntr, 0, "the card is forgotten");
            return;
        };
        let state = CardState::from_bytes(&record.value).unwrap();
        let known = &mut self.card;
        let (cntr, ctr) = (state.counters()[0].get(), state.applet_counter());
        assert!(cntr >= known.stored_cntr, "CNTR fell to {cntr}");
        assert!(ctr >= known.stored_ctr, "CTR fell to {ctr}");
        let left = state.pin_tries();
        assert!(left <= known.tries, "{left} tries, {} at most", known.tries);
        if let Some(tid) = known.answered {
            let (last, answered) = state.last_challenge();
            assert!(
                last != tid || answered,
                "an answer left before it was written"
            );
        }
        (known.stored_cntr, known.stored_ctr, known.tries) = (cntr, ctr, left);
    }

    /// The next packet with a challenge.
    fn packet(&mut self, challenge: &Challenge) -> Vec<u8> {
        self.card.cntr += 1;
        let keys = KeySet::derive(&self.master(), &self.iccid(), 1, Family::Aes128);
        let command = Command {
            spi: Spi::MT,
            kic: keys.kic_octet(),
            kid: keys.kid_octet(),
            tar: Tar::MID,
            cntr: Cntr::new(self.card.cntr).unwrap(),
            data: challenge.seal(&self.mac_key()),
        };
        command.seal(&keys).unwrap()
    }

    fn mac_key(&self) -> ota_wire::secret::Secret {
        applet_mac_key(&self.master(), &self.iccid(), MacAlgorithm::AesCmac8)
    }

    fn signing_key(&self) -> VerifyingKey {
        let key = applet_signing_key(&self.master(), &self.iccid());
        *SigningKey::from_slice(key.expose())
            .unwrap()
            .verifying_key()
    }

    fn master(&self) -> MasterKey {
        self.world.master_key()
    }
}

fn digest_of(ctr: u64) -> [u8; 32] {
    let mut digest = [0xD1; 32];
    digest[..8].copy_from_slice(&ctr.to_be_bytes());
    digest
}

impl Known {
    fn fresh() -> Self {
        Self {
            tries: TRIES,
            ..Self::default()
        }
    }
}

/// The driver's end of a virtual reader, that lasts for so many exchanges.
struct Reader {
    stream: TcpStream,
    left: u32,
    /// The last command is not waited for.
    impatient: bool,
    /// How long the process has for it.
    yields: u32,
    place: &'static str,
}

impl Reader {
    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        Self {
            stream,
            left: u32::MAX,
            impatient: false,
            yields: 0,
            place: "before anything",
        }
    }

    fn frame(&mut self, octets: &[u8]) {
        let mut frame = (octets.len() as u16).to_be_bytes().to_vec();
        frame.extend_from_slice(octets);
        self.stream.write_all(&frame).unwrap();
    }

    fn command(&mut self, command: &str, place: &'static str) -> Result<Vec<u8>, Kill> {
        self.octets(&hex::decode(command.replace(' ', "")).unwrap(), place)
    }

    fn octets(&mut self, command: &[u8], place: &'static str) -> Result<Vec<u8>, Kill> {
        self.place = place;
        self.left -= 1;
        self.frame(command);
        if self.left == 0 && self.impatient {
            for _ in 0..self.yields {
                std::thread::yield_now();
            }
            return Err(Kill);
        }
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        self.stream.read_exact(&mut answer).unwrap();
        Ok(answer)
    }

    /// The last exchange was waited for: what it said is known when the process is killed.
    fn go_on(&self) -> Result<(), Kill> {
        if self.left == 0 { Err(Kill) } else { Ok(()) }
    }

    /// A packet in one message; the status word.
    fn deliver(&mut self, packet: &[u8]) -> Result<Vec<u8>, Kill> {
        self.go_on()?;
        let parts = split(packet, Reference::Eight(1), Some(Iei::COMMAND_PACKET)).unwrap();
        let [user_data] = parts.as_slice() else {
            panic!("one part");
        };
        let platform = Address::short_code("8220").unwrap();
        let sent = Scts::utc(jiff::Timestamp::UNIX_EPOCH);
        let deliver = Deliver::for_card(platform, sent, user_data.clone());
        let data = Envelope::sms_pp_download(deliver.emit()).emit();
        let header = [0x80, 0xC2, 0x00, 0x00, data.len() as u8];
        self.octets(&[&header, data.as_slice()].concat(), "at ENVELOPE")
    }

    /// The proactive command that this status word announces.
    fn fetch(&mut self, answer: &[u8]) -> Result<Option<ProactiveCommand>, Kill> {
        let &[0x91, len] = answer else {
            return Ok(None);
        };
        self.go_on()?;
        let fetched = self.octets(&[0x80, 0x12, 0x00, 0x00, len], "at FETCH")?;
        let (command, sw) = fetched.split_at(fetched.len() - 2);
        assert_eq!(sw, [0x90, 0x00]);
        Ok(Some(ProactiveCommand::parse(command).unwrap()))
    }

    /// TERMINAL RESPONSE; the status word.
    fn respond(
        &mut self,
        command: &ProactiveCommand,
        typed: Option<&str>,
    ) -> Result<Vec<u8>, Kill> {
        self.go_on()?;
        let details = command.details();
        let mut response = TerminalResponse::new(details, TerminalResult::OK);
        if let Some(typed) = typed {
            response = response.with_input(InputText::encode(typed));
        }
        let data = response.emit();
        let header = [0x80, 0x14, 0x00, 0x00, data.len() as u8];
        let place = match (details.kind, typed) {
            (CommandType::DISPLAY_TEXT, _) => "at the answer to a text",
            (CommandType::GET_INPUT, Some("1234")) => "at the right PIN",
            (CommandType::GET_INPUT, _) => "at a wrong PIN",
            (CommandType::MORE_TIME, _) => "before it signs",
            _ => "after the answer was sent",
        };
        self.octets(&[&header, data.as_slice()].concat(), place)
    }
}
