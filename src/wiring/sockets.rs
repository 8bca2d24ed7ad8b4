//! The parties over real sockets: HTTP between RP, OP and MSSP, SMPP over TCP between OTA platform and SMSC.
//!
//! Every message is handled by a task of its own and carries a guard, so that the clock knows when nothing is under way.
//! Outputs of one step are released in their order; steps of different transactions run side by side.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use ota::smpp::{EsmeConfig, SmscConfig};
use ota_wire::ids::Msisdn;
use sim_applet_sim::handset::{Input, Memory, Output, ReaderOutput, Refusal};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::apart::OtaLink;
use super::fetches::{Fetches, Waiting};
use super::http::{self as convert, Refused};
use super::parties::{Effect, Emission, Message, Parties, Receipt};
use super::smpp_links::Links;
use crate::faults::LinkName;
use crate::runtime::clock::{Due, InFlight};
use crate::runtime::party::HandleError;
use crate::sockets::http_client::{Bounds, HttpClient, SendError, Sent};
use crate::sockets::http_server::{Arrived, HttpParty, Replies, RequestId};
use crate::sockets::shutdown::Shutdown;
use crate::sockets::tcp;

/// What the answer to a request of ours may take, unless the request says otherwise.
const ANSWER: Bounds = Bounds {
    within: Duration::from_secs(5),
    answer: Some(1 << 20),
};

/// The network of one process.
pub struct Network {
    parties: Arc<Parties>,
    op_replies: Replies,
    mssp_replies: Replies,
    clients: Clients,
    fetches: Fetches,
    links: OnceLock<Links>,
    /// To an OTA platform in another process.
    ota: OnceLock<Arc<OtaLink>>,
}

/// Through whom the parties call others. They share no connection, since a connection keeps who it said it is.
pub struct Clients {
    /// From the OP to the MSSP, which may ask it for its certificate.
    pub to_mssp: HttpClient,
    /// To whoever a client or an AP has named.
    pub others: HttpClient,
}

impl Network {
    /// A network without SMPP links, see [`Network::start_smpp`].
    pub fn new(
        parties: Arc<Parties>,
        op_replies: Replies,
        mssp_replies: Replies,
        clients: Clients,
    ) -> Arc<Self> {
        Arc::new(Self {
            parties,
            op_replies,
            mssp_replies,
            clients,
            fetches: Fetches::default(),
            links: OnceLock::new(),
            ota: OnceLock::new(),
        })
    }

    /// Begins to follow an OTA platform in another process. To be called once.
    pub(crate) fn start_ota_link(self: &Arc<Self>, link: OtaLink, tasks: &mut JoinSet<()>) {
        let link = Arc::new(link);
        // A second call would be a bug of ours; the first link stays.
        let _ = self.ota.set(link.clone());
        tasks.spawn(link.follow(self.clone()));
    }

    /// Starts the SMSC's listener and the platform's connection to it. To be called once.
    pub fn start_smpp(
        self: &Arc<Self>,
        tcp: tcp::Links,
        listener: TcpListener,
        at: SocketAddr,
        ends: (EsmeConfig, SmscConfig),
        tasks: &mut JoinSet<()>,
    ) {
        let (links, runners) = Links::new(self, tcp, listener, at, ends);
        // A second call would be a bug of ours; the first links stay.
        let _ = self.links.set(links);
        for runner in runners {
            tasks.spawn(runner);
        }
    }

    /// Returns when the platform is bound to the SMSC.
    pub async fn bound(&self) {
        if let Some(links) = self.links.get() {
            links.bound().await;
        }
    }

    /// The parties on it.
    pub fn parties(&self) -> &Arc<Parties> {
        &self.parties
    }

    /// Whether everything that the parties here need for a message to a card is connected: the OTA platform to the SMSC, an MSSP
    /// without one of its own to the OTA platform.
    pub fn is_bound(&self) -> bool {
        let serves = self.parties.serves;
        if serves.ota {
            return self.links.get().is_some_and(Links::is_bound);
        }
        !serves.mssp || self.ota.get().is_some_and(|ota| ota.is_connected())
    }

    /// Hands a message to its party, in a task of its own.
    pub fn deliver(self: &Arc<Self>, message: Message, receipt: Receipt, flight: InFlight) {
        let network = self.clone();
        tokio::spawn(async move { network.handle(message, receipt, flight).await });
    }

