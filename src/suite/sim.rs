//! One SIM in its handset, as a test sees it and plays with it.

use ota_wire::ids::Msisdn;
use serde::Serialize;
use sim_applet_sim::handset::Input;

use super::Handle;
use crate::runtime::party::HandleError;
use crate::wiring::{Message, Receipt};
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
}

impl<'a> Sim<'a> {
    pub(super) fn new(handle: &'a Handle, msisdn: Msisdn) -> Self {
        Self { handle, msisdn }
    }

    /// What the card remembers; `None` for a number that is nobody's.
    ///
    /// # Errors
    /// [`HandleError`] when its record cannot be read.
    pub async fn card(&self) -> Result<Option<CardView>, HandleError> {
        self.handle.parties().phones().view(&self.msisdn).await
    }

    /// From now on the user does this.
    ///
    /// # Errors
    /// [`HandleError`] when the card's record cannot be read.
    pub fn set_user(&self, persona: Persona) -> Result<(), HandleError> {
        self.handle
            .parties()
            .phones()
            .set_user(&self.msisdn, persona)
    }

    /// The network reaches the handset, or no longer.
    pub async fn set_coverage(&self, on: bool) {
        self.input(Input::Coverage(on)).await;
    }

    /// The user switches the handset on or off. Off in the middle of a dialogue ends the dialogue.
    pub async fn set_power(&self, on: bool) {
        self.input(if on { Input::PowerOn } else { Input::PowerOff })
            .await;
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
