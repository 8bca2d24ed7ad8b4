//! Requests as three clients in the field write them, octet by octet on a socket, headers and all: a Python client made
//! from the WSDL (zeep), a Java client with bindings of its own (Laverca), a Java client on JAX-WS and JSON (Swisscom's).
//! Each accepts an answer in the shape of its own request only.

use std::sync::atomic::{AtomicU32, Ordering};

use mssp::xml::{self, Element};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::sockets::{BEN, Bench};

const MSS: &str = "http://uri.etsi.org/TS102204/v1.1.2#";
const WSDL: &str = "http://uri.etsi.org/TS102204/etsi204-kiuru.wsdl";
const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";
const AP: &str = "http://midsim.test/ap";

/// How a client writes.
struct Client {
    name: &'static str,
    headers: &'static str,
    chunked: bool,
    version: (&'static str, &'static str),
    wrapper: Option<&'static str>,
    part: Option<&'static str>,
    /// It declares prefixes on the envelope, or on each element anew.
    prefix: Prefix,
    /// MobileUser in MSS_StatusReq.
    user_in_status: bool,
}

enum Prefix {
    Declared(&'static str),
    Everywhere,
}

const CLIENTS: [Client; 3] = [
    Client {
        name: "zeep",
        headers: "User-Agent: Zeep/4.3.3 (www.python-zeep.org)\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n\
                  SOAPAction: \"\"\r\nContent-Type: application/soap+xml; charset=utf-8; action=\"None\"\r\n",
        chunked: false,
        version: ("1", "1"),
        wrapper: None,
        part: None,
        prefix: Prefix::Everywhere,
        user_in_status: false,
    },
    Client {
        name: "laverca",
        headers: "Content-Type: application/soap+xml; charset=UTF-8\r\nSOAPAction: \"#MSS_Operation\"\r\n\
                  User-Agent: Apache-HttpClient/4.5.3 (Java/17.0.15)\r\nAccept-Encoding: gzip,deflate\r\n",
        chunked: true,
        version: ("1", "1"),
        wrapper: None,
        part: Some(MSS),
        prefix: Prefix::Declared("mss"),
        user_in_status: false,
    },
    Client {
        name: "jax-ws",
        headers: "Accept: application/soap+xml, multipart/related\r\n\
                  Content-Type: application/soap+xml; charset=utf-8\r\nUser-Agent: JAX-WS RI 2.3.0.2\r\n",
        chunked: false,
        version: ("1", "2"),
        wrapper: Some(WSDL),
        part: None,
        prefix: Prefix::Declared("ns2"),
        user_in_status: true,
    },
];

impl Client {
    /// The envelope of a call; `body` is written with prefix `mss`.
    fn envelope(&self, operation: &str, message: &str, attributes: &str, body: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let head = format!(
            "<mss:AP_Info AP_ID=\"{AP}\" AP_TransID=\"A{n}\" AP_PWD=\"midsim-ap\" \
             Instant=\"2026-11-22T10:31:33.540Z\"/><mss:MSSP_Info><mss:MSSP_ID/></mss:MSSP_Info>"
        );
        let content = format!("{head}{body}");
        let (declared, content) = match self.prefix {
            Prefix::Declared(prefix) => (
                format!(" xmlns:{prefix}=\"{MSS}\" xmlns:unused=\"urn:unused\""),
                content.replace("mss:", &format!("{prefix}:")),
            ),
            Prefix::Everywhere => (String::new(), each_declared(&content)),
        };
        let (prefix, part_declared) = match (self.part, &self.prefix) {
            (Some(_), Prefix::Declared(prefix)) => (format!("{prefix}:"), declared.as_str()),
            _ => (String::new(), ""),
        };
        let (major, minor) = self.version;
        let part = format!(
            "<{prefix}{message}{attributes} MajorVersion=\"{major}\" MinorVersion=\"{minor}\"{part_declared}>{content}\
             </{prefix}{message}>"
        );
        let call = match self.wrapper {
            None => format!("<{operation}>{part}</{operation}>"),
            Some(ns) => format!("<w:{operation} xmlns:w=\"{ns}\">{part}</w:{operation}>"),
        };
        format!(
            "<?xml version='1.0' encoding='UTF-8'?><S:Envelope xmlns:S=\"{ENV}\" xmlns:env=\"{ENV}\"><env:Header/>\
             <S:Body xmlns=\"\"{declared}>{call}</S:Body></S:Envelope>"
        )
    }

