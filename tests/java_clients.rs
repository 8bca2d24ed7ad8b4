//! What the two Java clients of TS 102 204 in the field need of an answer, fact by fact: Laverca (bindings of its own over
//! Apache's HTTP client) and Swisscom's mobileid-client-java (JAX-WS, JSON). Both keep their connections alive; the shapes of
//! all operations are in `clients.rs`, and JAX-WS itself is a part of `tests/run`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mssp::xml::{self, Element};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::sockets::{BEN, Bench, GRETA, outline};

const MSS: &str = "http://uri.etsi.org/TS102204/v1.1.2#";
const FICOM: &str = "http://mss.ficom.fi/TS102204/v1.0.0#";
const WSDL: &str = "http://uri.etsi.org/TS102204/etsi204-kiuru.wsdl";
const LOA3: &str = "http://uri.gsma.com/mobileconnect/LoA3";
const LOA4: &str = "http://uri.gsma.com/mobileconnect/LoA4";
/// Those of a deployment that speaks FiCom's dialect.
const FICOM_AP: &str = "http://midsim.test/ficom";

/// One connection, kept alive.
struct Connection {
    stream: TcpStream,
    host: String,
    read: Vec<u8>,
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Connection {
    async fn open(bench: &Bench) -> Self {
        let url = bench.suite.mssp_url();
        let host = url.trim_start_matches("http://").split('/').next().unwrap();
        Self {
            stream: TcpStream::connect(host).await.unwrap(),
            host: host.to_owned(),
            read: Vec::new(),
        }
    }

    async fn write(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    async fn more(&mut self) {
        let mut buffer = [0; 4096];
        let n = self.stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the connection was closed");
        self.read.extend_from_slice(&buffer[..n]);
    }

    /// Everything up to an empty line.
    async fn head(&mut self) -> String {
        loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = self.read.drain(..at + 4).collect();
                return String::from_utf8(head).unwrap().to_ascii_lowercase();
            }
            self.more().await;
        }
    }

    async fn reply(&mut self) -> Reply {
        let head = self.head().await;
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
        while self.read.len() < length {
            self.more().await;
        }
        Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: String::from_utf8(self.read.drain(..length).collect()).unwrap(),
            head,
        }
    }

    /// As Laverca sends: chunked, with a SOAPAction that is a fragment, to a URL for each operation.
    async fn laverca(&mut self, operation: &str, body: &str) -> Reply {
        let mut request = format!(
            "POST /soap/services/{operation}Port HTTP/1.1\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n\
             SOAPAction: \"#{operation}\"\r\nTransfer-Encoding: chunked\r\nHost: {}\r\nConnection: Keep-Alive\r\n\
             User-Agent: Apache-HttpClient/4.5.3 (Java/17.0.15)\r\nAccept-Encoding: gzip,deflate\r\n\r\n",
            self.host
        );
        for chunk in body.as_bytes().chunks(200) {
            let chunk = std::str::from_utf8(chunk).unwrap();
            request += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        request += "0\r\n\r\n";
        self.write(request.as_bytes()).await;
        self.reply().await
    }

    /// As JAX-WS sends, without SOAPAction.
    async fn jax_ws(&mut self, body: &str) -> Reply {
        let request = format!(
            "POST /soap HTTP/1.1\r\nAccept: application/soap+xml, multipart/related\r\n\
             Content-Type: application/soap+xml; charset=utf-8\r\nUser-Agent: JAX-WS RI 2.3.0.2\r\nHost: {}\r\n\
             Connection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.write(request.as_bytes()).await;
        self.reply().await
    }
}

/// What all requests of a client have in common.
struct Ap {
    id: &'static str,
    password: &'static str,
    minor: u8,
    mssp_id: String,
}

impl Ap {
    fn head(&self, trans_id: &str) -> String {
        format!(
            "<mss:AP_Info AP_ID=\"{}\" AP_TransID=\"{trans_id}\" AP_PWD=\"{}\" Instant=\"2026-11-22T10:31:33.540Z\"/>\
             <mss:MSSP_Info><mss:MSSP_ID>{}</mss:MSSP_ID></mss:MSSP_Info>",
            self.id, self.password, self.mssp_id
        )
    }

    fn laverca(&self, operation: &str, message: &str, attributes: &str, body: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"{ENV}\"><soapenv:Body><{operation}>\
             <mss:{message} MajorVersion=\"1\" MinorVersion=\"{}\" xmlns:mss=\"{MSS}\" xmlns:fi=\"{FICOM}\"{attributes}>{body}\
             </mss:{message}></{operation}></soapenv:Body></soapenv:Envelope>",
            self.minor
        )
    }

    fn jax_ws(&self, operation: &str, message: &str, attributes: &str, body: &str) -> String {
        format!(
            "<?xml version='1.0' encoding='UTF-8'?><S:Envelope xmlns:S=\"{ENV}\" xmlns:env=\"{ENV}\"><env:Header/>\
             <S:Body xmlns=\"\" xmlns:mss=\"{MSS}\" xmlns:fi=\"{FICOM}\"><w:{operation} xmlns:w=\"{WSDL}\">\
             <{message} MajorVersion=\"1\" MinorVersion=\"{}\"{attributes}>{body}</{message}></w:{operation}></S:Body>\
             </S:Envelope>",
            self.minor
        )
    }
}

