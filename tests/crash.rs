//! `kill -9` in the middle of flows, then a start on the same folder: nothing that keeps order or counts tries goes back.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use jiff::Timestamp;
use midsim::runtime::store::{RedbStore, Store as _};
use midsim::world::World;
use ota::platform;
use ota::smpp::{BindMode, EsmeConfig, Limits, Session, SessionEvent, ShortMessage, esm_class};
use ota_wire::secret::Secret;
use ota_wire::sms::tpdu::Deliver;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::Value;
use sim_applet_sim::state::CardState;

use crate::support::process::{Up, port_bases};
use crate::support::{Folder, crowd_text, number};

/// How often the process is killed.
const KILLS: usize = 20;
/// Lines of the trace of a flow from step 5 (the command packet leaves) to step 14 (the OP hears of the outcome).
const LINES: std::ops::RangeInclusive<u32> = 7..=45;
/// Lines until the message has left for the phone.
const LINES_TO_PHONE: u32 = 10;
/// Whose cards are used in every round, so that their counters have somewhere to go back from.
const APPROVES: &str = "+447700900002";
/// The whole history, over all lives of the process.
struct History {
    world: World,
    folder: Folder,
    base: u16,
    /// Of each counter the highest value seen.
    counters: BTreeMap<String, u64>,
    /// Of each card whose user never types the right PIN the fewest tries seen.
    tries: BTreeMap<String, u8>,
    /// Every auth_req_id, and how often it was good for tokens.
    redeemed: BTreeMap<String, u32>,
    /// SMS-DELIVERs that went to a card, with the number they went to.
    recorded: BTreeMap<Vec<u8>, String>,
}

/// A request that was under way when the process was killed.
struct Begun {
    auth_req_id: String,
    msisdn: String,
}

/// The SMSC has the command packet and the phone has not: the RP has nothing to do but to go on polling.
#[test]
fn a_flow_that_was_on_its_way_to_the_card_ends_in_tokens() {
    let world = crowd_text();
    let (mut history, mut up) = History::start(&world);
    let flow = history.away(&up, &number(1));
    let reached = History::follow(&up, &flow, LINES_TO_PHONE);
    assert_eq!(reached, Some(6));
    up.kill();
    history.look_into_the_stores();
    assert!(!history.card_took_the_challenge(&flow));
    up = history.start_again();
    history.tokens(&up, &flow);
    assert!(!history.redeem(&up, &flow.auth_req_id));
    up.kill();
    history.look_into_the_stores();
    assert!(history.card_took_the_challenge(&flow));
}

#[test]
fn nothing_goes_back_when_the_process_is_killed() {
    let (mut history, mut up) = History::start(&with_forgetful(&crowd_text()));
    let mut chance = ChaCha20Rng::seed_from_u64(20);
    let (mut completed, mut lost) = (0, 0);
    for round in 0..KILLS {
        // One user types the right PIN, the other never does.
        let mut flows = vec![
            history.begin(&up, number(round)),
            history.begin(&up, forgetful(round)),
        ];
        let span = LINES.end() - LINES.start() + 1;
        let watched = &flows[(chance.next_u32() % 2) as usize];
        let reached = History::follow(&up, watched, LINES.start() + chance.next_u32() % span);
        if chance.next_u32().is_multiple_of(2) {
            history.redeem(&up, &flows[0].auth_req_id);
        }
        // By now the first two are far; this one has just begun.
        // In some rounds its phone is away, so that it is still on its way whatever the machine's speed.
        let away = round % 4 == 0;
        flows.push(if away {
            history.away(&up, &number(100 + round))
        } else {
            history.begin(&up, number(100 + round))
        });
        let lines = if away {
            1
        } else {
            chance.next_u32() % LINES.start()
        };
        let late = History::follow(&up, &flows[2], lines);
        history.observe(&up, &flows);
        up.kill();

        history.look_into_the_stores();
        let accepted = [0, 2].map(|n| history.card_took_the_challenge(&flows[n]));
        up = history.start_again();
        eprintln!("kill {round}: at steps {reached:?} and {late:?}, at the user: {accepted:?}");
        let ids: Vec<_> = history.redeemed.keys().cloned().collect();
        for id in ids {
            history.redeem(&up, &id);
        }
        for (accepted, flow) in accepted.into_iter().zip([&flows[0], &flows[2]]) {
            if accepted {
                // The dialogue went with the handset's power; only an answer that had left can still arrive.
                lost += 1;
            } else {
                history.tokens(&up, flow);
                completed += 1;
            }
        }
        let fresh = history.begin(&up, APPROVES.to_owned());
        history.tokens(&up, &fresh);
        history.observe(&up, &flows);
        history.observe(&up, &[fresh]);
        history.replay_everything(&up);
    }
    up.kill();
    history.look_into_the_stores();
    eprintln!("{completed} flows went on, {lost} were at the user");
    assert!(completed > 0 && lost > 0, "the points are too much alike");
    assert!(
        history.tries.values().any(|left| *left < 3),
        "no try was ever lost"
    );
    for (id, times) in &history.redeemed {
        assert!(*times <= 1, "{id} was good {times} times");
    }
}

