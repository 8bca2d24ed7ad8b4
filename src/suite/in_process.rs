//! A suite on one thread.

use std::sync::Arc;

use ota::smpp::Session;

use super::{Builder, Places, StartError, config};
use crate::faults::Faults;
use crate::rp::{self, Ended, Flow};
use crate::runtime::clock::Clock;
use crate::trace::{Line, TraceLog};
use crate::wiring::Parties;
use crate::wiring::in_process::{InProcess, Stuck};

/// Where the OP says it is; nothing listens there.
const ISSUER: &str = "http://127.0.0.1:8260";
const MSSP: &str = "http://127.0.0.1:8204/soap";
const RECEIVER: &str = "http://127.0.0.1:8220/rp/notify";

/// Every party on one thread: with a seed, every run is the same to the octet.
pub struct InProcessSuite {
    network: InProcess,
    parties: Arc<Parties>,
}

pub(super) fn make(builder: Builder) -> Result<InProcessSuite, StartError> {
    let clock = builder.clock(true);
    let chance = builder.chance()?;
    let stores = builder.stores()?;
    let authority = stores.authority(&chance)?;
    let (parties, _) = builder.parties(
        clock,
        chance,
        Places {
            issuer: ISSUER.into(),
            mutual_tls: None,
            notify_url: None,
            mssp: MSSP.into(),
            receiver: RECEIVER.into(),
        },
        stores,
        &authority,
    )?;
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
    Ok(InProcessSuite { network, parties })
}

impl InProcessSuite {
    /// The OP's issuer.
    pub fn issuer(&self) -> String {
        ISSUER.into()
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
