//! AdditionalServices (TS 102 204 §8.2.1), as the standard, FiCom and the product behind several deployments have them, and
//! the ServiceResponses in StatusDetail, which are FiCom's.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Children, trimmed, types::mss_uri, wrong};
use crate::{
    dialect::FICOM,
    soap::{Fault, MSS},
    xml::{Element, Writer},
};

/// Namespace of the service that hands out the certificate.
const KIURU_5: &str = "http://www.methics.fi/KiuruMSSP/v5.0.0#";

/// A service that an AP asks for beside the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Description/mssURI.
    pub uri: String,
    /// The text of the element that comes with it: fi:EventID, fi:NoSpamCode, fi:UserLang, fi:DisplayName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// fi:NoSpamCode/@verify.
    #[serde(default = "yes")]
    pub verify: bool,
}

fn yes() -> bool {
    true
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// The name of the AP for the user.
    DisplayName,
    /// A reference that the user finds on both screens.
    EventId,
    /// A code without which the user is not asked.
    NoSpam,
    /// The certificate with the signature.
    SigningCertificate,
    /// The user's language.
    UserLang,
    /// The MSSP validates the signature.
    Validate,
}

impl Service {
    /// What it does, if it is known here.
    pub fn kind(&self) -> Option<ServiceKind> {
        let within = |namespace| self.uri.strip_prefix(namespace);
        if within(MSS) == Some("validate") {
            return Some(ServiceKind::Validate);
        }
        // Its schema and its deployments differ in the first letter.
        if within(KIURU_5).is_some_and(|name| name.eq_ignore_ascii_case("signingCertificate")) {
            return Some(ServiceKind::SigningCertificate);
        }
        Some(match within(FICOM)? {
            "displayName" => ServiceKind::DisplayName,
            "eventId" => ServiceKind::EventId,
            "noSpam" => ServiceKind::NoSpam,
            "userLang" => ServiceKind::UserLang,
            "validate" => ServiceKind::Validate,
            _ => return None,
        })
    }

    /// AdditionalServices.
    pub(super) fn parse_all(element: &Element) -> Result<Vec<Self>, Fault> {
        element
            .elements()
            .map(|service| {
                if service.local != "Service" {
                    return Err(wrong(format!(
                        "{} does not belong into AdditionalServices, which holds Service",
                        service.local
                    )));
                }
                Self::parse(service)
            })
            .collect()
    }

    fn parse(service: &Element) -> Result<Self, Fault> {
        let children = Children::new(service, &["Description", "Entity"])?;
        let more = service
            .elements()
            .find(|child| !matches!(child.ns.as_deref(), None | Some(MSS)));
        let verify = more.and_then(|more| more.attribute(None, "verify"));
        Ok(Self {
            uri: mss_uri(children.required("Description")?)?,
            value: more.map(|more| trimmed(&more.text()).to_owned()),
            verify: match verify.map(trimmed) {
                None | Some("yes") => true,
                Some("no") => false,
                Some(other) => {
                    return Err(wrong(format!("verify={other:?}, expected yes or no")));
                }
            },
        })
    }
}

/// What became of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceResponse {
    /// The URI under which it was asked for.
    pub uri: String,
    /// Its certificates, DER, the signer's first.
    pub certificates: Vec<Vec<u8>>,
}

impl ServiceResponse {
    /// fi:ServiceResponses.
    pub(super) fn write_all(all: &[Self], w: &mut Writer) {
        w.open("fi:ServiceResponses").attribute("xmlns:fi", FICOM);
        for response in all {
            w.open("fi:ServiceResponse")
                .open("fi:Description")
                .leaf("mss:mssURI", &response.uri)
                .close();
            w.open("fi:Status")
                .open("mss:StatusCode")
                .attribute("Value", "100")
                .close()
                .close();
            if !response.certificates.is_empty() {
                w.open("mth:signingCertificate")
                    .attribute("xmlns:mth", KIURU_5);
                for certificate in &response.certificates {
                    w.leaf("mth:X509Certificate", &STANDARD.encode(certificate));
                }
                w.close();
            }
            w.close();
        }
        w.close();
    }
}
