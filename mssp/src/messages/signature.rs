//! MSS_SignatureReq and MSS_SignatureResp, TS 102 204 §8.2 and §8.3.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    Children, Data, DateTime, MobileUser, MssSignature, ResponseHead, Service, Status, optional,
    required, types::mss_uri, wrong,
};
use crate::{
    operation::Operation,
    soap::{Fault, Shape},
    xml::Element,
};

/// MessagingMode: when and how the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessagingMode {
    /// `synch`: the HTTP answer waits for the user.
    Synch,
    /// `asynchClientServer`: the AP asks with MSS_StatusQuery.
    AsynchClientServer,
    /// `asynchServerServer`: the MSSP sends MSS_Notification.
    AsynchServerServer,
}

impl MessagingMode {
    /// As it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Synch => "synch",
            Self::AsynchClientServer => "asynchClientServer",
            Self::AsynchServerServer => "asynchServerServer",
        }
    }
}

impl FromStr for MessagingMode {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        [
            Self::Synch,
            Self::AsynchClientServer,
            Self::AsynchServerServer,
        ]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| {
            wrong(format!(
                "MessagingMode={text:?} is unknown, expected synch, asynchClientServer or asynchServerServer"
            ))
        })
    }
}

/// SignatureProfileComparison: how exactly the profile has to be met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// That profile and no other; also when the element is absent.
    #[default]
    Exact,
    /// At least that.
    Minimum,
    /// More than that.
    Better,
}

/// A request for a signature, without its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureReq {
    /// MessagingMode.
    pub mode: MessagingMode,
    /// ValidityDate: the answer is worthless after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_date: Option<DateTime>,
    /// TimeOut in seconds; values beyond 64 bits become the greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// MobileUser.
    pub user: MobileUser,
    /// DataToBeSigned.
    pub to_be_signed: Data,
    /// DataToBeDisplayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_be_displayed: Option<Data>,
    /// SignatureProfile/mssURI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// AdditionalServices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// MSS_Format/mssURI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// KeyReference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyReference>,
    /// SignatureProfileComparison.
    #[serde(default)]
    pub comparison: Comparison,
}

impl SignatureReq {
    /// Reads the message after its [`super::Head`].
    ///
    /// # Errors
    /// 102 for what is missing, 101 for what is wrong.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        let children = Children::new(
            message,
            &[
                "AP_Info",
                "MSSP_Info",
                "MobileUser",
                "DataToBeSigned",
                "DataToBeDisplayed",
                "SignatureProfile",
                "AdditionalServices",
                "MSS_Format",
                "KeyReference",
                "SignatureProfileComparison",
            ],
        )?;
        let uri = |name| children.optional(name).map(mss_uri).transpose();
        Ok(Self {
            mode: required(message, "MessagingMode")?.parse()?,
            validity_date: optional(message, "ValidityDate")
                .map(|text| DateTime::parse("ValidityDate", text))
                .transpose()?,
            timeout: optional(message, "TimeOut").map(timeout).transpose()?,
            user: MobileUser::parse(children.required("MobileUser")?)?,
            to_be_signed: Data::parse(children.required("DataToBeSigned")?)?,
            to_be_displayed: children
                .optional("DataToBeDisplayed")
                .map(Data::parse)
                .transpose()?,
            profile: uri("SignatureProfile")?,
            services: children
                .optional("AdditionalServices")
                .map_or_else(|| Ok(Vec::new()), Service::parse_all)?,
            format: uri("MSS_Format")?,
            key: children
                .optional("KeyReference")
                .map(KeyReference::parse)
                .transpose()?,
            comparison: match children.text("SignatureProfileComparison").as_deref() {
                None | Some("exact") => Comparison::Exact,
                Some("minimum") => Comparison::Minimum,
                Some("better") => Comparison::Better,
                Some(other) => {
                    return Err(wrong(format!(
                        "SignatureProfileComparison {other:?} is unknown, expected exact, minimum or better"
                    )));
                }
            },
        })
    }
}

/// xs:positiveInteger.
fn timeout(text: &str) -> Result<u64, Fault> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong(format!(
            "TimeOut={text:?} is not a number of seconds"
        )));
    }
    match digits.parse() {
        Ok(0) => Err(wrong("TimeOut=0, expected at least one second")),
        Ok(seconds) => Ok(seconds),
        Err(_) => Ok(u64::MAX),
    }
}

/// KeyReferenceType: which of a person's keys is meant. What is given must be true of the key that signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyReference {
    /// CertificateURL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificate_urls: Vec<String>,
    /// CertificateIssuerDN.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<String>,
    /// HashOfUsersPublicKey: DigestValue, Base64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_keys: Vec<String>,
    /// HashOfCAPublicKey: DigestValue, Base64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_keys: Vec<String>,
}

impl KeyReference {
    fn parse(element: &Element) -> Result<Self, Fault> {
        let mut reference = Self::default();
        for child in element.elements() {
            let list = match &*child.local {
                "CertificateURL" => &mut reference.certificate_urls,
                "CertificateIssuerDN" => &mut reference.issuers,
                "HashOfUsersPublicKey" => &mut reference.user_keys,
                "HashOfCAPublicKey" => &mut reference.ca_keys,
                // The schema wants an element of another namespace, of which nothing is known.
                _ => continue,
            };
            let digest = child.elements().find(|e| e.local == "DigestValue");
            let text = digest.unwrap_or(child).text();
            list.push(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        Ok(reference)
    }
}

/// The answer to a request for a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureResp {
    /// Head.
    pub head: ResponseHead,
    /// MSSP_TransID.
    pub mssp_trans_id: String,
    /// MobileUser of the request.
    pub user: MobileUser,
    /// MSS_Signature; absent in the first answer of the asynchronous modes.
    pub signature: Option<MssSignature>,
    /// SignatureProfile: the one that is used.
    pub profile: String,
    /// Status.
    pub status: Status,
}

impl SignatureResp {
    /// The whole envelope, in the shape of the request.
    pub fn to_xml(&self, shape: &Shape) -> String {
        shape.answer(Operation::Signature, |w| {
            w.attribute("MSSP_TransID", &self.mssp_trans_id);
            self.head.write(w);
            self.user.write(w);
            super::status::write_signature(w, self.signature.as_ref());
            w.open("mss:SignatureProfile")
                .leaf("mss:mssURI", &self.profile)
                .close();
            self.status.write(w);
        })
    }
}
