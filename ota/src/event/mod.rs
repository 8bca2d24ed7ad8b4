//! What the platform and the SMSC report of themselves, for the trace. Events hold protocol values; only [`Event::row`] formats.

mod line;
mod platform;
mod smsc;

use ota_wire::trace::{Id, Row};

pub use platform::{PlatformEvent, PorEffect};
pub use smsc::{RpOutcome, SmscEvent};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub own: Id,
    /// What caused that, where known.
    pub parent: Option<Id>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// At the platform.
    Platform(PlatformEvent),
    /// At the SMSC.
    Smsc(SmscEvent),
}

impl Event {
    /// The event as a line of the trace.
    pub fn row(&self) -> Row {
        match &self.kind {
            EventKind::Platform(event) => event.row(),
            EventKind::Smsc(event) => event.row(),
        }
    }
}