const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";

fn laverca(id: &'static str) -> Ap {
    Ap {
        id,
        password: "midsim-ap",
        minor: 1,
        mssp_id: String::new(),
    }
}

fn swisscom() -> Ap {
    Ap {
        id: "mid://midsim.test",
        password: "disabled",
        minor: 2,
        mssp_id: "<mss:URI>http://mid.swisscom.ch/</mss:URI>".to_owned(),
    }
}

fn user(number: &str) -> String {
    format!("<mss:MobileUser><mss:MSISDN>{number}</mss:MSISDN></mss:MobileUser>")
}

fn to_sign(number: &str, profile: &str, format: &str) -> String {
    let format = match format {
        "" => String::new(),
        uri => format!("<mss:MSS_Format><mss:mssURI>{uri}</mss:mssURI></mss:MSS_Format>"),
    };
    format!(
        "{}<mss:DataToBeSigned MimeType=\"text/plain\" Encoding=\"UTF-8\">Log in? (TXN-3D5K)</mss:DataToBeSigned>\
         <mss:SignatureProfile><mss:mssURI>{profile}</mss:mssURI></mss:SignatureProfile>{format}",
        user(number)
    )
}

/// The first element of that name, anywhere.
fn find<'a>(reply: &'a Reply, local: &str) -> Option<Element<'a>> {
    fn within<'a>(element: &Element<'a>, local: &str) -> Option<Element<'a>> {
        if element.local == local {
            return Some(element.clone());
        }
        element.elements().find_map(|below| within(below, local))
    }
    within(&xml::parse(reply.body.as_bytes()).unwrap(), local)
}

fn text(reply: &Reply, local: &str) -> String {
    let found = find(reply, local).unwrap_or_else(|| panic!("no {local}: {}", reply.body));
    found.text().trim().to_owned()
}

fn attribute(reply: &Reply, local: &str, name: &str) -> String {
    let found = find(reply, local).unwrap_or_else(|| panic!("no {local}: {}", reply.body));
    found.attribute(None, name).unwrap().to_owned()
}

/// The local parts of the subcodes from the outermost on: Laverca looks at nothing else of them.
fn levels(reply: &Reply) -> Vec<String> {
    let mut levels = Vec::new();
    let mut here = find(reply, "Code");
    while let Some(element) = here {
        let value = element.elements().find(|e| e.local == "Value").unwrap();
        let local = value.text().split(':').next_back().unwrap().to_owned();
        levels.push(local);
        here = element.elements().find(|e| e.local == "Subcode").cloned();
    }
    levels.remove(0);
    levels
}

/// It takes MSSP_ID out of the answer and dereferences it; the copy goes into everything it asks later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laverca_copies_mssp_id_and_polls_over_one_connection() {
    let bench = Bench::start().await;
    // The strict AP of the default world: what is copied has to be right.
    let mut ap = laverca("http://midsim.test/etsi");
    let mut connection = Connection::open(&bench).await;
    let asynch = " MessagingMode=\"asynchClientServer\" TimeOut=\"60\"";
    let sign = ap.head("A1795343493540") + &to_sign(BEN, LOA3, "");
    let sign = ap.laverca("MSS_Signature", "MSS_SignatureReq", asynch, &sign);
    let first = connection.laverca("MSS_Signature", &sign).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(attribute(&first, "StatusCode", "Value"), "100");
    let uri = text(&find_reply(&first, "MSSP_ID"), "URI");
    assert!(uri.starts_with("http"), "{uri}");
    ap.mssp_id = format!("<mss:URI>{uri}</mss:URI>");
    let trans = attribute(&first, "MSS_SignatureResp", "MSSP_TransID");
    let about = format!(" MSSP_TransID=\"{trans}\"");

    bench.idle().await;
    // AP_TransID stands as it was, Instant anew.
    let query = ap.laverca(
        "MSS_StatusQuery",
        "MSS_StatusReq",
        &about,
        &ap.head("A1795343493540"),
    );
    let last = connection.laverca("MSS_StatusQuery", &query).await;
    assert_eq!(attribute(&last, "StatusCode", "Value"), "502");
    // Without it: "Abnormal status code".
    assert!(!text(&last, "Base64Signature").is_empty());

    let message = format!(
        "{}{}<mss:Message MimeType=\"text/plain\" Encoding=\"UTF-8\">Thank you</mss:Message>",
        ap.head("A1795343493540"),
        user(BEN)
    );
    let receipt = ap.laverca("MSS_Receipt", "MSS_ReceiptReq", &about, &message);
    let receipt = connection.laverca("MSS_Receipt", &receipt).await;
    assert_eq!(attribute(&receipt, "StatusCode", "Value"), "100");

    let body = ap.head("A2") + &user(BEN);
    let query = ap.laverca("MSS_ProfileQuery", "MSS_ProfileReq", "", &body);
    let profiles = connection.laverca("MSS_ProfileQuery", &query).await;
    assert!(profiles.body.contains(LOA3), "{}", profiles.body);
    bench.finish().await;
}

