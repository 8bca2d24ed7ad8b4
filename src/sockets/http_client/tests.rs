use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use http::request::Parts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::runtime::chance::Chance;
use crate::sockets::http_server::{Arrived, HttpParty, Limits, Replies, RequestId, serve_party};
use crate::sockets::shutdown;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

fn get(url: impl AsRef<str>) -> Request<Bytes> {
    Request::get(url.as_ref()).body(Bytes::new()).unwrap()
}

fn client() -> HttpClient {
    HttpClient::new(Clock::real(), Policy::default())
}

async fn result(client: &HttpClient, url: impl AsRef<str>) -> Result<Response<Bytes>, SendError> {
    client.send(get(url), Bounds::default()).await.result
}

/// A server that answers every request on every connection with `answer`; counts connections and keeps what it was sent.
struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    received: Arc<Mutex<String>>,
}

impl Peer {
    async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            received: Arc::default(),
        };
        let (connections, received) = (Arc::clone(&peer.connections), Arc::clone(&peer.received));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let received = Arc::clone(&received);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                        received
                            .lock()
                            .unwrap()
                            .push_str(&String::from_utf8_lossy(&buffer[..read]));
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        peer
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

#[test]
fn an_answer_comes_back_whole_and_its_connection_is_kept() {
    block_on(async {
        let peer =
            Peer::answering("HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok").await;
        let client = client();
        for _ in 0..3 {
            let response = result(&client, peer.url()).await.unwrap();
            assert_eq!(response.status(), StatusCode::CREATED);
            assert_eq!(response.headers()["x-a"], "b");
            assert_eq!(response.body(), "ok");
        }
        assert_eq!(peer.connections.load(Ordering::Relaxed), 1);
        let received = peer.received.lock().unwrap().to_lowercase();
        assert!(received.contains(&format!("host: {}", peer.address)));
        assert!(
            !received.contains("midsim-flight"),
            "strangers are not told"
        );
        assert!(client.clock.is_idle());
    });
}

#[test]
fn a_kept_connection_whose_peer_has_hung_up_is_replaced() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let bystander = Peer::answering(answer).await;
        let once = async || {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let client = client();
        for _ in 0..2 {
            let (answered, ()) = tokio::join!(result(&client, &url), once());
            assert!(answered.is_ok(), "{answered:?}");
            // Meanwhile the end of the connection is noticed.
            assert!(result(&client, bystander.url()).await.is_ok());
        }
    });
}

/// It may have been acted on.
#[test]
fn a_request_that_the_peer_has_read_is_not_sent_again() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answers_the_first = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            stream.read(&mut [0; 4096]).await.unwrap()
        };
        let client = client();
        let both = async {
            let post = || Request::post(&url).body(Bytes::from("x")).unwrap();
            for _ in 0..2 {
                let sent = client.send(post(), Bounds::default()).await;
                if let Err(error) = sent.result {
                    return Some(error);
                }
            }
            None
        };
        let (failed, read) = tokio::join!(both, answers_the_first);
        assert_ne!(read, 0, "the second came over the same connection");
        assert!(matches!(failed, Some(SendError::Unreachable(_))));
        let again = tokio::time::timeout(Duration::ZERO, listener.accept());
        assert!(again.await.is_err(), "and over no other");
    });
}

#[test]
fn octets_behind_an_answer_are_not_taken_for_the_next() {
    block_on(async {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\
                      HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
        let peer = Peer::answering(answer).await;
        let client = client();
        for connections in 1..=3 {
            let response = result(&client, peer.url()).await.unwrap();
            assert_eq!(response.body(), "ok");
            assert_eq!(peer.connections.load(Ordering::Relaxed), connections);
        }
    });
}

#[test]
fn a_redirect_is_an_answer() {
    block_on(async {
        let to =
            "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
        let peer = Peer::answering(to).await;
        let response = result(&client(), peer.url()).await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND);
    });
}

