//! The issuer security domain, GlobalPlatform Card Specification 2.3: what a reader and remote application management
//! can ask of it.
//!
//! Nothing can be loaded or installed: this card has its applications from the factory. INSTALL, LOAD, DELETE and STORE
//! DATA are unknown instructions.

use ota_wire::apdu::{self, Ins, Response, Sw};
use ota_wire::ids::Cntr;
use ota_wire::keys::{CipherKey, KeySet};
use ota_wire::packet::CipherAlgorithm;
use ota_wire::remote_apdu::ram::{GetStatus, LifeCycle, PutKey, Scope, SetStatus, StatusEntry};
use ota_wire::secret::Secret;
use ota_wire::tlv::Writer;

use super::registry::{self, MOST_STORED, OTA, SCP03, StoredKeySet};
use super::scp03::{self, C_MAC, Channel, SECURE_MESSAGING, SHORT};
use crate::profile::Profile;
use crate::uicc::{Reply, Session, Uicc};

/// The name that GlobalPlatform gives to every issuer security domain; a card's own comes first.
const COMMON_AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

const CLA: u8 = 0x80;

/// What the selected domain keeps until another application is selected.
#[derive(Debug, Default)]
pub(crate) struct DomainSession {
    channel: Option<Channel>,
}

/// The names by which the domain is selected.
pub(crate) fn names(profile: &Profile) -> impl Iterator<Item = &[u8]> {
    [profile.domain.aid.as_slice(), &COMMON_AID].into_iter()
}

/// What SELECT of an application without files answers: its name, and the longest command data that it takes.
pub(crate) fn control_information(aid: &[u8]) -> Vec<u8> {
    const FCI: u32 = 0x6F;
    const NAME: u32 = 0x84;
    const PROPRIETARY: u32 = 0xA5;
    const LONGEST: u32 = 0x9F65;
    let mut writer = Writer::new();
    writer.constructed(FCI, |fci| {
        fci.ber(NAME, aid);
        fci.constructed(PROPRIETARY, |inner| {
            inner.ber(LONGEST, &[0xFF]);
        });
    });
    writer.into_bytes()
}

impl Uicc {
    /// Answers a command for the security domain; `None` if it is not selected, or the command is not one of its own.
    pub(crate) fn domain_command(
        &mut self,
        session: &mut Session,
        apdu: &apdu::Command,
        waiting: &[u8],
    ) -> Option<Response> {
        let mut domain = session.channel.domain.take()?;
        let secure = apdu.cla & SECURE_MESSAGING != 0;
        let reply = match (apdu.cla & !SECURE_MESSAGING, apdu.ins) {
            (CLA, Ins::GET_RESPONSE) if secure => {
                let mut same = apdu.clone();
                same.cla = CLA;
                session.channel.domain = Some(domain);
                return Some(self.reply(session, &same, waiting.to_vec()));
            }
            (CLA, Ins::INITIALIZE_UPDATE) if !secure => {
                self.initialize_update(session, &mut domain, apdu)
            }
            (CLA, Ins::EXTERNAL_AUTHENTICATE) if secure => external_authenticate(&mut domain, apdu),
            (CLA | 0x00, _) if secure => self.protected(&mut domain, apdu),
            (CLA | 0x00, Ins::GET_DATA) | (CLA, Ins::PUT_KEY | Ins::SET_STATUS) => {
                self.unprotected(&mut domain, apdu)
            }
            (CLA, Ins::STATUS) if apdu.p1 & 0xF0 != 0 => self.unprotected(&mut domain, apdu),
            _ => {
                session.channel.domain = Some(domain);
                return None;
            }
        };
        session.channel.domain = Some(domain);
        if apdu.ins == Ins::PUT_KEY {
            session.toolkit.forget_keys();
        }
        Some(match reply {
            Ok(Reply::Waiting(data)) if !data.is_empty() => {
                let sw = Sw::more_data(data.len());
                session.response = data;
                sw.into()
            }
            Ok(Reply::Data(data)) => Response::new(data, session.done()),
            Ok(_) => session.done().into(),
            Err(sw) => sw.into(),
        })
    }

