use std::sync::Mutex;

use axum::routing::get;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::*;
use crate::runtime::chance::Chance;
use crate::sockets::shutdown::{self, Stopper};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

/// Echoes; holds what is asked for on `/hold` until it is released; panics on `/panic`.
struct Echo {
    replies: Replies,
    held: Mutex<Vec<RequestId>>,
    holding: mpsc::UnboundedSender<RequestId>,
    go_on: Notify,
}

impl HttpParty for Echo {
    async fn handle(&self, arrived: Arrived) {
        assert!(arrived.peer.ip().is_loopback());
        match arrived.request.uri().path() {
            "/hold" => {
                self.held.lock().unwrap().push(arrived.id);
                self.holding.send(arrived.id).unwrap();
            }
            "/slow" => {
                self.holding.send(arrived.id).unwrap();
                self.go_on.notified().await;
                self.holding.send(arrived.id).unwrap();
                self.replies.reply(arrived.id, Response::default());
            }
            "/panic" => panic!("as asked"),
            _ => {
                let encoding = arrived.request.headers().get("content-encoding");
                let mut text =
                    format!("{:?} {:?} ", arrived.request.method(), encoding).into_bytes();
                text.extend_from_slice(arrived.request.body());
                assert!(self.replies.reply(arrived.id, Response::new(text.into())));
                assert!(
                    !self.replies.reply(arrived.id, Response::default()),
                    "only once"
                );
            }
        }
    }

    fn too_large(&self, head: &Parts) -> Response<Bytes> {
        let text = format!("{} is too much", head.uri);
        let mut response = Response::new(text.into());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        response
    }
}

struct Bench {
    address: SocketAddr,
    echo: Arc<Echo>,
    holding: mpsc::UnboundedReceiver<RequestId>,
    clock: Clock,
    stopper: Stopper,
    serving: JoinHandle<()>,
}

impl Bench {
    async fn start(limits: Limits) -> Self {
        let clock = Clock::real();
        let replies = Replies::new(&clock, &Chance::seeded(1));
        let (sender, holding) = mpsc::unbounded_channel();
        let echo = Arc::new(Echo {
            replies: replies.clone(),
            held: Mutex::default(),
            holding: sender,
            go_on: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stopper, shutdown) = shutdown::channel();
        let serving = serve_party(listener, Arc::clone(&echo), replies, limits, shutdown);
        // A request may come before the server's task has run once.
        assert!(clock.is_listening(address));
        Self {
            address,
            echo,
            holding,
            clock,
            stopper,
            serving: tokio::spawn(serving),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends octets and reads until the server closes.
    async fn exchange(&self, octets: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(octets).await.unwrap();
        read_all(&mut stream).await
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    // A reset after the answer is an end too: the server did not read everything.
    let _ = stream.read_to_end(&mut octets).await;
    String::from_utf8_lossy(&octets).into_owned()
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

#[test]
fn a_request_is_answered_with_its_body_untouched() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let headers = "Content-Length: 4\r\nContent-Encoding: gzip\r\n";
        let answer = bench.exchange(&post("/", headers, "data")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("POST Some(\"gzip\") data"), "{answer}");

        let chunked = post(
            "/",
            "Transfer-Encoding: chunked\r\n",
            "2\r\nda\r\n2\r\nta\r\n0\r\n\r\n",
        );
        assert!(bench.exchange(&chunked).await.ends_with("POST None data"));
        assert_eq!(bench.echo.replies.open(), 0);
        assert!(bench.clock.is_idle());
    });
}

#[test]
fn a_connection_serves_several_requests() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let mut both = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        both.extend(post("/2", "", ""));
        let answer = bench.exchange(&both).await;
        assert_eq!(answer.matches("200 OK").count(), 2, "{answer}");
    });
}

#[test]
fn a_body_beyond_the_bound_gets_the_partys_own_answer() {
    block_on(async {
        let limits = Limits {
            body: 10,
            ..Limits::default()
        };
        let bench = Bench::start(limits).await;
        let exact = post("/", "Content-Length: 10\r\n", "0123456789");
        assert!(bench.exchange(&exact).await.contains("200 OK"));
        let declared = post("/big", "Content-Length: 11\r\n", "");
        let chunked = post(
            "/big",
            "Transfer-Encoding: chunked\r\n",
            "b\r\n0123456789a\r\n0\r\n\r\n",
        );
        let huge = post("/big", "Content-Length: 1844674407370955161\r\n", "");
        for request in [declared, chunked, huge] {
            let answer = bench.exchange(&request).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
            assert!(answer.ends_with("/big is too much"), "{answer}");
        }
        assert!(bench.exchange(&exact).await.contains("200 OK"));
        assert!(bench.clock.is_idle());
    });
}

