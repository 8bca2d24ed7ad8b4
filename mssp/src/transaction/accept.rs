//! What a signature request has to be before anything is done about it.

use jiff::{SignedDuration, Timestamp};
use ota_wire::applet::{Text, TextAlphabet};

use super::{services, sign::Format};
use crate::{
    code::Code,
    config::{Config, Profile, Subscriber},
    dialect::Rules,
    messages::{Comparison, Data, Head, MessagingMode, SignatureReq},
    operations::Caller,
    party::Turn,
    record::Signing,
    soap::Fault,
};

/// The longest transaction, in seconds: the challenge tells the card in 16 bits.
const MAX_TIMEOUT: u64 = u16::MAX as u64;

/// What the MSSP makes of a request that it accepts.
pub(super) struct Accepted {
    pub(super) profile: Profile,
    pub(super) subscriber: Subscriber,
    pub(super) text: Text,
    pub(super) deadline: Timestamp,
    /// What comes out, if it is a signature of a key.
    pub(super) signing: Option<Signing>,
    /// What the card's key is to sign.
    pub(super) digest: Option<[u8; 32]>,
}

impl Accepted {
    /// # Errors
    /// 101, 102, 103, 104, 105, 107, 109, 208, and what the user's state or a test number leads to.
    pub(super) fn new(
        turn: &Turn<'_>,
        caller: &Caller<'_>,
        request: &SignatureReq,
    ) -> Result<Self, Fault> {
        let (config, rules) = (turn.config, caller.dialect.rules());
        check_mode(rules, request.mode)?;
        check_notification_address(&caller.head, request.mode)?;
        let profile = profile(config, caller, request)?;
        let by_key = turn.signs_by_key(profile);
        Format::of(request.format.as_deref(), by_key, caller.strict)?;
        services::check(caller, request)?;
        let signed = text("DataToBeSigned", &request.to_be_signed, rules)?;
        // First, since the test number of the heartbeat is asked for with DataToBeDisplayed.
        let subscriber = turn.active_person(&request.user, caller.dialect)?.0;
        let text = match &request.to_be_displayed {
            None => signed,
            Some(shown) => displayed(shown, &request.to_be_signed, by_key.is_some(), rules)?,
        };
        services::check_no_spam(&subscriber, caller, request)?;
        let deadline = deadline(config, rules, request, turn.now)?;
        let digest = turn.prepare(&subscriber, request, by_key)?;
        Ok(Self {
            profile: profile.clone(),
            text,
            subscriber,
            deadline,
            signing: by_key.map(|usage| Signing {
                usage,
                validate: !rules.validates_on_request || services::asks_to_validate(request),
            }),
            digest,
        })
    }
}

fn check_mode(rules: &Rules, mode: MessagingMode) -> Result<(), Fault> {
    if rules.modes.contains(&mode) {
        return Ok(());
    }
    let offered: Vec<_> = rules.modes.iter().map(|mode| mode.as_str()).collect();
    Err(fault(
        Code::WRONG_PARAM,
        format!(
            "MessagingMode {} is not offered, expected {}",
            mode.as_str(),
            offered.join(" or ")
        ),
    )
    .second(1013))
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

fn profile<'a>(
    config: &'a Config,
    caller: &Caller<'_>,
    request: &SignatureReq,
) -> Result<&'a Profile, Fault> {
    if request.comparison != Comparison::Exact {
        return Err(fault(
            Code::UNSUPPORTED_PROFILE,
            "SignatureProfileComparison other than exact is not offered",
        ));
    }
    let rules = caller.dialect.rules();
    let wanted = request.profile.as_deref().or(rules.default_profile);
    let mut offered = config
        .profiles
        .iter()
        .filter(|profile| rules.takes_profile(&profile.uri));
    let found = match wanted {
        None => offered.next(),
        Some(uri) => offered.find(|profile| profile.uri == uri),
    };
    let profile = found.ok_or_else(|| {
        let offered: Vec<_> = config
            .profiles
            .iter()
            .map(|profile| profile.uri.as_str())
            .filter(|uri| rules.takes_profile(uri))
            .collect();
        fault(
            Code::UNSUPPORTED_PROFILE,
            format!(
                "SignatureProfile {:?} is not offered, expected one of {}",
                wanted.unwrap_or_default(),
                offered.join(", ")
            ),
        )
    })?;
    let ap = caller.ap;
    if !ap.profiles.is_empty() && !ap.profiles.contains(&profile.uri) {
        return Err(fault(
            Code::UNAUTHORIZED_ACCESS,
            format!(
                "SignatureProfile {:?} is not in the contract of {:?}",
                profile.uri, ap.id
            ),
        )
        .second(1045));
    }
    Ok(profile)
}

