//! ETSI TS 102 221 §10.2, TS 51.011 §9.4 (class `A0`), TS 31.111 §7.1: status words.

use core::fmt;

/// A status word, SW1 in the high octet. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sw(pub u16);

macro_rules! status_words {
    ($($constant:ident = $code:literal, $meaning:literal;)*) => {
        impl Sw {
            $(#[doc = concat!("`", stringify!($code), "`: ", $meaning, ".")]
            pub const $constant: Self = Self($code);)*

            const fn fixed_meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

status_words! {
    OK = 0x9000, "done";
    WARNING = 0x6200, "warning, nothing changed";
    SEARCH_UNSUCCESSFUL = 0x6282, "search unsuccessful, or end of file before Le octets";
    MORE_DATA_AVAILABLE = 0x62F1, "more data available";
    SELECTED_FILE_DEACTIVATED = 0x6283, "selected file deactivated";
    AUTHENTICATION_FAILED = 0x6300, "verification or cryptogram failed";
    EXECUTION_ERROR = 0x6400, "no information, nothing changed";
    MEMORY_PROBLEM = 0x6581, "memory problem";
    WRONG_LENGTH = 0x6700, "wrong length";
    CHANNEL_NOT_SUPPORTED = 0x6881, "logical channel not supported";
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882, "secure messaging not supported";
    INCOMPATIBLE_WITH_FILE = 0x6981, "command incompatible with file structure";
    SECURITY_STATUS_NOT_SATISFIED = 0x6982, "security status not satisfied";
    PIN_BLOCKED = 0x6983, "PIN or authentication method blocked";
    REFERENCE_DATA_INVALIDATED = 0x6984, "referenced data invalidated";
    CONDITIONS_NOT_SATISFIED = 0x6985, "conditions of use not satisfied";
    NO_EF_SELECTED = 0x6986, "command not allowed, no EF selected";
    SECURE_MESSAGING_INCORRECT = 0x6988, "secure messaging data objects incorrect";
    WRONG_DATA = 0x6A80, "incorrect parameters in the data field";
    FUNCTION_NOT_SUPPORTED = 0x6A81, "function not supported";
    FILE_NOT_FOUND = 0x6A82, "file or application not found";
    RECORD_NOT_FOUND = 0x6A83, "record not found";
    NOT_ENOUGH_MEMORY = 0x6A84, "not enough memory";
    WRONG_P1_P2 = 0x6A86, "incorrect P1 or P2";
    LC_INCONSISTENT = 0x6A87, "Lc inconsistent with P1 and P2";
    REFERENCED_DATA_NOT_FOUND = 0x6A88, "referenced data not found";
    WRONG_PARAMETERS = 0x6B00, "P1 or P2 out of range";
    INS_NOT_SUPPORTED = 0x6D00, "instruction not supported";
    CLA_NOT_SUPPORTED = 0x6E00, "class not supported";
    TECHNICAL_PROBLEM = 0x6F00, "technical problem";
    BUSY = 0x9300, "toolkit busy";
    A0_NO_EF_SELECTED = 0x9400, "no EF selected (class A0)";
    A0_OUT_OF_RANGE = 0x9402, "address out of range (class A0)";
    A0_FILE_NOT_FOUND = 0x9404, "file or pattern not found (class A0)";
    A0_INCOMPATIBLE_WITH_FILE = 0x9408, "command incompatible with file (class A0)";
    A0_NO_PIN = 0x9802, "no CHV initialised (class A0)";
    A0_ACCESS_DENIED = 0x9804, "access condition not fulfilled or wrong CHV (class A0)";
    A0_PIN_STATUS_CONTRADICTION = 0x9808, "contradiction with CHV status (class A0)";
    A0_INVALIDATED = 0x9810, "contradiction with invalidation status (class A0)";
    A0_PIN_BLOCKED = 0x9840, "CHV blocked (class A0)";
    ALGORITHM_NOT_SUPPORTED = 0x9484, "algorithm not supported (PUT KEY)";
    INVALID_KEY_CHECK_VALUE = 0x9485, "invalid key check value (PUT KEY)";
    MAX_VALUE_REACHED = 0x9850, "increase would pass the maximum";
    AUTHENTICATION_MAC_FAILED = 0x9862, "authentication error, incorrect MAC";
}

impl Sw {
    /// `91xx`: done, and a proactive command of `len` octets waits (`00` says 256).
    pub const fn proactive(len: usize) -> Self {
        Self(0x9100 | short(len))
    }

    /// `61xx`: `len` octets of response data wait for GET RESPONSE (`00` says 256).
    pub const fn more_data(len: usize) -> Self {
        Self(0x6100 | short(len))
    }

    /// `9Fxx`: the same as [`Sw::more_data`] in class `A0`.
    pub const fn a0_more_data(len: usize) -> Self {
        Self(0x9F00 | short(len))
    }

    /// `9Exx`: class `A0`, `len` octets of response data that belong to an error of a data download.
    pub const fn a0_download_error(len: usize) -> Self {
        Self(0x9E00 | short(len))
    }

    /// `6Cxx`: repeat the command with Le = `len` (`00` says 256).
    pub const fn wrong_le(len: usize) -> Self {
        Self(0x6C00 | short(len))
    }

    /// `63Cx`: a verification failed or was only asked about; `tries` are left, at most 15.
    pub const fn tries_left(tries: u8) -> Self {
        Self(0x63C0 | if tries > 15 { 15 } else { tries as u16 })
    }

    /// SW1.
    pub const fn sw1(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// SW2.
    pub const fn sw2(self) -> u8 {
        self.0 as u8
    }

    /// Whether the command was carried out: `9000`, `91xx`, and data waiting (`61xx`, `9Fxx`).
    pub const fn is_success(self) -> bool {
        self.0 == 0x9000 || matches!(self.sw1(), 0x91 | 0x61 | 0x9F)
    }

    /// Length of the proactive command that waits, for `91xx`.
    pub const fn proactive_len(self) -> Option<usize> {
        match self.sw1() {
            0x91 => Some(long(self.sw2())),
            _ => None,
        }
    }

    /// Length of the response data that waits, for `61xx`, `9Fxx` and `9Exx`.
    pub const fn waiting_len(self) -> Option<usize> {
        match self.sw1() {
            0x61 | 0x9E | 0x9F => Some(long(self.sw2())),
            _ => None,
        }
    }

    /// The tries left, for `63Cx`.
    pub const fn tries(self) -> Option<u8> {
        match self.0 & 0xFFF0 {
            0x63C0 => Some((self.0 & 0x0F) as u8),
            _ => None,
        }
    }

    /// What the status word says, in words.
    pub fn meaning(self) -> String {
        if let Some(meaning) = self.fixed_meaning() {
            return meaning.to_owned();
        }
        match (self.sw1(), self.sw2()) {
            (0x91, n) => format!("done, proactive command of {} octets waits", long(n)),
            (0x61 | 0x9F, n) => format!("{} octets of response data wait", long(n)),
            (0x9E, n) => format!("data download error, {} octets of data wait", long(n)),
            (0x6C, n) => format!("wrong Le, {} octets are there", long(n)),
            (0x63, n) if n & 0xF0 == 0xC0 => format!("{} tries left", n & 0x0F),
            (0x62 | 0x63, _) => "warning".to_owned(),
            (0x64 | 0x65, _) => "execution error".to_owned(),
            (0x67, _) => "wrong length".to_owned(),
            (0x68, _) => "function of the class octet not supported".to_owned(),
            (0x69, _) => "command not allowed".to_owned(),
            (0x6A | 0x6B, _) => "wrong parameters".to_owned(),
            (0x6F, _) => "technical problem".to_owned(),
            (0x92, n) if n < 0x10 => format!("done after {n} internal retries"),
            _ => "unknown".to_owned(),
        }
    }
}

impl fmt::Debug for Sw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Sw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

/// SW2 for a length; 256 and more are `00`.
const fn short(len: usize) -> u16 {
    if len > 255 { 0 } else { len as u16 }
}

const fn long(sw2: u8) -> usize {
    if sw2 == 0 { 256 } else { sw2 as usize }
}
