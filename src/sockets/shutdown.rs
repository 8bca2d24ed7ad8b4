//! Stopping: the first word drains (nothing new is accepted, what runs may finish), the second stops at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal;
use tokio::sync::watch;

/// How long what runs may take to finish.
pub const GRACE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Stopping,
}

/// Gives the word. Clones give it to the same listeners; so does dropping the last one, which stops at once.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<watch::Sender<Phase>>);

/// Hears the word.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Phase>);

/// A stopper and what it stops.
pub fn channel() -> (Stopper, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Stopper(Arc::new(sender)), Shutdown(receiver))
}

impl Stopper {
    /// Lets what runs finish, for [`GRACE`] at most.
    pub fn drain(&self) {
        self.raise(Phase::Draining);
    }

    /// Stops at once.
    pub fn stop(&self) {
        self.raise(Phase::Stopping);
    }

    /// Drains at the first interrupt or termination signal, stops at the second. Returns after the second, or never.
    pub async fn on_signals(&self, mut signals: Signals) {
        signals.next().await;
        tracing::info!("stopping; once more to stop at once");
        self.drain();
        signals.next().await;
        self.stop();
    }

    fn raise(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let raised = *current < phase;
            *current = phase.max(*current);
            raised
        });
    }
}

impl Shutdown {
    /// Whether any word was given.
    pub fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    /// Waits for the first word.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits for the second word.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    /// Runs `work` to its end, but after the first word only for `grace`, and not beyond the second. `None` if it was cut off.
    pub async fn bound<T>(&self, grace: Duration, work: impl Future<Output = T>) -> Option<T> {
        let cut = async {
            self.draining().await;
            // Either way the time is over.
            let _ = tokio::time::timeout(grace, self.stopping()).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = cut => None,
        }
    }

    async fn reached(&self, phase: Phase) {
        // An error means that nobody is left to give the word: the owner is gone.
        let _ = self.0.clone().wait_for(|current| *current >= phase).await;
    }
}

/// The signals that ask a process to stop. From the moment that this is made they end the process no longer by themselves.
pub struct Signals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
    /// Of the terminal, when it closes.
    #[cfg(unix)]
    hangup: Option<signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the system gives no signals.
    pub fn new() -> std::io::Result<Self> {
        use signal::unix::SignalKind;

        Ok(Self {
            interrupt: signal::unix::signal(SignalKind::interrupt())?,
            terminate: signal::unix::signal(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// Listens from now on, also for the signal of a terminal that closes, unless whoever started us wants that to be ignored, as
    /// nohup(1) does.
    ///
    /// # Errors
    /// If the system gives no signals.
    pub fn with_hangup() -> std::io::Result<Self> {
        use signal::unix::SignalKind;

        let mut signals = Self::new()?;
        if !ignores_hangup() {
            signals.hangup = Some(signal::unix::signal(SignalKind::hangup())?);
        }
        Ok(signals)
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(_) = hung_up(self.hangup.as_mut()) => {}
        }
    }
}

#[cfg(unix)]
async fn hung_up(hangup: Option<&mut signal::unix::Signal>) -> Option<()> {
    hangup?.recv().await
}

/// Whether SIGHUP, signal 1, is ignored from the start. Known where there is a proc_pid_status(5).
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

#[cfg(not(unix))]
impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the system gives no signals.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// There is no other signal.
    ///
    /// # Errors
    /// If the system gives no signals.
    pub fn with_hangup() -> std::io::Result<Self> {
        Self::new()
    }

    async fn next(&mut self) {
        if signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn words_come_in_order_and_are_not_taken_back() {
        block_on(async {
            let (stopper, shutdown) = channel();
            assert!(!shutdown.is_draining());
            stopper.clone().drain();
            shutdown.draining().await;
            assert!(shutdown.is_draining());
            stopper.stop();
            stopper.drain();
            shutdown.stopping().await;
        });
    }

    #[test]
    fn work_that_ends_in_time_is_not_cut() {
        block_on(async {
            let (stopper, shutdown) = channel();
            assert_eq!(shutdown.bound(GRACE, async { 1 }).await, Some(1));
            stopper.drain();
            assert_eq!(shutdown.bound(GRACE, async { 2 }).await, Some(2));
        });
    }

    #[test]
    fn work_is_cut_after_the_grace_or_by_the_second_word() {
        block_on(async {
            let (stopper, shutdown) = channel();
            stopper.drain();
            let cut = shutdown.bound(Duration::ZERO, pending::<()>()).await;
            assert_eq!(cut, None);
            stopper.stop();
            let long = Duration::from_secs(3600);
            assert_eq!(shutdown.bound(long, pending::<()>()).await, None);
        });
    }

    #[test]
    fn an_owner_that_is_gone_stops_everything() {
        block_on(async {
            let (stopper, shutdown) = channel();
            drop(stopper);
            assert_eq!(shutdown.bound(GRACE, pending::<()>()).await, None);
        });
    }
}
