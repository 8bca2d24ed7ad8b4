//! Dynamic registration (RFC 7591, RFC 7592) with the metadata of CIBA Core §4.

mod access;
mod clients;
mod metadata;
mod support;

use super::*;
