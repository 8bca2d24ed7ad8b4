//! SMPP over TCP: the platform's connection to the SMSC, and the SMSC's listener for any ESME.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use ota::smpp::{CommandStatus, EsmeConfig, Session, SmscConfig};
use ota::{platform, smsc};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::parties::{Message, Receipt};
use super::smpp::{Arrived, EsmeEnd, SmscEnd};
use super::sockets::Network;
use crate::runtime::clock::InFlight;
use crate::runtime::lock;
use crate::sockets::tcp::{ByteSession, End, Endpoint};

/// Commands that may wait for one connection; more are refused, and their senders try again later.
const WAITING: usize = 8192;

/// Lanes of one session that may be remembered without need.
const LANES: usize = 64;

/// Where the parties' SMPP outputs go.
pub(super) struct Links {
    platform: mpsc::Sender<(PlatformCommand, InFlight)>,
    /// By the number of the link.
    esmes: Arc<Esmes>,
    bound: watch::Receiver<bool>,
    network: Arc<Network>,
}

/// What keeps one side of the links going.
type Runner = Pin<Box<dyn Future<Output = ()> + Send>>;

type Esmes = Mutex<HashMap<u64, mpsc::Sender<(smsc::Output, InFlight)>>>;

/// What the platform's end is told.
pub(super) enum PlatformCommand {
    Acknowledge(u32),
    Send(Box<platform::Output>),
}

impl Links {
    /// The links, and what runs them: their listener and their connection, to be started once [`Network`] knows the links. What
    /// a party wants of the first session would otherwise have nowhere to go.
    pub(super) fn new(
        network: &Arc<Network>,
        tcp: crate::sockets::tcp::Links,
        listener: tokio::net::TcpListener,
        at: SocketAddr,
        (esme, smsc): (EsmeConfig, SmscConfig),
    ) -> (Self, [Runner; 2]) {
        let (platform, commands) = mpsc::channel(WAITING);
        let (binds, bound) = watch::channel(false);
        let esmes = Arc::new(Esmes::default());
        let accept = {
            let (network, esmes, next) = (network.clone(), esmes.clone(), AtomicU64::new(1));
            let clock = tcp.clock.clone();
            move |_: SocketAddr| {
                let link = next.fetch_add(1, Ordering::Relaxed);
                let (sender, commands) = mpsc::channel(WAITING);
                lock(&esmes).insert(link, sender);
                let end = SmscEnd::new(Session::smsc(smsc.clone(), clock.now()), link);
                (
                    SmscLink {
                        end,
                        link,
                        esmes: esmes.clone(),
                        inbox: Inbox::new(&network, None),
                    },
                    commands,
                )
            }
        };
        let listening: Runner = Box::pin(tcp.clone().listen(listener, accept));
        let endpoint = PlatformEndpoint {
            network: network.clone(),
            esme,
            binds: Arc::new(binds),
            acknowledge: platform.downgrade(),
        };
        let connecting: Runner = Box::pin(async move { tcp.connect(at, endpoint, commands).await });
        let links = Self {
            platform,
            esmes,
            bound,
            network: network.clone(),
        };
        (links, [listening, connecting])
    }

    /// Whether the platform is bound to the SMSC.
    pub(super) fn is_bound(&self) -> bool {
        *self.bound.borrow()
    }

    /// Returns when the platform is bound to the SMSC.
    pub(super) async fn bound(&self) {
        // The sender lives in the endpoint; when it is gone, the suite stops.
        let _ = self.bound.clone().wait_for(|bound| *bound).await;
    }

    /// What the platform wants of the SMSC.
    pub(super) fn platform(&self, output: platform::Output, flight: InFlight) {
        let Err(refused) = self
            .platform
            .try_send((PlatformCommand::Send(Box::new(output)), flight))
        else {
            return;
        };
        let (command, flight) = refused.into_inner();
        if let Some(message) = unsent(command) {
            self.network.deliver(message, Receipt::NONE, flight);
        }
    }

