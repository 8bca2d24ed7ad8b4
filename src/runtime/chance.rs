//! Chance: the one place that asks the system for random octets.
//!
//! Seeded, everything comes from one ChaCha20 stream, so that a run on one thread (the in-process wiring) draws the same octets
//! each time. From the system, several ChaCha20 streams with seeds of their own are handed round, so that threads do not meet on
//! one lock. Either way a [`Generator`] is cheap to make: one per step.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

use super::lock;

/// A source of generators. Cloning it shares the streams.
#[derive(Clone)]
pub struct Chance {
    lanes: Arc<[Mutex<ChaCha20Rng>]>,
    next: Arc<AtomicUsize>,
    seed: Option<u64>,
}

/// Streams of a system-seeded source: enough that threads rarely wait for each other.
const LANES: usize = 16;

/// The system gave no random octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the system's random source failed: {0}; midsim makes no secrets without it (use --seed for a test run)"
)]
pub struct NoChance(getrandom::Error);

impl Chance {
    /// One stream, the same for the same seed. For tests and replays: whoever knows the seed knows every secret.
    pub fn seeded(seed: u64) -> Self {
        Self::over([ChaCha20Rng::seed_from_u64(seed)], Some(seed))
    }

    /// Streams seeded by the system.
    ///
    /// # Errors
    /// [`NoChance`] if the system has no random source.
    pub fn system() -> Result<Self, NoChance> {
        let lanes = (0..LANES).map(|_| {
            let mut seed = [0; 32];
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that asks the system"
            )]
            getrandom::fill(&mut seed).map_err(NoChance)?;
            Ok(ChaCha20Rng::from_seed(seed))
        });
        Ok(Self::over(lanes.collect::<Result<Vec<_>, _>>()?, None))
    }

    fn over(streams: impl IntoIterator<Item = ChaCha20Rng>, seed: Option<u64>) -> Self {
        Self {
            lanes: streams.into_iter().map(Mutex::new).collect(),
            next: Arc::default(),
            seed,
        }
    }

    /// The seed, if there is one: printed so that a run can be repeated.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// A generator for one step. Generators of one seeded source continue one stream.
    pub fn generator(&self) -> Generator {
        let lane = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        Generator {
            lanes: Arc::clone(&self.lanes),
            lane,
        }
    }

    /// As [`generator`](Self::generator), for a step that hardly ever draws anything: threads meet here only when it does.
    pub fn seldom(&self) -> Seldom<'_> {
        Seldom {
            chance: self,
            generator: None,
        }
    }

    /// A source of its own for something that must not disturb the draws of others (a fault link, a persona): the same for the
    /// same seed and label.
    pub fn branch(&self, label: &str) -> Self {
        let Some(seed) = self.seed else {
            return self.clone();
        };
        let mut stream = ChaCha20Rng::seed_from_u64(seed);
        // Stream 0 is the source's own; FNV-1a of the label picks another.
        stream.set_stream(fnv1a(label).max(1));
        Self::over([stream], Some(seed))
    }
}

/// Random octets for one step. Cryptographically strong unless the source is seeded.
pub struct Generator {
    lanes: Arc<[Mutex<ChaCha20Rng>]>,
    lane: usize,
}

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(lock(&self.lanes[self.lane]).next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(lock(&self.lanes[self.lane]).next_u64())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        lock(&self.lanes[self.lane]).fill_bytes(dst);
        Ok(())
    }
}

impl TryCryptoRng for Generator {}

/// A [`Generator`] that is made when something is drawn. See [`Chance::seldom`].
pub struct Seldom<'a> {
    chance: &'a Chance,
    generator: Option<Generator>,
}

impl Seldom<'_> {
    fn generator(&mut self) -> &mut Generator {
        self.generator
            .get_or_insert_with(|| self.chance.generator())
    }
}

impl TryRng for Seldom<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.generator().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.generator().try_next_u64()
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.generator().try_fill_bytes(dst)
    }
}

impl TryCryptoRng for Seldom<'_> {}

fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn draw(chance: &Chance) -> [u8; 16] {
        let mut octets = [0; 16];
        chance.generator().fill_bytes(&mut octets);
        octets
    }

    #[test]
    fn a_seed_repeats_and_its_generators_continue_one_stream() {
        let (first, second) = (Chance::seeded(7), Chance::seeded(7));
        let whole: Vec<_> = (0..4).map(|_| draw(&first)).collect();
        let mut generator = second.generator();
        for part in &whole {
            let mut octets = [0; 16];
            generator.fill_bytes(&mut octets);
            assert_eq!(&octets, part);
        }
        assert_ne!(draw(&Chance::seeded(8)), whole[0]);
        assert_eq!(whole.iter().collect::<HashSet<_>>().len(), 4);
    }

    #[test]
    fn whoever_draws_seldom_draws_from_the_same_stream() {
        let (first, second) = (Chance::seeded(7), Chance::seeded(7));
        for _ in 0..3 {
            let mut octets = [0; 16];
            let mut seldom = first.seldom();
            seldom.fill_bytes(&mut octets);
            let _draws_nothing = first.seldom();
            assert_eq!(octets, draw(&second));
        }
    }

    #[test]
    fn a_branch_repeats_and_leaves_its_source_alone() {
        let expected = draw(&Chance::seeded(7));
        let chance = Chance::seeded(7);
        let sms = draw(&chance.branch("sms"));
        assert_eq!(draw(&Chance::seeded(7).branch("sms")), sms);
        assert_ne!(draw(&chance.branch("smpp")), sms);
        assert_eq!(draw(&chance), expected);
        assert_eq!(chance.branch("sms").seed(), Some(7));
    }

    #[test]
    fn the_system_never_repeats() {
        let chance = Chance::system().unwrap();
        let other = Chance::system().unwrap();
        let draws: HashSet<_> = (0..64)
            .flat_map(|_| [draw(&chance), draw(&other)])
            .collect();
        assert_eq!(draws.len(), 128);
        assert_eq!(chance.seed(), None);
    }
}
