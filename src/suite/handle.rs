//! What can be seen of a running suite and done to it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ota_wire::ids::{Iccid, Msisdn};
use tokio::sync::watch;

use super::readers::Readers;
use super::{Serves, Sim, StartError, Urls};
use crate::faults::Faults;
use crate::rp::Port;
use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::sockets::http_client::HttpClient;
use crate::sockets::ports::Service;
use crate::sockets::shutdown::{Shutdown, Stopper};
use crate::suite::keyring::KeyRing;
use crate::suite::receiver::Receiver;
use crate::trace::TraceLog;
use crate::users::{Press, PressError, Users};
use crate::wiring::sockets::Network;
use crate::wiring::{Message, Parties, Receipt};

/// What can be seen of a running suite and done to it.
pub struct Handle {
    pub(super) network: Arc<Network>,
    /// For an RP of ours.
    pub(super) client: HttpClient,
    pub(super) ca_pem: String,
    pub(super) receiver: Arc<Receiver>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) chance: Chance,
    pub(super) urls: Urls,
    pub(super) ports: Vec<(Service, u16)>,
    pub(super) stopper: Stopper,
    pub(super) shutdown: Shutdown,
    pub(super) readers: Readers,
    /// For tasks that outlive the call that starts them.
    pub(super) this: Weak<Self>,
}

impl Handle {
    /// Where the parties are.
    pub fn urls(&self) -> &Urls {
        &self.urls
    }

    /// The OP's issuer.
    pub fn op_url(&self) -> String {
        self.urls.op.clone()
    }

    /// The discovery service.
    pub fn discovery_url(&self) -> String {
        self.urls.discovery.clone()
    }

    /// SOAP endpoint of the MSSP.
    pub fn mssp_url(&self) -> String {
        self.urls.mssp.clone()
    }

    /// The OP behind mutual TLS.
    pub fn op_mtls_url(&self) -> String {
        self.urls.op_mtls.clone()
    }

    /// The certificate of the test CA, which all of its servers and clients chain to. PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Ports in use.
    pub fn ports(&self) -> impl Iterator<Item = (Service, u16)> {
        self.ports.iter().copied()
    }

    /// Simulated time.
    pub fn clock(&self) -> &Clock {
        &self.parties().clock
    }

    /// What happened.
    pub fn trace_log(&self) -> &TraceLog {
        &self.parties().trace
    }

    /// Faults on the links.
    pub fn faults(&self) -> &Faults {
        &self.parties().faults
    }

    /// People at the handsets.
    pub fn users(&self) -> &Users {
        &self.parties().users
    }

    /// Which parties take part here.
    pub fn serves(&self) -> Serves {
        self.parties().serves
    }

    /// The SIM and handset of a number.
    pub fn sim(&self, msisdn: Msisdn) -> Sim<'_> {
        Sim::new(self, msisdn)
    }

    /// The SIM with this ICCID, if the world has one.
    pub fn sim_by_iccid(&self, iccid: &Iccid) -> Option<Sim<'_>> {
        let msisdn = self.parties().phones().number_of(iccid)?;
        Some(self.sim(msisdn))
    }

    /// What ping and push clients without an endpoint of their own were sent.
    pub(crate) fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// Whether a flow can begin.
    pub fn ready(&self) -> bool {
        self.network.is_bound() && !self.shutdown.is_draining()
    }

    /// A person presses a key.
    ///
    /// # Errors
    /// [`PressError`].
    pub fn press(&self, prompt: u64, press: Press) -> Result<(), PressError> {
        let (msisdn, reply) = self.users().press(prompt, press)?;
        let message = Message::Phone(msisdn, sim_applet_sim::handset::Input::User(reply));
        self.network
            .deliver(message, Receipt::NONE, self.clock().begin());
        Ok(())
    }

    /// Moves the clock, firing every timer on the way.
    pub async fn advance(&self, by: Duration) {
        self.clock().advance(by).await;
    }

    /// Another key signs from now on; the one before stays published for as long as what it signed is good.
    ///
    /// # Errors
    /// [`StartError`] when the new key cannot be stored; then the old one goes on.
    pub async fn rotate_keys(&self) -> Result<(), StartError> {
        let now = self.clock().now();
        let key = super::signer::new_key(&mut self.chance.generator());
        let store = Arc::clone(self.parties().op_store());
        self.keys.follow(store.as_ref(), &*key, now).await
    }

    /// An RP of ours, in this process but over the sockets.
    pub fn rp_port(&self) -> Arc<dyn Port> {
        Arc::new(super::receiver::SocketPort::new(
            self.client.clone(),
            self.receiver.clone(),
            self.parties().clone(),
        ))
    }

    /// Returns the version of what the page shows, as soon as it is not `after` any more, or after `most` real time.
    pub(crate) async fn changed(&self, after: u64, most: Duration) -> u64 {
        let mut traces = self.trace_log().watch();
        let mut users = self.users().watch();
        // Both only grow, so their sum names a state.
        let version = |traces: &mut watch::Receiver<u64>, users: &mut watch::Receiver<u64>| {
            *traces.borrow_and_update() + *users.borrow_and_update() + 1
        };
        let waiting = async {
            while version(&mut traces, &mut users) == after {
                // The senders live as long as the suite.
                tokio::select! { _ = traces.changed() => {}, _ = users.changed() => {} }
            }
        };
        let _ = tokio::time::timeout(most, waiting).await;
        version(&mut self.trace_log().watch(), &mut self.users().watch())
    }

    /// A pair of commands that shows a whole flow.
    pub fn curl(&self) -> String {
        format!(
            "curl -s -u poll:poll-secret {op}/bc-authorize -d scope=openid -d acr_values=mod-mf \\\n    \
             --data-urlencode login_hint=+447700900001 -d 'binding_message=Sign in? W4SCT' | tee request.json\n\
             curl -s -u poll:poll-secret {op}/token -d grant_type=urn:openid:params:grant-type:ciba \\\n    \
             -d auth_req_id=$(grep -o '\"auth_req_id\":\"[^\"]*' request.json | cut -d'\"' -f4)",
            op = self.urls.op
        )
    }

    pub(super) fn network(&self) -> &Arc<Network> {
        &self.network
    }

    pub(super) fn parties(&self) -> &Arc<Parties> {
        self.network.parties()
    }
}
