//! What the MSSP remembers, and under which keys.
//!
//! | key | value |
//! |---|---|
//! | `txn/<MSSP_TransID>` | a [`Transaction`]; the timer of the same key ends it, and later forgets it |
//! | `aptx/<AP_TransID>/<AP_ID>` | the MSSP_TransID that answers it |
//! | `tid/<TID>` | the MSSP_TransID of a challenge |
//! | `busy/<ICCID>` | the [`Occupation`] of a SIM; the timer of the same key frees a card that never answered |
//! | `ctr/<ICCID>` | the applet counter last used |
//! | `certificate/<MSISDN>` | a [`CertificateState`](crate::pki::credential::CertificateState) other than the directory's |
//! | `user/<MSISDN>` | a [`User`], once something is known that the directory does not say |
//! | `handshake/<AP_ID>` | the MSSP_TransID of an AP's last handshake |
//! | `notify/<MSSP_TransID>` | a [`Notification`]; the timer of the same key makes the next one |

mod change;

use jiff::Timestamp;
use ota_wire::{
    applet::MacAlgorithm,
    ids::{Iccid, Msisdn},
    trace::Id,
};
use serde::{Deserialize, Serialize};

pub use self::change::Change;
use crate::{
    code::Code,
    config::UserState,
    messages::{DateTime, InterfaceVersion, MobileUser, MssSignature, Service, SignatureReq},
    pki::x509::KeyUsage,
    soap::Shape,
    step::{RequestId, View},
};

/// A signature transaction. AP_PWD is not in it: the registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// MSSP_TransID.
    pub id: String,
    /// The request, but for the words that belong to the connection.
    pub origin: Origin,
    /// The message.
    pub request: SignatureReq,
    /// mssURI of the profile in use.
    pub profile: String,
    /// The subscriber's number.
    pub msisdn: Msisdn,
    /// The SIM.
    pub iccid: Iccid,
    /// What was sent to the applet.
    pub challenge: Sent,
    /// When it ends with 208.
    #[serde(with = "serial::instant")]
    pub deadline: Timestamp,
    /// The connection that waits for the result (synch), with the shape of its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<(RequestId, Shape)>,
    /// The result, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The challenge, as long as it waits for the card to be free.
    #[serde(
        default,
        with = "serial::maybe_octets",
        skip_serializing_if = "Option::is_none"
    )]
    pub waiting: Option<Vec<u8>>,
    /// What is to come out, if it is a signature of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
    /// Whether the AP has called MSS_Receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipted: bool,
    /// It is none, but the message of a receipt for the transaction with this MSSP_TransID, on its way to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_of: Option<String>,
}

/// The part of a [`Transaction`] that an AP is told: APs ask again and again, and reading less of the record is quicker.
#[derive(Debug, Deserialize)]
pub(crate) struct Glance {
    pub(crate) id: String,
    pub(crate) origin: GlanceOrigin,
    pub(crate) request: GlanceRequest,
    #[serde(with = "serial::instant")]
    pub(crate) deadline: Timestamp,
    #[serde(default)]
    pub(crate) outcome: Option<Outcome>,
    #[serde(default)]
    pub(crate) receipt_of: Option<String>,
}

/// The part of an [`Origin`].
#[derive(Debug, Deserialize)]
pub(crate) struct GlanceOrigin {
    pub(crate) ap_id: String,
    pub(crate) ap_trans_id: String,
}

/// The part of a [`SignatureReq`].
#[derive(Debug, Deserialize)]
pub(crate) struct GlanceRequest {
    pub(crate) user: MobileUser,
    #[serde(default)]
    pub(crate) services: Vec<Service>,
}

