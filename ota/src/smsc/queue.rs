//! The queue of a phone, kept as the text it is stored as: with every message for the phone it is read and written once, but
//! hardly ever looked through.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Messages in order, each `<id>@<end of its validity in milliseconds since 1970> `.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    count: usize,
    text: String,
}

/// A message in the queue of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued<'a> {
    /// Its id.
    pub message_id: &'a str,
    /// End of its validity, in whole milliseconds.
    pub expires: Timestamp,
}

impl Queue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.count
    }

    /// In order of acceptance. An entry that makes no sense is left out.
    pub fn iter(&self) -> impl Iterator<Item = Queued<'_>> {
        self.text.split_ascii_whitespace().filter_map(|entry| {
            let (message_id, expires) = entry.split_once('@')?;
            let expires = Timestamp::from_millisecond(expires.parse().ok()?).ok()?;
            Some(Queued {
                message_id,
                expires,
            })
        })
    }

    /// The next one.
    pub fn first(&self) -> Option<Queued<'_>> {
        self.iter().next()
    }

    /// Adds one at the end. Ids have neither blanks nor `@`.
    pub fn push(&mut self, message_id: &str, expires: Timestamp) {
        // Writing to a text cannot fail.
        let _ = write!(self.text, "{message_id}@{} ", expires.as_millisecond());
        self.count += 1;
    }

    /// Takes those out for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(Queued<'_>) -> bool) {
        let mut kept = Self::default();
        for queued in self.iter().filter(|queued| keep(*queued)) {
            kept.push(queued.message_id, queued.expires);
        }
        *self = kept;
    }

    /// When the first of them ends.
    pub fn earliest_end(&self) -> Option<Timestamp> {
        self.iter().map(|queued| queued.expires).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_a_list_of_ids_and_ends(entries in prop::collection::vec(("[0-9A-F]{1,20}", 0i64..4_000_000_000_000), 0..20), gone in 0usize..20) {
            let mut queue = Queue::default();
            let mut expected: Vec<_> = entries.iter().map(|(id, at)| (id.as_str(), Timestamp::from_millisecond(*at).unwrap())).collect();
            for (id, at) in &expected {
                queue.push(id, *at);
            }
            queue = serde_json::from_str(&serde_json::to_string(&queue).unwrap()).unwrap();
            let mut index = 0;
            queue.retain(|_| { index += 1; index - 1 != gone });
            if gone < expected.len() {
                expected.remove(gone);
            }
            let got: Vec<_> = queue.iter().map(|queued| (queued.message_id, queued.expires)).collect();
            prop_assert_eq!(&got, &expected);
            prop_assert_eq!((queue.len(), queue.is_empty()), (expected.len(), expected.is_empty()));
            prop_assert_eq!(queue.first().map(|queued| queued.message_id), expected.first().map(|(id, _)| *id));
            prop_assert_eq!(queue.earliest_end(), expected.iter().map(|(_, at)| *at).min());
        }
    }
}
