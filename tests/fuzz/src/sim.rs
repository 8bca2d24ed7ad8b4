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

/// The same with everything that a profile may switch on: menu, tone, text and PIN in one question, REFRESH.
pub(super) fn with_everything() -> &'static Arc<Profile> {
    static PROFILE: OnceLock<Arc<Profile>> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let mut profile = Profile::clone(profile());
        profile.refresh = true;
        profile.applet.menu = true;
        profile.applet.tone = Some(0x10);
        profile.applet.text_in_prompt = true;
        Arc::new(profile)
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