    /// The answer's part, which has to stand in the shape of the request.
    async fn call(
        &self,
        bench: &Bench,
        operation: &str,
        message: &str,
        attributes: &str,
        body: &str,
    ) -> Element<'static> {
        let envelope = self.envelope(operation, message, attributes, body);
        let path = format!("/soap/services/{operation}Port");
        let (status, headers, answer) =
            post(bench, &path, self.headers, self.chunked, &envelope).await;
        let name = self.name;
        assert_eq!(status, 200, "{name} {operation}: {answer}");
        assert!(headers.contains("content-type: application/soap+xml"));
        // For as long as the test runs.
        let root = xml::parse(answer.leak().as_bytes()).unwrap();
        let wrapper = only(only(&root));
        assert_eq!(wrapper.local, format!("{operation}Response"), "{name}");
        assert_eq!(wrapper.ns.as_deref(), self.wrapper, "{name}");
        let part = only(wrapper);
        assert_eq!(part.local, message.replace("Req", "Resp"), "{name}");
        assert_eq!(part.ns.as_deref(), self.part, "{name}");
        assert!(
            part.elements().all(|e| e.ns.as_deref() == Some(MSS)),
            "{name}"
        );
        part.clone()
    }
}

/// Every element with a declaration of its own, as lxml writes what zeep makes.
fn each_declared(content: &str) -> String {
    let mut written = String::new();
    let mut rest = content;
    let mut n = 0;
    while let Some(at) = rest.find("<mss:") {
        written.push_str(&rest[..at]);
        let tag = &rest[at..];
        let name_end = tag.find([' ', '>', '/']).unwrap();
        written.push_str(&tag[..name_end]);
        if !written.ends_with(&format!("xmlns:mss=\"{MSS}\"")) {
            written.push_str(&format!(" xmlns:mss=\"{MSS}\" xmlns:ns{n}=\"{MSS}\""));
        }
        n += 1;
        rest = &tag[name_end..];
    }
    written + rest
}

fn only<'a, 'd>(element: &'a Element<'d>) -> &'a Element<'d> {
    let mut below = element.elements();
    let first = below.next().unwrap();
    assert!(below.next().is_none());
    first
}

/// StatusCode/@Value.
fn code(part: &Element) -> String {
    let status = part.elements().find(|e| e.local == "Status").unwrap();
    let code = status.elements().find(|e| e.local == "StatusCode").unwrap();
    code.attribute(None, "Value").unwrap().to_owned()
}

/// POSTs raw octets; gives status, headers in lower case, and body.
async fn post(
    bench: &Bench,
    path: &str,
    headers: &str,
    chunked: bool,
    body: &str,
) -> (u16, String, String) {
    let url = bench.suite.mssp_url();
    let host = url
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}");
    if chunked {
        request += "Transfer-Encoding: chunked\r\n\r\n";
        for chunk in body.as_bytes().chunks(100) {
            let text = std::str::from_utf8(chunk).unwrap();
            request += &format!("{:x}\r\n{text}\r\n", chunk.len());
        }
        request += "0\r\n\r\n";
    } else {
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    }
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// Clients of HTTP/1.0 send no Host; the address is where this MSSP listens then, whatever its port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wsdl_that_is_asked_for_without_a_host_names_the_port_that_is_listened_on() {
    let bench = Bench::start().await;
    let url = bench.suite.mssp_url();
    let (_, rest) = url.split_once("://").unwrap();
    let (host, _) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream
        .write_all(b"GET /soap?wsdl HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(&format!("location=\"{url}\"")), "{answer}");
    bench.finish().await;
}

fn user() -> String {
    format!("<mss:MobileUser><mss:MSISDN>{BEN}</mss:MSISDN></mss:MobileUser>")
}

