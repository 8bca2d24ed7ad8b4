//! `midsim sim attach`: a card in a virtual PC/SC reader.

use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::WhichCard;
use super::hints::hints;
use super::midsim::{Midsim, Seen, WhichMidsim};
use crate::cards::{KnownCard, LooseCard};
use crate::cli::{FAILURE, OK, USAGE, complain, log_to_stderr};
use crate::runtime::chance::Chance;
use crate::sockets::shutdown::{self, Shutdown};
use crate::sockets::vpcd;

/// How long a reader may take to ask for its card before its user is told that it has not. pcscd does so twice a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a midsim holds a question for news, in seconds.
const HOLD: u64 = 20;

/// Put a card into a virtual PC/SC reader (pcscd with vsmartcard-vpcd) until Ctrl-C
///
/// Where a midsim runs at --ui it is the card of that midsim, whose own handset is off meanwhile. Otherwise it is a card by itself,
/// fresh each time.
#[derive(Args)]
pub(in crate::cli) struct Attach {
    #[command(flatten)]
    card: WhichCard,
    /// Where the reader's driver listens
    #[arg(long, value_name = "HOST:PORT", default_value = vpcd::READER)]
    reader: String,
    #[command(flatten)]
    midsim: WhichMidsim,
    /// A card by itself, even where a midsim runs
    #[arg(long)]
    alone: bool,
    /// Print every exchange, secrets masked
    #[arg(long)]
    trace: bool,
}

/// Why there is no card in the reader, with the exit code for it.
type Failed = (String, u8);

impl Attach {
    pub(super) fn run(self) -> u8 {
        log_to_stderr();
        match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime.block_on(self.stay()),
            Err(error) => complain(&error, FAILURE),
        }
    }

    async fn stay(self) -> u8 {
        let (stopper, stop) = shutdown::channel();
        let signals = match shutdown::Signals::with_hangup() {
            Ok(signals) => signals,
            Err(error) => return complain(&error, FAILURE),
        };
        let played = tokio::select! {
            played = self.play(&stop) => played,
            () = stopper.on_signals(signals) => Ok(()),
        };
        match played {
            Ok(()) => OK,
            Err((why, code)) => complain(&why, code),
        }
    }

    async fn play(&self, stop: &Shutdown) -> Result<(), Failed> {
        let midsim = Midsim::new(&self.midsim, &self.card.card);
        let runs = async { !self.alone && midsim.runs().await };
        match until(stop, runs).await {
            Some(true) => self.of_midsim(&midsim, stop).await,
            Some(false) => self.by_itself(stop).await,
            None => Ok(()),
        }
    }

    /// The running midsim holds the connection; we watch.
    async fn of_midsim(&self, midsim: &Midsim, stop: &Shutdown) -> Result<(), Failed> {
        let begun = Instant::now();
        let attaching = async {
            self.check(&midsim.look(0, 0).await.map_err(failed)?.card)?;
            midsim.attach(&self.reader).await.map_err(failed)
        };
        // Broken off, the card goes back by itself.
        let Some(seen) = until(stop, attaching).await else {
            return Ok(());
        };
        let watched = until(stop, self.watch(midsim, seen?, begun)).await;
        match watched {
            // It is in the reader no longer.
            Some(Ok(())) => Err(failed("the reader has gone".to_owned())),
            // Whatever is wrong with us, the card must not stay there.
            Some(Err(why)) => {
                let _ = midsim.detach().await;
                Err(why)
            }
            None => midsim.detach().await.map_err(failed),
        }
    }

    /// Whether it is the card that was asked for.
    fn check(&self, card: &KnownCard) -> Result<(), Failed> {
        if !self.card.world.names_card_profile() {
            return Ok(());
        }
        let (own, _) = self
            .card
            .load()
            .map_err(|error| (error.to_string(), USAGE))?;
        let (wanted, profile) = (&own.profile().name, &card.profile);
        if wanted == profile {
            return Ok(());
        }
        let why = format!(
            "the card of the midsim at {} has profile {profile:?}, --card-profile says {wanted:?}: \
             start midsim with --card-profile, or take a card by itself with --alone",
            self.midsim.ui
        );
        Err((why, USAGE))
    }

    /// Tells what happens until the reader has gone.
    async fn watch(&self, midsim: &Midsim, mut seen: Seen, begun: Instant) -> Result<(), Failed> {
        let (mut after, mut greeted, mut complained) = (0, false, false);
        loop {
            if seen.asked && !greeted {
                greeted = true;
                self.greet(
                    &format!("the card of the midsim at {}", self.midsim.ui),
                    &seen.card,
                );
            }
            if self.trace {
                let lines = seen.lines.iter();
                let printed = lines.map(|line| writeln!(io::stdout(), "{line}"));
                printed
                    .collect::<io::Result<()>>()
                    .map_err(|error| failed(error.to_string()))?;
            }
            after = seen.commands.max(after);
            if !seen.attached {
                return Ok(());
            }
            if !greeted && !complained && begun.elapsed() >= PATIENCE {
                complained = true;
                self.is_not_asked();
            }
            let hold = if greeted { HOLD } else { 1 };
            seen = midsim.look(after, hold).await.map_err(failed)?;
        }
    }

    async fn by_itself(&self, stop: &Shutdown) -> Result<(), Failed> {
        let card = self.card.load();
        let (uicc, subscriber) = card.map_err(|error| (error.to_string(), USAGE))?;
        let chance = Chance::system().map_err(|error| failed(error.to_string()))?;
        let known = KnownCard::new(uicc.profile(), uicc.subscriber(), uicc.state());
        let trace = self.trace;
        let mut card = LooseCard::new(uicc, chance, move |line| {
            if trace {
                // Whoever does not look any more has the card all the same.
                let _ = writeln!(io::stdout(), "{line}");
            }
        });
        let playing = async {
            let at = vpcd::find(&self.reader).await;
            let at = at.map_err(|error| failed(error.to_string()))?;
            let stream = vpcd::connect(&self.reader, &at).await;
            let stream = stream.map_err(|error| failed(error.to_string()))?;
            let broken = |error: io::Error| failed(error.to_string());
            if self.asked(&stream).await.map_err(broken)? {
                self.greet(
                    &format!("a card like that of {}", subscriber.msisdn),
                    &known,
                );
                vpcd::serve(stream, &mut card).await.map_err(broken)?;
            }
            Err(failed("the reader has gone".to_owned()))
        };
        until(stop, playing).await.unwrap_or(Ok(()))
    }

    /// Waits until the reader asks for its card; `false` if it hangs up.
    async fn asked(&self, stream: &TcpStream) -> io::Result<bool> {
        let mut asked = pin!(vpcd::asked(stream));
        if let Ok(asked) = timeout(PATIENCE, &mut asked).await {
            return asked;
        }
        self.is_not_asked();
        asked.await
    }

    // A terminal that has closed takes no more text, which must not end us before the card is back.
    fn greet(&self, what: &str, card: &KnownCard) {
        let _ = writeln!(
            io::stderr(),
            "{what} is in the reader at {reader}; Ctrl-C takes it out\n\n{hints}",
            reader = self.reader,
            hints = hints(&self.reader, card)
        );
    }

    fn is_not_asked(&self) {
        let _ = writeln!(
            io::stderr(),
            "the reader at {} does not ask for the card: another one is in it, perhaps; waiting, Ctrl-C ends that",
            self.reader
        );
    }
}

/// What comes of it; `None` if we are told to stop before.
async fn until<T>(stop: &Shutdown, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = stop.draining() => None,
    }
}

fn failed(why: String) -> Failed {
    (why, FAILURE)
}
