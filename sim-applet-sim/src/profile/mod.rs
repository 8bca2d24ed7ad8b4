//! What all cards and handsets of one kind share, and what makes one card differ from the next.

mod format;
mod weakness;

use ota_wire::cat::{Facility, TerminalProfile};
use ota_wire::ids::{Iccid, Imsi, Msisdn, Tar};
use ota_wire::keys::{Family, MasterKey};
use ota_wire::secret::Secret;
use serde::Deserialize;

use crate::pin::PinCode;
use crate::uicc::file::{FileIndex, FileSystem};

pub use format::{DEFAULT, ProfileError};
pub use weakness::Weakness;

/// A kind of card in a kind of handset. Immutable; shared behind an `Arc` by as many subscribers as there are.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// Answer to reset, TS 102 221 §6.3.
    pub atr: Vec<u8>,
    /// Files.
    pub files: FileSystem,
    /// All keys of all cards are derived from this one.
    pub master_key: MasterKey,
    /// OTA key sets.
    pub key_sets: Vec<KeySetProfile>,
    /// PIN1, PIN2 and ADM1, in this order.
    pub codes: [CodeProfile; CODES],
    /// The issuer security domain.
    pub domain: DomainProfile,
    /// Where the CardManager routes secured packets to.
    pub applications: Vec<Application>,
    /// The signature applet.
    pub applet: AppletProfile,
    /// Whether the terminal is told, by REFRESH, of files that remote file management has written.
    pub refresh: bool,
    /// What is wrong with it on purpose.
    pub weak: Weaknesses,
    /// Addresses in the network.
    pub network: NetworkProfile,
    /// The handset.
    pub handset: HandsetProfile,
}

impl Profile {
    /// midsim's own card in midsim's own handset, PIN and confirm methods.
    pub fn standard(master_key: MasterKey, network: NetworkProfile) -> Self {
        #[expect(clippy::expect_used, reason = "the embedded profile is read by a test")]
        Self::parse(DEFAULT, master_key, network).expect("the embedded profile is well-formed")
    }

    /// A card of one's own in midsim's own handset; the format is that of [`DEFAULT`].
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn parse(
        text: &str,
        master_key: MasterKey,
        network: NetworkProfile,
    ) -> Result<Self, ProfileError> {
        format::parse(text, master_key, network)
    }

    /// What is weak about its cards; nothing for those that can be trusted.
    pub fn weaknesses(&self) -> Vec<Weakness> {
        weakness::of(self)
    }

    /// [`Profile::standard`] with an applet that only asks for confirmation.
    pub fn confirm_only(master_key: MasterKey, network: NetworkProfile) -> Self {
        Self::standard(master_key, network).confirming()
    }

    /// The same with an applet that only asks for confirmation.
    #[must_use]
    pub fn confirming(&self) -> Self {
        let mut profile = self.clone();
        profile.name = format!("{}, confirm-only", self.name);
        profile.applet.pin_method = false;
        profile.applet.signing_key = false;
        profile
    }
}

/// How many codes the card itself (not the applet) checks.
pub const CODES: usize = 3;

/// A code of the card, TS 102 221 §9.5.
#[derive(Clone, Debug)]
pub struct CodeProfile {
    /// P2 of VERIFY PIN.
    pub reference: u8,
    /// The code of a fresh card.
    pub code: PinCode,
    /// Wrong codes until it is blocked.
    pub tries: u8,
    /// The code that unblocks it, and the wrong ones that are taken. Administrative codes have none.
    pub unblock: Option<(PinCode, u8)>,
    /// Whether a fresh card asks for it.
    pub enabled: bool,
    /// Whether DISABLE PIN may change that.
    pub may_be_disabled: bool,
}

/// An OTA key set, whose version is the high nibble of KIc and KID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetProfile {
    /// Derived from the master key.
    Derived(u8, Family),
    /// Single DES, the first half of what is derived for triple DES. Only on weak cards.
    SingleDes(u8),
}

impl KeySetProfile {
    /// Its version, 1 to 15.
    pub const fn version(self) -> u8 {
        match self {
            Self::Derived(version, _) | Self::SingleDes(version) => version,
        }
    }
}

/// The issuer security domain (GlobalPlatform Card Specification §7).
#[derive(Clone, Debug)]
pub struct DomainProfile {
    /// Its application identifier.
    pub aid: Vec<u8>,
    /// Its secure channel.
    pub scp03: Scp03Profile,
}

/// A secure channel (GlobalPlatform Card Specification, amendment D).
#[derive(Clone, Debug)]
pub struct Scp03Profile {
    /// Key version number.
    pub version: u8,
    /// Parameter i: 60 for a random card challenge, 70 for a pseudo-random one.
    pub i: u8,
    /// One key for ENC, MAC and DEK; derived from the master key without.
    pub key: Option<Secret>,
}

/// Who gets the secured packets with a certain TAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application {
    /// Toolkit application reference.
    pub tar: Tar,
    /// Minimum security level, coded like the first octet of SPI (TS 102 226 §8.2.1.3.2.4.2).
    pub msl: u8,
    /// What it does with them.
    pub kind: ApplicationKind,
}

