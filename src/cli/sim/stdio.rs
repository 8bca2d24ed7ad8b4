//! `midsim sim stdio`: a card on a plain pipe.

use std::io::{self, BufRead, Write};

use clap::Args;
use hex::FromHexError;

use super::WhichCard;
use crate::cards::LooseCard;
use crate::cli::{FAILURE, OK, USAGE, complain};
use crate::runtime::chance::Chance;

/// Answer commands from stdin: one hexadecimal C-APDU a line, one answer a line
///
/// Needs no reader, no root and no socket. An answer is response data and status word. `reset` resets the card and is answered with
/// the ATR; empty lines and lines that begin with # are passed over. The card is fresh each time. Exit status: 0 at the end of
/// stdin, 2 for a line that is none of these.
#[derive(Args)]
pub(in crate::cli) struct Stdio {
    #[command(flatten)]
    card: WhichCard,
    /// Write every exchange to stderr, secrets masked
    #[arg(long)]
    trace: bool,
}

impl Stdio {
    pub(super) fn run(self) -> u8 {
        let (uicc, _) = match self.card.load() {
            Ok(card) => card,
            Err(error) => return complain(&error, USAGE),
        };
        let chance = match Chance::system() {
            Ok(chance) => chance,
            Err(error) => return complain(&error, FAILURE),
        };
        let trace = self.trace;
        let mut card = LooseCard::new(uicc, chance, move |line| {
            if trace {
                eprintln!("{line}");
            }
        });
        card.power_on();
        let (mut input, mut out) = (io::stdin().lock(), io::stdout().lock());
        let mut line = Line::default();
        for number in 1.. {
            match line.read(&mut input) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return complain(&error, FAILURE),
            }
            let answer = if line.says_nothing() {
                continue;
            } else if line.kept.eq_ignore_ascii_case(b"reset") {
                card.power_on();
                card.atr().to_vec()
            } else {
                match line.command() {
                    Ok(command) => card.answer(&command),
                    Err(error) => {
                        let why = format!(
                            "line {number}: expected a C-APDU in hexadecimal or `reset`: {error}"
                        );
                        return complain(&why, USAGE);
                    }
                }
            };
            let written = writeln!(out, "{}", hex::encode_upper(answer)).and_then(|()| out.flush());
            if let Err(error) = written {
                return complain(&error, FAILURE);
            }
        }
        OK
    }
}

/// A line without its blanks, of which no more is kept than the longest command has, whatever its length.
#[derive(Default)]
struct Line {
    kept: Vec<u8>,
    /// Characters that are not kept.
    more: usize,
    /// The first of them that is no digit.
    wrong: Option<FromHexError>,
}

impl Line {
    /// Digits of a C-APDU with header, Lc, data and Le in their extended forms (ISO/IEC 7816-3 §12.1.3).
    const LONGEST: usize = 2 * (4 + 3 + 65_535 + 2);

    /// Takes the next line; `false` if there is none.
    fn read(&mut self, input: &mut impl BufRead) -> io::Result<bool> {
        self.kept.clear();
        self.more = 0;
        self.wrong = None;
        let mut begun = false;
        loop {
            let octets = match input.fill_buf() {
                Ok([]) => return Ok(begun),
                Ok(octets) => octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            begun = true;
            let end = octets.iter().position(|octet| *octet == b'\n');
            let length = end.unwrap_or(octets.len());
            self.take(&octets[..length]);
            input.consume(length + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    fn take(&mut self, octets: &[u8]) {
        for octet in octets.iter().filter(|octet| !octet.is_ascii_whitespace()) {
            if self.kept.len() < Self::LONGEST {
                self.kept.push(*octet);
                continue;
            }
            if self.wrong.is_none() && !octet.is_ascii_hexdigit() {
                self.wrong = Some(FromHexError::InvalidHexCharacter {
                    c: char::from(*octet),
                    index: self.kept.len() + self.more,
                });
            }
            self.more += 1;
        }
    }

    fn says_nothing(&self) -> bool {
        matches!(*self.kept, [] | [b'#', ..])
    }

    /// The command; the beginning of one that is too long for any card, which says so of either.
    fn command(&self) -> Result<Vec<u8>, FromHexError> {
        let command = hex::decode(&self.kept)?;
        match &self.wrong {
            Some(error) => Err(*error),
            None if !self.more.is_multiple_of(2) => Err(FromHexError::OddLength),
            None => Ok(command),
        }
    }
}
