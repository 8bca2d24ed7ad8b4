//! A suite on one thread.

use std::sync::Arc;

use ota::smpp::Session;

use super::{Builder, Places, StartError, config};
use crate::faults::Faults;
use crate::rp::{self, Ended, Flow};
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::trace::{Line, TraceLog};
use crate::wiring::Parties;
use crate::wiring::in_process::{InProcess, Stuck};

/// Where the OP says it is; nothing listens there.
const ISSUER: &str = "http://127.0.0.1:8260";
const DISCOVERY: &str = "http://127.0.0.1:8261";
const MSSP: &str = "http://127.0.0.1:8204/soap";
const RECEIVER: &str = "http://127.0.0.1:8220/rp/notify";

/// Every party on one thread: with a seed, every run is the same to the octet.
pub struct InProcessSuite {
    network: InProcess,
    parties: Arc<Parties>,
    discovery: Arc<op_bridge::discovery::Discovery>,
    chance: Chance,
}

pub(super) fn make(builder: Builder) -> Result<InProcessSuite, StartError> {
    let clock = builder.clock(true);
    let chance = builder.chance()?;
    let tokens = chance.branch("discovery-tokens");
    let stores = builder.stores()?;
    let authority = stores.authority(&chance)?;
    let made = builder.parties(
        clock,
        chance,
        Places {
            issuer: ISSUER.into(),
            mutual_tls: None,
            notify_url: None,
            discovery: DISCOVERY.into(),
            mssp: MSSP.into(),
            receiver: RECEIVER.into(),
        },
        stores,
        &authority,
    )?;
    let parties = made.parties;
    let now = parties.clock.now();
    let esme = Session::esme(config::esme(&builder.world), now)?;
    let smsc = Session::smsc(config::smsc_end(&builder.world), now);
    let left = parties.recover()?;
    let mut network =
        InProcess::new(parties.clone(), esme, smsc).map_err(|why| StartError::System {
            what: "the thread's runtime".into(),
            why,
        })?;
    network.take_up(left);
    Ok(InProcessSuite {
        network,
        parties,
        discovery: made.discovery,
        chance: tokens,
    })
}

impl InProcessSuite {
    /// The OP's issuer.
    pub fn issuer(&self) -> String {
        ISSUER.into()
    }

    /// What the discovery service says about a number: a login_hint_token for the OP.
    ///
    /// # Errors
    /// What is wrong with the OP's keys.
    pub fn login_hint_token(
        &self,
        msisdn: &op_bridge::Msisdn,
    ) -> Result<String, op_bridge::JoseError> {
        let now = self.parties.clock.now();
        self.discovery
            .token(msisdn, now, &mut self.chance.generator())
    }

    /// Runs one flow to its end, and on until nothing is left to do at that time.
    ///
    /// # Errors
    /// [`Stuck`].
    pub fn run(&mut self, flow: &Flow) -> Result<Ended, Stuck> {
        let port = self.network.port();
        let ended = self.network.run(rp::run(port.as_ref(), flow))?;
        self.network.settle()?;
        Ok(ended)
    }

    /// The network, to deliver messages by hand.
    pub fn network(&mut self) -> &mut InProcess {
        &mut self.network
    }

    /// The lines of the transaction that began last.
    pub fn lines(&self) -> Vec<Line> {
        self.parties
            .trace
            .last()
            .map(|trace| trace.render().lines)
            .unwrap_or_default()
    }

    /// What happened.
    pub fn trace_log(&self) -> &TraceLog {
        &self.parties.trace
    }

    /// Faults on the links.
    pub fn faults(&self) -> &Faults {
        &self.parties.faults
    }

    /// Simulated time.
    pub fn clock(&self) -> &Clock {
        &self.parties.clock
    }
}
