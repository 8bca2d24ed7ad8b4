//! What turns the pure parties into a running system: the store that holds their records, the clock that moves their time, the
//! source of their chance, and the driver that runs their steps.
//!
//! | module | gives | rule |
//! |---|---|---|
//! | [`store`] | records with versions, committed by compare-and-set | nothing authoritative lives anywhere else |
//! | [`clock`] | simulated time, timers, the count of messages under way | the only reader of the machine's clock |
//! | [`chance`] | random octets, seeded or from the system | the only asker of the system |
//! | [`party`] | load, step, commit, then release | outputs never leave before the commit |

pub mod chance;
pub mod clock;
pub mod party;
pub mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data stays whole if a holder panics.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
