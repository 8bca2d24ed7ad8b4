//! The JSON twin of the SOAP interface, as deployments behind the same product offer it: the same messages, all values
//! strings, attributes as members, mssURIs as plain strings, AP_PWD not repeated.
//!
//! A request becomes the [`Call`] that its SOAP twin would be, and an answer is made of its SOAP twin; so there is one
//! service behind two faces. The standard does not know this interface.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use crate::{
    code::Code,
    dialect::FICOM,
    operation::Operation,
    soap::{Call, Fault, MSS, Refusal, Shape, Version},
    xml::{self, Attribute, Element, MAX_DEPTH, MAX_NODES, MAX_OCTETS, Node},
};

/// Where the interface is; the operation may be named below it (`/sign`, `/status`, …), the message decides.
pub(crate) const PATH: &str = "/rest/service";

/// Members that are attributes of the SOAP twin, wherever they stand.
const ATTRIBUTES: [&str; 20] = [
    "MajorVersion",
    "MinorVersion",
    "MessagingMode",
    "TimeOut",
    "ValidityDate",
    "MSSP_TransID",
    "AP_ID",
    "AP_PWD",
    "AP_TransID",
    "AP_URL",
    "Instant",
    "MimeType",
    "Encoding",
    "ReceiptMessagingMode",
    "NetworkAck",
    "ClientAck",
    "UserAck",
    "UserResponse",
    "Language",
    "RetryTimeOut",
];
/// Elements that hold one mssURI and are plain strings here.
const URIS: [&str; 3] = ["SignatureProfile", "MSS_Format", "Description"];
const RECEIPT_EXTENSION: &str = "http://www.swisscom.ch/TS102204/ext/v1.0.0";

/// Reads a request.
///
/// # Errors
/// The fault for what is no request.
pub(crate) fn parse(document: &[u8]) -> Result<Call<'static>, Refusal> {
    read(document, false).map_err(|detail| Refusal {
        shape: Box::new(Version::Json.into()),
        fault: Fault::new(Code::WRONG_PARAM, detail),
    })
}

/// Reads a request, an answer or a fault, for whoever shows it.
pub(crate) fn parse_any(document: &[u8]) -> Result<Call<'static>, Refusal> {
    read(document, true).map_err(|detail| Refusal {
        shape: Box::new(Version::Json.into()),
        fault: Fault::new(Code::WRONG_PARAM, detail),
    })
}

fn read(document: &[u8], answers_too: bool) -> Result<Call<'static>, String> {
    if document.len() > MAX_OCTETS {
        return Err(format!("the message is larger than {MAX_OCTETS} octets"));
    }
    let Distinct(value) = serde_json::from_slice(document)
        .map_err(|e| format!("the message is not JSON that is read here: {e}"))?;
    let Value::Object(members) = value else {
        return Err("the message is no JSON object".to_owned());
    };
    let mut members = members.into_iter();
    let (Some((name, content @ Value::Object(_))), None) = (members.next(), members.next()) else {
        return Err("the message holds one object, such as MSS_SignatureReq".to_owned());
    };
    let operation = Operation::of_request(&name);
    if operation.is_none() && !answers_too {
        let known: Vec<_> = Operation::ALL.iter().map(|one| one.request()).collect();
        return Err(format!(
            "{name} is no request; those are {}",
            known.join(", ")
        ));
    }
    let mut nodes = 0;
    let part = element(&name, content, MSS, 0, &mut nodes)?;
    Ok(Call {
        shape: Shape {
            version: Version::Json,
            part: Some(MSS.to_owned()),
            ..Shape::default()
        },
        operation: operation.map_or("", Operation::name).to_owned(),
        part,
        roaming: None,
    })
}

/// A value in whose objects no name stands twice: two readers of one that does may see different messages.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor).map(Self)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Distinct(value)) = values.next_element()? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                let name: String = name.chars().take(40).collect();
                return Err(A::Error::custom(format!("member {name:?} stands twice")));
            }
            let Distinct(value) = members.next_value()?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