impl History {
    /// The first life.
    fn start(world: &str) -> (Self, Up) {
        let folder = Folder::new("crash");
        std::fs::write(folder.path().join("world.toml"), world).unwrap();
        let mut history = Self {
            world: World::parse(world).unwrap(),
            folder,
            base: 0,
            counters: BTreeMap::new(),
            tries: BTreeMap::new(),
            redeemed: BTreeMap::new(),
            recorded: BTreeMap::new(),
        };
        for base in port_bases() {
            history.base = base;
            if let Some(up) = history.up() {
                return (history, up);
            }
        }
        panic!("no free ports")
    }

    /// The next life, on the same folder and ports.
    fn start_again(&self) -> Up {
        self.up().unwrap()
    }

    fn up(&self) -> Option<Up> {
        let world = self.folder.path().join("world.toml");
        let options = ["--no-human", "--world", world.to_str().unwrap()];
        Up::start(&self.data(), self.base, &options)
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn begin(&mut self, up: &Up, msisdn: String) -> Begun {
        let form = format!(
            "scope=openid&acr_values=mod-mf&binding_message=W4SCT&requested_expiry=60&login_hint={}",
            msisdn.replace('+', "%2B")
        );
        let (status, body) = up.post("/bc-authorize", &form).unwrap();
        assert_eq!(status, 200, "{body}");
        let auth_req_id = body["auth_req_id"].as_str().unwrap().to_owned();
        self.redeemed.insert(auth_req_id.clone(), 0);
        Begun {
            auth_req_id,
            msisdn,
        }
    }

    /// Begins a flow of a phone that the network does not reach. Nothing of that is kept: after a start it does.
    fn away(&mut self, up: &Up, msisdn: &str) -> Begun {
        assert!(up.change(&format!("/api/v1/sims/{msisdn}"), r#"{"coverage":false}"#));
        self.begin(up, msisdn.to_owned())
    }

    /// Follows the trace of a flow until it has so many lines, or the flow is over; gives the step reached.
    fn follow(up: &Up, flow: &Begun, lines: u32) -> Option<u64> {
        let mut reached = None;
        let there = up.until(|| {
            let trace = trace(up, flow);
            reached = trace.iter().filter_map(|line| line["step"].as_u64()).max();
            let over = trace.iter().any(|line| line["name"] == "verify response");
            over || trace.len() >= lines as usize
        });
        assert!(there, "the flow stands still after step {reached:?}");
        reached
    }

    /// Asks for tokens once.
    fn redeem(&mut self, up: &Up, auth_req_id: &str) -> bool {
        let form =
            format!("grant_type=urn:openid:params:grant-type:ciba&auth_req_id={auth_req_id}");
        let (status, body) = up.post("/token", &form).unwrap();
        if status == 200 {
            *self.redeemed.get_mut(auth_req_id).unwrap() += 1;
        } else {
            let error = body["error"].as_str().unwrap();
            let known = [
                "authorization_pending",
                "expired_token",
                "slow_down",
                "invalid_grant",
                "access_denied",
            ];
            assert!(known.contains(&error), "{status}: {body}");
        }
        status == 200
    }

    /// Asks for tokens until they come; fails with the trace if they never do.
    fn tokens(&mut self, up: &Up, flow: &Begun) {
        // Asking is itself an event: ask again only when something else has happened.
        let mut before = None;
        let came = up.until(|| {
            let of_ours = trace(up, flow).into_iter();
            let asking = of_ours
                .filter(|line| line["from"] == "RP" || line["to"] == "RP")
                .count();
            let all = up.get("/api/v1/traces?limit=1000").unwrap();
            let all = all["traces"].as_array().unwrap().iter();
            let now =
                Some(all.map(|one| one["events"].as_u64().unwrap()).sum::<u64>() - asking as u64);
            let changed = std::mem::replace(&mut before, now) != now;
            self.redeemed[&flow.auth_req_id] > 0 || changed && self.redeem(up, &flow.auth_req_id)
        });
        assert!(
            came,
            "no tokens for {}; since the start:\n{}",
            flow.msisdn,
            told(up)
        );
    }

    /// Notes what the traces of these flows tell of counters, tries and messages.
    fn observe(&mut self, up: &Up, flows: &[Begun]) {
        for flow in flows {
            let iccid = self.iccid(&flow.msisdn);
            let lines = trace(up, flow);
            // What was still on its way is no replay when it comes again.
            let taken = lines
                .iter()
                .any(|line| line["name"] == "command packet accepted");
            for line in lines {
                let field = |name: &str| {
                    let fields = line["fields"].as_array().unwrap().iter();
                    let found = fields.clone().find(|field| field[0] == name)?;
                    Some(found[1].as_str().unwrap().to_owned())
                };
                let cntr = field("CNTR").and_then(|hex| u64::from_str_radix(&hex, 16).ok());
                let ctr = field("CTR").and_then(|decimal| decimal.parse().ok());
                match (
                    line["name"].as_str().unwrap(),
                    line["from"].as_str().unwrap(),
                ) {
                    ("submit_sm (command packet)", _) => {
                        self.at_least(format!("ota {iccid} 1"), cntr.unwrap());
                    }
                    ("command packet accepted", _) => {
                        self.at_least(format!("card {iccid} 1"), cntr.unwrap());
                    }
                    ("challenge", "MSSP") => self.at_least(format!("mssp {iccid}"), ctr.unwrap()),
                    ("challenge", "SIM") if field("verdict").is_some_and(|it| it == "accepted") => {
                        self.at_least(format!("applet {iccid}"), ctr.unwrap());
                    }
                    ("PIN compared", _) => {
                        self.at_most(&iccid, field("tries left").unwrap().parse().unwrap());
                    }
                    ("RP-DATA (SMS-DELIVER)", _)
                        if taken && line["octets"]["kind"] == "sms-deliver" =>
                    {
                        let octets = hex::decode(line["octets"]["hex"].as_str().unwrap()).unwrap();
                        self.recorded.insert(octets, flow.msisdn.clone());
                    }
                    _ => {}
                }
            }
        }
    }

    fn at_least(&mut self, counter: String, value: u64) {
        let highest = self.counters.entry(counter).or_default();
        *highest = value.max(*highest);
    }

    /// Only of cards whose user never types the right PIN, which would give the tries back.
    fn at_most(&mut self, iccid: &str, left: u8) {
        let never = (0..KILLS).any(|n| self.iccid(&forgetful(n)) == iccid);
        if never {
            let fewest = self.tries.entry(iccid.to_owned()).or_insert(3);
            *fewest = left.min(*fewest);
        }
    }

    /// Compares every counter and every count of tries on disk with what was seen, while no process has the files open.
    fn look_into_the_stores(&mut self) {
        let open = |name: &str| RedbStore::open(self.data().join(name)).unwrap();
        let mut found = BTreeMap::new();
        for (key, record) in open("ota.redb").scan("sim/").unwrap() {
            let sim: platform::Sim = serde_json::from_slice(&record.value).unwrap();
            let name = key.strip_prefix("sim/").unwrap().replace('/', " ");
            found.insert(format!("ota {name}"), sim.last.unwrap().get());
        }
        for (key, record) in open("mssp.redb").scan("ctr/").unwrap() {
            let iccid = key.strip_prefix("ctr/").unwrap();
            found.insert(
                format!("mssp {iccid}"),
                serde_json::from_slice(&record.value).unwrap(),
            );
        }
        let mut tries = BTreeMap::new();
        for (key, record) in open("sim.redb").scan("card/").unwrap() {
            let iccid = key.strip_prefix("card/").unwrap().to_owned();
            let card = CardState::from_bytes(&record.value).unwrap();
            for (version, cntr) in (1..).zip(card.counters()) {
                found.insert(format!("card {iccid} {version}"), cntr.get());
            }
            found.insert(format!("applet {iccid}"), card.applet_counter());
            tries.insert(iccid, card.pin_tries());
        }
        for (counter, highest) in &self.counters {
            let now = found.get(counter);
            assert!(
                now >= Some(highest),
                "{counter} was {highest} and is {now:?}"
            );
        }
        for (iccid, fewest) in &self.tries {
            assert!(
                tries[iccid] <= *fewest,
                "{iccid} had {fewest} tries and has {}",
                tries[iccid]
            );
        }
        for (counter, value) in found {
            self.at_least(counter, value);
        }
        for (iccid, left) in tries {
            self.at_most(&iccid, left);
        }
    }

    /// Whether the challenge that was sent last has reached the applet.
    fn card_took_the_challenge(&self, flow: &Begun) -> bool {
        let iccid = self.iccid(&flow.msisdn);
        let counter = |name: &str| self.counters.get(&format!("{name} {iccid}")).copied();
        counter("mssp").is_some_and(|sent| counter("applet") == Some(sent))
    }

    /// Submits every recorded message once more, as it was on the way to the card: the card refuses each.
    fn replay_everything(&mut self, up: &Up) {
        let old: Vec<_> = self.recorded.clone().into_iter().collect();
        // Those of the last rounds; the others were tried before.
        for (octets, msisdn) in old.iter().rev().take(3) {
            let deliver = Deliver::parse(octets).unwrap();
            let message = ShortMessage {
                source: "8220".into(),
                source_npi: 1,
                destination: msisdn.trim_start_matches('+').into(),
                destination_ton: 1,
                destination_npi: 1,
                esm_class: esm_class::UDHI,
                protocol_id: deliver.pid.0,
                data_coding: deliver.dcs.0,
                short_message: deliver.user_data.to_octets(),
                ..ShortMessage::default()
            };
            let id = submit(up.url("smpp"), &message);
            let refused = up.until(|| {
                let lines = lines(up, &format!("smpp:{id}"));
                // The trace may hold more: the card's refusal makes the platform send its own packet again.
                let sent = lines.iter().position(|line| {
                    line["name"] == "RP-DATA (SMS-DELIVER)"
                        && line["parent"] == format!("smpp:{id}")
                });
                let verdict = sent.and_then(|sent| {
                    let mut after = lines[sent..]
                        .iter()
                        .filter(|line| line["own"] == lines[sent]["own"]);
                    after.find(|line| line["name"].as_str().unwrap().starts_with("command packet"))
                });
                assert!(
                    verdict.is_none_or(|line| line["name"] == "command packet refused"),
                    "a replay to {msisdn} was accepted: {lines:#?}"
                );
                verdict.is_some()
            });
            assert!(refused, "nothing is known of the replay to {msisdn}");
        }
        self.recorded.clear();
    }

    fn iccid(&self, msisdn: &str) -> String {
        let subscriber = self.world.subscriber(&msisdn.parse().unwrap()).unwrap();
        subscriber.iccid.digits().to_owned()
    }
}

/// The number of the n-th user who never types the right PIN.
fn forgetful(n: usize) -> String {
    number(900 + n)
}

fn with_forgetful(world: &str) -> String {
    let users = (0..KILLS).map(|n| {
        format!(
            "\n[[subscriber]]\nmsisdn = \"{}\"\npersona = {{ kind = \"wrong-pin\", times = 9 }}\n",
            forgetful(n)
        )
    });
    users.fold(world.to_owned(), |world, user| world + &user)
}

fn trace(up: &Up, flow: &Begun) -> Vec<Value> {
    lines(up, &format!("auth_req_id:{}", flow.auth_req_id))
}

/// All that has happened in this life of the process.
fn told(up: &Up) -> String {
    let traces = up.get("/api/v1/traces?limit=1000").unwrap();
    let traces = traces["traces"].as_array().unwrap().iter().rev();
    let lines = traces.flat_map(|one| lines(up, one["id"].as_str().unwrap()));
    let lines = lines.map(|line| format!("{} {} {}", line["at"], line["name"], line["fields"]));
    lines.collect::<Vec<_>>().join("\n")
}

/// The lines of a trace; none if it has not begun.
fn lines(up: &Up, id: &str) -> Vec<Value> {
    match up.get(&format!("/api/v1/traces/{id}")) {
        Some(mut trace) => serde_json::from_value(trace["lines"].take()).unwrap(),
        None => Vec::new(),
    }
}

/// Submits a message as an ESME of the platform's account that only sends; gives the SMSC's id of it.
fn submit(address: &str, message: &ShortMessage) -> String {
    // No time-out of this session matters here.
    let now = Timestamp::UNIX_EPOCH;
    let config = EsmeConfig {
        system_id: "midsim".into(),
        password: Secret::new(b"midsim".to_vec()),
        system_type: String::new(),
        mode: BindMode::Transmitter,
        limits: Limits::default(),
    };
    let mut session = Session::esme(config, now).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut octets = [0; 4096];
    loop {
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Bound { .. } => session.submit("1".into(), message, now).unwrap(),
                SessionEvent::Response { result, .. } => return result.unwrap(),
                SessionEvent::Closed(why) => panic!("{why}"),
                SessionEvent::Message { .. }
                | SessionEvent::Multi { .. }
                | SessionEvent::Operation { .. }
                | SessionEvent::Pdu { .. } => {}
            }
        }
        while let Some(pdu) = session.poll_transmit() {
            stream.write_all(&pdu).unwrap();
        }
        let read = stream.read(&mut octets).unwrap();
        session.handle_bytes(&octets[..read], now);
    }
}
