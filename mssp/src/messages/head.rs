//! MessageAbstractType, TS 102 204 §8.1: what every message begins with.

use jiff::Timestamp;
use ota_wire::secret::Secret;
use serde::{Deserialize, Serialize};

use super::{Children, DateTime, MeshMember, missing, optional, required, wrong};
use crate::{
    code::Code,
    soap::Fault,
    xml::{Element, Writer, is_nc_name},
};

/// Characters of the longest AP_TransID that is taken: the standard gives no bound, deployed clients send up to 39.
const MAX_AP_TRANS_ID: usize = 64;

/// MajorVersion and MinorVersion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceVersion {
    /// MajorVersion.
    pub major: u8,
    /// MinorVersion.
    pub minor: u8,
}

impl InterfaceVersion {
    /// The versions that clients in the field use.
    pub const SPOKEN: [Self; 3] = [Self::new(1, 1), Self::new(1, 2), Self::new(2, 0)];

    const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    fn parse(message: &Element) -> Result<Self, Fault> {
        let (major, minor) = (
            required(message, "MajorVersion")?,
            required(message, "MinorVersion")?,
        );
        let version = match (major.parse(), minor.parse()) {
            (Ok(major), Ok(minor)) => Some(Self { major, minor }),
            _ => None,
        };
        version.filter(|v| Self::SPOKEN.contains(v)).ok_or_else(|| {
            Fault::new(
                Code::INCOMPATIBLE_INTERFACE,
                format!("version {major}/{minor} is not spoken here, expected 1/1, 1/2 or 2/0"),
            )
        })
    }
}

impl std::fmt::Display for InterfaceVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.major, self.minor)
    }
}

/// AP_Info: who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApInfo {
    /// AP_ID.
    pub ap_id: String,
    /// AP_TransID, an NCName.
    pub ap_trans_id: String,
    /// AP_PWD.
    pub ap_pwd: Secret,
    /// Instant.
    pub instant: DateTime,
    /// AP_URL, where notifications go. It may hold a secret of the AP.
    pub ap_url: Option<String>,
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// MajorVersion/MinorVersion.
    pub version: InterfaceVersion,
    /// AP_Info.
    pub ap: ApInfo,
    /// MSSP_Info/MSSP_ID: which MSSP the AP believes it talks to.
    pub mssp_id: MeshMember,
}

impl Head {
    /// Reads the head of any request.
    ///
    /// # Errors
    /// 108 for a version that is not spoken, 102 for what is missing (104 for AP_PWD), 101 for what is wrong.
    pub fn parse(message: &Element) -> Result<Self, Fault> {
        let version = InterfaceVersion::parse(message)?;
        let child = |name: &str| {
            message
                .elements()
                .find(|e| e.local == name)
                .ok_or_else(|| missing(format!("{} lacks element {name}", message.local)))
        };
        let ap = ApInfo::parse(child("AP_Info")?)?;
        let mssp_info = Children::new(child("MSSP_Info")?, &["MSSP_ID"])?;
        Ok(Self {
            version,
            ap,
            mssp_id: MeshMember::parse(mssp_info.required("MSSP_ID")?)?,
        })
    }
}

impl ApInfo {
    fn parse(element: &Element) -> Result<Self, Fault> {
        let ap_id = required(element, "AP_ID")?.to_owned();
        let ap_trans_id = required(element, "AP_TransID")?.to_owned();
        if !is_nc_name(&ap_trans_id) || ap_trans_id.chars().count() > MAX_AP_TRANS_ID {
            return Err(wrong(format!(
                "AP_TransID={ap_trans_id:?} is not an NCName of at most {MAX_AP_TRANS_ID} characters \
                 (it must not begin with a digit)"
            )));
        }
        let Some(ap_pwd) = element.attribute(None, "AP_PWD") else {
            return Err(Fault::new(
                Code::UNAUTHORIZED_ACCESS,
                "AP_Info lacks attribute AP_PWD",
            ));
        };
        Ok(Self {
            ap_id,
            ap_trans_id,
            ap_pwd: Secret::new(ap_pwd.as_bytes().to_vec()),
            instant: DateTime::parse("AP_Info/@Instant", required(element, "Instant")?)?,
            ap_url: optional(element, "AP_URL").map(str::to_owned),
        })
    }
}

/// The head of an answer or a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// As the request had it.
    pub version: InterfaceVersion,
    /// A copy of the request's.
    pub ap: ApInfo,
    /// MSSP_ID/URI: this MSSP.
    pub mssp_uri: String,
    /// MSSP_Info/@Instant: when this message was made.
    pub instant: Timestamp,
}

impl ResponseHead {
    /// Writes the attributes and the two elements of MessageAbstractType. Other attributes must have been written
    /// before, other elements follow.
    pub(super) fn write(&self, w: &mut Writer) {
        let password = String::from_utf8_lossy(self.ap.ap_pwd.expose());
        w.attribute("MajorVersion", &self.version.major.to_string())
            .attribute("MinorVersion", &self.version.minor.to_string())
            .open("mss:AP_Info")
            .attribute("AP_ID", &self.ap.ap_id)
            .attribute("AP_TransID", &self.ap.ap_trans_id)
            .attribute("AP_PWD", &password)
            .attribute("Instant", self.ap.instant.as_str())
            .optional_attribute("AP_URL", self.ap.ap_url.as_deref())
            .close()
            .open("mss:MSSP_Info")
            .attribute("Instant", &format!("{:.3}", self.instant));
        let mssp_id = MeshMember {
            uri: Some(self.mssp_uri.clone()),
            ..MeshMember::default()
        };
        mssp_id.write(w, "mss:MSSP_ID");
        w.close();
    }
}
