//! DataToBeSigned and DataToBeDisplayed (TS 102 204 §8.2): what is signed, and what the user reads.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ota_wire::applet::{Text, TextAlphabet};
use ring::digest::SHA256;

use super::services;
use crate::{
    code::Code,
    config::Profile,
    dialect::{Dialect, Displays, Rules},
    messages::{Data, SignatureReq},
    pki::cms::Content,
    soap::Fault,
};

/// What stands on the screen.
pub(super) struct Screen {
    /// The text of the challenge.
    pub(super) text: Text,
    /// DataToBeSigned is not in it.
    pub(super) apart: bool,
}

/// What is signed, as DataToBeSigned has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// The text as the AP sent it, in UTF-8 (APs compare); or octets.
    Octets(Vec<u8>),
    /// Something with this SHA-256 digest.
    Digest([u8; 32]),
}

impl Signed {
    /// Reads DataToBeSigned.
    ///
    /// # Errors
    /// 103, 107.
    pub(super) fn of(data: &Data) -> Result<Self, Fault> {
        let octets = match kind("DataToBeSigned", data)? {
            Kind::Plain { .. } => return Ok(Self::Octets(data.text.clone().into_bytes())),
            Kind::Octets => return base64(&data.text).map(Self::Octets),
            Kind::Digest => base64(&data.text)?,
        };
        let length = octets.len();
        octets.try_into().map(Self::Digest).map_err(|_| {
            let detail = format!("DataToBeSigned is a digest of {length} octets, SHA-256 has 32");
            fault(Code::WRONG_DATA_LENGTH, detail)
        })
    }

    /// The digest that a card is given.
    pub(super) fn digest(&self) -> [u8; 32] {
        match self {
            Self::Digest(digest) => *digest,
            Self::Octets(octets) => {
                let mut hash = [0; 32];
                hash.copy_from_slice(ring::digest::digest(&SHA256, octets).as_ref());
                hash
            }
        }
    }

    /// For a message.
    pub(super) fn content(&self) -> Content<'_> {
        match self {
            Self::Octets(octets) => Content::Octets(octets),
            Self::Digest(digest) => Content::Digest(digest),
        }
    }

    /// What a key signs that is no card's: it makes its own digests.
    ///
    /// # Errors
    /// 107.
    pub(super) fn octets(&self) -> Result<&[u8], Fault> {
        match self {
            Self::Octets(octets) => Ok(octets),
            Self::Digest(_) => Err(fault(
                Code::INAPPROPRIATE_DATA,
                "DataToBeSigned is a digest, and the key, which is the MSSP's, signs whole data only",
            )
            .second(1016)),
        }
    }
}

/// DataToBeSigned by itself, as it would be read.
///
/// # Errors
/// 102, 103, 107.
pub(super) fn to_be_signed(data: &Data, rules: &Rules) -> Result<Text, Fault> {
    encode("DataToBeSigned", data, rules.text, rules)
}

/// Message of a receipt.
///
/// # Errors
/// 102, 103, 107.
pub(crate) fn message(data: &Data, rules: &Rules) -> Result<Text, Fault> {
    match kind("Message", data)? {
        Kind::Plain { .. } => encode("Message", data, rules.text, rules),
        Kind::Octets | Kind::Digest => {
            let detail = "Message is for the user to read, expected text/plain";
            Err(fault(Code::INAPPROPRIATE_DATA, detail).second(1016))
        }
    }
}

impl Dialect {
    /// Whether an MSSP of this dialect takes `text` as DataToBeSigned for the user to read.
    ///
    /// # Errors
    /// Why not, in words that go on from the name of the text.
    pub fn takes(self, text: &str) -> Result<(), String> {
        let data = Data {
            text: text.to_owned(),
            mime_type: None,
            encoding: None,
        };
        match to_be_signed(&data, self.rules()) {
            Ok(_) => Ok(()),
            Err(fault) => Err(fault.detail.replacen("DataToBeSigned ", "", 1)),
        }
    }
}

