//! What the tests of this crate share.

use std::sync::Arc;

use ota_wire::ids::Iccid;
use ota_wire::keys::MasterKey;

use crate::profile::{NetworkProfile, Profile, Subscriber};
use crate::state::CardState;
use crate::uicc::Uicc;

pub(crate) fn master() -> MasterKey {
    MasterKey::new(*b"TEST ONLY master key of midsim  ")
}

pub(crate) fn network() -> NetworkProfile {
    NetworkProfile {
        smsc: "+447700900999".parse().unwrap(),
        platform: "8220".to_owned(),
    }
}

pub(crate) fn profile() -> Arc<Profile> {
    Arc::new(Profile::standard(master(), network()))
}

pub(crate) fn subscriber() -> Subscriber {
    Subscriber {
        msisdn: "+447700900001".parse().unwrap(),
        iccid: Iccid::with_check_digit("898800000000000001").unwrap(),
        imsi: "001010000000001".parse().unwrap(),
        pin: "1234".parse().unwrap(),
        puk: "12345678".parse().unwrap(),
    }
}

pub(crate) fn card() -> Uicc {
    let profile = profile();
    let state = CardState::fresh(&profile);
    Uicc::new(profile, subscriber(), state)
}

/// Sends a command in hexadecimal; the answer likewise, data and status word.
pub(crate) fn send(card: &mut Uicc, command: &str) -> String {
    let command = hex::decode(command.replace(' ', "")).unwrap();
    hex::encode_upper(card.transmit(&command))
}
