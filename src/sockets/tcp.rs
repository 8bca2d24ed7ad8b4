//! Sessions over octet streams, such as SMPP: drives a session that itself knows nothing of sockets, tasks or time.
//!
//! What waits to be written is bounded: while a peer does not read, nothing is read from it and no command is taken, and after
//! [`Limits::unread`] it is given up. Between two parties of this process the octets on their way count as in flight
//! ([`crate::runtime::clock::Wire`]); the end that connects speaks first.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::shutdown::{GRACE, Shutdown};
use super::stall::Stalling;
use crate::runtime::clock::{Clock, InFlight, Wire};

/// A session without input or output of its own.
///
/// Calling contract: after each `handle_…` the driver calls [`poll_transmit`](Self::poll_transmit) until it gives nothing, then
/// asks [`next_timeout`](Self::next_timeout) and [`closed`](Self::closed). What happens in the session is passed on by the
/// session itself, from inside `handle_…`, each message with its [`InFlight`]. Time is simulated time.
pub trait ByteSession: Send + 'static {
    /// What can be asked of it from outside.
    type Command: Send + 'static;

    /// Octets have come, cut anywhere.
    fn handle_bytes(&mut self, octets: &[u8], now: Timestamp);

    /// The peer sends no more. Whether answers to what it sent are still to come: then it is written to until the session has
    /// [`closed`](Self::closed), which the session bounds in time.
    fn handle_eof(&mut self, _now: Timestamp) -> bool {
        false
    }

    /// Somebody wants something sent.
    fn handle_command(&mut self, command: Self::Command, now: Timestamp);

    /// The time it asked for has come.
    fn handle_timeout(&mut self, now: Timestamp);

    /// The process stops: say goodbye and close.
    fn handle_shutdown(&mut self, now: Timestamp);

    /// The connection is gone. The last call.
    fn handle_end(&mut self, end: &End, now: Timestamp);

    /// The next octets to send.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;

    /// When it wants to be called again.
    fn next_timeout(&self) -> Option<Timestamp>;

    /// Whether it has ended: what waits is still sent, then the connection is closed.
    fn closed(&self) -> bool;
}

/// Commands for a session, each with what counts it as under way.
pub type Commands<S> = mpsc::Receiver<(<S as ByteSession>::Command, InFlight)>;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It broke.
    Broken(String),
    /// The session closed it.
    Closed,
    /// The peer closed it.
    PeerClosed,
    /// The peer did not read.
    Stalled,
    /// The process stops.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(how) => write!(f, "the connection broke: {how}"),
            Self::Closed => f.write_str("closed"),
            Self::PeerClosed => f.write_str("closed by the peer"),
            Self::Stalled => f.write_str("the peer stopped reading"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// What one connection may hold, and how many there may be. Times are transport time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections of one listener at a time; more wait to be accepted.
    pub connections: usize,
    /// Octets waiting to be written beyond which nothing more is taken in.
    pub queue: usize,
    /// How long octets may stay unread.
    pub unread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            queue: 256 << 10,
            unread: Duration::from_secs(30),
        }
    }
}

/// What every link needs.
#[derive(Clone, Debug)]
pub struct Links {
    /// The clock of the system.
    pub clock: Clock,
    /// What a connection may hold.
    pub limits: Limits,
    /// When to stop.
    pub shutdown: Shutdown,
}

/// The end of a link that connects, and connects again.
pub trait Endpoint: Send + 'static {
    /// The session over one connection.
    type Session: ByteSession;

    /// Connected: the session for it.
    fn connected(&mut self, now: Timestamp) -> Self::Session;

    /// A command came while there was no connection.
    fn refused(&mut self, command: <Self::Session as ByteSession>::Command);
}

/// The first wait before connecting again, simulated time; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long a peer may take to accept, transport time.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

const AFTER_REFUSAL: Duration = Duration::from_millis(100);

const READ: usize = 16 << 10;

