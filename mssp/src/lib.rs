//! ETSI TS 102 204: the Mobile Signature Service Provider.

pub mod xml;
