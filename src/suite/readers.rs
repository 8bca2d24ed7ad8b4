//! Cards of a running suite in readers of other programs: the handset is off while its card is away.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ota_wire::ids::{Iccid, Msisdn};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::{Handle, NoSims, Reader, ReaderFailure, Sim};
use crate::cards::{KnownCard, exchange};
use crate::runtime::lock;
use crate::runtime::party::HandleError;
use crate::sockets::vpcd::{self, NoReader};

/// Which cards are in which readers.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<Msisdn, Arc<Attachment>>>);

/// A card in a reader, or on its way there.
struct Attachment {
    reader: String,
    /// What the reader's name stands for.
    at: Vec<SocketAddr>,
    log: Mutex<Log>,
    news: watch::Sender<News>,
}

#[derive(Clone, Copy, Debug)]
struct News {
    commands: u64,
    stage: Stage,
    /// Whether the reader has said anything to the card.
    asked: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
enum Stage {
    Connecting,
    InReader,
    Leaving,
    InHandset,
}

#[derive(Default)]
struct Log {
    commands: u64,
    lines: VecDeque<(u64, String)>,
}

/// What can be seen of a card in a reader.
#[derive(Clone, Debug, Serialize)]
pub struct Attached {
    /// Whether it is in a reader, or waits there for another card to leave.
    pub attached: bool,
    /// Whether the reader has asked for it. Only then it is certain that no other card is in it.
    pub asked: bool,
    /// Which one, `HOST:PORT`.
    pub reader: Option<String>,
    /// Commands so far.
    pub commands: u64,
    /// The latest exchanges, secrets masked.
    pub lines: Vec<String>,
}

/// Why a card is in no reader.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// It is in one.
    #[error(
        "the card is in the reader at {reader}; `midsim sim detach {msisdn}` or DELETE takes it out"
    )]
    Taken {
        /// Whose.
        msisdn: Msisdn,
        /// Which one.
        reader: String,
    },
    /// Another card is in the reader.
    #[error(
        "the card of {msisdn}{} is in the reader at {reader}; `midsim sim detach {msisdn}` or DELETE takes it out",
        .iccid.as_ref().map(|iccid| format!(", {},", iccid.digits())).unwrap_or_default()
    )]
    Occupied {
        /// Whose.
        msisdn: Msisdn,
        /// Which card.
        iccid: Option<Iccid>,
        /// Which reader.
        reader: String,
    },
    /// There is none, or it takes no card.
    #[error(transparent)]
    Reader(#[from] NoReader),
    /// It left before the reader had asked for it: the reader hung up, or somebody has taken it out.
    #[error("the card has left the reader at {reader} before it was asked for anything")]
    Gone {
        /// Which one.
        reader: String,
    },
    /// The number is nobody's.
    #[error("{0} is nobody's; `midsim world` lists the numbers")]
    Unknown(Msisdn),
    /// The process has no cards.
    #[error(transparent)]
    NoSims(#[from] NoSims),
    /// Its record cannot be read.
    #[error(transparent)]
    Handle(#[from] HandleError),
    /// It cannot be put into a reader.
    #[error(transparent)]
    Card(#[from] ReaderFailure),
}

impl Attachment {
    /// Exchanges that are kept for those who look.
    const KEPT: usize = 1000;

    fn exchanged(&self, command: &[u8], answer: &[u8]) {
        let mut log = lock(&self.log);
        log.commands += 1;
        let number = log.commands;
        if log.lines.len() == Self::KEPT {
            log.lines.pop_front();
        }
        log.lines
            .push_back((number, exchange(number, command, answer)));
        drop(log);
        self.news.send_modify(|news| news.commands = number);
    }

    fn ask(&self) {
        self.news.send_modify(|news| news.asked = true);
    }

    fn enter(&self, stage: Stage) {
        self.news
            .send_modify(|news| news.stage = stage.max(news.stage));
    }

    async fn reached(&self, stage: Stage) {
        self.until(|news| news.stage >= stage).await;
    }

    async fn until(&self, so: impl FnMut(&News) -> bool) {
        // The sender is ours.
        let _ = self.news.subscribe().wait_for(so).await;
    }

    fn seen(&self, after: u64) -> Attached {
        let log = lock(&self.log);
        let news = *self.news.borrow();
        Attached {
            attached: (Stage::InReader..Stage::InHandset).contains(&news.stage),
            asked: news.asked,
            reader: Some(self.reader.clone()),
            commands: log.commands,
            lines: log
                .lines
                .iter()
                .filter(|(number, _)| *number > after)
                .map(|(_, line)| line.clone())
                .collect(),
        }
    }
}

impl Readers {
    /// Keeps the reader for this card, or says whose card is in the way.
    fn reserve(
        &self,
        msisdn: &Msisdn,
        reader: &str,
        at: Vec<SocketAddr>,
    ) -> Result<Arc<Attachment>, (Msisdn, Arc<Attachment>)> {
        let mut all = lock(&self.0);
        let same = |other: &Attachment| at.iter().any(|address| other.at.contains(address));
        let of_another = || all.iter().find(|(_, other)| same(other));
        if let Some((whose, other)) = all.get_key_value(msisdn).or_else(of_another) {
            return Err((whose.clone(), other.clone()));
        }
        let attachment = Arc::new(Attachment {
            reader: reader.to_owned(),
            at,
            log: Mutex::default(),
            news: watch::Sender::new(News {
                commands: 0,
                stage: Stage::Connecting,
                asked: false,
            }),
        });
        all.insert(msisdn.clone(), attachment.clone());
        Ok(attachment)
    }

    fn of(&self, msisdn: &Msisdn) -> Option<Arc<Attachment>> {
        lock(&self.0).get(msisdn).cloned()
    }
}

impl Sim<'_> {
    /// Takes the card out of its handset, which is off from then on, and puts it into the reader at this address. Gives the reader so
    /// long, in real time, to ask for its card, and tells whether it did.
    ///
    /// # Errors
    /// [`AttachError`]; then the card is where it was. When this is dropped before it is done, the card goes back.
    pub async fn attach(&self, reader: &str, patience: Duration) -> Result<Attached, AttachError> {
        if !self.handle.serves().sims() {
            return Err(NoSims.into());
        }
        if self.card().await?.is_none() {
            return Err(AttachError::Unknown(self.msisdn.clone()));
        }
        let at = vpcd::find(reader).await?;
        let reserved = self.handle.readers.reserve(&self.msisdn, reader, at);
        let attachment = reserved.map_err(|(whose, other)| self.in_the_way(whose, &other))?;
        let asked = Asked(&attachment);
        let (inserted, answer) = oneshot::channel();
        // Not broken off when nobody waits for it any more: the card would be nowhere. Without a handle the whole suite is going.
        if let Some(handle) = self.handle.this.upgrade() {
            tokio::spawn(handle.play(self.msisdn.clone(), attachment.clone(), inserted));
            if let Ok(answer) = answer.await {
                answer?;
            }
        }
        if !patience.is_zero() {
            let settled = |news: &News| news.asked || news.stage == Stage::InHandset;
            let _ = timeout(patience, attachment.until(settled)).await;
        }
        let seen = attachment.seen(0);
        asked.answered();
        if seen.attached || seen.asked {
            return Ok(seen);
        }
        Err(AttachError::Gone {
            reader: attachment.reader.clone(),
        })
    }

    fn in_the_way(&self, msisdn: Msisdn, other: &Attachment) -> AttachError {
        let reader = other.reader.clone();
        if msisdn == self.msisdn {
            return AttachError::Taken { msisdn, reader };
        }
        AttachError::Occupied {
            iccid: self.handle.parties().phones().card_of(&msisdn),
            msisdn,
            reader,
        }
    }

    /// The card and those of its codes that are in its profile; `None` for a number that is nobody's.
    ///
    /// # Errors
    /// [`HandleError`] when its record cannot be read.
    pub async fn known_card(&self) -> Result<Option<KnownCard>, HandleError> {
        self.handle.parties().phones().known(&self.msisdn).await
    }

    /// Takes the card out of its reader; returns when its handset is on again. `false` if it was in none.
    pub async fn detach(&self) -> bool {
        let Some(attachment) = self.handle.readers.of(&self.msisdn) else {
            return false;
        };
        attachment.enter(Stage::Leaving);
        attachment.reached(Stage::InHandset).await;
        true
    }

    /// What the card in a reader was asked after command number `after`, at once if there is anything, else as soon as
    /// something happens, or after `most` real time.
    pub async fn attached(&self, after: u64, most: Duration) -> Attached {
        let Some(attachment) = self.handle.readers.of(&self.msisdn) else {
            return Attached {
                attached: false,
                asked: false,
                reader: None,
                commands: 0,
                lines: Vec::new(),
            };
        };
        let before = *attachment.news.borrow();
        let new = |news: &News| {
            let first = news.asked && !before.asked;
            news.commands > after || first || news.stage == Stage::InHandset
        };
        let _ = timeout(most, attachment.until(new)).await;
        attachment.seen(after)
    }
}

impl Handle {
    /// Connects to the reader, takes the card out of its handset, says so, plays it in the reader until either has enough, then puts
    /// it back.
    async fn play(
        self: Arc<Self>,
        msisdn: Msisdn,
        attachment: Arc<Attachment>,
        inserted: oneshot::Sender<Result<(), AttachError>>,
    ) {
        let gone = || AttachError::Gone {
            reader: attachment.reader.clone(),
        };
        let connected = tokio::select! {
            connected = vpcd::connect(&attachment.reader, &attachment.at) => connected.map_err(AttachError::from),
            () = attachment.reached(Stage::Leaving) => Err(gone()),
            () = self.shutdown.draining() => Err(gone()),
        };
        let put_in = match connected {
            Ok(stream) => {
                let reader = self.sim(msisdn.clone()).reader().await;
                reader.map(|reader| (reader, stream)).map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        match put_in {
            Ok((reader, stream)) => {
                attachment.enter(Stage::InReader);
                let _ = inserted.send(Ok(()));
                self.play_in(reader, stream, &attachment).await;
                lock(&self.readers.0).remove(&msisdn);
            }
            Err(error) => {
                lock(&self.readers.0).remove(&msisdn);
                let _ = inserted.send(Err(error));
            }
        }
        attachment.enter(Stage::InHandset);
    }

    async fn play_in(&self, reader: Reader, stream: TcpStream, attachment: &Arc<Attachment>) {
        let mut card = HandsetCard {
            reader,
            attachment: attachment.clone(),
        };
        let playing = async {
            if vpcd::asked(&stream).await? {
                attachment.ask();
                vpcd::serve(stream, &mut card).await?;
            }
            io::Result::Ok(())
        };
        tokio::select! {
            ended = playing => if let Err(error) = ended {
                tracing::warn!(%error, reader = attachment.reader, "the card left its reader");
            },
            () = attachment.reached(Stage::Leaving) => {}
            () = self.shutdown.draining() => {}
        }
        attachment.enter(Stage::Leaving);
        if let Err(error) = card.reader.eject().await {
            tracing::error!(%error, "the card is lost");
        }
    }
}

/// Somebody who waits for a card to be in a reader; it goes back if they do not.
struct Asked<'a>(&'a Attachment);

impl Asked<'_> {
    fn answered(self) {
        std::mem::forget(self);
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.enter(Stage::Leaving);
    }
}

/// The card of a handset, in a reader.
struct HandsetCard {
    reader: Reader,
    attachment: Arc<Attachment>,
}

impl vpcd::Card for HandsetCard {
    fn atr(&self) -> Vec<u8> {
        self.reader.atr().to_vec()
    }

    async fn reset(&mut self) -> io::Result<()> {
        self.reader.reset().await.map_err(io::Error::other)
    }

    async fn power_off(&mut self) -> io::Result<()> {
        self.reader.power_off().await.map_err(io::Error::other)
    }

    async fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        let answer = self.reader.transmit(command).await;
        let answer = answer.map_err(io::Error::other)?;
        self.attachment.exchanged(command, &answer);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
