//! Where the secrets are in a message: credentials, tokens and notification secrets, by the name they
//! travel under.

use std::ops::Range;

use crate::forms::percent_decode;

/// Form parameters and JSON members whose values are secret.
const NAMES: [&str; 9] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_notification_token",
    "client_secret",
    "id_token",
    "id_token_hint",
    "login_hint_token",
    "refresh_token",
];

/// Secret values of a form body that starts at `offset`.
pub(super) fn form(body: &[u8], offset: usize) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut start = 0;
    for pair in body.split(|&octet| octet == b'&') {
        if let Some(equals) = pair.iter().position(|&octet| octet == b'=')
            && is_secret(&pair[..equals])
        {
            secrets.push(offset + start + equals + 1..offset + start + pair.len());
        }
        start += pair.len() + 1;
    }
    secrets
}

fn is_secret(name: &[u8]) -> bool {
    let name = percent_decode(name).unwrap_or_else(|| name.to_owned());
    NAMES.iter().any(|secret| secret.as_bytes() == name)
}

/// Secret string values of a JSON body that starts at `offset`.
pub(super) fn json(body: &[u8], offset: usize) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    for name in NAMES {
        let quoted = format!("\"{name}\"");
        for at in occurrences(body, quoted.as_bytes()) {
            let rest = skip(body, at + quoted.len(), b" \t\r\n:");
            if body.get(rest) == Some(&b'"') {
                let end = string_end(body, rest + 1);
                secrets.push(offset + rest + 1..offset + end);
            }
        }
    }
    secrets
}

/// Where the JSON string that starts at `from` ends.
fn string_end(body: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&octet) = body.get(at) {
        match octet {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at.min(body.len())
}

/// AP_PWD values and the secrets behind `/mss/notify/` in a SOAP body.
pub(super) fn soap(body: &[u8]) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    for at in occurrences(body, b"AP_PWD") {
        let rest = skip(body, at + "AP_PWD".len(), b" \t\r\n=");
        if let Some(&quote @ (b'"' | b'\'')) = body.get(rest) {
            let length = body[rest + 1..].iter().position(|&octet| octet == quote);
            let end = length.map_or(body.len(), |length| rest + 1 + length);
            secrets.push(rest + 1..end);
        }
    }
    for at in occurrences(body, b"AP_URL") {
        let rest = skip(body, at + "AP_URL".len(), b" \t\r\n=");
        if let Some(&quote @ (b'"' | b'\'')) = body.get(rest) {
            let value = &body[rest + 1..];
            let end = value
                .iter()
                .position(|&octet| octet == quote)
                .unwrap_or(value.len());
            let last = value[..end]
                .iter()
                .rposition(|&octet| octet == b'/')
                .map_or(0, |i| i + 1);
            secrets.push(rest + 1 + last..rest + 1 + end);
        }
    }
    secrets
}

fn occurrences(body: &[u8], needle: &[u8]) -> impl Iterator<Item = usize> {
    body.windows(needle.len())
        .enumerate()
        .filter(move |(_, window)| *window == needle)
        .map(|(at, _)| at)
}

fn skip(body: &[u8], from: usize, what: &[u8]) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|octet| what.contains(octet)).count()
}
