//! Towards the ESMEs.

mod deliveries;
mod multi;
mod operations;
mod queues;
mod refusals;
mod support;

use super::*;
