//! `midsim up` and the signals that end it.

use std::os::unix::process::ExitStatusExt as _;

use midsim::runtime::store::{RedbStore, Store as _};

use crate::support::Folder;
use crate::support::process::Up;

/// Free ports.
const ANY: u16 = 0;

#[test]
fn an_interrupt_stops_it_in_time_with_exit_code_0_and_the_data_intact() {
    for signal in ["INT", "TERM"] {
        let folder = Folder::new("signals");
        let up = Up::start(folder.path(), ANY, &[]).unwrap();
        // The user is asked and does not answer: the flow is in the middle when the signal comes.
        let form = "scope=openid&acr_values=mod-mf&login_hint=%2B447700900001";
        assert_eq!(up.post("/bc-authorize", form).unwrap().0, 200);
        let asked = up.until(|| {
            let prompts = up.get("/api/v1/prompts").unwrap();
            prompts["prompts"].as_array().unwrap().len() == 1
        });
        assert!(asked);
        up.signal(signal);
        let status = up.wait_at_most(6).expect("it stops within 5 s");
        assert_eq!(status.code(), Some(0), "{signal}");
        for file in ["op", "mssp", "ota", "smsc", "sim"] {
            let store = RedbStore::open(folder.path().join(format!("{file}.redb"))).unwrap();
            assert!(!store.scan("").unwrap().is_empty(), "{file} after {signal}");
        }
        let again = Up::start(folder.path(), ANY, &[]).unwrap();
        again.kill();
    }
}

#[test]
fn a_second_interrupt_stops_it_at_once() {
    let folder = Folder::new("signals");
    let up = Up::start(folder.path(), ANY, &[]).unwrap();
    // A request that is held open keeps the first word from being enough.
    let held = up.hold("/api/v1/state?after=999999999&wait=30");
    up.signal("INT");
    up.refuses();
    up.signal("INT");
    let status = up.wait_at_most(2).expect("it stops at once");
    assert_eq!((status.code(), status.signal()), (Some(0), None));
    drop(held);
}
