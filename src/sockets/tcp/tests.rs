use std::collections::VecDeque;

use super::*;
use crate::sockets::shutdown::{self, Stopper};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

/// What a session tells, with what counts it.
type Log = mpsc::UnboundedSender<(String, Option<InFlight>)>;

/// Messages end with a full stop. "bye." closes; a question is answered with itself, `volume` times.
struct Talk {
    clock: Clock,
    log: Log,
    partial: String,
    transmits: VecDeque<String>,
    volume: usize,
    owes: bool,
    timeout: Option<Timestamp>,
    closed: bool,
}

impl Talk {
    fn new(clock: &Clock, log: &Log) -> Self {
        Self {
            clock: clock.clone(),
            log: log.clone(),
            partial: String::new(),
            transmits: VecDeque::new(),
            volume: 1,
            owes: false,
            timeout: None,
            closed: false,
        }
    }

    fn tell(&self, text: impl Into<String>) {
        // The test may have ended.
        let _ = self.log.send((text.into(), Some(self.clock.begin())));
    }
}

impl ByteSession for Talk {
    type Command = &'static str;

    fn handle_bytes(&mut self, octets: &[u8], _: Timestamp) {
        self.partial.push_str(std::str::from_utf8(octets).unwrap());
        while let Some(end) = self.partial.find('.') {
            let message: String = self.partial.drain(..=end).collect();
            if message.ends_with("?.") {
                let answer = message.replace('?', "!");
                self.transmits
                    .extend(std::iter::repeat_n(answer, self.volume));
            }
            self.closed |= message == "bye.";
            self.owes |= message == "later.";
            self.tell(message);
        }
    }

    fn handle_eof(&mut self, _: Timestamp) -> bool {
        self.owes
    }

    fn handle_command(&mut self, command: &'static str, _: Timestamp) {
        self.transmits.push_back(command.to_owned());
        self.closed |= command == "bye.";
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.timeout = None;
        self.tell(format!("timeout at {}", now.as_second()));
        self.transmits.push_back("still there?.".to_owned());
    }

    fn handle_shutdown(&mut self, now: Timestamp) {
        self.handle_command("bye.", now);
    }

    fn handle_end(&mut self, end: &End, _: Timestamp) {
        self.tell(format!("end: {end}"));
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front().map(String::into_bytes)
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        self.timeout
    }

    fn closed(&self) -> bool {
        self.closed
    }
}

/// The connecting side.
struct Caller {
    clock: Clock,
    log: Log,
    keep_alive: Option<Timestamp>,
}

impl Endpoint for Caller {
    type Session = Talk;

    fn connected(&mut self, _: Timestamp) -> Talk {
        self.log.send(("connected".to_owned(), None)).unwrap();
        let mut talk = Talk::new(&self.clock, &self.log);
        talk.timeout = self.keep_alive;
        talk
    }

    fn refused(&mut self, command: &'static str) {
        self.log.send((format!("refused {command}"), None)).unwrap();
    }
}

struct Bench {
    clock: Clock,
    links: Links,
    stopper: Stopper,
    log: Log,
    said: mpsc::UnboundedReceiver<(String, Option<InFlight>)>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let clock = Clock::frozen(Timestamp::UNIX_EPOCH);
        let (stopper, shutdown) = shutdown::channel();
        let (log, said) = mpsc::unbounded_channel();
        let links = Links {
            clock: clock.clone(),
            limits,
            shutdown,
        };
        Self {
            clock,
            links,
            stopper,
            log,
            said,
        }
    }

    /// A listener of sessions that tell `heard`.
    async fn listen(&self, heard: Log, volume: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (links, clock) = (self.links.clone(), self.clock.clone());
        let accepted = move |_| {
            let mut talk = Talk::new(&clock, &heard);
            talk.volume = volume;
            (talk, mpsc::channel(1).1)
        };
        let listening = links.listen(listener, accepted);
        // Whoever connects may do so before the listener's task has run once.
        assert!(self.clock.is_listening(address));
        tokio::spawn(listening);
        address
    }

    fn call(&self, target: SocketAddr) -> mpsc::Sender<(&'static str, InFlight)> {
        let caller = Caller {
            clock: self.clock.clone(),
            log: self.log.clone(),
            keep_alive: None,
        };
        self.call_as(target, caller)
    }

    fn call_as(
        &self,
        target: SocketAddr,
        caller: Caller,
    ) -> mpsc::Sender<(&'static str, InFlight)> {
        let (sender, commands) = mpsc::channel(16);
        let links = self.links.clone();
        tokio::spawn(async move { links.connect(target, caller, commands).await });
        sender
    }

    async fn said(&mut self) -> String {
        self.said.recv().await.unwrap().0
    }
}

#[test]
fn idle_covers_what_is_on_the_wire() {
    block_on(async {
        let mut bench = Bench::new(Limits::default());
        let (heard, mut at_the_other_end) = mpsc::unbounded_channel();
        let target = bench.listen(heard, 1).await;
        let commands = bench.call(target);
        assert_eq!(bench.said().await, "connected");
        let clock = bench.clock.clone();
        for _ in 0..20 {
            commands
                .send(("hello?.", bench.clock.begin()))
                .await
                .unwrap();
            loop {
                // What was said counts until it is looked at.
                tokio::select! {
                    biased;
                    heard = at_the_other_end.recv() => assert_eq!(heard.unwrap().0, "hello?."),
                    said = bench.said() => {
                        assert_eq!(said, "hello!.");
                        break;
                    }
                    () = clock.idle() => panic!("idle while octets are on their way"),
                }
            }
            clock.idle().await;
            assert!(at_the_other_end.try_recv().is_err());
        }
    });
}

