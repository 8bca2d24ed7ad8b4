//! Which hosts of a URL are this machine.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether the host of a URL, as [`http::Uri::host`] gives it, is `localhost` or a literal loopback address. A name that merely
/// begins like one belongs to whoever registered it.
pub(crate) fn is_loopback(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let v6 = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match v6 {
        Some(address) => address.parse().is_ok_and(|it: Ipv6Addr| it.is_loopback()),
        None => host.parse().is_ok_and(|it: Ipv4Addr| it.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_an_address_or_localhost_and_no_name_that_begins_so() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.8.9.10", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "127.0.0.1.evil.example",
            "127.evil.example",
            "127.1",
            "localhost.evil.example",
            "128.0.0.1",
            "::1",
            "[::2]",
            "[127.0.0.1]",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