    /// Amendment D §7.1.1.
    fn initialize_update(
        &mut self,
        session: &mut Session,
        domain: &mut DomainSession,
        apdu: &apdu::Command,
    ) -> Result<Reply, Sw> {
        const SCP: u8 = 0x03;
        const PSEUDO_RANDOM: u8 = 0x10;
        const LAST_SEQUENCE: u32 = 0x00FF_FFFF;
        domain.channel = None;
        if apdu.p2 != 0 {
            return Err(Sw::WRONG_P1_P2);
        }
        let host: &[u8; SHORT] = apdu
            .data
            .as_slice()
            .try_into()
            .map_err(|_| Sw::WRONG_LENGTH)?;
        let iccid = &self.subscriber.iccid;
        let (version, keys) = registry::scp03_keys(&self.profile, iccid, &self.state, apdu.p1)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        let i = self.profile.domain.scp03.i;
        let mut answer = self.subscriber.iccid.to_ef().to_vec();
        answer.extend([version, SCP, i]);
        let mut card = [0; SHORT];
        let mut sequence = None;
        if i & PSEUDO_RANDOM != 0 {
            let state = self.state.domain.get_or_insert_default();
            if state.sequence >= LAST_SEQUENCE {
                return Err(Sw::CONDITIONS_NOT_SATISFIED);
            }
            state.sequence += 1;
            self.changed = true;
            let [_, counter @ ..] = state.sequence.to_be_bytes();
            card = scp03::card_challenge(&keys, counter, &self.profile.domain.aid);
            sequence = Some(counter);
        } else {
            card.copy_from_slice(&self.random(session, SHORT));
        }
        let channel = Channel::new(&keys, version, host, &card);
        answer.extend(card);
        answer.extend(channel.card_cryptogram());
        answer.extend(sequence.into_iter().flatten());
        domain.channel = Some(channel);
        Ok(Reply::Waiting(answer))
    }

    /// A command under secure messaging. What is wrong with the protection ends the session.
    fn protected(&mut self, domain: &mut DomainSession, apdu: &apdu::Command) -> Result<Reply, Sw> {
        let mut channel = domain.channel.take().ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        let command = channel.unwrap(apdu)?;
        let dek = key_encryption_key(&channel)?;
        let result = self.manage(&command, Some(&dek));
        let reply = result.map(|data| Reply::Waiting(channel.wrap(data, Sw::OK)));
        domain.channel = Some(channel);
        reply
    }

    /// A command in clear: for everybody, or in a session whose level asks for no protection.
    fn unprotected(
        &mut self,
        domain: &mut DomainSession,
        apdu: &apdu::Command,
    ) -> Result<Reply, Sw> {
        let level = domain.channel.as_ref().and_then(Channel::level);
        if apdu.ins == Ins::GET_DATA {
            let data = self.get_data(apdu)?;
            return Reply::exactly(data, apdu.le.unwrap_or(256));
        }
        match (level, &domain.channel) {
            (Some(level), Some(channel)) if level & C_MAC == 0 => {
                let dek = key_encryption_key(channel)?;
                self.manage(apdu, Some(&dek)).map(Reply::Waiting)
            }
            _ => Err(Sw::SECURITY_STATUS_NOT_SATISFIED),
        }
    }

    /// A command of somebody who may manage the card, by secure channel or by secured packet. `kik` deciphers keys.
    pub(crate) fn manage(
        &mut self,
        command: &apdu::Command,
        kik: Option<&CipherKey>,
    ) -> Result<Vec<u8>, Sw> {
        match command.ins {
            Ins::GET_DATA => self.get_data(command),
            Ins::STATUS => self.get_status(&GetStatus::try_from(command)?),
            Ins::SET_STATUS => self.set_status(&SetStatus::try_from(command)?),
            Ins::PUT_KEY => {
                let kik = kik.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
                self.put_key(&PutKey::try_from(command)?, kik)
            }
            _ => Err(Sw::INS_NOT_SUPPORTED),
        }
    }