/// What becomes of secured data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationKind {
    /// Challenges of the signature applet.
    Signature,
    /// Remote application management (TS 102 226 §8).
    RemoteManagement,
    /// Remote file management (TS 102 226 §7), beginning in this directory, with access to everything that is not `never`.
    RemoteFiles {
        /// Current directory of every script.
        directory: FileIndex,
    },
}

/// Mistakes that real cards made, for scanners to find. None of them in a card that is to be trusted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Weaknesses {
    /// Packets with single DES are taken.
    pub single_des: bool,
    /// A PoR about a wrong checksum has the protection that was asked for: a signature for everybody.
    pub signs_errors: bool,
    /// A PoR about a wrong checksum repeats CNTR as it deciphered.
    pub deciphers_for_strangers: bool,
}

/// The signature applet, as installed.
#[derive(Clone, Debug)]
pub struct AppletProfile {
    /// Application identifier.
    pub aid: Vec<u8>,
    /// Toolkit application reference, by which packets are routed.
    pub tar: Tar,
    /// Minimum security level, coded like the first octet of SPI (TS 102 226 §8.2.1.3.2.4.2).
    pub msl: u8,
    /// Whether it asks for a PIN; without, PIN challenges are answered as unsupported.
    pub pin_method: bool,
    /// Whether it has a P-256 key to sign with; without, challenges with a digest are answered as unsupported.
    pub signing_key: bool,
    /// Wrong PINs until it is blocked.
    pub pin_tries: u8,
    /// Wrong PUKs until that is blocked.
    pub puk_tries: u8,
    /// How often a toolkit command is repeated for a handset that cannot do it just now, or answers nonsense.
    pub retries: u8,
    /// Seconds before that, where the handset can measure them.
    pub retry_after: u8,
    /// The question of GET INPUT.
    pub pin_prompt: String,
    /// Whether the text of a challenge stands in the question for the PIN, instead of on a screen of its own.
    pub text_in_prompt: bool,
    /// A tone (TS 102 223 §8.16) before the text.
    pub tone: Option<u8>,
    /// Whether it sets up a menu to change and to unblock the PIN. Some card tools fail on it.
    pub menu: bool,
}

impl AppletProfile {
    /// As midsim installs it: TAR "MID", security level "CC, ciphered, counter higher".
    pub fn standard() -> Self {
        Self {
            aid: b"\xF0MIDMID".to_vec(),
            tar: Tar::MID,
            msl: 0x16,
            pin_method: true,
            signing_key: true,
            pin_tries: 3,
            puk_tries: 10,
            retries: 3,
            retry_after: 3,
            pin_prompt: "PIN".to_owned(),
            text_in_prompt: false,
            tone: None,
            menu: false,
        }
    }
}

/// Addresses in the network.
#[derive(Clone, Debug)]
pub struct NetworkProfile {
    /// The SMSC, as RP destination of what the card sends.
    pub smsc: Msisdn,
    /// The OTA platform's short code, to which answers go.
    pub platform: String,
}

/// The handset, as sold.
#[derive(Clone, Debug)]
pub struct HandsetProfile {
    /// What it says in TERMINAL PROFILE.
    pub terminal_profile: Vec<u8>,
    /// PIN1 that its owner types when it is switched on, if the card asks.
    pub pin1: Option<PinCode>,
    /// How long a prompt stays open when the card says nothing about it, in seconds.
    pub prompt_timeout: u32,
    /// Characters that the screen can show at once; longer texts are beyond its capabilities.
    pub screen_characters: usize,
    /// How long the network may take to acknowledge a message, in seconds (TR1M, TS 24.011 §10).
    pub network_timeout: u32,
}

impl HandsetProfile {
    /// A handset that does what the applet can use. Its owner knows no PIN1.
    pub fn standard() -> Self {
        let facilities = [
            Facility::PROFILE_DOWNLOAD,
            Facility::SMS_PP_DATA_DOWNLOAD,
            Facility::MENU_SELECTION,
            Facility::TIMER_EXPIRATION,
            Facility::UCS2_DISPLAY,
            Facility::DISPLAY_TEXT,
            Facility::GET_INKEY,
            Facility::GET_INPUT,
            Facility::MORE_TIME,
            Facility::PLAY_TONE,
            Facility::REFRESH,
            Facility::SEND_SHORT_MESSAGE,
            Facility::SET_UP_MENU,
            Facility::PROVIDE_LOCAL_INFORMATION,
            Facility::TIMER_START_STOP,
            Facility::TIMER_CURRENT_VALUE,
            Facility::DATE_TIME,
            Facility::BINARY_CHOICE,
            Facility::at(18, 1),
        ];
        Self {
            terminal_profile: TerminalProfile::with(&facilities).octets().to_vec(),
            pin1: None,
            prompt_timeout: 600,
            screen_characters: 240,
            network_timeout: 40,
        }
    }
}

/// Who owns a card. Everything else that differs between cards is derived from the ICCID or is state.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Number.
    pub msisdn: Msisdn,
    /// Card number.
    pub iccid: Iccid,
    /// Subscription.
    pub imsi: Imsi,
    /// The applet's PIN on a fresh card.
    pub pin: PinCode,
    /// The applet's PUK.
    pub puk: PinCode,
}
