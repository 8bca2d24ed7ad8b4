//! SMPP 3.4: header and framing, PDUs, and a session of either role without sockets.
//!
//! [`Session`] is what a program uses; [`ShortMessage`] is what it carries.

mod config;
mod fields;
mod header;
mod message;
mod multi;
mod operations;
mod pdu;
mod session;
pub mod time;

#[cfg(test)]
mod tests;

pub use config::{Account, EsmeConfig, Limits, SmscConfig};
pub use header::{CommandId, CommandStatus, Frame, FrameError, Framer, HEADER, Header};
pub use message::{
    FieldError, MessageState, ShortMessage, Tlv, esm_class, registered_delivery, tag,
};
pub use multi::{Destination, Multi, MultiTaken, Refused};
pub use operations::{Found, Operation, Party};
pub use pdu::{Bind, BindMode, Pdu, VERSION, secret_range};
pub use session::{Answer, CloseReason, SendError, Session, SessionEvent};
