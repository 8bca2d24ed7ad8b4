//! MSS_ProfileQuery (TS 102 204 §7.5): which signature profiles the AP can use with a user. The user is not asked.

use ota_wire::applet::Method;

use super::Caller;
use crate::{
    code::Code,
    front::{Exchange, Handled},
    messages::{ProfileReq, ProfileResp, SimDetails, Status},
    party::Turn,
    soap::Fault,
    xml::Element,
};

impl Turn<'_> {
    pub(crate) fn profile_query(
        &mut self,
        exchange: &Exchange,
        caller: Caller<'_>,
        message: &Element,
    ) -> Result<Handled, Fault> {
        let request = ProfileReq::parse(message)?;
        let (subscriber, user) = self.active_person(&request.user, caller.dialect)?;
        let asks_details = !request.params.is_empty();
        if user.puk_blocked {
            return Err(blocked(
                Code::CARD_BLOCKED,
                "the PUK of the signing PIN",
                4031,
            ));
        }
        // Who asks for details is told; who does not would find no profile usable.
        if user.pin_blocked && !asks_details {
            return Err(blocked(Code::PIN_NR_BLOCKED, "the signing PIN", 4021));
        }
        let rules = caller.dialect.rules();
        let profiles = self
            .config
            .profiles
            .iter()
            .filter(|profile| subscriber.pin || profile.method != Method::Pin)
            .map(|profile| &profile.uri)
            .filter(|uri| rules.takes_profile(uri))
            .filter(|uri| caller.ap.profiles.is_empty() || caller.ap.profiles.contains(uri))
            .cloned()
            .collect();
        let response = ProfileResp {
            profiles,
            sim: asks_details.then_some(SimDetails {
                pin_blocked: user.pin_blocked,
            }),
            status: Status::of(Code::REQUEST_OK),
            head: caller.response_head(self),
        };
        Ok(Handled::now(response.to_xml(&exchange.shape)))
    }
}

fn blocked(code: Code, what: &str, second: u16) -> Fault {
    Fault::new(code, format!("{what} is blocked, the card has said")).second(second)
}
