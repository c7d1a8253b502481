//! What Postmark's answers mean: their JSON, and the class of each refusal.

use serde::Deserialize;

use crate::provider::ErrorKind;
use crate::provider::http::Answer;

/// What Postmark says about one message, or about a whole request it refused.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Said {
    pub(super) error_code: Option<i64>,
    pub(super) message: String,
    #[serde(rename = "MessageID")]
    pub(super) message_id: Option<String>,
}

/// The objects of a 2xx answer, as many as there were messages.
pub(super) fn objects(answer: &Answer, expected: usize) -> Result<Vec<Said>, String> {
    if answer.cut {
        return Err("it was cut off".to_owned());
    }
    let objects = if expected == 1 {
        serde_json::from_slice(&answer.body).map(|said| vec![said])
    } else {
        serde_json::from_slice(&answer.body)
    };
    let objects: Vec<Said> =
        objects.map_err(|error| format!("it is not the JSON expected ({error})"))?;
    if objects.len() == expected {
        Ok(objects)
    } else {
        Err(format!("{} results for {expected} messages", objects.len()))
    }
}

/// What an answer that is not 2xx says about the messages (docs/providers.md#postmark-errors). `said` is `None` when the body
/// is not in the API's shape.
pub(super) fn classify(answer: &Answer, said: Option<&Said>, is_batch: bool) -> ErrorKind {
    let retry_after = answer.retry_after;
    let everything = ErrorKind::SenderWide { until: None };
    let code = said.and_then(|said| said.error_code);
    match answer.status {
        // Whatever answers with a redirect is not the API; neither is what answers 403, or knows no such path.
        300..=399 | 401 | 403 | 404 | 405 | 415 => everything,
        413 => refused(is_batch),
        429 => ErrorKind::TooFast { retry_after },
        503 if code == Some(100) => ErrorKind::transient(true, retry_after),
        408 | 500..=599 => ErrorKind::unknown(true, retry_after),
        // Refused, and the reason got lost on the way.
        _ if answer.cut => ErrorKind::transient(true, retry_after),
        400 if code.is_none() => everything,
        _ => match (code, said) {
            (Some(code), Some(said)) => by_code(code, &said.message, is_batch),
            _ => refused(is_batch),
        },
    }
}

/// The class of an `ErrorCode` (docs/providers.md#postmark-errors).
pub(super) fn by_code(code: i64, message: &str, is_batch: bool) -> ErrorKind {
    match code {
        100 => ErrorKind::transient(true, None),
        101 => ErrorKind::unknown(true, None),
        // One code for every invalid field; the sender is a setting, so a bad one is wrong for every message.
        300 if message.contains("'From'") => ErrorKind::SenderWide { until: None },
        // The key, the account, the sender signature, the stream, our IP address: each a setting of ours or theirs.
        10 | 400 | 401 | 405 | 409 | 412 | 413 | 422 | 500..=523 | 1235 | 1236 | 1480 => {
            ErrorKind::SenderWide { until: None }
        }
        406 if !is_batch => ErrorKind::Address,
        // 300, 402, 403, 410, 411, 1101 to 1131, and whatever comes next.
        _ => refused(is_batch),
    }
}

/// The message is at fault; of a whole batch, some member or the size.
fn refused(is_batch: bool) -> ErrorKind {
    if is_batch {
        ErrorKind::BatchRefused
    } else {
        ErrorKind::Permanent
    }
}
