//! Between the words of two parties for the same thing.

use ota::platform;

/// What the MSSP gives to the OTA platform.
pub(super) fn submit(submit: mssp::Submit) -> platform::Submit {
    platform::Submit {
        id: submit.id,
        msisdn: submit.msisdn,
        tar: submit.tar,
        payload: submit.payload,
        expires: submit.expires,
        correlation: submit.correlation,
        por: platform::Por::OnError,
        key_version: None,
        key_set: None,
        valid_for: None,
    }
}

/// What the OTA platform tells the MSSP; `None` if that is nothing new to it.
pub(super) fn outcome(outcome: platform::Outcome) -> Option<mssp::OtaOutcome> {
    match outcome {
        platform::Outcome::Failed(reason) => Some(mssp::OtaOutcome::Failed {
            kind: failure(reason.code()),
            reason: reason.to_string(),
        }),
        // The MSSP's orders want a response packet on error only, so that an acknowledgement says no more than this.
        platform::Outcome::Sent | platform::Outcome::Acknowledged(_) => {
            Some(mssp::OtaOutcome::Sent)
        }
        // It set the deadline itself, and calls nothing off.
        platform::Outcome::Expired | platform::Outcome::Cancelled => None,
    }
}

/// What the [code](platform::FailReason::code) of a failure is to the MSSP.
pub(super) fn failure(code: &str) -> mssp::OtaFailure {
    match code {
        "unknown-subscriber" => mssp::OtaFailure::NoSuchCard,
        "card" => mssp::OtaFailure::Applet,
        "smsc" | "undelivered" => mssp::OtaFailure::Handset,
        _ => mssp::OtaFailure::Other,
    }
}
