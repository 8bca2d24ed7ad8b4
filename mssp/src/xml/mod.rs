//! XML 1.0 with namespaces, as far as SOAP needs it: SOAP 1.2 Part 1 §5 forbids document types and processing
//! instructions in a message, so this reader refuses them, and everything else that lets a small document cost much.
//!
//! [`parse`] makes one pass over the octets and returns a tree of [`Element`]s; [`Writer`] writes a document front to
//! back. Neither panics on any input.

mod name;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::{borrow::Cow, sync::Arc};

pub use name::is_nc_name;
pub use read::{XmlError, parse};
pub use write::Writer;

/// Octets of the largest document that is read: 1 MB.
pub const MAX_OCTETS: usize = 1 << 20;
/// Levels of elements, the root being the first.
pub const MAX_DEPTH: usize = 64;
/// Attributes of one element, namespace declarations included.
pub const MAX_ATTRIBUTES: usize = 64;
/// Namespace declarations in force at one place.
pub const MAX_BINDINGS: usize = 128;
/// Elements, runs of text and comments of one document.
pub const MAX_NODES: usize = 10_000;
/// Octets of an element's, an attribute's or a namespace's name. Short names keep the tree linear in the document: ten
/// thousand elements could otherwise share one name of a megabyte.
pub const MAX_NAME: usize = 512;

/// An element and all below it. What stands in the document `'d` as it is meant is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element<'d> {
    /// Namespace name; `None` is no namespace.
    pub ns: Option<Arc<str>>,
    /// Name without prefix.
    pub local: Cow<'d, str>,
    /// Prefix as it was written, empty if there was none.
    pub prefix: Cow<'d, str>,
    /// Attributes without the namespace declarations.
    pub attributes: Vec<Attribute<'d>>,
    /// The namespace declarations that stand at it.
    pub declared: Vec<Declaration>,
    /// Content in document order.
    pub children: Vec<Node<'d>>,
}

impl<'d> Element<'d> {
    /// Is this `{ns}local`?
    pub fn is(&self, ns: Option<&str>, local: &str) -> bool {
        self.ns.as_deref() == ns && self.local == local
    }

    /// Value of the attribute `{ns}local`.
    pub fn attribute(&self, ns: Option<&str>, local: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|a| a.ns.as_deref() == ns && a.local == local)
            .map(|a| &*a.value)
    }

    /// The child elements, in document order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The child elements on their own, in document order.
    pub fn into_elements(self) -> impl Iterator<Item = Self> {
        self.children.into_iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The text directly in this element, runs between child elements joined.
    pub fn text(&self) -> Cow<'_, str> {
        let mut runs = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(&**text),
            Node::Element(_) => None,
        });
        match (runs.next(), runs.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => {
                let mut all = String::from(first);
                all.push_str(second);
                all.extend(runs);
                Cow::Owned(all)
            }
        }
    }

    /// Is there nothing but elements and white space in it?
    pub fn has_only_elements(&self) -> bool {
        self.children.iter().all(|node| match node {
            Node::Element(_) => true,
            Node::Text(text) => text.chars().all(is_white),
        })
    }
}

/// An attribute that is not a namespace declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute<'d> {
    /// Namespace name; `None` for an attribute without prefix.
    pub ns: Option<Arc<str>>,
    /// Name without prefix.
    pub local: Cow<'d, str>,
    /// Value, references resolved, white space normalised (XML 1.0 §3.3.3).
    pub value: Cow<'d, str>,
}

/// A namespace declaration (Namespaces in XML 1.0 §3). Names in values, such as that of an xsi:type, go by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The prefix, empty for the default namespace.
    pub prefix: String,
    /// Namespace name; empty takes the default namespace back.
    pub ns: String,
}

/// Content of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node<'d> {
    /// A child element.
    Element(Element<'d>),
    /// A run of text; two never follow each other.
    Text(Cow<'d, str>),
}

/// White space of XML 1.0 §2.3.
pub(crate) fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Characters that XML 1.0 §2.2 allows.
pub(crate) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
