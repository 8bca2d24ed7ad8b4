//! RoamingHeader (TS 102 207): the header block of a request that came through a mesh of providers. Each hop adds an entry
//! with the time it allows; the answer goes back the same way and carries the block again.
//!
//! The standard's schema has several versions in use, so names are looked at and not namespaces of versions, and whatever
//! else is in the block comes back as it was.

use jiff::{SignedDuration, Timestamp};

use super::{MSS, Version, open_mirrored, wrong};
use crate::{
    code::Code,
    soap::Fault,
    xml::{Element, Node, Writer, is_white},
};

/// What the namespaces of all versions begin with.
const NAMESPACE: &str = "http://uri.etsi.org/TS102207/";
/// Octets of the largest block that is taken.
const MAX_OCTETS: usize = 16 * 1024;
/// Roles of the mesh that this MSSP plays: the AP's entry, and the home of the user.
const ROLES: [&str; 2] = ["#role_AcquiringEntity", "#role_HomeMSSP"];

/// A RoamingHeader that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roaming {
    /// The block, written again for the answer: prefixes `env` and `mss` are declared outside.
    pub block: String,
    /// RoamingHeaderEntry: how many hops it came over.
    pub entries: usize,
    /// The URI of the last hop.
    pub sender: Option<String>,
    /// When the first of the hops gives up.
    pub expires: Option<Timestamp>,
}

impl Roaming {
    /// Whether this is the block.
    pub(super) fn is(block: &Element) -> bool {
        block.local == "RoamingHeader"
            && block
                .ns
                .as_deref()
                .is_some_and(|ns| ns.starts_with(NAMESPACE))
    }

    /// Whether a header block with this role is for us, as a member of the mesh.
    pub(super) fn is_our_role(role: &str) -> bool {
        role.starts_with(NAMESPACE) && ROLES.iter().any(|ours| role.ends_with(ours))
    }

    /// # Errors
    /// 101 if it is too large or its times are none, 710 if it has no entry.
    pub(super) fn parse(block: &Element, version: Version) -> Result<Self, Fault> {
        let mut w = Writer::fragment();
        write(&mut w, block, version);
        let written = w.finish();
        if written.len() > MAX_OCTETS {
            return Err(wrong(format!(
                "RoamingHeader has {} octets, at most {MAX_OCTETS} are taken",
                written.len()
            )));
        }
        let entries: Vec<_> = block
            .elements()
            .filter(|entry| entry.local == "RoamingHeaderEntry")
            .collect();
        let Some(last) = entries.last() else {
            return Err(Fault::new(
                Code::INPUT_INFORMATION_MISSING,
                "RoamingHeader has no RoamingHeaderEntry",
            ));
        };
        let mut expires: Option<Timestamp> = None;
        for entry in &entries {
            if let Some(end) = end(entry)? {
                expires = Some(expires.map_or(end, |first| first.min(end)));
            }
        }
        Ok(Self {
            block: written,
            entries: entries.len(),
            sender: find(last, "RE_Sender")
                .and_then(|sender| find(sender, "URI"))
                .map(|uri| uri.text().trim_matches(is_white).to_owned()),
            expires,
        })
    }

    /// # Errors
    /// 720.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Fault> {
        match self.expires {
            Some(end) if end <= now => Err(Fault::new(
                Code::VALIDITY_DATE_EXPIRED,
                format!("a hop of the RoamingHeader gave up at {end:.0}; it is {now:.0}"),
            )),
            _ => Ok(()),
        }
    }
}

/// Instant and TimeOut of one entry.
fn end(entry: &Element) -> Result<Option<Timestamp>, Fault> {
    let Some(info) = find(entry, "RE_SenderInfo") else {
        return Ok(None);
    };
    let (Some(instant), Some(timeout)) = (value(info, "Instant"), value(info, "TimeOut")) else {
        return Ok(None);
    };
    let instant: Timestamp = instant.parse().map_err(|_| {
        wrong(format!(
            "Instant of RE_SenderInfo is {instant:?}, expected a date and time"
        ))
    })?;
    let timeout = timeout
        .parse()
        .ok()
        .filter(|seconds| (0..=31_536_000).contains(seconds))
        .ok_or_else(|| {
            wrong(format!(
                "TimeOut of RE_SenderInfo is {timeout:?}, expected seconds"
            ))
        })?;
    Ok(instant.checked_add(SignedDuration::from_secs(timeout)).ok())
}

/// An attribute, or a child's text.
fn value(element: &Element, name: &str) -> Option<String> {
    let attribute = element.attribute(None, name).map(str::to_owned);
    attribute
        .or_else(|| find(element, name).map(|child| child.text().into_owned()))
        .map(|text| text.trim_matches(is_white).to_owned())
}

fn find<'a>(element: &'a Element, local: &str) -> Option<&'a Element> {
    element
        .elements()
        .find_map(|child| match child.local == local {
            true => Some(child),
            false => find(child, local),
        })
}

/// Writes what was read: the same elements in the same namespaces, with prefixes of ours.
fn write(w: &mut Writer, element: &Element, version: Version) {
    open_mirrored(w, element.ns.as_deref(), "h", &element.local);
    for (n, attribute) in element.attributes.iter().enumerate() {
        match attribute.ns.as_deref() {
            None => w.attribute(&attribute.local, &attribute.value),
            Some(ns) if ns == version.namespace() => {
                w.attribute(&format!("env:{}", attribute.local), &attribute.value)
            }
            Some(MSS) => w.attribute(&format!("mss:{}", attribute.local), &attribute.value),
            Some("http://www.w3.org/XML/1998/namespace") => {
                w.attribute(&format!("xml:{}", attribute.local), &attribute.value)
            }
            Some(other) => w
                .attribute(&format!("xmlns:a{n}"), other)
                .attribute(&format!("a{n}:{}", attribute.local), &attribute.value),
        };
    }
    for child in &element.children {
        match child {
            Node::Element(child) => write(w, child, version),
            Node::Text(text) => {
                w.text(text);
            }
        }
    }
    w.close();
}