fn find_reply(reply: &Reply, local: &str) -> Reply {
    let (_, rest) = reply.body.split_once(&format!("<mss:{local}>")).unwrap();
    let (inner, _) = rest.split_once(&format!("</mss:{local}>")).unwrap();
    Reply {
        status: reply.status,
        head: String::new(),
        body: format!("<{local} xmlns:mss=\"{MSS}\">{inner}</{local}>"),
    }
}

/// It compares `_NNN` at level 0 and `_NNNN` at level 1, whatever namespaces they are in, and wants a body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laverca_reads_both_levels_of_a_fault() {
    let bench = Bench::start().await;
    let mut connection = Connection::open(&bench).await;
    let asynch = " MessagingMode=\"asynchClientServer\" TimeOut=\"60\"";
    let profile = "http://mss.ficom.fi/TS102206/v1.0.0/authentication-profile.xml";
    for (n, (id, number, expected)) in [
        (FICOM_AP, "410000924012", vec!["_401", "_4012"]),
        ("http://midsim.test/ap", "410000924012", vec!["_401"]),
        (FICOM_AP, "+447700900099", vec!["_105", "_1052"]),
    ]
    .into_iter()
    .enumerate()
    {
        let ap = laverca(id);
        let body = ap.head(&format!("A{n}")) + &to_sign(number, profile, "");
        let request = ap.laverca("MSS_Signature", "MSS_SignatureReq", asynch, &body);
        let reply = connection.laverca("MSS_Signature", &request).await;
        assert_eq!(reply.status, 500);
        assert!(reply.head.contains("content-type: application/soap+xml"));
        assert_eq!(levels(&reply), expected, "{}", reply.body);
    }
    bench.finish().await;
}

/// It waits TimeOut and five seconds: a synch request is answered when TimeOut is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laverca_hears_of_a_silent_user_before_it_hangs_up() {
    let bench = Bench::start().await;
    let ap = laverca(FICOM_AP);
    let mut connection = Connection::open(&bench).await;
    let profile = "http://mss.ficom.fi/TS102206/v1.0.0/signature-profile.xml";
    let body = ap.head("A1") + &to_sign(GRETA, profile, "");
    let synch = " MessagingMode=\"synch\" TimeOut=\"60\"";
    let request = ap.laverca("MSS_Signature", "MSS_SignatureReq", synch, &body);
    let clock = async {
        while bench.suite.trace_log().get("A1").is_none() {
            tokio::task::yield_now().await;
        }
        bench.idle().await;
        bench.advance(60).await;
    };
    let (reply, ()) = tokio::join!(connection.laverca("MSS_Signature", &request), clock);
    assert_eq!(reply.status, 500);
    assert_eq!(levels(&reply), ["_208", "_2081"]);
    bench.finish().await;
}

