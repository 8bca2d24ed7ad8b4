//! How a trace is read on a terminal: a line a message, with its essentials below it.

use std::io::{BufRead as _, Write as _};

use jiff::SignedDuration;

use crate::trace::Line;

/// Fields that say in other words what the line says, or are only of interest to who looks at octets.
const DETAILS: [&str; 5] = ["SW", "command", "response", "AP_ID", "Base64Signature"];
/// What a round of one transaction begins with: the OP asks the MSSP.
const ROUND: u8 = 3;

/// Prints lines as they come.
pub(super) struct Steps {
    /// Every event with every field.
    all: bool,
    /// Waits for Enter before each line.
    pause: bool,
    /// Simulated time since the last line.
    passed: SignedDuration,
    /// A busy handset is asked again and again: rounds after the first are held back until they prove to be different.
    rounds: usize,
    last: Vec<(Option<u8>, String)>,
    now: Vec<Line>,
    repeats: usize,
}

impl Steps {
    pub(super) fn new(all: bool, pause: bool) -> Self {
        Self {
            all,
            pause,
            passed: SignedDuration::ZERO,
            rounds: 0,
            last: Vec::new(),
            now: Vec::new(),
            repeats: 0,
        }
    }

    /// A line of the trace.
    pub(super) fn show(&mut self, line: &Line) {
        if self.all {
            return self.print(line);
        }
        if line.step.is_none() || line.echo {
            return;
        }
        if line.step == Some(ROUND) {
            self.close_round();
            self.rounds += 1;
        }
        if self.rounds <= 1 {
            self.print(line);
        }
        self.now.push(line.clone());
    }

    /// The clock was moved.
    pub(super) fn passed(&mut self, by: SignedDuration) {
        self.passed += by;
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.close_round();
        self.tell_repeats();
        self.tell_time();
    }

    fn close_round(&mut self) {
        let round = std::mem::take(&mut self.now);
        // Sorted: what two parties do at the same time comes now in this order, now in that.
        let mut shape: Vec<_> = round
            .iter()
            .map(|line| (line.step, line.name.clone()))
            .collect();
        shape.sort();
        if self.rounds > 1 {
            if shape == self.last {
                self.repeats += 1;
                return;
            }
            self.tell_repeats();
            for line in &round {
                self.print(line);
            }
        }
        self.last = shape;
    }

    fn tell_repeats(&mut self) {
        let repeats = std::mem::take(&mut self.repeats);
        if repeats > 0 {
            let times = if repeats == 1 { "time" } else { "times" };
            println!("    … from step {ROUND} on the same again, {repeats} {times}");
        }
    }

    fn tell_time(&mut self) {
        let seconds = self.passed.as_secs();
        if seconds > 0 {
            println!("    clock +{seconds} s");
            self.passed = SignedDuration::ZERO;
        }
    }

    fn print(&mut self, line: &Line) {
        self.tell_time();
        if self.pause {
            let _ = std::io::stdout().flush();
            let _ = std::io::stdin().lock().read_line(&mut String::new());
        }
        let step = line.step.map_or_else(String::new, |step| step.to_string());
        let hop = if line.from == line.to {
            line.from.to_owned()
        } else {
            format!("{} → {}", line.from, line.to)
        };
        println!("{step:>2}  {hop:<16} {}  [{}]", line.name, line.clause);
        let fields: Vec<_> = line
            .fields
            .iter()
            .filter(|(name, _)| self.all || essential(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !fields.is_empty() {
            println!("                     {}", fields.join("  "));
        }
        if let Some(octets) = line.octets.as_ref().filter(|_| self.all) {
            println!("                     {} {}", octets.kind, octets.hex);
        }
    }
}

/// Claims are shown with the tokens.
fn essential(field: &str) -> bool {
    !DETAILS.contains(&field) && !field.starts_with("id_token.")
}
