//! The heartbeat, and what the others learn from it: whether this database may be worked on, and which clock it has.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::db::workers::{self, HeartbeatReply};

/// Waits until our LISTEN session is on record: by it a sidecar that dies is missed at once, and one that dies before only when
/// its lease is over. No longer than a poll: a sidecar works without LISTEN too.
pub(super) async fn on_record(shared: &Shared) {
    let _in_time = tokio::time::timeout(shared.config.poll, shared.on_record.notified()).await;
}

async fn ask(shared: &Shared) -> Option<HeartbeatReply> {
    let session = shared.wakes.session();
    let state = if shared.draining.load(Ordering::Relaxed) {
        "draining"
    } else {
        "running"
    };
    let in_flight = shared.in_flight();
    match workers::heartbeat(&shared.pool, &shared.worker, state, in_flight, session).await {
        Ok(reply) => {
            shared.armed.store(reply.armed, Ordering::Relaxed);
            if session.is_some() {
                shared.on_record.notify_one();
            }
            shared.vitals.seen(&reply, session.is_some());
            shared.vitals.set_lag(reply.lag);
            if reply.pooled {
                shared.wakes.is_pooled();
            }
            Some(reply)
        }
        Err(error) => {
            shared.vitals.database_lost();
            tracing::warn!(%error, "no heartbeat: the database does not answer");
            None
        }
    }
}

/// Says that we are alive, and whether we hear, once a poll, also while the loop is busy, and takes up a clock that was moved.
pub(super) async fn beat(shared: Arc<Shared>, stop: CancellationToken) {
    let mut before: Option<HeartbeatReply> = None;
    let mut every = tokio::time::interval(shared.config.poll);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = every.tick() => {}
            () = shared.wakes.reconnected() => {}
        }
        let Some(now) = ask(&shared).await else {
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
    if let Err(error) = workers::heartbeat(&shared.pool, &shared.worker, "stopped", 0, None).await {
        tracing::warn!(%error, "could not record that this sidecar stopped");
    }
}

/// Says once what an operator must know, and again when it is over.
fn tell(before: Option<&HeartbeatReply>, now: &HeartbeatReply) {
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
