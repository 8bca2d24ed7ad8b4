//! What several of the integration tests need.

pub(crate) mod envelopes;
pub(crate) mod json;
pub(crate) mod process;
pub(crate) mod reader;
pub(crate) mod requests;
pub(crate) mod shell;
pub(crate) mod signer;
pub(crate) mod sockets;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use midsim::rp::Flow;
use midsim::world::{DEFAULT, Mode, World};

/// The default world and a thousand subscribers more, from +447700910000 on, who type the right PIN.
pub(crate) fn crowd() -> World {
    World::parse(&crowd_text()).unwrap()
}

/// [`crowd`] as a world file.
pub(crate) fn crowd_text() -> String {
    format!(
        "{DEFAULT}\n[[range]]\nfirst_msisdn = \"+447700910000\"\niccid_base = \"894477009000010000\"\n\
         imsi_base = \"001010000010000\"\ncount = 1000\npin = \"1234\"\npuk = \"12345678\"\n"
    )
}

/// The n-th of the thousand.
pub(crate) fn number(n: usize) -> String {
    format!("+4477009{:05}", 10_000 + n)
}

/// A request of the default world's client for this mode.
pub(crate) fn flow(issuer: &str, mode: Mode, msisdn: &str) -> Flow {
    let client = match mode {
        Mode::Poll => "poll",
        Mode::Ping => "ping",
        Mode::Push => "push",
    };
    Flow {
        issuer: issuer.into(),
        client_id: client.into(),
        client_secret: format!("{client}-secret"),
        mode,
        login_hint: msisdn.into(),
        acr_values: "mod-mf".into(),
        scope: "openid profile phone".into(),
        binding_message: Some("Sign in? W4SCT".into()),
        requested_expiry: None,
        notification_token: "notification-token-of-the-test-RP".into(),
    }
}

/// A folder of its own, removed in the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("midsim-it-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
