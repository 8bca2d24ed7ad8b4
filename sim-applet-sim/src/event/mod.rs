//! What happened in the card and in the handset, as values; [`Event::row`] turns one into a line of the trace.
//!
//! Making an event copies what was there and formats nothing but its ids. Everything readable is made when somebody
//! looks.

use ota_wire::applet::{AppletError, Method, ResultCode};
use ota_wire::cat::TerminalResult;
use ota_wire::ids::{Cntr, Tar};
use ota_wire::keys::MacAlgorithm;
use ota_wire::packet::{RejectReason, ResponseStatus, Spi};
use ota_wire::trace::{Id, Octets};

mod apdu;
mod row;

pub use apdu::command_octets;

/// Something that happened, and the ids that join it to the transaction it belongs to.
#[derive(Clone, Debug)]
pub struct Event {
    /// The most specific id known.
    pub own: Id,
    /// The id of what caused it.
    pub parent: Option<Id>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// The handset got its power.
    PowerOn {
        /// Answer to reset of its card.
        atr: Vec<u8>,
    },
    /// The handset lost its power.
    PowerOff,
    /// The network can reach the handset, or no longer.
    Attached(bool),
    /// An RP message came from the network.
    RpReceived {
        /// The octets.
        octets: Vec<u8>,
    },
    /// An RP message went to the network.
    RpSent {
        /// The octets.
        octets: Vec<u8>,
    },
    /// An RP message came that nothing could be done with.
    RpDropped {
        /// The octets.
        octets: Vec<u8>,
        /// Why.
        reason: &'static str,
    },
    /// A command to the card and its answer.
    Apdu {
        /// Command, secrets marked; see [`command_octets`].
        command: Octets,
        /// Response data and status word.
        response: Vec<u8>,
        /// Identifier of the file that was selected, after a SELECT of the one it asked for.
        file: Option<u16>,
    },
    /// The screen shows something, and the user is asked.
    Prompt {
        /// Its number.
        id: u64,
        /// The text.
        text: String,
        /// How many characters are asked for; `None` for a text to be read.
        input: Option<(u8, u8)>,
        /// Whether what is typed stays hidden.
        hidden: bool,
    },
    /// A prompt was answered, by the user or by the handset itself.
    Answered {
        /// Number of the prompt.
        id: u64,
        /// What the handset tells the card.
        result: TerminalResult,
        /// How many characters were typed.
        typed: Option<usize>,
    },
    /// The handset did not take an answer.
    Refused {
        /// Number of the prompt.
        id: u64,
        /// Why.
        reason: crate::handset::Refusal,
    },
    /// Something inside the card.
    Card(Note),
}

/// What happens inside a card and shows at no contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A part of a concatenated message was kept until the others come.
    Part {
        /// Parts there.
        held: u8,
        /// Parts in all.
        total: u8,
    },
    /// A message for the toolkit that holds no command packet.
    NotAPacket {
        /// Why.
        reason: String,
    },
    /// A command packet was accepted; the counter is stored.
    PacketAccepted {
        /// SPI.
        spi: Spi,
        /// KIc.
        kic: u8,
        /// KID.
        kid: u8,
        /// TAR.
        tar: Tar,
        /// CNTR.
        cntr: Cntr,
        /// The packet.
        packet: Vec<u8>,
    },
    /// A command packet was refused.
    PacketRefused {
        /// Why.
        reason: RejectReason,
        /// Whether the sender had shown a key.
        authenticated: bool,
        /// The packet.
        packet: Vec<u8>,
    },
    /// A PoR goes to the sender.
    Por {
        /// What it says.
        status: ResponseStatus,
        /// Whether it is protected by the keys of the card.
        secured: bool,
        /// By SMS-SUBMIT; otherwise in the SMS-DELIVER-REPORT.
        by_submit: bool,
        /// The packet with its user data header.
        octets: Vec<u8>,
    },
    /// Secured data for the applet that is no challenge; dropped.
    NotAChallenge {
        /// Why.
        error: AppletError,
    },
    /// The applet looked at a challenge.
    Challenge {
        /// Transaction.
        tid: [u8; 8],
        /// Applet counter.
        ctr: u64,
        /// METHOD.
        method: Result<Method, u8>,
        /// ALG.
        algorithm: Result<MacAlgorithm, u8>,
        /// What it decided.
        verdict: ChallengeVerdict,
    },
    /// The applet compared a PIN.
    Pin {
        /// Whether it was the right one.
        right: bool,
        /// Tries left.
        tries_left: u8,
    },
    /// The applet compared a PUK.
    Puk {
        /// Whether it was the right one.
        right: bool,
        /// Tries left.
        tries_left: u8,
    },
    /// The user chose a new PIN.
    PinSet {
        /// Whether it was blocked or the PUK was used anyway; else the user knew the old one.
        unblocked: bool,
    },
    /// The applet answered a challenge.
    Answer {
        /// Applet counter of the challenge.
        ctr: u64,
        /// RESULT.
        result: ResultCode,
        /// TRIES.
        tries_left: u8,
        /// The response message.
        octets: Vec<u8>,
    },
}

/// What the applet decided about a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeVerdict {
    /// It is new and from the MSSP; the counter is stored.
    Accepted,
    /// Its MAC is wrong.
    BadMac,
    /// Its counter is not above the stored one.
    Replay {
        /// The stored one.
        counter: u64,
    },
    /// It asks for something that this applet or this handset cannot do.
    Unsupported,
    /// Its ALG is unknown, so that its MAC cannot be checked.
    UnknownAlgorithm,
}
