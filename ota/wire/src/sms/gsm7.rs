//! The GSM 7-bit default alphabet and its packing: TS 23.038 §6.1.2 and §6.2.1.
//!
//! Two steps that are often mixed are kept apart here. [`encode`] and [`decode`] go between text and *septets*, one
//! septet per octet. [`pack`] and [`unpack`] go between septets and the octets on the wire. How many septets there
//! are is never guessed from the octets: seven octets hold seven or eight septets, and only the length field of the
//! message (TP-UDL, or the length of an address) says which.
//!
//! Panics: none, on any input. Allocation: at most the size of the input.

/// Announces that the next septet is from the extension table.
pub const ESCAPE: u8 = 0x1B;

/// A character that neither the default alphabet nor its extension table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{character:?} is not in the GSM 7-bit default alphabet")]
pub struct NotInAlphabet {
    /// The first such character of the text.
    pub character: char,
}

/// The septets of a text, one per octet. Characters of the extension table take two.
///
/// # Errors
/// [`NotInAlphabet`] with the first character that cannot be said in this alphabet; nothing is replaced.
pub fn encode(text: &str) -> Result<Vec<u8>, NotInAlphabet> {
    let mut septets = Vec::with_capacity(text.len());
    for character in text.chars() {
        if let Some(code) = default_code(character) {
            septets.push(code);
        } else if let Some(code) = extension_code(character) {
            septets.extend([ESCAPE, code]);
        } else {
            return Err(NotInAlphabet { character });
        }
    }
    Ok(septets)
}

/// How many septets [`encode`] would give, or `None` if the text does not fit the alphabet.
#[must_use]
pub fn septets(text: &str) -> Option<usize> {
    text.chars().try_fold(0, |sum, character| {
        if default_code(character).is_some() {
            Some(sum + 1)
        } else {
            extension_code(character).map(|_| sum + 2)
        }
    })
}

/// The text of some septets, one per octet (the eighth bit is ignored).
///
/// Total, as a handset must show something: an escape before a code that the extension table lacks shows the
/// character of the default table, an escape before an escape or at the end shows a space (TS 23.038 §6.2.1.1).
#[must_use]
pub fn decode(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut codes = septets.iter().map(|septet| septet & 0x7F);
    while let Some(code) = codes.next() {
        text.push(match code {
            ESCAPE => match codes.next() {
                None | Some(ESCAPE) => ' ',
                Some(code) => extension_char(code).unwrap_or_else(|| default_char(code)),
            },
            code => default_char(code),
        });
    }
    text
}

/// How many octets `count` septets occupy behind `fill_bits` spare bits.
#[must_use]
pub const fn packed_len(count: usize, fill_bits: u8) -> usize {
    (count * 7 + fill_bits as usize).div_ceil(8)
}

/// The spare bits (0..=6) between a user data header and the first septet of the text, so that the text starts on a
/// septet boundary (TS 23.040 §9.2.3.24). `header_octets` counts the whole header, its length octet included.
#[must_use]
pub const fn fill_bits(header_octets: usize) -> u8 {
    ((7 - (header_octets * 8) % 7) % 7) as u8
}

/// The septets that a user data header of `header_octets` counts for in TP-UDL, fill bits included.
#[must_use]
pub const fn header_septets(header_octets: usize) -> usize {
    (header_octets * 8).div_ceil(7)
}

/// Packs septets (one per octet, eighth bit ignored) into octets, lowest bit first, behind `fill_bits` zero bits.
/// Bits that are left over in the last octet are zero.
#[must_use]
pub fn pack(septets: &[u8], fill_bits: u8) -> Vec<u8> {
    let mut octets = vec![0; packed_len(septets.len(), fill_bits)];
    let mut bit = usize::from(fill_bits);
    for septet in septets {
        let shifted = u16::from(septet & 0x7F) << (bit % 8);
        let [low, high] = shifted.to_le_bytes();
        octets[bit / 8] |= low;
        if high != 0 {
            octets[bit / 8 + 1] |= high;
        }
        bit += 7;
    }
    octets
}

/// The inverse of [`pack`]: exactly `count` septets, or `None` if the octets do not hold so many. Octets after them
/// and left-over bits are ignored.
#[must_use]
pub fn unpack(octets: &[u8], fill_bits: u8, count: usize) -> Option<Vec<u8>> {
    if count > octets.len() * 8 / 7 || packed_len(count, fill_bits) > octets.len() {
        return None;
    }
    let septet = |index: usize| {
        let bit = index * 7 + usize::from(fill_bits);
        let low = octets[bit / 8];
        let high = octets.get(bit / 8 + 1).copied().unwrap_or(0);
        (u16::from_le_bytes([low, high]) >> (bit % 8)) as u8 & 0x7F
    };
    Some((0..count).map(septet).collect())
}