    /// GlobalPlatform §11.3.
    fn get_data(&self, command: &apdu::Command) -> Result<Vec<u8>, Sw> {
        const CARD_DATA: u16 = 0x0066;
        const KEY_DIVERSIFICATION: u16 = 0x00CF;
        const KEY_INFORMATION: u16 = 0x00E0;
        const PRODUCTION_LIFE_CYCLE: u16 = 0x9F7F;
        match u16::from_be_bytes([command.p1, command.p2]) {
            CARD_DATA => Ok(self.card_data()),
            KEY_DIVERSIFICATION => {
                let mut writer = Writer::new();
                writer.ber(
                    u32::from(KEY_DIVERSIFICATION),
                    &self.subscriber.iccid.to_ef(),
                );
                Ok(writer.into_bytes())
            }
            KEY_INFORMATION => Ok(self.key_information()),
            PRODUCTION_LIFE_CYCLE => {
                // Fabricator, type and dates are nobody's; the serial number is the card's.
                let mut cplc = [0; 42];
                cplc[12..16].copy_from_slice(&self.subscriber.iccid.to_ef()[6..]);
                let mut writer = Writer::new();
                writer.ber(u32::from(PRODUCTION_LIFE_CYCLE), &cplc);
                Ok(writer.into_bytes())
            }
            _ => Err(Sw::REFERENCED_DATA_NOT_FOUND),
        }
    }

    /// Card recognition data, GlobalPlatform appendix H.2: version 2.3.1 and the secure channel.
    fn card_data(&self) -> Vec<u8> {
        const OBJECT_IDENTIFIER: u32 = 0x06;
        /// {iso(1) member-body(2) country-USA(840) 114283}, under which all of GlobalPlatform's stand.
        const GLOBAL_PLATFORM: [u8; 6] = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B];
        let identifier = |tail: &[u8]| [&GLOBAL_PLATFORM, tail].concat();
        let mut writer = Writer::new();
        writer.constructed(0x66, |data| {
            data.constructed(0x73, |recognition| {
                recognition.ber(OBJECT_IDENTIFIER, &identifier(&[1]));
                let mut entry = |tag: u32, tail: &[u8]| {
                    recognition.constructed(tag, |inner| {
                        inner.ber(OBJECT_IDENTIFIER, &identifier(tail));
                    });
                };
                entry(0x60, &[2, 2, 3, 1]);
                entry(0x63, &[3]);
                entry(0x64, &[4, 3, self.profile.domain.scp03.i]);
            });
        });
        writer.into_bytes()
    }

    /// Key information template, GlobalPlatform §11.3.3.1: number, version, type and length of each key.
    fn key_information(&self) -> Vec<u8> {
        const TEMPLATE: u32 = 0xE0;
        const KEY: u32 = 0xC0;
        let mut writer = Writer::new();
        writer.constructed(TEMPLATE, |keys| {
            for (version, kind, len) in registry::key_information(&self.profile, &self.state) {
                for number in 1..=3 {
                    keys.ber(KEY, &[number, version, kind, len]);
                }
            }
        });
        writer.into_bytes()
    }

    /// GlobalPlatform §11.4.
    fn get_status(&self, query: &GetStatus) -> Result<Vec<u8>, Sw> {
        const SECURED: LifeCycle = LifeCycle(0x0F);
        /// Security domain, card lock and termination, default selection, trusted path, and so on.
        const ISSUER: [u8; 3] = [0x9E, 0xFE, 0x80];
        if query.options & GetStatus::NEXT != 0 {
            // Everything fits the first answer.
            return Err(Sw::REFERENCED_DATA_NOT_FOUND);
        }
        let entry = match query.scope {
            Scope::ISSUER_DOMAIN => StatusEntry {
                aid: self.profile.domain.aid.clone(),
                state: SECURED,
                privileges: ISSUER.to_vec(),
            },
            Scope::APPLICATIONS => StatusEntry {
                aid: self.profile.applet.aid.clone(),
                state: self.applet_life_cycle(),
                privileges: vec![0; 3],
            },
            Scope::LOAD_FILES | Scope::LOAD_FILES_AND_MODULES => {
                return Err(Sw::REFERENCED_DATA_NOT_FOUND);
            }
            _ => return Err(Sw::WRONG_P1_P2),
        };
        if !entry.aid.starts_with(&query.aid) {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND);
        }
        let mut answer = Vec::new();
        entry.emit(query.options, &mut answer);
        Ok(answer)
    }

    fn applet_life_cycle(&self) -> LifeCycle {
        if self.state.applet_locked() {
            LifeCycle(LifeCycle::SELECTABLE.0 | LifeCycle::LOCKED.0)
        } else {
            LifeCycle::SELECTABLE
        }
    }

    /// GlobalPlatform §11.10: only the lock of the applet can be set.
    fn set_status(&mut self, order: &SetStatus) -> Result<Vec<u8>, Sw> {
        if order.scope != Scope::APPLICATIONS {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        }
        if order.aid != self.profile.applet.aid {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND);
        }
        self.state.domain.get_or_insert_default().applet_locked = order.state.is_locked();
        self.changed = true;
        Ok(Vec::new())
    }

    /// GlobalPlatform §11.8 and TS 102 226 §8.2.1.5. A set that is replaced may get another version. The counter of an OTA
    /// key set begins at zero with a new KID; as long as that stays, so does the counter.
    fn put_key(&mut self, order: &PutKey, kik: &CipherKey) -> Result<Vec<u8>, Sw> {
        let PutKey {
            version, replaces, ..
        } = *order;
        let known = registry::key_information(&self.profile, &self.state);
        let known = |wanted| known.iter().any(|(version, ..)| *version == wanted);
        if replaces != 0 && !known(replaces) {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND);
        }
        if version != replaces && known(version) {
            return Err(Sw::WRONG_DATA);
        }
        // Three keys at a time: a set of old and new ones would be of no use to anybody.
        let (1, [first, second, third]) = (order.first, order.keys.as_slice()) else {
            return Err(Sw::WRONG_DATA);
        };
        let keys = [
            first.unwrap_with(kik)?,
            second.unwrap_with(kik)?,
            third.unwrap_with(kik)?,
        ];
        for key in &keys {
            let (ota, scp03) = (OTA.contains(&version), SCP03.contains(&version));
            match key.algorithm() {
                CipherAlgorithm::Aes if ota || scp03 && key.secret().len() == 16 => {}
                CipherAlgorithm::TripleDes2 | CipherAlgorithm::TripleDes3 if ota => {}
                CipherAlgorithm::Des if ota && self.profile.weak.single_des => {}
                CipherAlgorithm::Aes => return Err(Sw::WRONG_DATA),
                _ if ota || scp03 => return Err(Sw::ALGORITHM_NOT_SUPPORTED),
                _ => return Err(Sw::WRONG_DATA),
            }
        }
        let domain = self.state.domain.get_or_insert_default();
        let place = domain.keys.iter().position(|keys| keys.version == replaces);
        let mut stored = StoredKeySet {
            version,
            instead_of: place.map_or(replaces, |place| domain.keys[place].instead_of),
            counter: Cntr::default(),
            keys,
        };
        if let Some(after) = stored.ota() {
            stored.counter = self.counter_with(&after, replaces);
        }
        let domain = self.state.domain.get_or_insert_default();
        match place {
            Some(place) => domain.keys[place] = stored,
            None if domain.keys.len() < MOST_STORED => domain.keys.push(stored),
            None => return Err(Sw::NOT_ENOUGH_MEMORY),
        }
        self.changed = true;
        Ok(order.response_data())
    }
}