#[test]
fn a_session_that_closes_ends_both_sides() {
    block_on(async {
        let mut bench = Bench::new(Limits::default());
        let (heard, mut at_the_other_end) = mpsc::unbounded_channel();
        let target = bench.listen(heard, 1).await;
        let commands = bench.call(target);
        assert_eq!(bench.said().await, "connected");
        commands.send(("bye.", bench.clock.begin())).await.unwrap();
        assert_eq!(bench.said().await, "end: closed");
        assert_eq!(at_the_other_end.recv().await.unwrap().0, "bye.");
        assert_eq!(at_the_other_end.recv().await.unwrap().0, "end: closed");
        bench.clock.idle().await;
    });
}

/// A peer that sends no more still gets what it is owed.
#[test]
fn a_half_closed_connection_is_written_to_until_the_session_closes() {
    block_on(async {
        let bench = Bench::new(Limits::default());
        let (heard, mut at_the_other_end) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, commands) = mpsc::channel(2);
        let (clock, mut commands) = (bench.clock.clone(), Some(commands));
        let accepted = move |_: SocketAddr| (Talk::new(&clock, &heard), commands.take().unwrap());
        tokio::spawn(bench.links.clone().listen(listener, accepted));
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"later.").await.unwrap();
        peer.shutdown().await.unwrap();
        assert_eq!(at_the_other_end.recv().await.unwrap().0, "later.");
        for command in ["done.", "bye."] {
            sender.send((command, bench.clock.begin())).await.unwrap();
        }
        let mut got = String::new();
        peer.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "done.bye.");
        let end = at_the_other_end.recv().await.unwrap().0;
        assert_eq!(end, "end: closed by the peer");
    });
}

#[test]
fn a_lost_link_comes_back_by_the_clock_and_refuses_meanwhile() {
    block_on(async {
        let mut bench = Bench::new(Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let commands = bench.call(listener.local_addr().unwrap());
        for wait in [500, 1_000, 2_000] {
            drop(listener.accept().await.unwrap());
            assert_eq!(bench.said().await, "connected");
            assert_eq!(bench.said().await, "end: closed by the peer");
            commands
                .send(("hello.", bench.clock.begin()))
                .await
                .unwrap();
            assert_eq!(bench.said().await, "refused hello.");
            bench.clock.idle().await;
            bench.clock.advance(Duration::from_millis(wait - 1)).await;
            commands
                .send(("again.", bench.clock.begin()))
                .await
                .unwrap();
            assert_eq!(bench.said().await, "refused again.", "not connected yet");
            bench.clock.advance(Duration::from_millis(1)).await;
        }
        drop(commands);
    });
}

#[test]
fn a_peer_that_does_not_read_is_given_up_and_costs_little() {
    block_on(async {
        let bench = Bench::new(Limits {
            queue: 64 << 10,
            unread: Duration::from_millis(50),
            ..Limits::default()
        });
        let (heard, mut at_the_other_end) = mpsc::unbounded_channel();
        let target = bench.listen(heard, 1_000).await;
        let mut peer = TcpStream::connect(target).await.unwrap();
        // Each question makes 9 kB of answers: a hundred megabytes, if it were let.
        let questions = "hello!?.".repeat(12_000);
        let _ = peer.write_all(questions.as_bytes()).await;
        let mut questions = 0;
        loop {
            match at_the_other_end.recv().await.unwrap().0.as_str() {
                "hello!?." => questions += 1,
                end => {
                    assert_eq!(end, "end: the peer stopped reading");
                    break;
                }
            }
        }
        assert!(questions < 6_000, "{questions}");
    });
}

#[test]
fn a_sessions_own_time_goes_by_the_clock() {
    block_on(async {
        let mut bench = Bench::new(Limits::default());
        let (heard, mut at_the_other_end) = mpsc::unbounded_channel();
        let target = bench.listen(heard, 1).await;
        let keep_alive = Timestamp::from_second(30).unwrap();
        let caller = Caller {
            clock: bench.clock.clone(),
            log: bench.log.clone(),
            keep_alive: Some(keep_alive),
        };
        let _commands = bench.call_as(target, caller);
        assert_eq!(bench.said().await, "connected");
        bench.clock.move_to(keep_alive);
        assert_eq!(bench.said().await, "timeout at 30");
        assert_eq!(at_the_other_end.recv().await.unwrap().0, "still there?.");
        assert_eq!(bench.said().await, "still there!.");
    });
}

#[test]
fn a_shutdown_lets_sessions_say_goodbye() {
    block_on(async {
        let mut bench = Bench::new(Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let commands = bench.call(listener.local_addr().unwrap());
        let mut peer = listener.accept().await.unwrap().0;
        assert_eq!(bench.said().await, "connected");
        bench.stopper.drain();
        let mut heard = String::new();
        peer.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "bye.");
        assert_eq!(bench.said().await, "end: closed");
        commands.closed().await;
    });
}

#[test]
fn the_second_word_ends_sessions_that_linger() {
    block_on(async {
        let mut bench = Bench::new(Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _commands = bench.call(listener.local_addr().unwrap());
        let peer = listener.accept().await.unwrap();
        assert_eq!(bench.said().await, "connected");
        bench.stopper.stop();
        let end = bench.said().await;
        assert!(
            ["end: closed", "end: stopped"].contains(&end.as_str()),
            "{end}"
        );
        drop(peer);
    });
}
