//! Reading fields off octets while making nodes of them.

use core::fmt::Display;
use core::ops::Range;

use super::Tree;

/// Octets and where they lie in what was handed in.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) base: usize,
}

impl<'a> Part<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, base: 0 }
    }

    /// The octets at `range`, which counts within this part and is cut to it.
    pub(super) fn slice(self, range: Range<usize>) -> Self {
        let end = range.end.min(self.bytes.len());
        let start = range.start.min(end);
        Self {
            bytes: &self.bytes[start..end],
            base: self.base + start,
        }
    }

    pub(super) const fn range(self) -> Range<usize> {
        self.base..self.base + self.bytes.len()
    }

    pub(super) fn hex(self) -> String {
        hex::encode_upper(self.bytes)
    }

    /// "12 octets".
    pub(super) fn size(self) -> String {
        octets(self.bytes.len())
    }

    /// A node with the octets as its value.
    pub(super) fn leaf(self, name: impl Into<String>, clause: &'static str) -> Tree {
        Tree::new(name, self.hex(), clause, self.range())
    }
}

/// Takes fields from the front of a part, one node each.
///
/// A field that the octets do not hold makes an error node, and the call returns `None`: a dissector written as a
/// function that returns `Option<()>` ends there with `?`.
pub(super) struct Cursor<'a> {
    part: Part<'a>,
    at: usize,
    clause: &'static str,
    nodes: Vec<Tree>,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(part: Part<'a>, clause: &'static str) -> Self {
        Self {
            part,
            at: 0,
            clause,
            nodes: Vec::new(),
        }
    }

    /// Takes `len` octets and makes a node of them.
    pub(super) fn octets(&mut self, name: &str, len: usize) -> Option<Part<'a>> {
        let part = self.skip(name, len)?;
        self.nodes.push(part.leaf(name, self.clause));
        Some(part)
    }

    /// Takes exactly `N` octets and makes a node of them.
    pub(super) fn array<const N: usize>(&mut self, name: &str) -> Option<[u8; N]> {
        self.octets(name, N)?.bytes.try_into().ok()
    }

    /// Takes one octet and makes a node of it.
    pub(super) fn octet(&mut self, name: &str) -> Option<u8> {
        self.array::<1>(name).map(|[octet]| octet)
    }

    /// Takes `len` octets and leaves it to the caller to push a node.
    pub(super) fn skip(&mut self, name: &str, len: usize) -> Option<Part<'a>> {
        let left = self.left();
        if len > left {
            self.error(format!("{name}: expected {}, got {left}", octets(len)));
            self.at = self.part.bytes.len();
            return None;
        }
        let part = self.part.slice(self.at..self.at + len);
        self.at += len;
        Some(part)
    }

    /// Takes everything that is left, without a node.
    pub(super) fn rest(&mut self) -> Part<'a> {
        let part = self.part.slice(self.at..self.part.bytes.len());
        self.at = self.part.bytes.len();
        part
    }

    /// The next octet, not taken.
    pub(super) fn peek(&self) -> Option<u8> {
        self.part.bytes.get(self.at).copied()
    }

    /// How many octets are taken.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) const fn left(&self) -> usize {
        self.part.bytes.len() - self.at
    }

    pub(super) fn push(&mut self, node: Tree) {
        self.nodes.push(node);
    }

    /// Gives the last node its meaning.
    pub(super) fn meaning(&mut self, meaning: impl Display) {
        if let Some(last) = self.nodes.last_mut() {
            last.meaning = Some(meaning.to_string());
        }
    }

    /// Gives the last node fields inside.
    pub(super) fn inside(&mut self, children: Vec<Tree>) {
        if let Some(last) = self.nodes.last_mut() {
            last.children = children;
        }
    }

    /// An error about what is left.
    pub(super) fn error(&mut self, problem: impl Into<String>) {
        let range = self.part.slice(self.at..self.part.bytes.len()).range();
        self.nodes.push(Tree::error(problem, self.clause, range));
    }

    /// An error about all of the part.
    pub(super) fn error_in_all(&mut self, problem: impl Into<String>) {
        let error = Tree::error(problem, self.clause, self.part.range());
        self.nodes.push(error);
    }

    pub(super) fn has_error(&self) -> bool {
        !self.nodes.iter().all(Tree::is_complete)
    }

    /// If all went well so far and a parser of the format says otherwise, an error about all of the part.
    pub(super) fn judge<T, E: Display>(&mut self, parsed: Result<T, E>) {
        if let Err(error) = parsed
            && !self.has_error()
        {
            self.error_in_all(error.to_string());
        }
    }

    /// The layer with its fields. Octets that are left over become an error.
    pub(super) fn finish(mut self, name: impl Into<String>) -> Tree {
        if self.left() > 0 {
            self.error(format!(
                "expected the end, got {} more",
                octets(self.left())
            ));
        }
        Tree::new(name, self.part.size(), self.clause, self.part.range()).with_children(self.nodes)
    }
}

fn octets(count: usize) -> String {
    match count {
        1 => "1 octet".to_owned(),
        n => format!("{n} octets"),
    }
}

/// The names of the bits that are set, highest first; `None` if none is.
pub(super) fn bits(octet: u8, names: &[(u8, &str)]) -> Option<String> {
    let set: Vec<&str> = names
        .iter()
        .filter(|(mask, _)| octet & mask != 0)
        .map(|(_, name)| *name)
        .collect();
    (!set.is_empty()).then(|| set.join(", "))
}
