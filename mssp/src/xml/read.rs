//! Reading: one pass of quick-xml's [`NsReader`], which balances tags and resolves prefixes; the checks that it leaves
//! to its user (characters, names, one root, references, the bounds) are here.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use quick_xml::{
    Error as QuickError, NsReader,
    events::{BytesDecl, BytesStart, Event},
    name::{NamespaceError, NamespaceResolver, PrefixDeclaration, QName, ResolveResult},
};
use thiserror::Error;

use super::{
    Attribute, Declaration, Element, MAX_ATTRIBUTES, MAX_BINDINGS, MAX_DEPTH, MAX_NAME, MAX_NODES,
    MAX_OCTETS, Node, is_char, is_nc_name, is_white,
};

/// Why a document was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmlError {
    /// An attribute that stands twice in one element, by name or by namespace and name.
    #[error("attribute {0} stands twice in one element")]
    DuplicateAttribute(String),
    /// A document type declaration, and with it any way to declare entities.
    #[error("a document type declaration (DOCTYPE) is not allowed in SOAP")]
    Doctype,
    /// No root element.
    #[error("the document has no root element")]
    Empty,
    /// A declared encoding other than UTF-8.
    #[error("the document declares encoding {0:?}; only UTF-8 is read")]
    Encoding(String),
    /// A reference to an entity other than the five predefined ones, or to no character.
    #[error("&{0}; is neither a predefined entity nor a reference to a character")]
    Entity(String),
    /// A character that XML does not allow.
    #[error("character U+{0:04X} is not allowed in XML")]
    IllegalCharacter(u32),
    /// A name that is longer than [`MAX_NAME`].
    #[error("a name of {0} octets; at most {MAX_NAME} are read")]
    LongName(usize),
    /// Not well-formed.
    #[error("not well-formed at octet {offset}: {reason}")]
    Malformed {
        /// Where, in octets from the start.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// Octets that are not UTF-8.
    #[error("octet {0} is not UTF-8")]
    NotUtf8(usize),
    /// A processing instruction.
    #[error("a processing instruction ({0:?}) is not allowed in SOAP")]
    ProcessingInstruction(String),
    /// Elements within elements beyond [`MAX_DEPTH`].
    #[error("elements nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A document of more than [`MAX_OCTETS`].
    #[error("a document of {0} octets or more; at most {MAX_OCTETS} are read")]
    TooLarge(usize),
    /// More than [`MAX_ATTRIBUTES`] in one element.
    #[error("more than {MAX_ATTRIBUTES} attributes in one element")]
    TooManyAttributes,
    /// More than [`MAX_BINDINGS`] in force at one place.
    #[error("more than {MAX_BINDINGS} namespace declarations in force")]
    TooManyBindings,
    /// More than [`MAX_NODES`] in the document.
    #[error("more than {MAX_NODES} nodes")]
    TooManyNodes,
    /// A prefix without declaration.
    #[error("prefix {0:?} is not declared")]
    UnknownPrefix(String),
    /// An XML version other than 1.0.
    #[error("XML version {0:?}; only 1.0 is read")]
    Version(String),
}

/// Reads a document into the tree of its root element.
///
/// # Errors
/// Anything that is not well-formed XML 1.0 in UTF-8, is forbidden in SOAP, or exceeds a bound of [`super`].
pub fn parse(document: &[u8]) -> Result<Element<'_>, XmlError> {
    if document.len() > MAX_OCTETS {
        return Err(XmlError::TooLarge(document.len()));
    }
    let text = std::str::from_utf8(document).map_err(|e| XmlError::NotUtf8(e.valid_up_to()))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    // Only controls, U+FFFE and U+FFFF are no characters of XML; most documents have no octet that could begin one.
    let suspicious = |octet: u8| octet < 0x20 && !is_white(char::from(octet)) || octet == 0xEF;
    if any(text, suspicious)
        && let Some(c) = text.chars().find(|&c| !is_char(c))
    {
        return Err(XmlError::IllegalCharacter(u32::from(c)));
    }
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    reader
        .resolver_mut()
        .set_max_namespace_bindings(MAX_BINDINGS);
    let mut tree = Tree::of(text);
    loop {
        let event = reader
            .read_event()
            .map_err(|e| refused(e, reader.error_position()))?;
        let at = reader.buffer_position();
        if matches!(event, Event::Eof) {
            return tree.finish().map_err(|e| e.located(at));
        }
        tree.take(event, reader.resolver())
            .map_err(|e| e.located(at))?;
    }
}

impl XmlError {
    fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            offset: 0,
            reason: reason.into(),
        }
    }

    fn located(mut self, at: u64) -> Self {
        if let Self::Malformed { offset, .. } = &mut self {
            *offset = at;
        }
        self
    }
}

