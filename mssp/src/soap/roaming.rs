//! RoamingHeader (TS 102 207): the header block of a request that came through a mesh of providers. Each hop adds an entry
//! with the time it allows; the answer goes back the same way and carries the block again.
//!
//! The standard's schema has several versions in use, so names are looked at and not namespaces of versions, and whatever
//! else is in the block comes back as it was.

use jiff::{SignedDuration, Timestamp};

use super::wrong;
use crate::{
    code::Code,
    soap::Fault,
    xml::{Declaration, Element, Node, Writer, is_white},
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
    /// The block, written again for the answer, with all declarations that it stood under.
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

    /// `around` are the elements that it stands in, the outermost first: names in it go by their declarations.
    ///
    /// # Errors
    /// 101 if it is too large or its times are none, 710 if it has no entry.
    pub(super) fn parse(block: &Element, around: &[&Element]) -> Result<Self, Fault> {
        let mut w = Writer::fragment();
        write(&mut w, &on_its_own(block, around), &mut Vec::new());
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

fn find<'a>(element: &'a Element<'a>, local: &str) -> Option<&'a Element<'a>> {
    element
        .elements()
        .find_map(|child| match child.local == local {
            true => Some(child),
            false => find(child, local),
        })
}

/// The block with the declarations of what it stands in, as far as they are in force there. Which of them it needs cannot be
/// told: any value may be a qualified name.
fn on_its_own<'d>(block: &Element<'d>, around: &[&Element<'_>]) -> Element<'d> {
    let mut declared: Vec<Declaration> = Vec::new();
    for element in around.iter().chain([&block]) {
        for one in &element.declared {
            declared.retain(|outer| outer.prefix != one.prefix);
            declared.push(one.clone());
        }
    }
    declared.retain(|one| !one.ns.is_empty());
    Element {
        declared,
        ..block.clone()
    }
}

/// Writes what was read, prefixes and all. `scope` are the declarations in force around it, the innermost last.
fn write<'a>(w: &mut Writer, element: &'a Element<'a>, scope: &mut Vec<&'a Declaration>) {
    let outside = scope.len();
    scope.extend(&element.declared);
    w.open(&qualified(&element.prefix, &element.local));
    for Declaration { prefix, ns } in &element.declared {
        declare(w, prefix, ns);
    }
    for attribute in &element.attributes {
        let prefix = match attribute.ns.as_deref() {
            None => "",
            Some("http://www.w3.org/XML/1998/namespace") => "xml",
            Some(ns) => prefix_of(ns, scope),
        };
        w.attribute(&qualified(prefix, &attribute.local), &attribute.value);
    }
    for child in &element.children {
        match child {
            Node::Element(child) => write(w, child, scope),
            Node::Text(text) => {
                w.text(text);
            }
        }
    }
    w.close();
    scope.truncate(outside);
}

/// A prefix that stands for this namespace; a document that was read has one for each of its attributes'.
fn prefix_of<'a>(ns: &str, scope: &[&'a Declaration]) -> &'a str {
    let mut innermost_first = scope.iter().enumerate().rev();
    let found = innermost_first.find(|(n, one)| {
        one.ns == ns
            && !one.prefix.is_empty()
            && scope[n + 1..]
                .iter()
                .all(|inner| inner.prefix != one.prefix)
    });
    found.map_or("", |(_, one)| &one.prefix)
}

fn qualified(prefix: &str, local: &str) -> String {
    match prefix {
        "" => local.to_owned(),
        prefix => format!("{prefix}:{local}"),
    }
}

fn declare(w: &mut Writer, prefix: &str, ns: &str) {
    match prefix {
        "" => w.attribute("xmlns", ns),
        prefix => w.attribute(&format!("xmlns:{prefix}"), ns),
    };
}
