//! What all cards and handsets of one kind share, and what makes one card differ from the next.

mod files;

use ota_wire::cat::{Facility, TerminalProfile};
use ota_wire::ids::{Iccid, Imsi, Msisdn, Tar};
use ota_wire::keys::{Family, MasterKey};

use crate::pin::PinCode;
use crate::uicc::file::FileSystem;

/// A kind of card in a kind of handset. Immutable; shared behind an `Arc` by as many subscribers as there are.
#[derive(Debug)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// Answer to reset, TS 102 221 §6.3.
    pub atr: Vec<u8>,
    /// Files.
    pub files: FileSystem,
    /// All keys of all cards are derived from this one.
    pub master_key: MasterKey,
    /// OTA key sets: version (high nibble of KIc and KID) and cipher family.
    pub key_sets: Vec<(u8, Family)>,
    /// PIN1, PIN2 and ADM1, in this order.
    pub codes: [CodeProfile; CODES],
    /// The signature applet.
    pub applet: AppletProfile,
    /// Addresses in the network.
    pub network: NetworkProfile,
    /// The handset.
    pub handset: HandsetProfile,
}

impl Profile {
    /// midsim's own card in midsim's own handset, PIN and confirm methods.
    pub fn standard(master_key: MasterKey, network: NetworkProfile) -> Self {
        Self {
            name: "default".to_owned(),
            atr: ATR.to_vec(),
            files: files::standard(&network.smsc),
            master_key,
            key_sets: vec![(1, Family::Aes128), (2, Family::TripleDes2)],
            codes: codes(),
            applet: AppletProfile::standard(),
            network,
            handset: HandsetProfile::standard(),
        }
    }

    /// The same with an applet that only asks for confirmation.
    pub fn confirm_only(master_key: MasterKey, network: NetworkProfile) -> Self {
        let mut profile = Self::standard(master_key, network);
        profile.name = "confirm-only".to_owned();
        profile.applet.pin_method = false;
        profile.applet.signing_key = false;
        profile
    }
}

/// T=0 only, voltage classes A to C; the historical octets say what a UICC can do (TS 102 221 §6.3.3).
const ATR: [u8; 18] = [
    0x3B, 0x9B, 0x95, 0x80, 0x1F, 0xC7, 0x80, 0x31, 0xA0, 0x73, 0xBE, 0x21, 0x13, 0x6D, 0x53, 0x69,
    0x6D, 0x82,
];

const PIN1: PinCode = PinCode::literal(b"0000\xFF\xFF\xFF\xFF");
const PIN2: PinCode = PinCode::literal(b"0000\xFF\xFF\xFF\xFF");
const PUK: PinCode = PinCode::literal(b"12345678");
const ADM1: PinCode = PinCode::literal(b"88888888");

const fn codes() -> [CodeProfile; CODES] {
    const fn pin(reference: u8, code: PinCode, may_be_disabled: bool) -> CodeProfile {
        CodeProfile {
            reference,
            code,
            tries: 3,
            unblock: Some((PUK, 10)),
            enabled: true,
            may_be_disabled,
        }
    }
    let adm1 = CodeProfile {
        reference: 0x0A,
        code: ADM1,
        tries: 3,
        unblock: None,
        enabled: true,
        may_be_disabled: false,
    };
    [pin(0x01, PIN1, true), pin(0x81, PIN2, false), adm1]
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
    /// The question of GET INPUT.
    pub pin_prompt: String,
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
            pin_prompt: "PIN".to_owned(),
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
    /// PIN1 that its owner typed when it was switched on, if the card asks.
    pub pin1: Option<PinCode>,
    /// How long a prompt stays open when the card says nothing about it, in seconds.
    pub prompt_timeout: u32,
    /// How long the network may take to acknowledge a message, in seconds (TR1M, TS 24.011 §10).
    pub network_timeout: u32,
}

impl HandsetProfile {
    /// A handset that does what the applet needs, and no more.
    pub fn standard() -> Self {
        let facilities = [
            Facility::PROFILE_DOWNLOAD,
            Facility::SMS_PP_DATA_DOWNLOAD,
            Facility::UCS2_DISPLAY,
            Facility::DISPLAY_TEXT,
            Facility::GET_INKEY,
            Facility::GET_INPUT,
            Facility::MORE_TIME,
            Facility::PLAY_TONE,
            Facility::SEND_SHORT_MESSAGE,
            Facility::at(18, 1),
        ];
        Self {
            terminal_profile: TerminalProfile::with(&facilities).octets().to_vec(),
            pin1: Some(PIN1),
            prompt_timeout: 600,
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
