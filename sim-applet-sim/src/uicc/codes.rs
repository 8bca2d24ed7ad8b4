//! ETSI TS 102 221 §11.1.9 to §11.1.13: VERIFY, CHANGE, DISABLE, ENABLE and UNBLOCK PIN.
//!
//! These are the codes of the card. The signature applet's PIN is another one, with its own counter.

use ota_wire::apdu::Sw;

use super::command::Code;
use super::fcp::PIN_STATUS_ORDER;
use super::file::Condition;
use super::{Reply, Session, Uicc};
use crate::pin::{PinCode, Refused};
use crate::profile::CodeProfile;

impl Uicc {
    pub(super) fn verify_pin(
        &mut self,
        session: &mut Session,
        key: u8,
        code: Option<&Code>,
    ) -> Result<Reply, Sw> {
        let index = self.code_index(key)?;
        self.must_be_enabled(index)?;
        let Some(code) = code else {
            return Err(blocked_or(self.state.codes[index].tries.left()));
        };
        self.present(session, index, code)?;
        Ok(Reply::Done)
    }

    pub(super) fn change_pin(
        &mut self,
        session: &mut Session,
        key: u8,
        old: &Code,
        new: &Code,
    ) -> Result<Reply, Sw> {
        let index = self.code_index(key)?;
        self.must_be_enabled(index)?;
        let new = PinCode::from_octets(new).map_err(|_| Sw::WRONG_DATA)?;
        self.present(session, index, old)?;
        self.state.codes[index].code = Some(new);
        Ok(Reply::Done)
    }

    pub(super) fn disable_pin(
        &mut self,
        session: &mut Session,
        key: u8,
        code: &Code,
    ) -> Result<Reply, Sw> {
        let index = self.code_index(key)?;
        if !self.profile.codes[index].may_be_disabled {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        }
        self.must_be_enabled(index)?;
        self.present(session, index, code)?;
        self.state.codes[index].enabled = false;
        Ok(Reply::Done)
    }

    pub(super) fn enable_pin(
        &mut self,
        session: &mut Session,
        key: u8,
        code: &Code,
    ) -> Result<Reply, Sw> {
        let index = self.code_index(key)?;
        if self.state.codes[index].enabled {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        }
        self.present(session, index, code)?;
        self.state.codes[index].enabled = true;
        Ok(Reply::Done)
    }

    pub(super) fn unblock_pin(
        &mut self,
        session: &mut Session,
        key: u8,
        codes: Option<(&Code, &Code)>,
    ) -> Result<Reply, Sw> {
        let index = self.code_index(key)?;
        let CodeProfile { tries, unblock, .. } = &self.profile.codes[index];
        let (puk, max) = unblock.as_ref().ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        let state = &mut self.state.codes[index];
        let Some((presented, new)) = codes else {
            return Err(blocked_or(state.unblock_tries.left()));
        };
        let new = PinCode::from_octets(new).map_err(|_| Sw::WRONG_DATA)?;
        self.changed = true;
        state
            .unblock_tries
            .check(*max, puk, presented)
            .map_err(refusal)?;
        state.tries.restore(*tries);
        state.enabled = true;
        state.code = Some(new);
        *self.verified(session, index) |= bit(index);
        Ok(Reply::Done)
    }

    /// Whether an access condition is met in this session.
    pub(super) fn satisfied(&self, session: &Session, condition: Condition) -> bool {
        let index = match condition {
            Condition::Always => return true,
            Condition::Never => return false,
            Condition::Pin1 => 0,
            Condition::Pin2 => 1,
            Condition::Adm1 => 2,
        };
        let verified = if self.is_local(index) {
            session.channel.verified
        } else {
            session.verified
        };
        !self.state.codes[index].enabled || verified & bit(index) != 0
    }

    /// Where it is remembered that a code was presented. A local one counts for the application that is active on its
    /// channel, every other for the whole card (TS 102 221 §9.4.2, §9.5).
    fn verified<'a>(&self, session: &'a mut Session, index: usize) -> &'a mut u8 {
        if self.is_local(index) {
            &mut session.channel.verified
        } else {
            &mut session.verified
        }
    }

    fn is_local(&self, index: usize) -> bool {
        const LOCAL: u8 = 0x80;
        self.profile.codes[index].reference & LOCAL != 0
    }

    /// The octet of tag 90 in the PIN status template: enabled codes from b8 on.
    pub(super) fn pin_status(&self) -> u8 {
        PIN_STATUS_ORDER
            .iter()
            .enumerate()
            .filter(|(_, reference)| {
                self.code_index(**reference)
                    .is_ok_and(|index| self.state.codes[index].enabled)
            })
            .fold(0, |status, (place, _)| status | 0x80 >> place)
    }

    fn code_index(&self, key: u8) -> Result<usize, Sw> {
        self.profile
            .codes
            .iter()
            .position(|code| code.reference == key)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)
    }

    fn must_be_enabled(&self, index: usize) -> Result<(), Sw> {
        if self.state.codes[index].enabled {
            Ok(())
        } else {
            Err(Sw::REFERENCE_DATA_INVALIDATED)
        }
    }

    /// Compares a code with the one in force and remembers the outcome, for good and for this session.
    fn present(&mut self, session: &mut Session, index: usize, code: &Code) -> Result<(), Sw> {
        self.changed = true;
        *self.verified(session, index) &= !bit(index);
        let profile = &self.profile.codes[index];
        let state = &mut self.state.codes[index];
        let reference = state.code.as_ref().unwrap_or(&profile.code);
        state
            .tries
            .check(profile.tries, reference, code)
            .map_err(refusal)?;
        *self.verified(session, index) |= bit(index);
        Ok(())
    }
}

const fn bit(index: usize) -> u8 {
    1 << index
}

const fn blocked_or(left: u8) -> Sw {
    match left {
        0 => Sw::PIN_BLOCKED,
        left => Sw::tries_left(left),
    }
}

const fn refusal(refused: Refused) -> Sw {
    match refused {
        Refused::Blocked => Sw::PIN_BLOCKED,
        Refused::Wrong { left } => Sw::tries_left(left),
    }
}
