//! SMPP over TCP: the platform's connection to the SMSC, and the SMSC's listener for any ESME.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use ota::smpp::{EsmeConfig, SendError, Session, SmscConfig};
use ota::{platform, smsc};
use tokio::sync::{mpsc, watch};

use super::parties::{Message, Receipt};
use super::smpp::{Arrived, EsmeEnd, SmppEnd, SmscEnd};
use super::sockets::Network;
use crate::runtime::clock::InFlight;
use crate::runtime::lock;
use crate::sockets::tcp::{ByteSession, End, Endpoint};

/// Commands that may wait for one connection; more are refused, and their senders try again later.
const WAITING: usize = 8192;

/// The most messages of one session that are committed together.
const TOGETHER: usize = 1024;

/// Where the parties' SMPP outputs go.
pub(super) struct Links {
    platform: Sender<platform::Output>,
    /// By the number of the link.
    esmes: Arc<Esmes>,
    bound: watch::Receiver<bool>,
    network: Arc<Network>,
}

/// What keeps one side of the links going.
type Runner = Pin<Box<dyn Future<Output = ()> + Send>>;

type Sender<O> = mpsc::Sender<(Command<O>, InFlight)>;
type WeakSender<O> = mpsc::WeakSender<(Command<O>, InFlight)>;
type Esmes = Mutex<HashMap<u64, Sender<smsc::Output>>>;

/// What an end is told.
pub(super) enum Command<O> {
    /// Answer these deliver_sm, whose contents are committed.
    Acknowledge(Vec<u32>),
    /// Carry these out, in order.
    Send(Vec<O>),
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
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (sender, commands) = mpsc::channel(WAITING);
                lock(&esmes).insert(number, sender);
                let end = SmscEnd::new(Session::smsc(smsc.clone(), clock.now()), number);
                let gone = {
                    let esmes = esmes.clone();
                    move || drop(lock(&esmes).remove(&number))
                };
                let link = Link {
                    end,
                    inbox: Inbox::new(&network, None),
                    acknowledge: None,
                    gone: Box::new(gone),
                };
                (link, commands)
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
    pub(super) fn platform(&self, outputs: Vec<platform::Output>, flight: InFlight) {
        if let Err(refused) = self.platform.try_send((Command::Send(outputs), flight)) {
            let (command, flight) = refused.into_inner();
            self.refused::<EsmeEnd>(command, &flight);
        }
    }

    /// What the SMSC wants of ESMEs.
    pub(super) fn smsc(&self, outputs: Vec<smsc::Output>, flight: &InFlight) {
        let mut by_link: Vec<(u64, Vec<smsc::Output>)> = Vec::new();
        for output in outputs {
            let link = match &output {
                smsc::Output::Deliver { esme, .. }
                | smsc::Output::SubmitResp { esme, .. }
                | smsc::Output::MultiResp { esme, .. }
                | smsc::Output::Answer { esme, .. } => esme.link,
                smsc::Output::Rp { .. } => continue,
            };
            match by_link.iter_mut().find(|(known, _)| *known == link) {
                Some((_, outputs)) => outputs.push(output),
                None => by_link.push((link, vec![output])),
            }
        }
        for (link, outputs) in by_link {
            let sender = lock(&self.esmes).get(&link).cloned();
            let command = Command::Send(outputs);
            let refused = match sender {
                Some(sender) => match sender.try_send((command, flight.clone())) {
                    Ok(()) => continue,
                    Err(refused) => refused.into_inner().0,
                },
                None => command,
            };
            self.refused::<SmscEnd>(refused, flight);
        }
    }

    fn refused<E: SmppEnd>(&self, command: Command<E::Output>, flight: &InFlight) {
        for message in unsent::<E>(command) {
            self.network.deliver(message, Receipt::NONE, flight.clone());
        }
    }
}

/// For a command that no connection could take.
fn unsent<E: SmppEnd>(command: Command<E::Output>) -> Vec<Message> {
    match command {
        Command::Acknowledge(_) => Vec::new(),
        Command::Send(outputs) => outputs
            .into_iter()
            .filter_map(|output| E::unsent(output, &SendError::NotBound))
            .collect(),
    }
}

/// Takes what one session brings to its party, in order: whatever has come while the last commit was on its way is committed
/// together.
struct Inbox {
    network: Arc<Network>,
    sender: mpsc::UnboundedSender<(Arrived, InFlight)>,
}

/// What the platform's inbox knows besides.
struct PlatformInbox {
    /// Told that the platform is bound, once the platform knows.
    binds: Arc<watch::Sender<bool>>,
    acknowledge: WeakSender<platform::Output>,
}

