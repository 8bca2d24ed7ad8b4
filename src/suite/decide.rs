//! A decision in the user's place about one authentication request, carried out by the simulated user: popups are accepted and the
//! PIN typed, or cancel pressed, so that the whole chain stays under test.

use std::time::Duration;

use op_bridge::{Authenticator, FailureKind, Key as RequestKey, Request, State};
use ota_wire::ids::Msisdn;
use zeroize::Zeroizing;

use super::Handle;
use crate::users::{Key, OpenPrompt, Press};
use crate::wiring::{Message, Receipt};

/// How long the chain may take to bring the request to the handset and the answer back, in real time.
const WITHIN: Duration = Duration::from_secs(20);

/// What the user is to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Accept, and type the PIN where it is asked for.
    Allow,
    /// Press cancel.
    Deny,
}

/// Why a decision could not be carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecisionError {
    /// The OP has no such request.
    #[error("no authentication request has this auth_req_id; it may be forgotten since")]
    Unknown,
    /// It has ended otherwise.
    #[error("the request is not what was asked for any more: {0}")]
    Otherwise(String),
    /// The handset shows nothing, or the answer does not come through.
    #[error(
        "the request was still waiting after 20 s; is the user of {0} a human, and the handset reachable?"
    )]
    Late(Msisdn),
    /// The store failed.
    #[error("{0}")]
    Store(String),
}

impl Handle {
    /// Lets the user of a request allow or deny it; returns when the OP knows the outcome.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn decide(&self, auth_req_id: &str, decision: Decision) -> Result<(), DecisionError> {
        let request = self.request(auth_req_id)?;
        if self.parties().op_authenticator() != Authenticator::Mssp {
            let input = op_bridge::Input::Decision {
                auth_req_id: auth_req_id.to_owned(),
                approve: decision == Decision::Allow,
            };
            let flight = self.clock().begin();
            let message = Message::Op(input);
            self.network().handle(message, Receipt::NONE, flight).await;
            return self.judge(auth_req_id, decision).map(drop);
        }
        let number = request.msisdn.to_string();
        let msisdn: Msisdn = number.parse().map_err(|_| DecisionError::Unknown)?;
        let playing = async {
            let mut changes = self.users().watch();
            let mut traces = self.trace_log().watch();
            loop {
                changes.borrow_and_update();
                traces.borrow_and_update();
                if self.judge(auth_req_id, decision)? {
                    return Ok(());
                }
                let open = self.users().open();
                for prompt in open.iter().filter(|prompt| prompt.msisdn == msisdn) {
                    // A popup that is gone by now needs no key.
                    let _ = self.press(prompt.id, self.key(prompt, decision));
                }
                // The senders live as long as the suite.
                tokio::select! { _ = changes.changed() => {}, _ = traces.changed() => {} }
            }
        };
        let played = tokio::time::timeout(WITHIN, playing).await;
        played.unwrap_or(Err(DecisionError::Late(msisdn)))
    }

    /// Whether the request has its outcome; an error if that is another one.
    fn judge(&self, auth_req_id: &str, decision: Decision) -> Result<bool, DecisionError> {
        let state = self.request(auth_req_id)?.state;
        match (state, decision) {
            (State::Pending, _) => Ok(false),
            (State::Approved { .. } | State::Redeemed, Decision::Allow) => Ok(true),
            (State::Failed(failure), Decision::Deny) if failure.kind == FailureKind::Denied => {
                Ok(true)
            }
            (State::Failed(failure), _) => Err(DecisionError::Otherwise(failure.description)),
            (State::Approved { .. } | State::Redeemed, Decision::Deny) => {
                Err(DecisionError::Otherwise("the user has approved".into()))
            }
        }
    }

    fn request(&self, auth_req_id: &str) -> Result<Request, DecisionError> {
        let key = RequestKey::of(auth_req_id).record();
        let record = self
            .parties()
            .op_record(&key)
            .map_err(|error| DecisionError::Store(error.to_string()))?;
        let request = record.and_then(|octets| Request::read(&octets));
        request.ok_or(DecisionError::Unknown)
    }

    fn key(&self, prompt: &OpenPrompt, decision: Decision) -> Press {
        let code = || {
            let phones = self.parties().phones();
            let code = phones.code(&prompt.msisdn, &prompt.text, prompt.min).ok()?;
            Some(Zeroizing::new(code?.digits().to_owned()))
        };
        let (action, text) = match (decision, prompt.kind) {
            (Decision::Deny, _) => (Key::Cancel, None),
            (Decision::Allow, "input") => (Key::Text, code()),
            (Decision::Allow, _) => (Key::Ok, None),
        };
        Press { action, text }
    }
}
