//! Who may talk to the control API. A page on the web must not reach it through the user's browser: DNS rebinding is
//! stopped by the `Host` check, cross-site requests by the `Origin` check and by asking for JSON. Where an admin token is
//! set, every call needs it, from wherever it comes.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ota_wire::secret::Secret;

use super::op::DECISION;
use super::{AUTHORITY, RECEIVER, problem};

/// What may be called without the token: whoever watches over us has none, nor has the OP that notifies the RP. The
/// certificate is shown to everybody anyway.
const OPEN: [&str; 4] = ["/livez", "/readyz", AUTHORITY, RECEIVER];
/// `Basic` is what a browser asks its user for by itself.
const CHALLENGE: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="midsim", Basic realm="midsim", charset="UTF-8""#);

/// Whom a listener lets in.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Names it has besides its addresses.
    pub(crate) hosts: Vec<HostName>,
    /// What every call must carry, if anything.
    pub(crate) token: Option<Secret>,
}

/// A name under which we may be called, with or without a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostName {
    name: String,
    port: Option<u16>,
}

/// Not a host name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no host name; write it as sim.example or sim.example:8220")]
pub struct BadHost(String);

impl HostName {
    /// The name alone; an IPv6 address stands in brackets.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for HostName {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        let (name, port) = split(text);
        let port = port
            .map(|port| port.parse().map_err(|_| bad()))
            .transpose()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let six = |name: &str| name.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
        if name.is_empty()
            || !(name.chars().all(plain) || six(name).is_some_and(|a: IpAddr| a.is_ipv6()))
        {
            return Err(bad());
        }
        Ok(Self {
            name: name.to_ascii_lowercase(),
            port,
        })
    }
}

impl Access {
    /// The middleware.
    pub(crate) async fn check(self: Arc<Self>, request: Request, next: Next) -> Response {
        let (method, path) = (request.method(), request.uri().path());
        match self.refuse(method, path, request.headers()) {
            None => next.run(request).await,
            Some((status, detail)) => {
                let mut response = problem(status, &detail);
                if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                    let wanted = HeaderValue::from_static("application/json");
                    response.headers_mut().insert("accept-post", wanted);
                }
                if status == StatusCode::UNAUTHORIZED {
                    response
                        .headers_mut()
                        .insert(header::WWW_AUTHENTICATE, CHALLENGE);
                }
                response
            }
        }
    }

    fn refuse(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Option<(StatusCode, String)> {
        let host = text(headers, header::HOST).unwrap_or_default();
        if !self.ours(host, 80) {
            let detail = format!(
                "Host is {host:?}, expected 127.0.0.1, [::1] or localhost with port {}; --allow-host adds a name",
                self.listen.port()
            );
            return Some((StatusCode::MISDIRECTED_REQUEST, detail));
        }
        if let Some(origin) = text(headers, header::ORIGIN)
            && !self.ours_with_scheme(origin)
        {
            return Some((
                StatusCode::FORBIDDEN,
                format!("Origin {origin:?} may not use this API"),
            ));
        }
        if !OPEN.contains(&path) && !self.holds_token(headers) {
            return Some((
                StatusCode::UNAUTHORIZED,
                "send the admin token: Authorization: Bearer TOKEN; a browser takes it as the password".into(),
            ));
        }
        let json =
            text(headers, header::CONTENT_TYPE).is_some_and(|t| t.starts_with("application/json"));
        // The one call whose callers send no body; a browser names the origin of every POST.
        if method == Method::POST && !json && path != DECISION {
            return Some((
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send Content-Type: application/json".into(),
            ));
        }
        None
    }

    /// Whether the request carries the token, if one is asked for. [`Secret`]s are compared in constant time.
    fn holds_token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let given = text(headers, header::AUTHORIZATION).and_then(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            let rest = rest.trim();
            if scheme.eq_ignore_ascii_case("Bearer") {
                return Some(rest.as_bytes().to_vec());
            }
            let pair = scheme
                .eq_ignore_ascii_case("Basic")
                .then(|| STANDARD.decode(rest).ok())??;
            let colon = pair.iter().position(|octet| *octet == b':')?;
            Some(pair[colon + 1..].to_vec())
        });
        given.is_some_and(|given| Secret::new(given) == *token)
    }

    /// A proxy in front may speak TLS; then the name is one that was allowed by hand.
    fn ours_with_scheme(&self, origin: &str) -> bool {
        match origin.split_once("://") {
            Some(("http", host)) => self.ours(host, 80),
            Some(("https", host)) => self.allowed(host, 443),
            _ => false,
        }
    }

    fn ours(&self, host: &str, usual: u16) -> bool {
        let (name, port) = split(host);
        let port = port.map_or(Some(usual), |port| port.parse().ok());
        port == Some(self.listen.port()) && self.has_address(name) || self.allowed(host, usual)
    }

    fn has_address(&self, name: &str) -> bool {
        if matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        // Only names can be bound to other addresses behind our back: where we listen on all addresses, any may be meant.
        let listen = self.listen.ip().to_canonical();
        bare.parse().is_ok_and(|address: IpAddr| {
            listen.is_unspecified() || address.to_canonical() == listen
        })
    }

    fn allowed(&self, host: &str, usual: u16) -> bool {
        let (name, port) = split(host);
        let port = port.map_or(Some(usual), |port| port.parse().ok());
        self.hosts.iter().any(|host| {
            host.name.eq_ignore_ascii_case(name) && (host.port.is_none() || host.port == port)
        })
    }
}

