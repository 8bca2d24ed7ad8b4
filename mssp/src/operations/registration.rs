//! MSS_Registration (TS 102 204 §7.4). A user who is registered already stays so; with Deregister of midsim's own
//! namespace, the registration ends.

use super::Caller;
use crate::{
    code::Code,
    config::UserState,
    front::{Exchange, Handled},
    messages::{RegistrationReq, RegistrationResp, Status},
    party::Turn,
    record::Change,
    soap::Fault,
    xml::Element,
};

impl Turn<'_> {
    pub(crate) fn registration(
        &mut self,
        exchange: &Exchange,
        caller: Caller<'_>,
        message: &Element,
    ) -> Result<Handled, Fault> {
        let request = RegistrationReq::parse(message)?;
        let failed =
            |detail: String, second| Fault::new(Code::REGISTRATION_NOK, detail).second(second);
        if request.encrypted {
            let detail = "EncryptedData cannot be read: this MSSP has given no key for it";
            return Err(failed(detail.to_owned(), 4072));
        }
        let (subscriber, user) = self.person(&request.user).map_err(|fault| {
            // That there is no such SIM is a failure of the registration itself.
            match fault.code {
                Code::UNKNOWN_CLIENT => failed(fault.detail, 4073),
                _ => fault,
            }
        })?;
        let (state, detail) = if request.deregister {
            (UserState::NotRegistered, Some("deregistered".to_owned()))
        } else if user.state == UserState::Suspended {
            let detail = format!("{} is suspended from the service", subscriber.msisdn);
            return Err(failed(detail, 4072));
        } else {
            (UserState::Active, None)
        };
        self.change(Change::User(subscriber.msisdn, user.now(state)));
        let response = RegistrationResp {
            head: caller.response_head(self),
            status: Status {
                detail,
                ..Status::of(Code::REGISTRATION_OK)
            },
            x509_certificate: None,
        };
        Ok(Handled::now(response.to_xml(&exchange.shape)))
    }
}
