//! Who is calling: client_secret_basic (RFC 6749 §2.3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::Op;
use crate::config::Client;
use crate::forms::{Form, percent_decode};
use crate::oauth::OAuthError;

const HOW: &str = "this OP takes client_secret_basic: send Authorization: Basic with \
                   base64 of client_id:client_secret, each form-encoded first (RFC 6749 section 2.3.1)";

/// The client behind the Authorization header.
///
/// # Errors
/// invalid_client.
pub(crate) fn authenticate<'a>(op: &'a Op, headers: &HeaderMap) -> Result<&'a Client, OAuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = match (values.next(), values.next()) {
        (Some(header), None) => header,
        (None, _) => {
            return Err(OAuthError::invalid_client(format!(
                "no client authentication; {HOW}"
            )));
        }
        (Some(_), Some(_)) => {
            return Err(OAuthError::invalid_client(
                "more than one Authorization header",
            ));
        }
    };
    let (id, secret) = header.to_str().ok().and_then(credentials).ok_or_else(|| {
        OAuthError::invalid_client(format!("the Authorization header cannot be read; {HOW}"))
    })?;
    match op.clients.get(&id) {
        Some(client) if client.secret.matches(&secret) => Ok(client),
        _ => Err(OAuthError::invalid_client(
            "unknown client_id or wrong client_secret",
        )),
    }
}

/// Whether the form agrees with the header about who is calling.
///
/// # Errors
/// invalid_request when it names another client or carries a second authentication.
pub(crate) fn check_form(client: &Client, form: &Form) -> Result<(), OAuthError> {
    if form.get("client_secret").is_some() || form.get("client_assertion").is_some() {
        return Err(OAuthError::invalid_request(
            "more than one client authentication (RFC 6749 section 2.3); keep the Authorization header",
        ));
    }
    match form.get("client_id") {
        Some(id) if id != client.id => Err(OAuthError::invalid_request(
            "client_id is not the client of the Authorization header",
        )),
        _ => Ok(()),
    }
}

fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|&octet| octet == b':')?;
    let decode = |half: &[u8]| String::from_utf8(percent_decode(half)?).ok();
    Some((decode(&pair[..colon])?, decode(&pair[colon + 1..])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_form_decoded() {
        // RFC 6749 §2.3.1 example: s6BhdRkqt3:7Fjfp0ZBr1KtDRbnfVdmIw
        assert_eq!(
            credentials("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
            Some(("s6BhdRkqt3".into(), "7Fjfp0ZBr1KtDRbnfVdmIw".into()))
        );
        let header = format!("basic {}", STANDARD.encode("a%3Ab+c:p%25w%3A:x"));
        assert_eq!(
            credentials(&header),
            Some(("a:b c".into(), "p%w::x".into()))
        );
    }

    #[test]
    fn credentials_refuse_what_is_not_basic() {
        for header in [
            "",
            "Basic",
            "Bearer abc",
            "Basic !!!",
            "Basic YWJj",
            "Basic YSU6Yg==",
        ] {
            assert_eq!(credentials(header), None, "{header}");
        }
    }
}