impl Uicc {
    /// CNTR that a new OTA key set begins with: whoever has recorded packets must not be able to send them again. So it is that
    /// of the set in whose place it comes, or of the one of its version that the card came with, if the KID is the same.
    fn counter_with(&self, keys: &KeySet, replaces: u8) -> Cntr {
        let (profile, iccid) = (&*self.profile, &self.subscriber.iccid);
        let before = registry::ota_key_sets(profile, iccid, &self.state);
        let before = before.into_iter().find(|set| set.version == replaces);
        let factory = registry::factory_keys(profile, iccid, keys.version);
        let same = |set: &KeySet| set.kid == keys.kid;
        let of_before = before
            .filter(same)
            .map(|set| self.state.counter(profile, set.version));
        let of_factory = factory
            .filter(same)
            .map(|set| self.state.factory_counter(profile, set.version));
        of_before.max(of_factory).unwrap_or_default()
    }
}

/// What was INITIALIZE UPDATE's: a session may replace the keys that it was opened with.
fn key_encryption_key(channel: &Channel) -> Result<CipherKey, Sw> {
    CipherKey::new(CipherAlgorithm::Aes, Secret::new(channel.dek.to_vec()))
        .map_err(|_| Sw::TECHNICAL_PROBLEM)
}

fn external_authenticate(domain: &mut DomainSession, apdu: &apdu::Command) -> Result<Reply, Sw> {
    let mut channel = domain.channel.take().ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
    channel.authenticate(apdu)?;
    domain.channel = Some(channel);
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests;