/// Such a client never looks at the answer before its last octet is written.
#[test]
fn a_client_that_writes_to_the_end_sees_that_it_was_too_much() {
    block_on(async {
        let limits = Limits {
            body: 1 << 20,
            ..Limits::default()
        };
        let bench = Bench::start(limits).await;
        let body = "a".repeat(12 << 20);
        let declared = post(
            "/big",
            &format!("Content-Length: {}\r\n", body.len()),
            &body,
        );
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let chunked = post("/big", "Transfer-Encoding: chunked\r\n", &chunk);
        for request in [declared, chunked] {
            let answer = bench.exchange(&request).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        }
    });
}

#[test]
fn more_open_requests_than_allowed_are_told_to_come_again() {
    block_on(async {
        let limits = Limits {
            open: 1,
            ..Limits::default()
        };
        let mut bench = Bench::start(limits).await;
        let mut first = bench.connect().await;
        first.write_all(&post("/hold", "", "")).await.unwrap();
        let held = bench.holding.recv().await.unwrap();
        let answer = bench.exchange(&post("/", "", "")).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: 5\r\n"), "{answer}");
        bench.echo.replies.reply(held, Response::default());
        assert!(read_all(&mut first).await.contains("200 OK"));
        assert!(bench.exchange(&post("/", "", "")).await.contains("200 OK"));
    });
}

#[test]
fn bad_http_is_a_clients_error() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
        let long = format!("X: {}\r\n", "a".repeat(70_000));
        let cases = [
            (b"\x16\x03\x01 tls\r\n\r\n".to_vec(), "400"),
            (post("/", "Content-Length: -1\r\n", ""), "400"),
            (
                post("/", "Content-Length: 1\r\nContent-Length: 2\r\n", "aa"),
                "400",
            ),
            (post("/", "Transfer-Encoding: chunked\r\n", "zz\r\n"), "400"),
            (post("/", &many, ""), "431"),
            (post("/", &long, ""), "431"),
        ];
        for (request, status) in cases {
            let answer = bench.exchange(&request).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(
                answer.starts_with(&expected),
                "{answer} for {:.60}",
                String::from_utf8_lossy(&request)
            );
        }
        assert!(bench.exchange(&post("/", "", "")).await.contains("200 OK"));
    });
}

#[test]
fn clients_that_dribble_make_room_for_others() {
    block_on(async {
        let limits = Limits {
            connections: 2,
            head_within: Duration::from_millis(50),
            ..Limits::default()
        };
        let bench = Bench::start(limits).await;
        let mut silent = bench.connect().await;
        let mut dribbling = bench.connect().await;
        dribbling.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        assert!(bench.exchange(&post("/", "", "")).await.contains("200 OK"));
        assert!(!read_all(&mut silent).await.contains("200 OK"));
        assert!(!read_all(&mut dribbling).await.contains("200 OK"));
    });
}

