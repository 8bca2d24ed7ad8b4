//! Cards of a running suite in readers of other programs: the handset is off while its card is away.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ota_wire::ids::Msisdn;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use super::{Handle, Reader, ReaderFailure, Sim};
use crate::cards::exchange;
use crate::runtime::lock;
use crate::runtime::party::HandleError;
use crate::sockets::vpcd;

/// Which cards are in which readers.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<Msisdn, Arc<Attachment>>>);

/// A card in a reader.
struct Attachment {
    reader: String,
    log: Mutex<Log>,
    /// Commands so far, and how long it lasts.
    news: watch::Sender<(u64, Stage)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
enum Stage {
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
    /// Whether it is in a reader.
    pub attached: bool,
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
    #[error("the card is in the reader at {reader}; DELETE takes it out")]
    Taken {
        /// Which one.
        reader: String,
    },
    /// Nobody listens there.
    #[error("no reader at {reader}: {why}; is pcscd running, with vsmartcard-vpcd?")]
    NoReader {
        /// Where.
        reader: String,
        /// What the system says.
        why: io::Error,
    },
    /// The number is nobody's.
    #[error("{0} is nobody's; `midsim world` lists the numbers")]
    Unknown(Msisdn),
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
        self.news.send_modify(|news| news.0 = number);
    }

    fn enter(&self, stage: Stage) {
        self.news.send_modify(|news| news.1 = stage.max(news.1));
    }

    async fn reached(&self, stage: Stage) {
        // The sender is ours.
        let _ = self.news.subscribe().wait_for(|news| news.1 >= stage).await;
    }
}

impl Sim<'_> {
    /// Takes the card out of its handset, which is off from then on, and puts it into the reader at this address.
    ///
    /// # Errors
    /// [`AttachError`]; then the card is where it was. When this is dropped before it is done, the card goes back.
    pub async fn attach(&self, reader: &str) -> Result<(), AttachError> {
        if self.card().await?.is_none() {
            return Err(AttachError::Unknown(self.msisdn.clone()));
        }
        let Some(handle) = self.handle.this.upgrade() else {
            return Ok(());
        };
        let no_reader = |why| AttachError::NoReader {
            reader: reader.to_owned(),
            why,
        };
        let stream = vpcd::connect(reader).await.map_err(no_reader)?;
        let attachment = Arc::new(Attachment {
            reader: reader.to_owned(),
            log: Mutex::default(),
            news: watch::Sender::new((0, Stage::InReader)),
        });
        {
            let mut all = lock(&self.handle.readers.0);
            if let Some(other) = all.get(&self.msisdn) {
                return Err(AttachError::Taken {
                    reader: other.reader.clone(),
                });
            }
            all.insert(self.msisdn.clone(), attachment.clone());
        }
        let asked = Asked(&attachment);
        let (inserted, answer) = oneshot::channel();
        // Not broken off when nobody waits for it any more: the card would be nowhere.
        tokio::spawn(handle.play(self.msisdn.clone(), stream, attachment.clone(), inserted));
        // Without an answer the whole suite is going.
        let answer = answer.await.unwrap_or(Ok(()));
        asked.answered();
        Ok(answer?)
    }

    /// Takes the card out of its reader; returns when its handset is on again. `false` if it was in none.
    pub async fn detach(&self) -> bool {
        let found = lock(&self.handle.readers.0).get(&self.msisdn).cloned();
        let Some(attachment) = found else {
            return false;
        };
        attachment.enter(Stage::Leaving);
        attachment.reached(Stage::InHandset).await;
        true
    }

    /// What the card in a reader was asked after command number `after`, at once if there is anything, else as soon as
    /// something happens, or after `most` real time.
    pub async fn attached(&self, after: u64, most: Duration) -> Attached {
        let found = lock(&self.handle.readers.0).get(&self.msisdn).cloned();
        let Some(attachment) = found else {
            return Attached {
                attached: false,
                reader: None,
                commands: 0,
                lines: Vec::new(),
            };
        };
        let mut news = attachment.news.subscribe();
        let _ = tokio::time::timeout(
            most,
            news.wait_for(|news| news.0 > after || news.1 == Stage::InHandset),
        )
        .await;
        let log = lock(&attachment.log);
        Attached {
            attached: attachment.news.borrow().1 < Stage::InHandset,
            reader: Some(attachment.reader.clone()),
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

impl Handle {
    /// Takes the card out of its handset, says so, plays it in the reader until either has enough, then puts it back.
    async fn play(
        self: Arc<Self>,
        msisdn: Msisdn,
        stream: TcpStream,
        attachment: Arc<Attachment>,
        inserted: oneshot::Sender<Result<(), ReaderFailure>>,
    ) {
        match self.sim(msisdn.clone()).reader().await {
            Ok(reader) => {
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
        tokio::select! {
            ended = vpcd::serve(stream, &mut card) => if let Err(error) = ended {
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
