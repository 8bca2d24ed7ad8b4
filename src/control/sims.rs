//! `/api/v1/sims/{sim}`, by number or ICCID: what a card remembers; what its user does, and whether the network reaches the handset.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mssp::pki::credential::CertificateState;
use ota_wire::ids::{Iccid, IdError};
use serde::Deserialize;
use sim_applet_sim::handset::{ReaderError, Refusal};

use super::{handsets, problem};
use crate::suite::{CardView, Handle, MenuView, NoSims, Place, ReaderFailure, SelectError, Sim};
use crate::world::Persona;

/// How long a change waits for what it sets off, in real time.
const SETTLING: Duration = Duration::from_secs(1);

/// What to change; what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    user: Option<Persona>,
    coverage: Option<bool>,
    power: Option<bool>,
    certificate: Option<CertificateState>,
    /// Whether the card is in its handset.
    inserted: Option<bool>,
    /// An item of the card's menu that the user chooses.
    select: Option<u8>,
}

impl Change {
    /// Whether more is to be changed than what is chosen from a menu.
    const fn more(&self) -> bool {
        self.user.is_some()
            || self.coverage.is_some()
            || self.power.is_some()
            || self.certificate.is_some()
            || self.inserted.is_some()
    }

    /// Whether a menu may have this item once the rest is changed. What a handset shows that is switched on for it is seen then.
    fn offers(&self, item: u8, card: &CardView) -> bool {
        let starts = [self.power, self.inserted].contains(&Some(true));
        let ends = [self.power, self.inserted].contains(&Some(false));
        let shown = |menu: &MenuView| menu.items.contains_key(&item);
        starts || !ends && card.menu.as_ref().is_some_and(shown)
    }
}

/// The SIM of this number, or with this ICCID.
pub(super) fn find<'a>(suite: &'a Handle, name: &str) -> Result<Sim<'a>, Box<Response>> {
    if !suite.serves().sims() {
        let detail = NoSims.to_string();
        return Err(Box::new(problem(StatusCode::NOT_FOUND, &detail)));
    }
    let bad = |error: IdError| Box::new(problem(StatusCode::BAD_REQUEST, &error.to_string()));
    // Numbers have at most 15 digits, ICCIDs at least 18.
    if name.len() < 18 {
        return Ok(suite.sim(name.parse().map_err(bad)?));
    }
    let iccid: Iccid = name.parse().map_err(bad)?;
    suite.sim_by_iccid(&iccid).ok_or_else(|| {
        Box::new(problem(
            StatusCode::NOT_FOUND,
            &format!("no card has ICCID {name}; `midsim world` lists them"),
        ))
    })
}

/// No such subscriber.
pub(super) fn nobody(name: &str) -> Response {
    problem(
        StatusCode::NOT_FOUND,
        &format!("{name} is nobody's; `midsim world` lists the numbers"),
    )
}

pub(super) async fn show(State(suite): State<Arc<Handle>>, Path(name): Path<String>) -> Response {
    let sim = match find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    match sim.card().await {
        Ok(Some(card)) => Json(card).into_response(),
        Ok(None) => nobody(&name),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(super) async fn change(
    State(suite): State<Arc<Handle>>,
    Path(name): Path<String>,
    Json(change): Json<Change>,
) -> Response {
    let sim = match find(&suite, &name) {
        Ok(sim) => sim,
        Err(problem) => return *problem,
    };
    if change.power.is_some() || change.inserted.is_some() || change.select.is_some() {
        // Before anything is changed.
        match sim.card().await {
            Ok(Some(card)) if card.place == Place::Reader => return in_reader(&sim).await,
            Ok(Some(card)) => {
                let denied = |item: &u8| change.more() && !change.offers(*item, &card);
                if let Some(item) = change.select.filter(denied) {
                    return refused(item, Refusal::NoSuchItem);
                }
            }
            Ok(None) => {}
            Err(error) => return problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
    if let Some(Err(error)) = change.user.map(|persona| sim.set_user(persona)) {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
    }
    if let Some(on) = change.coverage {
        sim.set_coverage(on).await;
    }
    if let Some(state) = change.certificate {
        sim.set_certificate(state).await;
    }
    if let Some(on) = change.power
        && let Err(failure) = sim.set_power(on).await
    {
        return failed(&sim, &failure).await;
    }
    if let Some(inserted) = change.inserted
        && let Err(failure) = sim.set_inserted(inserted).await
    {
        return failed(&sim, &failure).await;
    }
    if let Some(item) = change.select {
        match sim.select(item).await {
            Ok(()) => {}
            Err(SelectError::Refused(reason)) => return refused(item, reason),
            Err(SelectError::Record(error)) => {
                return problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
            }
        }
    }
    // A script that has a prompt to answer now does so before it is told how things are. On a busy system there is always something
    // under way, so nobody waits for long.
    let _ = tokio::time::timeout(SETTLING, suite.clock().idle()).await;
    show(State(suite.clone()), Path(name)).await
}

fn refused(item: u8, reason: Refusal) -> Response {
    problem(StatusCode::CONFLICT, &format!("item {item}: {reason}"))
}

/// Nobody has a hand on a card that is in a reader, nor a screen or a power key for it.
pub(super) async fn in_reader(sim: &Sim<'_>) -> Response {
    let reader = sim.attached(0, Duration::ZERO).await.reader;
    let detail = match reader {
        Some(reader) => format!(
            "the card is in the reader at {reader}; `midsim sim detach {number}` or DELETE \
             /api/v1/sims/{number}/attach takes it out",
            number = sim.msisdn()
        ),
        None => "the card is in a reader of the program that runs this midsim".to_owned(),
    };
    problem(StatusCode::CONFLICT, &detail)
}

async fn failed(sim: &Sim<'_>, failure: &ReaderFailure) -> Response {
    match failure {
        ReaderFailure::Refused(ReaderError::Taken) => in_reader(sim).await,
        failure => handsets::refused(failure),
    }
}
