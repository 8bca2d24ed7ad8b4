//! The pure party crates as [`Party`] of the runtime: types are translated, nothing is decided here.

use jiff::Timestamp;
use mssp::step as mssp_step;
use op_bridge::step as op_step;
use ota::step as ota_step;
use ota::{platform, smsc};
use rand_core::Rng;

use crate::runtime::party::{Party, ReadView, Stepped};
use crate::runtime::store::Write;

/// The OP with its configuration.
pub struct OpParty(pub op_bridge::Op);
/// The MSSP with its configuration.
pub struct MsspParty(pub mssp::Mssp);
/// The OTA platform with its configuration.
pub struct PlatformParty(pub platform::Platform);
/// The SMSC with its configuration.
pub struct SmscParty(pub smsc::Smsc);

/// The runtime's view, as a party's own view trait wants it.
struct ViewOf<'a>(&'a dyn ReadView);

macro_rules! party {
    ($party:ident, $name:literal, $step:ident, $input:ty, $output:ty, $event:ty, $durable:expr, $restore:expr) => {
        impl Party for $party {
            type Input = $input;
            type Output = $output;
            type Event = $event;
            const NAME: &'static str = $name;

            fn step(
                &self,
                view: &dyn ReadView,
                input: &Self::Input,
                now: Timestamp,
                rng: &mut dyn Rng,
            ) -> Stepped<Self::Output, Self::Event> {
                let step = self.0.step(&ViewOf(view), input.clone(), now, rng);
                let mut stepped = Stepped {
                    writes: Vec::new(),
                    timers: Vec::new(),
                    outputs: step.outputs,
                    events: step.events,
                };
                for change in step.changes {
                    match change.into_write() {
                        $step::Write::Delete { key } => stepped.writes.push(Write::Delete { key }),
                        $step::Write::Put { key, value } => {
                            stepped.writes.push(Write::Put { key, value })
                        }
                        $step::Write::Timer { key, due } => stepped.timers.push((key, due)),
                    }
                }
                stepped
            }

            fn timer(key: String) -> Self::Input {
                // A path in the place of a type needs a name of its own.
                type Input = $input;
                Input::Timer { key }
            }

            fn durable(output: &Self::Output) -> Option<(String, Vec<u8>)> {
                $durable(output)
            }

            fn restore(bytes: &[u8]) -> Option<Self::Output> {
                $restore(bytes)
            }
        }
    };
}

macro_rules! views {
    ($($view:path),+) => {
        $(impl $view for ViewOf<'_> {
            fn get(&self, key: &str) -> Option<Vec<u8>> {
                self.0.get(key)
            }

            fn scan(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
                self.0.scan(prefix)
            }
        })+
    };
}

views!(op_bridge::View, mssp::View, ota::step::View);

party!(
    OpParty,
    "op",
    op_step,
    op_bridge::Input,
    op_bridge::Output,
    op_bridge::Event,
    op_bridge::Output::durable,
    op_bridge::Output::restore
);
party!(
    MsspParty,
    "mssp",
    mssp_step,
    mssp::Input,
    mssp::Output,
    mssp::Event,
    mssp::Output::durable,
    mssp::Output::restore
);
party!(
    PlatformParty,
    "ota",
    ota_step,
    platform::Input,
    platform::Output,
    ota::event::Event,
    platform_durable,
    |bytes| serde_json::from_slice(bytes).ok()
);
// The SMSC keeps every message until its receiver has acknowledged it, and sends it again until then.
party!(
    SmscParty,
    "smsc",
    ota_step,
    smsc::Input,
    smsc::Output,
    ota::event::Event,
    |_: &_| None,
    |_: &_| None
);

fn platform_durable(output: &platform::Output) -> Option<(String, Vec<u8>)> {
    Some((output.durable_id()?, serde_json::to_vec(output).ok()?))
}
