//! BER-TLV without knowledge of the tags.

use super::Tree;
use super::cursor::{Cursor, Part};
use crate::tlv::Ber;

const CLAUSE: &str = "TS 102 221 §11";
/// Deeper objects are shown as octets.
const MAX_DEPTH: usize = 16;

pub(super) fn objects(part: Part<'_>) -> Tree {
    let mut cursor = Cursor::new(part, CLAUSE);
    if part.bytes.is_empty() {
        cursor.error("expected an object, got nothing");
    }
    for node in nodes(part, 0) {
        cursor.push(node);
    }
    cursor.rest();
    cursor.finish("BER-TLV")
}

/// The objects of a part; the last node is an error if the octets do not end with an object.
fn nodes(mut part: Part<'_>, depth: usize) -> Vec<Tree> {
    let mut found = Vec::new();
    while !part.bytes.is_empty() {
        let object = match Ber::read(part.bytes) {
            Ok(object) => object,
            Err(error) => {
                found.push(Tree::error(error.to_string(), CLAUSE, part.range()));
                break;
            }
        };
        let whole = part.slice(object.range.clone());
        let value = part.slice(object.value_range.clone());
        let name = format!("{:02X}", object.tag);
        found.push(if object.is_constructed() && depth < MAX_DEPTH {
            Tree::new(name, value.size(), CLAUSE, whole.range())
                .with_children(nodes(value, depth + 1))
        } else {
            Tree::new(name, value.hex(), CLAUSE, whole.range())
        });
        part = part.slice(object.range.end..part.bytes.len());
    }
    found
}
