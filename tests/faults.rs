//! Faults between the parties, over real sockets: every one ends in one outcome, the trace says what happened, and the
//! next good request succeeds.

use midsim::faults::{Action, Fault, LinkName};
use midsim::suite::{Builder, MssMode};
use midsim::trace::Line;
use midsim::users::{Key, Press};
use midsim::wiring::Humans;
use midsim::world::World;
use zeroize::Zeroizing;

use crate::support::sockets::{ADA, BEN, Bench, field, line, msisdn, named, outline};

impl Bench {
    pub(crate) fn break_link(&self, link: LinkName, action: Action, skip: u32, times: u32) {
        self.suite
            .faults()
            .add(Fault {
                link,
                action,
                skip,
                times,
            })
            .unwrap();
    }

    /// A person presses a key on the only popup there is.
    async fn press(&self, action: Key, text: Option<&str>) {
        let open = self.suite.users().open();
        assert_eq!(open.len(), 1, "{open:?}");
        let text = text.map(|text| Zeroizing::new(text.to_owned()));
        self.suite
            .press(open[0].id, Press { action, text })
            .unwrap();
        self.idle().await;
    }

    /// How often each of these names stands in the trace of a transaction.
    fn counts<const N: usize>(&self, id: &str, names: [&str; N]) -> [usize; N] {
        let lines = self.lines(id);
        names.map(|name| named(&lines, name).len())
    }
}

