//! MSS_ProfileReq and MSS_ProfileResp (TS 102 204 §8.8, §8.9).

use super::{Children, MobileUser, ResponseHead, Status};
use crate::{
    operation::Operation,
    soap::{Fault, Shape},
    xml::{Element, Writer},
};

/// Namespace of a deployed extension of the answer.
const PROFILE_EXTENSION: &str = "http://www.methics.fi/TS102204/ext/v1.0.0";
/// Its older way to ask: one element for each word.
const GETTERS: [&str; 6] = [
    "GetMobileUserCertificates",
    "GetAutoActivation",
    "GetServerSideSignature",
    "GetRecoveryCodeCreated",
    "GetSscds",
    "GetState",
];

/// A question for the profiles of a user, without its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileReq {
    /// MobileUser.
    pub user: MobileUser,
    /// Params, the words of a deployed extension; empty if it is not used.
    pub params: Vec<String>,
}

impl ProfileReq {
    /// Reads the message after its [`super::Head`].
    ///
    /// # Errors
    /// 102 for what is missing, 101 for what is wrong.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        let mut known = vec!["AP_Info", "MSSP_Info", "MobileUser", "Params"];
        known.extend(GETTERS);
        let children = Children::new(message, &known)?;
        let mut params: Vec<String> = children
            .text("Params")
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect();
        params.extend(
            GETTERS
                .into_iter()
                .filter(|name| children.optional(name).is_some())
                .map(str::to_owned),
        );
        Ok(Self {
            user: MobileUser::parse(children.required("MobileUser")?)?,
            params,
        })
    }
}

/// What is told of a user's SIM when Params asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimDetails {
    /// Sim/PinStatus/@blocked, as far as the MSSP has heard.
    pub pin_blocked: bool,
}

/// The answer: what the user can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileResp {
    /// Head.
    pub head: ResponseHead,
    /// SignatureProfile/mssURI of each.
    pub profiles: Vec<String>,
    /// ProfileQueryExtension in StatusDetail.
    pub sim: Option<SimDetails>,
    /// Status.
    pub status: Status,
}

impl ProfileResp {
    /// The whole envelope, in the shape of the request.
    pub fn to_xml(&self, shape: &Shape) -> String {
        shape.answer(Operation::ProfileQuery, |w| {
            self.head.write(w);
            for uri in &self.profiles {
                w.open("mss:SignatureProfile")
                    .leaf("mss:mssURI", uri)
                    .close();
            }
            match &self.sim {
                None => self.status.write(w),
                Some(sim) => self.status.write_with(w, |w| sim.write(w)),
            }
        })
    }
}

impl SimDetails {
    fn write(&self, w: &mut Writer) {
        w.open("mcs:ProfileQueryExtension")
            .attribute("xmlns:mcs", PROFILE_EXTENSION)
            .open("mcs:MobileUser")
            .attribute("RecoveryCodeCreated", "false")
            .attribute("AutoActivation", "false")
            .close()
            .open("mcs:Sscds")
            .open("mcs:Sim")
            .leaf("mcs:State", "ACTIVE")
            .open("mcs:PinStatus")
            .attribute("blocked", if self.pin_blocked { "true" } else { "false" })
            .close()
            .close()
            .close()
            .close();
    }
}
