//! One card, and a terminal that passes short messages on to it.

use jiff::Timestamp;
use ota_wire::apdu::{Command, Ins};
use ota_wire::cat::tag;
use ota_wire::sms::address::Address;
use ota_wire::sms::concat::split;
use ota_wire::sms::scts::Scts;
use ota_wire::sms::tpdu::{Deliver, Submit};
use ota_wire::sms::udh::{Iei, Reference};
use ota_wire::tlv::{Ber, ComprehensionReader, Tag, Writer};

use crate::uicc::Uicc;

/// A card in the hands of a terminal that passes short messages on.
pub(crate) struct Probe {
    pub(crate) card: Uicc,
    /// Answer to the last command: data, then status word.
    pub(crate) answer: Vec<u8>,
}

impl Probe {
    pub(crate) const fn new(card: Uicc) -> Self {
        Self {
            card,
            answer: Vec::new(),
        }
    }

    pub(crate) fn por_to(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        self.deliver(packet);
        self.por()
    }

    /// What a T=0 reader does by itself: fetches response data, or a proactive command.
    pub(crate) fn get(&mut self) {
        let [.., sw1, sw2] = *self.answer else { return };
        let next = match sw1 {
            0x61 => Command::new(0x00, Ins::GET_RESPONSE, 0, 0),
            0x9F => Command::new(0xA0, Ins::GET_RESPONSE, 0, 0),
            0x91 => Command::new(0x80, Ins::FETCH, 0, 0),
            _ => return,
        };
        let le = if sw2 == 0 { 256 } else { usize::from(sw2) };
        self.answer = self.card.transmit(&next.with_le(le).emit_t0());
    }

    /// One ENVELOPE (SMS-PP DOWNLOAD) for each part. The terminal has said before what it can do, and has done what the card
    /// wanted then: until its menu is set up a card takes no messages.
    pub(crate) fn deliver(&mut self, packet: &[u8]) {
        let profile = Command::new(0x80, Ins::TERMINAL_PROFILE, 0, 0).with_data([0xFF; 32]);
        self.answer = self.card.transmit(&profile.emit_t0());
        self.do_all();
        let parts = split(packet, Reference::Eight(1), Some(Iei::COMMAND_PACKET));
        let sender = Address::short_code("8220");
        let (Ok(parts), Ok(sender)) = (parts, sender) else {
            return;
        };
        for part in parts {
            let deliver = Deliver::for_card(sender.clone(), Scts::utc(Timestamp::UNIX_EPOCH), part);
            let mut objects = Writer::new();
            objects.comprehension(tag::DEVICE_IDENTITIES, true, &[0x83, 0x81]);
            objects.comprehension(tag::SMS_TPDU, true, &deliver.emit());
            let mut envelope = Writer::new();
            envelope.ber(0xD1, &objects.into_bytes());
            let envelope = Command::new(0x80, Ins::ENVELOPE, 0, 0).with_data(envelope.into_bytes());
            self.answer = self.card.transmit(&envelope.emit_t0());
        }
    }

    /// The PoR that the last message led to: response data, or a message that is to be sent, which the terminal says it
    /// has sent.
    pub(crate) fn por(&mut self) -> Option<Vec<u8>> {
        let sw1 = *self.answer.first()?;
        if self.answer.len() != 2 || !matches!(sw1, 0x61 | 0x91) {
            return None;
        }
        if sw1 == 0x61 {
            self.get();
            return Some(self.data().to_vec());
        }
        let command = self.fetch()?;
        let submit = Submit::parse(&object(&command, tag::SMS_TPDU)?).ok()?;
        self.done(&command)?;
        Some(submit.user_data.to_octets())
    }

    /// Whatever the card wants the terminal to do is done at once.
    fn do_all(&mut self) {
        /// A card that never ends wanting something is left alone.
        const MOST: usize = 16;
        for _ in 0..MOST {
            let command = match self.answer[..] {
                [0x91, _] => self.fetch(),
                _ => return,
            };
            if command.and_then(|command| self.done(&command)).is_none() {
                return;
            }
        }
    }

    /// The proactive command that the card has announced.
    fn fetch(&mut self) -> Option<Vec<u8>> {
        self.get();
        Some(Ber::read_all(self.data()).ok()?.value.to_vec())
    }

    /// TERMINAL RESPONSE: performed successfully.
    fn done(&mut self, command: &[u8]) -> Option<()> {
        let mut response = vec![0x81, 0x03];
        response.extend(object(command, tag::COMMAND_DETAILS)?);
        response.extend([0x82, 0x02, 0x82, 0x81, 0x83, 0x01, 0x00]);
        let response = Command::new(0x80, Ins::TERMINAL_RESPONSE, 0, 0).with_data(response);
        self.answer = self.card.transmit(&response.emit_t0());
        Some(())
    }

    /// Data of the last answer.
    fn data(&self) -> &[u8] {
        &self.answer[..self.answer.len().saturating_sub(2)]
    }
}

/// Value of the first object with this tag in a proactive command.
fn object(command: &[u8], wanted: Tag) -> Option<Vec<u8>> {
    ComprehensionReader::new(command)
        .filter_map(Result::ok)
        .find(|object| object.tag == wanted)
        .map(|object| object.value.to_vec())
}
