//! The SIM that the targets of card and handset play with.

use std::sync::{Arc, OnceLock};

use ota_wire::ids::Iccid;
use ota_wire::keys::MasterKey;
use sim_applet_sim::profile::{NetworkProfile, Profile, Subscriber};

pub(super) fn master() -> MasterKey {
    MasterKey::new([0x5A; 32])
}

/// A card as it is by default.
pub(super) fn profile() -> &'static Arc<Profile> {
    static PROFILE: OnceLock<Arc<Profile>> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let network = NetworkProfile {
            smsc: "+447700900999".parse().unwrap(),
            platform: "8220".to_owned(),
        };
        Arc::new(Profile::standard(master(), network))
    })
}

/// The same with a menu.
pub(super) fn with_menu() -> &'static Arc<Profile> {
    static PROFILE: OnceLock<Arc<Profile>> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let mut with_menu = Profile::clone(profile());
        with_menu.applet.menu = true;
        Arc::new(with_menu)
    })
}

pub(super) fn owner() -> &'static Subscriber {
    static OWNER: OnceLock<Subscriber> = OnceLock::new();
    OWNER.get_or_init(|| Subscriber {
        msisdn: "+447700900001".parse().unwrap(),
        iccid: Iccid::with_check_digit("898800000000000001").unwrap(),
        imsi: "001010000000001".parse().unwrap(),
        pin: "1234".parse().unwrap(),
        puk: "12345678".parse().unwrap(),
    })
}