/// The elements that are open, and the root once it is closed.
struct Tree<'d> {
    document: &'d str,
    open: Vec<Element<'d>>,
    root: Option<Element<'d>>,
    nodes: usize,
    started: bool,
    /// By the names as they were written. Mostly a handful, which a tree finds quicker than a hash.
    namespaces: BTreeMap<String, Arc<str>>,
}

impl<'d> Tree<'d> {
    fn of(document: &'d str) -> Self {
        Self {
            document,
            open: Vec::new(),
            root: None,
            nodes: 0,
            started: false,
            namespaces: BTreeMap::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, resolver: &NamespaceResolver) -> Result<(), XmlError> {
        let first = !std::mem::replace(&mut self.started, true);
        match event {
            Event::Start(start) => {
                let element = self.element(&start, resolver)?;
                self.open(element)
            }
            Event::Empty(start) => {
                let element = self.element(&start, resolver)?;
                self.open(element)?;
                self.close();
                Ok(())
            }
            Event::End(_) => {
                self.close();
                Ok(())
            }
            Event::Text(run) if run.contains("]]>") => Err(XmlError::malformed("]]> in text")),
            Event::Text(run) => self.text(&run.xml10_content()),
            Event::CData(run) => self.character_data(&run.xml10_content()),
            Event::GeneralRef(name) => {
                let mut utf8 = [0; 4];
                self.character_data(resolve(&name)?.encode_utf8(&mut utf8))
            }
            Event::Comment(_) => self.count(),
            Event::Decl(declaration) if first => check_declaration(&declaration),
            Event::Decl(_) => Err(XmlError::malformed("XML declaration inside the document")),
            Event::PI(instruction) => Err(XmlError::ProcessingInstruction(excerpt(
                instruction.target(),
            ))),
            Event::DocType(_) => Err(XmlError::Doctype),
            Event::Eof => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), XmlError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(XmlError::TooManyNodes);
        }
        Ok(())
    }

    fn open(&mut self, element: Element<'d>) -> Result<(), XmlError> {
        if self.root.is_some() {
            return Err(XmlError::malformed(format!(
                "a second root element, {}",
                element.local
            )));
        }
        if self.open.len() == MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        self.count()?;
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) {
        let Some(element) = self.open.pop() else {
            return;
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }

    /// Text as written: outside the root, white space may stand.
    fn text(&mut self, run: &str) -> Result<(), XmlError> {
        if self.open.is_empty() && run.chars().all(is_white) {
            return Ok(());
        }
        self.character_data(run)
    }

    fn character_data(&mut self, run: &str) -> Result<(), XmlError> {
        let Some(parent) = self.open.last_mut() else {
            return Err(XmlError::malformed("text outside the root element"));
        };
        if run.is_empty() {
            return Ok(());
        }
        if let Some(Node::Text(text)) = parent.children.last_mut() {
            text.to_mut().push_str(run);
            return Ok(());
        }
        let run = keep(self.document, run);
        parent.children.push(Node::Text(run));
        self.count()
    }

    fn finish(self) -> Result<Element<'d>, XmlError> {
        if let Some(open) = self.open.last() {
            return Err(XmlError::malformed(format!("{} is not closed", open.local)));
        }
        self.root.ok_or(XmlError::Empty)
    }

    fn element(
        &mut self,
        start: &BytesStart<'_>,
        resolver: &NamespaceResolver,
    ) -> Result<Element<'d>, XmlError> {
        let (local, prefix) = names(start.name())?;
        let ns = self.namespace(resolver.resolve_element(start.name()).0)?;
        let mut attributes: Vec<Attribute<'d>> = Vec::new();
        let mut declarations = Vec::new();
        for (n, attribute) in start.attributes().enumerate() {
            if n == MAX_ATTRIBUTES {
                return Err(XmlError::TooManyAttributes);
            }
            let attribute = attribute
                .map_err(|e| XmlError::malformed(format!("in the start tag of {local}: {e}")))?;
            let (name, _) = names(attribute.key)?;
            let value = match attribute_value(&attribute.value)? {
                Cow::Borrowed(raw) => keep(self.document, raw),
                Cow::Owned(made) => Cow::Owned(made),
            };
            if let Some(declared) = attribute.key.as_namespace_binding() {
                // Namespaces in XML 1.0 §2.2; only the default namespace can be taken back.
                if value.is_empty() && matches!(declared, PrefixDeclaration::Named(_)) {
                    return Err(XmlError::malformed(format!(
                        "prefix {name:?} is declared for no namespace"
                    )));
                }
                if value.len() > MAX_NAME {
                    return Err(XmlError::LongName(value.len()));
                }
                let prefix = match declared {
                    PrefixDeclaration::Default => "",
                    PrefixDeclaration::Named(prefix) => prefix,
                };
                declarations.push(Declaration {
                    prefix: prefix.to_owned(),
                    ns: value.into_owned(),
                });
                continue;
            }
            let ns = self.namespace(resolver.resolve_attribute(attribute.key).0)?;
            if attributes.iter().any(|a| a.local == name && a.ns == ns) {
                return Err(XmlError::DuplicateAttribute(name.to_owned()));
            }
            attributes.push(Attribute {
                ns,
                local: keep(self.document, name),
                value,
            });
        }
        Ok(Element {
            ns,
            local: keep(self.document, local),
            prefix: keep(self.document, prefix),
            attributes,
            declared: declarations,
            children: Vec::new(),
        })
    }

    /// The namespace's name, one copy for the whole document.
    fn namespace(&mut self, resolved: ResolveResult<'_>) -> Result<Option<Arc<str>>, XmlError> {
        match resolved {
            ResolveResult::Unbound => Ok(None),
            ResolveResult::Unknown(prefix) => Err(XmlError::UnknownPrefix(prefix)),
            ResolveResult::Bound(namespace) => {
                let raw = namespace.into_inner();
                if raw.len() > MAX_NAME {
                    return Err(XmlError::LongName(raw.len()));
                }
                if let Some(known) = self.namespaces.get(raw) {
                    return Ok(Some(known.clone()));
                }
                let name: Arc<str> = attribute_value(raw)?.into();
                self.namespaces.insert(raw.to_owned(), name.clone());
                Ok(Some(name))
            }
        }
    }
}

