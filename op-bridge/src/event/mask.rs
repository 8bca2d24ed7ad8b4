//! Where the secrets are in a message: credentials, tokens and notification secrets, by the name they
//! travel under.

use std::ops::Range;

use crate::forms::percent_decode;

/// Form parameters and JSON members whose values are secret.
const NAMES: [&str; 13] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_notification_token",
    "client_secret",
    "id_token",
    "id_token_hint",
    "login_hint_token",
    "refresh_token",
    "registration_access_token",
    "request",
    "token",
    "user_code",
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
    NAMES
        .iter()
        .any(|secret| secret.as_bytes().eq_ignore_ascii_case(&name))
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

/// AP_PWD, and in AP_URL all after the host, in a SOAP body that may be broken. A body in another encoding could hide
/// anything, so all of it is secret.
pub(super) fn soap(body: &[u8]) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    if std::str::from_utf8(body).is_err() {
        secrets.push(0..body.len());
        return secrets;
    }
    for name in [&b"AP_PWD"[..], b"AP_URL"] {
        let mut from = 0;
        while let Some(at) = find(&body[from..], name) {
            from += at + name.len();
            if let Some(value) = value_after(body, from) {
                // What stands in a value is part of that secret. Going on behind it keeps the search linear.
                from = value.end;
                secrets.push(match name {
                    b"AP_URL" => after_host(body, value),
                    _ => value,
                });
            }
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_by_key(|secret| secret.start);
    secrets
}

/// The value after the name of an attribute or an element; to the end if it is not closed.
fn value_after(body: &[u8], name_end: usize) -> Option<Range<usize>> {
    const WHITE: &[u8] = b" \t\r\n";
    let until = |start: usize, ends: &[u8]| {
        let rest = &body[start..];
        let length = rest.iter().position(|octet| ends.contains(octet));
        start..length.map_or(body.len(), |length| start + length)
    };
    let mark = skip(body, name_end, WHITE);
    match body.get(mark)? {
        b'=' => {
            let start = skip(body, mark + 1, WHITE);
            match body.get(start)? {
                b'"' => Some(until(start + 1, b"\"")),
                b'\'' => Some(until(start + 1, b"'")),
                _ => Some(until(start, b" \t\r\n>")),
            }
        }
        b'>' => Some(until(mark + 1, b"<")),
        _ => None,
    }
}

/// The part of a URL that is nobody else's business: user and password, and all behind the host.
fn after_host(body: &[u8], value: Range<usize>) -> Range<usize> {
    let url = &body[value.clone()];
    let Some(scheme) = find(url, b"://") else {
        return value;
    };
    let host = scheme + 3;
    let ends = |octet: &u8| matches!(octet, b'/' | b'?' | b'#');
    let authority = url[host..].iter().position(ends);
    let authority = authority.map_or(url.len(), |length| host + length);
    if url[host..authority].contains(&b'@') {
        return value.start + host..value.end;
    }
    (value.start + authority + 1).min(value.end)..value.end
}

/// Case does not matter: a misspelt AP_Pwd holds a password all the same.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle))
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
