//! Where secrets stand in an envelope: AP_PWD, fi:NoSpamCode, and in AP_URL all after the host.
//!
//! The search goes over the octets and not over the parsed document, so that it also finds them in a document that is
//! broken.

use std::ops::Range;

/// The ranges of `body` that must not be shown.
pub(super) fn in_envelope(body: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    if std::str::from_utf8(body).is_err() {
        // It may be any encoding of anything.
        ranges.push(0..body.len());
        return ranges;
    }
    for name in [&b"AP_PWD"[..], b"AP_URL", b"NoSpamCode"] {
        let mut from = 0;
        while let Some(at) = find(&body[from..], name) {
            from += at + name.len();
            if name == b"NoSpamCode" {
                // Its attribute is no secret.
                let tag = body[from..]
                    .iter()
                    .take_while(|&&octet| octet != b'>')
                    .count();
                from += tag;
            }
            if let Some(value) = value_after(body, from) {
                // What stands in a value is part of that secret. Going on behind it keeps the search linear.
                from = value.end;
                let value = match name {
                    b"AP_URL" => after_host(body, value),
                    _ => value,
                };
                if !value.is_empty() {
                    ranges.push(value);
                }
            }
        }
    }
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// The part of a URL that anybody may see: scheme and host.
pub(super) fn public_part(url: &[u8]) -> String {
    let hidden = after_host(url, 0..url.len());
    let mut shown = String::from_utf8_lossy(&url[..hidden.start]).into_owned();
    if !hidden.is_empty() {
        shown.push('…');
    }
    shown
}

/// The value after an attribute's or an element's name; to the end if it is not closed.
fn value_after(body: &[u8], name_end: usize) -> Option<Range<usize>> {
    let skip_white = |mut at: usize| {
        while body.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    };
    let until = |start: usize, is_end: &dyn Fn(u8) -> bool| {
        let rest = body.get(start..).unwrap_or_default();
        let length = rest.iter().position(|&b| is_end(b)).unwrap_or(rest.len());
        start..start + length
    };
    let mark = skip_white(name_end);
    match body.get(mark)? {
        b'=' => {
            let start = skip_white(mark + 1);
            match *body.get(start)? {
                quote @ (b'"' | b'\'') => Some(until(start + 1, &|b| b == quote)),
                _ => Some(until(start, &|b| b.is_ascii_whitespace() || b == b'>')),
            }
        }
        b'>' => Some(until(mark + 1, &|b| b == b'<')),
        // A member of a JSON object; its value ends at the quote that no backslash escapes.
        b'"' => {
            let colon = skip_white(mark + 1);
            let quote = skip_white(colon + 1);
            if (body.get(colon)?, body.get(quote)?) != (&b':', &b'"') {
                return None;
            }
            let mut end = quote + 1;
            while let Some(&octet) = body.get(end) {
                match octet {
                    b'"' => break,
                    b'\\' => end += 2,
                    _ => end += 1,
                }
            }
            Some(quote + 1..end.min(body.len()))
        }
        _ => None,
    }
}

fn after_host(body: &[u8], value: Range<usize>) -> Range<usize> {
    let url = &body[value.clone()];
    let Some(scheme) = find(url, b"://") else {
        return value;
    };
    let host = scheme + 3;
    let authority = url[host..]
        .iter()
        .position(|&b| matches!(b, b'/' | b'?' | b'#'))
        .map_or(url.len(), |length| host + length);
    if url[host..authority].contains(&b'@') {
        // user:password@host
        return value.start + host..value.end;
    }
    (value.start + authority + 1).min(value.end)..value.end
}

/// Case does not matter: a misspelt AP_Pwd holds a password all the same.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|w| w.eq_ignore_ascii_case(needle))
}