impl Links {
    /// Keeps a connection to `target` until the shutdown, or until nobody can send commands any more. While there is none,
    /// commands are refused; waiting between attempts goes by the clock.
    pub async fn connect<E: Endpoint>(
        &self,
        target: impl ToSocketAddrs + fmt::Display,
        mut endpoint: E,
        mut commands: Commands<E::Session>,
    ) {
        let mut wait = FIRST_WAIT;
        while !self.shutdown.is_draining() && !commands.is_closed() {
            let began = self.clock.now();
            match connect(&target).await {
                Ok(stream) => {
                    let wire = ends(&stream).and_then(|(us, them)| self.clock.wire_out(us, them));
                    let session = endpoint.connected(self.clock.now());
                    let end = self.drive(stream, wire, session, &mut commands).await;
                    tracing::debug!(%target, %end, "a link has ended");
                }
                Err(error) => tracing::debug!(%target, %error, "cannot connect"),
            }
            if self.clock.now() >= later(began, LONGEST_WAIT) {
                wait = FIRST_WAIT;
            }
            if !self.wait(wait, &mut endpoint, &mut commands).await {
                break;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Refuses commands until `wait` is over; `false` if there is no reason to go on.
    async fn wait<E: Endpoint>(
        &self,
        wait: Duration,
        endpoint: &mut E,
        commands: &mut Commands<E::Session>,
    ) -> bool {
        let again = later(self.clock.now(), wait);
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.draining() => return false,
                command = commands.recv() => match command {
                    Some((command, _flight)) => endpoint.refused(command),
                    None => return false,
                },
                () = self.clock.reached(again) => return true,
            }
        }
    }

    /// Accepts connections until the shutdown, a session for each. The clock knows the address from the call on, not only
    /// from the first poll: who connects before must count its octets too.
    pub fn listen<S: ByteSession>(
        self,
        listener: TcpListener,
        accepted: impl FnMut(SocketAddr) -> (S, Commands<S>),
    ) -> impl Future<Output = ()> {
        if let Ok(address) = listener.local_addr() {
            self.clock.listening(address);
        }
        async move { self.accept(listener, accepted).await }
    }

    async fn accept<S: ByteSession>(
        &self,
        listener: TcpListener,
        mut accepted: impl FnMut(SocketAddr) -> (S, Commands<S>),
    ) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        loop {
            let next = async {
                // The semaphore is never closed.
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            };
            let (place, next) = tokio::select! {
                biased;
                () = self.shutdown.draining() => break,
                next = next => next,
            };
            while connections.try_join_next().is_some() {}
            match next {
                Ok((stream, peer)) => {
                    let (session, mut commands) = accepted(peer);
                    let links = self.clone();
                    connections.spawn(async move {
                        let end = links.drive(stream, None, session, &mut commands).await;
                        tracing::debug!(%peer, %end, "a connection has ended");
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Out of descriptors, most likely: let some close before trying again.
                    let _ = tokio::time::timeout(AFTER_REFUSAL, self.shutdown.draining()).await;
                }
            }
        }
        drop(listener);
        // Each ends by itself within the grace.
        while connections.join_next().await.is_some() {}
    }

    /// Runs one session over one connection to its end. `wire` is that of a connecting end; an accepting one finds its own.
    async fn drive<S: ByteSession>(
        &self,
        stream: TcpStream,
        wire: Option<Wire>,
        mut session: S,
        commands: &mut Commands<S>,
    ) -> End {
        // Only costs speed if it fails.
        let _ = stream.set_nodelay(true);
        let ends = ends(&stream);
        let (reader, writer) = tokio::io::split(Stalling::new(stream, self.limits.unread));
        let mut link = Link {
            links: self,
            session: &mut session,
            reader,
            writer,
            waiting: BytesMut::new(),
            ends,
            wire,
        };
        let end = self.shutdown.bound(GRACE, link.run(commands)).await;
        let end = end.unwrap_or(End::Stopped);
        drop(link);
        session.handle_end(&end, self.clock.now());
        end
    }
}

/// One connection and its session.
struct Link<'a, S> {
    links: &'a Links,
    session: &'a mut S,
    reader: ReadHalf<Stalling<TcpStream>>,
    writer: WriteHalf<Stalling<TcpStream>>,
    /// Taken from the session, not yet written.
    waiting: BytesMut,
    ends: Option<(SocketAddr, SocketAddr)>,
    wire: Option<Wire>,
}

impl<S: ByteSession> Link<'_, S> {
    async fn run(&mut self, commands: &mut Commands<S>) -> End {
        let links = self.links;
        let clock = &links.clock;
        let mut octets = vec![0; READ];
        let (mut stopping, mut deserted, mut ended) = (false, false, false);
        // Both wait on, over all that happens meanwhile: to wait anew costs more than most of it.
        let mut draining = pin!(links.shutdown.draining());
        let mut alarm = pin!(reached(clock, None));
        let mut set_to = None;
        loop {
            self.take_transmits();
            if self.waiting.is_empty() && self.session.closed() {
                // The peer may be gone already.
                let _ = self.writer.shutdown().await;
                return if ended { End::PeerClosed } else { End::Closed };
            }
            let room = self.has_room();
            let timeout = self.session.next_timeout();
            // Too early an alarm is set again when it rings.
            if timeout.is_some_and(|timeout| set_to.is_none_or(|set_to| timeout < set_to)) {
                set_to = timeout;
                alarm.set(reached(clock, timeout));
            }
            tokio::select! {
                biased;
                () = &mut draining, if !stopping => {
                    stopping = true;
                    self.session.handle_shutdown(clock.now());
                }
                written = self.writer.write(&self.waiting), if !self.waiting.is_empty() => {
                    match written {
                        Ok(written) => self.waiting.advance(written),
                        Err(error) => return End::of(&error),
                    }
                }
                read = self.reader.read(&mut octets), if room && !ended => match read {
                    Ok(0) if self.session.handle_eof(clock.now()) => ended = true,
                    Ok(0) => return End::PeerClosed,
                    Ok(read) => self.handle_bytes(&octets[..read]),
                    Err(error) => return End::of(&error),
                },
                command = commands.recv(), if room && !deserted => match command {
                    Some(first) => self.handle_commands(first, commands),
                    None => deserted = true,
                },
                () = &mut alarm, if set_to.is_some() => {
                    set_to = None;
                    let now = clock.now();
                    if timeout.is_some_and(|timeout| timeout <= now) {
                        self.session.handle_timeout(now);
                    }
                }
            }
        }
    }