fn default_char(code: u8) -> char {
    DEFAULT[usize::from(code & 0x7F)]
}

fn default_code(character: char) -> Option<u8> {
    // Digits, letters and most punctuation sit where ASCII has them; the search is for the rest.
    let index = DEFAULT.iter().position(|&entry| entry == character)?;
    (index != usize::from(ESCAPE)).then_some(index as u8)
}

fn extension_char(code: u8) -> Option<char> {
    EXTENSION
        .iter()
        .find_map(|&(entry, character)| (entry == code).then_some(character))
}

fn extension_code(character: char) -> Option<u8> {
    EXTENSION
        .iter()
        .find_map(|&(code, entry)| (entry == character).then_some(code))
}

/// TS 23.038 §6.2.1. The place of the escape holds a no-break space that is never looked up.
#[rustfmt::skip]
const DEFAULT: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{A0}', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// TS 23.038 §6.2.1.1.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packs_the_well_known_hello() {
        let septets = encode("hellohello").unwrap();
        assert_eq!(hex::encode(pack(&septets, 0)), "e8329bfd4697d9ec37");
    }

    #[test]
    fn the_extension_table_costs_two_septets() {
        assert_eq!(encode("€[").unwrap(), [0x1B, 0x65, 0x1B, 0x3C]);
        assert_eq!(septets("€[a"), Some(5));
        assert_eq!(septets("\u{0C}"), Some(2));
        assert_eq!(decode(&[0x1B, 0x0A]), "\u{0C}");
    }

    #[test]
    fn what_the_alphabet_lacks_is_named() {
        assert_eq!(encode("aж"), Err(NotInAlphabet { character: 'ж' }));
        assert_eq!(septets("ж"), None);
        assert_eq!(
            septets("\u{A0}"),
            None,
            "the escape's place holds no character"
        );
    }

    #[test]
    fn unknown_escapes_still_show_something() {
        assert_eq!(decode(&[0x1B, 0x41]), "A");
        assert_eq!(decode(&[0x1B, 0x1B, 0x41]), " A");
        assert_eq!(decode(&[0x41, 0x1B]), "A ");
    }

    #[test]
    fn seven_octets_hold_seven_or_eight_septets() {
        let seven = encode("abcdefg").unwrap();
        let octets = pack(&seven, 0);
        assert_eq!(octets.len(), 7);
        assert_eq!(unpack(&octets, 0, 7).unwrap(), seven);
        // The same octets read with a count of eight end in what looks like '@'.
        assert_eq!(decode(&unpack(&octets, 0, 8).unwrap()), "abcdefg@");
        assert_eq!(unpack(&octets, 0, 9), None);
    }

    #[test]
    fn fill_bits_follow_the_header_length() {
        // Header of a concatenated message, 6 octets = 48 bits, padded to 49; 7 octets need none; 8 need 6.
        let expected = [(0, 0), (3, 4), (6, 1), (7, 0), (8, 6), (13, 1)];
        for (octets, bits) in expected {
            assert_eq!(fill_bits(octets), bits, "header of {octets}");
        }
        assert_eq!(header_septets(6), 7);
        assert_eq!(header_septets(8), 10);
    }

    #[test]
    fn a_huge_count_is_refused_without_allocating() {
        assert_eq!(unpack(&[0; 3], 0, 1 << 60), None);
    }

    fn alphabet() -> impl Strategy<Value = String> {
        let characters: Vec<char> = DEFAULT
            .iter()
            .copied()
            .filter(|c| *c != '\u{A0}')
            .chain(EXTENSION.map(|(_, c)| c))
            .collect();
        proptest::collection::vec(proptest::sample::select(characters), 0..200)
            .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn text_survives(text in alphabet(), fill in 0u8..7) {
            let septets = encode(&text).unwrap();
            prop_assert_eq!(super::septets(&text), Some(septets.len()));
            let octets = pack(&septets, fill);
            let back = unpack(&octets, fill, septets.len()).unwrap();
            prop_assert_eq!(decode(&back), text);
        }

        #[test]
        fn never_panics(octets in proptest::collection::vec(any::<u8>(), 0..200), fill in 0u8..7, count in 0usize..400) {
            if let Some(septets) = unpack(&octets, fill, count) {
                prop_assert_eq!(septets.len(), count);
                prop_assert!(decode(&septets).chars().count() <= count);
            }
            prop_assert!(decode(&octets).chars().count() <= octets.len());
        }
    }
}
