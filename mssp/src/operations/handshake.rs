//! MSS_Handshake (TS 102 204 §7.7). This MSSP makes no XML signatures, so no method is secured; the certificate that an AP
//! is registered with matches, if it proposes that one.

use super::Caller;
use crate::{
    front::{Exchange, Handled},
    messages::{HandshakeReq, HandshakeResp},
    party::Turn,
    record::Change,
    soap::Fault,
    xml::Element,
};

impl Turn<'_> {
    pub(crate) fn handshake(
        &mut self,
        exchange: &Exchange,
        caller: Caller<'_>,
        message: &Element,
    ) -> Result<Handled, Fault> {
        let request = HandshakeReq::parse(message)?;
        let mssp_trans_id = self.new_trans_id();
        self.change(Change::Handshake {
            ap_id: caller.ap.id.clone(),
            mssp_trans_id: mssp_trans_id.clone(),
        });
        let registered = caller.ap.certificate.as_ref();
        let ap_certificates = request
            .certificates
            .into_iter()
            .filter(|der| registered.is_some_and(|own| own == der))
            .collect();
        let response = HandshakeResp {
            head: caller.response_head(self),
            mssp_trans_id,
            ap_certificates,
        };
        Ok(Handled::now(response.to_xml(&exchange.shape)))
    }
}
