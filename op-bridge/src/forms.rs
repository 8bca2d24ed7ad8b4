//! `application/x-www-form-urlencoded` request bodies (RFC 6749 §3.2 and Appendix B), strictly.
//!
//! A parameter may appear once; one without a value counts as absent (RFC 6749 §3.1). Unknown
//! parameters are kept and ignored by whoever reads the form. Never panics, whatever the octets.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::oauth::OAuthError;

/// Most octets a form may have.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// Most parameters a form may have.
const MAX_PARAMETERS: usize = 64;

/// A parsed form.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a request body.
    ///
    /// # Errors
    /// invalid_request, and what is wrong with the body.
    pub(crate) fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Self, OAuthError> {
        if !is_form(headers) {
            return Err(OAuthError::invalid_request(format!(
                "Content-Type must be application/x-www-form-urlencoded, got {}",
                content_type(headers).unwrap_or("none")
            )));
        }
        if body.len() > MAX_BODY {
            return Err(OAuthError::invalid_request(format!(
                "the body has {} octets, at most {MAX_BODY} are read",
                body.len()
            )));
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(OAuthError::invalid_request(format!(
                    "parameter {name} appears more than once"
                )));
            }
            if parameters.len() == MAX_PARAMETERS {
                return Err(OAuthError::invalid_request(format!(
                    "more than {MAX_PARAMETERS} parameters"
                )));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// Parameters that came in another way.
    pub(crate) fn of(parameters: Vec<(String, String)>) -> Self {
        Self(parameters)
    }

    /// All of them, in their order.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The value of a parameter; `None` when it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, value)| other == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// invalid_request, naming the parameter and the clause that wants it.
    pub(crate) fn require(&self, name: &str, clause: &str) -> Result<&str, OAuthError> {
        self.get(name).ok_or_else(|| {
            OAuthError::invalid_request(format!("{name} is missing; {clause} requires it"))
        })
    }
}

/// Whether the body under these headers says that it is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    content_type(headers)
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| {
            media
                .trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// Undoes the percent-encoding of one name or value.
fn decode(octets: &[u8]) -> Result<String, OAuthError> {
    let text = percent_decode(octets).ok_or_else(|| {
        OAuthError::invalid_request("a percent sign is not followed by two hexadecimal digits")
    })?;
    if text.contains(&0) {
        return Err(OAuthError::invalid_request(
            "a parameter holds the character NUL",
        ));
    }
    String::from_utf8(text)
        .map_err(|_| OAuthError::invalid_request("a parameter is not encoded in UTF-8"))
}

/// `+` and `%XX` undone; `None` when a `%` stands alone.
pub(crate) fn percent_decode(octets: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(octets.len());
    let mut rest = octets.iter();
    while let Some(&octet) = rest.next() {
        decoded.push(match octet {
            b'+' => b' ',
            b'%' => {
                let high = char::from(*rest.next()?).to_digit(16)?;
                let low = char::from(*rest.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            other => other,
        });
    }
    Some(decoded)
}

/// `text` with everything but letters, digits and `-._~` percent-encoded (RFC 3986 §2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    let octets = text.bytes();
    let encoded = octets.map(|octet| match octet {
        b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        octet if octet.is_ascii_alphanumeric() => char::from(octet).to_string(),
        octet => format!("%{octet:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn parse(body: &[u8]) -> Result<Form, OAuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8"),
        );
        Form::parse(&headers, &Bytes::copy_from_slice(body))
    }

    #[test]
    fn names_and_values_are_decoded() {
        // RFC 6749 Appendix B: " %&+£€" travels as "+%25%26%2B%C2%A3%E2%82%AC".
        let form = parse(b"a=+%25%26%2B%C2%A3%E2%82%AC&b%5F1=x=y&&c").unwrap();
        assert_eq!(form.get("a"), Some(" %&+£€"));
        assert_eq!(form.get("b_1"), Some("x=y"));
        assert_eq!(form.get("c"), None);
    }

    #[test]
    fn empty_value_counts_as_absent() {
        assert_eq!(parse(b"scope=&x=1").unwrap().get("scope"), None);
    }

    #[test]
    fn duplicates_nul_and_bad_encodings_are_invalid_request() {
        for body in [
            &b"a=1&a=2"[..],
            b"a=&a=2",
            b"a=1&%61=2",
            b"a=%00",
            b"%00=a",
            b"a=%f",
            b"a=%zz",
            b"a=%ff",
            b"a=\xff",
        ] {
            let error = parse(body).unwrap_err();
            assert_eq!(
                (error.status, error.code),
                (400, "invalid_request"),
                "{body:?}"
            );
        }
    }

    #[test]
    fn wrong_content_type_and_size_are_invalid_request() {
        let body = Bytes::from_static(b"a=1");
        assert_eq!(
            Form::parse(&HeaderMap::new(), &body).unwrap_err().code,
            "invalid_request"
        );
        let mut json = HeaderMap::new();
        json.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(
            Form::parse(&json, &body).unwrap_err().code,
            "invalid_request"
        );
        assert_eq!(
            parse(&vec![b'a'; MAX_BODY + 1]).unwrap_err().code,
            "invalid_request"
        );
        let many = (0..100).map(|i| format!("p{i}=1&")).collect::<String>();
        assert_eq!(parse(many.as_bytes()).unwrap_err().code, "invalid_request");
    }

    proptest! {
        #[test]
        fn parse_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&body);
        }

        #[test]
        fn parse_undoes_percent_encoding(value in "[^\u{0}]{1,40}") {
            let encoded: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
            let form = parse(format!("k={encoded}").as_bytes()).unwrap();
            prop_assert_eq!(form.get("k"), Some(value.as_str()));
        }
    }
}