fn element(
    name: &str,
    value: Value,
    ns: &str,
    depth: usize,
    nodes: &mut usize,
) -> Result<Element<'static>, String> {
    *nodes += 1;
    if *nodes > MAX_NODES || depth > MAX_DEPTH {
        return Err(format!(
            "the message has more than {MAX_NODES} values, or nests deeper than {MAX_DEPTH}"
        ));
    }
    if !xml::is_nc_name(name) {
        return Err(format!(
            "{:?} is no name",
            name.chars().take(40).collect::<String>()
        ));
    }
    let mut made = Element {
        ns: Some(ns.into()),
        local: name.to_owned().into(),
        prefix: Cow::Borrowed(""),
        attributes: Vec::new(),
        declared: Vec::new(),
        children: Vec::new(),
    };
    let mut below = |name: &str, value, ns: &str, made: &mut Element<'static>| {
        let child = element(name, value, ns, depth + 1, nodes)?;
        made.children.push(Node::Element(child));
        Ok::<_, String>(())
    };
    match value {
        Value::Null => return Err(format!("{name} is null, expected a value")),
        Value::Array(services) if name == "AdditionalServices" => {
            for service in services {
                below("Service", service, ns, &mut made)?;
            }
        }
        Value::Array(_) => return Err(format!("{name} is a list, expected one value")),
        Value::Object(members) => {
            // Serialisers write null for a member that is not there.
            for (key, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
                let is_attribute =
                    ATTRIBUTES.contains(&key.as_str()) || (key == "Value" && name == "StatusCode");
                if is_attribute {
                    made.attributes.push(Attribute {
                        ns: None,
                        value: scalar(&key, value)?.into(),
                        local: key.into(),
                    });
                    continue;
                }
                let ns = match key.as_str() {
                    "Description" | "Entity" => MSS,
                    "ReceiptRequestExtension" => RECEIPT_EXTENSION,
                    // What a service carries is of a schema of its own.
                    _ if name == "Service" => FICOM,
                    _ => ns,
                };
                match value {
                    value if key == "Data" || key == "Value" => {
                        made.children.push(Node::Text(scalar(&key, value)?.into()));
                    }
                    Value::Array(values) if key != "AdditionalServices" => {
                        for value in values {
                            below(&key, value, ns, &mut made)?;
                        }
                    }
                    value => below(&key, value, ns, &mut made)?,
                }
            }
        }
        value if URIS.contains(&name) => below("mssURI", value, ns, &mut made)?,
        value => made.children.push(Node::Text(scalar(name, value)?.into())),
    }
    if name.ends_with("Req") {
        in_schema_order(&mut made);
    }
    Ok(made)
}

/// JSON members have no order and one short name for a mode; the schema has both.
fn in_schema_order(message: &mut Element) {
    for attribute in &mut message.attributes {
        if attribute.local == "MessagingMode" && attribute.value == "asynch" {
            attribute.value = Cow::Borrowed("asynchClientServer");
        }
    }
    const ORDER: [&str; 12] = [
        "AP_Info",
        "MSSP_Info",
        "MobileUser",
        "DataToBeSigned",
        "DataToBeDisplayed",
        "SignatureProfile",
        "AdditionalServices",
        "MSS_Format",
        "KeyReference",
        "SignatureProfileComparison",
        "Status",
        "Message",
    ];
    let place = |node: &Node| match node {
        Node::Element(child) => ORDER.iter().position(|name| *name == child.local),
        Node::Text(_) => None,
    };
    message
        .children
        .sort_by_key(|node| place(node).unwrap_or(ORDER.len()));
}

fn scalar(name: &str, value: Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text,
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            return Err(format!("{name} is no string"));
        }
    };
    // XML could not carry it.
    match text.chars().find(|&c| !xml::is_char(c)) {
        Some(c) => Err(format!("{name} has character U+{:04X}", u32::from(c))),
        None => Ok(text),
    }
}

/// The JSON twin of an answer, which is an envelope of this MSSP.
pub(crate) fn from_envelope(envelope: &str) -> String {
    let message = xml::parse(envelope.as_bytes())
        .ok()
        .and_then(|root| twin(&root));
    // What this MSSP writes has a body with one call or one fault.
    message.unwrap_or_default().to_string()
}

