//! One bounded pass over foreign XML 1.0 with namespaces, into a small tree.
//!
//! No document type, no processing instruction, no entity but the five predefined ones; sizes are
//! bounded below. Never panics, whatever the octets.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// Most octets of a document.
pub(super) const MAX_OCTETS: usize = 1024 * 1024;
/// Deepest element.
pub(super) const MAX_DEPTH: usize = 64;
/// Most attributes of one element.
const MAX_ATTRIBUTES: usize = 64;
/// Most namespace bindings in scope.
const MAX_BINDINGS: usize = 128;
/// Most octets of a namespace's name, of which every element has a copy.
const MAX_NAME: usize = 512;
/// Most elements and pieces of text.
const MAX_NODES: usize = 10_000;

/// An element.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Namespace, empty when there is none.
    pub(super) namespace: String,
    /// Name without prefix.
    pub(super) name: String,
    /// Attributes by their names as written, namespace declarations left out.
    attributes: Vec<(String, String)>,
    /// Child elements in order.
    pub(super) children: Vec<Self>,
    /// Its own character data, joined.
    pub(super) text: String,
}

impl Element {
    /// The first child of that name, in whatever namespace.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The value of an unqualified attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why a document was not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum XmlError {
    #[error("a document type declaration is not accepted")]
    Doctype,
    #[error("the message is not in UTF-8")]
    Encoding,
    #[error("entity &{0}; is not accepted")]
    Entity(String),
    #[error("the message has {got} octets, at most {MAX_OCTETS} are read")]
    Octets { got: usize },
    #[error("a processing instruction is not accepted")]
    ProcessingInstruction,
    #[error("not well-formed XML: {0}")]
    Syntax(String),
    #[error("too large: more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
}

impl From<quick_xml::Error> for XmlError {
    fn from(error: quick_xml::Error) -> Self {
        Self::Syntax(error.to_string())
    }
}

/// Reads a document and returns its root element.
pub(super) fn parse(octets: &[u8]) -> Result<Element, XmlError> {
    if octets.len() > MAX_OCTETS {
        return Err(XmlError::Octets { got: octets.len() });
    }
    let text = std::str::from_utf8(octets).map_err(|_| XmlError::Encoding)?;
    let mut reader = NsReader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader
        .resolver_mut()
        .set_max_namespace_bindings(MAX_BINDINGS);

    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut nodes = 0;
    loop {
        let (resolved, event) = reader.read_resolved_event()?;
        let namespace = match resolved {
            ResolveResult::Bound(namespace) if namespace.0.len() > MAX_NAME => {
                return Err(XmlError::TooMany {
                    what: "octets in the name of a namespace",
                    limit: MAX_NAME,
                });
            }
            ResolveResult::Bound(namespace) => namespace.0.to_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(prefix) => {
                return Err(XmlError::Syntax(format!("prefix {prefix} is not declared")));
            }
        };
        nodes += 1;
        if nodes > MAX_NODES {
            return Err(XmlError::TooMany {
                what: "nodes",
                limit: MAX_NODES,
            });
        }
        match event {
            Event::Start(start) => {
                if root.is_some() {
                    return Err(XmlError::Syntax("more than one root element".into()));
                }
                if open.len() == MAX_DEPTH {
                    return Err(XmlError::TooMany {
                        what: "levels",
                        limit: MAX_DEPTH,
                    });
                }
                open.push(element(namespace, &start)?);
            }
            Event::Empty(start) => {
                if root.is_some() {
                    return Err(XmlError::Syntax("more than one root element".into()));
                }
                if open.len() == MAX_DEPTH {
                    return Err(XmlError::TooMany {
                        what: "levels",
                        limit: MAX_DEPTH,
                    });
                }
                close(element(namespace, &start)?, &mut open, &mut root);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root);
                }
            }
            Event::Text(text) => characters(&text.xml10_content(), &mut open)?,
            Event::CData(text) => characters(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref()? {
                    Some(character) => character,
                    None => predefined(&reference)
                        .ok_or_else(|| XmlError::Entity(reference.chars().take(40).collect()))?,
                };
                characters(character.encode_utf8(&mut [0; 4]), &mut open)?;
            }
            Event::Comment(_) | Event::Decl(_) => {}
            Event::PI(_) => return Err(XmlError::ProcessingInstruction),
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err(XmlError::Syntax(
            "the document ends before its root element does".into(),
        )),
    }
}

