//! What both stand-ins, the control API and the inbox page share.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::body::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio::sync::watch;
use uuid::Uuid;

use super::exchange::{Call, Reply};
use super::fault::{Fault, Faults};
use super::idempotency::Keys;
use super::ledger::{Api, Arrival, Entry, Ledger};
use super::settings::Settings;
use super::webhook::{self, Happening, Reader};
use super::webhook_queue::{Outgoing, Report};

/// Rows of the request log that are kept.
const LOG_ROWS: usize = 10_000;
/// Bytes of request bodies kept for the log, all together.
const LOG_BYTES: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Shared {
    settings: RwLock<Arc<Settings>>,
    faults: Mutex<Faults>,
    account: Mutex<Account>,
    /// How many messages the ledger holds.
    count: watch::Sender<usize>,
    /// Reports on their way to the receiver.
    pub(super) outgoing: Outgoing,
}

/// What the providers remember. One lock: a look-up of a key and what follows from it must not be torn apart, and
/// everything slow (parsing, hashing) happens before it is taken.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) ledger: Ledger,
    pub(super) keys: Keys,
    pub(super) suppressions: HashSet<Suppression>,
    pub(super) log: Log,
    pub(super) resend_window: Window,
    pub(super) postmark_window: Window,
    pub(super) quota: Quota,
}

/// An address a provider does not write to any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Suppression {
    /// At which provider.
    pub api: Api,
    /// Postmark keeps a list per stream; at Resend there is one, and this is empty.
    pub stream: String,
    /// In lower case.
    pub email: String,
}

/// A fixed window of one second.
#[derive(Debug, Default)]
pub(super) struct Window {
    second: i64,
    used: u32,
}

impl Window {
    /// Takes one request of `limit` per second: what is left after it, or `None` when there was nothing left.
    pub(super) fn take(&mut self, limit: u32, now: DateTime<Utc>) -> Option<u32> {
        if self.second != now.timestamp() {
            *self = Self {
                second: now.timestamp(),
                used: 0,
            };
        }
        let left = limit.checked_sub(self.used)?.checked_sub(1)?;
        self.used += 1;
        Some(left)
    }
}

/// What Resend has taken.
#[derive(Debug, Default)]
pub(super) struct Quota {
    day: NaiveDate,
    pub(super) today: u64,
    pub(super) total: u64,
}

impl Quota {
    /// Starts a new day when it is time to.
    pub(super) fn roll(&mut self, now: DateTime<Utc>) {
        if self.day != now.date_naive() {
            self.day = now.date_naive();
            self.today = 0;
        }
    }
}

/// A request as it came over the wire, with the answer that was decided on (whether or not it arrived).
#[derive(Debug, Clone, Serialize)]
pub struct Logged {
    /// As in Resend's `/logs`.
    pub id: Uuid,
    /// Which stand-in.
    pub api: Api,
    /// When the answer was decided on, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// All headers but those that hold the key.
    pub headers: Vec<(String, String)>,
    /// The HTTP status.
    pub status: u16,
    /// The bytes as sent; `None` once they had to make room.
    #[serde(skip)]
    pub request: Option<Bytes>,
    /// The bytes of the answer.
    #[serde(skip)]
    pub response: Bytes,
}

/// The latest requests.
#[derive(Debug, Default)]
pub(super) struct Log {
    rows: VecDeque<Logged>,
    /// How many rows at the front have given up their request.
    emptied: usize,
    bytes: usize,
}

impl Log {
    fn push(&mut self, row: Logged) {
        self.bytes += row.request.as_ref().map_or(0, Bytes::len);
        self.rows.push_back(row);
        while self.bytes > LOG_BYTES
            && let Some(row) = self.rows.get_mut(self.emptied)
        {
            self.bytes -= row.request.take().map_or(0, |request| request.len());
            self.emptied += 1;
        }
        while self.rows.len() > LOG_ROWS
            && let Some(row) = self.rows.pop_front()
        {
            self.bytes -= row.request.map_or(0, |request| request.len());
            self.emptied = self.emptied.saturating_sub(1);
        }
    }

