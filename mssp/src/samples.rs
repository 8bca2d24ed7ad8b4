//! Requests in the shapes that three kinds of client write, and a way to look into answers.

use crate::{
    operation::Operation,
    soap::{MSS, Shape, Version},
    xml::{Element, Writer, parse},
};

/// Namespace that JAX-WS clients generated from the usual WSDL put the wrapper in.
pub(crate) const WSDL_NS: &str = "http://uri.etsi.org/TS102204/etsi204-kiuru.wsdl";

/// The shapes of: a Python client made from the WSDL; a Java client with its own bindings; JAX-WS.
pub(crate) fn shapes() -> [Shape; 3] {
    let shape = |wrapper: Option<&str>, part: Option<&str>| Shape {
        version: Version::V1_2,
        wrapper: wrapper.map(str::to_owned),
        part: part.map(str::to_owned),
        roaming: None,
    };
    [
        shape(None, None),
        shape(None, Some(MSS)),
        shape(Some(WSDL_NS), None),
    ]
}

/// A signature request, each line of it replaceable by a test.
pub(crate) struct SignatureRequest {
    pub(crate) shape: Shape,
    pub(crate) version: (&'static str, &'static str),
    pub(crate) mode: String,
    pub(crate) ap_id: String,
    pub(crate) ap_pwd: Option<String>,
    pub(crate) ap_trans_id: String,
    pub(crate) instant: String,
    pub(crate) ap_url: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) validity_date: Option<String>,
    pub(crate) msisdn: Option<String>,
    pub(crate) text: String,
    pub(crate) mime: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) format: Option<String>,
    /// More children of the message, written as they are.
    pub(crate) more: &'static [(&'static str, &'static str)],
}

impl Default for SignatureRequest {
    fn default() -> Self {
        Self {
            shape: Shape::default(),
            version: ("1", "1"),
            mode: "asynchClientServer".into(),
            ap_id: "http://midsim.test/ap".into(),
            ap_pwd: Some("midsim-ap".into()),
            ap_trans_id: "A1".into(),
            instant: "2026-11-22T10:30:00Z".into(),
            ap_url: None,
            timeout: None,
            validity_date: None,
            msisdn: Some("+447700900002".into()),
            text: "Log in to Example Bank?".into(),
            mime: Some("text/plain".into()),
            encoding: Some("UTF-8".into()),
            profile: Some("http://uri.gsma.com/mobileconnect/LoA3".into()),
            format: None,
            more: &[],
        }
    }
}

impl SignatureRequest {
    pub(crate) fn to_xml(&self) -> String {
        self.shape
            .envelope("MSS_Signature", "MSS_SignatureReq", |w| {
                w.attribute("MajorVersion", self.version.0)
                    .attribute("MinorVersion", self.version.1)
                    .attribute("MessagingMode", &self.mode)
                    .optional_attribute("TimeOut", self.timeout.as_deref())
                    .optional_attribute("ValidityDate", self.validity_date.as_deref());
                self.head(w);
                w.open("mss:MobileUser")
                    .optional_leaf("mss:MSISDN", self.msisdn.as_deref())
                    .close();
                w.open("mss:DataToBeSigned")
                    .optional_attribute("MimeType", self.mime.as_deref())
                    .optional_attribute("Encoding", self.encoding.as_deref())
                    .text(&self.text)
                    .close();
                for (name, uri) in [
                    ("mss:SignatureProfile", &self.profile),
                    ("mss:MSS_Format", &self.format),
                ] {
                    if let Some(uri) = uri {
                        w.open(name).leaf("mss:mssURI", uri).close();
                    }
                }
                for (name, text) in self.more {
                    w.leaf(name, text);
                }
            })
    }

    /// A status request of the same client.
    pub(crate) fn status(&self, mssp_trans_id: &str) -> String {
        self.shape
            .envelope("MSS_StatusQuery", "MSS_StatusReq", |w| {
                w.attribute("MajorVersion", self.version.0)
                    .attribute("MinorVersion", self.version.1)
                    .attribute("MSSP_TransID", mssp_trans_id);
                self.head(w);
            })
    }

    fn head(&self, w: &mut Writer) {
        w.open("mss:AP_Info")
            .attribute("AP_ID", &self.ap_id)
            .attribute("AP_TransID", &self.ap_trans_id)
            .optional_attribute("AP_PWD", self.ap_pwd.as_deref())
            .attribute("Instant", &self.instant)
            .optional_attribute("AP_URL", self.ap_url.as_deref())
            .close()
            .open("mss:MSSP_Info")
            .leaf("mss:MSSP_ID", "")
            .close();
    }
}

/// The first element of that local name, at any depth.
pub(crate) fn find<'a, 'd>(root: &'a Element<'d>, local: &str) -> Option<&'a Element<'d>> {
    if root.local == local {
        return Some(root);
    }
    root.elements().find_map(|below| find(below, local))
}

/// What a client sees of a fault: env:Code, subcode, reason, detail.
pub(crate) fn fault_of(document: &[u8]) -> (String, String, String, String) {
    let root = parse(document).unwrap();
    let code = find(&root, "Code").expect("a fault");
    let value = |e: &Element| find(e, "Value").unwrap().text().into_owned();
    (
        value(code),
        value(find(code, "Subcode").unwrap()),
        find(&root, "Text").unwrap().text().into_owned(),
        find(&root, "Detail")
            .unwrap()
            .elements()
            .next()
            .unwrap()
            .text()
            .into_owned(),
    )
}

/// A request of another operation than MSS_Signature, from the AP of [`SignatureRequest`]: `attributes` of the message and
/// what follows its head, as it is written.
pub(crate) struct Request {
    pub(crate) operation: Operation,
    pub(crate) from: SignatureRequest,
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(operation: Operation, body: impl Into<String>) -> Self {
        Self {
            operation,
            from: SignatureRequest::default(),
            attributes: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn to_xml(&self) -> String {
        let shape = &self.from.shape;
        let (wrapper, part) = (self.operation.name(), self.operation.request());
        let whole = shape.envelope(wrapper, part, |w| {
            w.attribute("MajorVersion", self.from.version.0)
                .attribute("MinorVersion", self.from.version.1);
            for (name, value) in &self.attributes {
                w.attribute(name, value);
            }
            self.from.head(w);
            w.leaf("mss:BODY", "");
        });
        whole.replace("<mss:BODY></mss:BODY>", &self.body)
    }

    pub(crate) fn receipt(mssp_trans_id: &str, message: &str) -> Self {
        let body = format!("{USER}<mss:Message>{message}</mss:Message>");
        Self {
            attributes: vec![("MSSP_TransID", mssp_trans_id.to_owned())],
            ..Self::new(Operation::Receipt, body)
        }
    }

    pub(crate) fn handshake() -> Self {
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
        Self::new(Operation::Handshake, body)
    }
}

/// MobileUser of [`SignatureRequest`].
pub(crate) const USER: &str =
    "<mss:MobileUser><mss:MSISDN>+447700900002</mss:MSISDN></mss:MobileUser>";
