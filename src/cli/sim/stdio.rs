//! `midsim sim stdio`: a card on a plain pipe.

use std::io::{BufRead, ErrorKind, Write};

use clap::Args;

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
        let mut out = std::io::stdout().lock();
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let line = match line {
                Ok(line) => line,
                // What is not even text is none of the lines that may come.
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    let why = format!(
                        "line {}: expected a C-APDU in hexadecimal or `reset`: {error}",
                        number + 1
                    );
                    return complain(&why, USAGE);
                }
                Err(error) => return complain(&error, FAILURE),
            };
            let line: String = line.split_whitespace().collect();
            let answer = if line.is_empty() || line.starts_with('#') {
                continue;
            } else if line.eq_ignore_ascii_case("reset") {
                card.power_on();
                card.atr().to_vec()
            } else {
                match hex::decode(&line) {
                    Ok(command) => card.answer(&command),
                    Err(error) => {
                        let why = format!(
                            "line {}: expected a C-APDU in hexadecimal or `reset`: {error}",
                            number + 1
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
