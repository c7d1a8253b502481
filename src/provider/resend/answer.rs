//! What Resend's answers mean: their JSON, and the class of each refusal.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde::Deserialize;

use crate::provider::ErrorKind;
use crate::provider::http::Answer;

/// How long to leave a request alone that is still running under the same key (docs/providers.md#outcomes: 1 to 5 s).
pub(super) const CONCURRENT_WAIT: Duration = Duration::from_secs(2);

/// The error body; `statusCode` repeats the HTTP status. The texts are not promised, except that a bad key may only be
/// told by its text (docs/providers.md#resend-errors).
#[derive(Debug, Default, Deserialize)]
pub(super) struct ApiError {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct CreatedBatch {
    data: Vec<Created>,
    /// Only in permissive mode, which is not asked for; read all the same, so that an answer of that form is understood.
    #[serde(default)]
    errors: Vec<ItemError>,
}

#[derive(Deserialize)]
struct ItemError {
    index: usize,
    #[serde(default)]
    message: String,
}

/// The ids of a 2xx answer in the order of the request, or the reason of each member that was not created.
pub(super) fn accepted_ids(
    body: &[u8],
    expected: usize,
) -> Result<Vec<Result<String, String>>, String> {
    let unreadable = |error: serde_json::Error| format!("it is not the JSON expected ({error})");
    if expected == 1 {
        let created: Created = serde_json::from_slice(body).map_err(unreadable)?;
        return if created.id.is_empty() {
            Err("the id is empty".to_owned())
        } else {
            Ok(vec![Ok(created.id)])
        };
    }
    let batch: CreatedBatch = serde_json::from_slice(body).map_err(unreadable)?;
    let (ids, refused) = (batch.data.len(), batch.errors.len());
    if ids + refused != expected {
        return Err(format!(
            "{ids} ids and {refused} errors for {expected} messages"
        ));
    }
    if batch.data.iter().any(|created| created.id.is_empty()) {
        return Err("an id is empty".to_owned());
    }
    let mut results: Vec<Option<String>> = vec![None; expected];
    for error in batch.errors {
        match results.get_mut(error.index) {
            Some(place @ None) => *place = Some(error.message),
            _ => {
                return Err("an error points outside the batch, or twice at one message".to_owned());
            }
        }
    }
    let mut ids = batch.data.into_iter();
    Ok(results
        .into_iter()
        .filter_map(|error| match error {
            Some(message) => Some(Err(message)),
            None => ids.next().map(|created| Ok(created.id)),
        })
        .collect())
}

/// What an answer that is not 2xx says about the messages (docs/providers.md#resend-errors). `error` is `None` when the body is
/// not in the API's shape.
pub(super) fn classify(
    answer: &Answer,
    error: Option<&ApiError>,
    is_batch: bool,
    now: DateTime<Utc>,
) -> ErrorKind {
    let retry_after = answer.retry_after;
    let everything = ErrorKind::SenderWide { until: None };
    let this_message = if is_batch {
        ErrorKind::BatchRefused
    } else {
        ErrorKind::Permanent
    };
    let (name, text) = error.map_or(("", ""), |error| {
        (error.name.as_str(), error.message.as_str())
    });
    match answer.status {
        // Whatever answers with a redirect is not the API; neither is one that knows no such path.
        300..=399 | 401 | 403 | 404 | 405 | 415 => everything,
        // The key is refused with the status of a bad message; taking it for one would burn the whole queue.
        400 if text.to_ascii_lowercase().contains("api key is invalid") => everything,
        400 | 422 if answer.cut => ErrorKind::transient(true, retry_after),
        400 if error.is_none() => everything,
        409 => match name {
            "invalid_idempotent_request" => ErrorKind::KeyConflict,
            "resource_locked" => ErrorKind::transient(true, retry_after),
            // Still running under the same key. A 409 without a reason is asked about again in the same way.
            _ => ErrorKind::unknown(
                name != "concurrent_idempotent_requests",
                Some(retry_after.unwrap_or_default().max(CONCURRENT_WAIT)),
            ),
        },
        429 => match name {
            "daily_quota_exceeded" => ErrorKind::SenderWide {
                until: next_utc_midnight(now),
            },
            "monthly_quota_exceeded" => everything,
            _ => ErrorKind::TooFast { retry_after },
        },
        // Repeating the same bytes under the same key is never wrong, so these need not be told apart further.
        408 | 500..=599 => ErrorKind::unknown(true, retry_after),
        // 413 (split it), 422, 451 and whatever 4xx the provider invents next.
        _ => this_message,
    }
}

fn next_utc_midnight(now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let tomorrow = now.date_naive().checked_add_days(Days::new(1))?;
    Some(tomorrow.and_time(NaiveTime::MIN).and_utc())
}
