//! `midsim demo`: one Appendix A flow, step by step.

use std::cell::RefCell;
use std::collections::HashSet;
use std::convert::Infallible;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use ota_wire::ids::Msisdn;
use serde_json::json;

use super::options::CONFIGURATION;
use super::steps::Steps;
use super::{FAILURE, OK, SuiteOptions, USAGE, WorldOptions, complain, print_json};
use crate::rp::{self, Ended, Flow};
use crate::suite::{Running, StartError};
use crate::trace::Line;
use crate::world::{Applet, Mode, Persona, Subscriber, World};

/// The user cancelled.
const CANCELLED: u8 = 20;
/// The PIN is blocked.
const PIN_BLOCKED: u8 = 21;
/// Nobody answered in time.
const EXPIRED: u8 = 22;
/// Something in the chain failed.
const CHAIN: u8 = 23;

const EXIT: &str = "\
Exit status: 0 tokens, 20 the user cancelled, 21 the PIN is blocked, 22 nobody answered in time,
23 something in the chain said no or failed; 1 if midsim itself failed, 2 for wrong usage.";

/// Run one Appendix A flow and show its sixteen steps
///
/// Everything runs on free ports and on a clock that jumps to the next timer when everybody waits.
#[derive(Args)]
#[command(after_help = EXIT, after_long_help = format!("{EXIT}\n\n{CONFIGURATION}"))]
pub(super) struct Demo {
    #[command(flatten)]
    world: WorldOptions,
    /// How the tokens reach the RP
    #[arg(long, value_enum, default_value_t = Delivery::Poll)]
    mode: Delivery,
    /// Who holds the phone: a number, or one of human, approve, slow, cancel, wrong-pin, pin-blocked, ignore,
    /// no-coverage, busy, confirm-only
    #[arg(long, default_value = "human", value_name = "PERSONA|NUMBER")]
    user: User,
    /// The number of the phone
    #[arg(long, conflicts_with = "user", value_name = "NUMBER")]
    msisdn: Option<Msisdn>,
    /// acr_values of the request: mod-mf asks for the PIN, mod-pr only for OK
    #[arg(long, default_value = "mod-mf")]
    acr: String,
    /// binding_message: what the user reads
    #[arg(
        long,
        default_value = "Midsim Bank: sign in? Code W4SCT",
        value_name = "TEXT"
    )]
    text: String,
    /// Everything in one thread instead of over sockets
    #[arg(long)]
    in_process: bool,
    /// Let time pass instead of jumping to the next timer
    #[arg(long, conflicts_with = "in_process")]
    real_time: bool,
    /// Wait for Enter before each step is shown
    #[arg(long, conflicts_with = "json")]
    step: bool,
    /// Show every event with every field, APDU by APDU
    #[arg(long)]
    all: bool,
    /// One JSON document: tokens, steps and outcome
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    suite: SuiteOptions,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Delivery {
    Poll,
    Ping,
    Push,
}

/// Who holds the phone.
#[derive(Clone, Debug)]
enum User {
    Number(Msisdn),
    Persona(Kind),
}

/// What a user of the world is like.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Kind {
    Human,
    Approve,
    Slow,
    Cancel,
    WrongPin,
    PinBlocked,
    Ignore,
    NoCoverage,
    Busy,
    ConfirmOnly,
}

impl Demo {
    pub(super) fn run(self) -> u8 {
        let world = match self.world.load() {
            Ok(world) => world,
            Err(error) => return complain(&error, USAGE),
        };
        let number = match self.number(&world) {
            Ok(number) => number,
            Err(why) => return complain(&why, USAGE),
        };
        if world.subscriber(&number).is_none() {
            eprintln!(
                "midsim: nobody has {number}; --any-number makes a subscriber of it, `midsim world` lists the others"
            );
        }
        let result = if self.in_process {
            self.in_process(world, number)
        } else {
            self.over_sockets(world, number)
        };
        match result {
            Ok((ended, lines)) => self.show(&ended, &lines),
            Err(error) => match error.downcast_ref::<StartError>() {
                Some(error) => super::not_started(error),
                None => complain(&error, FAILURE),
            },
        }
    }
}

