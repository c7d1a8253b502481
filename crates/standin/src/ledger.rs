//! What was accepted: the truth that tests of "exactly once" ask, whatever a client believes.
//!
//! A line per message is kept for ever, in memory; the requests they came in (for the inbox page and for reading back)
//! only for the latest messages.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// Which of the two stand-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// The Resend side.
    Resend,
    /// The Postmark side.
    Postmark,
}

impl Api {
    /// As in `EMAIL_PROVIDER`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resend => "resend",
            Self::Postmark => "postmark",
        }
    }
}

/// What became of an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The receiving server took it.
    Delivered,
    /// Accepted, but the address is on the provider's list: nothing went out (Resend).
    Suppressed,
    /// The receiving server refused it for good.
    Bounced,
    /// Delivered, then marked as spam.
    Complained,
}

impl Fate {
    /// Resend's `last_event`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Suppressed => "suppressed",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// One accepted message.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The place in the ledger, from 0.
    pub seq: usize,
    /// The provider's id, as answered.
    pub id: Uuid,
    /// Who accepted it.
    pub api: Api,
    /// When, by the sandbox's clock.
    pub at: DateTime<Utc>,
    /// Our delivery id, from tag or metadata `delivery`; `None` when the request carried none.
    pub delivery: Option<Arc<str>>,
    /// Our batch id, from Postmark's metadata `attempt`.
    pub attempt: Option<Arc<str>>,
    /// Resend's idempotency key.
    pub idempotency_key: Option<Arc<str>>,
    /// From tag `type` or Postmark's `Tag`.
    pub email_type: Option<Arc<str>>,
    /// Postmark's stream.
    pub stream: Option<Arc<str>>,
    /// As in the request.
    pub from: Arc<str>,
    /// As in the request; several recipients are separated by commas.
    pub to: Box<str>,
    /// As in the request.
    pub subject: Box<str>,
    /// What became of it.
    pub fate: Fate,
}

/// A message about to be entered: an [`Entry`] without place and time, and the JSON object it came as.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) id: Uuid,
    pub(super) api: Api,
    pub(super) delivery: Option<String>,
    pub(super) attempt: Option<String>,
    pub(super) idempotency_key: Option<Arc<str>>,
    pub(super) email_type: Option<String>,
    pub(super) stream: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) fate: Fate,
    pub(super) source: Bytes,
}

#[derive(Debug)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    by_id: HashMap<Uuid, usize>,
    /// The first entry of a delivery id, and how many there are: one, unless a letter went out twice.
    by_delivery: HashMap<Arc<str>, (usize, usize)>,
    by_attempt: HashMap<Arc<str>, Vec<usize>>,
    /// How many delivery ids were accepted more than once.
    doubled: usize,
    /// Words that come again and again are kept once.
    words: HashSet<Arc<str>>,
    /// The latest requests; the last one belongs to the last entry.
    sources: VecDeque<Bytes>,
    keep: usize,
}