    /// What the SMSC wants of an ESME.
    pub(super) fn smsc(&self, output: smsc::Output, flight: InFlight) {
        let link = match &output {
            smsc::Output::Deliver { esme, .. } | smsc::Output::SubmitResp { esme, .. } => esme.link,
            smsc::Output::Rp { .. } => return,
        };
        let sender = lock(&self.esmes).get(&link).cloned();
        let refused = match sender {
            Some(sender) => match sender.try_send((output, flight)) {
                Ok(()) => return,
                Err(refused) => refused.into_inner(),
            },
            None => (output, flight),
        };
        if let (smsc::Output::Deliver { id, .. }, flight) = refused {
            let result = Err(CommandStatus::RSYSERR);
            self.network.deliver(
                Message::Smsc(smsc::Input::DeliverResp { id, result }),
                Receipt::NONE,
                flight,
            );
        }
    }
}

/// For a message that no connection could take.
fn unsent(command: PlatformCommand) -> Option<Message> {
    match command {
        PlatformCommand::Acknowledge(_) => None,
        PlatformCommand::Send(output) => {
            let platform::Output::SubmitSm { id, .. } = *output else {
                return None;
            };
            let result = Err(CommandStatus::RTHROTTLED);
            Some(Message::Platform(platform::Input::SubmitSmResp {
                id,
                result,
            }))
        }
    }
}

/// Keeps order where it matters: whoever has bound or left is known before the next message of that session is handled, and
/// messages of one lane are handled one after the other.
struct Inbox {
    network: Arc<Network>,
    sender: mpsc::UnboundedSender<(Arrived, InFlight, Option<Acknowledge>)>,
}

type Acknowledge = mpsc::WeakSender<(PlatformCommand, InFlight)>;

impl Inbox {
    /// `binds` is told that the platform is bound, once the platform knows.
    fn new(network: &Arc<Network>, binds: Option<Arc<watch::Sender<bool>>>) -> Self {
        let (sender, mut receiver) =
            mpsc::unbounded_channel::<(Arrived, InFlight, Option<Acknowledge>)>();
        let worker = network.clone();
        // Ends with the session, which owns the sender.
        tokio::spawn(async move {
            let mut side_by_side = JoinSet::new();
            // The end of the last message of each lane.
            let mut lanes = HashMap::new();
            while let Some((arrived, flight, acknowledge)) = receiver.recv().await {
                while side_by_side.try_join_next().is_some() {}
                if lanes.len() > LANES + 2 * side_by_side.len() {
                    lanes.retain(|_, end: &mut oneshot::Receiver<()>| {
                        end.try_recv() == Err(TryRecvError::Empty)
                    });
                }
                let network = worker.clone();
                let in_order = arrived.in_order();
                let (end, ended) = oneshot::channel::<()>();
                let lane = arrived.lane().map(str::to_owned);
                let before = lane.and_then(|lane| lanes.insert(lane, ended));
                let up = matches!(arrived.message, Message::Platform(platform::Input::LinkUp));
                let handled = async move {
                    let _end = end;
                    if let Some(before) = before {
                        // The one before ends by letting go.
                        let _ = before.await;
                    }
                    let committed = network
                        .handle(arrived.message, Receipt::NONE, flight.clone())
                        .await;
                    // What was not committed comes again.
                    if let (true, Some(sequence), Some(sender)) = (
                        committed,
                        arrived.acknowledge,
                        acknowledge.and_then(|a| a.upgrade()),
                    ) {
                        // Without room the peer is not acknowledged and sends again.
                        let _ = sender.try_send((PlatformCommand::Acknowledge(sequence), flight));
                    }
                };
                if in_order {
                    while side_by_side.join_next().await.is_some() {}
                    handled.await;
                    // Unless the session has ended meanwhile.
                    if let (true, false, Some(binds)) = (up, receiver.is_closed(), &binds) {
                        binds.send_replace(true);
                    }
                } else {
                    side_by_side.spawn(handled);
                }
            }
            while side_by_side.join_next().await.is_some() {}
        });
        Self {
            network: network.clone(),
            sender,
        }
    }

