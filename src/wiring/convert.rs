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
    }
}

/// What the OTA platform tells the MSSP.
pub(super) fn outcome(outcome: platform::Outcome) -> mssp::OtaOutcome {
    match outcome {
        platform::Outcome::Failed(reason) => mssp::OtaOutcome::Failed {
            kind: failure(&reason),
            reason: reason.to_string(),
        },
        // The MSSP's orders want a response packet on error only, so that an acknowledgement says no more than this.
        platform::Outcome::Sent | platform::Outcome::Acknowledged(_) => mssp::OtaOutcome::Sent,
    }
}

fn failure(reason: &platform::FailReason) -> mssp::OtaFailure {
    use platform::FailReason as Reason;
    match reason {
        Reason::UnknownSubscriber => mssp::OtaFailure::NoSuchCard,
        Reason::Card(_) => mssp::OtaFailure::Applet,
        Reason::Smsc(_) | Reason::Undelivered(_) => mssp::OtaFailure::Handset,
        Reason::TooLong { .. }
        | Reason::Keys(_)
        | Reason::CounterExhausted
        | Reason::QueueFull { .. } => mssp::OtaFailure::Other,
    }
}
