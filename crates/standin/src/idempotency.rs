//! Resend's memory of idempotency keys (docs/providers.md#resend-keys).

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::settings::BodyCompare;

/// How long a key is remembered, from its first use.
const LIFE: TimeDelta = TimeDelta::hours(24);

/// What two requests under one key are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(body: &[u8], compare: BodyCompare) -> Self {
        if compare == BodyCompare::Canonical
            && let Ok(value) = serde_json::from_slice::<serde_json::Value>(body)
        {
            // `Value` keeps the fields of objects sorted.
            return Self(Sha256::digest(value.to_string()).into());
        }
        // As the sender hashes it: a large part of what the sandbox does.
        let digest = ring::digest::digest(&ring::digest::SHA256, body);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.as_ref());
        Self(fingerprint)
    }
}

/// What is known of a key.
#[derive(Debug, Clone)]
pub(super) enum Progress {
    /// The first request is not finished, or its answer has not left yet. What it will be is known already.
    Running {
        until: DateTime<Utc>,
        then: Finished,
    },
    /// Part of the batch was created before the server failed; these are the ids of the whole.
    Half { ids: Vec<Uuid>, created: usize },
    /// Answer the same again.
    Done(Finished),
}

#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// What a look-up tells.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// Never seen, or forgotten.
    Nothing,
    /// 409 `invalid_idempotent_request`.
    OtherBody,
    /// 409 `concurrent_idempotent_requests`.
    Running,
    /// Create what is missing and answer these ids.
    Half {
        ids: Vec<Uuid>,
        created: usize,
    },
    Replay(Finished),
}

/// The keys of one team; scoped by endpoint, so that a single and a batch may share a string.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<(&'static str, Arc<str>), Record>);

#[derive(Debug)]
struct Record {
    first_used: DateTime<Utc>,
    fingerprint: Fingerprint,
    progress: Progress,
}

impl Keys {
    pub(super) fn find(
        &self,
        endpoint: &'static str,
        key: &Arc<str>,
        fingerprint: Fingerprint,
        now: DateTime<Utc>,
    ) -> Found {
        let Some(record) = self.0.get(&(endpoint, Arc::clone(key))) else {
            return Found::Nothing;
        };
        if now - record.first_used >= LIFE {
            return Found::Nothing;
        }
        if record.fingerprint != fingerprint {
            return Found::OtherBody;
        }
        match &record.progress {
            Progress::Running { until, .. } if now < *until => Found::Running,
            Progress::Running { then, .. } | Progress::Done(then) => Found::Replay(then.clone()),
            Progress::Half { ids, created } => Found::Half {
                ids: ids.clone(),
                created: *created,
            },
        }
    }

    pub(super) fn remember(
        &mut self,
        endpoint: &'static str,
        key: &Arc<str>,
        fingerprint: Fingerprint,
        now: DateTime<Utc>,
        progress: Progress,
    ) {
        let place = (endpoint, Arc::clone(key));
        let first_used = match self.0.get(&place) {
            Some(record) if now - record.first_used < LIFE => record.first_used,
            _ => now,
        };
        self.0.insert(
            place,
            Record {
                first_used,
                fingerprint,
                progress,
            },
        );
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn finished(body: &'static str) -> Finished {
        Finished {
            status: StatusCode::OK,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_key_lives_a_day_from_its_first_use() {
        let (key, print) = ("k".into(), Fingerprint::of(b"{}", BodyCompare::Raw));
        let start: DateTime<Utc> = "2026-09-01T08:00:00Z".parse().unwrap();
        let mut keys = Keys::default();
        keys.remember("/emails", &key, print, start, Progress::Done(finished("1")));
        let at = |hours| keys.find("/emails", &key, print, start + TimeDelta::hours(hours));
        assert!(matches!(at(23), Found::Replay(_)));
        assert!(matches!(at(24), Found::Nothing));
        assert!(matches!(
            keys.find("/emails/batch", &key, print, start),
            Found::Nothing
        ));
        let other = Fingerprint::of(b"{ }", BodyCompare::Raw);
        assert!(matches!(
            keys.find("/emails", &key, other, start),
            Found::OtherBody
        ));
    }

    #[test]
    fn a_running_request_ends_by_itself() {
        let (key, print) = ("k".into(), Fingerprint::of(b"{}", BodyCompare::Raw));
        let start: DateTime<Utc> = "2026-09-01T08:00:00Z".parse().unwrap();
        let until = start + TimeDelta::seconds(5);
        let mut keys = Keys::default();
        keys.remember(
            "/emails",
            &key,
            print,
            start,
            Progress::Running {
                until,
                then: finished("1"),
            },
        );
        assert!(matches!(
            keys.find("/emails", &key, print, start),
            Found::Running
        ));
        assert!(matches!(
            keys.find("/emails", &key, print, until),
            Found::Replay(_)
        ));
    }

    #[test]
    fn canonical_comparison_looks_through_white_space_and_order() {
        let print = |body: &str, compare| Fingerprint::of(body.as_bytes(), compare);
        let (one, two) = (r#"{"a":1,"b":2}"#, r#"{ "b":2, "a":1 }"#);
        assert_eq!(
            print(one, BodyCompare::Canonical),
            print(two, BodyCompare::Canonical)
        );
        assert_ne!(print(one, BodyCompare::Raw), print(two, BodyCompare::Raw));
    }
}