/// Name and port; the colons of an IPv6 address are inside brackets.
fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: (header::HeaderName, &str) = (header::HOST, "127.0.0.1:8220");

    fn loopback() -> Access {
        Access {
            listen: "127.0.0.1:8220".parse().unwrap(),
            hosts: Vec::new(),
            token: None,
        }
    }

    fn judge(
        access: &Access,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
    ) -> Option<StatusCode> {
        let map = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        access.refuse(&method, path, &map).map(|(status, _)| status)
    }

    fn refused(method: Method, headers: &[(header::HeaderName, &str)]) -> Option<StatusCode> {
        judge(&loopback(), method, "/api/v1/state", headers)
    }

    #[test]
    fn our_own_names_pass() {
        for host in ["127.0.0.1:8220", "localhost:8220", "[::1]:8220"] {
            assert_eq!(
                refused(Method::GET, &[(header::HOST, host)]),
                None,
                "{host}"
            );
        }
    }

    #[test]
    fn a_rebound_name_another_port_and_no_host_are_refused() {
        for host in [
            "evil.example:8220",
            "127.0.0.1:80",
            "127.0.0.1",
            "localhost.evil.example:8220",
        ] {
            assert_eq!(
                refused(Method::GET, &[(header::HOST, host)]),
                Some(StatusCode::MISDIRECTED_REQUEST),
                "{host}"
            );
        }
        assert_eq!(
            refused(Method::GET, &[]),
            Some(StatusCode::MISDIRECTED_REQUEST)
        );
    }

    #[test]
    fn a_foreign_origin_is_refused_and_ours_is_not() {
        assert_eq!(
            refused(
                Method::GET,
                &[HOST, (header::ORIGIN, "http://localhost:8220")]
            ),
            None
        );
        for origin in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:8220",
            "http://127.0.0.1:9999",
        ] {
            let status = refused(Method::GET, &[HOST, (header::ORIGIN, origin)]);
            assert_eq!(status, Some(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn a_form_post_is_refused() {
        let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        assert_eq!(
            refused(Method::POST, &[HOST, form]),
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        assert_eq!(
            refused(
                Method::POST,
                &[HOST, (header::CONTENT_TYPE, "application/json")]
            ),
            None
        );
    }

    #[test]
    fn names_that_were_allowed_pass_and_others_still_do_not() {
        let mut access = loopback();
        access.hosts = vec![
            "Sim.example".parse().unwrap(),
            "[fd00::1]:99".parse().unwrap(),
        ];
        let host = |host| judge(&access, Method::GET, "/", &[(header::HOST, host)]);
        for good in [
            "sim.example",
            "SIM.example:9000",
            "[fd00::1]:99",
            "localhost:8220",
        ] {
            assert_eq!(host(good), None, "{good}");
        }
        for bad in ["[fd00::1]:98", "sim.example.evil", "192.0.2.7:8220"] {
            assert_eq!(host(bad), Some(StatusCode::MISDIRECTED_REQUEST), "{bad}");
        }
        let proxied = [
            (header::HOST, "sim.example"),
            (header::ORIGIN, "https://sim.example"),
        ];
        assert_eq!(judge(&access, Method::GET, "/", &proxied), None);
        for bad in [
            "",
            "a b",
            "sim.example:port",
            "http://sim.example",
            "[nine]",
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_address_listened_on_passes_and_on_all_addresses_each() {
        let host = |listen: &str, host| {
            let access = Access {
                listen: listen.parse().unwrap(),
                ..loopback()
            };
            judge(&access, Method::GET, "/", &[(header::HOST, host)])
        };
        assert_eq!(host("192.0.2.7:8220", "192.0.2.7:8220"), None);
        assert_eq!(host("[fd00::1]:8220", "[fd00::1]:8220"), None);
        assert_eq!(host("0.0.0.0:8220", "192.0.2.7:8220"), None);
        let wrong = Some(StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(host("192.0.2.7:8220", "192.0.2.8:8220"), wrong);
        assert_eq!(host("0.0.0.0:8220", "evil.example:8220"), wrong);
    }

    #[test]
    fn with_a_token_everything_but_the_probes_asks_for_it() {
        let access = Access {
            token: Some(Secret::new(b"s3cret".to_vec())),
            ..loopback()
        };
        let call = |path, authorization: Option<&str>| {
            let mut headers = vec![HOST];
            headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
            judge(&access, Method::GET, path, &headers)
        };
        for path in OPEN {
            assert_eq!(call(path, None), None, "{path}");
        }
        // printf 'any:s3cret' | base64
        for right in ["Bearer s3cret", "bearer  s3cret", "Basic YW55OnMzY3JldA=="] {
            assert_eq!(call("/api/v1/state", Some(right)), None, "{right}");
        }
        for wrong in [
            "Bearer s3cre",
            "Bearer s3cretx",
            "Bearer",
            "Basic s3cret",
            "s3cret",
            "Basic czNjcmV0",
        ] {
            let status = call("/api/v1/state", Some(wrong));
            assert_eq!(status, Some(StatusCode::UNAUTHORIZED), "{wrong}");
        }
        for path in ["/", "/api/v1/info", "/docs/", "/livez/", "//livez"] {
            assert_eq!(call(path, None), Some(StatusCode::UNAUTHORIZED), "{path}");
        }
    }
}
