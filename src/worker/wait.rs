//! When the claiming loop may sleep, and how long, without missing a row (docs/rules.md#wake-up; the producers' side and the
//! reasoning are in `sql/core/12_wake.sql`).
//!
//! | state | what happens when a claim finds nothing |
//! |---|---|
//! | not on watch | take the lanes; once they are held by us or by another sidecar, claim once more |
//! | on watch | sleep until a notification, the next due row or the poll |
//! | a producer has a lane | claim again after a pause that grows with the time since something was found |
//! | no notifications arrive | sleep until the next due row or the poll |
//!
//! The lanes are kept over a short interruption (one letter, then nothing) and given back when there is more to do.
//!
//! It also says when to look for batches that were left behind: at the start, when something that was waited for is due, and
//! now and then while there is work.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::db::listen::{Wakes, Watch};

/// A row another sidecar has locked looks due and cannot be claimed: ask again, but not at once.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Producers send no NOTIFY for what falls due later than this: ask again before it does.
const LONGEST_REST: Duration = Duration::from_secs(50);
/// How often a sidecar that relies on another's watch looks whether it is still kept.
const CHECK_THE_OTHERS: Duration = Duration::from_secs(2);
/// Bounds of the pause while a producer has a lane.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a busy loop looks for batches that were left behind. An idle one is woken for it (`email_next_seconds`).
const LOOK_FOR_LOST: Duration = Duration::from_millis(500);

/// What the loop remembers about its last claims.
#[derive(Debug)]
pub(super) struct Sleeper {
    /// Who holds the lanes, if a claim has begun since that is known and found nothing yet.
    on_watch: Option<Watch>,
    /// Claims in a row that found something.
    busy: u32,
    /// The last one was full.
    full: bool,
    found_at: Instant,
    /// When something that waits is due, which may be what a lost sidecar held. Kept until the loop has looked, however
    /// often the loop is woken meanwhile.
    look_at: Option<Instant>,
    looked: Instant,
}

impl Default for Sleeper {
    fn default() -> Self {
        Self {
            on_watch: None,
            busy: 0,
            full: false,
            found_at: Instant::now(),
            // An earlier sidecar may have left something.
            look_at: Some(Instant::now()),
            looked: Instant::now(),
        }
    }
}

impl Sleeper {
    /// A claim found something: as much as it may take, or less.
    pub(super) fn found(&mut self, full: bool) {
        self.busy = self.busy.saturating_add(1);
        self.full = full;
        self.found_at = Instant::now();
    }

    /// Whether to look for batches that were left behind before anything new is claimed. Not when a letter has just woken us.
    pub(super) fn is_look_due(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
            || (self.busy > 0 && now >= self.looked + LOOK_FOR_LOST)
    }

    /// The loop looked; when it `found` something, there may be more.
    pub(super) fn looked(&mut self, now: Instant, found: bool) {
        self.looked = now;
        self.look_at = found.then_some(now);
    }

    fn look_by(&mut self, moment: Instant) {
        self.look_at = Some(self.look_at.map_or(moment, |at| at.min(moment)));
    }

    /// Gives the lanes back once there is more than a letter now and then, so that producers need not wake us.
    pub(super) async fn release_if_busy(&mut self, wakes: &Wakes) {
        if self.busy > 1 || self.full {
            self.on_watch = None;
            wakes.release().await;
        }
    }

    /// A claim found nothing; `next` is when that may change by itself. Returns when it is time to claim again.
    pub(super) async fn wait(&mut self, shared: &Shared, next: Option<Duration>) {
        self.busy = 0;
        self.full = false;
        let asked = Instant::now();
        let longest = shared.config.poll.min(LONGEST_REST);
        if let Some(next) = next {
            self.look_by(asked + next.min(longest));
        }
        let until = asked
            + match next {
                Some(Duration::ZERO) => ASK_AGAIN.min(longest),
                Some(next) => next.min(longest),
                None => longest,
            };
        let kept = self.on_watch == Some(Watch::Ours) && shared.wakes.holds_all();
        let watch = if kept {
            Watch::Ours
        } else {
            shared.wakes.watch().await
        };
        match watch {
            Watch::Ours if kept => {
                self.sleep(shared, until).await;
            }
            Watch::Others if self.on_watch == Some(Watch::Others) => {
                self.rely_on_others(shared, until).await;
            }
            // Claim once more: what was committed before came without a NOTIFY.
            Watch::Ours | Watch::Others => self.on_watch = Some(watch),
            Watch::Open => {
                self.on_watch = None;
                let pause = (self.found_at.elapsed() / 8).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                self.sleep(shared, (asked + pause).min(until)).await;
            }
            Watch::NotListening => {
                self.on_watch = None;
                self.sleep(shared, until).await;
            }
        }
    }

    /// Nothing may be sent, so nobody need tell us what there is; that this is over comes with a NOTIFY in any case.
    pub(super) async fn stopped(&mut self, shared: &Shared) {
        self.busy = 0;
        self.full = false;
        self.on_watch = None;
        shared.wakes.release().await;
        let until = Instant::now() + shared.config.poll;
        self.look_by(until);
        self.sleep(shared, until).await;
    }

    async fn rely_on_others(&mut self, shared: &Shared, until: Instant) {
        loop {
            let check = (Instant::now() + CHECK_THE_OTHERS).min(until);
            if self.sleep(shared, check).await || check >= until {
                return;
            }
            if shared.wakes.watch().await != Watch::Others {
                self.on_watch = None;
                return;
            }
        }
    }

    /// Sleeps until then; answers whether a wake-up came before.
    async fn sleep(&self, shared: &Shared, until: Instant) -> bool {
        tokio::select! {
            () = shared.wakes.woken() => true,
            () = sleep_until(until) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_loop_looks_at_once_and_until_nothing_is_left() {
        let mut sleeper = Sleeper::default();
        let now = Instant::now();
        assert!(sleeper.is_look_due(now));
        sleeper.looked(now, true);
        assert!(sleeper.is_look_due(now));
        sleeper.looked(now, false);
        assert!(!sleeper.is_look_due(now));
    }

    #[test]
    fn a_busy_one_looks_now_and_then_and_one_that_a_letter_woke_does_not() {
        let mut sleeper = Sleeper::default();
        let now = Instant::now();
        sleeper.looked(now, false);
        let later = now + LOOK_FOR_LOST;
        assert!(!sleeper.is_look_due(later));
        sleeper.found(false);
        assert!(!sleeper.is_look_due(now));
        assert!(sleeper.is_look_due(later));
    }

    #[test]
    fn what_is_due_is_looked_for_however_often_something_else_wakes_us() {
        let mut sleeper = Sleeper::default();
        let now = Instant::now();
        let second = Duration::from_secs(1);
        sleeper.looked(now, false);
        sleeper.look_by(now + second);
        sleeper.look_by(now + 2 * second);
        assert!(!sleeper.is_look_due(now));
        assert!(sleeper.is_look_due(now + second));
    }
}
