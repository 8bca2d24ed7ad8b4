//! The page on which a user gives the number to the discovery service, and to nobody else.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::html;
use crate::forms::percent_decode;
use crate::oauth::OAuthError;

/// The form; what the RP sent along goes with it.
pub(super) fn ask(query: &str) -> Response<Bytes> {
    let mut hidden = String::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if ["redirect_uri", "state", "format", "alg", "enc"].contains(&name)
            && let Some(value) = percent_decode(value.as_bytes())
        {
            let value = escape(&String::from_utf8_lossy(&value));
            hidden.push_str(&format!(
                "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">"
            ));
        }
    }
    html(
        StatusCode::OK,
        page(&format!(
            "<p>Your number stays here. The application that sent you gets a token that only your operator can read.</p>\
             <form method=\"post\" action=\"/discover\">{hidden}\
             <label for=\"msisdn\">Mobile number</label> \
             <input id=\"msisdn\" name=\"msisdn\" type=\"tel\" autocomplete=\"tel\" placeholder=\"+447700900002\" required> \
             <button>Continue</button></form>"
        )),
    )
}

/// The token, where there is no RP to go back to.
pub(super) fn token(token: &str) -> Response<Bytes> {
    let token = escape(token);
    html(
        StatusCode::OK,
        page(&format!(
            "<p>login_hint_token, for bc-authorize at the OP:</p><p><code>{token}</code></p>"
        )),
    )
}

/// What was wrong.
pub(super) fn refusal(error: &OAuthError) -> Response<Bytes> {
    let why = escape(&error.description);
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    html(
        status,
        page(&format!(
            "<p role=\"alert\">{why}</p><p><a href=\"/\">Try again</a></p>"
        )),
    )
}

fn page(content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>midsim discovery service</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}}\
         code{{overflow-wrap:anywhere}}</style><main><h1>Discovery service</h1>{content}</main></html>"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
