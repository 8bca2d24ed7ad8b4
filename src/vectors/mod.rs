//! Test vectors: cases in JSON that state octets and what they mean, run against the codecs.

pub mod sms;
