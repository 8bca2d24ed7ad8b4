//! The WSDL (TS 102 204 §10.5) and its schemas (annex A), served to whoever wants to generate a client.
//!
//! The documents import each other by relative references, so that they resolve against the URL they were loaded from.
//! As written they are a query alone (`?xsd=1`). That is served with the last segment of the path before it: Java's
//! `java.net.URL` drops the segment when it resolves a query (as RFC 2396 had it, before RFC 3986 §5.2.2).

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::HOST, uri::Authority};

use crate::{config::Config, front::response, xml::Writer};

const WSDL: &str = include_str!("../wsdl/mss.wsdl");
const SCHEMAS: [&str; 2] = [
    include_str!("../wsdl/mss.xsd"),
    include_str!("../wsdl/xmldsig.xsd"),
];
/// The base of the addresses in [`WSDL`], to be replaced by the one that the client sees.
const WRITTEN_BASE: &str = "http://127.0.0.1:8204";
/// What references to the schemas begin with.
const WRITTEN_SIBLING: &str = "?xsd=";

/// Answers a GET, if its query asks for one of the documents.
pub(crate) fn serve(request: &Request<Bytes>, config: &Config) -> Option<Response<Bytes>> {
    let query = request.uri().query()?;
    let (name, value) = query.split_once('=').unwrap_or((query, ""));
    let document = match name.to_ascii_lowercase().as_str() {
        "wsdl" => WSDL.replace(WRITTEN_BASE, &base(request, config)),
        "xsd" => {
            let number: usize = value.parse().ok()?;
            (*SCHEMAS.get(number.checked_sub(1)?)?).to_owned()
        }
        _ => return None,
    };
    let sibling = format!("\"{}{WRITTEN_SIBLING}", here(request.uri().path()));
    let document = document.replace(&format!("\"{WRITTEN_SIBLING}"), &sibling);
    Some(response(
        StatusCode::OK,
        "text/xml; charset=utf-8",
        document.into(),
    ))
}

/// A relative reference to the document at `path` itself, without its query, escaped for an attribute.
fn here(path: &str) -> String {
    let segment = path.rsplit('/').next().unwrap_or_default();
    // A colon in the first segment would make a scheme of what stands before it (RFC 3986 §4.2).
    let dot = if segment.contains(':') { "./" } else { "" };
    Writer::escaped(&format!("{dot}{segment}"))
}

/// Scheme and authority of the service, escaped for an attribute.
fn base(request: &Request<Bytes>, config: &Config) -> String {
    let seen = || {
        let host = request.headers().get(HOST)?.to_str().ok()?;
        let authority: Authority = host.parse().ok()?;
        Some(format!("http://{authority}"))
    };
    let base = config
        .base_url
        .clone()
        .or_else(seen)
        .or_else(|| config.own_url.clone())
        .unwrap_or_else(|| WRITTEN_BASE.to_owned());
    Writer::escaped(base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ota_wire::{
        applet::MacAlgorithm,
        ids::{Iccid, Msisdn},
        secret::Secret,
    };

    use super::*;
    use crate::{Directory, Subscriber, samples::find, xml::parse};

    /// Nobody is asked for.
    struct Nobody;

    impl Directory for Nobody {
        fn subscriber(&self, _: &Msisdn) -> Option<Subscriber> {
            None
        }

        fn identified(&self, _: &str) -> Option<Msisdn> {
            None
        }

        fn mac_key(&self, _: &Iccid, _: MacAlgorithm) -> Secret {
            Secret::new(Vec::new())
        }
    }

    fn config(base_url: Option<&str>, own_url: Option<&str>) -> Config {
        Config {
            base_url: base_url.map(str::to_owned),
            own_url: own_url.map(str::to_owned),
            ..Config::new("urn:mssp", Arc::new(Nobody))
        }
    }

    fn get(query: &str, host: &str) -> Option<String> {
        get_at("/soap", query, host)
    }

    fn get_at(path: &str, query: &str, host: &str) -> Option<String> {
        let request = Request::get(format!("{path}?{query}"))
            .header(HOST, host)
            .body(Bytes::new())
            .unwrap();
        let response = serve(&request, &config(None, None))?;
        assert_eq!(
            response.headers()["content-type"],
            "text/xml; charset=utf-8"
        );
        Some(String::from_utf8(response.body().to_vec()).unwrap())
    }

    #[test]
    fn addresses_in_the_wsdl_are_those_the_client_used() {
        let wsdl = get("wsdl", "mssp.example:9000").unwrap();
        let root = parse(wsdl.as_bytes()).unwrap();
        let service = find(&root, "service").unwrap();
        let addresses: Vec<_> = service
            .elements()
            .map(|port| {
                find(port, "address")
                    .unwrap()
                    .attribute(None, "location")
                    .unwrap()
            })
            .collect();
        assert_eq!(addresses, ["http://mssp.example:9000/soap"; 6]);
        assert_eq!(get("WSDL", "mssp.example:9000"), Some(wsdl));
    }

    #[test]
    fn a_configured_base_wins_and_without_a_host_it_is_where_the_mssp_listens() {
        let request = |host: &str| {
            Request::get("/soap?wsdl")
                .header(HOST, host)
                .body(Bytes::new())
                .unwrap()
        };
        let location = |request, base, own| {
            let response = serve(&request, &config(base, own)).unwrap();
            let root = parse(response.body()).unwrap();
            find(&root, "address")
                .unwrap()
                .attribute(None, "location")
                .unwrap()
                .to_owned()
        };
        let own = Some("http://127.0.0.1:9204");
        let configured = Some("https://mssp.example/");
        assert_eq!(
            location(request("a"), configured, own),
            "https://mssp.example/soap"
        );
        assert_eq!(location(request("a:1"), None, own), "http://a:1/soap");
        let none = Request::get("/soap?wsdl").body(Bytes::new()).unwrap();
        for strange in [request("x\"/><evil y=\""), none] {
            let address = location(strange, None, own);
            assert_eq!(address, "http://127.0.0.1:9204/soap");
        }
    }

    #[test]
    fn imports_stay_at_the_path_they_are_read_from() {
        for (path, location) in [
            ("/soap", "soap?xsd=1"),
            (
                "/soap/services/MSS_SignaturePort",
                "MSS_SignaturePort?xsd=1",
            ),
            ("/soap/", "?xsd=1"),
            ("/soap/a:b", "./a:b?xsd=1"),
            ("/soap/a&b", "a&b?xsd=1"),
        ] {
            let wsdl = get_at(path, "wsdl", "h").unwrap();
            let root = parse(wsdl.as_bytes()).unwrap();
            let import = find(&root, "import").unwrap();
            assert_eq!(import.attribute(None, "schemaLocation"), Some(location));
        }
    }

    #[test]
    fn imports_lead_to_served_documents_and_nowhere_else() {
        for document in [
            get("wsdl", "h").unwrap(),
            get("xsd=1", "h").unwrap(),
            get("xsd=2", "h").unwrap(),
        ] {
            assert!(!document.contains("<!DOCTYPE") && !document.contains("<!ENTITY"));
            let root = parse(document.as_bytes()).unwrap();
            let mut stack = vec![&root];
            while let Some(element) = stack.pop() {
                if let Some(location) = element.attribute(None, "schemaLocation") {
                    let query = location.strip_prefix("soap?").unwrap();
                    assert!(get(query, "h").is_some());
                }
                stack.extend(element.elements());
            }
        }
        for nothing in ["xsd=0", "xsd=3", "xsd", "xsd=-1", "wsdls", ""] {
            assert!(get(nothing, "h").is_none(), "{nothing}");
        }
    }
}
