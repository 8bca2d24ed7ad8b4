//! `/v1/messages` and `/v1/remote`.

use axum::Json;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ota::platform::key_sets::{Entry, EntryError};
use ota::platform::remote::{Done, RAM, Refused, Task};
use ota::platform::{CardResponse, Input, Job, JobState, Por, Submit};
use ota_wire::ids::{Iccid, Msisdn, Tar};
use ota_wire::keys::CipherKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Body, CORRELATION, JOBS, State, key_sets, not_committed, parse, unprocessable};
use crate::control::problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    id: Option<String>,
    msisdn: Option<String>,
    iccid: Option<String>,
    tar: String,
    /// Hexadecimal.
    payload: String,
    #[serde(default)]
    por: Por,
    key_version: Option<u8>,
    /// Seconds.
    valid_for: Option<u32>,
    /// Instead: an instant (RFC 3339).
    expires: Option<String>,
}

pub(super) async fn submit(state: State, Body(body): Body) -> Response {
    accept(&state, &body)
        .await
        .unwrap_or_else(|problem| *problem)
}

async fn accept(api: &Api, body: &[u8]) -> Result<Response, Box<Response>> {
    let order: Order = parse(body)?;
    let tar: Tar = order
        .tar
        .parse()
        .map_err(|error| unprocessable(&format!("tar: {error}")))?;
    let payload = octets("payload", &order.payload)?;
    let submit = Target {
        id: order.id,
        msisdn: order.msisdn,
        iccid: order.iccid,
        key_version: order.key_version,
        valid_for: order.valid_for,
        expires: order.expires,
    }
    .submit(api, tar, payload, order.por)?;
    give(api, submit).await
}

/// Whose card, and how.
#[derive(Deserialize)]
struct Target {
    id: Option<String>,
    msisdn: Option<String>,
    iccid: Option<String>,
    key_version: Option<u8>,
    valid_for: Option<u32>,
    expires: Option<String>,
}

impl Target {
    fn card(&self, api: &Api) -> Result<(Msisdn, Iccid), Box<Response>> {
        let bad =
            |field: &str, why: &dyn std::fmt::Display| unprocessable(&format!("{field}: {why}"));
        let msisdn = self.msisdn.as_deref().map(str::parse::<Msisdn>).transpose();
        let msisdn = msisdn.map_err(|error| bad("msisdn", &error))?;
        let iccid = self.iccid.as_deref().map(str::parse::<Iccid>).transpose();
        let iccid = iccid.map_err(|error| bad("iccid", &error))?;
        api.subscriber(msisdn.as_ref(), iccid.as_ref())
    }

    /// The key under which the card is given others: that of the key set which will protect the order.
    fn loading_key(&self, api: &Api, iccid: &Iccid) -> Result<CipherKey, Box<Response>> {
        let version = self
            .key_version
            .or_else(|| key_sets::imported(api, iccid).for_application(RAM))
            .unwrap_or_else(|| crate::suite::key_version(api.world.family));
        let key = |version| key_sets::loading_key(api, iccid, version);
        key(version).ok_or_else(|| {
            let known: Vec<_> = (1..=15).filter(|version| key(*version).is_some()).collect();
            unprocessable(&format!(
                "key_version: expected {}, whose KIK is known, got {version}",
                one_of(&known)
            ))
        })
    }

    fn submit(
        self,
        api: &Api,
        tar: Tar,
        payload: Vec<u8>,
        por: Por,
    ) -> Result<Submit, Box<Response>> {
        let (msisdn, _) = self.card(api)?;
        let (expires, valid_for) = api.expiry(self.valid_for, self.expires.as_deref())?;
        let id = self.id.unwrap_or_else(|| api.random_id());
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !(1..=64).contains(&id.len()) || !id.chars().all(plain) {
            return Err(unprocessable(
                "id: expected 1 to 64 letters, digits, - and _",
            ));
        }
        Ok(Submit {
            correlation: format!("{CORRELATION}{id}"),
            id: format!("{JOBS}{id}"),
            msisdn,
            tar,
            payload,
            expires,
            valid_for,
            por,
            key_version: self.key_version,
            key_set: None,
        })
    }
}

/// `1, 2 or 3`.
fn one_of(numbers: &[u8]) -> String {
    let mut text = String::new();
    for (place, number) in numbers.iter().enumerate() {
        let joint = match numbers.len() - place {
            _ if place == 0 => "",
            1 => " or ",
            _ => ", ",
        };
        text += &format!("{joint}{number}");
    }
    text
}

