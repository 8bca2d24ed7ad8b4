//! JSON as JOSE wants it: an object whose member names are all different (RFC 7515 §4, RFC 7519 §4).
//!
//! Two parties that read a duplicate differently would act on different claims, so there is no reading of one here. Nesting
//! is bounded by serde_json at 128. Never panics.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one object and nothing after it.
///
/// # Errors
/// What is wrong, without quoting the text.
pub(crate) fn object(octets: &[u8]) -> Result<Map<String, Value>, NotAnObject> {
    match serde_json::from_slice(octets) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        Ok(_) => Err(NotAnObject("is JSON but no object".into())),
        Err(error) if error.is_data() => Err(NotAnObject("has a member twice".into())),
        Err(_) => Err(NotAnObject("is no JSON".into())),
    }
}

/// The octets are no JSON object that can be read in one way only.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NotAnObject(String);

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duplicate_members_are_refused_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"\u0062":2}]}"#,
        ] {
            let error = object(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "has a member twice", "{text}");
        }
    }

    #[test]
    fn only_one_object_is_read() {
        for text in ["", "1", "[]", "{}{}", "{", "{\"a\"}", "\u{feff}{}"] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(&[b"{\"a\":\"", &[0xff][..], b"\"}"].concat()).is_err());
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        assert!(object(deep.as_bytes()).is_err());
        assert_eq!(
            object(br#" {"a":[1,-1,1.5,null,true,"x"]} "#)
                .unwrap()
                .len(),
            1
        );
    }

    proptest! {
        #[test]
        fn object_never_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&octets);
        }

        /// What serde_json writes reads back the same.
        #[test]
        fn object_reads_what_serde_json_writes(pairs in prop::collection::btree_map(".{0,8}", any::<i64>(), 0..8)) {
            let value = serde_json::to_value(&pairs).unwrap();
            let read = object(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(Value::Object(read), value);
        }
    }
}
