//! Who may talk to the control API. A page on the web must not reach it through the user's browser: DNS rebinding is
//! stopped by the `Host` check, cross-site requests by the `Origin` check and by asking for JSON.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::problem;

/// The names under which a browser may know us.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    port: u16,
}

impl Guard {
    /// Guards a listener on this port.
    pub(super) fn new(port: u16) -> Self {
        Self { port }
    }

    /// The middleware.
    pub(super) async fn check(self, request: Request, next: Next) -> Response {
        match self.refuse(request.method(), request.headers()) {
            None => next.run(request).await,
            Some((status, detail)) => problem(status, &detail),
        }
    }

    fn refuse(&self, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, String)> {
        let host = text(headers, header::HOST).unwrap_or_default();
        if !self.ours(host) {
            let detail = format!(
                "Host is {host:?}, expected 127.0.0.1, [::1] or localhost with port {}",
                self.port
            );
            return Some((StatusCode::MISDIRECTED_REQUEST, detail));
        }
        if let Some(origin) = text(headers, header::ORIGIN)
            && !origin
                .strip_prefix("http://")
                .is_some_and(|host| self.ours(host))
        {
            return Some((
                StatusCode::FORBIDDEN,
                format!("Origin {origin:?} may not use this API"),
            ));
        }
        let json =
            text(headers, header::CONTENT_TYPE).is_some_and(|t| t.starts_with("application/json"));
        if method == Method::POST && !json {
            return Some((
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send Content-Type: application/json".into(),
            ));
        }
        None
    }

    fn ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        matches!(name, "127.0.0.1" | "[::1]" | "localhost") && port == Some(self.port)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: Method, headers: &[(header::HeaderName, &str)]) -> Option<StatusCode> {
        let map = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        Guard::new(8220)
            .refuse(&method, &map)
            .map(|(status, _)| status)
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
        let host = (header::HOST, "127.0.0.1:8220");
        assert_eq!(
            refused(
                Method::GET,
                &[host.clone(), (header::ORIGIN, "http://localhost:8220")]
            ),
            None
        );
        for origin in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:8220",
            "http://127.0.0.1:9999",
        ] {
            let status = refused(Method::GET, &[host.clone(), (header::ORIGIN, origin)]);
            assert_eq!(status, Some(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn a_form_post_is_refused() {
        let host = (header::HOST, "127.0.0.1:8220");
        let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        assert_eq!(
            refused(Method::POST, &[host.clone(), form]),
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        assert_eq!(
            refused(
                Method::POST,
                &[host, (header::CONTENT_TYPE, "application/json")]
            ),
            None
        );
    }
}
