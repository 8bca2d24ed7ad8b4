//! The HTTP API of the OTA platform, with the whole chain behind it: SMPP, SMSC, handset, card.

mod api;
mod key_sets;
mod messages;
mod remote;
mod support;