/// The part of a [`Transaction`] that names it.
#[derive(Debug, Deserialize)]
pub(crate) struct Names {
    id: String,
    origin: OriginNames,
    #[serde(default)]
    receipt_of: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OriginNames {
    ap_trans_id: String,
}

impl Names {
    /// Its id in the trace, and that of what it belongs to.
    pub(crate) fn trace_ids(&self) -> (Id, Id) {
        trace_ids(
            &self.id,
            &self.origin.ap_trans_id,
            self.receipt_of.as_deref(),
        )
    }
}

impl Transaction {
    /// Its id in the trace, and that of what it belongs to.
    pub(crate) fn trace_ids(&self) -> (Id, Id) {
        trace_ids(
            &self.id,
            &self.origin.ap_trans_id,
            self.receipt_of.as_deref(),
        )
    }
}

fn trace_ids(id: &str, ap_trans_id: &str, receipt_of: Option<&str>) -> (Id, Id) {
    let parent = match receipt_of {
        Some(signature) => Id::mssp_trans_id(signature),
        None => Id::ap_trans_id(ap_trans_id),
    };
    (Id::mssp_trans_id(id), parent)
}

/// What a signature of a key has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// keyUsage of which the certificate must have one.
    pub usage: KeyUsage,
    /// Whether the MSSP validates it: if not, it comes out as 500.
    pub validate: bool,
}

/// Who has a SIM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupation {
    /// MSSP_TransID of the transaction that came last.
    pub by: String,
    /// A cancelled transaction whose challenge is still on the card: nothing is sent before it is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lingering: Option<Lingering>,
}

/// A challenge that outlives its transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lingering {
    /// MSSP_TransID.
    pub id: String,
    /// When the card has given it up by itself.
    #[serde(with = "serial::instant")]
    pub until: Timestamp,
}

/// What the MSSP has learnt of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// How the service stands with them.
    pub state: UserState,
    /// The card's last word about the signing PIN.
    pub pin_blocked: bool,
    /// And about its PUK.
    pub puk_blocked: bool,
}

/// Where a transaction comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// AP_ID.
    pub ap_id: String,
    /// AP_TransID.
    pub ap_trans_id: String,
    /// AP_Info/@Instant.
    pub instant: DateTime,
    /// AP_URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ap_url: Option<String>,
    /// MajorVersion/MinorVersion.
    pub version: InterfaceVersion,
    /// How the request was written.
    pub shape: Shape,
}

/// What has to be known of a challenge to verify its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// TID.
    #[serde(with = "serial::eight")]
    pub tid: [u8; 8],
    /// CTR.
    pub ctr: u64,
    /// ALG.
    #[serde(with = "serial::mac_algorithm")]
    pub mac_algorithm: MacAlgorithm,
    /// MAC.
    #[serde(with = "serial::eight")]
    pub mac: [u8; 8],
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Status or fault number.
    pub code: Code,
    /// FiCom's number below it; 0 if there is none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub second: u16,
    /// The signature, if one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<MssSignature>,
    /// The certificates that belong to it, the signer's first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Octets>,
    /// For people.
    pub detail: String,
    /// When.
    #[serde(with = "serial::instant")]
    pub at: Timestamp,
}

fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl Outcome {
    /// Did the user sign?
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }
}

/// Octets that are written as Base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Octets(#[serde(with = "serial::octets")] pub Vec<u8>);

/// A result that the AP was told and has not acknowledged (asynchServerServer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// How often.
    pub times: usize,
    /// When it is told again.
    #[serde(with = "serial::instant")]
    pub next: Timestamp,
}

/// A record that cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {key} is unreadable: {reason}")]
pub struct Unreadable {
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The record under `key`, if there is one.
///
/// # Errors
/// If its value is not what [`Change::into_write`] writes.
pub(crate) fn load<T: serde::de::DeserializeOwned>(
    view: &dyn View,
    key: String,
) -> Result<Option<T>, Unreadable> {
    view.get(&key)
        .map(|value| {
            serde_json::from_slice(&value).map_err(|e| Unreadable {
                reason: e.to_string(),
                key,
            })
        })
        .transpose()
}

/// Where records live.
pub(crate) mod key {
    use super::{Iccid, Msisdn};

