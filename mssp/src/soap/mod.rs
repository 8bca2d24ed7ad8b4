//! SOAP 1.2 (W3C), as TS 102 204 §10 binds to it: rpc style, literal use, over HTTP POST. SOAP 1.1 is understood too.
//!
//! Clients disagree about which namespaces the wrapper and the part stand in, and each accepts only its own reading in
//! the answer. So a [`Call`] remembers the [`Shape`] of the request and the answer mirrors it.

mod fault;
mod roaming;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use fault::{Cause, Fault};
pub use roaming::Roaming;

use crate::{
    code::Code,
    operation::Operation,
    rest,
    xml::{self, Element, Writer},
};

/// Namespace of the TS 102 204 messages; the name stayed at version 1.1.2.
pub const MSS: &str = "http://uri.etsi.org/TS102204/v1.1.2#";
/// Namespace of what this MSSP adds in fault details and status details.
pub const MIDSIM: &str = "http://midsim.test/mssp";

/// A version of SOAP, or the JSON that stands for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Version {
    /// SOAP 1.1.
    V1_1,
    /// SOAP 1.2, the one TS 102 204 names.
    #[default]
    V1_2,
    /// None: the JSON twin of the interface, module `rest`.
    Json,
}

impl Version {
    /// The envelope's namespace; the JSON twin is made of the newer one.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::V1_1 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V1_2 | Self::Json => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The media type of a message, for the Content-Type header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::V1_1 => "text/xml; charset=utf-8",
            Self::V1_2 => "application/soap+xml; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// An envelope as it goes out.
    pub(crate) fn finish(self, envelope: String) -> String {
        match self {
            Self::V1_1 | Self::V1_2 => envelope,
            Self::Json => rest::from_envelope(&envelope),
        }
    }

    fn from_namespace(ns: Option<&str>) -> Option<Self> {
        [Self::V1_2, Self::V1_1]
            .into_iter()
            .find(|v| ns == Some(v.namespace()))
    }
}

/// How a peer writes its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// SOAP version.
    pub version: Version,
    /// Namespace of the wrapper (the child of Body).
    pub wrapper: Option<String>,
    /// Namespace of the part (the child of the wrapper).
    pub part: Option<String>,
    /// The RoamingHeader that answers carry again, see [`Roaming::block`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roaming: Option<String>,
}

impl Shape {
    /// Writes an envelope with one wrapper and one part of this shape. `content` adds the part's attributes and
    /// children; prefix `mss` is declared for it.
    pub fn envelope(&self, wrapper: &str, part: &str, content: impl FnOnce(&mut Writer)) -> String {
        let mut w = Writer::new();
        open_envelope(&mut w, self.version, self.roaming.as_deref());
        open_mirrored(&mut w, self.wrapper.as_deref(), "op", wrapper);
        open_mirrored(&mut w, self.part.as_deref(), "part", part);
        content(&mut w);
        self.version.finish(w.finish())
    }
}

impl From<Version> for Shape {
    /// A shape of which nothing but the version is known.
    fn from(version: Version) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }
}

impl Shape {
    /// The answer to a call of this shape.
    pub fn answer(&self, operation: Operation, content: impl FnOnce(&mut Writer)) -> String {
        self.envelope(operation.response_wrapper(), operation.response(), content)
    }
}

/// A request, or the answer to one: one wrapper with one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'d> {
    /// How it was written.
    pub shape: Shape,
    /// The wrapper's local name: the operation.
    pub operation: String,
    /// The wrapper's only child: the message.
    pub part: Element<'d>,
    /// The way it came through the mesh, if it did.
    pub roaming: Option<Roaming>,
}

/// An envelope that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is known of how the answer has to be written: version and RoamingHeader.
    pub shape: Box<Shape>,
    /// What to answer.
    pub fault: Fault,
}