#[test]
fn a_body_that_never_ends_is_late() {
    block_on(async {
        let limits = Limits {
            body_within: Duration::from_millis(20),
            ..Limits::default()
        };
        let bench = Bench::start(limits).await;
        let answer = bench
            .exchange(&post("/", "Content-Length: 5\r\n", "da"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(bench.clock.is_idle());
    });
}

#[test]
fn a_held_request_is_answered_later() {
    block_on(async {
        let mut bench = Bench::start(Limits::default()).await;
        let mut stream = bench.connect().await;
        stream.write_all(&post("/hold", "", "")).await.unwrap();
        let id = bench.holding.recv().await.unwrap();
        bench.clock.idle().await;
        assert_eq!(bench.echo.replies.open(), 1);
        assert!(bench.exchange(&post("/", "", "")).await.contains("200 OK"));
        assert!(
            !bench
                .echo
                .replies
                .reply(RequestId(id.0 + 77), Response::default())
        );
        assert!(bench.echo.replies.reply(id, Response::new("late".into())));
        assert!(read_all(&mut stream).await.ends_with("late"));
        assert_eq!(bench.echo.replies.open(), 0);
    });
}

#[test]
fn a_client_that_leaves_is_forgotten_but_its_step_is_finished() {
    block_on(async {
        let mut bench = Bench::start(Limits::default()).await;
        let mut stream = bench.connect().await;
        stream.write_all(&post("/slow", "", "")).await.unwrap();
        bench.holding.recv().await.unwrap();
        drop(stream);
        while bench.echo.replies.open() > 0 {
            tokio::task::yield_now().await;
        }
        bench.echo.go_on.notify_one();
        bench.holding.recv().await.unwrap();
    });
}

#[test]
fn a_panic_is_one_clients_500() {
    block_on(async {
        let bench = Bench::start(Limits::default()).await;
        let answer = bench.exchange(&post("/panic", "", "")).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(bench.exchange(&post("/", "", "")).await.contains("200 OK"));
        assert!(bench.clock.is_idle());
    });
}

#[test]
fn draining_finishes_what_runs_and_accepts_nothing_new() {
    block_on(async {
        let mut bench = Bench::start(Limits::default()).await;
        let mut stream = bench.connect().await;
        stream.write_all(&post("/hold", "", "")).await.unwrap();
        let id = bench.holding.recv().await.unwrap();
        bench.stopper.drain();
        while TcpStream::connect(bench.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        bench.echo.replies.reply(id, Response::new("done".into()));
        assert!(read_all(&mut stream).await.ends_with("done"));
        bench.serving.await.unwrap();
    });
}

#[test]
fn the_second_word_cuts_what_runs() {
    block_on(async {
        let mut bench = Bench::start(Limits::default()).await;
        let mut stream = bench.connect().await;
        stream.write_all(&post("/hold", "", "")).await.unwrap();
        bench.holding.recv().await.unwrap();
        bench.stopper.stop();
        bench.serving.await.unwrap();
        assert_eq!(read_all(&mut stream).await, "");
    });
}

#[test]
fn the_count_of_a_request_of_our_own_changes_hands() {
    block_on(async {
        let mut bench = Bench::start(Limits::default()).await;
        let flight = bench.clock.depart();
        let header = format!("Midsim-Flight: {}\r\n", flight.id());
        let mut stream = bench.connect().await;
        stream.write_all(&post("/hold", &header, "")).await.unwrap();
        let id = bench.holding.recv().await.unwrap();
        bench.clock.idle().await;
        bench.echo.replies.reply(id, Response::default());
        assert_eq!(bench.clock.in_flight(), 1, "the answer is under way");
        drop(flight);
        assert!(bench.clock.is_idle());

        let unknown = post("/", "Midsim-Flight: 12345\r\n", "");
        assert!(bench.exchange(&unknown).await.contains("200 OK"));
        assert!(bench.clock.is_idle());
    });
}

#[test]
fn a_router_learns_who_asks() {
    block_on(async {
        let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = axum::Router::new().route("/who", get(who));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stopper, shutdown) = shutdown::channel();
        tokio::spawn(serve_router(listener, router, Limits::default(), shutdown));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        assert!(read_all(&mut stream).await.ends_with("127.0.0.1"));
    });
}

#[test]
fn request_ids_of_two_processes_do_not_meet() {
    let clock = Clock::real();
    let ids: Vec<_> = (1..=2)
        .map(|seed| {
            Replies::new(&clock, &Chance::seeded(seed))
                .register(None)
                .id()
        })
        .collect();
    assert!(ids[0].0.abs_diff(ids[1].0) > 1 << 32);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever octets come, the next good request is served and nothing is left behind.
    #[test]
    fn no_octets_harm_the_listener(octets in prop::collection::vec(any::<u8>(), 0..300), head in any::<bool>()) {
        block_on(async {
            let bench = Bench::start(Limits::default()).await;
            let mut stream = bench.connect().await;
            if head {
                stream.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
            }
            stream.write_all(&octets).await.unwrap();
            stream.shutdown().await.unwrap();
            let answer = read_all(&mut stream).await;
            assert!(!answer.starts_with("HTTP/1.1 5"), "{answer}");
            assert!(bench.exchange(&post("/", "", "")).await.contains("200 OK"));
        });
    }
}
