//! What a TERMINAL RESPONSE means for a dialogue.

use ota_wire::applet::ResultCode;
use ota_wire::cat::{TerminalResponse, TerminalResult};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Ended(ResultCode),
    /// The user wants help; the question is all the help there is.
    Help,
    /// The same command may work in a moment.
    Busy,
}

/// The map from general results (TS 102 223 §8.12) to the protocol's.
pub(super) const fn outcome(response: &TerminalResponse) -> Outcome {
    match response.result {
        result if result.is_ok() => Outcome::Done,
        TerminalResult::BACKWARD => Outcome::Ended(ResultCode::BACK),
        TerminalResult::NO_RESPONSE => Outcome::Ended(ResultCode::TIMEOUT),
        TerminalResult::HELP_WANTED => Outcome::Help,
        TerminalResult::USER_DID_NOT_ACCEPT | TerminalResult::USER_CLEARED_CALL => {
            Outcome::Ended(ResultCode::CANCELLED)
        }
        result if result.is_performed() => Outcome::Ended(ResultCode::CANCELLED),
        result if result.is_temporary() => Outcome::Busy,
        _ => Outcome::Ended(ResultCode::UNSUPPORTED),
    }
}

#[cfg(test)]
mod tests {
    use ota_wire::cat::{CommandDetails, CommandType, Qualifier};

    use super::*;

    /// Every general result of TS 102 223 §8.12, and some that no standard has yet.
    #[test]
    fn every_result_of_a_terminal_has_a_meaning() {
        let details = CommandDetails {
            number: 1,
            kind: CommandType::DISPLAY_TEXT,
            qualifier: Qualifier(0x81),
        };
        let of = |result| outcome(&TerminalResponse::new(details, TerminalResult(result)));
        for (results, meaning) in [
            // Performed, perhaps with remarks.
            (0x00..=0x0F, Outcome::Done),
            (0x10..=0x10, Outcome::Ended(ResultCode::CANCELLED)),
            (0x11..=0x11, Outcome::Ended(ResultCode::BACK)),
            (0x12..=0x12, Outcome::Ended(ResultCode::TIMEOUT)),
            (0x13..=0x13, Outcome::Help),
            (0x14..=0x1F, Outcome::Ended(ResultCode::CANCELLED)),
            // Not at present: terminal, network.
            (0x20..=0x21, Outcome::Busy),
            // The user did not accept; the user cleared down.
            (0x22..=0x23, Outcome::Ended(ResultCode::CANCELLED)),
            (0x24..=0x2F, Outcome::Busy),
            // Beyond capabilities, not understood, values missing, SMS RP-ERROR and the rest.
            (0x30..=0xFF, Outcome::Ended(ResultCode::UNSUPPORTED)),
        ] {
            for result in results {
                assert_eq!(of(result), meaning, "{result:02X}");
            }
        }
    }
}
