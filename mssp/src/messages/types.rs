//! The auxiliary types of TS 102 204 §9.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Children, ServiceResponse, optional, trimmed, wrong};
use crate::{
    code::Code,
    soap::{Fault, MIDSIM},
    xml::{Element, Writer},
};

/// xs:dateTime with a time zone, kept as written so that it can be echoed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DateTime(String);

impl DateTime {
    /// Reads the text of attribute `name`.
    ///
    /// # Errors
    /// 101 if it is no date and time, or has no zone.
    pub fn parse(name: &str, text: &str) -> Result<Self, Fault> {
        let fault = |why: &str| {
            wrong(format!(
                "{name}={text:?} {why}, expected a date and time like 2026-11-22T10:30:00Z"
            ))
        };
        match read(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(why) => Err(fault(why)),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The instant it names.
    pub fn instant(&self) -> Timestamp {
        read(&self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// XML Schema part 2 §3.2.7: a zone is at most 14 hours away, 24:00:00 is the day's end, seconds end with 59, and a fraction is
/// as long as somebody likes. Of it, nanoseconds are kept.
fn read(text: &str) -> Result<Timestamp, &'static str> {
    const WRONG: &str = "is not a date and time";
    let (date_time, zone) = match text.strip_suffix('Z') {
        Some(rest) => (rest, "+00:00"),
        None => match text
            .len()
            .checked_sub(6)
            .and_then(|at| text.split_at_checked(at))
        {
            Some((rest, zone)) if zone.starts_with(['+', '-']) => (rest, zone),
            _ => return Err("has no time zone"),
        },
    };
    let (seconds, fraction) = date_time.split_once('.').unwrap_or((date_time, "0"));
    if !shaped(seconds, "dddd-dd-ddTdd:dd:dd")
        || !shaped(&zone[1..], "dd:dd")
        || &zone[1..] > "14:00"
        || &zone[4..] > "59"
        || &seconds[17..] > "59"
        || fraction.is_empty()
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(WRONG);
    }
    let at = |time: &str, fraction: &str| {
        let text = format!("{}T{time}.{fraction}{zone}", &seconds[..10]);
        text.parse::<Timestamp>().map_err(|_| WRONG)
    };
    match seconds[11..].strip_prefix("24:") {
        Some("00:00") if fraction.bytes().all(|b| b == b'0') => at("00:00:00", "0")?
            .checked_add(SignedDuration::from_hours(24))
            .map_err(|_| WRONG),
        Some(_) => Err(WRONG),
        None => at(&seconds[11..], fraction.get(..9).unwrap_or(fraction)),
    }
}

/// Does `text` have digits where `pattern` has `d` and the same characters elsewhere?
fn shaped(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(t, p)| match p {
            b'd' => t.is_ascii_digit(),
            p => t == p,
        })
}

/// MeshMemberType: a party of the roaming mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeshMember {
    /// DNSName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// IPAddress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// IdentifierString.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier_string: Option<String>,
}

impl MeshMember {
    pub(super) fn parse(element: &Element) -> Result<Self, Fault> {
        let names = ["DNSName", "IPAddress", "URI", "IdentifierString"];
        let children = Children::new(element, &names)?;
        let [dns_name, ip_address, uri, identifier_string] = names.map(|name| children.text(name));
        Ok(Self {
            dns_name,
            ip_address,
            uri,
            identifier_string,
        })
    }

    pub(super) fn write(&self, w: &mut Writer, name: &str) {
        w.open(name)
            .optional_leaf("mss:DNSName", self.dns_name.as_deref())
            .optional_leaf("mss:IPAddress", self.ip_address.as_deref())
            .optional_leaf("mss:URI", self.uri.as_deref())
            .optional_leaf("mss:IdentifierString", self.identifier_string.as_deref())
            .close();
    }
}

/// MobileUserType, kept as sent: APs compare the answer's MSISDN with their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MobileUser {
    /// IdentityIssuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_issuer: Option<MeshMember>,
    /// UserIdentifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_identifier: Option<String>,
    /// HomeMSSP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_mssp: Option<MeshMember>,
    /// MSISDN in the AP's own spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msisdn: Option<String>,
}

impl MobileUser {
    pub(super) fn parse(element: &Element) -> Result<Self, Fault> {
        let children = Children::new(
            element,
            &["IdentityIssuer", "UserIdentifier", "HomeMSSP", "MSISDN"],
        )?;
        let member = |name| children.optional(name).map(MeshMember::parse).transpose();
        Ok(Self {
            identity_issuer: member("IdentityIssuer")?,
            user_identifier: children.text("UserIdentifier"),
            home_mssp: member("HomeMSSP")?,
            msisdn: children.optional("MSISDN").map(|e| e.text().into_owned()),
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.open("mss:MobileUser");
        if let Some(member) = &self.identity_issuer {
            member.write(w, "mss:IdentityIssuer");
        }
        w.optional_leaf("mss:UserIdentifier", self.user_identifier.as_deref());
        if let Some(member) = &self.home_mssp {
            member.write(w, "mss:HomeMSSP");
        }
        w.optional_leaf("mss:MSISDN", self.msisdn.as_deref())
            .close();
    }
}

/// DataType: text with its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// The content as sent.
    pub text: String,
    /// MimeType.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

impl Data {
    pub(super) fn parse(element: &Element) -> Result<Self, Fault> {
        if element.elements().next().is_some() {
            return Err(wrong(format!("{} holds text, not elements", element.local)));
        }
        Ok(Self {
            text: element.text().into_owned(),
            mime_type: optional(element, "MimeType").map(str::to_owned),
            encoding: optional(element, "Encoding").map(str::to_owned),
        })
    }
}

/// StatusType.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// StatusCode/@Value.
    pub code: Code,
    /// For people, in StatusDetail.
    pub detail: Option<String>,
    /// What became of the additional services, in StatusDetail: then there is no room for people's words.
    pub services: Vec<ServiceResponse>,
}

impl Status {
    pub(super) fn write(&self, w: &mut Writer) {
        if !self.services.is_empty() {
            return self.write_with(w, |w| ServiceResponse::write_all(&self.services, w));
        }
        self.open(w);
        if let Some(detail) = &self.detail {
            w.open("mss:StatusDetail")
                .open("midsim:detail")
                .attribute("xmlns:midsim", MIDSIM)
                .text(detail)
                .close()
                .close();
        }
        w.close();
    }

    /// With an element of another schema in StatusDetail, instead of words for people.
    pub(super) fn write_with(&self, w: &mut Writer, detail: impl FnOnce(&mut Writer)) {
        self.open(w);
        w.open("mss:StatusDetail");
        detail(w);
        w.close().close();
    }

    fn open(&self, w: &mut Writer) {
        w.open("mss:Status")
            .open("mss:StatusCode")
            .attribute("Value", &self.code.0.to_string())
            .close()
            .leaf("mss:StatusMessage", self.code.name());
    }
}

/// The URI of an mssURIType.
pub(super) fn mss_uri(element: &Element) -> Result<String, Fault> {
    let children = Children::new(element, &["mssURI", "DigestAlgAndValue"])?;
    let uri = trimmed(&children.required("mssURI")?.text()).to_owned();
    if uri.is_empty() {
        return Err(wrong(format!("the mssURI of {} is empty", element.local)));
    }
    Ok(uri)
}
