//! TP-VP, the validity period: TS 23.040 §9.2.3.12.

use jiff::{SignedDuration, Timestamp};

use crate::sms::scts::{Scts, unswapped};

/// How long the service centre is to keep trying. The four formats are kept apart and raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValidityPeriod {
    /// No period given: the service centre's own.
    None,
    /// Seven octets, the first of which says what the others mean (§9.2.3.12.3).
    Enhanced([u8; 7]),
    /// One octet in steps that grow from five minutes to a week (§9.2.3.12.1).
    Relative(u8),
    /// A point in time (§9.2.3.12.2).
    Absolute(Scts),
}

impl ValidityPeriod {
    /// The shortest relative period that is not shorter than `duration`; the longest one is 63 weeks.
    #[must_use]
    pub fn relative(duration: SignedDuration) -> Self {
        let fits = (0..=u8::MAX).find(|&step| relative(step) >= duration);
        Self::Relative(fits.unwrap_or(u8::MAX))
    }

    /// How long from submission; `None` for the absolute format, for no period, and for what the enhanced format
    /// leaves reserved.
    #[must_use]
    pub fn duration(&self) -> Option<SignedDuration> {
        match *self {
            Self::Relative(step) => Some(relative(step)),
            Self::Enhanced(octets) => enhanced(octets),
            Self::None | Self::Absolute(_) => None,
        }
    }

    /// When the period ends for a message submitted at `submitted`; `None` if it does not say or says no time.
    #[must_use]
    pub fn expires(&self, submitted: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Absolute(stamp) => stamp.timestamp(),
            _ => submitted.checked_add(self.duration()?).ok(),
        }
    }

    /// TP-VPF, two bits.
    #[must_use]
    pub const fn format(&self) -> u8 {
        match self {
            Self::None => 0b00,
            Self::Enhanced(_) => 0b01,
            Self::Relative(_) => 0b10,
            Self::Absolute(_) => 0b11,
        }
    }

    /// TP-VP as it stands in the message: 0, 1 or 7 octets.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Enhanced(octets) => octets.to_vec(),
            Self::Relative(step) => vec![*step],
            Self::Absolute(stamp) => stamp.0.to_vec(),
        }
    }
}

/// The table of §9.2.3.12.1.
const fn relative(step: u8) -> SignedDuration {
    let minutes = match step as i64 {
        step @ 0..=143 => (step + 1) * 5,
        step @ 144..=167 => 12 * 60 + (step - 143) * 30,
        step @ 168..=196 => (step - 166) * 24 * 60,
        step => (step - 192) * 7 * 24 * 60,
    };
    SignedDuration::from_mins(minutes)
}

/// §9.2.3.12.3. An extension octet, which would shift the rest, has no meaning yet.
fn enhanced(octets: [u8; 7]) -> Option<SignedDuration> {
    const EXTENSION: u8 = 0x80;
    const FORMAT: u8 = 0b111;
    let [indicator, first, second, third, ..] = octets;
    if indicator & EXTENSION != 0 {
        return None;
    }
    match indicator & FORMAT {
        0b001 => Some(relative(first)),
        0b010 if first > 0 => Some(SignedDuration::from_secs(i64::from(first))),
        0b011 => {
            let [hours, minutes, seconds] = [first, second, third].map(unswapped);
            let minutes = i64::from(hours?) * 60 + i64::from(minutes?);
            Some(SignedDuration::from_secs(
                minutes * 60 + i64::from(seconds?),
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(step: u8) -> i64 {
        ValidityPeriod::Relative(step).duration().unwrap().as_mins()
    }

    #[test]
    fn the_steps_at_each_border() {
        let day = 24 * 60;
        let expected = [
            (0, 5),
            (143, 12 * 60),
            (144, 12 * 60 + 30),
            (167, day),
            (168, 2 * day),
            (196, 30 * day),
            (197, 35 * day),
            (255, 63 * 7 * day),
        ];
        for (step, expected) in expected {
            assert_eq!(minutes(step), expected, "step {step}");
        }
    }

    #[test]
    fn a_duration_is_rounded_up_to_a_step() {
        let relative = |minutes| ValidityPeriod::relative(SignedDuration::from_mins(minutes));
        assert_eq!(relative(0), ValidityPeriod::Relative(0));
        assert_eq!(relative(6), ValidityPeriod::Relative(1));
        assert_eq!(relative(1 << 40), ValidityPeriod::Relative(255));
        for step in 0..=u8::MAX {
            assert_eq!(relative(minutes(step)), ValidityPeriod::Relative(step));
        }
    }

    #[test]
    fn the_enhanced_formats() {
        let duration = |octets| ValidityPeriod::Enhanced(octets).duration();
        let secs = |n| Some(SignedDuration::from_secs(n));
        assert_eq!(duration([0; 7]), None);
        assert_eq!(duration([1, 0, 0, 0, 0, 0, 0]), secs(300));
        assert_eq!(duration([2, 0xCF, 0, 0, 0, 0, 0]), secs(207));
        assert_eq!(duration([2, 0, 0, 0, 0, 0, 0]), None);
        // 12:34:50 in swapped digits, single shot.
        let time = 12 * 3600 + 34 * 60 + 50;
        assert_eq!(duration([0x43, 0x21, 0x43, 0x05, 0, 0, 0]), secs(time));
        assert_eq!(duration([3, 0xFF, 0, 0, 0, 0, 0]), None);
        assert_eq!(duration([0x81, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn the_end_of_a_period() {
        let submitted: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let end = ValidityPeriod::Relative(0).expires(submitted).unwrap();
        assert_eq!(end.to_string(), "2026-01-01T00:05:00Z");
        let stamp = ValidityPeriod::Absolute(Scts::utc(end));
        assert_eq!(stamp.expires(submitted), Some(end));
        assert_eq!(ValidityPeriod::None.expires(submitted), None);
    }
}