/// What the user reads: DataToBeDisplayed if it is given, DataToBeSigned otherwise, below the name of the service
/// displayName. Octets and digests are read in hexadecimal, if a key signs; under a MAC, which proves that somebody has read
/// something, there has to be something to read.
///
/// # Errors
/// 101, 102, 103, 107.
pub(super) fn screen(
    request: &SignatureReq,
    profile: &Profile,
    by_key: bool,
    rules: &Rules,
    to_be_signed: Text,
) -> Result<Screen, Fault> {
    let signed = &request.to_be_signed;
    let only_with = match rules.displays {
        Displays::Always => None,
        Displays::OnlyWith(uri) => Some(uri),
    };
    let (name, shown) = match (&request.to_be_displayed, only_with) {
        (Some(_), Some(uri)) if uri != profile.uri => {
            let detail = format!(
                "DataToBeDisplayed is offered with SignatureProfile {uri:?} only; else what is displayed is what is \
                 signed, DataToBeSigned"
            );
            return Err(fault(Code::WRONG_PARAM, detail).second(1015));
        }
        (None, Some(uri)) if uri == profile.uri => {
            let detail = format!("DataToBeDisplayed is missing, with SignatureProfile {uri:?}");
            return Err(fault(Code::MISSING_PARAM, detail).second(1021));
        }
        (Some(shown), _) => ("DataToBeDisplayed", shown),
        (None, _) => ("DataToBeSigned", signed),
    };
    let readable = matches!(kind(name, shown)?, Kind::Plain { .. });
    if !readable && (name == "DataToBeDisplayed" || !by_key) {
        let detail = format!(
            "{name} of MimeType {:?} cannot be shown, expected text/plain{}",
            shown.mime_type.as_deref().unwrap_or_default(),
            if by_key {
                ""
            } else {
                ", or DataToBeDisplayed beside it"
            }
        );
        return Err(fault(Code::INAPPROPRIATE_DATA, detail).second(1016));
    }
    let mut text = match &request.to_be_displayed {
        Some(_) => encode(name, shown, rules.displayed, rules)?,
        None => to_be_signed,
    };
    if let Some(above) = services::display_name(request) {
        let name = format!("DisplayName with {name} below it");
        let both = Data {
            text: format!("{above}\n{text}"),
            mime_type: None,
            encoding: None,
        };
        text = encode(&name, &both, usize::MAX, rules)?;
    }
    Ok(Screen {
        text,
        apart: shown.text != signed.text,
    })
}

/// The text for the handset. `name` is what the fault calls it.
fn encode(name: &str, data: &Data, longest: usize, rules: &Rules) -> Result<Text, Fault> {
    let kind = kind(name, data)?;
    if data.text.trim().is_empty() {
        let second = if name == "DataToBeSigned" { 1022 } else { 1021 };
        return Err(fault(Code::MISSING_PARAM, format!("{name} is empty")).second(second));
    }
    let text = match kind {
        Kind::Plain { .. } => Cow::Borrowed(data.text.as_str()),
        Kind::Octets | Kind::Digest => Cow::Owned(match Signed::of(data)? {
            Signed::Octets(octets) => hex::encode(octets),
            Signed::Digest(digest) => hex::encode(digest),
        }),
    };
    let length = text.chars().count();
    if length > longest {
        let detail = format!("{name} has {length} characters, at most {longest} are taken");
        return Err(fault(Code::WRONG_DATA_LENGTH, detail));
    }
    if let Some(c) = text.chars().find(|&c| u32::from(c) > 0xFFFF) {
        let detail = format!(
            "{name} has U+{:04X}, which is in neither GSM 7-bit nor UCS2",
            u32::from(c)
        );
        return Err(fault(Code::INAPPROPRIATE_DATA, detail));
    }
    let encoded = Text::encode(&text).map_err(|e| {
        let detail = format!("{name} does not fit on the handset: {e}");
        fault(Code::WRONG_DATA_LENGTH, detail)
    })?;
    let gsm = kind == Kind::Plain { gsm: true };
    if (gsm || !rules.ucs2) && encoded.alphabet() != TextAlphabet::Gsm7 {
        let detail = format!("{name} has characters outside the GSM 7-bit alphabet");
        return Err(fault(Code::INAPPROPRIATE_DATA, detail));
    }
    Ok(encoded)
}

/// What MimeType and Encoding say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Text; whether it wants to be GSM 7-bit.
    Plain { gsm: bool },
    /// Base64.
    Octets,
    /// Base64 of a SHA-256 digest.
    Digest,
}

/// # Errors
/// 107.
fn kind(name: &str, data: &Data) -> Result<Kind, Fault> {
    let mime_type = data.mime_type.as_deref().unwrap_or("text/plain");
    let encoding = data.encoding.as_deref().unwrap_or_default();
    let mut parts = mime_type.split(';').map(str::trim);
    let base = parts.next().unwrap_or_default().to_ascii_lowercase();
    let parameter = parts.next().unwrap_or_default().to_ascii_lowercase();
    let found = match (base.as_str(), encoding.to_ascii_lowercase().as_str()) {
        ("text/plain", "" | "utf-8" | "7bit" | "8bit") => match parameter.as_str() {
            "gsm" => Some(Kind::Plain { gsm: true }),
            "" | "utf-8" | "charset=utf-8" | "ucs2" => Some(Kind::Plain { gsm: false }),
            _ => None,
        },
        ("application/octet-stream", "base64") if parameter.is_empty() => Some(Kind::Octets),
        ("application/x-sha256", "base64") if parameter.is_empty() => Some(Kind::Digest),
        _ => None,
    };
    found.filter(|_| parts.next().is_none()).ok_or_else(|| {
        let detail = format!(
            "{name} of MimeType {mime_type:?} and Encoding {encoding:?} is not taken, expected text/plain and UTF-8, or \
             application/octet-stream or application/x-sha256 and base64"
        );
        fault(Code::INAPPROPRIATE_DATA, detail).second(1016)
    })
}

/// # Errors
/// 107.
fn base64(text: &str) -> Result<Vec<u8>, Fault> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|e| {
        let detail = format!("DataToBeSigned is not base64: {e}");
        fault(Code::INAPPROPRIATE_DATA, detail).second(1016)
    })
}

fn fault(code: Code, detail: impl Into<String>) -> Fault {
    Fault::new(code, detail)
}