    /// Hands a message to its party; returns when its step is committed and its outputs are on their way. `false` if that
    /// failed: then nothing of it happened, and it must not be acknowledged.
    /// `receipt` is that of the emission which the message is the carrying out of.
    pub async fn handle(
        self: &Arc<Self>,
        message: Message,
        receipt: Receipt,
        flight: InFlight,
    ) -> bool {
        match self.parties.handle(message).await {
            Ok(emissions) => {
                self.parties.done(receipt);
                self.carry_out(emissions, &flight);
                true
            }
            Err(error) => {
                tracing::error!(%error, "a message was not handled");
                false
            }
        }
    }

    /// Does something with a card that is in a reader, or would be in the way of whoever has it there; what comes of it there.
    pub async fn reader(
        self: &Arc<Self>,
        msisdn: &Msisdn,
        input: Input,
    ) -> Result<Vec<ReaderOutput>, HandleError> {
        let flight = self.parties.clock.begin();
        let (told, emissions) = self.parties.reader(msisdn, input).await?;
        self.carry_out(emissions, &flight);
        Ok(told)
    }

    /// Lets a user choose from a card's menu; why not, where that cannot be.
    pub async fn select(
        self: &Arc<Self>,
        msisdn: &Msisdn,
        item: u8,
    ) -> Result<Option<Refusal>, HandleError> {
        let refused = |output: &Output| match output {
            Output::NotSelected { reason, .. } => Some(*reason),
            _ => None,
        };
        self.press(msisdn, Input::Select { item }, refused).await
    }

    /// Lets a user look at the messages on the card, or erase one; `None` for a number that is nobody's.
    pub async fn memory(
        self: &Arc<Self>,
        msisdn: &Msisdn,
        input: Input,
    ) -> Result<Option<Result<Memory, Refusal>>, HandleError> {
        let came = |output: &Output| match output {
            Output::Memory(came) => Some(came.clone()),
            _ => None,
        };
        self.press(msisdn, input, came).await
    }

    /// A user does something with a handset; what comes of it, if that is among its outputs.
    async fn press<T>(
        self: &Arc<Self>,
        msisdn: &Msisdn,
        input: Input,
        came: impl Fn(&Output) -> Option<T>,
    ) -> Result<Option<T>, HandleError> {
        let flight = self.parties.clock.begin();
        let message = Message::Phone(msisdn.clone(), input);
        let emissions = self.parties.handle(message).await?;
        let found = emissions.iter().find_map(|emission| match emission {
            Emission::Phone(_, output) => came(output),
            _ => None,
        });
        self.carry_out(emissions, &flight);
        Ok(found)
    }

    /// As [`handle`](Self::handle) for several messages to one party: all of them happen, or none.
    pub async fn handle_all(self: &Arc<Self>, messages: Vec<Message>, flight: InFlight) -> bool {
        match self.parties.handle_all(messages).await {
            Ok(emissions) => {
                self.carry_out(emissions, &flight);
                true
            }
            Err(error) => {
                tracing::error!(%error, "messages were not handled");
                false
            }
        }
    }

    /// Hands out timers as they fall due, until the shutdown.
    pub async fn run_timers(self: Arc<Self>, shutdown: Shutdown) {
        loop {
            let due = tokio::select! {
                biased;
                () = shutdown.draining() => return,
                due = self.parties.clock.next_due() => due,
            };
            let network = self.clone();
            tokio::spawn(async move { network.fire(due).await });
        }
    }

    async fn fire(self: &Arc<Self>, due: Due) {
        match self.parties.fire(&due).await {
            Ok(emissions) => self.carry_out(emissions, &due.flight),
            Err(error) => tracing::error!(%error, key = due.key, "a timer was not handled"),
        }
    }

    /// Does what parties want done.
    pub fn carry_out(self: &Arc<Self>, emissions: Vec<Emission>, flight: &InFlight) {
        let (mut to_smsc, mut to_esmes) = (Vec::new(), Vec::new());
        let mut deliveries = Vec::new();
        for emission in emissions {
            let receipt = self.parties.receipt(&emission);
            let effects = self.parties.effects(emission);
            if effects.is_empty() {
                self.parties.done(receipt);
                continue;
            }
            for effect in effects {
                match effect {
                    Effect::Deliver(message) => deliveries.push((message, receipt.clone())),
                    // What is in a session is in the party's records too: it is sent again on the next link.
                    Effect::Network(Emission::Platform(output)) => {
                        self.parties.done(receipt.clone());
                        to_smsc.push(output);
                    }
                    Effect::Network(Emission::Smsc(output)) => {
                        self.parties.done(receipt.clone());
                        to_esmes.push(output);
                    }
                    Effect::Network(emission) => self.network(emission, receipt.clone(), flight),
                }
            }
        }
        // Before the deliveries: an ESME hears that its message was taken before it hears what became of it.
        if let Some(links) = self.links.get() {
            if !to_smsc.is_empty() {
                links.platform(to_smsc, flight.clone());
            }
            if !to_esmes.is_empty() {
                links.smsc(to_esmes, flight);
            }
        }
        for (message, receipt) in deliveries {
            self.deliver(message, receipt, flight.clone());
        }
    }

