//! The applet protocol.

use ota_wire::applet::{
    AppletResponse, Challenge, MAC_LEN, MacAlgorithm, Method, ResultCode, Text,
};
use ota_wire::dissect::Keys;
use ota_wire::secret::Secret;
use serde::{Deserialize, Serialize};

use super::values::{Hex, Octet, Wide, is_default};
use super::{EncodeError, Fields, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum MethodDoc {
    Confirm,
    Pin,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum AlgorithmDoc {
    #[default]
    #[serde(rename = "aes-cmac")]
    AesCmac,
    #[serde(rename = "3des-cbc-mac")]
    TripleDesCbcMac,
}

impl From<AlgorithmDoc> for MacAlgorithm {
    fn from(doc: AlgorithmDoc) -> Self {
        match doc {
            AlgorithmDoc::AesCmac => Self::AesCmac8,
            AlgorithmDoc::TripleDesCbcMac => Self::TripleDesCbcMac,
        }
    }
}

impl From<MacAlgorithm> for AlgorithmDoc {
    fn from(algorithm: MacAlgorithm) -> Self {
        match algorithm {
            MacAlgorithm::AesCmac8 => Self::AesCmac,
            MacAlgorithm::TripleDesCbcMac => Self::TripleDesCbcMac,
        }
    }
}

/// An applet message: a challenge if it has a method, a response if it has a result. Without `mac` the applet key makes
/// it; that of a response also needs the MAC of the challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Applet {
    tid: Hex,
    ctr: Wide,
    #[serde(default)]
    algorithm: AlgorithmDoc,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<MethodDoc>,
    #[serde(default, skip_serializing_if = "is_default")]
    valid_for: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Octet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tries_left: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge_mac: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<Hex>,
}

impl Fields for Applet {
    fn read(octets: &[u8], keys: &Keys) -> Option<Self> {
        let mac = Hex(octets[octets.len().checked_sub(MAC_LEN)?..].to_vec());
        let with = |tid: [u8; 8], ctr, algorithm: MacAlgorithm| Self {
            tid: tid.as_slice().into(),
            ctr: Wide(ctr),
            algorithm: algorithm.into(),
            method: None,
            valid_for: 0,
            text: None,
            digest: None,
            result: None,
            tries_left: None,
            signature: None,
            challenge_mac: None,
            mac: Some(mac),
        };
        if let Ok(challenge) = Challenge::parse(octets) {
            let doc = Self {
                method: Some(match challenge.method {
                    Method::Confirm => MethodDoc::Confirm,
                    Method::Pin => MethodDoc::Pin,
                }),
                valid_for: challenge.valid_for,
                text: Some(challenge.text.to_string()),
                digest: challenge.digest.map(|digest| digest.as_slice().into()),
                ..with(challenge.tid, challenge.ctr, challenge.mac_algorithm)
            };
            let computed = Self {
                mac: None,
                ..doc.clone()
            };
            let same = computed.emit(keys).is_ok_and(|emitted| emitted == octets);
            return Some(if same { computed } else { doc });
        }
        let response = AppletResponse::parse(octets).ok()?;
        let signature = response.signature;
        Some(Self {
            result: Some(Octet(response.result.0)),
            tries_left: Some(response.tries_left),
            signature: (!signature.is_empty()).then_some(Hex(signature)),
            ..with(response.tid, response.ctr, response.mac_algorithm)
        })
    }

    fn emit(&self, keys: &Keys) -> Result<Vec<u8>> {
        let tid = self.tid.array("tid")?;
        let mac_algorithm = self.algorithm.into();
        let key = self.key(keys)?;
        let mut octets = match (self.method, self.result) {
            (Some(method), None) => {
                let text = Text::encode(self.text.as_deref().unwrap_or_default());
                let digest = self.digest.as_ref().map(|digest| digest.array("digest"));
                Challenge {
                    tid,
                    ctr: self.ctr.0,
                    method: match method {
                        MethodDoc::Confirm => Method::Confirm,
                        MethodDoc::Pin => Method::Pin,
                    },
                    mac_algorithm,
                    valid_for: self.valid_for,
                    text: text.map_err(|error| EncodeError::new(error).within("text"))?,
                    digest: digest.transpose()?,
                }
                .seal(&key)
            }
            (None, Some(result)) => self.response(tid, mac_algorithm, result, &key)?,
            _ => {
                return Err(EncodeError(
                    "expected method (a challenge) or result (a response)".to_owned(),
                ));
            }
        };
        if let Some(mac) = &self.mac {
            let place = octets.len() - MAC_LEN;
            octets[place..].copy_from_slice(&mac.array::<MAC_LEN>("mac")?);
        }
        Ok(octets)
    }
}

impl Applet {
    fn response(
        &self,
        tid: [u8; 8],
        mac_algorithm: MacAlgorithm,
        result: Octet,
        key: &Secret,
    ) -> Result<Vec<u8>> {
        let signature = self.signature.clone().unwrap_or_default().0;
        if signature.len() > 255 {
            return Err(EncodeError(format!(
                "signature: expected at most 255 octets, got {}",
                signature.len()
            )));
        }
        let challenge_mac = match (&self.challenge_mac, &self.mac) {
            (Some(mac), _) => mac.array("challenge_mac")?,
            (None, Some(_)) => [0; MAC_LEN],
            (None, None) => {
                return Err(EncodeError("expected mac or challenge_mac".to_owned()));
            }
        };
        let response = AppletResponse {
            tid,
            ctr: self.ctr.0,
            result: ResultCode(result.0),
            tries_left: self.tries_left.unwrap_or_default(),
            mac_algorithm,
            signature,
        };
        Ok(response.seal(key, &challenge_mac))
    }

    /// The applet key; any will do for a MAC that is given.
    fn key(&self, keys: &Keys) -> Result<Secret> {
        const LENGTH: usize = 16;
        let wanted = self.algorithm.into();
        let key = keys
            .applet
            .iter()
            .find(|(algorithm, key)| *algorithm == wanted && key.len() == LENGTH)
            .map(|(_, key)| key.clone());
        match key {
            Some(key) => Ok(key),
            None if self.mac.is_some() => Ok(Secret::new(vec![0; LENGTH])),
            None => Err(EncodeError(
                "mac: missing, and no applet key in --keys or --iccid to make it".to_owned(),
            )),
        }
    }
}
