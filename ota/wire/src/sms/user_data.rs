//! TP-UDL and TP-UD: TS 23.040 §9.2.3.16 and §9.2.3.24.
//!
//! The length counts octets or septets, as the data coding scheme says; with septets it counts the header too,
//! rounded up to whole septets. [`UserData`] keeps the header apart from the rest and the rest packed as it came, so
//! that text, binary data and data that only claims to be text all survive.
//!
//! Panics: none. Allocation: the octets that the length names, at most [`MAX_REPORT`].

use crate::sms::dcs::{Alphabet, Dcs};
use crate::sms::gsm7::{self, NotInAlphabet};
use crate::sms::udh::{InformationElement, Udh, UdhError};

/// Octets of user data in SMS-DELIVER and SMS-SUBMIT.
pub const MAX: usize = 140;

/// Octets of user data in the roomiest report, SMS-DELIVER-REPORT in an RP-ACK.
pub const MAX_REPORT: usize = 159;

/// The user data of one message, within the limit it was made for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserData {
    udh: Option<Udh>,
    payload: Vec<u8>,
    /// TP-UDL where it counts septets.
    septets: Option<u8>,
}

impl UserData {
    /// Octets behind an optional header; for 8-bit data, UCS2 and compressed text.
    ///
    /// # Errors
    /// [`UserDataError::TooLong`] above 140 octets.
    pub fn new(udh: Option<Udh>, payload: impl Into<Vec<u8>>) -> Result<Self, UserDataError> {
        Self::within(MAX, udh, payload.into())
    }

    /// The same for a report, which may hold up to 159 octets; which report allows how many, its constructor checks.
    ///
    /// # Errors
    /// [`UserDataError::TooLong`] above 159 octets.
    pub fn report(udh: Option<Udh>, payload: impl Into<Vec<u8>>) -> Result<Self, UserDataError> {
        Self::within(MAX_REPORT, udh, payload.into())
    }

    /// Text in the alphabet that `dcs` names.
    ///
    /// # Errors
    /// [`UserDataError`] if the text is too long or not sayable in that alphabet, or if `dcs` is no plain text.
    pub fn text(udh: Option<Udh>, text: &str, dcs: Dcs) -> Result<Self, UserDataError> {
        if dcs.compressed() {
            return Err(UserDataError::NotText { dcs });
        }
        match dcs.alphabet() {
            Alphabet::Gsm7 => Self::septets(udh, &gsm7::encode(text)?),
            Alphabet::Ucs2 => {
                let units = text.encode_utf16().flat_map(u16::to_be_bytes);
                Self::new(udh, units.collect::<Vec<_>>())
            }
            Alphabet::Data | Alphabet::Reserved => Err(UserDataError::NotText { dcs }),
        }
    }

    /// Septets (one per octet) behind an optional header, with the fill bits between.
    ///
    /// # Errors
    /// [`UserDataError::TooLong`] if all does not fit 140 octets.
    pub fn septets(udh: Option<Udh>, septets: &[u8]) -> Result<Self, UserDataError> {
        let header = udh.as_ref().map_or(0, Udh::len);
        let count = gsm7::header_septets(header) + septets.len();
        let got = gsm7::packed_len(count, 0);
        if got > MAX {
            return Err(UserDataError::TooLong { max: MAX, got });
        }
        Ok(Self {
            udh,
            payload: gsm7::pack(septets, gsm7::fill_bits(header)),
            septets: Some(count as u8),
        })
    }

    /// TP-UD as SMPP carries it, without TP-UDL: the header if `udhi`, then octets.
    ///
    /// # Errors
    /// [`UserDataError`] if it is longer than 140 octets or its header is broken.
    pub fn from_octets(octets: &[u8], udhi: bool) -> Result<Self, UserDataError> {
        check(MAX, octets.len())?;
        let (udh, payload) = split(octets, udhi)?;
        Ok(Self {
            udh,
            payload: payload.to_vec(),
            septets: None,
        })
    }

