//! ETSI TS 102 226 §5.1: remote file and application management in the compact format.
//!
//! A [`CommandScript`] is the secured data of a command packet: command TPDUs one behind the other, each with P3 and
//! none with an Le behind its data. A [`CompactResponse`] is the additional response data of the PoR: how many commands
//! were executed, and the status word and the data of the last one. The card stops at the first command that fails.
//!
//! Commands are [`crate::apdu::Command`]. [`ram`] holds the data of those that manage applications and keys, [`rfm`]
//! makes those that read and write files.
//!
//! # Panics
//! Nothing here panics on any input. Reading allocates at most what it was given.

use crate::apdu::{Command, Ins, Sw};

pub mod ram;
pub mod rfm;

#[cfg(test)]
mod tests;

/// Octets of CLA, INS, P1, P2 and P3.
const HEADER: usize = 5;

/// First octets of the expanded format (§5.2, §5.3), which is not read here.
const EXPANDED: [u8; 2] = [0xAA, 0xAE];

/// The commands of one packet, §5.1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandScript {
    /// In the order of their execution.
    pub commands: Vec<Command>,
}

impl CommandScript {
    /// A script of these commands.
    pub fn new(commands: impl Into<Vec<Command>>) -> Self {
        Self {
            commands: commands.into(),
        }
    }

    /// The same script with GET RESPONSE at its end: it fetches what the last command has to say, if that command
    /// takes data and gives data.
    #[must_use]
    pub fn with_get_response(mut self) -> Self {
        self.commands
            .push(Command::new(0x00, Ins::GET_RESPONSE, 0, 0).with_le(256));
        self
    }

    /// Reads a whole script. A card uses [`ScriptReader`] instead: it executes what comes before a broken command.
    ///
    /// # Errors
    /// [`ScriptError`] at the first command that is not whole, and for an empty script.
    pub fn parse(octets: &[u8]) -> Result<Self, ScriptError> {
        let commands = ScriptReader::new(octets).collect::<Result<Vec<_>, _>>()?;
        if commands.is_empty() {
            return Err(ScriptError::Empty);
        }
        Ok(Self { commands })
    }

    /// The secured data. An Le behind data has no place in it and is left out.
    pub fn emit(&self) -> Vec<u8> {
        self.commands.iter().flat_map(Command::emit_t0).collect()
    }
}

/// Reads the commands of a script one by one.
///
/// P3 says how many octets of data follow for commands that take data, and how many are wanted from the others; only
/// INS tells which (and P1, for the two commands that share F2). An instruction that is not known here is taken to
/// have data: a card refuses it, so what follows it is never executed.
///
/// After an error there is nothing more.
#[derive(Clone, Debug)]
pub struct ScriptReader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> ScriptReader<'a> {
    /// A reader at the first command.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self {
            rest: octets,
            at: 0,
        }
    }

    fn read(&mut self) -> Result<Command, ScriptError> {
        let at = self.at;
        if at == 0 && self.rest.first().is_some_and(|tag| EXPANDED.contains(tag)) {
            return Err(ScriptError::Expanded { tag: self.rest[0] });
        }
        let Some((&[cla, ins, p1, p2, p3], after)) = self.rest.split_first_chunk::<HEADER>() else {
            let got = self.rest.len();
            return Err(ScriptError::Header { at, got });
        };
        let mut command = Command::new(cla, Ins(ins), p1, p2);
        if takes_data(&command) {
            let expected = usize::from(p3);
            let got = after.len();
            let data = after
                .get(..expected)
                .ok_or(ScriptError::Data { at, expected, got })?;
            command.data = data.to_vec();
        } else {
            command.le = Some(if p3 == 0 { 256 } else { usize::from(p3) });
        }
        self.rest = &after[command.data.len()..];
        self.at += HEADER + command.data.len();
        Ok(command)
    }
}

impl Iterator for ScriptReader<'_> {
    type Item = Result<Command, ScriptError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let command = self.read();
        if command.is_err() {
            self.rest = &[];
        }
        Some(command)
    }
}

/// Whether P3 counts octets of data (cases 3 and 4 of ISO/IEC 7816-3) and not octets wanted.
const fn takes_data(command: &Command) -> bool {
    match command.ins {
        Ins::FETCH
        | Ins::GET_CHALLENGE
        | Ins::GET_DATA
        | Ins::GET_RESPONSE
        | Ins::MANAGE_CHANNEL
        | Ins::READ_BINARY
        | Ins::READ_RECORD => false,
        // STATUS of TS 102 221 has 00, 01 or 02 here, GET STATUS of GlobalPlatform one of the four highest bits.
        Ins::STATUS => command.p1 & 0xF0 != 0,
        _ => true,
    }
}

/// Why octets are no script. To the sender, a card says 6700 in its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// No command.
    #[error("a script has at least one command, got none")]
    Empty,
    /// The expanded format of §5.2.
    #[error("{tag:02X} begins a script in the expanded format, expected the compact one")]
    Expanded {
        /// The first octet.
        tag: u8,
    },
    /// Fewer octets than a header.
    #[error("command at offset {at}: expected CLA, INS, P1, P2 and P3, got {got} octets")]
    Header {
        /// Where the command begins.
        at: usize,
        /// Octets left.
        got: usize,
    },
    /// Fewer octets than P3 says.
    #[error("command at offset {at}: P3 announces {expected} octets of data, got {got}")]
    Data {
        /// Where the command begins.
        at: usize,
        /// P3.
        expected: usize,
        /// Octets left.
        got: usize,
    },
}

impl ScriptError {
    /// The status word for the response.
    pub const fn sw(self) -> Sw {
        Sw::WRONG_LENGTH
    }
}

/// What became of a script, §5.1.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactResponse {
    /// Commands executed, the one that failed included.
    pub executed: u8,
    /// Status word of the last of them.
    pub sw: Sw,
    /// Response data of the last of them.
    pub data: Vec<u8>,
}

impl CompactResponse {
    /// Octets of the count and the status word.
    const FIXED: usize = 3;

    /// Reads the additional response data of a PoR.
    ///
    /// # Errors
    /// [`ShortResponse`] for fewer than three octets.
    pub fn parse(octets: &[u8]) -> Result<Self, ShortResponse> {
        let Some((&[executed, sw1, sw2], data)) = octets.split_first_chunk::<{ Self::FIXED }>()
        else {
            return Err(ShortResponse { got: octets.len() });
        };
        Ok(Self {
            executed,
            sw: Sw(u16::from_be_bytes([sw1, sw2])),
            data: data.to_vec(),
        })
    }

    /// The additional response data.
    pub fn emit(&self) -> Vec<u8> {
        let [sw1, sw2] = self.sw.0.to_be_bytes();
        let mut out = Vec::with_capacity(Self::FIXED + self.data.len());
        out.extend([self.executed, sw1, sw2]);
        out.extend_from_slice(&self.data);
        out
    }

    /// Whether all of `script` was executed and its last command succeeded. Cards differ in whether they count a GET
    /// RESPONSE at the end; both ways are taken.
    pub fn completes(&self, script: &CommandScript) -> bool {
        let all = script.commands.len();
        let fetched = script
            .commands
            .last()
            .is_some_and(|last| last.ins == Ins::GET_RESPONSE);
        let executed = usize::from(self.executed);
        self.sw.is_success() && (executed == all || fetched && executed + 1 == all)
    }
}

/// Additional response data that is no compact response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a compact response has at least 3 octets, got {got}")]
pub struct ShortResponse {
    /// Octets there were.
    pub got: usize,
}
