//! The reader's end of the protocol of vsmartcard's virtual reader.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

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