    fn network(self: &Arc<Self>, emission: Emission, receipt: Receipt, flight: &InFlight) {
        match emission {
            Emission::Op(op_bridge::Output::Reply { to, response }) => {
                self.op_replies.reply(RequestId(to.0), response);
            }
            Emission::Op(op_bridge::Output::Fetch { to, url, request }) => {
                let waiting = (to, request, flight.clone());
                if self.fetches.wait(&url, waiting) {
                    let network = self.clone();
                    tokio::spawn(async move { network.op_fetches(url).await });
                }
            }
            Emission::Op(op_bridge::Output::IfOpen { to, key }) => {
                if self.op_replies.is_open(RequestId(to.0)) {
                    let open = op_bridge::Input::Open { id: to, key };
                    self.deliver(Message::Op(open), receipt, flight.clone());
                }
            }
            Emission::Mssp(mssp::Output::Reply { to, response }) => {
                self.mssp_replies.reply(RequestId(to.0), response);
            }
            Emission::Op(op_bridge::Output::Send(send)) => {
                let network = self.clone();
                let flight = flight.clone();
                tokio::spawn(async move { network.op_sends(send, receipt, flight).await });
            }
            Emission::Mssp(mssp::Output::Send(send)) => {
                let network = self.clone();
                let flight = flight.clone();
                tokio::spawn(async move { network.mssp_sends(send, receipt, flight).await });
            }
            Emission::Mssp(mssp::Output::Submit(submit)) => {
                // Without a link there is a platform in this process.
                if let Some(link) = self.ota.get().cloned() {
                    let (network, flight) = (self.clone(), flight.clone());
                    tokio::spawn(async move {
                        link.submit(&network, submit, receipt, flight).await;
                    });
                }
            }
            // `Parties::effects` leaves none of these to the network, or [`carry_out`](Self::carry_out) has taken it.
            Emission::Platform(_) | Emission::Smsc(_) => {}
            Emission::Phone(..) => {}
        }
    }

    async fn op_sends(self: &Arc<Self>, send: op_bridge::Send, receipt: Receipt, flight: InFlight) {
        let link = match send.to {
            op_bridge::Peer::Mssp => LinkName::OpToMssp,
            op_bridge::Peer::Rp => LinkName::OpToRp,
        };
        let within = if send.wait_seconds == 0 {
            ANSWER.within
        } else {
            Duration::from_secs(send.wait_seconds.into())
        };
        let answer = match send.to {
            op_bridge::Peer::Mssp => ANSWER.answer,
            // A status is all that a client has to say; its body counts for nothing (CIBA Core §10.2, §10.3).
            op_bridge::Peer::Rp => None,
        };
        let bounds = Bounds { within, answer };
        let request = convert::request(&send.method, &send.url, &send.headers, &send.body);
        let sent = self
            .call(link, &send.correlation, request, bounds, flight)
            .await;
        let result = sent.result.map_err(op_error);
        let message = Message::Op(op_bridge::Input::Answer {
            id: send.id,
            result,
        });
        self.handle(message, receipt, sent.flight).await;
    }

    /// Gets what a client of the OP keeps at a URL, once for everybody who waits for it.
    async fn op_fetches(self: Arc<Self>, url: String) {
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .body(Bytes::new());
        let flight = self.parties.clock.begin();
        let sent = self
            .call(LinkName::OpToRp, "", request.ok(), ANSWER, flight)
            .await;
        let result = sent.result.map_err(op_error);
        let fetched = |(id, request, flight): Waiting| {
            let open = self.op_replies.is_open(RequestId(id.0));
            let input = op_bridge::Input::Fetched {
                id,
                request: open.then_some(request),
                url: url.clone(),
                result: result.clone(),
            };
            (Message::Op(input), flight)
        };
        let mut waiting = self.fetches.got(&url).into_iter();
        // Once this is committed nobody asks for the URL again.
        if let Some((message, flight)) = waiting.next().map(fetched) {
            self.handle(message, Receipt::NONE, flight).await;
        }
        for (message, flight) in waiting.chain(self.fetches.done(&url)).map(fetched) {
            self.deliver(message, Receipt::NONE, flight);
        }
    }

