//! What a signature request has to be before anything is done about it.

use jiff::{SignedDuration, Timestamp};
use ota_wire::applet::Text;

use super::{
    data::{self, Signed},
    services,
    sign::Format,
};
use crate::{
    code::Code,
    config::{Config, MacResult, Profile, Subscriber},
    dialect::Rules,
    messages::{Comparison, Head, MessagingMode, SignatureReq},
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
    /// What the card's key is to sign. With a MAC, what else it has to be over.
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
        data::check_to_be_signed(&request.to_be_signed, rules)?;
        // First, since the test number of the heartbeat is asked for with DataToBeDisplayed.
        let subscriber = turn.active_person(&request.user, caller.dialect)?.0;
        let screen = data::screen(request, profile, by_key.is_some(), rules)?;
        if by_key.is_none() && turn.mac_result(&caller.ap.id) == MacResult::ServerSigned {
            Signed::of(&request.to_be_signed)?.octets()?;
        }
        services::check_no_spam(&subscriber, caller, request)?;
        let deadline = deadline(config, rules, request, turn.now)?;
        let digest = turn.prepare(&subscriber, request, by_key, screen.apart)?;
        Ok(Self {
            profile: profile.clone(),
            text: screen.text,
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

/// The profile that is asked for; or, as SignatureProfileComparison has it, the weakest that will do.
fn profile<'a>(
    config: &'a Config,
    caller: &Caller<'_>,
    request: &SignatureReq,
) -> Result<&'a Profile, Fault> {
    let (rules, ap) = (caller.dialect.rules(), caller.ap);
    let wanted = request.profile.as_deref().or(rules.default_profile);
    let offered = || {
        let all = config.profiles.iter();
        all.filter(|profile| rules.takes_profile(&profile.uri))
    };
    let named = match wanted {
        None => offered().next(),
        Some(uri) => offered().find(|profile| profile.uri == uri),
    };
    let named = named.ok_or_else(|| {
        let offered: Vec<_> = offered().map(|profile| profile.uri.as_str()).collect();
        fault(
            Code::UNSUPPORTED_PROFILE,
            format!(
                "SignatureProfile {:?} is not offered, expected one of {}",
                wanted.unwrap_or_default(),
                offered.join(", ")
            ),
        )
    })?;
    let in_contract =
        |profile: &Profile| ap.profiles.is_empty() || ap.profiles.contains(&profile.uri);
    let weakest = |least: u8| {
        let strong_enough =
            offered().filter(|profile| profile.level() >= least && in_contract(profile));
        strong_enough.min_by_key(|profile| profile.level())
    };
    let found = match request.comparison {
        Comparison::Minimum if !in_contract(named) => weakest(named.level()),
        Comparison::Exact | Comparison::Minimum => Some(named),
        Comparison::Better => weakest(named.level().saturating_add(1)),
    };
    let profile = found.ok_or_else(|| {
        fault(
            Code::UNSUPPORTED_PROFILE,
            format!(
                "there is no SignatureProfile {} {:?} for {:?}",
                match request.comparison {
                    Comparison::Better => "better than",
                    Comparison::Exact | Comparison::Minimum => "as good as",
                },
                named.uri,
                ap.id
            ),
        )
    })?;
    if !in_contract(profile) {
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