impl Ledger {
    /// Keeps the requests of the latest `keep` messages.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            entries: Vec::new(),
            by_id: HashMap::new(),
            by_delivery: HashMap::new(),
            by_attempt: HashMap::new(),
            doubled: 0,
            words: HashSet::new(),
            sources: VecDeque::new(),
            keep,
        }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.keep);
    }

    /// Enters a message: from here on it counts as sent.
    ///
    /// This is the one place where messages enter, so it is also where later events of a message (webhooks) start from.
    pub(super) fn enter(&mut self, arrival: Arrival, at: DateTime<Utc>) -> &Entry {
        let seq = self.entries.len();
        let delivery: Option<Arc<str>> = arrival.delivery.map(Into::into);
        let attempt = arrival.attempt.map(|attempt| self.word(&attempt));
        if let Some(delivery) = &delivery {
            let (_, count) = self
                .by_delivery
                .entry(Arc::clone(delivery))
                .or_insert((seq, 0));
            *count += 1;
            self.doubled += usize::from(*count == 2);
        }
        if let Some(attempt) = &attempt {
            self.by_attempt
                .entry(Arc::clone(attempt))
                .or_default()
                .push(seq);
        }
        self.by_id.insert(arrival.id, seq);
        let entry = Entry {
            seq,
            id: arrival.id,
            api: arrival.api,
            at,
            delivery,
            attempt,
            idempotency_key: arrival.idempotency_key,
            email_type: arrival.email_type.map(|word| self.word(&word)),
            stream: arrival.stream.map(|word| self.word(&word)),
            from: self.word(&arrival.from),
            to: arrival.to.into_boxed_str(),
            subject: arrival.subject.into_boxed_str(),
            fate: arrival.fate,
        };
        self.entries.push(entry);
        self.sources.push_back(arrival.source);
        while self.sources.len() > self.keep {
            self.sources.pop_front();
        }
        &self.entries[seq]
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(word) = self.words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        word
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn by_id(&self, id: Uuid) -> Option<&Entry> {
        self.by_id.get(&id).and_then(|seq| self.entries.get(*seq))
    }

    /// Oldest first.
    pub(super) fn by_delivery(&self, delivery: &str) -> Vec<&Entry> {
        let Some(&(first, count)) = self.by_delivery.get(delivery) else {
            return Vec::new();
        };
        let same = |entry: &&Entry| entry.delivery.as_deref() == Some(delivery);
        self.entries[first..]
            .iter()
            .filter(same)
            .take(count)
            .collect()
    }

    /// Oldest first.
    pub(super) fn by_attempt(&self, attempt: &str) -> impl Iterator<Item = &Entry> {
        self.by_attempt
            .get(attempt)
            .into_iter()
            .flatten()
            .filter_map(|seq| self.entries.get(*seq))
    }

    /// Delivery ids that were accepted more than once, and how often.
    pub(super) fn duplicates(&self) -> Vec<(Arc<str>, usize)> {
        let twice = self.by_delivery.iter().filter(|(_, (_, count))| *count > 1);
        let mut twice: Vec<_> = twice
            .map(|(delivery, (_, count))| (Arc::clone(delivery), *count))
            .collect();
        twice.sort();
        twice
    }

    /// How many delivery ids were accepted more than once.
    pub(super) fn doubled(&self) -> usize {
        self.doubled
    }

    /// How many different delivery ids were accepted.
    pub(super) fn distinct_deliveries(&self) -> usize {
        self.by_delivery.len()
    }

    /// The JSON object an entry came as, while it is kept.
    pub(super) fn source(&self, seq: usize) -> Option<&Bytes> {
        let dropped = self.entries.len() - self.sources.len();
        self.sources.get(seq.checked_sub(dropped)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(delivery: &str, attempt: &str) -> Arrival {
        Arrival {
            id: Uuid::new_v4(),
            api: Api::Postmark,
            delivery: Some(delivery.to_owned()),
            attempt: Some(attempt.to_owned()),
            idempotency_key: None,
            email_type: Some("E-TRX-01".to_owned()),
            stream: Some("outbound".to_owned()),
            from: "a@b.example".to_owned(),
            to: format!("{delivery}@c.example"),
            subject: "s".to_owned(),
            fate: Fate::Delivered,
            source: Bytes::from(delivery.to_owned()),
        }
    }

    #[test]
    fn every_line_is_kept_but_only_the_latest_requests() {
        let mut ledger = Ledger::new(2);
        for delivery in ["d1", "d2", "d3", "d1"] {
            ledger.enter(arrival(delivery, "a1"), Utc::now());
        }
        assert_eq!(ledger.entries().len(), 4);
        let kept: Vec<_> = (0..5)
            .map(|seq| ledger.source(seq).map(|source| source.to_vec()))
            .collect();
        assert_eq!(
            kept,
            [None, None, Some(b"d3".to_vec()), Some(b"d1".to_vec()), None]
        );
    }

    #[test]
    fn deliveries_attempts_and_duplicates_are_found() {
        let mut ledger = Ledger::new(10);
        for (delivery, attempt) in [("d1", "a1"), ("d2", "a1"), ("d1", "a2")] {
            ledger.enter(arrival(delivery, attempt), Utc::now());
        }
        let places =
            |entries: Vec<&Entry>| entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!(places(ledger.by_delivery("d1")), [0, 2]);
        assert_eq!(places(ledger.by_attempt("a1").collect()), [0, 1]);
        assert_eq!(ledger.duplicates(), [("d1".into(), 2)]);
        assert_eq!((ledger.doubled(), ledger.distinct_deliveries()), (1, 2));
    }
}