impl Demo {
    fn number(&self, world: &World) -> Result<Msisdn, String> {
        match (&self.msisdn, &self.user) {
            (Some(number), _) | (None, User::Number(number)) => Ok(number.clone()),
            (None, User::Persona(kind)) => world
                .named()
                .find(|subscriber| kind.is(subscriber))
                .map(|subscriber| subscriber.msisdn)
                .ok_or_else(|| {
                    let names = kind.to_possible_value();
                    let name = names.as_ref().map_or("such", |name| name.get_name());
                    format!("this world has no {name} user; `midsim world` lists them")
                }),
        }
    }

    fn flow(&self, world: &World, number: &Msisdn, issuer: String) -> Flow {
        let mode = self.mode.into();
        let client = world
            .clients
            .iter()
            .find(|client| client.mode == mode && client.secret.is_some());
        let (client_id, client_secret) = client
            .map(|client| (client.id.clone(), client.secret.clone().unwrap_or_default()))
            .unwrap_or_default();
        Flow {
            issuer,
            client_id,
            client_secret,
            mode,
            login_hint: number.to_string(),
            acr_values: self.acr.clone(),
            scope: "openid profile phone".into(),
            binding_message: Some(self.text.clone()),
            requested_expiry: None,
            notification_token: "demo-notification-token-of-the-RP".into(),
        }
    }

    fn in_process(
        &self,
        world: World,
        number: Msisdn,
    ) -> Result<(Ended, Vec<Line>), Box<dyn std::error::Error>> {
        let mut suite = self.suite.builder(world.clone()).in_process()?;
        let flow = self.flow(&world, &number, suite.issuer());
        let ended = suite.run(&flow)?;
        let lines = suite.lines();
        if !self.json {
            let mut steps = self.steps();
            for line in &lines {
                steps.show(line);
            }
            steps.end();
        }
        Ok((ended, lines))
    }

    fn over_sockets(
        &self,
        world: World,
        number: Msisdn,
    ) -> Result<(Ended, Vec<Line>), Box<dyn std::error::Error>> {
        tokio::runtime::Runtime::new()?.block_on(async {
            let builder = self.suite.builder(world.clone());
            let suite = if self.real_time {
                builder
            } else {
                builder.frozen_clock()
            }
            .start()
            .await?;
            let flow = self.flow(&world, &number, suite.op_url());
            let port = suite.rp_port();
            let screen = Screen {
                demo: self,
                suite: &suite,
                steps: RefCell::new(self.steps()),
                printed: RefCell::default(),
            };
            let ended = tokio::select! {
                biased;
                ended = rp::run(port.as_ref(), &flow) => ended,
                never = screen.follow() => match never {},
            };
            suite.clock().idle().await;
            screen.print_new();
            if !self.json {
                screen.steps.borrow_mut().end();
            }
            let lines = suite
                .trace_log()
                .last()
                .map(|trace| trace.render().lines)
                .unwrap_or_default();
            suite.shutdown().await;
            Ok((ended, lines))
        })
    }

    fn steps(&self) -> Steps {
        Steps::new(self.all, self.step)
    }

    fn show(&self, ended: &Ended, lines: &[Line]) -> u8 {
        let code = exit_code(ended, lines);
        if self.json {
            let steps: Vec<_> = lines
                .iter()
                .filter(|line| self.all || line.step.is_some())
                .collect();
            print_json(
                &json!({"schema_version": 1, "exit": code, "result": ended, "steps": steps}),
            );
            return code;
        }
        println!();
        match ended {
            Ended::Tokens(tokens) => {
                println!(
                    "The RP has its tokens. It has verified the id_token's ES256 signature with the OP's"
                );
                println!("JWKS, and its issuer, audience and times.\n");
                println!("id_token      {}", tokens.id_token);
                println!("claims        {}", tokens.claims);
                println!("access_token  {}", tokens.access_token);
                println!("userinfo      {}", tokens.userinfo);
            }
            Ended::Refused {
                error,
                description,
                at,
            } => {
                println!(
                    "No tokens: {at} answers {error}{}",
                    description
                        .as_ref()
                        .map_or_else(String::new, |d| format!(" ({d})"))
                );
            }
            Ended::Broken { why } => println!("No tokens: {why}"),
        }
        code
    }
}

