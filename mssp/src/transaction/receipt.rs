//! The Message of MSS_Receipt (TS 102 204 §7.3) on the handset. It goes the way of a challenge, as a text that is confirmed
//! with a key: so it is authenticated, waits for the card like one, and its answer tells what the user did.

use jiff::{SignedDuration, Timestamp};
use ota_wire::applet::{Method, Text};

use super::accept::Accepted;
use crate::{
    code::Code,
    config::{Profile, Proof, Subscriber},
    event::{Body, EventKind},
    front::{Exchange, envelope},
    messages::{
        Acks, Comparison, Data, Head, MessagingMode, MobileUser, ReceiptResp, SignatureReq, Status,
    },
    party::Turn,
    record::{Change, Outcome, Transaction},
    soap::{Fault, Shape},
    step::RequestId,
};

/// How long the text may stand there: what a deployed service waits.
const SHOWN: SignedDuration = SignedDuration::from_secs(80);

impl Turn<'_> {
    /// Sends the text to the SIM that has signed. If the AP `waits` for the user, the connection is held until the card has
    /// answered, or time is over.
    ///
    /// # Errors
    /// 406 if another signature has the SIM.
    pub(crate) fn show_receipt(
        &mut self,
        exchange: &Exchange,
        head: Head,
        signature: &Transaction,
        (user, message, text): (MobileUser, Data, Text),
        waits: bool,
    ) -> Result<(), Fault> {
        let lingering = self.make_room(&signature.iccid)?;
        let request = SignatureReq {
            mode: if waits {
                MessagingMode::Synch
            } else {
                MessagingMode::AsynchClientServer
            },
            validity_date: None,
            timeout: None,
            user,
            to_be_signed: message,
            to_be_displayed: None,
            profile: None,
            services: Vec::new(),
            format: None,
            key: None,
            comparison: Comparison::Exact,
        };
        let accepted = Accepted {
            profile: Profile {
                uri: signature.profile.clone(),
                used: None,
                method: Method::Confirm,
                mac_algorithm: signature.challenge.mac_algorithm,
                proof: Proof::Mac,
            },
            subscriber: Subscriber::new(signature.msisdn.clone(), signature.iccid.clone()),
            text,
            deadline: self.now.checked_add(SHOWN).unwrap_or(Timestamp::MAX),
            signing: None,
            digest: None,
        };
        let of = Some(signature.id.clone());
        let shown = self.open(exchange, head, request, accepted, lingering, of)?;
        self.change(Change::Transaction(Box::new(shown)));
        Ok(())
    }

    /// Answers the AP that waited for its user.
    pub(super) fn answer_receipt(
        &mut self,
        connection: RequestId,
        shape: &Shape,
        shown: &Transaction,
        outcome: &Outcome,
    ) {
        let response = ReceiptResp {
            head: self.head_of(shown),
            status: Status::of(Code::REQUEST_OK),
            acks: Some(Acks::of(outcome.code)),
        };
        let body = bytes::Bytes::from(response.to_xml(shape));
        let answered = EventKind::Answered {
            body: Body(body.clone()),
            ends: true,
        };
        self.tell(shown, answered);
        let status = http::StatusCode::OK;
        self.reply(connection, envelope(status, shape.version, body));
    }
}

impl Acks {
    /// What this end of a receipt's challenge says of its way.
    fn of(code: Code) -> Self {
        Self {
            network: code != Code::OTA_ERROR,
            client: !matches!(code, Code::OTA_ERROR | Code::EXPIRED_TRANSACTION),
            response: match code {
                Code::VALID_SIGNATURE => Some("OK"),
                Code::USER_CANCEL => Some("CANCEL"),
                Code::EXPIRED_TRANSACTION => Some("TIMEOUT"),
                _ => None,
            },
        }
    }
}