impl<'d> Call<'d> {
    /// Reads an envelope.
    ///
    /// # Errors
    /// A [`Refusal`] with the fault that SOAP or TS 102 204 wants for it. A well-formed envelope with a fault in it
    /// is refused as well: nobody calls with one.
    pub fn parse(document: &'d [u8]) -> Result<Self, Refusal> {
        let root = xml::parse(document).map_err(|e| Refusal {
            shape: Box::default(),
            fault: Fault::new(
                Code::WRONG_PARAM,
                format!("the message is not XML that is read here: {e}"),
            ),
        })?;
        let version = version_of(&root)?;
        let mut shape = Shape::from(version);
        Self::from_envelope(root, &mut shape).map_err(|fault| Refusal {
            shape: Box::new(shape),
            fault,
        })
    }

    /// What is learned of the shape stays in `shape`, even if nothing comes of the call.
    fn from_envelope(root: Element<'d>, shape: &mut Shape) -> Result<Self, Fault> {
        let env = Some(shape.version.namespace());
        let mut roaming = None;
        if let Some(header) = root.elements().next().filter(|e| e.is(env, "Header")) {
            let (found, not_understood) = check_header(&root, header, shape.version)?;
            shape.roaming = found.as_ref().map(|roaming| roaming.block.clone());
            roaming = found;
            if let Some(fault) = not_understood {
                return Err(fault);
            }
        }
        let body = body_of(&root, shape.version)?;
        let wrapper = only_child(body, "Body")?;
        if wrapper.is(env, "Fault") {
            return Err(wrong(format!(
                "a fault, not a call: {}",
                wrapper_text(wrapper)
            )));
        }
        if wrapper.local.ends_with("Req") {
            return Err(wrong(format!(
                "{} stands directly in Body; the binding is rpc/literal, so put it into the element of its \
                 operation, like MSS_SignatureReq into MSS_Signature",
                wrapper.local
            )));
        }
        let part = only_child(wrapper, &wrapper.local)?;
        shape.wrapper = wrapper.ns.as_deref().map(str::to_owned);
        shape.part = part.ns.as_deref().map(str::to_owned);
        let operation = wrapper.local.clone().into_owned();
        let body = root.into_elements().find(|e| e.is(env, "Body"));
        // Body and wrapper hold their only element.
        let only = |element: Element<'d>| element.into_elements().next();
        let part = body.and_then(only).and_then(only);
        Ok(Self {
            shape: shape.clone(),
            part: part.ok_or_else(|| wrong(format!("{operation} holds nothing")))?,
            operation,
            roaming,
        })
    }
}

/// The Body of an envelope that may have a Header before it and, in SOAP 1.1 (§4), elements of other namespaces after it.
/// Those say nothing here.
fn body_of<'a>(root: &'a Element<'a>, version: Version) -> Result<&'a Element<'a>, Fault> {
    let env = Some(version.namespace());
    let may_follow = |e: &Element<'_>| {
        version == Version::V1_1 && e.ns.as_deref().is_some_and(|ns| Some(ns) != env)
    };
    let mut below = root.elements().peekable();
    below.next_if(|e| e.is(env, "Header"));
    match below.next_if(|e| e.is(env, "Body")) {
        Some(body) if below.all(may_follow) && root.has_only_elements() => Ok(body),
        _ => Err(wrong(match version {
            Version::V1_1 => {
                "an Envelope holds an optional Header, then one Body, then only elements of other namespaces"
            }
            Version::V1_2 | Version::Json => {
                "an Envelope holds an optional Header and then one Body, nothing else"
            }
        })),
    }
}

fn version_of(root: &Element) -> Result<Version, Refusal> {
    let refuse = |fault| Refusal {
        shape: Box::default(),
        fault,
    };
    if root.local != "Envelope" {
        return Err(refuse(wrong(format!(
            "the root element is {}, expected a SOAP Envelope",
            root.local
        ))));
    }
    Version::from_namespace(root.ns.as_deref()).ok_or_else(|| {
        refuse(Fault {
            code: Code::INCOMPATIBLE_INTERFACE,
            cause: Cause::VersionMismatch,
            detail: format!(
                "the Envelope is in namespace {:?}, expected {:?}",
                root.ns.as_deref().unwrap_or_default(),
                Version::V1_2.namespace()
            ),
            second: 0,
        })
    })
}

