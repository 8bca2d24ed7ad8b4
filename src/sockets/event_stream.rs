//! Server-sent events (WHATWG HTML §9.2) as their client reads them. Bounded: an event has so many octets at most, a stream may be
//! silent for so long.
//!
//! Nothing here panics, whatever the server sends.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::http_client::SendError;

/// Octets of one event.
const LARGEST_EVENT: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The last event id as of this event: what to come back with. Empty if there was none.
    pub id: String,
    /// Its type; `message` if it has none.
    pub kind: String,
    /// Its data; several lines are joined.
    pub data: String,
}

/// A stream under way.
pub struct EventStream {
    body: Incoming,
    silence: Duration,
    reader: Reader,
}

impl EventStream {
    pub(super) fn new(body: Incoming, silence: Duration) -> Self {
        Self {
            body,
            silence,
            reader: Reader::default(),
        }
    }

    /// The next events, perhaps none: a comment is a sign of life, too.
    ///
    /// # Errors
    /// [`SendError`] when there will be no more.
    pub async fn next(&mut self) -> Result<Vec<Event>, SendError> {
        let frame = tokio::time::timeout(self.silence, self.body.frame());
        let frame = match frame.await.map_err(|_| SendError::TimedOut)? {
            Some(frame) => frame.map_err(|error| SendError::Unreachable(error.to_string()))?,
            None => return Err(SendError::Unreachable("the stream has ended".to_owned())),
        };
        match frame.into_data() {
            Ok(octets) => self.reader.push(&octets),
            Err(_) => Ok(Vec::new()),
        }
    }
}

/// Makes events of octets as they come.
#[derive(Default)]
struct Reader {
    line: Vec<u8>,
    after_cr: bool,
    last_id: String,
    event: Event,
    /// Whether the event has any data.
    has_data: bool,
}

impl Reader {
    fn push(&mut self, octets: &[u8]) -> Result<Vec<Event>, SendError> {
        let mut events = Vec::new();
        for &octet in octets {
            let after_cr = std::mem::replace(&mut self.after_cr, octet == b'\r');
            match octet {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                _ => self.line.push(octet),
            }
            if self.line.len() + self.event.data.len() > LARGEST_EVENT {
                return Err(SendError::TooLarge);
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            if !std::mem::take(&mut self.has_data) {
                return None;
            }
            event.id.clone_from(&self.last_id);
            if event.kind.is_empty() {
                event.kind.push_str("message");
            }
            return Some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_id),
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(octets: &[u8]) -> Vec<Event> {
        Reader::default().push(octets).unwrap()
    }

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event {
            id: id.into(),
            kind: kind.into(),
            data: data.into(),
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        // WHATWG HTML §9.2.6: three messages, the second of which has two lines; one with an event type.
        let stream = b"data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\n\
            event: add\ndata: 73857293\n\n";
        assert_eq!(
            read(stream),
            [
                event("", "message", "This is the first message."),
                event(
                    "",
                    "message",
                    "This is the second message, it\nhas two lines."
                ),
                event("", "add", "73857293"),
            ]
        );
        // A comment, an id that stays, an id that is taken back; the last block has no end and is no event.
        let stream =
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event";
        assert_eq!(
            read(stream),
            [
                event("1", "message", "first event"),
                event("", "message", "second event"),
            ]
        );
        // Without data there is no event; an empty data field is one.
        assert_eq!(read(b"event: a\n\n"), []);
        assert_eq!(
            read(b"data\n\ndata\ndata\n\n"),
            [event("", "message", ""), event("", "message", "\n")]
        );
    }

    #[test]
    fn every_way_to_end_a_line_is_one() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = format!("id: 7{end}data: x{end}{end}");
            assert_eq!(
                read(stream.as_bytes()),
                [event("7", "message", "x")],
                "{end:?}"
            );
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut reader = Reader::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();
        let refused = (0..2000).find_map(|_| reader.push(&line).err());
        assert_eq!(refused, Some(SendError::TooLarge));
    }

    proptest! {
        #[test]
        fn how_the_octets_are_cut_changes_nothing(octets in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let cut = cut.min(octets.len());
            let mut reader = Reader::default();
            let mut events = reader.push(&octets[..cut]).unwrap();
            events.extend(reader.push(&octets[cut..]).unwrap());
            prop_assert_eq!(events, read(&octets));
        }

        #[test]
        fn what_is_written_is_read(id in "[0-9a-f-]{1,20}", kind in "[a-z]{1,10}", data in "[ -~]{0,100}") {
            let stream = format!("id: {id}\nevent: {kind}\ndata: {data}\n\n");
            prop_assert_eq!(read(stream.as_bytes()), [event(&id, &kind, &data)]);
        }
    }
}
