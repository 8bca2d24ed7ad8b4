//! The answer to reset of a profile: ISO/IEC 7816-3 §8.2, and the protocol that this card speaks (TS 102 221 §6.3).

use super::{ProfileError, wrong};

/// Checks that a terminal can read an ATR to its end and then talk to the card with T=0.
pub(super) fn check(octets: &[u8]) -> Result<(), ProfileError> {
    const LENGTH: std::ops::RangeInclusive<usize> = 2..=33;
    const CONVENTIONS: [u8; 2] = [0x3B, 0x3F];
    if !LENGTH.contains(&octets.len()) {
        return Err(wrong("atr", "2 to 33 octets", &hex::encode(octets)));
    }
    let mut reader = Reader { octets, at: 0 };
    let ts = reader.octet("TS")?;
    if !CONVENTIONS.contains(&ts) {
        return Err(wrong("atr: TS", "3B or 3F", &format!("{ts:02X}")));
    }
    let t0 = reader.octet("T0")?;
    let protocols = reader.interface_octets(t0 >> 4)?;
    if !protocols.is_sorted() {
        let got = protocols.iter().map(|t| format!("T={t}"));
        let got = got.collect::<Vec<_>>().join(", ");
        return Err(wrong("atr: TD", "protocols in ascending order", &got));
    }
    // None named means T=0.
    if let Some(first) = protocols.first().filter(|first| **first != 0) {
        let expected = "T=0, which the card speaks";
        return Err(wrong("atr: TD1", expected, &format!("T={first}")));
    }
    // A checksum is due as soon as anything but T=0 is named.
    let checked = protocols.iter().any(|protocol| *protocol != 0);
    let historical = usize::from(t0 & 0x0F);
    let expected = historical + usize::from(checked);
    let got = octets.len() - reader.at;
    if got != expected {
        let check = if checked { "TCK" } else { "no TCK" };
        let expected = format!("{historical} historical octets (T0) and {check}");
        return Err(wrong("atr", &expected, &format!("{got} octets")));
    }
    match octets.split_last() {
        Some((tck, rest)) if checked => {
            let expected = rest.iter().skip(1).fold(0, |sum, octet| sum ^ octet);
            if *tck == expected {
                Ok(())
            } else {
                let [expected, got] = [expected, *tck].map(|octet| format!("{octet:02X}"));
                Err(wrong("atr: TCK", &expected, &got))
            }
        }
        _ => Ok(()),
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn octet(&mut self, name: &str) -> Result<u8, ProfileError> {
        let octet = self.octets.get(self.at).copied();
        let what = format!("atr: {name}");
        let octet = octet.ok_or_else(|| wrong(&what, "an octet", "the end"))?;
        self.at += 1;
        Ok(octet)
    }

    /// TA1 to the last TDi; the protocols that the TDi name. `present` has a bit each for TA, TB, TC and TD.
    fn interface_octets(&mut self, mut present: u8) -> Result<Vec<u8>, ProfileError> {
        let mut protocols = Vec::new();
        // Each round takes an octet at least, so there are not more of them than octets.
        for round in 1.. {
            for (bit, name) in [(0x1, "TA"), (0x2, "TB"), (0x4, "TC")] {
                if present & bit != 0 {
                    self.octet(&format!("{name}{round}"))?;
                }
            }
            if present & 0x8 == 0 {
                break;
            }
            let td = self.octet(&format!("TD{round}"))?;
            protocols.push(td & 0x0F);
            present = td >> 4;
        }
        Ok(protocols)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(atr: &str) -> String {
        let octets = hex::decode(atr.replace(' ', "")).unwrap();
        match check(&octets) {
            Ok(()) => "none".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Of real cards, as published: a SIM with T=0 and T=15, one that says more, GSM cards with neither TD nor TCK in either
    /// convention.
    #[test]
    fn answers_of_real_cards_are_right() {
        for atr in [
            "3B9F96801F878031E073FE211B674A4C753034054BA9",
            "3B9F96801FC78031A073BE21136743200718000001A5",
            "3B 02 14 50",
            "3F 2F 00 80 69 AF 02 04 01 36 00 00 0A 0E 83 3E 9F 16",
            "3B 00",
        ] {
            assert_eq!(problem(atr), "none", "{atr}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (atr, expected) in [
            ("3B", "atr: expected 2 to 33 octets, got 3b"),
            ("000000", "atr: TS: expected 3B or 3F, got 00"),
            ("3C00", "atr: TS: expected 3B or 3F, got 3C"),
            ("3B 10", "atr: TA1: expected an octet, got the end"),
            ("3B 70 11 00", "atr: TC1: expected an octet, got the end"),
            ("3B 80", "atr: TD1: expected an octet, got the end"),
            ("3B 80 80", "atr: TD2: expected an octet, got the end"),
            // T=1 alone, and first.
            (
                "3B 80 01 81",
                "atr: TD1: expected T=0, which the card speaks, got T=1",
            ),
            (
                "3B 80 81 00 01",
                "atr: TD: expected protocols in ascending order, got T=1, T=0",
            ),
            // One historical octet too many, one too few.
            (
                "3B 02 14 50 00",
                "atr: expected 2 historical octets (T0) and no TCK, got 3 octets",
            ),
            (
                "3B 02 14",
                "atr: expected 2 historical octets (T0) and no TCK, got 1 octets",
            ),
            // T=0 alone has no TCK; with T=15 it is due, and the sum of all behind TS.
            (
                "3B 80 00 80",
                "atr: expected 0 historical octets (T0) and no TCK, got 1 octets",
            ),
            (
                "3B9F96801F878031E073FE211B674A4C753034054B",
                "atr: expected 15 historical octets (T0) and TCK, got 15 octets",
            ),
            (
                "3B9B95801FC78031A073BE21136D53696D83",
                "atr: TCK: expected 82, got 83",
            ),
        ] {
            assert!(problem(atr).ends_with(expected), "{atr}: {}", problem(atr));
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_judged(octets in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = check(&octets);
        }

        /// One changed octet never stays unnoticed where there is a TCK; those before say whether there is one.
        #[test]
        fn a_changed_octet_is_noticed(at in 5..18_usize, change in 1..=255_u8) {
            let mut octets = hex::decode("3B9B95801FC78031A073BE21136D53696D82").unwrap();
            octets[at] ^= change;
            prop_assert!(check(&octets).is_err());
        }
    }
}
