//! What a signature request has to be before anything is done about it.

use jiff::{SignedDuration, Timestamp};
use ota_wire::{
    applet::{Text, TextAlphabet},
    ids::Msisdn,
};

use crate::{
    code::Code,
    config::{Config, Profile, Subscriber},
    messages::{Comparison, Data, Head, MessagingMode, MobileUser, SignatureReq},
    soap::{Fault, MSS},
};

/// The longest transaction, in seconds: the challenge tells the card in 16 bits.
const MAX_TIMEOUT: u64 = u16::MAX as u64;

/// What the MSSP makes of a request that it accepts.
pub(super) struct Accepted {
    pub(super) profile: Profile,
    pub(super) subscriber: Subscriber,
    pub(super) text: Text,
    pub(super) deadline: Timestamp,
}

impl Accepted {
    /// # Errors
    /// 101, 102, 103, 105, 107, 109, 208.
    pub(super) fn new(
        config: &Config,
        head: &Head,
        request: &SignatureReq,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        check_notification_address(head, request.mode)?;
        check_format(request.format.as_deref())?;
        check_services(&request.services)?;
        if request.to_be_displayed.is_some() {
            return Err(fault(
                Code::WRONG_PARAM,
                "DataToBeDisplayed is not offered: what is displayed is what is signed, DataToBeSigned",
            ));
        }
        Ok(Self {
            profile: profile(config, request)?.clone(),
            text: text(&request.to_be_signed)?,
            subscriber: subscriber(config, &request.user)?,
            deadline: deadline(config, request, now)?,
        })
    }
}

/// AP_URL matters in one mode only.
fn check_notification_address(head: &Head, mode: MessagingMode) -> Result<(), Fault> {
    if mode != MessagingMode::AsynchServerServer {
        return Ok(());
    }
    let Some(url) = head.ap.ap_url.as_deref() else {
        return Err(fault(
            Code::MISSING_PARAM,
            "AP_Info lacks AP_URL, where the result of an asynchServerServer request goes",
        ));
    };
    let usable = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    if usable {
        Ok(())
    } else {
        Err(fault(
            Code::WRONG_PARAM,
            "AP_URL is not an absolute http or https URL",
        ))
    }
}

/// The result is a MAC in Base64Signature. APs of MAC profiles are known to ask for PKCS#7 all the same.
fn check_format(format: Option<&str>) -> Result<(), Fault> {
    let Some(format) = format else {
        return Ok(());
    };
    match format.strip_prefix(MSS) {
        Some("PKCS7" | "CMS-Signature") => Ok(()),
        _ => Err(fault(
            Code::WRONG_PARAM,
            format!("MSS_Format {format:?} is not offered, leave it out"),
        )),
    }
}

/// Every signature is validated before it is handed out, so that service is always rendered.
fn check_services(services: &[String]) -> Result<(), Fault> {
    let unknown = services
        .iter()
        .find(|uri| uri.strip_prefix(MSS) != Some("validate"));
    match unknown {
        None => Ok(()),
        Some(uri) => Err(fault(
            Code::WRONG_PARAM,
            format!("additional service {uri:?} is not offered, expected {MSS}validate or none"),
        )),
    }
}

fn profile<'a>(config: &'a Config, request: &SignatureReq) -> Result<&'a Profile, Fault> {
    if request.comparison != Comparison::Exact {
        return Err(fault(
            Code::UNSUPPORTED_PROFILE,
            "SignatureProfileComparison other than exact is not offered",
        ));
    }
    let found = match &request.profile {
        None => config.profiles.first(),
        Some(uri) => config.profiles.iter().find(|profile| profile.uri == *uri),
    };
    found.ok_or_else(|| {
        let offered: Vec<_> = config.profiles.iter().map(|p| p.uri.as_str()).collect();
        fault(
            Code::UNSUPPORTED_PROFILE,
            format!(
                "SignatureProfile {:?} is not offered, expected one of {}",
                request.profile.as_deref().unwrap_or_default(),
                offered.join(", ")
            ),
        )
    })
}

/// What the user will read.
fn text(data: &Data) -> Result<Text, Fault> {
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
    if !plain || !readable {
        return Err(fault(
            Code::INAPPROPRIATE_DATA,
            format!(
                "DataToBeSigned of MimeType {mime_type:?} and Encoding {encoding:?} cannot be shown, expected \
                 text/plain and UTF-8"
            ),
        ));
    }
    if data.text.trim().is_empty() {
        return Err(fault(Code::MISSING_PARAM, "DataToBeSigned is empty"));
    }
    if let Some(c) = data.text.chars().find(|&c| u32::from(c) > 0xFFFF) {
        return Err(fault(
            Code::INAPPROPRIATE_DATA,
            format!(
                "DataToBeSigned has U+{:04X}, which is in neither GSM 7-bit nor UCS2",
                u32::from(c)
            ),
        ));
    }
    let text = Text::encode(&data.text).map_err(|e| {
        fault(
            Code::WRONG_DATA_LENGTH,
            format!("DataToBeSigned does not fit on the handset: {e}"),
        )
    })?;
    if parameter == "gsm" && text.alphabet() != TextAlphabet::Gsm7 {
        return Err(fault(
            Code::INAPPROPRIATE_DATA,
            "DataToBeSigned has characters outside the GSM 7-bit alphabet",
        ));
    }
    Ok(text)
}

fn subscriber(config: &Config, user: &MobileUser) -> Result<Subscriber, Fault> {
    let unknown = |detail| fault(Code::UNKNOWN_CLIENT, detail);
    let Some(written) = user
        .msisdn
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    else {
        return Err(unknown("MobileUser lacks MSISDN".to_owned()));
    };
    let msisdn: Msisdn = written
        .parse()
        .map_err(|e| unknown(format!("MSISDN {written:?} is not a number: {e}")))?;
    let subscriber = config
        .directory
        .subscriber(&msisdn)
        .ok_or_else(|| unknown(format!("nobody here has the number {msisdn}")))?;
    if subscriber.active {
        Ok(subscriber)
    } else {
        Err(unknown(format!(
            "{msisdn} is not registered for signatures"
        )))
    }
}

fn deadline(config: &Config, request: &SignatureReq, now: Timestamp) -> Result<Timestamp, Fault> {
    let after = |seconds: SignedDuration| now.checked_add(seconds).unwrap_or(Timestamp::MAX);
    let by_timeout = match request.timeout {
        Some(seconds) if seconds <= MAX_TIMEOUT => {
            Some(after(SignedDuration::from_secs(seconds as i64)))
        }
        Some(seconds) => {
            return Err(fault(
                Code::WRONG_PARAM,
                format!("TimeOut of {seconds} seconds, at most {MAX_TIMEOUT} are offered"),
            ));
        }
        None => None,
    };
    let by_date = request.validity_date.as_ref().map(|date| date.instant());
    if by_date.is_some_and(|date| date <= now) {
        return Err(fault(
            Code::EXPIRED_TRANSACTION,
            format!("ValidityDate has passed; it is {now:.0} here"),
        ));
    }
    let longest = after(SignedDuration::from_secs(MAX_TIMEOUT as i64));
    let asked = by_timeout.into_iter().chain(by_date).min();
    Ok(asked
        .unwrap_or_else(|| after(config.default_timeout))
        .min(longest))
}

fn fault(code: Code, detail: impl Into<String>) -> Fault {
    Fault::new(code, detail)
}