/// A text that outlives the reader's event: the part of the document that it is, or a copy of what was made of one.
fn keep<'d>(document: &'d str, text: &str) -> Cow<'d, str> {
    let start = text.as_ptr().addr().checked_sub(document.as_ptr().addr());
    let part = start.and_then(|start| document.get(start..start.checked_add(text.len())?));
    part.map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
}

/// Local name and prefix (empty if none) of a name, both checked.
fn names(name: QName<'_>) -> Result<(&str, &str), XmlError> {
    let whole = name.into_inner();
    if whole.len() > MAX_NAME {
        return Err(XmlError::LongName(whole.len()));
    }
    let (prefix, local) = whole.split_once(':').unwrap_or(("", whole));
    if !is_nc_name(local) || (whole.contains(':') && !is_nc_name(prefix)) {
        return Err(XmlError::malformed(format!("{whole:?} is no name")));
    }
    Ok((local, prefix))
}

/// XML 1.0 §3.3.3 for attributes of type CDATA.
fn attribute_value(raw: &str) -> Result<Cow<'_, str>, XmlError> {
    if !any(raw, |octet| {
        matches!(octet, b'&' | b'<' | b'\t' | b'\r' | b'\n')
    }) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\r', '\n']) {
        value.push_str(&rest[..at]);
        let (found, after) = rest[at..].split_at(1);
        rest = after;
        match found {
            "&" => {
                let Some((name, after)) = rest.split_once(';') else {
                    return Err(XmlError::malformed("& without ; in an attribute"));
                };
                value.push(resolve(name)?);
                rest = after;
            }
            "<" => return Err(XmlError::malformed("< in an attribute")),
            found => {
                if found == "\r" {
                    rest = rest.strip_prefix('\n').unwrap_or(rest);
                }
                value.push(' ');
            }
        }
    }
    value.push_str(rest);
    Ok(Cow::Owned(value))
}

/// Whether an octet of `text` is of a kind. Looks at many at a time, which a search that ends at the first cannot.
fn any(text: &str, is: impl Fn(u8) -> bool) -> bool {
    let mut chunks = text.as_bytes().chunks(64);
    chunks.any(|chunk| chunk.iter().fold(false, |found, octet| found | is(*octet)))
}

/// What `&name;` stands for.
fn resolve(name: &str) -> Result<char, XmlError> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => match name.strip_prefix("#x") {
            Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(hex, 16).ok()
            }
            Some(_) => None,
            None => name
                .strip_prefix('#')
                .filter(|decimal| decimal.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|decimal| decimal.parse().ok()),
        },
    };
    number
        .and_then(char::from_u32)
        .filter(|&c| is_char(c))
        .ok_or_else(|| XmlError::Entity(excerpt(name)))
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), XmlError> {
    let version = declaration
        .version()
        .map_err(|e| XmlError::malformed(e.to_string()))?;
    if version != "1.0" {
        return Err(XmlError::Version(excerpt(&version)));
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(encoding)) => Err(XmlError::Encoding(excerpt(&encoding))),
        Some(Err(e)) => Err(XmlError::malformed(e.to_string())),
    }
}

fn refused(error: QuickError, offset: u64) -> XmlError {
    match error {
        QuickError::Namespace(NamespaceError::TooManyBindings(_)) => XmlError::TooManyBindings,
        other => XmlError::malformed(excerpt(&other.to_string())).located(offset),
    }
}

/// As much of a foreign text as an error should carry.
fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}
