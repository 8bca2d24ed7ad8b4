//! Time stamps of service centres: TS 23.040 §9.2.3.11 (TP-SCTS, TP-DT, absolute TP-VP).
//!
//! Seven octets of swapped decimal digits, local time first, then its distance from UTC in quarters of an hour, whose
//! sign is bit 3 of the octet as stored. The octets are kept whatever they hold; only [`Scts::timestamp`] judges
//! them, so a message with a broken stamp is still a message.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A time stamp, raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scts(pub [u8; 7]);

impl Scts {
    /// Octets of a time stamp.
    pub const LEN: usize = 7;

    /// The stamp of an instant in UTC.
    #[must_use]
    pub fn utc(instant: Timestamp) -> Self {
        Self::new(instant, 0)
    }

    /// The stamp of an instant at `quarters` quarters of an hour east of UTC (at most 79 either way, as two digits
    /// and a sign can say). Only the last two digits of the year are said.
    #[must_use]
    pub fn new(instant: Timestamp, quarters: i8) -> Self {
        let quarters = quarters.clamp(-MAX_QUARTERS, MAX_QUARTERS);
        let local = Offset::from_seconds(i32::from(quarters) * QUARTER_SECONDS)
            .unwrap_or(Offset::UTC)
            .to_datetime(instant);
        let mut zone = swapped(quarters.unsigned_abs());
        if quarters < 0 {
            zone |= field::SIGN;
        }
        let mut octets = [0; Self::LEN];
        octets[field::YEAR] = swapped((local.year().rem_euclid(100)) as u8);
        octets[field::MONTH] = swapped(local.month() as u8);
        octets[field::DAY] = swapped(local.day() as u8);
        octets[field::HOUR] = swapped(local.hour() as u8);
        octets[field::MINUTE] = swapped(local.minute() as u8);
        octets[field::SECOND] = swapped(local.second() as u8);
        octets[field::ZONE] = zone;
        Self(octets)
    }

    /// The instant; `None` if a semi-octet is no digit or there is no such date. Years are those from 2000 to 2099.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        let (local, offset) = self.local()?;
        offset.to_timestamp(local).ok()
    }

    /// Distance of the stamp's local time from UTC, east counting positive; `None` if it is not in digits.
    #[must_use]
    pub fn offset(&self) -> Option<SignedDuration> {
        self.zone()
            .map(|offset| SignedDuration::from_secs(i64::from(offset.seconds())))
    }

    fn local(&self) -> Option<(DateTime, Offset)> {
        let at = |index: usize| unswapped(self.0[index]).and_then(|value| i8::try_from(value).ok());
        let year = 2000 + i16::from(at(field::YEAR)?);
        let local = DateTime::new(
            year,
            at(field::MONTH)?,
            at(field::DAY)?,
            at(field::HOUR)?,
            at(field::MINUTE)?,
            at(field::SECOND)?,
            0,
        )
        .ok()?;
        Some((local, self.zone()?))
    }

    fn zone(&self) -> Option<Offset> {
        let octet = self.0[field::ZONE];
        let quarters = i32::from(unswapped(octet & !field::SIGN)?);
        let seconds = quarters * QUARTER_SECONDS;
        Offset::from_seconds(if octet & field::SIGN == 0 {
            seconds
        } else {
            -seconds
        })
        .ok()
    }
}

/// ISO 8601 with the stamp's own offset, `2036-05-04T11:55:30-01:00`; the octets in hex if they are no time.
impl fmt::Display for Scts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((local, offset)) = self.local() else {
            return f.write_str(&hex::encode(self.0));
        };
        let minutes = offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        write!(f, "{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

mod field {
    pub(super) const YEAR: usize = 0;
    pub(super) const MONTH: usize = 1;
    pub(super) const DAY: usize = 2;
    pub(super) const HOUR: usize = 3;
    pub(super) const MINUTE: usize = 4;
    pub(super) const SECOND: usize = 5;
    pub(super) const ZONE: usize = 6;
    /// In the octet [`ZONE`]: west of UTC.
    pub(super) const SIGN: u8 = 0x08;
}

const QUARTER_SECONDS: i32 = 15 * 60;
const MAX_QUARTERS: i8 = 79;

/// Two decimal digits, the first in the low half of the octet.
pub(super) const fn swapped(value: u8) -> u8 {
    ((value % 10) << 4) | (value / 10 % 10)
}

/// The inverse of [`swapped`]; `None` if a half is no digit.
pub(super) const fn unswapped(octet: u8) -> Option<u8> {
    let (tens, units) = (octet & 0xF, octet >> 4);
    if tens > 9 || units > 9 {
        return None;
    }
    Some(tens * 10 + units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_hour_west_of_utc() {
        let stamp = Scts([0x63, 0x50, 0x40, 0x11, 0x55, 0x03, 0x48]);
        assert_eq!(stamp.to_string(), "2036-05-04T11:55:30-01:00");
        assert_eq!(stamp.offset(), Some(SignedDuration::from_hours(-1)));
        let instant: Timestamp = "2036-05-04T12:55:30Z".parse().unwrap();
        assert_eq!(stamp.timestamp(), Some(instant));
        assert_eq!(Scts::new(instant, -4), stamp);
    }

    #[test]
    fn what_is_no_time_is_kept_and_invents_none() {
        let stamp = Scts([0xFF; 7]);
        assert_eq!(stamp.timestamp(), None);
        assert_eq!(stamp.to_string(), "ffffffffffffff");
        let thirtieth_of_february = Scts([0x62, 0x20, 0x03, 0x00, 0x00, 0x00, 0x00]);
        assert_eq!(thirtieth_of_february.timestamp(), None);
    }

    proptest! {
        #[test]
        fn instants_survive(second in 946_684_800i64 + 86_400..4_102_444_800 - 86_400, quarters in -79i8..=79) {
            let instant = Timestamp::from_second(second).unwrap();
            let stamp = Scts::new(instant, quarters);
            prop_assert_eq!(stamp.timestamp(), Some(instant));
            prop_assert_eq!(stamp.offset(), Some(SignedDuration::from_mins(15 * i64::from(quarters))));
        }

        #[test]
        fn never_panics(octets in any::<[u8; 7]>()) {
            let stamp = Scts(octets);
            if let Some(instant) = stamp.timestamp() {
                prop_assert_eq!(stamp.to_string().parse::<Timestamp>().unwrap(), instant);
            }
        }
    }
}
