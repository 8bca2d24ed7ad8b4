//! AdditionalServices: what has to be true of them before anything is done.

use crate::{
    code::Code,
    config::Subscriber,
    dialect::{FICOM, Rules},
    messages::{Service, ServiceKind, SignatureReq},
    operations::Caller,
    soap::{Fault, MSS},
};

/// Whether the AP wants the signature validated.
pub(super) fn asks_to_validate(request: &SignatureReq) -> bool {
    of_kind(request, ServiceKind::Validate).is_some()
}

/// # Errors
/// 101 for services that are not offered or have values they cannot have, 102 for one that the dialect insists on.
pub(super) fn check(caller: &Caller<'_>, request: &SignatureReq) -> Result<(), Fault> {
    for service in &request.services {
        let Some(kind) = service.kind() else {
            let detail = format!(
                "additional service {:?} is not offered, expected {MSS}validate or one of {FICOM}",
                service.uri
            );
            return Err(Fault::new(Code::WRONG_PARAM, detail).second(1014));
        };
        check_value(service, kind, caller.dialect.rules())?;
    }
    let mandatory = caller.dialect.rules().mandatory_service;
    let missing = mandatory.filter(|(kind, _)| caller.strict && of_kind(request, *kind).is_none());
    if let Some((_, name)) = missing {
        let detail = format!("additional service {FICOM}{name} is missing");
        return Err(Fault::new(Code::MISSING_PARAM, detail));
    }
    Ok(())
}

/// What stands above the text.
pub(super) fn display_name(request: &SignatureReq) -> Option<&str> {
    of_kind(request, ServiceKind::DisplayName)?.value.as_deref()
}

fn check_value(service: &Service, kind: ServiceKind, rules: &Rules) -> Result<(), Fault> {
    let languages = rules.languages.join(", ");
    let value = service.value.as_deref().unwrap_or_default();
    let length = value.chars().count();
    let alphanumeric = value.chars().all(|c| c.is_ascii_alphanumeric());
    let (holds, element, expected) = match kind {
        ServiceKind::SigningCertificate | ServiceKind::Validate => return Ok(()),
        ServiceKind::DisplayName => (length > 0, "DisplayName", "a name"),
        ServiceKind::EventId => (
            (4..=8).contains(&length) && alphanumeric,
            "EventID",
            "4 to 8 letters and digits",
        ),
        ServiceKind::NoSpam => (
            value.is_empty()
                || (3..=16).contains(&length) && value.starts_with(|c: char| c.is_alphabetic()),
            "NoSpamCode",
            "3 to 16 characters, first a letter",
        ),
        ServiceKind::UserLang => (
            rules
                .languages
                .contains(&value.to_ascii_lowercase().as_str()),
            "UserLang",
            languages.as_str(),
        ),
    };
    if holds {
        return Ok(());
    }
    // What a code was is not repeated: it is a secret between user and AP.
    let got = match kind {
        ServiceKind::NoSpam => String::new(),
        _ => format!(" {value:?}"),
    };
    let detail = format!(
        "{element}{got} of service {:?}, expected {expected}",
        service.uri
    );
    Err(Fault::new(Code::WRONG_PARAM, detail))
}

/// Whoever has set a code is asked only by APs that know it.
///
/// # Errors
/// 101, with FiCom's 1011 or 1012.
pub(super) fn check_no_spam(
    subscriber: &Subscriber,
    caller: &Caller<'_>,
    request: &SignatureReq,
) -> Result<(), Fault> {
    let Some(expected) = subscriber.no_spam_code.as_deref() else {
        return Ok(());
    };
    let service = of_kind(request, ServiceKind::NoSpam);
    let given = service.and_then(|service| service.value.as_deref());
    let (detail, second) = match given.filter(|code| !code.is_empty()) {
        _ if service.is_some_and(|service| !service.verify) => return Ok(()),
        Some(code) if same(code, expected) => return Ok(()),
        Some(_) => ("NoSpamCode is not the user's", 1011),
        // Where the service is unknown, nobody can have set a code.
        None if service.is_none() && !caller.dialect.rules().second_level => return Ok(()),
        None => ("NoSpamCode is missing, and the user has set one", 1012),
    };
    Err(Fault::new(Code::WRONG_PARAM, detail).second(second))
}

/// Codes are short secrets that people choose: case does not matter, the time it takes to compare does.
fn same(one: &str, other: &str) -> bool {
    use subtle::ConstantTimeEq as _;

    let folded = |code: &str| code.to_lowercase().into_bytes();
    folded(one).ct_eq(&folded(other)).into()
}

fn of_kind(request: &SignatureReq, kind: ServiceKind) -> Option<&Service> {
    let mut all = request.services.iter();
    all.find(|service| service.kind() == Some(kind))
}
