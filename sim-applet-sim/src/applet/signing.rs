//! The on-card signing key: ECDSA over P-256 (FIPS 186-5), with the nonce of RFC 6979, for a card has no chance that
//! the key could be trusted to.

use ota_wire::ids::Iccid;
use ota_wire::keys::{MasterKey, applet_signing_key};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};

/// Signs a SHA-256 digest with the key of one card; the signature in ASN.1 DER. `None` if the key is no key of the
/// curve, which a derived one always is.
pub(super) fn sign(master: &MasterKey, iccid: &Iccid, digest: &[u8; 32]) -> Option<Vec<u8>> {
    sign_with(applet_signing_key(master, iccid).expose(), digest)
}

fn sign_with(key: &[u8], digest: &[u8; 32]) -> Option<Vec<u8>> {
    let key = SigningKey::from_slice(key).ok()?;
    let signature: DerSignature = key.sign_prehash(digest).ok()?;
    Some(signature.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6979 A.2.5: P-256, SHA-256 of "sample".
    #[test]
    fn signatures_are_those_of_rfc_6979() {
        let key = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let digest: [u8; 32] =
            hex::decode("AF2BDBE1AA9B6EC1E2ADE1D694F41FC71A831D0268E9891562113D8A62ADD1BF")
                .unwrap()
                .try_into()
                .unwrap();
        assert_eq!(
            hex::encode_upper(sign_with(&key.unwrap(), &digest).unwrap()),
            "3046\
             022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
        );
        assert_eq!(sign_with(&[0; 32], &digest), None);
    }
}
