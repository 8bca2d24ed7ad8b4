//! ETSI TS 102 204: the Mobile Signature Service Provider.

pub mod code;
pub mod messages;
pub mod soap;
pub mod xml;

#[cfg(test)]
mod samples;