/// What it makes of the octets depends on MSS_Format: opaque, SignedData, or fi:PKCS1 with a certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laverca_knows_signatures_by_their_format() {
    let bench = Bench::start().await;
    let ap = laverca("http://midsim.test/ap");
    let mut connection = Connection::open(&bench).await;
    let mut sign = async |n: u8, profile: &str, format: &str| {
        let body = ap.head(&format!("A{n}")) + &to_sign(BEN, profile, format);
        let synch = " MessagingMode=\"synch\" TimeOut=\"60\"";
        let request = ap.laverca("MSS_Signature", "MSS_SignatureReq", synch, &body);
        let reply = connection.laverca("MSS_Signature", &request).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    };
    // id-signedData, 1.2.840.113549.1.7.2, in the first octets of a ContentInfo.
    let signed_data = hex::decode("06092A864886F70D010702").unwrap();
    let base64 = |reply: &Reply| STANDARD.decode(text(reply, "Base64Signature")).unwrap();
    assert_eq!(base64(&sign(1, LOA3, "").await).len(), 8);
    let pkcs7 = format!("{MSS}PKCS7");
    let cms = base64(&sign(2, LOA4, &pkcs7).await);
    assert_eq!(cms[0], 0x30);
    assert!(cms[..20].windows(11).any(|w| w == signed_data));
    let element = sign(3, LOA4, &format!("{FICOM}PKCS1")).await;
    let pkcs1 = find(&element, "PKCS1").unwrap();
    assert_eq!(pkcs1.ns.as_deref(), Some(FICOM));
    let names: Vec<_> = pkcs1.elements().map(|e| &*e.local).collect();
    assert_eq!(names, ["SignatureValue", "X509Certificate"]);
    bench.finish().await;
}

/// AP_TransID of 39 characters, version 1/2, userLang twice, MobileUser in MSS_StatusReq; it compares AP_TransID and MSISDN of
/// the answer with its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swisscoms_soap_client_gets_what_it_sent() {
    let bench = Bench::start().await;
    let ap = swisscom();
    let mut connection = Connection::open(&bench).await;
    let id = "ID-5ec09a79-9ee7-460b-ad82-2d128f98a7b0";
    let number = BEN.trim_start_matches('+');
    let language = format!(
        "<mss:Service><mss:Description><mss:mssURI>{FICOM}userLang</mss:mssURI></mss:Description><fi:UserLang>en</fi:UserLang>\
         </mss:Service>"
    );
    let body = format!(
        "{}{}<mss:AdditionalServices>{language}{language}</mss:AdditionalServices>",
        ap.head(id),
        to_sign(number, "http://mid.swisscom.ch/Any-LoA4", "")
    );
    let asynch = " MessagingMode=\"asynchClientServer\" TimeOut=\"80\"";
    let request = ap.jax_ws("MSS_Signature", "MSS_SignatureReq", asynch, &body);
    let first = connection.jax_ws(&request).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(attribute(&first, "AP_Info", "AP_TransID"), id);
    assert_eq!(attribute(&first, "MSS_SignatureResp", "MinorVersion"), "2");
    assert_eq!(text(&first, "MSISDN"), number);
    assert_eq!(
        text(&first, "mssURI"),
        "http://mid.swisscom.ch/STK-LoA4",
        "the profile that is used"
    );
    let trans = attribute(&first, "MSS_SignatureResp", "MSSP_TransID");
    bench.idle().await;
    let body = ap.head("ID-2") + &user(number);
    let about = format!(" MSSP_TransID=\"{trans}\"");
    let query = ap.jax_ws("MSS_StatusQuery", "MSS_StatusReq", &about, &body);
    let last = connection.jax_ws(&query).await;
    assert_eq!(attribute(&last, "StatusCode", "Value"), "500");
    assert_eq!(text(&last, "MSISDN"), number);
    assert!(!text(&last, "Base64Signature").is_empty());
    bench.finish().await;
}

/// It casts the only child of StatusDetail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swisscoms_soap_client_finds_one_extension_in_status_detail() {
    let bench = Bench::start().await;
    let ap = swisscom();
    let mut connection = Connection::open(&bench).await;
    let body = format!(
        "{}{}<mss:Params>sscds state certs pinstatus rcstatus aastatus carddetails</mss:Params>",
        ap.head("ID-1"),
        user(BEN)
    );
    let query = ap.jax_ws("MSS_ProfileQuery", "MSS_ProfileReq", "", &body);
    let profile = connection.jax_ws(&query).await;
    assert_eq!(attribute(&profile, "StatusCode", "Value"), "100");
    let detail = find(&profile, "StatusDetail").unwrap();
    let below: Vec<_> = detail.elements().collect();
    assert_eq!(below.len(), 1);
    assert_eq!(below[0].local, "ProfileQueryExtension");
    bench.finish().await;
}

