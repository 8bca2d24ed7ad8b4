//! TS 102 223 §8.6, §8.12, §9.4: open code points of commands and results.

use core::fmt;
use core::ops::BitOr;

/// Type of command, TS 102 223 §9.4. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandType(pub u8);

macro_rules! command_types {
    ($($constant:ident = $code:literal, $name:literal;)*) => {
        impl CommandType {
            $(#[doc = concat!($name, ".")]
            pub const $constant: Self = Self($code);)*

            /// The standard's name.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

command_types! {
    REFRESH = 0x01, "REFRESH";
    MORE_TIME = 0x02, "MORE TIME";
    POLL_INTERVAL = 0x03, "POLL INTERVAL";
    POLLING_OFF = 0x04, "POLLING OFF";
    SET_UP_EVENT_LIST = 0x05, "SET UP EVENT LIST";
    SET_UP_CALL = 0x10, "SET UP CALL";
    SEND_SS = 0x11, "SEND SS";
    SEND_USSD = 0x12, "SEND USSD";
    SEND_SHORT_MESSAGE = 0x13, "SEND SHORT MESSAGE";
    SEND_DTMF = 0x14, "SEND DTMF";
    LAUNCH_BROWSER = 0x15, "LAUNCH BROWSER";
    PLAY_TONE = 0x20, "PLAY TONE";
    DISPLAY_TEXT = 0x21, "DISPLAY TEXT";
    GET_INKEY = 0x22, "GET INKEY";
    GET_INPUT = 0x23, "GET INPUT";
    SELECT_ITEM = 0x24, "SELECT ITEM";
    SET_UP_MENU = 0x25, "SET UP MENU";
    PROVIDE_LOCAL_INFORMATION = 0x26, "PROVIDE LOCAL INFORMATION";
    TIMER_MANAGEMENT = 0x27, "TIMER MANAGEMENT";
    SET_UP_IDLE_MODE_TEXT = 0x28, "SET UP IDLE MODE TEXT";
    LANGUAGE_NOTIFICATION = 0x35, "LANGUAGE NOTIFICATION";
    OPEN_CHANNEL = 0x40, "OPEN CHANNEL";
    CLOSE_CHANNEL = 0x41, "CLOSE CHANNEL";
    RECEIVE_DATA = 0x42, "RECEIVE DATA";
    SEND_DATA = 0x43, "SEND DATA";
    GET_CHANNEL_STATUS = 0x44, "GET CHANNEL STATUS";
}

impl fmt::Debug for CommandType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CommandType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "proactive command {:02X}", self.0),
        }
    }
}

/// Command qualifier, TS 102 223 §8.6. What a bit means depends on the type of command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Qualifier(pub u8);

impl Qualifier {
    /// DISPLAY TEXT b1: high priority, over whatever the screen shows.
    pub const DISPLAY_HIGH_PRIORITY: Self = Self(0x01);
    /// DISPLAY TEXT b8: wait for the user to clear the message; else it goes after a delay.
    pub const DISPLAY_WAIT_FOR_USER: Self = Self(0x80);
    /// GET INPUT and GET INKEY b1: characters of an alphabet; else digits only (with `*`, `#`, `+`).
    pub const INPUT_ALPHABET: Self = Self(0x01);
    /// GET INPUT and GET INKEY b2: that alphabet is UCS2.
    pub const INPUT_UCS2: Self = Self(0x02);
    /// GET INPUT b3: do not show what is typed.
    pub const INPUT_HIDDEN: Self = Self(0x04);
    /// GET INPUT b4: answer in packed form.
    pub const INPUT_PACKED: Self = Self(0x08);
    /// GET INKEY b3: yes or no.
    pub const INKEY_YES_NO: Self = Self(0x04);
    /// GET INPUT, GET INKEY, SET UP MENU b8: help is there.
    pub const HELP_AVAILABLE: Self = Self(0x80);
    /// SEND SHORT MESSAGE b1: the terminal packs the text.
    pub const SMS_PACKING: Self = Self(0x01);
    /// PROVIDE LOCAL INFORMATION: location.
    pub const LOCAL_LOCATION: Self = Self(0x00);
    /// PROVIDE LOCAL INFORMATION: IMEI.
    pub const LOCAL_IMEI: Self = Self(0x01);
    /// PROVIDE LOCAL INFORMATION: date, time and time zone.
    pub const LOCAL_DATE_TIME: Self = Self(0x03);
    /// PROVIDE LOCAL INFORMATION: language.
    pub const LOCAL_LANGUAGE: Self = Self(0x04);
    /// TIMER MANAGEMENT: start.
    pub const TIMER_START: Self = Self(0x00);
    /// TIMER MANAGEMENT: deactivate.
    pub const TIMER_DEACTIVATE: Self = Self(0x01);
    /// TIMER MANAGEMENT: tell the current value.
    pub const TIMER_GET: Self = Self(0x02);
    /// REFRESH: UICC reset.
    pub const REFRESH_UICC_RESET: Self = Self(0x04);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Qualifier {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// General result, TS 102 223 §8.12. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TerminalResult(pub u8);

macro_rules! results {
    ($($constant:ident = $code:literal, $meaning:literal;)*) => {
        impl TerminalResult {
            $(#[doc = concat!("`", stringify!($code), "`: ", $meaning, ".")]
            pub const $constant: Self = Self($code);)*

            /// What the result says, in words.
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($meaning),)*
                    _ => None,
                }
            }
        }
    };
}

