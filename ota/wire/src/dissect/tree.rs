//! The tree that every dissector makes, and how it prints itself.

use core::fmt::{self, Write};
use core::ops::Range;

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Name of the nodes that say what is wrong.
pub const ERROR: &str = "error";

/// One field or layer of a message.
///
/// `Debug`, `Display` and `Serialize` print values of secret nodes as dots; [`Printer::reveal`] is the only way to
/// print them, and `value` the only way to read them.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    /// The standard's name of the field.
    pub name: String,
    /// Octets in hexadecimal for a field, a summary for a layer.
    pub value: String,
    /// What the value says.
    pub meaning: Option<String>,
    /// Where it is defined.
    pub clause: &'static str,
    /// Where its octets are.
    pub range: Range<usize>,
    /// Whether the value must not be shown.
    pub secret: bool,
    /// Fields inside.
    pub children: Vec<Self>,
}

impl Tree {
    /// A node without meaning and children.
    pub fn new(
        name: impl Into<String>,
        value: impl Into<String>,
        clause: &'static str,
        range: Range<usize>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            meaning: None,
            clause,
            range,
            secret: false,
            children: Vec::new(),
        }
    }

    /// The same node with a meaning.
    #[must_use]
    pub fn with_meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = Some(meaning.into());
        self
    }

    /// The same node with fields inside.
    #[must_use]
    pub fn with_children(mut self, children: Vec<Self>) -> Self {
        self.children = children;
        self
    }

    /// A node that says what is wrong with the octets at `range`.
    pub fn error(problem: impl Into<String>, clause: &'static str, range: Range<usize>) -> Self {
        Self::new(ERROR, problem, clause, range)
    }

    /// Whether this node says that something is wrong.
    pub fn is_error(&self) -> bool {
        self.name == ERROR
    }

    /// Whether nothing is wrong here or inside.
    pub fn is_complete(&self) -> bool {
        self.first_error().is_none()
    }

    /// The first node that says what is wrong.
    pub fn first_error(&self) -> Option<&Self> {
        if self.is_error() {
            return Some(self);
        }
        self.children.iter().find_map(Self::first_error)
    }

    /// The first node with this name, here or inside.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// The places of all secret octets.
    pub fn secrets(&self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.collect_secrets(&mut found);
        found
    }

    fn collect_secrets(&self, found: &mut Vec<Range<usize>>) {
        if self.secret {
            found.push(self.range.clone());
            return;
        }
        for child in &self.children {
            child.collect_secrets(found);
        }
    }

    /// The same tree as a part of something longer in which it begins at `offset`.
    #[must_use]
    pub fn shifted(mut self, offset: usize) -> Self {
        self.range = self.range.start + offset..self.range.end + offset;
        let children = self.children.into_iter();
        self.children = children.map(|child| child.shifted(offset)).collect();
        self
    }

    /// The value as it may be shown.
    fn shown(&self) -> String {
        if self.secret {
            "•".repeat(self.value.chars().count())
        } else {
            self.value.clone()
        }
    }

    /// The meaning as it may be shown: that of a secret would give the secret away.
    fn shown_meaning(&self) -> Option<&str> {
        self.meaning.as_deref().filter(|_| !self.secret)
    }

    /// The fields inside as they may be shown.
    fn shown_children(&self) -> &[Self] {
        if self.secret { &[] } else { &self.children }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Printer::default().print(self))
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut node = serializer.serialize_struct("Tree", 8)?;
        node.serialize_field("name", &self.name)?;
        node.serialize_field("value", &self.shown())?;
        node.serialize_field("meaning", &self.shown_meaning())?;
        node.serialize_field("clause", self.clause)?;
        node.serialize_field("start", &self.range.start)?;
        node.serialize_field("end", &self.range.end)?;
        node.serialize_field("secret", &self.secret)?;
        node.serialize_field("children", self.shown_children())?;
        node.end()
    }
}

/// How to print a tree: one line a node, inner nodes indented, the clause where it differs from the layer's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Printer {
    /// Begin each line with the offset of its octets, in hexadecimal.
    pub offsets: bool,
    /// Show secret values.
    pub reveal: bool,
}

impl Printer {
    /// The tree as lines, each with its line feed.
    pub fn print(self, tree: &Tree) -> String {
        let mut out = String::new();
        self.node(tree, "", 0, &mut out);
        out
    }

    fn node(self, tree: &Tree, clause: &str, depth: usize, out: &mut String) {
        if self.offsets {
            // Writing to a String cannot fail.
            let _ = write!(out, "{:04X}  ", tree.range.start);
        }
        let open = self.reveal || !tree.secret;
        let value = if open {
            tree.value.clone()
        } else {
            tree.shown()
        };
        let _ = write!(out, "{:indent$}{}", "", tree.name, indent = 2 * depth);
        if !value.is_empty() {
            let _ = write!(out, ": {value}");
        }
        if let Some(meaning) = tree.meaning.as_deref().filter(|_| open) {
            let _ = write!(out, " ({meaning})");
        }
        if tree.clause != clause && !tree.clause.is_empty() {
            let _ = write!(out, "  [{}]", tree.clause);
        }
        out.push('\n');
        let children = if open { &tree.children[..] } else { &[] };
        for child in children {
            self.node(child, tree.clause, depth + 1, out);
        }
    }
}