/// It waits for the user, and casts the only child of StatusDetail here, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swisscoms_soap_client_hears_what_the_user_did_with_a_receipt() {
    let bench = Bench::start().await;
    let ap = swisscom();
    let mut connection = Connection::open(&bench).await;
    let asynch = " MessagingMode=\"asynchClientServer\" TimeOut=\"80\"";
    let body = ap.head("ID-1") + &to_sign(BEN, "http://mid.swisscom.ch/Any-LoA4", "");
    let request = ap.jax_ws("MSS_Signature", "MSS_SignatureReq", asynch, &body);
    let first = connection.jax_ws(&request).await;
    let trans = attribute(&first, "MSS_SignatureResp", "MSSP_TransID");
    bench.idle().await;
    let body = format!(
        "{}{}<mss:Status><mss:StatusCode Value=\"100\"/><mss:StatusDetail>\
         <sco:ReceiptRequestExtension xmlns:sco=\"http://www.swisscom.ch/TS102204/ext/v1.0.0\" \
         ReceiptMessagingMode=\"synch\" UserAck=\"true\"><sco:ReceiptProfile Language=\"en\"><sco:ReceiptProfileURI>\
         http://mss.swisscom.ch/synch</sco:ReceiptProfileURI></sco:ReceiptProfile></sco:ReceiptRequestExtension>\
         </mss:StatusDetail></mss:Status><mss:Message MimeType=\"text/plain\" Encoding=\"UTF-8\">You are in, Zoë</mss:Message>",
        ap.head("ID-2"),
        user(BEN)
    );
    let about = format!(" MSSP_TransID=\"{trans}\"");
    let receipt = ap.jax_ws("MSS_Receipt", "MSS_ReceiptReq", &about, &body);
    let reply = connection.jax_ws(&receipt).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(attribute(&reply, "StatusCode", "Value"), "100");
    let detail = find(&reply, "StatusDetail").unwrap();
    let below: Vec<_> = detail.elements().collect();
    assert_eq!(below.len(), 1);
    let acks = ["NetworkAck", "ClientAck", "UserAck"].map(|name| below[0].attribute(None, name));
    assert_eq!(acks, [Some("true"); 3]);
    let response = below[0].attribute(None, "UserResponse");
    assert_eq!(response, Some("{\"status\":\"OK\"}"));
    bench.idle().await;
    // The text stood on the handset, in the trace of its signature.
    let lines = bench.lines(&trans);
    let shown = lines
        .iter()
        .any(|line| line.to == "User" && format!("{:?}", line.fields).contains("You are in, Zoë"));
    assert!(shown, "{}", outline(&lines));
    bench.finish().await;
}

/// Without Detail it forgets the number; a detail with " SSL " it takes for a failure of TLS. It wants HTTP 500.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swisscoms_soap_client_keeps_the_number_of_every_fault() {
    let bench = Bench::start().await;
    let ap = swisscom();
    let mut connection = Connection::open(&bench).await;
    let published = [
        101, 102, 103, 104, 105, 107, 108, 109, 208, 209, 401, 402, 403, 404, 406, 422, 900,
    ];
    let asynch = " MessagingMode=\"asynchClientServer\" TimeOut=\"80\"";
    let mut reasons = BTreeSet::new();
    for number in published {
        let profile = "http://mid.swisscom.ch/Any-LoA4";
        let body =
            ap.head(&format!("ID-{number}")) + &to_sign(&format!("41000092{number}"), profile, "");
        let request = ap.jax_ws("MSS_Signature", "MSS_SignatureReq", asynch, &body);
        let reply = connection.jax_ws(&request).await;
        assert_eq!(reply.status, 500);
        assert_eq!(levels(&reply), [format!("_{number}")]);
        let detail = find(&reply, "Detail").unwrap();
        let detail = detail.elements().next().unwrap().text().into_owned();
        assert!(!detail.is_empty() && !detail.contains(" SSL "), "{detail}");
        reasons.insert(text(&reply, "Text"));
    }
    assert_eq!(reasons.len(), published.len());
    bench.finish().await;
}

/// A client that asks before it sends its body is told to go on, and only then sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_expects_100_is_told_to_continue() {
    let bench = Bench::start().await;
    let ap = laverca("http://midsim.test/ap");
    let body = ap.head("A1") + &user(BEN);
    let body = ap.laverca("MSS_ProfileQuery", "MSS_ProfileReq", "", &body);
    let mut connection = Connection::open(&bench).await;
    let head = format!(
        "POST /soap HTTP/1.1\r\nHost: {}\r\nContent-Type: application/soap+xml; charset=UTF-8\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        connection.host,
        body.len()
    );
    connection.write(head.as_bytes()).await;
    assert!(connection.head().await.starts_with("http/1.1 100 "));
    connection.write(body.as_bytes()).await;
    assert_eq!(connection.reply().await.status, 200);
    bench.finish().await;
}
