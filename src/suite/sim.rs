//! One SIM in its handset, as a test sees it and plays with it.

use std::collections::BTreeMap;
use std::time::Duration;

use mssp::pki::credential::CertificateState;
use ota_wire::ids::Msisdn;
use ota_wire::rp::Cause;
use ota_wire::sms::address::Address;
use serde::Serialize;
use sim_applet_sim::handset::{
    Delivered, InboxMessage, Input, Memory, ReaderInput, Refusal, StoredMessage,
};

use super::Handle;
use super::external::{self, Reader, ReaderFailure};
use crate::runtime::party::HandleError;
use crate::wiring::{Effect, Message, Receipt};
use crate::world::Persona;

/// A handle on the SIM and handset of one number. See [`Handle::sim`].
pub struct Sim<'a> {
    pub(super) handle: &'a Handle,
    pub(super) msisdn: Msisdn,
}

/// What a card remembers, without its secrets.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CardView {
    /// EF.ICCID.
    pub iccid: String,
    /// Tries left for the applet's PIN.
    pub pin_tries: u8,
    /// Tries left for its PUK.
    pub puk_tries: u8,
    /// Counter of the last challenge that the applet accepted.
    pub applet_counter: u64,
    /// CNTR of each OTA key set, from version 1 on.
    pub cntr: Vec<u64>,
    /// Whether the network reaches the handset.
    pub attached: bool,
    /// Where the card is.
    pub place: Place,
    /// The card's menu in the handset, if it has set one up.
    pub menu: Option<MenuView>,
}

/// The menu of a card.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MenuView {
    /// Its title.
    pub title: String,
    /// Its items by number.
    pub items: BTreeMap<u8, String>,
}

/// Where a card is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In its handset.
    Handset,
    /// On the table.
    Out,
    /// In somebody's reader.
    Reader,
}

/// Why nothing was chosen from a menu, or looked up on the card.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The handset or the card does not take it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The card's record cannot be read or written.
    #[error(transparent)]
    Record(#[from] HandleError),
}

impl<'a> Sim<'a> {
    pub(super) fn new(handle: &'a Handle, msisdn: Msisdn) -> Self {
        Self { handle, msisdn }
    }

    /// The number.
    pub fn msisdn(&self) -> &Msisdn {
        &self.msisdn
    }

    /// What the card remembers; `None` for a number that is nobody's.
    ///
    /// # Errors
    /// [`HandleError`] when its record cannot be read.
    pub async fn card(&self) -> Result<Option<CardView>, HandleError> {
        self.handle.parties().phones().view(&self.msisdn).await
    }

    /// From now on the user does this, also with a prompt that waits on the screen.
    ///
    /// # Errors
    /// [`HandleError`] when the card's record cannot be read.
    pub fn set_user(&self, persona: Persona) -> Result<(), HandleError> {
        let parties = self.handle.parties();
        let effects = parties
            .phones()
            .set_user(&parties.users, &self.msisdn, persona)?;
        for effect in effects {
            // A user has nothing to do with the network.
            if let Effect::Deliver(message) = effect {
                let flight = self.handle.clock().begin();
                self.handle
                    .network()
                    .deliver(message, Receipt::NONE, flight);
            }
        }
        Ok(())
    }

    /// The user's certificate is like this from now on: revoked, say, or renewed.
    pub async fn set_certificate(&self, state: CertificateState) {
        let message = Message::Mssp(mssp::Input::Certificate {
            msisdn: self.msisdn.clone(),
            state,
        });
        self.handle
            .network()
            .handle(message, Receipt::NONE, self.handle.clock().begin())
            .await;
    }

    /// The network reaches the handset, or no longer. Stays so until it is set again, wherever the card is.
    pub async fn set_coverage(&self, on: bool) {
        self.input(Input::Coverage(on)).await;
    }

    /// The user switches the handset on or off. Off in the middle of a dialogue ends the dialogue; and it stays off until it is
    /// switched on, also when its card was elsewhere meanwhile.
    ///
    /// # Errors
    /// [`ReaderFailure`], when the card is in a reader.
    pub async fn set_power(&self, on: bool) -> Result<(), ReaderFailure> {
        let input = if on { Input::PowerOn } else { Input::PowerOff };
        external::put(self.handle.network(), &self.msisdn, input)
            .await
            .map(drop)
    }

    /// The user switches the handset on, if nobody has used it yet, and chooses an item of the card's menu.
    ///
    /// # Errors
    /// [`SelectError`].
    pub async fn select(&self, item: u8) -> Result<(), SelectError> {
        match self.handle.network().select(&self.msisdn, item).await? {
            Some(reason) => Err(reason.into()),
            None => Ok(()),
        }
    }