    async fn mssp_sends(self: &Arc<Self>, send: mssp::Send, receipt: Receipt, flight: InFlight) {
        let request = convert::request(&send.method, &send.url, &send.headers, &send.body);
        let link = LinkName::MsspToOp;
        let sent = self
            .call(link, &send.correlation, request, ANSWER, flight)
            .await;
        let result = sent.result.map_err(|error| match error {
            SendError::TimedOut => mssp::SendError::TimedOut,
            SendError::TooLarge => mssp::SendError::TooLarge,
            SendError::Unreachable(why) => mssp::SendError::Unreachable(why),
        });
        let message = Message::Mssp(mssp::Input::Answer {
            id: send.id,
            result,
        });
        self.handle(message, receipt, sent.flight).await;
    }

    /// Sends a request over a link, on which it may get lost; `correlation` names its transaction for the trace.
    async fn call(
        &self,
        link: LinkName,
        correlation: &str,
        request: Option<Request<Bytes>>,
        bounds: Bounds,
        flight: InFlight,
    ) -> Sent {
        let Some(request) = request else {
            let why = "the URL or a header is malformed".to_owned();
            return Sent {
                result: Err(SendError::Unreachable(why)),
                flight,
            };
        };
        if self.parties.lost(link, correlation, request.body()) {
            return Sent {
                result: Err(SendError::TimedOut),
                flight,
            };
        }
        let client = match link {
            LinkName::OpToMssp => &self.clients.to_mssp,
            _ => &self.clients.others,
        };
        let sending = client.send(request, bounds);
        // The client counts the request now; a held one must not be counted twice.
        drop(flight);
        sending.await
    }
}

fn op_error(error: SendError) -> op_bridge::SendError {
    match error {
        SendError::TimedOut => op_bridge::SendError::TimedOut,
        SendError::TooLarge => op_bridge::SendError::TooLarge,
        SendError::Unreachable(why) => op_bridge::SendError::Unreachable(why),
    }
}

/// The OP behind its listener.
pub struct OpListener(pub Arc<Network>);
/// The MSSP behind its listener.
pub struct MsspListener(pub Arc<Network>);

impl HttpParty for OpListener {
    async fn handle(&self, arrived: Arrived) {
        let id = op_bridge::RequestId(arrived.id.0);
        let mut request = arrived.request;
        request
            .extensions_mut()
            .insert(op_bridge::Started(arrived.started));
        if let Some(certificate) = arrived.certificate {
            request.extensions_mut().insert(op_bridge::PeerCertificate {
                der: certificate.der,
                trusted: certificate.trusted,
            });
        }
        let request = Arc::new(request);
        let message = Message::Op(op_bridge::Input::Http { id, request });
        self.0.handle(message, Receipt::NONE, arrived.flight).await;
    }

    fn too_large(&self, head: &Parts) -> Response<Bytes> {
        self.0.parties.refused(Refused::too_large("OP", head));
        let body =
            r#"{"error":"invalid_request","error_description":"the request is larger than 1 MB"}"#;
        answer(StatusCode::PAYLOAD_TOO_LARGE, "application/json", body)
    }

    fn overloaded(&self, _: &Parts) -> Response<Bytes> {
        let body = r#"{"error":"temporarily_unavailable","error_description":"too many requests are open; come again later"}"#;
        answer(StatusCode::SERVICE_UNAVAILABLE, "application/json", body)
    }
}

impl HttpParty for MsspListener {
    async fn handle(&self, arrived: Arrived) {
        let id = mssp::RequestId(arrived.id.0);
        let mut request = arrived.request;
        if let Some(certificate) = arrived.certificate {
            request.extensions_mut().insert(mssp::PeerCertificate {
                der: certificate.der,
                trusted: certificate.trusted,
            });
        }
        let message = Message::Mssp(mssp::Input::Http { id, request });
        self.0.handle(message, Receipt::NONE, arrived.flight).await;
    }

    fn too_large(&self, head: &Parts) -> Response<Bytes> {
        self.0.parties.refused(Refused::too_large("MSSP", head));
        mssp::too_large(head)
    }
}

fn answer(status: StatusCode, kind: &'static str, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
