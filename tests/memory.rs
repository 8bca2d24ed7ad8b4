//! A card that is full of messages, and the network that waits until it is not: TS 31.102 §4.2.9, TS 24.011 §6.3.3.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::Folder;
use crate::support::process::{Up, http, port_bases};

const NUMBER: &str = "447700900002";

#[test]
fn what_waits_for_room_on_the_card_comes_when_a_message_is_erased() {
    let folder = Folder::new("memory");
    let data = folder.path().join("data");
    // The clock stands: no message is tried again because time has gone by.
    let options = ["--no-human", "--frozen"];
    let up = port_bases().find_map(|base| Up::start(&data, base, &options));
    let up = up.unwrap();
    let api = |method: &str, path: &str| {
        let url = format!("{}/api/v1/{path}", up.url("ui"));
        http(method, &url, &[("Content-Type", "application/json")], "{}").unwrap()
    };
    let card = format!("sims/+{NUMBER}/messages");
    let until = |what: &str, done: &dyn Fn(&Value) -> bool| {
        let mut seen = (0..2000).map(|_| api("GET", &card).1);
        assert!(seen.any(|messages| done(&messages)), "{what}");
    };
    let stored = |messages: &Value| messages["card"].as_array().unwrap().len();

    let mut esme = Esme::bind(up.url("smpp"));
    for _ in 0..10 {
        esme.submit(0xF2, b"On the card");
    }
    until("ten messages", &|messages| stored(messages) == 10);
    esme.submit(0xF2, b"One too many");
    esme.submit(0x00, b"For people");
    let refused = || {
        let traces = api("GET", "traces").1;
        let traces = traces["traces"].as_array().unwrap().clone();
        let names = traces.iter().flat_map(|trace| {
            let (_, trace) = api("GET", &format!("traces/{}", trace["id"].as_str().unwrap()));
            trace["lines"].as_array().unwrap().clone()
        });
        names.into_iter().any(|line| line["name"] == "RP-ERROR")
    };
    assert!((0..500).any(|_| refused()));

    let (_, messages) = api("GET", &card);
    assert_eq!(stored(&messages), 10);
    let tpdu = messages["card"][2]["tpdu"].as_str().unwrap();
    assert!(
        messages["card"][2]["service_centre"] == "+447700900000",
        "{messages}"
    );
    assert_eq!(
        messages["handset"],
        json!([]),
        "it is behind the one that waits"
    );

    assert_eq!(api("DELETE", &format!("{card}/3")).0, 204);
    until("what waited", &|messages| {
        stored(messages) == 10 && messages["handset"][0]["text"] == "For people"
    });
    // The record is that of the message which made the room.
    let (_, messages) = api("GET", &card);
    assert_ne!(messages["card"][2]["tpdu"], tpdu);
    assert_eq!(api("DELETE", &format!("{card}/11")).0, 404);
    assert_eq!(api("GET", "sims/+15005550006/messages").0, 404);
    up.kill();
}

/// The account `esme` of the default world, bound to send (SMPP 3.4 §4.1, §4.4).
struct Esme {
    stream: TcpStream,
    sequence: u32,
}

impl Esme {
    fn bind(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let mut esme = Self {
            stream,
            sequence: 0,
        };
        esme.ask(0x0000_0002, b"esme\0esme\0\0\x34\0\0\0");
        esme
    }

    fn submit(&mut self, data_coding: u8, text: &[u8]) {
        let mut body = b"\0\x01\x018330\0\x01\x01".to_vec();
        body.extend(NUMBER.bytes());
        body.extend([0, 0, 0, 0, 0, 0, 0, 0, data_coding, 0]);
        body.push(u8::try_from(text.len()).unwrap());
        body.extend(text);
        self.ask(0x0000_0004, &body);
    }

    fn ask(&mut self, command: u32, body: &[u8]) {
        self.sequence += 1;
        let length = 16 + u32::try_from(body.len()).unwrap();
        let mut pdu: Vec<u8> = [length, command, 0, self.sequence]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .collect();
        pdu.extend(body);
        self.stream.write_all(&pdu).unwrap();
        let mut header = [0; 16];
        self.stream.read_exact(&mut header).unwrap();
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let answer = (word(4), word(8), word(12));
        assert_eq!(answer, (command | 0x8000_0000, 0, self.sequence));
        let mut rest = vec![0; word(0) as usize - 16];
        self.stream.read_exact(&mut rest).unwrap();
    }
}
