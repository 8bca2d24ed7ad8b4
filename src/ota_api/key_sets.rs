//! `/v1/key-sets`: keys go in, check values come out.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ota::platform::Input;
use ota::platform::key_sets::{Entry, KeySets, Shown, parse_csv};
use ota_wire::ids::{Iccid, Msisdn};
use ota_wire::keys::{CipherKey, KeySet};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Body, State, not_committed, parse, unprocessable};
use crate::control::problem;

#[derive(Deserialize)]
#[serde(untagged)]
enum Upload {
    Entries { key_sets: Vec<Value> },
    Csv { csv: String },
}

/// All of an upload is kept, or nothing: the problem names every line that makes no sense.
pub(super) async fn import(state: State, Body(body): Body) -> Response {
    match read(&body) {
        Err(problem) => *problem,
        Ok(entries) => {
            let imported = entries.len();
            if state.tell(Input::Import(entries)).await {
                Json(json!({"imported": imported})).into_response()
            } else {
                not_committed()
            }
        }
    }
}

fn read(body: &[u8]) -> Result<Vec<Entry>, Box<Response>> {
    let (mut entries, mut wrong) = (Vec::new(), Vec::new());
    match parse(body)? {
        Upload::Csv { csv } => {
            for row in parse_csv(&csv) {
                match row {
                    Ok(entry) => entries.push(entry),
                    Err((line, error)) => wrong.push(format!("line {line}: {error}")),
                }
            }
        }
        Upload::Entries { key_sets } => {
            for (index, value) in key_sets.into_iter().enumerate() {
                let entry = serde_json::from_value::<Entry>(value).map_err(|it| it.to_string());
                let checked = entry.and_then(|entry| match entry.check() {
                    Ok(()) => Ok(entry),
                    Err(error) => Err(error.to_string()),
                });
                match checked {
                    Ok(entry) => entries.push(entry),
                    Err(error) => wrong.push(format!("key set {}: {error}", index + 1)),
                }
            }
        }
    }
    if wrong.is_empty() {
        Ok(entries)
    } else {
        Err(unprocessable(&wrong.join("; ")))
    }
}

/// Key sets of a card, by its ICCID or its number.
pub(super) async fn show(state: State, Path(card): Path<String>) -> Response {
    let found = match (card.parse::<Iccid>(), card.parse::<Msisdn>()) {
        (Ok(iccid), _) => state.subscriber(None, Some(&iccid)),
        (_, Ok(msisdn)) => state.subscriber(Some(&msisdn), None),
        _ => {
            return problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "expected an ICCID or a number",
            );
        }
    };
    match found {
        Err(problem) => *problem,
        Ok((msisdn, iccid)) => Json(shown(&state, &msisdn, &iccid)).into_response(),
    }
}

fn shown(api: &Api, msisdn: &Msisdn, iccid: &Iccid) -> Value {
    let master = api.world.master_key();
    let imported = imported(api, iccid);
    let mut sets: Vec<_> = api
        .world
        .ota_key_sets()
        .into_iter()
        .filter(|(version, _)| imported.version(*version).is_none())
        .map(|(version, family)| KeySet::derive(&master, iccid, version, family))
        .map(|derived| (Shown::of(&derived), "derived"))
        .collect();
    let imported = imported.shown().into_iter().map(|set| (set, "imported"));
    sets.extend(imported);
    let unsure = unsure(api, iccid).shown();
    sets.extend(unsure.into_iter().map(|set| (set, "unsure")));
    sets.sort_by_key(|(set, _)| set.version);
    let sets: Vec<_> = sets
        .into_iter()
        .map(|(set, from)| {
            let sim: Option<Value> = api.record(&format!("sim/{iccid}/{}", set.version));
            let mut value = json!(set);
            value["from"] = from.into();
            value["last_cntr"] = sim.map_or(Value::Null, |sim| sim["last"].clone());
            value
        })
        .collect();
    json!({"iccid": iccid, "msisdn": msisdn, "key_sets": sets})
}

/// The key sets that the platform was given for a card.
pub(super) fn imported(api: &Api, iccid: &Iccid) -> KeySets {
    api.record(&format!("keys/{iccid}")).unwrap_or_default()
}

/// The key for loading keys that belongs to a key set of a card, if it is known. As with the others of a set, imported ones win.
pub(super) fn loading_key(api: &Api, iccid: &Iccid, version: u8) -> Option<CipherKey> {
    let imported = imported(api, iccid);
    if imported.version(version).is_some() {
        return imported.loading_key(version);
    }
    let derived = api.world.ota_key_sets();
    match derived.iter().find(|(known, _)| *known == version) {
        Some((_, family)) => {
            let master = api.world.master_key();
            Some(KeySet::derive_kik(&master, iccid, version, *family))
        }
        None => unsure(api, iccid).loading_key(version),
    }
}

/// The key sets that the card may have: PUT KEY went out, and what came of it is not known.
pub(super) fn unsure(api: &Api, iccid: &Iccid) -> KeySets {
    api.record(&format!("unsure/{iccid}")).unwrap_or_default()
}