/// Prints steps as they happen, and moves a frozen clock whenever everybody waits.
struct Screen<'a> {
    demo: &'a Demo,
    suite: &'a Running,
    steps: RefCell<Steps>,
    printed: RefCell<HashSet<u64>>,
}

impl Screen<'_> {
    async fn follow(&self) -> Infallible {
        let mut changes = self.suite.trace_log().watch();
        let clock = self.suite.clock();
        loop {
            if clock.is_frozen() {
                // Only when everybody waits is it known what belongs to this flow, and in which order.
                clock.idle().await;
                self.print_new();
                let before = clock.now();
                if clock.jump_to_next().await.is_none() {
                    tokio::task::yield_now().await;
                }
                let by = clock.now().duration_since(before);
                self.steps.borrow_mut().passed(by);
            } else {
                // The sender lives as long as the suite.
                let _ = changes.changed().await;
                self.print_new();
            }
        }
    }

    fn print_new(&self) {
        if self.demo.json {
            return;
        }
        let Some(trace) = self.suite.trace_log().last() else {
            return;
        };
        // What was seen of a message before its cause was known comes later and belongs earlier: no count would do.
        for line in trace.render().lines {
            if self.printed.borrow_mut().insert(line.seq) {
                self.steps.borrow_mut().show(&line);
            }
        }
    }
}

/// DESIGN §3: 0 tokens, 20 cancelled, 21 PIN blocked, 22 expired, 23 a fault in the chain. What the OP may tell an RP is
/// less than what happened, so the MSSP's last status in the trace decides.
fn exit_code(ended: &Ended, lines: &[Line]) -> u8 {
    if matches!(ended, Ended::Tokens(_)) {
        return OK;
    }
    // `401 USER_CANCEL` or, as a fault has it, `mss:_401`.
    let status = lines
        .iter()
        .rev()
        .filter(|line| line.from == "MSSP" && line.to == "OP")
        .flat_map(|line| &line.fields)
        .filter(|(name, _)| name == "Status" || name == "code")
        .filter_map(|(_, value)| {
            value
                .split(|c: char| !c.is_ascii_digit())
                .find(|digits| digits.len() == 3)
        })
        // An acknowledgement that was overtaken by the result says nothing of it.
        .find(|status| !matches!(*status, "100" | "504"));
    let expired = matches!(ended, Ended::Refused { error, .. } if error == "expired_token");
    match status {
        Some("401") => CANCELLED,
        Some("402" | "403") => PIN_BLOCKED,
        Some("208") => EXPIRED,
        _ if expired => EXPIRED,
        _ => CHAIN,
    }
}

impl From<Delivery> for Mode {
    fn from(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Poll => Self::Poll,
            Delivery::Ping => Self::Ping,
            Delivery::Push => Self::Push,
        }
    }
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(kind) = Kind::from_str(text, false) {
            return Ok(Self::Persona(kind));
        }
        let number = text.parse().map(Self::Number);
        number
            .map_err(|_| "neither a persona (see --help) nor a number such as +447700900002".into())
    }
}

impl Kind {
    /// Whether a subscriber is of this kind and has no other trouble.
    fn is(self, subscriber: &Subscriber) -> bool {
        let trouble = match subscriber {
            s if s.pin_blocked => Some(Self::PinBlocked),
            s if !s.coverage => Some(Self::NoCoverage),
            s if s.applet == Applet::ConfirmOnly => Some(Self::ConfirmOnly),
            _ => None,
        };
        let kind = trouble.unwrap_or(match subscriber.persona {
            Persona::Approve { after_ms: 0 } => Self::Approve,
            Persona::Approve { .. } => Self::Slow,
            Persona::Busy => Self::Busy,
            Persona::Cancel | Persona::Decline => Self::Cancel,
            Persona::Human => Self::Human,
            Persona::Ignore => Self::Ignore,
            Persona::WrongPin { .. } => Self::WrongPin,
        });
        kind == self
    }
}
