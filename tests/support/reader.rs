//! The reader's end of the protocol of vsmartcard's virtual reader.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;

pub(crate) struct Driver(pub(crate) TcpStream);

impl Driver {
    pub(crate) fn send(&mut self, octets: &[u8]) {
        let mut frame = (octets.len() as u16).to_be_bytes().to_vec();
        frame.extend_from_slice(octets);
        self.0.write_all(&frame).unwrap();
    }

    pub(crate) fn power(&mut self, control: u8) {
        self.send(&[control]);
    }

    /// Sends octets that are answered.
    pub(crate) fn ask(&mut self, octets: &str) -> String {
        self.send(&hex::decode(octets).unwrap());
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut answer).unwrap();
        hex::encode(answer)
    }
}

/// A reader that has a card and another one waiting: like pcscd's driver it lets one wait at most, and hears no more.
pub(crate) struct FullReader {
    pub(crate) address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    _listener: tokio::net::TcpListener,
    _waiting: TcpStream,
}

impl FullReader {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = {
            let _runtime = runtime.enter();
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(0).unwrap()
        };
        let address = listener.local_addr().unwrap();
        let waiting = TcpStream::connect(address).unwrap();
        Self {
            address,
            runtime,
            _listener: listener,
            _waiting: waiting,
        }
    }

    /// Returns when somebody has begun to connect, proc_net_tcp(5): SYN_SENT is 02.
    #[cfg(target_os = "linux")]
    pub(crate) fn somebody_knocks(&self) {
        let knock = format!("0100007F:{:04X} 02 ", self.address.port());
        let knocked = async {
            while !std::fs::read_to_string("/proc/net/tcp")
                .unwrap()
                .contains(&knock)
            {
                tokio::task::yield_now().await;
            }
        };
        let knocked = async { tokio::time::timeout(Duration::from_secs(20), knocked).await };
        self.runtime.block_on(knocked).unwrap();
    }
}