impl Inbox {
    /// What waits here is bounded by the session, which throttles its peer.
    fn new(network: &Arc<Network>, platform: Option<PlatformInbox>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        // Ends with the session, which owns the sender.
        tokio::spawn(take(network.clone(), receiver, platform));
        Self {
            network: network.clone(),
            sender,
        }
    }

    fn put(&self, arrived: impl IntoIterator<Item = Arrived>) {
        for arrived in arrived {
            let flight = self.network.parties().clock.begin();
            // The worker lives as long as this sender.
            let _ = self.sender.send((arrived, flight));
        }
    }
}

async fn take(
    network: Arc<Network>,
    mut receiver: mpsc::UnboundedReceiver<(Arrived, InFlight)>,
    platform: Option<PlatformInbox>,
) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, TOGETHER).await > 0 {
        let (mut messages, mut flights, mut acknowledge) = (Vec::new(), Vec::new(), Vec::new());
        for (arrived, flight) in waiting.drain(..) {
            messages.push(arrived.message);
            acknowledge.extend(arrived.acknowledge);
            flights.push(flight);
        }
        let up = messages
            .iter()
            .any(|message| matches!(message, Message::Platform(platform::Input::LinkUp)));
        let Some(flight) = flights.first().cloned() else {
            continue;
        };
        // What was not committed comes again: the peer is not answered.
        let committed = network.handle_all(messages, flight.clone()).await;
        let Some(platform) = platform.as_ref().filter(|_| committed) else {
            continue;
        };
        if !acknowledge.is_empty()
            && let Some(sender) = platform.acknowledge.upgrade()
        {
            // Without room the peer is not acknowledged and sends again.
            let _ = sender.try_send((Command::Acknowledge(acknowledge), flight));
        }
        // Unless the session has ended meanwhile.
        if up && !receiver.is_closed() {
            platform.binds.send_replace(true);
        }
    }
}

struct PlatformEndpoint {
    network: Arc<Network>,
    esme: EsmeConfig,
    binds: Arc<watch::Sender<bool>>,
    acknowledge: WeakSender<platform::Output>,
}

impl Endpoint for PlatformEndpoint {
    type Session = Link<EsmeEnd>;

    fn connected(&mut self, now: Timestamp) -> Link<EsmeEnd> {
        #[expect(
            clippy::expect_used,
            reason = "the suite checks system_id and password when it starts"
        )]
        let session = Session::esme(self.esme.clone(), now).expect("credentials fit SMPP");
        let inbox = PlatformInbox {
            binds: self.binds.clone(),
            acknowledge: self.acknowledge.clone(),
        };
        let binds = self.binds.clone();
        Link {
            end: EsmeEnd::new(session),
            inbox: Inbox::new(&self.network, Some(inbox)),
            acknowledge: Some(EsmeEnd::acknowledge),
            gone: Box::new(move || {
                binds.send_replace(false);
            }),
        }
    }

    fn refused(&mut self, command: Command<platform::Output>) {
        for message in unsent::<EsmeEnd>(command) {
            let flight = self.network.parties().clock.begin();
            self.network.deliver(message, Receipt::NONE, flight);
        }
    }
}

/// One end of one connection.
pub(super) struct Link<E> {
    end: E,
    inbox: Inbox,
    acknowledge: Option<fn(&mut E, u32)>,
    /// What to do when the session is over.
    gone: Box<dyn Fn() + Send>,
}

impl<E: SmppEnd> Link<E> {
    fn report(&mut self) {
        let arrived = self.end.events();
        if self.end.seen().is_closed() {
            (self.gone)();
        }
        self.inbox.put(arrived);
    }
}

impl<E: SmppEnd> ByteSession for Link<E> {
    type Command = Command<E::Output>;

    fn handle_bytes(&mut self, octets: &[u8], now: Timestamp) {
        self.end.session().handle_bytes(octets, now);
        self.report();
    }

    fn handle_eof(&mut self, now: Timestamp) -> bool {
        self.end.session().handle_eof(now);
        self.report();
        !self.end.seen().is_closed()
    }

    fn handle_command(&mut self, command: Command<E::Output>, now: Timestamp) {
        match command {
            Command::Acknowledge(sequences) => {
                if let Some(acknowledge) = self.acknowledge {
                    sequences
                        .into_iter()
                        .for_each(|sequence| acknowledge(&mut self.end, sequence));
                }
            }
            Command::Send(outputs) => {
                for output in outputs {
                    let refused = self.end.send(output, now);
                    self.inbox.put(refused.map(Into::into));
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
        self.end.seen().next_timeout()
    }

    fn closed(&self) -> bool {
        self.end.seen().is_closed()
    }
}
