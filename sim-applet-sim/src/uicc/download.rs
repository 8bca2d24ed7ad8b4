//! 3GPP TS 31.115: what becomes of an SMS-DELIVER for the card, and what its sender is told.

use ota_wire::apdu::Sw;
use ota_wire::cat::ProactiveCommand;
use ota_wire::ids::Cntr;
use ota_wire::keys::CipherKey;
use ota_wire::packet::{
    self, CommandView, Opened, Por, RejectReason, Rejected, Response, ResponseStatus,
};
use ota_wire::sms::tpdu::Deliver;

use super::{Session, Uicc};
use crate::card_manager::registry::ota_key_sets;
use crate::card_manager::{Arrived, Packets, arrive, submit};
use crate::event::Note;
use crate::profile::ApplicationKind;

/// What came of one message.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// Data for the signature applet.
    pub(super) data: Option<Vec<u8>>,
    /// A PoR for the SMS-DELIVER-REPORT.
    pub(super) report: Option<Vec<u8>>,
    /// A PoR to send: an SMS-SUBMIT.
    pub(super) submit: Option<Vec<u8>>,
    /// A REFRESH, where the terminal is to be told of files that were written.
    pub(super) refresh: Option<ProactiveCommand>,
}

impl Uicc {
    /// Takes an SMS-DELIVER that the terminal passed on.
    ///
    /// # Errors
    /// The status word for a message that holds no command packet or no part of one. A packet that is refused is not
    /// an error: the sender learns of it by PoR, or not at all.
    pub(super) fn download(&mut self, session: &mut Session, tpdu: &[u8]) -> Result<Delivery, Sw> {
        let toolkit = &mut session.toolkit;
        match arrive(&mut toolkit.parts, tpdu, &mut toolkit.notes)? {
            Arrived::Part => Ok(Delivery::default()),
            Arrived::Packet(packet, deliver) => Ok(self.open(session, &packet, &deliver)),
        }
    }

    fn open(&mut self, session: &mut Session, packet: &[u8], deliver: &Deliver) -> Delivery {
        let toolkit = &mut session.toolkit;
        if toolkit.keys.is_empty() {
            toolkit.keys = ota_key_sets(&self.profile, &self.subscriber.iccid, &self.state);
        }
        let receiver = Packets {
            profile: &self.profile,
            keys: &toolkit.keys,
            state: &self.state,
        };
        let mut delivery = Delivery::default();
        let outcome = packet::open(packet, &receiver);
        let (mut status, mut answer) = (ResponseStatus::POR_OK, Vec::new());
        // A script may have brought some.
        let mut other_keys = false;
        match &outcome {
            Ok(opened) => {
                let kind = receiver.application(opened.tar).map(|found| found.kind);
                self.accept(session, packet, opened);
                match kind {
                    Some(ApplicationKind::Signature) => delivery.data = Some(opened.data.clone()),
                    Some(kind) => {
                        let before = self.state.overlay.clone().filter(|_| self.profile.refresh);
                        answer = self.remote(kind, opened.key_version, &opened.data);
                        if self.profile.refresh {
                            delivery.refresh = self.refresh_since(before.as_deref());
                        }
                        other_keys = true;
                    }
                    None => status = ResponseStatus::TAR_UNKNOWN,
                }
            }
            Err(rejected) => session.toolkit.notes.push(Note::PacketRefused {
                reason: rejected.reason.clone(),
                authenticated: rejected.authenticated,
                packet: packet.to_vec(),
            }),
        }
        let por = match &outcome {
            Err(rejected) => self
                .careless(session, packet, rejected)
                .or_else(|| packet::response_for(Err(rejected), status, Vec::new())),
            Ok(opened) => packet::response_for(Ok(opened), status, answer),
        };
        if let Some(por) = por {
            self.answer_sender(session, por, deliver, &mut delivery);
        }
        if other_keys {
            // Only now: the PoR is secured as KIc and KID of the command say (TS 102 225 §5.2).
            session.toolkit.forget_keys();
        }
        delivery
    }

