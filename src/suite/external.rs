//! A card in somebody's reader, and the radio of its number.

use std::sync::Arc;
use std::time::Duration;

use ota_wire::ids::Msisdn;
use ota_wire::sms::address::Address;
use sim_applet_sim::handset::{Delivered, Input, ReaderError, ReaderInput, ReaderOutput};
use thiserror::Error;

use crate::runtime::party::HandleError;
use crate::wiring::sockets::Network;

/// How long the network may take to answer a message, in real time.
const NETWORK_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A reader with a card in it. The card goes back into its handset with [`Reader::eject`], or when this is dropped.
pub struct Reader {
    network: Arc<Network>,
    msisdn: Msisdn,
    atr: Vec<u8>,
    inserted: bool,
}

/// No card is here.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no SIMs are served here; ask the process that serves `sim`, or `midsim up`")]
pub struct NoSims;

/// Why something cannot be done with a card in a reader.
#[derive(Debug, Error)]
pub enum ReaderFailure {
    /// The number is nobody's.
    #[error("{msisdn} is nobody's; `midsim world` lists the numbers")]
    Nobody {
        /// The number.
        msisdn: Msisdn,
    },
    /// Not with this card now.
    #[error(transparent)]
    Refused(#[from] ReaderError),
    /// The process has no cards.
    #[error(transparent)]
    NoSims(#[from] NoSims),
    /// The network did not answer.
    #[error("the network has not answered within 30 s")]
    NoAnswer,
    /// The card's record cannot be read or written.
    #[error(transparent)]
    Record(#[from] HandleError),
}

impl Reader {
    pub(super) async fn insert(
        network: &Arc<Network>,
        msisdn: &Msisdn,
    ) -> Result<Self, ReaderFailure> {
        let atr = network.parties().phones().atr(msisdn).await?;
        let atr = atr.ok_or_else(|| ReaderFailure::Nobody {
            msisdn: msisdn.clone(),
        })?;
        tell(network, msisdn, ReaderInput::Insert).await?;
        Ok(Self {
            network: network.clone(),
            msisdn: msisdn.clone(),
            atr,
            inserted: true,
        })
    }

    /// The card's answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }

    /// Gives the card power, or resets it: a dialogue is lost, what the card has written is not.
    ///
    /// # Errors
    /// [`ReaderFailure`].
    pub async fn reset(&self) -> Result<(), ReaderFailure> {
        tell(&self.network, &self.msisdn, ReaderInput::Reset)
            .await
            .map(drop)
    }

    /// Takes the power away.
    ///
    /// # Errors
    /// [`ReaderFailure`].
    pub async fn power_off(&self) -> Result<(), ReaderFailure> {
        tell(&self.network, &self.msisdn, ReaderInput::PowerOff)
            .await
            .map(drop)
    }

    /// Sends a command to the card. What the card must remember is written when its answer, data and status word, is given.
    ///
    /// # Errors
    /// [`ReaderFailure`].
    pub async fn transmit(&self, c_apdu: &[u8]) -> Result<Vec<u8>, ReaderFailure> {
        let input = ReaderInput::Apdu(c_apdu.to_vec());
        let told = tell(&self.network, &self.msisdn, input).await?;
        let answer = told.into_iter().find_map(|output| match output {
            ReaderOutput::Response(octets) => Some(octets),
            _ => None,
        });
        answer.ok_or(ReaderFailure::Refused(ReaderError::NotInReader))
    }

    /// Puts the card back into its handset, which is switched on.
    ///
    /// # Errors
    /// [`ReaderFailure`].
    pub async fn eject(mut self) -> Result<(), ReaderFailure> {
        // Broken off here, the card goes back all the same: see Drop. A task of its own for everyone costs too much.
        let ejected = tell(&self.network, &self.msisdn, ReaderInput::Eject).await;
        self.inserted = false;
        ejected.map(drop)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Without a runtime the whole suite is going.
        if let (true, Ok(runtime)) = (self.inserted, tokio::runtime::Handle::try_current()) {
            let (network, msisdn) = (self.network.clone(), self.msisdn.clone());
            runtime.spawn(async move { tell(&network, &msisdn, ReaderInput::Eject).await });
        }
    }
}

pub(super) async fn tell(
    network: &Arc<Network>,
    msisdn: &Msisdn,
    input: ReaderInput,
) -> Result<Vec<ReaderOutput>, ReaderFailure> {
    put(network, msisdn, Input::Reader(input)).await
}

/// The handset takes this, unless its card is in a reader and that stands against it.
pub(super) async fn put(
    network: &Arc<Network>,
    msisdn: &Msisdn,
    input: Input,
) -> Result<Vec<ReaderOutput>, ReaderFailure> {
    if !network.parties().serves.sims() {
        return Err(NoSims.into());
    }
    let told = network.reader(msisdn, input).await?;
    let refused = told.iter().find_map(|output| match output {
        ReaderOutput::Refused(error) => Some(*error),
        _ => None,
    });
    match refused {
        Some(error) => Err(error.into()),
        None => Ok(told),
    }
}

pub(super) async fn take(
    network: &Arc<Network>,
    msisdn: &Msisdn,
    wait: Duration,
    acknowledge: bool,
) -> Result<Vec<Delivered>, ReaderFailure> {
    let mut news = network.parties().phones().news();
    let over = tokio::time::timeout(wait, std::future::pending::<()>());
    tokio::pin!(over);
    loop {
        news.mark_unchanged();
        // Never broken off: what is taken and not handed on would be lost, and perhaps acknowledged.
        let told = tell(network, msisdn, ReaderInput::Take { acknowledge }).await?;
        let messages = told.into_iter().find_map(|output| match output {
            ReaderOutput::Messages(messages) => Some(messages),
            _ => None,
        });
        let messages = messages.ok_or_else(|| ReaderFailure::Nobody {
            msisdn: msisdn.clone(),
        })?;
        if !messages.is_empty() {
            return Ok(messages);
        }
        tokio::select! {
            biased;
            _ = &mut over => return Ok(messages),
            // Somebody's; the sender lives as long as the suite.
            _ = news.changed() => {}
        }
    }
}

pub(super) async fn submit(
    network: &Arc<Network>,
    msisdn: &Msisdn,
    service_centre: Option<Address>,
    tpdu: Vec<u8>,
) -> Result<(u8, Option<u8>), ReaderFailure> {
    let phones = network.parties().phones();
    let mut news = phones.news();
    let input = ReaderInput::Submit {
        service_centre,
        tpdu,
    };
    let told = tell(network, msisdn, input).await?;
    let mr = told.into_iter().find_map(|output| match output {
        ReaderOutput::Submitted { mr } => Some(mr),
        _ => None,
    });
    let mr = mr.ok_or_else(|| ReaderFailure::Nobody {
        msisdn: msisdn.clone(),
    })?;
    let answered = async {
        loop {
            news.mark_unchanged();
            if let Some(cause) = phones.take_ended(msisdn, mr)? {
                return Ok((mr, cause));
            }
            let _ = news.changed().await;
        }
    };
    tokio::time::timeout(NETWORK_ANSWERS_WITHIN, answered)
        .await
        .unwrap_or(Err(ReaderFailure::NoAnswer))
}