    /// Reads TP-UDL and TP-UD, which must be all that is left of the message.
    ///
    /// # Errors
    /// [`UserDataError`] if there are fewer or more octets than TP-UDL says, more than `max`, or a broken header.
    pub(super) fn parse(
        octets: &[u8],
        dcs: Option<Dcs>,
        udhi: bool,
        max: usize,
    ) -> Result<(Self, &[u8]), UserDataError> {
        let (&udl, after) = octets.split_first().ok_or(UserDataError::Truncated {
            need: 1,
            got: octets.len(),
        })?;
        let counts_septets = dcs.is_some_and(Dcs::counts_septets);
        let need = if counts_septets {
            gsm7::packed_len(usize::from(udl), 0)
        } else {
            usize::from(udl)
        };
        check(max, need)?;
        let (octets, rest) = after
            .split_at_checked(need)
            .ok_or(UserDataError::Truncated {
                need,
                got: after.len(),
            })?;
        let (udh, payload) = split(octets, udhi)?;
        let header = udh.as_ref().map_or(0, Udh::len);
        if counts_septets && gsm7::header_septets(header) > usize::from(udl) {
            return Err(UserDataError::HeaderSeptets {
                header,
                udl: usize::from(udl),
            });
        }
        let user_data = Self {
            udh,
            payload: payload.to_vec(),
            septets: counts_septets.then_some(udl),
        };
        Ok((user_data, rest))
    }

    /// The same in a report without TP-DCS. GSM 7-bit is assumed then (§9.2.3.27), so TP-UDL counts septets; some senders
    /// count octets. Septets it is if they take up what there is to the last octet, else octets.
    ///
    /// # Errors
    /// As [`UserData::parse`].
    pub(super) fn parse_uncoded(
        octets: &[u8],
        udhi: bool,
        max: usize,
    ) -> Result<(Self, &[u8]), UserDataError> {
        match Self::parse(octets, Some(Dcs(0)), udhi, max) {
            Ok((user_data, [])) => Ok((user_data, &[])),
            _ => Self::parse(octets, None, udhi, max),
        }
    }

    /// Writes TP-UDL and TP-UD.
    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.udl());
        self.emit_octets(out);
    }

    /// The header, if there is one; TP-UDHI says so.
    #[must_use]
    pub const fn udh(&self) -> Option<&Udh> {
        self.udh.as_ref()
    }

    /// What follows the header, packed as on the wire; 7-bit text begins with its fill bits.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Header and payload apart, by value.
    #[must_use]
    pub fn into_parts(self) -> (Option<Udh>, Vec<u8>) {
        (self.udh, self.payload)
    }

    /// TP-UD without TP-UDL: what SMPP's `short_message` holds for 8-bit data and UCS2.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.emit_octets(&mut out);
        out
    }

    /// TP-UDL: octets, or septets where the alphabet has them.
    #[must_use]
    pub fn udl(&self) -> u8 {
        self.septets.unwrap_or(self.len() as u8)
    }

    /// Octets of TP-UD.
    #[must_use]
    pub fn len(&self) -> usize {
        self.udh.as_ref().map_or(0, Udh::len) + self.payload.len()
    }

    /// Whether there is neither header nor payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Spare bits before the first septet of 7-bit text, else 0.
    #[must_use]
    pub fn fill_bits(&self) -> u8 {
        match (&self.udh, self.septets) {
            (Some(udh), Some(_)) => gsm7::fill_bits(udh.len()),
            _ => 0,
        }
    }

    /// The text, read as `dcs` says; `None` for 8-bit data and compressed text. Reserved codings are read as 7-bit,
    /// and what is no UTF-16 shows as replacement characters.
    #[must_use]
    pub fn to_text(&self, dcs: Dcs) -> Option<String> {
        if dcs.compressed() {
            return None;
        }
        match dcs.alphabet() {
            Alphabet::Data => None,
            Alphabet::Gsm7 | Alphabet::Reserved => {
                let header = self.udh.as_ref().map_or(0, Udh::len);
                let count = usize::from(self.septets?).checked_sub(gsm7::header_septets(header))?;
                let septets = gsm7::unpack(&self.payload, gsm7::fill_bits(header), count)?;
                Some(gsm7::decode(&septets))
            }
            Alphabet::Ucs2 => {
                let (pairs, rest) = self.payload.as_chunks::<2>();
                let units: Vec<u16> = pairs.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
                let mut text = String::from_utf16_lossy(&units);
                if !rest.is_empty() {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
                Some(text)
            }
        }
    }

    /// Octets behind these elements, or without a header if there are none, whose lengths the caller has measured.
    pub(super) fn measured(elements: Vec<InformationElement>, octets: &[u8]) -> Self {
        Self {
            udh: (!elements.is_empty()).then(|| Udh::measured(elements)),
            payload: octets.to_vec(),
            septets: None,
        }
    }

    fn within(max: usize, udh: Option<Udh>, payload: Vec<u8>) -> Result<Self, UserDataError> {
        let user_data = Self {
            udh,
            payload,
            septets: None,
        };
        check(max, user_data.len())?;
        Ok(user_data)
    }

    fn emit_octets(&self, out: &mut Vec<u8>) {
        if let Some(udh) = &self.udh {
            udh.emit(out);
        }
        out.extend_from_slice(&self.payload);
    }
}