results! {
    OK = 0x00, "performed";
    PARTIAL_COMPREHENSION = 0x01, "performed with partial comprehension";
    MISSING_INFORMATION = 0x02, "performed with missing information";
    ADDITIONAL_EFS_READ = 0x03, "performed, additional files read";
    ICON_NOT_SHOWN = 0x04, "performed, icon not shown";
    MODIFIED_BY_CALL_CONTROL = 0x05, "performed, modified by call control";
    LIMITED_SERVICE = 0x06, "performed, limited service";
    MODIFIED = 0x07, "performed with modification";
    ENDED_BY_USER = 0x10, "session ended by the user";
    BACKWARD = 0x11, "backward move by the user";
    NO_RESPONSE = 0x12, "no response from the user";
    HELP_WANTED = 0x13, "help wanted by the user";
    TRANSACTION_ENDED_BY_USER = 0x14, "USSD or SS transaction ended by the user";
    TERMINAL_BUSY = 0x20, "terminal cannot process the command at present";
    NETWORK_BUSY = 0x21, "network cannot process the command at present";
    USER_DID_NOT_ACCEPT = 0x22, "user did not accept the command";
    USER_CLEARED_CALL = 0x23, "user cleared down the call";
    TIMER_CONTRADICTION = 0x24, "contradiction with the timer's state";
    CALL_CONTROL_TEMPORARY = 0x25, "temporary problem in call control";
    LAUNCH_BROWSER_ERROR = 0x26, "launch browser error";
    BEYOND_CAPABILITY = 0x30, "beyond the terminal's capabilities";
    TYPE_NOT_UNDERSTOOD = 0x31, "command type not understood";
    DATA_NOT_UNDERSTOOD = 0x32, "command data not understood";
    NUMBER_NOT_KNOWN = 0x33, "command number not known";
    SS_RETURN_ERROR = 0x34, "SS return error";
    SMS_RP_ERROR = 0x35, "SMS RP-ERROR";
    VALUES_MISSING = 0x36, "required values are missing";
    USSD_RETURN_ERROR = 0x37, "USSD return error";
    MULTIPLE_CARD_ERROR = 0x38, "multiple card command error";
    CALL_CONTROL_PERMANENT = 0x39, "refused by call control or MO SMS control";
    BEARER_INDEPENDENT_PROTOCOL_ERROR = 0x3A, "bearer independent protocol error";
}

impl TerminalResult {
    /// `0x` and `1x`: the command was carried out, or the user ended it.
    pub const fn is_performed(self) -> bool {
        self.0 < 0x20
    }

    /// `2x`: the same command may work later.
    pub const fn is_temporary(self) -> bool {
        self.0 >> 4 == 2
    }

    /// `0x`: carried out, perhaps with remarks.
    pub const fn is_ok(self) -> bool {
        self.0 < 0x10
    }
}

impl fmt::Debug for TerminalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TerminalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "{:02X} {meaning}", self.0),
            None => write!(f, "{:02X}", self.0),
        }
    }
}