    /// Stores the counter before anything else happens with the data.
    fn accept(&mut self, session: &mut Session, packet: &[u8], opened: &Opened) {
        if let Some(counter) = opened.store_counter {
            self.state
                .set_counter(&self.profile, opened.key_version, counter);
            self.changed = true;
        }
        session.toolkit.notes.push(Note::PacketAccepted {
            spi: opened.spi,
            kic: opened.kic,
            kid: opened.kid,
            tar: opened.tar,
            cntr: opened.cntr,
            packet: packet.to_vec(),
        });
    }

    fn answer_sender(
        &self,
        session: &mut Session,
        mut por: Por,
        deliver: &Deliver,
        delivery: &mut Delivery,
    ) {
        let toolkit = &mut session.toolkit;
        let version = por.key_version();
        let seal = |por: &Por| {
            let keys = toolkit.keys.iter().find(|keys| keys.version == version);
            por.seal(keys).ok()
        };
        let Some(mut octets) = seal(&por) else {
            return;
        };
        let most = if por.by_submit {
            LONGEST_MESSAGE
        } else {
            LONGEST_REPORT
        };
        while octets.len() > most {
            let surplus = octets.len() - most;
            let shorter = shorten(&mut por.response, surplus).then(|| seal(&por));
            let Some(shorter) = shorter.flatten() else {
                return;
            };
            octets = shorter;
        }
        toolkit.notes.push(Note::Por {
            status: por.response.status,
            secured: por.secured,
            by_submit: por.by_submit,
            octets: octets.clone(),
        });
        if por.by_submit {
            delivery.submit = submit(deliver, &octets);
        } else {
            delivery.report = Some(octets);
        }
    }

    /// The PoR of a card that makes the mistakes of its profile.
    fn careless(&self, session: &Session, packet: &[u8], rejected: &Rejected) -> Option<Por> {
        let weak = self.profile.weak;
        let wrong_checksum = rejected.reason == RejectReason::Integrity;
        if !(wrong_checksum && (weak.signs_errors || weak.deciphers_for_strangers)) {
            return None;
        }
        let header = rejected.header?;
        let mut por =
            packet::response_for(Err(rejected), ResponseStatus::RC_CC_DS_FAILED, Vec::new())?;
        if weak.signs_errors {
            por.secured = true;
        }
        if weak.deciphers_for_strangers && header.spi.ciphered() {
            let keys = &session.toolkit.keys;
            let keys = keys.iter().find(|keys| keys.version == header.kic >> 4)?;
            let body = CommandView::new_checked(packet).ok()?.body();
            por.response.cntr = deciphered_counter(&keys.kic, body)?;
        }
        Some(por)
    }
}

/// Octets of TP-UD with its header that fit one message.
const LONGEST_MESSAGE: usize = 140;

/// Octets of response data to a download (TS 31.111 §7.1.1.2).
const LONGEST_REPORT: usize = 128;

/// Cuts so many octets off the response data of a script, and says so in it; `false` if there are none left.
fn shorten(response: &mut Response, surplus: usize) -> bool {
    const FIXED: usize = 3;
    let before = response.data.len();
    response
        .data
        .truncate(before.saturating_sub(surplus).max(FIXED));
    let [high, low] = Sw::MORE_DATA_AVAILABLE.0.to_be_bytes();
    if let Some(sw) = response.data.get_mut(1..FIXED) {
        sw.copy_from_slice(&[high, low]);
    }
    response.data.len() < before
}

/// The first octets of what a ciphered body deciphers to, right or not.
fn deciphered_counter(key: &CipherKey, body: &[u8]) -> Option<Cntr> {
    let mut body = body.to_vec();
    key.decipher(&mut body).ok()?;
    body.first_chunk().copied().map(Cntr::from_bytes)
}