    fn put(&self, arrived: Arrived, acknowledge: Option<Acknowledge>) {
        let flight = self.network.parties().clock.begin();
        // The worker lives as long as this sender.
        let _ = self.sender.send((arrived, flight, acknowledge));
    }
}

struct PlatformEndpoint {
    network: Arc<Network>,
    esme: EsmeConfig,
    binds: Arc<watch::Sender<bool>>,
    acknowledge: Acknowledge,
}

impl Endpoint for PlatformEndpoint {
    type Session = PlatformLink;

    fn connected(&mut self, now: Timestamp) -> PlatformLink {
        #[expect(
            clippy::expect_used,
            reason = "the suite checks system_id and password when it starts"
        )]
        let session = Session::esme(self.esme.clone(), now).expect("credentials fit SMPP");
        PlatformLink {
            end: EsmeEnd::new(session),
            inbox: Inbox::new(&self.network, Some(self.binds.clone())),
            binds: self.binds.clone(),
            acknowledge: self.acknowledge.clone(),
        }
    }

    fn refused(&mut self, command: PlatformCommand) {
        if let Some(message) = unsent(command) {
            self.network
                .deliver(message, Receipt::NONE, self.network.parties().clock.begin());
        }
    }
}

/// The platform's end of one connection.
pub(super) struct PlatformLink {
    end: EsmeEnd,
    inbox: Inbox,
    binds: Arc<watch::Sender<bool>>,
    acknowledge: Acknowledge,
}

impl PlatformLink {
    fn report(&mut self) {
        for arrived in self.end.events() {
            if let Message::Platform(platform::Input::LinkDown) = arrived.message {
                self.binds.send_replace(false);
            }
            self.inbox.put(arrived, Some(self.acknowledge.clone()));
        }
    }
}

impl ByteSession for PlatformLink {
    type Command = PlatformCommand;

    fn handle_bytes(&mut self, octets: &[u8], now: Timestamp) {
        self.end.session().handle_bytes(octets, now);
        self.report();
    }

    fn handle_command(&mut self, command: PlatformCommand, now: Timestamp) {
        match command {
            PlatformCommand::Acknowledge(sequence) => self.end.acknowledge(sequence),
            PlatformCommand::Send(output) => {
                if let Some(message) = self.end.send(*output, now) {
                    self.inbox.put(message.into(), None);
                }
            }
        }
        self.report();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.end.session().handle_timeout(now);
        self.report();
    }

    fn handle_shutdown(&mut self, now: Timestamp) {
        self.end.session().unbind(now);
        self.report();
    }

    fn handle_end(&mut self, _: &End, _: Timestamp) {
        self.end.session().handle_end();
        self.report();
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.end.session().poll_transmit()
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.end.next_timeout()
    }

    fn closed(&self) -> bool {
        self.end.is_closed()
    }
}

/// The SMSC's end of one connection.
struct SmscLink {
    end: SmscEnd,
    link: u64,
    esmes: Arc<Esmes>,
    inbox: Inbox,
}

impl SmscLink {
    fn report(&mut self) {
        for message in self.end.events() {
            self.inbox.put(message.into(), None);
        }
    }
}

impl ByteSession for SmscLink {
    type Command = smsc::Output;

    fn handle_bytes(&mut self, octets: &[u8], now: Timestamp) {
        self.end.session().handle_bytes(octets, now);
        self.report();
    }

    fn handle_command(&mut self, output: smsc::Output, now: Timestamp) {
        if let Some(message) = self.end.send(output, now) {
            self.inbox.put(message.into(), None);
        }
        self.report();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.end.session().handle_timeout(now);
        self.report();
    }

    fn handle_shutdown(&mut self, now: Timestamp) {
        self.end.session().unbind(now);
        self.report();
    }

    fn handle_end(&mut self, _: &End, _: Timestamp) {
        self.end.session().handle_end();
        self.report();
        lock(&self.esmes).remove(&self.link);
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.end.session().poll_transmit()
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.end.next_timeout()
    }

    fn closed(&self) -> bool {
        self.end.is_closed()
    }
}