const SUBMIT: &str = "submit_sm (command packet)";
const ACCEPTED: &str = "command packet accepted";
const REFUSED: &str = "command packet refused";
const POR: &str = "response packet (PoR)";
const TOKENS: &str = "id_token, access_token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrupted_sms() {
    let bench = Bench::start().await;
    bench.break_link(LinkName::SmscToHandset, Action::Corrupt, 0, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench.expect_tokens("poll", &id).await;
    let lines = bench.lines(&id);
    line(&lines, "fault: corrupted on the way");
    line(&lines, REFUSED);
    // DESIGN §2: an unauthenticated error is a hint, good for one re-send with a new counter.
    let por = line(&lines, POR);
    assert_eq!(field(por, "authenticated"), "false");
    assert_eq!(field(por, "effect"), "send again with a new counter");
    let counters: Vec<_> = named(&lines, SUBMIT)
        .into_iter()
        .map(|line| field(line, "CNTR").to_owned())
        .collect();
    assert_eq!(counters.len(), 2);
    assert!(counters[0] < counters[1], "{counters:?}");
    assert_eq!(named(&lines, TOKENS).len(), 1);

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sms_that_is_always_corrupted() {
    let bench = Bench::start().await;
    // The message, not the acknowledgement of the answer to it, and the message again.
    bench.break_link(LinkName::SmscToHandset, Action::Corrupt, 0, 1);
    bench.break_link(LinkName::SmscToHandset, Action::Corrupt, 2, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    // Anybody can send an unsigned error: it ends nothing, and there is no third packet.
    bench
        .expect_error("poll", &id, "authorization_pending")
        .await;
    let lines = bench.lines(&id);
    assert_eq!(named(&lines, SUBMIT).len(), 2);
    let effects: Vec<_> = named(&lines, POR)
        .into_iter()
        .map(|line| field(line, "effect"))
        .collect();
    assert_eq!(effects, ["send again with a new counter", "wait"]);
    bench.advance(120).await;
    bench.expect_error("poll", &id, "expired_token").await;

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replayed_sms() {
    let bench = Bench::start().await;
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    let recorded = sms_deliver(&bench.lines(&id));
    bench.suite.sim(msisdn(BEN)).radio(recorded.clone()).await;
    bench.idle().await;
    assert_eq!(
        bench.counts(&id, [ACCEPTED, REFUSED, "challenge"]),
        [1, 1, 2]
    );
    let lines = bench.lines(&id);
    let refused = line(&lines, REFUSED);
    assert!(
        field(refused, "reason").contains("is not above"),
        "{refused:?}"
    );
    let por = line(&lines, "PoR");
    assert!(field(por, "status").starts_with("02 "), "{por:?}");
    let ignored = line(&lines, "deliver_sm ignored");
    assert!(field(ignored, "why").contains("nothing"), "{ignored:?}");
    bench.expect_tokens("poll", &id).await;

    // And while the next transaction waits for its user.
    let mut builder = Builder::new(World::default());
    builder = builder.humans(Humans::Ask);
    bench.finish().await;
    let bench = Bench::of(builder).await;
    let first = bench.begin("poll", ADA).await;
    bench.idle().await;
    let recorded = sms_deliver(&bench.lines(&first));
    bench.press(Key::Ok, None).await;
    bench.press(Key::Text, Some("1234")).await;
    bench.expect_tokens("poll", &first).await;
    let second = bench.begin("poll", ADA).await;
    bench.idle().await;
    bench.suite.sim(msisdn(ADA)).radio(recorded).await;
    bench.idle().await;
    assert_eq!(bench.counts(&second, [SUBMIT, ACCEPTED]), [1, 1]);
    bench.press(Key::Ok, None).await;
    bench.press(Key::Text, Some("1234")).await;
    bench.expect_tokens("poll", &second).await;

    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

/// The RP message that brought the SMS-DELIVER, as a listener on the radio recorded it.
fn sms_deliver(lines: &[Line]) -> Vec<u8> {
    let recorded = line(lines, "RP-DATA (SMS-DELIVER)");
    assert_eq!((recorded.from, recorded.to), ("SMSC", "Handset"));
    let heard = lines
        .iter()
        .filter(|line| line.name == "RP-DATA (SMS-DELIVER)")
        .filter_map(|line| line.octets.as_ref())
        .find(|octets| octets.kind == "rp")
        .unwrap_or_else(|| panic!("{}", outline(lines)));
    hex::decode(&heard.hex).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_sms() {
    let bench = Bench::start().await;
    bench.break_link(LinkName::SmscToHandset, Action::Lose, 0, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench
        .expect_error("poll", &id, "authorization_pending")
        .await;
    line(&bench.lines(&id), "fault: lost on the way");
    bench.advance(110).await;
    let lines = bench.lines(&id);
    line(&lines, "no RP-ACK in time");
    assert_eq!(named(&lines, ACCEPTED).len(), 1, "{}", outline(&lines));
    bench.expect_tokens("poll", &id).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_acknowledgement_of_an_sms() {
    let bench = Bench::start().await;
    // The first message of the handset is its RP-ACK: the SMSC sends what the card has already taken.
    bench.break_link(LinkName::HandsetToSmsc, Action::Lose, 0, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench.advance(110).await;
    let lines = bench.lines(&id);
    line(&lines, "fault: lost on the way");
    line(&lines, REFUSED);
    assert_eq!(
        named(&lines, "PIN compared").len(),
        1,
        "{}",
        outline(&lines)
    );
    bench.expect_tokens("poll", &id).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicated_sms() {
    let bench = Bench::of(Builder::new(World::default()).humans(Humans::Ask)).await;
    bench.break_link(LinkName::SmscToHandset, Action::Duplicate, 0, 1);
    let id = bench.begin("poll", ADA).await;
    bench.idle().await;
    line(&bench.lines(&id), "fault: arrives twice");
    bench.press(Key::Ok, None).await;
    bench.press(Key::Text, Some("1234")).await;
    bench.expect_tokens("poll", &id).await;
    let lines = bench.lines(&id);
    // The card is busy with the first copy and says so.
    line(&lines, "RP-ERROR");
    assert_eq!(named(&lines, ACCEPTED).len(), 1);
    assert_eq!(
        named(&lines, "PIN compared").len(),
        1,
        "the user is asked once\n{}",
        outline(&lines)
    );
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicated_answer() {
    let bench = Bench::start().await;
    // RP-ACK, then the answer.
    bench.break_link(LinkName::HandsetToSmsc, Action::Duplicate, 1, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    let lines = bench.lines(&id);
    line(&lines, "RP-DATA repeated");
    assert_eq!(named(&lines, "verify response").len(), 1);
    bench.expect_tokens("poll", &id).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answer() {
    answer_that_does_not_arrive(Action::Lose, "fault: lost on the way", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrupted_answer() {
    answer_that_does_not_arrive(Action::Corrupt, "fault: corrupted on the way", 1).await;
}

/// The card answers a challenge once. `looked_at`: how many answers reach the MSSP, none of them good.
async fn answer_that_does_not_arrive(action: Action, fault: &str, looked_at: usize) {
    let bench = Bench::start().await;
    // RP-ACK, then the answer.
    bench.break_link(LinkName::HandsetToSmsc, action, 1, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench
        .expect_error("poll", &id, "authorization_pending")
        .await;
    bench.advance(120).await;
    bench.expect_error("poll", &id, "expired_token").await;
    let lines = bench.lines(&id);
    line(&lines, fault);
    let responses = named(&lines, "verify response");
    assert_eq!(responses.len(), looked_at, "{}", outline(&lines));
    for response in responses {
        let why = "its MAC is wrong, or it answers another challenge";
        assert_eq!(field(response, "dropped"), why);
    }
    assert_eq!(named(&lines, "PIN compared").len(), 1);
    assert_eq!(named(&lines, "no tokens").len(), 1);
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_on_parts_of_a_long_message() {
    let text = "Midsim Bank: pay 1234.56 EUR to Jun Sato? ".repeat(4);
    for (action, skip) in [
        (Action::Lose, 0),
        (Action::Lose, 1),
        (Action::Corrupt, 0),
        (Action::Corrupt, 1),
        (Action::Duplicate, 0),
        (Action::Duplicate, 1),
    ] {
        let bench = Bench::start().await;
        bench.break_link(LinkName::SmscToHandset, action, skip, 1);
        let id = bench
            .begin_with("poll", BEN, &[("binding_message", text.trim())])
            .await;
        bench.idle().await;
        bench.advance(110).await;
        let lines = bench.lines(&id);
        assert_eq!(field(line(&lines, SUBMIT), "short messages"), "2");
        assert!(
            lines.iter().any(|line| line.name.starts_with("fault: ")),
            "{action:?} {skip}"
        );
        bench.expect_tokens("poll", &id).await;
        let asked = named(&lines, "PIN compared").len();
        assert_eq!(asked, 1, "{action:?} {skip}\n{}", outline(&lines));
        bench.next_good_request_succeeds().await;
        bench.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_notification() {
    let bench = Bench::start().await;
    bench.break_link(LinkName::MsspToOp, Action::Lose, 0, 1);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench
        .expect_error("poll", &id, "authorization_pending")
        .await;
    line(&bench.lines(&id), "fault: lost on the way");
    bench.advance(5).await;
    bench.expect_tokens("poll", &id).await;
    let lines = bench.lines(&id);
    assert_eq!(named(&lines, TOKENS).len(), 1);
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_notification_dropped() {
    let bench = Bench::start().await;
    bench.break_link(LinkName::MsspToOp, Action::Lose, 0, 6);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench.advance(109).await;
    bench
        .expect_error("poll", &id, "authorization_pending")
        .await;
    // The OP looks once more before expiry.
    bench.advance(5).await;
    bench.expect_tokens("poll", &id).await;
    line(&bench.lines(&id), "MSS_StatusReq");
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_answer_after_expiry() {
    for mode in [
        MssMode::AsynchServerServer,
        MssMode::AsynchClientServer,
        MssMode::Synch,
    ] {
        late_answer(mode).await;
    }
}

async fn late_answer(mode: MssMode) {
    let builder = Builder::new(World::default()).humans(Humans::Ask);
    let bench = Bench::of(builder.mss_mode(mode)).await;
    let id = bench
        .begin_with("poll", ADA, &[("requested_expiry", "30")])
        .await;
    bench.idle().await;
    bench.advance(25).await;
    bench.press(Key::Ok, None).await;
    bench.advance(6).await;
    bench.expect_error("poll", &id, "expired_token").await;
    bench.press(Key::Text, Some("1234")).await;
    let lines = bench.lines(&id);
    let response = line(&lines, "verify response");
    assert_eq!(
        field(response, "dropped"),
        "the transaction has already ended with 208 EXPIRED_TRANSACTION"
    );
    assert_eq!(named(&lines, "no tokens").len(), 1, "{}", outline(&lines));
    assert_eq!(named(&lines, TOKENS).len(), 0);
    assert_eq!(field(line(&lines, "no tokens"), "outcome"), "expired");
    bench.advance(100).await;
    bench.expect_error("poll", &id, "expired_token").await;

    // The same person, the same card.
    let id = bench.begin("poll", ADA).await;
    bench.idle().await;
    bench.press(Key::Ok, None).await;
    bench.press(Key::Text, Some("1234")).await;
    bench.advance(5).await;
    bench.expect_tokens("poll", &id).await;
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_query_lost_after_the_notification() {
    let bench = Bench::start().await;
    // MSS_Signature passes; three times nobody hears that the OP asks.
    bench.break_link(LinkName::OpToMssp, Action::Lose, 1, 3);
    let id = bench.begin("poll", BEN).await;
    bench.idle().await;
    bench
        .expect_error("poll", &id, "authorization_pending")
        .await;
    bench.advance(10).await;
    bench.expect_tokens("poll", &id).await;
    assert_eq!(
        bench.counts(
            &id,
            [
                "fault: lost on the way",
                "MSS_StatusQuery: no answer in time",
                TOKENS
            ]
        ),
        [3, 3, 1]
    );
    bench.next_good_request_succeeds().await;
    bench.finish().await;
}

/// Every fault on every link, alone and before another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_two_faults_leave_one_outcome() {
    let radio = [LinkName::SmscToHandset, LinkName::HandsetToSmsc];
    let actions = [Action::Corrupt, Action::Duplicate, Action::Lose];
    let mut faults: Vec<(LinkName, Action, u32)> = Vec::new();
    for skip in 0..3 {
        for action in actions {
            faults.extend(radio.map(|link| (link, action, skip)));
        }
        for link in [LinkName::OpToMssp, LinkName::MsspToOp] {
            faults.push((link, Action::Lose, skip));
        }
    }
    let bench = Bench::start().await;
    for (index, first) in faults.iter().enumerate() {
        for step in [0, 1, 7] {
            let second = faults[(index + step) % faults.len()];
            bench.break_link(first.0, first.1, first.2, 1);
            if step > 0 {
                bench.break_link(second.0, second.1, second.2, 1);
            }
            let id = bench.begin("poll", BEN).await;
            let what = format!("{first:?} and {second:?}");
            bench.one_outcome(&id, &what).await;
            bench.suite.faults().clear();
            bench.next_good_request_succeeds().await;
        }
    }
    bench.finish().await;
}

impl Bench {
    /// A client polls until the request ends; it ends in one way and stays so.
    async fn one_outcome(&self, id: &str, what: &str) {
        let mut polls = 0;
        let ended = loop {
            self.advance(5).await;
            let answer = self.token("poll", id).await;
            polls += 1;
            if answer.json()["error"] != "authorization_pending" {
                break answer;
            }
            assert!(polls < 25, "{what}: pending after expires_in");
        };
        // Whatever else is still under way changes nothing.
        self.advance(130).await;
        let again = self.token("poll", id).await.json();
        let lines = self.lines(id);
        let trace = format!("{what}, after {polls} polls\n{}", outline(&lines));
        let [approved, failed, typed] = self.counts(id, [TOKENS, "no tokens", "PIN compared"]);
        if ended.status == 200 {
            assert_eq!((approved, failed), (1, 0), "{trace}");
            assert_eq!(again["error"], "invalid_grant", "{trace}");
        } else {
            assert_eq!((approved, failed), (0, 1), "{trace}");
            assert_eq!(again, ended.json(), "{trace}");
            let error = again["error"].as_str().unwrap();
            let known = ["expired_token", "access_denied"];
            assert!(known.contains(&error), "{error}: {trace}");
        }
        assert!(typed <= 1, "{trace}");
    }
}
