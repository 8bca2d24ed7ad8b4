//! Timing: rounds in turn, medians, ratios within one run.

use std::time::{Duration, Instant};

/// Rounds of which the median is taken.
pub const ROUNDS: usize = 7;

/// Runs of `work` in a second, by the median of several rounds of about `round` each; and the slowest and fastest.
pub fn rate(round: Duration, mut work: impl FnMut()) -> Rate {
    rates(round, &mut [&mut work])[0]
}

/// The same for several pieces of work, their rounds in turn, so that a machine that slows down slows all of them.
pub fn rates(round: Duration, works: &mut [&mut dyn FnMut()]) -> Vec<Rate> {
    let mut rounds = vec![Vec::with_capacity(ROUNDS); works.len()];
    for turn in 0..=ROUNDS {
        for (work, rates) in works.iter_mut().zip(&mut rounds) {
            let rate = one_round(round, work);
            // The first round only warms up.
            if turn > 0 {
                rates.push(rate);
            }
        }
    }
    rounds.into_iter().map(Rate::of).collect()
}

/// Median and spread.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub slowest: f64,
    pub median: f64,
    pub fastest: f64,
}

impl Rate {
    pub fn of(mut rates: Vec<f64>) -> Self {
        rates.sort_by(f64::total_cmp);
        Self { slowest: rates[0], median: rates[rates.len() / 2], fastest: rates[rates.len() - 1] }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>10.0}/s ({:.0}…{:.0})", self.median, self.slowest, self.fastest)
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn one_round(round: Duration, work: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    let mut done = 0u32;
    let mut batch = 1;
    loop {
        for _ in 0..batch {
            work();
        }
        done += batch;
        let elapsed = start.elapsed();
        if elapsed >= round {
            return f64::from(done) / elapsed.as_secs_f64();
        }
        batch = (batch * 2).min(1024);
    }
}