    /// Handles a command, and what waits behind it as long as there is room: it is all written at once.
    fn handle_commands(&mut self, first: (S::Command, InFlight), commands: &mut Commands<S>) {
        let mut next = Some(first);
        while let Some((command, _flight)) = next {
            self.session.handle_command(command, self.links.clock.now());
            self.take_transmits();
            next = match self.has_room() {
                true => commands.try_recv().ok(),
                false => None,
            };
        }
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < self.links.limits.queue && !self.session.closed()
    }

    fn handle_bytes(&mut self, octets: &[u8]) {
        if self.wire.is_none() {
            let clock = &self.links.clock;
            self.wire = self.ends.and_then(|(us, them)| clock.wire_in(us, them));
        }
        self.session.handle_bytes(octets, self.links.clock.now());
        // What follows from the octets counts before they cease to.
        self.take_transmits();
        if let Some(wire) = &self.wire {
            wire.handled(octets.len());
        }
    }

    fn take_transmits(&mut self) {
        while let Some(octets) = self.session.poll_transmit() {
            if let Some(wire) = &self.wire {
                wire.sent(octets.len());
            }
            self.waiting.extend_from_slice(&octets);
        }
    }
}

impl End {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Stalled,
            _ => Self::Broken(error.to_string()),
        }
    }
}

async fn connect(target: &impl ToSocketAddrs) -> io::Result<TcpStream> {
    let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(target)).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Our address and the peer's.
fn ends(stream: &TcpStream) -> Option<(SocketAddr, SocketAddr)> {
    Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
}

async fn reached(clock: &Clock, time: Option<Timestamp>) {
    match time {
        Some(time) => clock.reached(time).await,
        None => std::future::pending().await,
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