/// What the user reads in place of what is signed. A key signs whatever digest it is given; a MAC is over what is displayed.
fn displayed(shown: &Data, signed: &Data, by_key: bool, rules: &Rules) -> Result<Text, Fault> {
    let not_offered = |detail| fault(Code::WRONG_PARAM, detail).second(1015);
    if !rules.displays {
        return Err(not_offered(
            "DataToBeDisplayed is not offered: what is displayed is what is signed, DataToBeSigned",
        ));
    }
    if !by_key && shown.text != signed.text {
        return Err(not_offered(
            "the MAC of this SignatureProfile is over what is displayed, expected DataToBeDisplayed to be the same as \
             DataToBeSigned, or a profile that signs by a key",
        ));
    }
    text("DataToBeDisplayed", shown, rules)
}

/// What the user will read, of the element of that name.
fn text(name: &str, data: &Data, rules: &Rules) -> Result<Text, Fault> {
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
                "{name} of MimeType {mime_type:?} and Encoding {encoding:?} cannot be shown, expected \
                 text/plain and UTF-8"
            ),
        )
        .second(1016));
    }
    if data.text.trim().is_empty() {
        let second = if name == "DataToBeSigned" { 1022 } else { 1021 };
        return Err(fault(Code::MISSING_PARAM, format!("{name} is empty")).second(second));
    }
    let length = data.text.chars().count();
    if length > rules.text {
        return Err(fault(
            Code::WRONG_DATA_LENGTH,
            format!(
                "{name} has {length} characters, at most {} are taken",
                rules.text
            ),
        ));
    }
    if let Some(c) = data.text.chars().find(|&c| u32::from(c) > 0xFFFF) {
        return Err(fault(
            Code::INAPPROPRIATE_DATA,
            format!(
                "{name} has U+{:04X}, which is in neither GSM 7-bit nor UCS2",
                u32::from(c)
            ),
        ));
    }
    let text = Text::encode(&data.text).map_err(|e| {
        fault(
            Code::WRONG_DATA_LENGTH,
            format!("{name} does not fit on the handset: {e}"),
        )
    })?;
    if (parameter == "gsm" || !rules.ucs2) && text.alphabet() != TextAlphabet::Gsm7 {
        return Err(fault(
            Code::INAPPROPRIATE_DATA,
            format!("{name} has characters outside the GSM 7-bit alphabet"),
        ));
    }
    Ok(text)
}

fn deadline(
    config: &Config,
    rules: &Rules,
    request: &SignatureReq,
    now: Timestamp,
) -> Result<Timestamp, Fault> {
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
        )
        .second(2081));
    }
    let longest = after(SignedDuration::from_secs(MAX_TIMEOUT as i64));
    let asked = by_timeout.into_iter().chain(by_date).min();
    Ok(asked
        .unwrap_or_else(|| after(rules.default_timeout.unwrap_or(config.default_timeout)))
        .min(longest))
}

fn fault(code: Code, detail: impl Into<String>) -> Fault {
    Fault::new(code, detail)
}
