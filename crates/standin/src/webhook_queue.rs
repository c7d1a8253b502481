//! Reports on their way to the receiver, and the log of what became of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::ledger::Api;

/// Rows of the log that are kept.
const LOG_ROWS: usize = 10_000;

/// One event, the same bytes at every attempt.
#[derive(Debug, Clone)]
pub(super) struct Report {
    /// `svix-id`, or Postmark's trace id.
    pub(super) id: String,
    pub(super) api: Api,
    /// `type` or `RecordType`.
    pub(super) kind: String,
    /// The message it is about.
    pub(super) message: Option<Uuid>,
    pub(super) body: Bytes,
}

impl Report {
    pub(super) fn new(api: Api, message: Option<Uuid>, body: &serde_json::Value) -> Self {
        let word = match api {
            Api::Resend => &body["type"],
            Api::Postmark => &body["RecordType"],
        };
        Self {
            id: match api {
                Api::Resend => format!("msg_{}", Uuid::new_v4().simple()),
                Api::Postmark => Uuid::new_v4().to_string(),
            },
            api,
            kind: word.as_str().unwrap_or_default().to_owned(),
            message,
            body: body.to_string().into(),
        }
    }
}

/// One attempt to hand over a report.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// The event's id.
    pub id: String,
    /// Whose event.
    pub api: Api,
    /// Its type, as the provider names it.
    pub kind: String,
    /// The message it is about.
    pub message: Option<Uuid>,
    /// From 1.
    pub attempt: usize,
    /// When it ended, by the real clock.
    pub at: DateTime<Utc>,
    /// What was answered; `None`: nothing was.
    pub status: Option<u16>,
    /// Whether the provider would be content.
    pub taken: bool,
}

/// The queue of reports and what became of them.
#[derive(Debug)]
pub(super) struct Outgoing {
    queue: mpsc::UnboundedSender<Vec<Report>>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    attempts: VecDeque<Attempt>,
    /// For sending one again by hand.
    reports: VecDeque<Report>,
}

impl Outgoing {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Vec<Report>>) {
        let (queue, waiting) = mpsc::unbounded_channel();
        let kept = Mutex::default();
        (Self { queue, kept }, waiting)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues reports; the first attempts are made in this order.
    pub(super) fn send(&self, reports: Vec<Report>) {
        let mut kept = self.kept();
        kept.reports.extend(reports.iter().cloned());
        while kept.reports.len() > LOG_ROWS {
            kept.reports.pop_front();
        }
        drop(kept);
        // Nobody receives any more when the sandbox stops.
        let _ = self.queue.send(reports);
    }

    /// Sends an event again, under its id; `false` when it is not kept.
    pub(super) fn replay(&self, id: &str) -> bool {
        let report = self
            .kept()
            .reports
            .iter()
            .find(|report| report.id == id)
            .cloned();
        let found = report.is_some();
        let _ = self.queue.send(report.into_iter().collect());
        found
    }

    /// Oldest first.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.kept().attempts.iter().cloned().collect()
    }

    pub(super) fn reset(&self) {
        *self.kept() = Kept::default();
    }

    pub(super) fn note(&self, attempt: Attempt) {
        let mut kept = self.kept();
        kept.attempts.push_back(attempt);
        if kept.attempts.len() > LOG_ROWS {
            kept.attempts.pop_front();
        }
    }
}
