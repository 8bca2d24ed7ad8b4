//! The applet protocol.

use ota_wire::applet::{AppletResponse, Challenge, ChallengeView, MacAlgorithm, ResponseView};
use ota_wire::dissect::{self, Keys};
use ota_wire::secret::Secret;

fn key() -> Secret {
    Secret::new(vec![0x4D; 16])
}

/// Challenges.
pub fn challenge(octets: &[u8]) {
    if let Ok(view) = ChallengeView::new_checked(octets) {
        let _ = (view.verify(&key()), view.text().to_string());
        if let Ok(challenge) = Challenge::parse(octets) {
            // All but the MAC is what it was.
            let sealed = challenge.seal(&key());
            assert_eq!(sealed.len(), octets.len());
            assert_eq!(sealed[..sealed.len() - 8], octets[..octets.len() - 8]);
        }
    }
    dissected(octets);
}

/// Responses.
pub fn response(octets: &[u8]) {
    if let Ok(view) = ResponseView::new_checked(octets) {
        let _ = view.verify(&key(), &[7; 8]);
        if let Ok(response) = AppletResponse::parse(octets) {
            let sealed = response.seal(&key(), &[7; 8]);
            assert_eq!(sealed.len(), octets.len());
            assert_eq!(sealed[..sealed.len() - 8], octets[..octets.len() - 8]);
        }
    }
    dissected(octets);
}

fn dissected(octets: &[u8]) {
    let keys = Keys {
        key_sets: Vec::new(),
        applet: vec![(MacAlgorithm::AesCmac8, key())],
    };
    let tree = dissect::applet_message(octets, &keys);
    let parsed = Challenge::parse(octets).is_ok() || AppletResponse::parse(octets).is_ok();
    assert!(parsed || !tree.is_complete(), "{tree}");
}