#[test]
fn an_answer_beyond_the_bound_is_refused() {
    block_on(async {
        let declared =
            Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a").await;
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n";
        let chunked = Peer::answering(chunked).await;
        let exact =
            Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789").await;
        let bounds = Bounds {
            answer: Some(10),
            ..Bounds::default()
        };
        let client = client();
        for (peer, fits) in [(&declared, false), (&chunked, false), (&exact, true)] {
            let sent = client.send(get(peer.url()), bounds).await;
            if fits {
                assert_eq!(sent.result.unwrap().body(), "0123456789");
            } else {
                assert_eq!(sent.result.unwrap_err(), SendError::TooLarge);
            }
        }
    });
}

#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    block_on(async {
        let silent = Peer::answering("").await;
        let dribbling = Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0").await;
        let client = client();
        for peer in [&silent, &dribbling] {
            let bounds = Bounds {
                within: Duration::from_millis(20),
                ..Bounds::default()
            };
            let sent = client.send(get(peer.url()), bounds).await;
            assert_eq!(sent.result.unwrap_err(), SendError::TimedOut);
        }
        assert!(client.clock.is_idle());
    });
}

#[test]
fn a_status_alone_does_not_wait_for_the_body() {
    block_on(async {
        let bodies = [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        ];
        for answer in bodies {
            let peer = Peer::answering(answer).await;
            let client = client();
            let bounds = Bounds {
                answer: None,
                ..Bounds::default()
            };
            let sent = client.send(get(peer.url()), bounds).await;
            assert_eq!(sent.result.unwrap().status(), 200, "{answer}");
        }
    });
}