fn element(namespace: String, start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    for (index, attribute) in start.attributes().enumerate() {
        if index == MAX_ATTRIBUTES {
            return Err(XmlError::TooMany {
                what: "attributes",
                limit: MAX_ATTRIBUTES,
            });
        }
        let attribute = attribute.map_err(|error| XmlError::Syntax(error.to_string()))?;
        if attribute.key.as_namespace_binding().is_none() {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            attributes.push((attribute.key.0.to_owned(), value.into_owned()));
        }
    }
    let name = start.local_name().as_ref().to_owned();
    Ok(Element {
        namespace,
        name,
        attributes,
        ..Element::default()
    })
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn characters(text: &str, open: &mut [Element]) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(XmlError::Syntax("text outside of the root element".into())),
    }
    Ok(())
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "apos" => '\'',
        "gt" => '>',
        "lt" => '<',
        "quot" => '"',
        _ => return None,
    })
}

/// `text` for use between tags or in an attribute value.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(c))),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_resolved_and_text_is_joined() {
        let root = parse(
            b"<?xml version='1.0'?>\n<!-- c --><a xmlns='u' xmlns:p='v' k='1 &amp; 2'>x<p:b/>&#x41;&lt;<![CDATA[<y>]]></a>\n",
        )
        .unwrap();
        assert_eq!((root.namespace.as_str(), root.name.as_str()), ("u", "a"));
        assert_eq!(root.attribute("k"), Some("1 & 2"));
        assert_eq!(root.text, "xA<<y>");
        assert_eq!(root.child("b").map(|b| b.namespace.as_str()), Some("v"));
    }

    #[test]
    fn doctype_entities_and_instructions_are_refused() {
        assert_eq!(parse(b"<!DOCTYPE a><a/>").unwrap_err(), XmlError::Doctype);
        assert_eq!(
            parse(b"<?php x?><a/>").unwrap_err(),
            XmlError::ProcessingInstruction
        );
        assert_eq!(
            parse(b"<a>&x;</a>").unwrap_err(),
            XmlError::Entity("x".into())
        );
        assert_eq!(parse(b"<a>\xff</a>").unwrap_err(), XmlError::Encoding);
        for bad in [
            &b"<a>"[..],
            b"<a></b>",
            b"",
            b"<a/><b/>",
            b"x",
            b"<p:a/>",
            b"<a k=1/>",
        ] {
            assert!(matches!(parse(bad), Err(XmlError::Syntax(_))), "{bad:?}");
        }
    }

    #[test]
    fn depth_attributes_nodes_and_size_are_bounded() {
        let nested = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(
            parse(nested(MAX_DEPTH + 1).as_bytes()),
            Err(XmlError::TooMany { what: "levels", .. })
        ));
        let attributes: String = (0..65).map(|i| format!(" a{i}=''")).collect();
        assert!(matches!(
            parse(format!("<a{attributes}/>").as_bytes()),
            Err(XmlError::TooMany {
                what: "attributes",
                ..
            })
        ));
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES));
        assert!(matches!(
            parse(wide.as_bytes()),
            Err(XmlError::TooMany { what: "nodes", .. })
        ));
        assert!(matches!(
            parse(&vec![b' '; MAX_OCTETS + 1]),
            Err(XmlError::Octets { .. })
        ));
        let name = |n: usize| format!("<a xmlns='{}'/>", "u".repeat(n));
        assert!(parse(name(MAX_NAME).as_bytes()).is_ok());
        // Ten thousand elements could otherwise have a copy each of a name of a megabyte.
        assert_eq!(
            parse(name(MAX_NAME + 1).as_bytes()).unwrap_err(),
            XmlError::TooMany {
                what: "octets in the name of a namespace",
                limit: MAX_NAME
            }
        );
        let bindings: String = (0..64).map(|i| format!(" xmlns:p{i}='u'")).collect();
        let bound = format!("<a{bindings}><a{bindings}><a{bindings}/></a></a>");
        assert!(parse(bound.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn parse_never_panics(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&octets);
        }

        #[test]
        fn parse_never_panics_on_nearly_xml(text in "[<>/a:b&;#x!\\[\\]?='\" -]{0,80}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn escape_survives_parsing(text in "[^\u{0}-\u{1f}\u{7f}-\u{9f}\u{fffe}\u{ffff}]{0,60}") {
            let document = format!("<a k=\"{0}\">{0}</a>", escape(&text));
            let root = parse(document.as_bytes()).unwrap();
            prop_assert_eq!(root.attribute("k"), Some(text.as_str()));
            prop_assert_eq!(&root.text, &text);
        }
    }
}