/// Orders are idempotent by their id; the same id for something else is a conflict.
async fn give(api: &Api, submit: Submit) -> Result<Response, Box<Response>> {
    let id = submit.id.trim_start_matches(JOBS).to_owned();
    let conflict = || {
        Box::new(problem(
            StatusCode::CONFLICT,
            &format!("another message has the id {id}"),
        ))
    };
    if let Some(known) = api.job(&id) {
        if !submit.repeats(&known.submit) {
            return Err(conflict());
        }
        return Ok(Json(view(&known)).into_response());
    }
    if !api.tell(Input::Submit(submit.clone())).await {
        return Err(Box::new(not_committed()));
    }
    let job = api.job(&id).ok_or_else(|| Box::new(not_committed()))?;
    // Of two at the same time, the platform has taken one.
    if !submit.repeats(&job.submit) {
        return Err(conflict());
    }
    let place = [(header::LOCATION, format!("/v1/messages/{id}"))];
    Ok((StatusCode::ACCEPTED, place, Json(view(&job))).into_response())
}

pub(super) async fn show(state: State, Path(id): Path<String>) -> Response {
    match state.job(&id) {
        Some(job) => Json(view(&job)).into_response(),
        None => unknown(&id),
    }
}

pub(super) async fn cancel(state: State, Path(id): Path<String>) -> Response {
    if state.job(&id).is_none() {
        return unknown(&id);
    }
    let input = Input::Cancel {
        id: format!("{JOBS}{id}"),
    };
    if !state.tell(input).await {
        return not_committed();
    }
    match state.job(&id) {
        Some(job) if job.state == JobState::Cancelled => Json(view(&job)).into_response(),
        Some(job) => problem(
            StatusCode::CONFLICT,
            &format!("it is over already: {}", state_of(&job.state)),
        ),
        None => unknown(&id),
    }
}

fn unknown(id: &str) -> Response {
    problem(
        StatusCode::NOT_FOUND,
        &format!("no message {id}: it was never submitted, or its validity is over"),
    )
}

/// What may be seen of a job.
pub(super) fn view(job: &Job) -> Value {
    let submit = &job.submit;
    let mut value = json!({
        "id": submit.id.trim_start_matches(JOBS),
        "msisdn": submit.msisdn,
        "iccid": job.card.as_ref().map(|card| &card.iccid),
        "key_version": job.card.as_ref().map(|card| card.key_version),
        "tar": submit.tar.to_string(),
        "por": submit.por,
        "expires": submit.expires,
        "state": state_of(&job.state),
    });
    match &job.state {
        JobState::Under(attempt) => {
            value["attempt"] = attempt.number.into();
            value["cntr"] = attempt.cntr.to_string().into();
            value["message_ids"] = json!(attempt.parts);
        }
        JobState::Failed(reason) => {
            value["reason"] = reason.to_string().into();
            value["code"] = reason.code().into();
        }
        JobState::Queued | JobState::Answered | JobState::Expired | JobState::Cancelled => {}
    }
    if let Some(response) = &job.response {
        value["response"] = json!(response);
    }
    if let Some(answer) = &job.answer {
        value["answer"] = hex::encode(&answer.0).into();
    }
    value
}

fn state_of(state: &JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Under(attempt) if attempt.reported => "sent",
        JobState::Under(_) => "submitted",
        JobState::Answered => "acknowledged",
        JobState::Failed(_) => "failed",
        JobState::Expired => "expired",
        JobState::Cancelled => "cancelled",
    }
}

/// Fields of an order that say whose card, and how.
const TARGET: [&str; 7] = [
    "action",
    "id",
    "msisdn",
    "iccid",
    "key_version",
    "valid_for",
    "expires",
];