fn said(result: Result<Response<Bytes>, SendError>) -> String {
    match result {
        Err(SendError::Unreachable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failure_says_what_failed() {
    block_on(async {
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap()
        };
        let client = client();
        let text = said(result(&client, format!("http://{closed}/")).await);
        assert!(text.starts_with(&format!("{closed}: ")), "{text}");
        let text = said(result(&client, "https://127.0.0.1/").await);
        assert_eq!(
            text,
            "https://127.0.0.1/ is not a URL that can be called here"
        );
        let garbage = Peer::answering("SSH-2.0-what\r\n").await;
        said(result(&client, garbage.url()).await);
        assert!(client.clock.is_idle());
    });
}

#[test]
fn addresses_that_may_not_be_called_are_not() {
    block_on(async {
        let client = client();
        for host in [
            "169.254.169.254",
            "10.0.0.1",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "0.0.0.0",
        ] {
            let text = said(result(&client, format!("http://{host}/latest/meta-data")).await);
            assert!(
                text.contains("which midsim never calls") || text.contains("--allow-notify"),
                "{text}"
            );
        }
    });
}

/// Names whose addresses change from one question to the next.
struct Rebinding(Mutex<VecDeque<Vec<&'static str>>>);

impl Names for Rebinding {
    fn resolve(&self, _: String, port: u16) -> Resolved {
        let answer = self
            .0
            .lock()
            .unwrap()
            .pop_front()
            .expect("one question for each connection");
        let addresses = answer
            .iter()
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
        let addresses: Vec<_> = addresses.collect();
        Box::pin(async move { Ok(addresses) })
    }
}

#[test]
fn a_name_is_judged_by_the_address_that_is_connected_to() {
    block_on(async {
        let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let peer = Peer::answering(close).await;
        let answers = [
            vec!["127.0.0.1"],
            vec!["169.254.169.254"],
            vec!["10.0.0.1", "169.254.169.254", "127.0.0.1"],
            vec![],
        ];
        let names = Arc::new(Rebinding(Mutex::new(answers.into())));
        let client = HttpClient::resolving(
            Clock::real(),
            Policy::default(),
            None,
            Arc::clone(&names) as _,
        );
        let url = format!("http://rebind.test:{}/", peer.address.port());

        assert!(result(&client, &url).await.is_ok());
        let text = said(result(&client, &url).await);
        assert!(
            text.starts_with("rebind.test: 169.254.169.254 is"),
            "{text}"
        );
        assert!(
            result(&client, &url).await.is_ok(),
            "the one address that may be called"
        );
        assert_eq!(
            said(result(&client, &url).await),
            "rebind.test has no address"
        );
        assert_eq!(peer.connections.load(Ordering::Relaxed), 2);
        assert!(names.0.lock().unwrap().is_empty());
    });
}

/// A party that holds every request.
struct Holder(mpsc::UnboundedSender<(RequestId, bool)>);

impl HttpParty for Holder {
    async fn handle(&self, arrived: Arrived) {
        let told = arrived.request.headers().contains_key(FLIGHT);
        self.0.send((arrived.id, told)).unwrap();
    }

    fn too_large(&self, _: &Parts) -> Response<Bytes> {
        Response::default()
    }
}

#[test]
fn between_our_own_parties_a_held_request_leaves_the_system_idle() {
    block_on(async {
        let clock = Clock::frozen(jiff::Timestamp::UNIX_EPOCH);
        let replies = Replies::new(&clock, &Chance::seeded(1));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, mut held) = mpsc::unbounded_channel();
        let (_stopper, shutdown) = shutdown::channel();
        let holder = Arc::new(Holder(sender));
        tokio::spawn(serve_party(
            listener,
            holder,
            replies.clone(),
            Limits::default(),
            shutdown,
        ));
        tokio::task::yield_now().await;

        let client = HttpClient::new(clock.clone(), Policy::default());
        let mut sending = Box::pin(client.send(get(url), Bounds::default()));
        tokio::select! {
            biased;
            _ = &mut sending => panic!("nobody answered"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(clock.in_flight(), 1, "the request is under way");
        let (id, told) = tokio::select! {
            _ = &mut sending => panic!("nobody answered"),
            arrived = held.recv() => arrived.unwrap(),
        };
        assert!(!told, "the header is taken off");
        clock.idle().await;

        assert!(replies.reply(id, Response::new("at last".into())));
        assert_eq!(clock.in_flight(), 1, "the answer is under way");
        let sent = sending.await;
        assert_eq!(sent.result.unwrap().body(), "at last");
        assert_eq!(clock.in_flight(), 1, "until it was acted on");
        drop(sent.flight);
        assert!(clock.is_idle());
    });
}

/// Answers at once, and for `/start` calls itself at `/end` in the background, with nothing but the flight to tell of it.
struct Relay {
    client: HttpClient,
    replies: Replies,
    ended: Arc<AtomicUsize>,
    base: String,
}

impl HttpParty for Relay {
    async fn handle(&self, arrived: Arrived) {
        if arrived.request.uri().path() == "/end" {
            self.ended.fetch_add(1, Ordering::Relaxed);
        } else {
            let (client, url) = (self.client.clone(), format!("{}/end", self.base));
            let flight = arrived.flight.clone();
            tokio::spawn(async move {
                let mut sending = Box::pin(client.send(get(url), Bounds::default()));
                tokio::select! {
                    biased;
                    _ = &mut sending => panic!("too fast"),
                    () = std::future::ready(()) => drop(flight),
                }
                sending.await.result.unwrap();
            });
        }
        self.replies.reply(arrived.id, Response::default());
    }

    fn too_large(&self, _: &Parts) -> Response<Bytes> {
        Response::default()
    }
}

#[test]
fn idle_is_never_early_on_several_threads() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::frozen(jiff::Timestamp::UNIX_EPOCH);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let replies = Replies::new(&clock, &Chance::seeded(1));
        let client = HttpClient::new(clock.clone(), Policy::default());
        let ended = Arc::new(AtomicUsize::new(0));
        let relay = Arc::new(Relay {
            client: client.clone(),
            replies: replies.clone(),
            ended: Arc::clone(&ended),
            base: format!("http://{address}"),
        });
        clock.listening(address);
        let (_stopper, shutdown) = shutdown::channel();
        tokio::spawn(serve_party(
            listener,
            relay,
            replies,
            Limits::default(),
            shutdown,
        ));
        for flow in 1..=300 {
            let sent = client
                .send(get(format!("http://{address}/start")), Bounds::default())
                .await;
            sent.result.unwrap();
            drop(sent.flight);
            clock.idle().await;
            assert_eq!(ended.load(Ordering::Relaxed), flow);
        }
    });
}
