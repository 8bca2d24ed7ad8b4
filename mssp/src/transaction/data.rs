//! DataToBeSigned and DataToBeDisplayed (TS 102 204 §8.2): what is signed, and what the user reads.

use ota_wire::applet::{Text, TextAlphabet};

use super::services;
use crate::{
    code::Code,
    config::Profile,
    dialect::{Displays, Rules},
    messages::{Data, SignatureReq},
    soap::Fault,
};

/// What stands on the screen.
pub(super) struct Screen {
    /// The text of the challenge.
    pub(super) text: Text,
    /// DataToBeSigned is not in it.
    pub(super) apart: bool,
}

/// DataToBeSigned by itself.
///
/// # Errors
/// 102, 103, 107.
pub(super) fn check_to_be_signed(data: &Data, rules: &Rules) -> Result<(), Fault> {
    encode("DataToBeSigned", data, &data.text, rules.text, rules).map(drop)
}

/// What the user reads: DataToBeDisplayed if it is given, DataToBeSigned otherwise, below the name of the service
/// displayName.
///
/// # Errors
/// 101, 102, 103, 107.
pub(super) fn screen(
    request: &SignatureReq,
    profile: &Profile,
    rules: &Rules,
) -> Result<Screen, Fault> {
    let signed = &request.to_be_signed;
    let only_with = match rules.displays {
        Displays::Always => None,
        Displays::OnlyWith(uri) => Some(uri),
    };
    let (name, shown, longest) = match (&request.to_be_displayed, only_with) {
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
        (Some(shown), _) => ("DataToBeDisplayed", shown, rules.displayed),
        (None, _) => ("DataToBeSigned", signed, rules.text),
    };
    let plain = encode(name, shown, &shown.text, longest, rules)?;
    let text = match services::display_name(request) {
        None => plain,
        Some(above) => {
            let both = format!("{above}\n{}", shown.text);
            let name = format!("DisplayName with {name} below it");
            encode(&name, shown, &both, usize::MAX, rules)?
        }
    };
    Ok(Screen {
        text,
        apart: shown.text != signed.text,
    })
}

/// A text for the handset: that of `data`, or one that holds it. `name` is what the fault calls it.
fn encode(
    name: &str,
    data: &Data,
    text: &str,
    longest: usize,
    rules: &Rules,
) -> Result<Text, Fault> {
    let gsm = is_plain(name, data)?;
    if data.text.trim().is_empty() {
        let second = if name == "DataToBeSigned" { 1022 } else { 1021 };
        return Err(fault(Code::MISSING_PARAM, format!("{name} is empty")).second(second));
    }
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
    let encoded = Text::encode(text).map_err(|e| {
        let detail = format!("{name} does not fit on the handset: {e}");
        fault(Code::WRONG_DATA_LENGTH, detail)
    })?;
    if (gsm || !rules.ucs2) && encoded.alphabet() != TextAlphabet::Gsm7 {
        let detail = format!("{name} has characters outside the GSM 7-bit alphabet");
        return Err(fault(Code::INAPPROPRIATE_DATA, detail));
    }
    Ok(encoded)
}

/// Makes sure that it is text; whether it wants to be GSM 7-bit.
fn is_plain(name: &str, data: &Data) -> Result<bool, Fault> {
    let mime_type = data.mime_type.as_deref().unwrap_or("text/plain");
    let mut parts = mime_type.split(';').map(str::trim);
    let base = parts.next().unwrap_or_default();
    let parameter = parts.next().unwrap_or_default().to_ascii_lowercase();
    let plain = base.eq_ignore_ascii_case("text/plain")
        && matches!(
            parameter.as_str(),
            "" | "utf-8" | "charset=utf-8" | "gsm" | "ucs2"
        )
        && parts.next().is_none();
    let encoding = data.encoding.as_deref().unwrap_or_default();
    let readable = matches!(
        encoding.to_ascii_lowercase().as_str(),
        "" | "utf-8" | "7bit" | "8bit"
    );
    if plain && readable {
        return Ok(parameter == "gsm");
    }
    let detail = format!(
        "{name} of MimeType {mime_type:?} and Encoding {encoding:?} cannot be shown, expected text/plain and UTF-8"
    );
    Err(fault(Code::INAPPROPRIATE_DATA, detail).second(1016))
}

fn fault(code: Code, detail: impl Into<String>) -> Fault {
    Fault::new(code, detail)
}
