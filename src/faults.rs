//! Faults on the links between the parties. A party never knows of them.
//!
//! [`Faults::carry`] decorates a link: what goes in is one message, what comes out are the messages that arrive (none
//! when it is lost, two when it is duplicated). A fault is chosen by counting, never by chance, so that a test that
//! asks for "lose the second SMS" gets just that.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ota_wire::trace::{Badge, Octets, Row};
use serde::{Deserialize, Serialize};

/// A link that faults can be put on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkName {
    /// RP messages from a handset to the SMSC.
    HandsetToSmsc,
    /// MSS_Notification on its way to the OP.
    MsspToOp,
    /// SOAP requests of the OP.
    OpToMssp,
    /// Ping and push on their way to the RP.
    OpToRp,
    /// RP messages from the SMSC to a handset.
    SmscToHandset,
}

impl LinkName {
    /// Whether messages travel over TCP, which repairs whatever does not break it.
    pub fn is_tcp(self) -> bool {
        matches!(self, Self::MsspToOp | Self::OpToMssp | Self::OpToRp)
    }
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The last octet arrives inverted.
    Corrupt,
    /// It arrives twice.
    Duplicate,
    /// It does not arrive.
    Lose,
}

/// Which messages on which link.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where.
    pub link: LinkName,
    /// What.
    pub action: Action,
    /// So many messages pass first.
    #[serde(default)]
    pub skip: u32,
    /// So many are hit then.
    #[serde(default = "once")]
    pub times: u32,
}

/// A fault that its link cannot have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "messages on {link:?} travel over TCP, which only ever loses them: the action there is lose"
)]
pub struct NotThere {
    /// The link.
    pub link: LinkName,
}

/// The faults in force.
#[derive(Default)]
pub struct Faults {
    active: Mutex<Vec<Fault>>,
}

/// A fault that has hit, for the trace.
#[derive(Debug)]
pub struct Injected {
    /// The message that was hit, as the trace knows it.
    pub message: String,
    /// Where.
    pub link: LinkName,
    /// What.
    pub action: Action,
    /// The message as it was sent.
    pub octets: Vec<u8>,
}

impl Faults {
    /// Puts a fault in force, behind those that already are.
    ///
    /// # Errors
    /// [`NotThere`] if the link cannot have it.
    pub fn add(&self, fault: Fault) -> Result<(), NotThere> {
        if fault.link.is_tcp() && fault.action != Action::Lose {
            return Err(NotThere { link: fault.link });
        }
        self.lock().push(fault);
        Ok(())
    }

    /// Lifts all faults.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The faults in force, with what is left of their counts.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Carries one message over a link. The first fault in force that is due decides.
    pub fn carry(&self, link: LinkName, message: Vec<u8>) -> (Vec<Vec<u8>>, Option<Action>) {
        match self.hit(link) {
            None => (vec![message], None),
            Some(Action::Corrupt) => {
                let mut message = message;
                if let Some(last) = message.last_mut() {
                    *last = !*last;
                }
                (vec![message], Some(Action::Corrupt))
            }
            Some(Action::Duplicate) => (vec![message.clone(), message], Some(Action::Duplicate)),
            Some(Action::Lose) => (Vec::new(), Some(Action::Lose)),
        }
    }

    /// Counts one message on a link, and says what happens to it.
    pub fn hit(&self, link: LinkName) -> Option<Action> {
        let mut active = self.lock();
        let mut hit = None;
        for fault in active.iter_mut().filter(|fault| fault.link == link) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if hit.is_none() && fault.times > 0 {
                fault.times -= 1;
                hit = Some(fault.action);
            }
        }
        active.retain(|fault| fault.times > 0);
        hit
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Injected {
    /// The event as the trace shows it.
    pub fn row(&self) -> Row {
        let (from, to) = match self.link {
            LinkName::HandsetToSmsc => ("Handset", "SMSC"),
            LinkName::MsspToOp => ("MSSP", "OP"),
            LinkName::OpToMssp => ("OP", "MSSP"),
            LinkName::OpToRp => ("OP", "RP"),
            LinkName::SmscToHandset => ("SMSC", "Handset"),
        };
        let what = match self.action {
            Action::Corrupt => "corrupted on the way",
            Action::Duplicate => "arrives twice",
            Action::Lose => "lost on the way",
        };
        let rp = matches!(self.link, LinkName::HandsetToSmsc | LinkName::SmscToHandset);
        Row {
            step: None,
            from,
            to,
            name: format!("fault: {what}"),
            clause: "midsim's own".into(),
            badge: Badge::Own,
            fields: vec![("octets".into(), self.octets.len().to_string())],
            // HTTP bodies carry credentials at places that only their sender knows.
            octets: rp.then(|| Octets {
                bytes: self.octets.clone(),
                secrets: Vec::new(),
                kind: "rp",
            }),
        }
    }
}

fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(action: Action, skip: u32, times: u32) -> Fault {
        Fault {
            link: LinkName::SmscToHandset,
            action,
            skip,
            times,
        }
    }

    fn carry(faults: &Faults) -> Vec<Vec<u8>> {
        faults.carry(LinkName::SmscToHandset, vec![1, 2]).0
    }

    #[test]
    fn the_second_sms_is_lost_and_the_third_is_not() {
        let faults = Faults::default();
        faults.add(fault(Action::Lose, 1, 1)).unwrap();
        assert_eq!(carry(&faults).len(), 1);
        assert_eq!(carry(&faults).len(), 0);
        assert_eq!(carry(&faults).len(), 1);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_duplicate_arrives_twice_and_a_corrupted_one_differs_in_its_last_octet() {
        let faults = Faults::default();
        faults.add(fault(Action::Duplicate, 0, 1)).unwrap();
        faults.add(fault(Action::Corrupt, 0, 1)).unwrap();
        assert_eq!(carry(&faults), [[1, 2], [1, 2]]);
        assert_eq!(carry(&faults), [[1, 0xFD]]);
    }

    #[test]
    fn a_fault_hits_only_its_own_link() {
        let faults = Faults::default();
        faults.add(fault(Action::Lose, 0, 1)).unwrap();
        assert_eq!(faults.carry(LinkName::MsspToOp, vec![1]).0.len(), 1);
        assert_eq!(carry(&faults).len(), 0);
    }

    #[test]
    fn what_travels_over_tcp_can_only_get_lost() {
        let faults = Faults::default();
        let on_tcp = |action| Fault {
            link: LinkName::MsspToOp,
            ..fault(action, 0, 1)
        };
        assert!(faults.add(on_tcp(Action::Corrupt)).is_err());
        assert!(faults.add(on_tcp(Action::Duplicate)).is_err());
        assert!(faults.list().is_empty());
        faults.add(on_tcp(Action::Lose)).unwrap();
    }
}