#[derive(Deserialize)]
struct RemoteOrder {
    #[serde(flatten)]
    target: Target,
    #[serde(flatten)]
    action: Action,
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Action {
    ReadIccid,
    PutKey {
        /// `iccid` is that of the card and need not be given.
        key_set: Value,
        /// Hexadecimal; the third key of the set.
        kik: String,
        #[serde(default)]
        replaces: bool,
    },
    Lock {
        aid: String,
    },
    Unlock {
        aid: String,
    },
}

impl RemoteOrder {
    /// A field that is not for the action is refused, whatever it is.
    fn read(body: &[u8]) -> Result<Self, Box<Response>> {
        let fields: serde_json::Map<String, Value> = parse(body)?;
        let order: Self = parse(body)?;
        let more: &[&str] = match order.action {
            Action::ReadIccid => &[],
            Action::PutKey { .. } => &["key_set", "kik", "replaces"],
            Action::Lock { .. } | Action::Unlock { .. } => &["aid"],
        };
        let known =
            |name: &&String| TARGET.contains(&name.as_str()) || more.contains(&name.as_str());
        match fields.keys().find(|name| !known(name)) {
            None => Ok(order),
            Some(name) => Err(unprocessable(&format!(
                "body: unknown field `{name}`, expected one of {}",
                [&TARGET[..], more].concat().join(", ")
            ))),
        }
    }
}

/// Submits a script, waits for what the card says, and says what that means.
pub(super) async fn remote(state: State, Body(body): Body) -> Response {
    manage(&state, &body)
        .await
        .unwrap_or_else(|problem| *problem)
}

async fn manage(api: &Api, body: &[u8]) -> Result<Response, Box<Response>> {
    let RemoteOrder { target, action } = RemoteOrder::read(body)?;
    let (_, iccid) = target.card(api)?;
    let mut brings = None;
    let mut task = match action {
        Action::ReadIccid => Task::ReadIccid,
        Action::Lock { aid } => Task::Lock {
            aid: octets("aid", &aid)?,
        },
        Action::Unlock { aid } => Task::Unlock {
            aid: octets("aid", &aid)?,
        },
        Action::PutKey {
            key_set,
            kik,
            replaces,
        } => {
            let Value::Object(mut key_set) = key_set else {
                return Err(unprocessable("key_set: expected an object"));
            };
            key_set.insert("iccid".to_owned(), iccid.to_string().into());
            if key_set.insert("kik".to_owned(), kik.into()).is_some() {
                return Err(unprocessable("key_set: kik stands beside it, not in it"));
            }
            let entry: Entry = serde_json::from_value(Value::Object(key_set))
                .map_err(|error| unprocessable(&format!("key_set: {error}")))?;
            let bad = |error: EntryError| match error.field {
                "kik" => unprocessable(&error.to_string()),
                _ => unprocessable(&format!("key_set: {error}")),
            };
            entry.check().map_err(bad)?;
            let keys = entry.key_set().map_err(bad)?;
            let kik = entry.loading_key().map_err(bad)?;
            brings = Some(entry);
            let Some(kik) = kik else {
                return Err(unprocessable("kik: expected the third key of the set"));
            };
            let under = target.loading_key(api, &iccid)?;
            Task::PutKey {
                keys,
                kik,
                under,
                replaces,
            }
        }
    };
    let script = task
        .script()
        .map_err(|error| unprocessable(&error.to_string()))?;
    let mut submit = target.submit(api, task.tar(), script, Por::Always)?;
    submit.key_set = brings;
    let (job, response) = match carry(api, submit.clone()).await? {
        (job, Some(response)) => (job, response),
        (job, None) => return Ok((StatusCode::BAD_GATEWAY, Json(view(&job))).into_response()),
    };
    let result = task.result(&response);
    if let Err(Refused::Status { sw: TAKEN, .. }) = result
        && let Task::PutKey { keys, replaces, .. } = &mut task
        && !*replaces
    {
        let again = format!("{}{REPLACE}", submit.id);
        let known = api.job(again.trim_start_matches(JOBS)).is_some();
        if known
            || key_sets::unsure(api, &iccid)
                .version(keys.version)
                .is_some()
        {
            *replaces = true;
            submit.id = again;
            submit.payload = task
                .script()
                .map_err(|error| unprocessable(&error.to_string()))?;
            return match carry(api, submit).await? {
                (job, Some(response)) => Ok(done(&job, task.result(&response))),
                (job, None) => Ok((StatusCode::BAD_GATEWAY, Json(view(&job))).into_response()),
            };
        }
    }
    Ok(done(&job, result))
}

/// What a card says to PUT KEY that adds a set of a version that it has (GlobalPlatform §11.8).
const TAKEN: u16 = 0x6A80;

/// Ends the id of the order that replaces a key set of which it was not known whether the card has it.
const REPLACE: &str = "-replace";

fn done(job: &Job, result: Result<Done, Refused>) -> Response {
    let mut document = view(job);
    match result {
        Ok(Done::Iccid(iccid)) => document["result"] = json!({"iccid": iccid}),
        Ok(Done::Changed) => document["result"] = json!({"done": true}),
        Err(refused) => {
            document["result"] = json!({"refused": refused.to_string()});
            return (StatusCode::BAD_GATEWAY, Json(document)).into_response();
        }
    }
    Json(document).into_response()
}

/// Submits an order and waits for its end: with the response of the card, or without.
async fn carry(api: &Api, submit: Submit) -> Result<(Job, Option<CardResponse>), Box<Response>> {
    let id = submit.id.trim_start_matches(JOBS).to_owned();
    let late = || {
        Box::new(problem(
            StatusCode::GATEWAY_TIMEOUT,
            "the card has not answered in time",
        ))
    };
    let mut changed = api.network.parties().results.watch();
    give(api, submit).await?;
    loop {
        let job = api.job(&id).ok_or_else(late)?;
        let over = !matches!(job.state, JobState::Queued | JobState::Under(_));
        if over || job.response.is_some() {
            let response = job.response.clone();
            return Ok((job, response));
        }
        tokio::select! {
            _ = changed.changed() => {}
            // The validity may end without news.
            () = api.network.parties().clock.reached(job.submit.expires) => return Err(late()),
            () = api.shutdown.draining() => {
                return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, "midsim stops")));
            }
        }
    }
}

fn octets(field: &str, digits: &str) -> Result<Vec<u8>, Box<Response>> {
    hex::decode(digits).map_err(|error| unprocessable(&format!("{field}: {error}")))
}
