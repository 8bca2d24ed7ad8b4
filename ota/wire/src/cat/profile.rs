//! TS 102 223 §5.2: TERMINAL PROFILE.

/// What a terminal says it can do: the data of TERMINAL PROFILE.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TerminalProfile(Vec<u8>);

impl TerminalProfile {
    /// A profile as it stands on the wire; missing octets count as zero.
    pub fn from_octets(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into())
    }

    /// A profile with exactly these facilities.
    pub fn with(facilities: &[Facility]) -> Self {
        let mut profile = Self::default();
        for facility in facilities {
            let index = facility.octet();
            if profile.0.len() <= index {
                profile.0.resize(index + 1, 0);
            }
            profile.0[index] |= facility.mask();
        }
        profile
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether the terminal has a facility.
    pub fn supports(&self, facility: Facility) -> bool {
        self.0
            .get(facility.octet())
            .is_some_and(|octet| octet & facility.mask() != 0)
    }

    /// The facilities with a name here that the terminal has.
    pub fn facilities(&self) -> impl Iterator<Item = (Facility, &'static str)> {
        Facility::NAMED
            .iter()
            .copied()
            .filter(|(facility, _)| self.supports(*facility))
    }
}

/// One bit of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Facility(u16);

macro_rules! facilities {
    ($($constant:ident = octet $octet:literal bit $bit:literal, $name:literal;)*) => {
        impl Facility {
            $(#[doc = concat!("Octet ", $octet, ", b", $bit, ": ", $name, ".")]
            pub const $constant: Self = Self::at($octet, $bit);)*

            /// The facilities that have a constant here, with their names.
            pub const NAMED: &[(Self, &'static str)] = &[$((Self::$constant, $name),)*];
        }
    };
}

facilities! {
    PROFILE_DOWNLOAD = octet 1 bit 1, "profile download";
    SMS_PP_DATA_DOWNLOAD = octet 1 bit 2, "SMS-PP data download";
    CELL_BROADCAST_DATA_DOWNLOAD = octet 1 bit 3, "cell broadcast data download";
    MENU_SELECTION = octet 1 bit 4, "menu selection";
    TIMER_EXPIRATION = octet 1 bit 6, "timer expiration";
    COMMAND_RESULT = octet 2 bit 1, "command result";
    MO_SMS_CONTROL = octet 2 bit 4, "MO short message control";
    UCS2_ENTRY = octet 2 bit 6, "UCS2 entry";
    UCS2_DISPLAY = octet 2 bit 7, "UCS2 display";
    DISPLAY_TEXT = octet 3 bit 1, "DISPLAY TEXT";
    GET_INKEY = octet 3 bit 2, "GET INKEY";
    GET_INPUT = octet 3 bit 3, "GET INPUT";
    MORE_TIME = octet 3 bit 4, "MORE TIME";
    PLAY_TONE = octet 3 bit 5, "PLAY TONE";
    POLL_INTERVAL = octet 3 bit 6, "POLL INTERVAL";
    POLLING_OFF = octet 3 bit 7, "POLLING OFF";
    REFRESH = octet 3 bit 8, "REFRESH";
    SELECT_ITEM = octet 4 bit 1, "SELECT ITEM";
    SEND_SHORT_MESSAGE = octet 4 bit 2, "SEND SHORT MESSAGE";
    SEND_SS = octet 4 bit 3, "SEND SS";
    SEND_USSD = octet 4 bit 4, "SEND USSD";
    SET_UP_CALL = octet 4 bit 5, "SET UP CALL";
    SET_UP_MENU = octet 4 bit 6, "SET UP MENU";
    PROVIDE_LOCAL_INFORMATION = octet 4 bit 7, "PROVIDE LOCAL INFORMATION (location, IMEI)";
    SET_UP_EVENT_LIST = octet 5 bit 1, "SET UP EVENT LIST";
    TIMER_START_STOP = octet 8 bit 1, "TIMER MANAGEMENT (start, stop)";
    TIMER_CURRENT_VALUE = octet 8 bit 2, "TIMER MANAGEMENT (current value)";
    DATE_TIME = octet 8 bit 3, "PROVIDE LOCAL INFORMATION (date, time, time zone)";
    BINARY_CHOICE = octet 8 bit 4, "GET INKEY (binary choice)";
    IDLE_MODE_TEXT = octet 8 bit 5, "SET UP IDLE MODE TEXT";
}

impl Facility {
    /// The facility at an octet and a bit, both counted from 1 as in the standard.
    ///
    /// Octet 0 is read as 1, and bits are taken from 1 to 8.
    pub const fn at(octet: u8, bit: u8) -> Self {
        Self(((octet.saturating_sub(1) as u16) << 3) | (bit.saturating_sub(1) & 7) as u16)
    }

    /// Octet and bit, both counted from 1.
    pub const fn position(self) -> (u8, u8) {
        ((self.0 >> 3) as u8 + 1, (self.0 & 7) as u8 + 1)
    }

    const fn octet(self) -> usize {
        (self.0 >> 3) as usize
    }

    const fn mask(self) -> u8 {
        1 << (self.0 & 7)
    }
}