/// SOAP 1.2 Part 1 §2.4: a mandatory header block that is meant for us has to be understood. RoamingHeader is, and is read
/// whether it is mandatory or not. The fault beside it is about blocks that are not understood.
fn check_header(
    root: &Element,
    header: &Element,
    version: Version,
) -> Result<(Option<Roaming>, Option<Fault>), Fault> {
    let env = Some(version.namespace());
    let role = match version {
        Version::V1_1 => "actor",
        Version::V1_2 | Version::Json => "role",
    };
    let mut unknown = Vec::new();
    let mut roaming = None;
    for block in header.elements() {
        let for_us = match block.attribute(env, role) {
            None | Some("") => true,
            Some(role) => {
                role.ends_with("/next")
                    || role.ends_with("/ultimateReceiver")
                    || Roaming::is_our_role(role)
            }
        };
        let mandatory = match block.attribute(env, "mustUnderstand") {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => {
                return Err(wrong(format!("mustUnderstand={other:?} is not a boolean")));
            }
        };
        if for_us && Roaming::is(block) {
            if roaming.is_some() {
                return Err(wrong("RoamingHeader stands twice"));
            }
            roaming = Some(Roaming::parse(block, &[root, header])?);
        } else if for_us && mandatory {
            let ns = block.ns.as_deref().unwrap_or_default();
            unknown.push((ns.to_owned(), block.local.clone().into_owned()));
        }
    }
    let not_understood = unknown.first().map(|(ns, local)| Fault {
        code: Code::WRONG_PARAM,
        detail: format!("header block {{{ns}}}{local} is mandatory and not understood"),
        cause: Cause::MustUnderstand(unknown.clone()),
        second: 0,
    });
    Ok((roaming, not_understood))
}

fn only_child<'a>(parent: &'a Element<'a>, name: &str) -> Result<&'a Element<'a>, Fault> {
    let mut below = parent.elements();
    match (below.next(), below.next()) {
        (Some(only), None) if parent.has_only_elements() => Ok(only),
        (first, second) => Err(wrong(format!(
            "{name} holds exactly one element and no text, got {}",
            match (first, second) {
                (None, _) => "none",
                (Some(_), None) => "text",
                (Some(_), Some(_)) => "several",
            }
        ))),
    }
}

/// All text of a fault, for people.
fn wrapper_text(fault: &Element) -> String {
    let mut words = Vec::new();
    let mut stack = vec![fault];
    while let Some(element) = stack.pop() {
        let text = element.text();
        if !text.trim().is_empty() {
            words.push(text.trim().to_owned());
        }
        let mut below: Vec<_> = element.elements().collect();
        below.reverse();
        stack.extend(below);
    }
    words.join(" / ").chars().take(200).collect()
}

fn wrong(detail: impl Into<String>) -> Fault {
    Fault::new(Code::WRONG_PARAM, detail)
}

fn open_envelope(w: &mut Writer, version: Version, roaming: Option<&str>) {
    w.open("env:Envelope")
        .attribute("xmlns:env", version.namespace())
        .attribute("xmlns:mss", MSS);
    if let Some(block) = roaming {
        w.open("env:Header").embed(block).close();
    }
    w.open("env:Body");
}

/// Opens `local` in a namespace that is only known when it is written.
fn open_mirrored(w: &mut Writer, ns: Option<&str>, prefix: &str, local: &str) {
    match ns {
        None => {
            w.open(local);
        }
        Some(MSS) => {
            w.open(&format!("mss:{local}"));
        }
        // Namespaces in XML 1.0 §3: bound to this prefix, and to no other.
        Some("http://www.w3.org/XML/1998/namespace") => {
            w.open(&format!("xml:{local}"));
        }
        Some(other) => {
            w.open(&format!("{prefix}:{local}"))
                .attribute(&format!("xmlns:{prefix}"), other);
        }
    }
}
