//! Names: XML 1.0 §2.3 (fifth edition) without the colon, as Namespaces in XML 1.0 §3 has them.

/// Is `text` an NCName, such as an AP_TransID must be?
pub fn is_nc_name(text: &str) -> bool {
    // Nearly all are ASCII, and of these it is quicker to ask for each octet.
    if let Some((first, rest)) = text.as_bytes().split_first()
        && is_ascii_start(*first)
        && rest
            .iter()
            .all(|octet| is_ascii_start(*octet) || matches!(octet, b'-' | b'.' | b'0'..=b'9'))
    {
        return true;
    }
    let mut chars = text.chars();
    chars.next().is_some_and(is_start) && chars.all(is_follower)
}

fn is_ascii_start(octet: u8) -> bool {
    octet.is_ascii_alphabetic() || octet == b'_'
}

fn is_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}'
        | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_follower(c: char) -> bool {
    is_start(c)
        || matches!(c,
            '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_a_colon_or_nothing_makes_no_nc_name() {
        for good in ["A1203", "_401", "ID-cff77c3a-640a", "é.x", "a\u{B7}"] {
            assert!(is_nc_name(good), "{good}");
        }
        for bad in [
            "", "1a", "a:b", "-a", ".a", "a b", "a/b", "\u{B7}a", "a\u{D7}",
        ] {
            assert!(!is_nc_name(bad), "{bad}");
        }
    }
}
