//! Sessions and PDUs, held against octets worked out by hand from SMPP 3.4 and against another codec.

mod bind;
mod ending;
mod hostile;
mod messages;
mod multi_and_data;
mod support;
mod windows;

use super::*;
