//! Timing: rounds in turn, medians, ratios within one run.

use std::fmt;
use std::time::{Duration, Instant};

/// Rounds of what takes seconds.
pub(crate) const ROUNDS: usize = 7;

/// Rounds of work on one thread, and how long one is: short, so that what is compared meets the same machine.
const TURNS: usize = 61;
const TURN: Duration = Duration::from_millis(25);

/// Runs of each piece of work in a second, round by round. Their rounds go in turn, so that a machine that slows down
/// slows all of them; a first round of each only warms up.
pub(crate) fn rates(works: &mut [&mut dyn FnMut()]) -> Vec<Vec<f64>> {
    let mut rounds = vec![Vec::with_capacity(TURNS); works.len()];
    for turn in 0..=TURNS {
        for (work, rates) in works.iter_mut().zip(&mut rounds) {
            let rate = one_round(work);
            if turn > 0 {
                rates.push(rate);
            }
        }
    }
    rounds
}

/// What a piece of work reaches of another, each round against the one beside it.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> Spread {
    Spread::of(of.iter().zip(to).map(|(of, to)| of / to).collect())
}

/// The median of several rounds, and what lies around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one figure.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self {
            least: figures[0],
            median: figures[figures.len() / 2],
            most: figures[figures.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median < 100.0 { 2 } else { 0 };
        write!(
            f,
            "{:.digits$} ({:.digits$}…{:.digits$})",
            self.median, self.least, self.most
        )
    }
}

/// Real time.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn one_round(work: &mut dyn FnMut()) -> f64 {
    let start = now();
    let mut done = 0_u32;
    let mut batch = 1;
    loop {
        for _ in 0..batch {
            work();
        }
        done += batch;
        let elapsed = start.elapsed();
        if elapsed >= TURN {
            return f64::from(done) / elapsed.as_secs_f64();
        }
        batch = (batch * 2).min(64);
    }
}
