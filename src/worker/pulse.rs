//! The heartbeat, and what the others learn from it: whether this database may be worked on, and which clock it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::db::outbox::{self, Pulse};

/// Flags between the loop, the deliveries and the heartbeat.
#[derive(Debug, Clone, Default)]
pub(super) struct Pacer {
    flags: Arc<Flags>,
}

#[derive(Debug, Default)]
struct Flags {
    draining: AtomicBool,
    /// As the last heartbeat said.
    armed: AtomicBool,
    /// A heartbeat has put our LISTEN session on record.
    known: Notify,
}

impl Pacer {
    pub(super) fn draining(&self) {
        self.flags.draining.store(true, Ordering::Relaxed);
    }

    /// Waits until our LISTEN session is on record: by it a sidecar that dies is missed at once, and one that dies before only
    /// when its lease is over. No longer than a poll: a sidecar works without LISTEN too.
    pub(super) async fn known(&self, shared: &Shared) {
        let _known = tokio::time::timeout(shared.config.poll, self.flags.known.notified()).await;
    }

    /// Whether this database may be worked on (contract §6, rule 9).
    pub(super) fn is_armed(&self) -> bool {
        self.flags.armed.load(Ordering::Relaxed)
    }

    fn state(&self) -> &'static str {
        if self.flags.draining.load(Ordering::Relaxed) {
            "draining"
        } else {
            "running"
        }
    }

    async fn ask(&self, shared: &Shared) -> Option<Pulse> {
        let session = shared.wakes.session();
        match outbox::heartbeat(
            &shared.pool,
            &shared.worker,
            self.state(),
            shared.in_flight(),
            session,
        )
        .await
        {
            Ok(pulse) => {
                self.flags.armed.store(pulse.armed, Ordering::Relaxed);
                if session.is_some() {
                    self.flags.known.notify_one();
                }
                shared.vitals.seen(&pulse, session.is_some());
                shared.vitals.set_lag(pulse.lag);
                if pulse.pooled {
                    shared.wakes.is_pooled();
                }
                Some(pulse)
            }
            Err(error) => {
                shared.vitals.database_lost();
                tracing::warn!(%error, "no heartbeat: the database does not answer");
                None
            }
        }
    }
}

/// Says that we are alive, and whether we hear, once a poll, also while the loop is busy, and takes up a clock that was moved.
pub(super) async fn beat(shared: Arc<Shared>, pacer: Pacer, stop: CancellationToken) {
    let mut before: Option<Pulse> = None;
    let mut every = tokio::time::interval(shared.config.poll);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = every.tick() => {}
            () = shared.wakes.reconnected() => {}
        }
        let Some(now) = pacer.ask(&shared).await else {
            continue;
        };
        tell(before.as_ref(), &now);
        // At the first beat too: a session may be older than a clock that was moved since the start.
        let clock_before = before
            .as_ref()
            .and_then(|before| before.clock_offset.as_ref());
        if clock_before != now.clock_offset.as_ref() {
            shared.claims.renew();
            shared.pool.renew();
            shared.wakes.wake();
        }
        before = Some(now);
    }
    if let Err(error) = outbox::heartbeat(&shared.pool, &shared.worker, "stopped", 0, None).await {
        tracing::warn!(%error, "could not record that this sidecar stopped");
    }
}

/// Says once what an operator must know, and again when it is over.
fn tell(before: Option<&Pulse>, now: &Pulse) {
    if before.is_none_or(|before| before.armed) && !now.armed {
        tracing::error!(
            "nothing is sent: this database is not the one that was armed (a restored or renamed copy?); if it is the one to send from: select public.email_arm()"
        );
    }
    if before.is_some_and(|before| !before.armed) && now.armed {
        tracing::info!("armed: sending");
    }
    match (
        before.and_then(|before| before.paused.as_deref()),
        now.paused.as_deref(),
    ) {
        (old, Some(why)) if old != Some(why) => {
            tracing::error!("nothing is sent: {why}; to start again: select public.email_resume()");
        }
        (Some(_), None) => tracing::info!("resumed: sending"),
        _ => {}
    }
}