    /// Oldest first.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &Logged> {
        self.rows.iter()
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, keep_bodies: usize, outgoing: Outgoing) -> Self {
        Self {
            settings: RwLock::new(Arc::new(settings)),
            faults: Mutex::default(),
            account: Mutex::new(Account::new(keep_bodies)),
            count: watch::Sender::new(0),
            outgoing,
        }
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the settings for all requests that begin from now on.
    pub(super) fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut changed = Settings::clone(&settings);
        change(&mut changed);
        *settings = Arc::new(changed);
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with this request.
    pub(super) fn strike(&self, path: &str) -> Vec<Fault> {
        let mut faults = self.faults();
        if faults.is_empty() {
            Vec::new()
        } else {
            faults.strike(path)
        }
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told whenever messages were accepted: their number.
    pub(super) fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Enters messages and tells who waits for them.
    pub(super) fn enter(&self, account: &mut Account, arrivals: Vec<Arrival>, at: DateTime<Utc>) {
        let settings = self.settings();
        for arrival in arrivals {
            let entry = account.ledger.enter(arrival, at);
            if settings.webhook_for(entry.api).is_some() {
                let reports = reports(entry, &webhook::of_itself(entry), &Reader::default());
                self.outgoing.send(reports);
            }
        }
        self.count.send_replace(account.ledger.entries().len());
    }

    /// Makes something happen to an accepted message and reports it; answers the event's id.
    pub(super) fn report(
        &self,
        message: Uuid,
        happening: Happening,
        reader: &Reader,
    ) -> Option<String> {
        let mut account = self.account();
        let entry = account.ledger.by_id(message)?.clone();
        let reports = reports(&entry, &[happening], reader);
        let id = reports.first()?.id.clone();
        if matches!(
            happening,
            Happening::Bounced | Happening::Complained | Happening::Unsubscribed
        ) {
            account.suppressions.insert(Suppression {
                api: entry.api,
                stream: entry.stream.as_deref().unwrap_or_default().to_owned(),
                email: entry.to.to_lowercase(),
            });
        }
        self.outgoing.send(reports);
        Some(id)
    }

    /// Notes a request and its answer.
    pub(super) fn log(&self, api: Api, call: &Call, reply: &Reply) {
        let secret = |name: &str| matches!(name, "authorization" | "x-postmark-server-token");
        let headers = call
            .headers
            .iter()
            .filter(|(name, _)| !secret(name.as_str()));
        let row = Logged {
            id: Uuid::new_v4(),
            api,
            at: self.settings().now(),
            method: call.method.to_string(),
            path: call.path.clone(),
            headers: headers
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            status: reply.status.as_u16(),
            request: Some(call.body.clone()),
            response: reply.body.clone(),
        };
        self.account().log.push(row);
    }

    /// Forgets messages, keys, requests, suppressions and faults; settings stay.
    pub(super) fn reset(&self) {
        self.faults().clear(None);
        self.account().reset();
        self.outgoing.reset();
        self.count.send_replace(0);
    }
}

/// What its provider reports about a message; nothing where it has no such report.
fn reports(entry: &Entry, happenings: &[Happening], reader: &Reader) -> Vec<Report> {
    let at = Utc::now();
    let bodies = happenings
        .iter()
        .filter_map(|happening| webhook::body(entry, *happening, reader, at));
    bodies
        .map(|body| Report::new(entry.api, Some(entry.id), &body))
        .collect()
}

impl Account {
    fn new(keep_bodies: usize) -> Self {
        Self {
            ledger: Ledger::new(keep_bodies),
            keys: Keys::default(),
            suppressions: HashSet::new(),
            log: Log::default(),
            resend_window: Window::default(),
            postmark_window: Window::default(),
            quota: Quota::default(),
        }
    }

    fn reset(&mut self) {
        self.ledger.reset();
        self.keys = Keys::default();
        self.suppressions.clear();
        self.log = Log::default();
        self.quota = Quota::default();
    }

    pub(super) fn is_suppressed(&self, api: Api, stream: &str, email: &str) -> bool {
        let email = email.to_lowercase();
        !self.suppressions.is_empty()
            && self.suppressions.contains(&Suppression {
                api,
                stream: stream.to_owned(),
                email,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_limit_and_opens_again() {
        let mut window = Window::default();
        let second =
            |second| DateTime::from_timestamp(second, 0).expect("a small number of seconds");
        assert_eq!(
            [0; 3].map(|_| window.take(2, second(100))),
            [Some(1), Some(0), None]
        );
        assert_eq!(window.take(2, second(101)), Some(1));
        assert_eq!(window.take(0, second(102)), None);
    }
}
