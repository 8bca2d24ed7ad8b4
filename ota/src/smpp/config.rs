//! What a session is told at its start.

use jiff::SignedDuration;
use ota_wire::secret::Secret;

use super::pdu::BindMode;

/// What a session tolerates and how long it waits. Durations are measured against the `now` that the caller passes in.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest PDU accepted, in octets.
    pub max_pdu: u32,
    /// Requests of ours that may be unanswered at once.
    pub window: usize,
    /// Requests of ours that may wait for the window; more are refused with [`SendError::Full`](super::SendError::Full).
    pub queue: usize,
    /// Requests of the peer that may be unanswered at once; more are answered ESME_RTHROTTLED.
    pub inbound: usize,
    /// Silence after which we send enquire_link.
    pub enquire_after: SignedDuration,
    /// Wait for any response; then the connection is given up.
    pub response_within: SignedDuration,
    /// How long an SMSC waits for a bind.
    pub bind_within: SignedDuration,
    /// Whether each PDU is reported as [`SessionEvent::Pdu`](super::SessionEvent::Pdu); costs a copy.
    pub report_pdus: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pdu: 70_000,
            window: 64,
            queue: 4096,
            inbound: 1024,
            enquire_after: SignedDuration::from_secs(30),
            response_within: SignedDuration::from_secs(30),
            bind_within: SignedDuration::from_secs(10),
            report_pdus: true,
        }
    }
}

/// The client: an external short message entity.
#[derive(Debug, Clone)]
pub struct EsmeConfig {
    /// At most 15 ASCII characters.
    pub system_id: String,
    /// At most 8 ASCII characters.
    pub password: Secret,
    /// At most 12 ASCII characters; most SMSCs want none.
    pub system_type: String,
    /// Which bind to ask for.
    pub mode: BindMode,
    /// Bounds.
    pub limits: Limits,
}

/// Who may bind.
#[derive(Debug, Clone)]
pub struct Account {
    /// The ESME's `system_id`.
    pub system_id: String,
    /// Its password.
    pub password: Secret,
}

/// The server.
#[derive(Debug, Clone)]
pub struct SmscConfig {
    /// The SMSC's own `system_id`, sent in the bind response.
    pub system_id: String,
    /// The ESMEs it knows.
    pub accounts: Vec<Account>,
    /// Bounds.
    pub limits: Limits,
}
