//! SMPP time: absolute and relative, 16 characters (SMPP 3.4 §7.1.1).
//!
//! `YYMMDDhhmmsstnnp`: t tenths of a second, nn quarter hours, p `+` ahead of UTC, `-` behind it, `R` a span from now.

use jiff::{SignedDuration, Timestamp, civil, tz::Offset};

/// Characters of a time that is not empty.
const LENGTH: usize = 16;
/// A relative time counts a month as 30 days and a year as 365: the standard leaves it open.
const DAYS_PER_MONTH: i64 = 30;
const DAYS_PER_YEAR: i64 = 365;
const QUARTER_HOUR: i32 = 15 * 60;

/// A time field that is neither empty nor of the form of §7.1.1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected YYMMDDhhmmsstnnp with p one of + - R, got {got:?}")]
pub struct TimeError {
    /// What came.
    pub got: String,
}

/// The instant that a time field names; `None` for an empty field, which means "the default" or "now".
pub fn parse(text: &str, now: Timestamp) -> Result<Option<Timestamp>, TimeError> {
    if text.is_empty() {
        return Ok(None);
    }
    resolve(text, now).map(Some).ok_or_else(|| TimeError {
        got: text.to_owned(),
    })
}

/// A span from now as a relative time, in whole seconds, at most 30 days and at least none.
pub fn relative(span: SignedDuration) -> String {
    let seconds = span.as_secs().clamp(0, DAYS_PER_MONTH * 86_400);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    format!(
        "0000{days:02}{:02}{:02}{:02}000R",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// An instant as an absolute time in UTC.
pub fn absolute(instant: Timestamp) -> String {
    let utc = Offset::UTC.to_datetime(instant);
    let tenths = utc.subsec_nanosecond() / 100_000_000;
    format!("{}{tenths}00+", utc.strftime("%y%m%d%H%M%S"))
}

fn resolve(text: &str, now: Timestamp) -> Option<Timestamp> {
    let octets = text.as_bytes();
    if octets.len() != LENGTH || !octets[..LENGTH - 1].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let pair = |at: usize| i64::from(octets[at] - b'0') * 10 + i64::from(octets[at + 1] - b'0');
    let [year, month, day, hour, minute, second] = [0, 2, 4, 6, 8, 10].map(pair);
    let tenths = i64::from(octets[12] - b'0');
    let quarters = i32::try_from(pair(13)).ok()?;
    let offset = match octets[LENGTH - 1] {
        b'+' => quarters * QUARTER_HOUR,
        b'-' => -quarters * QUARTER_HOUR,
        b'R' => {
            let days = year * DAYS_PER_YEAR + month * DAYS_PER_MONTH + day;
            let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
            return now.checked_add(SignedDuration::from_secs(seconds)).ok();
        }
        _ => return None,
    };
    let small = |number: i64| i8::try_from(number).ok();
    let nanosecond = i32::try_from(tenths).ok()? * 100_000_000;
    let date = civil::DateTime::new(
        i16::try_from(2000 + year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanosecond,
    );
    Offset::from_seconds(offset)
        .ok()?
        .to_timestamp(date.ok()?)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_forms_of_the_standard() {
        let now = at("2026-01-02T03:04:05Z");
        assert_eq!(parse("", now), Ok(None));
        assert_eq!(
            parse("260102040405000R", now),
            Ok(Some(
                now + SignedDuration::from_hours(((26 * 365 + 30 + 2) * 24) + 4)
                    + SignedDuration::from_secs(245)
            ))
        );
        assert_eq!(
            parse("000000000500000R", now),
            Ok(Some(at("2026-01-02T03:09:05Z")))
        );
        assert_eq!(
            parse("260102030405700+", now),
            Ok(Some(at("2026-01-02T03:04:05.7Z")))
        );
        assert_eq!(
            parse("260102030405008+", now),
            Ok(Some(at("2026-01-02T01:04:05Z")))
        );
        assert_eq!(
            parse("260102030405006-", now),
            Ok(Some(at("2026-01-02T04:34:05Z")))
        );
        for wrong in [
            "26010203040500+",
            "260102030405000Z",
            "261302030405000+",
            "2601020304050x0+",
            "260102030405099+é",
        ] {
            assert!(parse(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_and_instants_come_back() {
        let now = at("2026-01-02T03:04:05Z");
        for seconds in [0, 1, 59, 61, 3600, 86_399, 86_400, 30 * 86_400] {
            let span = SignedDuration::from_secs(seconds);
            assert_eq!(parse(&relative(span), now), Ok(Some(now + span)));
        }
        assert_eq!(relative(SignedDuration::from_secs(300)), "000000000500000R");
        assert_eq!(absolute(at("2026-01-02T03:04:05.7Z")), "260102030405700+");
        assert_eq!(parse(&absolute(now), now), Ok(Some(now)));
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "[0-9]{15}[-+R]|\\PC{0,20}") {
            let _ = parse(&text, at("2026-01-02T03:04:05Z"));
        }
    }
}