/// Why something is no user data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserDataError {
    /// Fewer octets than TP-UDL says.
    #[error("user data needs {need} octets, got {got}")]
    Truncated {
        /// Octets needed.
        need: usize,
        /// Octets there.
        got: usize,
    },
    /// More octets than the message has room for.
    #[error("user data of {got} octets, at most {max} are allowed")]
    TooLong {
        /// Octets allowed.
        max: usize,
        /// Octets announced or given.
        got: usize,
    },
    /// The header alone has more septets than TP-UDL counts.
    #[error("user data header of {header} octets in {udl} septets")]
    HeaderSeptets {
        /// Octets of the header.
        header: usize,
        /// TP-UDL.
        udl: usize,
    },
    /// The header is broken.
    #[error(transparent)]
    Header(#[from] UdhError),
    /// The text leaves its alphabet.
    #[error(transparent)]
    Text(#[from] NotInAlphabet),
    /// Text was asked for in a coding that has no plain text.
    #[error("data coding scheme {dcs} is no plain text")]
    NotText {
        /// The coding.
        dcs: Dcs,
    },
}

fn check(max: usize, got: usize) -> Result<(), UserDataError> {
    if got > max {
        return Err(UserDataError::TooLong { max, got });
    }
    Ok(())
}

fn split(octets: &[u8], udhi: bool) -> Result<(Option<Udh>, &[u8]), UdhError> {
    if !udhi {
        return Ok((None, octets));
    }
    let (udh, payload) = Udh::parse(octets)?;
    Ok((Some(udh), payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sms::udh::Iei;

    fn concat() -> Option<Udh> {
        Udh::new(vec![InformationElement::new(Iei::CONCAT_8, [1, 2, 1])]).ok()
    }

    #[test]
    fn text_behind_a_header_starts_on_a_septet() {
        let user_data = UserData::text(concat(), "B", Dcs::TEXT).unwrap();
        assert_eq!(user_data.udl(), 8);
        assert_eq!(user_data.fill_bits(), 1);
        assert_eq!(hex::encode(user_data.to_octets()), "05000301020184");
        assert_eq!(user_data.to_text(Dcs::TEXT).as_deref(), Some("B"));
    }

    #[test]
    fn limits_of_each_alphabet() {
        let fits = |text: &str, dcs| UserData::text(None, text, dcs).is_ok();
        assert!(fits(&"a".repeat(160), Dcs::TEXT) && !fits(&"a".repeat(161), Dcs::TEXT));
        assert!(fits(&"я".repeat(70), Dcs::UCS2) && !fits(&"я".repeat(71), Dcs::UCS2));
        assert!(UserData::text(concat(), &"a".repeat(153), Dcs::TEXT).is_ok());
        assert!(UserData::text(concat(), &"a".repeat(154), Dcs::TEXT).is_err());
        assert!(UserData::new(None, vec![0; 140]).is_ok());
        let error = UserDataError::TooLong { max: 140, got: 141 };
        assert_eq!(UserData::new(None, vec![0; 141]), Err(error));
    }

    #[test]
    fn a_coding_without_text_is_refused() {
        assert!(UserData::text(None, "a", Dcs::CLASS_2_DATA).is_err());
        assert!(UserData::text(None, "a", Dcs(0x20)).is_err());
        assert!(UserData::text(None, "я", Dcs::TEXT).is_err());
    }

    #[test]
    fn broken_utf_16_is_shown_as_such() {
        let user_data = UserData::new(None, [0x00, 0x41, 0xD8, 0x00, 0x00]).unwrap();
        assert_eq!(
            user_data.to_text(Dcs::UCS2).as_deref(),
            Some("A\u{FFFD}\u{FFFD}")
        );
    }

    #[test]
    fn octets_of_smpp_with_a_header() {
        let user_data = UserData::from_octets(&[0x02, 0x70, 0x00, 0xAA], true).unwrap();
        assert_eq!(user_data.udh(), Some(&Udh::command_packet()));
        assert_eq!(user_data.payload(), [0xAA]);
        assert!(UserData::from_octets(&[0x05, 0x70], true).is_err());
        assert!(UserData::from_octets(&[0; 141], false).is_err());
    }
}
