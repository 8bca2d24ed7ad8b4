//! ETSI TS 102 221 §9.5.1 and §11.1.9: codes that a person types, and their try counters.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroize;

/// Octets of a code as it travels: digits in ASCII, filled up with `FF`.
pub const CODE_LEN: usize = 8;

const FILLER: u8 = 0xFF;
const MIN_DIGITS: usize = 4;

/// A PIN, PUK or administrative code: 4 to 8 decimal digits.
///
/// Overwritten when dropped; neither `Debug` nor `Display` shows it; compared in constant time.
#[derive(Clone)]
pub struct PinCode([u8; CODE_LEN]);

impl PinCode {
    /// Reads the form that travels in VERIFY PIN: digits, then `FF`, 8 octets in all.
    ///
    /// # Errors
    /// [`PinCodeError`], which does not repeat the octets.
    pub fn from_octets(octets: &[u8]) -> Result<Self, PinCodeError> {
        let code: [u8; CODE_LEN] = octets.try_into().map_err(|_| PinCodeError)?;
        let digits = code.iter().take_while(|o| o.is_ascii_digit()).count();
        if digits < MIN_DIGITS || code[digits..].iter().any(|o| *o != FILLER) {
            return Err(PinCodeError);
        }
        Ok(Self(code))
    }

    /// The form that travels in VERIFY PIN.
    pub const fn octets(&self) -> &[u8; CODE_LEN] {
        &self.0
    }

    /// The digits alone, for whoever has to type them.
    pub fn digits(&self) -> &str {
        let len = self.0.iter().take_while(|o| **o != FILLER).count();
        // Only ASCII digits get in.
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }

    /// Whether this is the code presented. Takes the same time wherever the two differ.
    pub fn matches(&self, presented: &[u8; CODE_LEN]) -> bool {
        self.0.ct_eq(presented).into()
    }
}

impl FromStr for PinCode {
    type Err = PinCodeError;

    fn from_str(digits: &str) -> Result<Self, PinCodeError> {
        let digits = digits.as_bytes();
        let mut code = [FILLER; CODE_LEN];
        code.get_mut(..digits.len())
            .ok_or(PinCodeError)?
            .copy_from_slice(digits);
        let result = Self::from_octets(&code);
        code.zeroize();
        result
    }
}

impl Drop for PinCode {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PartialEq for PinCode {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for PinCode {}

impl fmt::Debug for PinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinCode(****)")
    }
}

/// Octets or a text that are not 4 to 8 digits.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("expected a code of 4 to 8 decimal digits")]
pub struct PinCodeError;

/// How many more wrong codes are taken. Lives in the card's persistent state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries(u8);

impl Tries {
    /// As many as `left`.
    pub const fn new(left: u8) -> Self {
        Self(left)
    }

    /// Tries left; 0 means blocked.
    pub const fn left(self) -> u8 {
        self.0
    }

    /// Compares a code. The try is taken before the comparison and given back (to `max`) after a match, so that
    /// cutting the power in between costs a try instead of winning one.
    pub fn check(
        &mut self,
        max: u8,
        reference: &PinCode,
        presented: &[u8; CODE_LEN],
    ) -> Result<(), Refused> {
        self.compare(max, || reference.matches(presented))
    }

    fn compare(&mut self, max: u8, matches: impl FnOnce() -> bool) -> Result<(), Refused> {
        self.0 = self.0.checked_sub(1).ok_or(Refused::Blocked)?;
        if matches() {
            self.0 = max;
            Ok(())
        } else {
            Err(Refused::Wrong { left: self.0 })
        }
    }

    /// Gives all tries back, after a PUK did it.
    pub(crate) const fn restore(&mut self, max: u8) {
        self.0 = max;
    }
}

/// Why a code was not accepted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// It was compared and differs.
    #[error("wrong code, {left} tries left")]
    Wrong {
        /// Tries left after this one.
        left: u8,
    },
    /// No tries are left; nothing was compared.
    #[error("blocked")]
    Blocked,
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn codes_are_padded_with_ff() {
        let code: PinCode = "1234".parse().unwrap();
        assert_eq!(code.octets(), b"1234\xFF\xFF\xFF\xFF");
        assert_eq!(code.digits(), "1234");
        assert_eq!("12345678".parse::<PinCode>().unwrap().digits(), "12345678");
        for bad in ["", "123", "123456789", "12a4", "12 34"] {
            assert_eq!(bad.parse::<PinCode>(), Err(PinCodeError), "{bad}");
        }
        assert_eq!(
            PinCode::from_octets(b"1234\xFF5\xFF\xFF"),
            Err(PinCodeError)
        );
    }

    #[test]
    fn codes_do_not_show_themselves() {
        assert!(!format!("{:?}", "1234".parse::<PinCode>().unwrap()).contains('1'));
    }

    /// TS 102 221 §9.5.1: else whoever cuts the power at the right moment has tries without end.
    #[test]
    fn power_that_goes_during_the_comparison_has_cost_the_try() {
        let mut tries = Tries::new(3);
        for left in [2, 1, 0] {
            let cut = AssertUnwindSafe(|| tries.compare(3, || panic!("the power goes")));
            assert!(catch_unwind(cut).is_err());
            assert_eq!(tries.left(), left);
        }
        let compared = tries.compare(3, || panic!("nothing is compared any more"));
        assert_eq!(compared, Err(Refused::Blocked));
    }

    #[test]
    fn three_wrong_codes_block_and_a_right_one_before_restores() {
        let code: PinCode = "1234".parse().unwrap();
        let wrong: PinCode = "0000".parse().unwrap();
        let mut tries = Tries::new(3);
        let wrong_with = |left| Err(Refused::Wrong { left });
        assert_eq!(tries.check(3, &code, wrong.octets()), wrong_with(2));
        assert_eq!(tries.check(3, &code, code.octets()), Ok(()));
        assert_eq!(tries.left(), 3);
        for left in [2, 1, 0] {
            assert_eq!(tries.check(3, &code, wrong.octets()), wrong_with(left));
        }
        assert_eq!(tries.check(3, &code, code.octets()), Err(Refused::Blocked));
    }
}