    // Keys are put together, not formatted: of each record there is one a step or two.
    pub(crate) const BUSY: &str = "busy/";
    pub(crate) const TRANSACTION: &str = "txn/";
    pub(crate) const NOTIFY: &str = "notify/";

    pub(crate) fn transaction(id: &str) -> String {
        [TRANSACTION, id].concat()
    }

    pub(crate) fn notify(id: &str) -> String {
        [NOTIFY, id].concat()
    }

    /// AP_TransID comes first: it cannot hold a slash.
    pub(crate) fn ap_transaction(ap_trans_id: &str, ap_id: &str) -> String {
        ["aptx/", ap_trans_id, "/", ap_id].concat()
    }

    pub(crate) fn tid(tid: &[u8; 8]) -> String {
        format!("tid/{:016X}", u64::from_be_bytes(*tid))
    }

    pub(crate) fn busy(iccid: &Iccid) -> String {
        [BUSY, iccid.digits()].concat()
    }

    pub(crate) fn user(msisdn: &Msisdn) -> String {
        ["user/+", msisdn.digits()].concat()
    }

    pub(crate) fn certificate(msisdn: &Msisdn) -> String {
        ["certificate/+", msisdn.digits()].concat()
    }

    pub(crate) fn handshake(ap_id: &str) -> String {
        ["handshake/", ap_id].concat()
    }

    pub(crate) fn counter(iccid: &Iccid) -> String {
        ["ctr/", iccid.digits()].concat()
    }
}

/// How values without a JSON form of their own are written.
pub(crate) mod serial {
    pub(crate) mod octets {
        use base64::{Engine, display::Base64Display, engine::general_purpose::STANDARD};
        use ota_wire::serial::parsed;
        use serde::{Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(octets: &[u8], s: S) -> Result<S::Ok, S::Error> {
            s.collect_str(&Base64Display::new(octets, &STANDARD))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
            parsed(d, |text| STANDARD.decode(text))
        }
    }

    pub(crate) mod maybe_octets {
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[derive(Serialize, Deserialize)]
        struct Octets(#[serde(with = "super::octets")] Vec<u8>);

        pub(crate) fn serialize<S: Serializer>(
            octets: &Option<Vec<u8>>,
            s: S,
        ) -> Result<S::Ok, S::Error> {
            octets.clone().map(Octets).serialize(s)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            d: D,
        ) -> Result<Option<Vec<u8>>, D::Error> {
            Ok(Option::<Octets>::deserialize(d)?.map(|octets| octets.0))
        }
    }

    pub(crate) mod eight {
        use hex::FromHexError;
        use ota_wire::serial::parsed;
        use serde::{Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(octets: &[u8; 8], s: S) -> Result<S::Ok, S::Error> {
            s.collect_str(&format_args!("{:016X}", u64::from_be_bytes(*octets)))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 8], D::Error> {
            parsed(d, |text| {
                let mut octets = [0; 8];
                hex::decode_to_slice(text, &mut octets)?;
                Ok::<_, FromHexError>(octets)
            })
        }
    }

    pub(crate) mod mac_algorithm {
        use ota_wire::applet::MacAlgorithm;
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        pub(crate) fn serialize<S: Serializer>(
            algorithm: &MacAlgorithm,
            s: S,
        ) -> Result<S::Ok, S::Error> {
            s.serialize_u8(*algorithm as u8)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            d: D,
        ) -> Result<MacAlgorithm, D::Error> {
            MacAlgorithm::try_from(u8::deserialize(d)?)
                .map_err(|got| D::Error::custom(format_args!("MAC algorithm {got}")))
        }
    }

    pub(crate) mod instant {
        use jiff::Timestamp;
        use ota_wire::serial::parsed;
        use serde::{Deserializer, Serializer};

        pub(crate) fn serialize<S: Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
            s.collect_str(at)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
            parsed(d, str::parse)
        }
    }
}