fn to_sign() -> String {
    format!(
        "{}<mss:DataToBeSigned MimeType=\"text/plain\" Encoding=\"UTF-8\">Bank ACME: log in? (TXN-3D5K)\
         </mss:DataToBeSigned><mss:SignatureProfile><mss:mssURI>http://uri.gsma.com/mobileconnect/LoA3</mss:mssURI>\
         </mss:SignatureProfile><mss:MSS_Format><mss:mssURI>{MSS}PKCS7</mss:mssURI></mss:MSS_Format>",
        user()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_gets_answers_in_its_own_shape() {
    let bench = Bench::start().await;
    for client in &CLIENTS {
        let asynch = " MessagingMode=\"asynchClientServer\" TimeOut=\"80\"";
        let signature = client
            .call(
                &bench,
                "MSS_Signature",
                "MSS_SignatureReq",
                asynch,
                &to_sign(),
            )
            .await;
        assert_eq!(code(&signature), "100", "{}", client.name);
        let id = signature.attribute(None, "MSSP_TransID").unwrap();
        let id = format!(" MSSP_TransID=\"{id}\"");
        bench.idle().await;
        let who = if client.user_in_status {
            user()
        } else {
            String::new()
        };
        let status = client
            .call(&bench, "MSS_StatusQuery", "MSS_StatusReq", &id, &who)
            .await;
        assert_eq!(code(&status), "502", "{}", client.name);
        let receipt = user() + "<mss:Message>Thanks</mss:Message>";
        let receipt = client
            .call(&bench, "MSS_Receipt", "MSS_ReceiptReq", &id, &receipt)
            .await;
        assert_eq!(code(&receipt), "100", "{}", client.name);
        let profiles = client
            .call(&bench, "MSS_ProfileQuery", "MSS_ProfileReq", "", &user())
            .await;
        assert_eq!(code(&profiles), "100", "{}", client.name);
        let registered = client
            .call(
                &bench,
                "MSS_Registration",
                "MSS_RegistrationReq",
                "",
                &user(),
            )
            .await;
        assert_eq!(code(&registered), "408", "{}", client.name);
        let methods = [
            "MSS_Signature",
            "MSS_Registration",
            "MSS_Notification",
            "MSS_ProfileQuery",
            "MSS_Receipt",
            "MSS_Status",
        ]
        .map(|name| format!(" {name}=\"false\""))
        .concat();
        let body = format!(
            "<mss:SecureMethods{methods}/><mss:Certificates/><mss:RootCAs/><mss:SignatureAlgList/>"
        );
        client
            .call(&bench, "MSS_Handshake", "MSS_HandshakeReq", "", &body)
            .await;
        // The HTTP answer waits for the user.
        let synch = " MessagingMode=\"synch\" TimeOut=\"80\"";
        let signature = client
            .call(
                &bench,
                "MSS_Signature",
                "MSS_SignatureReq",
                synch,
                &to_sign(),
            )
            .await;
        assert_eq!(code(&signature), "502", "{}", client.name);
        let signed = signature.elements().any(|e| e.local == "MSS_Signature");
        assert!(signed, "{}", client.name);
    }
    bench.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_client_posts_everything_to_one_url() {
    let bench = Bench::start().await;
    let headers = "Accept-Encoding: gzip, x-gzip, deflate\r\nContent-Type: application/json; charset=UTF-8\r\n\
                   Content-Encoding: UTF-8\r\nUser-Agent: Apache-HttpClient/5.2.1 (Java/17.0.15)\r\n";
    let head = |id: &str, version: (&str, &str)| {
        json!({
            "AP_Info": {
                "AP_ID": "mid://midsim.test", "AP_PWD": "disabled", "AP_TransID": format!("ID-{id}"),
                "Instant": "2026-11-22T10:38:55.411Z",
            },
            "MSSP_Info": { "MSSP_ID": { "URI": "http://mid.swisscom.ch/" } },
            "MajorVersion": version.0, "MinorVersion": version.1,
        })
    };
    let ask = async |name: &str, mut head: Value, more: Value| -> Value {
        let members = head.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let body = json!({ name: head }).to_string();
        let (status, headers, answer) = post(&bench, "/rest/service", headers, false, &body).await;
        assert_eq!(status, 200, "{answer}");
        assert!(headers.contains("content-type: application/json"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer[name.replace("Req", "Resp")].clone()
    };
    let sign = |mode: &str| {
        json!({
            "DataToBeSigned": { "Data": "Bank ACME: log in? (TXN-3D5K)", "Encoding": "UTF-8", "MimeType": "text/plain" },
            "MessagingMode": mode,
            "MobileUser": { "MSISDN": BEN.trim_start_matches('+') },
            "SignatureProfile": "http://mid.swisscom.ch/Any-LoA4",
            "TimeOut": "80",
        })
    };
    let first = ask("MSS_SignatureReq", head("1", ("1", "2")), sign("asynch")).await;
    assert_eq!(first["Status"]["StatusCode"]["Value"], "100");
    bench.idle().await;
    let id = json!({ "MSSP_TransID": first["MSSP_TransID"] });
    let status = ask("MSS_StatusReq", head("2", ("1", "2")), id).await;
    assert!(status["MSS_Signature"]["Base64Signature"].is_string());
    let held = ask("MSS_SignatureReq", head("3", ("1", "2")), sign("synch")).await;
    assert!(held["MSS_Signature"]["Base64Signature"].is_string());
    let params = json!({
        "MobileUser": { "MSISDN": BEN.trim_start_matches('+') },
        "Params": "sscds state certs pinstatus rcstatus aastatus carddetails",
    });
    let profile = ask("MSS_ProfileReq", head("4", ("2", "0")), params).await;
    let extension = &profile["Status"]["StatusDetail"]["ProfileQueryExtension"];
    assert_eq!(extension["Sscds"]["Sim"]["PinStatus"]["Blocked"], false);
    bench.finish().await;
}