    /// The short messages on the card (EF.SMS), lowest record first; `None` for a number that is nobody's. The user switches the handset on, if nobody has used it yet.
    ///
    /// # Errors
    /// [`SelectError`], when the handset is off, say.
    pub async fn messages(&self) -> Result<Option<Vec<StoredMessage>>, SelectError> {
        let network = self.handle.network();
        match network.memory(&self.msisdn, Input::Messages).await? {
            Some(Ok(Memory::Messages(messages))) => Ok(Some(messages)),
            Some(Err(reason)) => Err(reason.into()),
            Some(Ok(Memory::Erased)) | None => Ok(None),
        }
    }

    /// The user erases the message in this record of the card. If the card was full, the network hears that it is not (RP-SMMA).
    ///
    /// # Errors
    /// [`SelectError`], when there is none, say.
    pub async fn erase(&self, record: u8) -> Result<(), SelectError> {
        let network = self.handle.network();
        match network
            .memory(&self.msisdn, Input::Erase { record })
            .await?
        {
            Some(Err(reason)) => Err(reason.into()),
            Some(Ok(_)) => Ok(()),
            None => Err(Refusal::NoSuchMessage.into()),
        }
    }

    /// The messages for people that the handset keeps itself, oldest first.
    ///
    /// # Errors
    /// [`HandleError`] when the card's record cannot be read.
    pub async fn inbox(&self) -> Result<Vec<InboxMessage>, HandleError> {
        self.handle.parties().phones().inbox(&self.msisdn).await
    }

    /// The card is taken out of its handset, or put back, which starts the handset.
    ///
    /// # Errors
    /// [`ReaderFailure`], when the card is in a reader.
    pub async fn set_inserted(&self, inserted: bool) -> Result<(), ReaderFailure> {
        let input = Input::Card { inserted };
        external::put(self.handle.network(), &self.msisdn, input)
            .await
            .map(drop)
    }

    /// Takes the card out of its handset and puts it into a reader. Its handset is off until the card is back; see
    /// [`Sim::take`] and [`Sim::submit`] for what the network has to do with it.
    ///
    /// # Errors
    /// [`ReaderFailure`], when it is in a reader already, say.
    pub async fn reader(&self) -> Result<Reader, ReaderFailure> {
        Reader::insert(self.handle.network(), &self.msisdn).await
    }

    /// Takes the messages that the network has for a number whose card is in a reader; waits so long in real time for the
    /// first one. With `acknowledge` the network is told at once that they arrived; otherwise [`Sim::report`] tells it.
    ///
    /// # Errors
    /// [`ReaderFailure`], when the card is in its handset, say.
    pub async fn take(
        &self,
        wait: Duration,
        acknowledge: bool,
    ) -> Result<Vec<Delivered>, ReaderFailure> {
        external::take(self.handle.network(), &self.msisdn, wait, acknowledge).await
    }

    /// Tells the network what became of a message that was taken: an RP-ACK, or an RP-ERROR with this cause, and perhaps an
    /// SMS-DELIVER-REPORT.
    ///
    /// # Errors
    /// [`ReaderFailure`], when no such message waits for it, say.
    pub async fn report(
        &self,
        mr: u8,
        cause: Option<Cause>,
        tpdu: Option<Vec<u8>>,
    ) -> Result<(), ReaderFailure> {
        let input = ReaderInput::Report { mr, cause, tpdu };
        external::tell(self.handle.network(), &self.msisdn, input)
            .await
            .map(drop)
    }

    /// Sends an SMS-SUBMIT for a number whose card is in a reader; gives the network's answer: its reference, and the
    /// RP-Cause if it was refused.
    ///
    /// # Errors
    /// [`ReaderFailure`], when the network does not answer, say.
    pub async fn submit(
        &self,
        service_centre: Option<Address>,
        tpdu: Vec<u8>,
    ) -> Result<(u8, Option<u8>), ReaderFailure> {
        external::submit(self.handle.network(), &self.msisdn, service_centre, tpdu).await
    }

    /// The handset hears this RP message (TS 24.011), whoever sent it: anybody near it can. Returns when the handset and
    /// its card have dealt with it; [`Clock::idle`](crate::runtime::clock::Clock::idle) waits for what that leads to.
    pub async fn radio(&self, rp: Vec<u8>) {
        self.input(Input::Rp(rp)).await;
    }

    async fn input(&self, input: Input) {
        let message = Message::Phone(self.msisdn.clone(), input);
        self.handle
            .network()
            .handle(message, Receipt::NONE, self.handle.clock().begin())
            .await;
    }
}