fn twin(root: &Element) -> Option<Value> {
    let body = root.elements().find(|e| e.local == "Body")?;
    let inner = body.elements().next()?;
    if inner.local == "Fault" {
        return Some(fault(inner));
    }
    let part = inner.elements().next()?;
    let mut content = object(part);
    // What services have to say stands above the status.
    if let Some(status) = content.get_mut("Status").and_then(Value::as_object_mut)
        && let Some(detail) = status
            .get_mut("StatusDetail")
            .and_then(Value::as_object_mut)
        && let Some(services) = detail.remove("ServiceResponses")
    {
        if detail.is_empty() {
            status.remove("StatusDetail");
        }
        let list = match services {
            Value::Object(mut services) => services.remove("ServiceResponse"),
            other => Some(other),
        };
        let list = match list {
            Some(Value::Array(list)) => list,
            other => other.into_iter().collect(),
        };
        content.insert("ServiceResponses".to_owned(), Value::Array(list));
    }
    Some(json!({ &*part.local: content }))
}

fn object(element: &Element) -> Map<String, Value> {
    let mut members = Map::new();
    for attribute in element.attributes.iter().filter(|a| a.local != "AP_PWD") {
        // In PinStatus of the profile extension.
        let (name, value) = match &*attribute.local {
            "blocked" => ("Blocked", Value::Bool(attribute.value == "true")),
            name @ ("AutoActivation" | "RecoveryCodeCreated") => {
                (name, Value::Bool(attribute.value == "true"))
            }
            name => (name, Value::from(&*attribute.value)),
        };
        members.insert(name.to_owned(), value);
    }
    for child in element.elements() {
        let value = value(child);
        let is_list = child.local == "SignatureProfile" && element.local == "MSS_ProfileResp";
        match members.get_mut(&*child.local) {
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None if is_list => {
                members.insert(child.local.clone().into_owned(), Value::Array(vec![value]));
            }
            None => {
                members.insert(child.local.clone().into_owned(), value);
            }
        }
    }
    members
}

fn value(element: &Element) -> Value {
    let mut children = element.elements();
    match (children.next(), element.attributes.is_empty()) {
        (None, true) => Value::String(element.text().into_owned()),
        (Some(uri), true) if uri.local == "mssURI" && children.next().is_none() => {
            Value::String(uri.text().into_owned())
        }
        _ => Value::Object(object(element)),
    }
}

fn fault(element: &Element) -> Value {
    fn find<'a>(element: &'a Element<'a>, local: &str) -> Option<&'a Element<'a>> {
        element.elements().find_map(|below| {
            (below.local == local)
                .then_some(below)
                .or_else(|| find(below, local))
        })
    }
    let text = |local: &str| find(element, local).map(|e| e.text().into_owned());
    // Without its prefix, which JSON has no use for.
    let name = |e: &Element| {
        let text = e.text();
        text.rsplit(':').next().unwrap_or_default().to_owned()
    };
    let subcode = find(element, "Subcode");
    let value = |e: Option<&Element>| {
        e.and_then(|e| find(e, "Value"))
            .map(name)
            .unwrap_or_default()
    };
    let second = subcode
        .and_then(|subcode| find(subcode, "Subcode"))
        .map(|below| json!({ "Value": value(Some(below)), "ValueNs": FICOM }));
    let mut first = json!({ "Value": value(subcode), "ValueNs": MSS });
    if let (Some(second), Some(first)) = (second, first.as_object_mut()) {
        first.insert("SubCode".to_owned(), second);
    }
    let detail = find(element, "Detail")
        .and_then(|detail| detail.elements().next())
        .map(|detail| detail.text().into_owned());
    json!({ "Fault": {
        "Code": {
            "Value": value(find(element, "Code")),
            "ValueNs": Version::V1_2.namespace(),
            "SubCode": first,
        },
        "Reason": text("Text"),
        "Detail": detail,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_services_stand_above_the_status() {
        let envelope = "<e:Envelope xmlns:e='urn:e'><e:Body><w><MSS_StatusResp><Status><StatusCode Value='502'/>\
                        <StatusDetail><ServiceResponses><ServiceResponse><Description><mssURI>urn:s</mssURI></Description>\
                        </ServiceResponse></ServiceResponses></StatusDetail></Status></MSS_StatusResp></w></e:Body>\
                        </e:Envelope>";
        let twin: Value = serde_json::from_str(&from_envelope(envelope)).unwrap();
        assert_eq!(
            twin,
            json!({ "MSS_StatusResp": {
                "ServiceResponses": [{ "Description": "urn:s" }],
                "Status": { "StatusCode": { "Value": "502" } },
            } })
        );
    }
}
