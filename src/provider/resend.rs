//! Resend: requests, and what each answer means (docs/providers.md#resend).
//!
//! Batches are strict: without the header `x-batch-validation`, which the current API reference no longer describes, one
//! invalid member refuses the whole request and nothing is sent. That is [`ErrorKind::BatchRefused`]: the caller splits
//! under new keys until the guilty message stands alone.

mod answer;

use std::time::Duration;

use chrono::Utc;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use self::answer::{ApiError, accepted_ids, classify};
use super::ProviderConfig;
use super::http::{Answer, Http, secret_header};
use super::status::Failed;
use super::{
    Accepted, Batch, ErrorKind, Message, Provider, ProviderKind, Recovery, Request, SendError,
    SendResult, Sending, SetupError, Status, Transmission,
};

const SINGLE: &str = "/emails";
const BATCH: &str = "/emails/batch";

/// Keys live for 24 h from their first use; the hour less allows for clocks that disagree (docs/providers.md#resend-keys).
const KEY_LIFE: Duration = Duration::from_secs(23 * 3600);

/// The Resend API.
#[derive(Debug)]
pub struct Resend {
    http: Http,
    from: String,
    reply_to: Option<String>,
}

impl Resend {
    /// Checks the settings; calls nobody.
    ///
    /// # Errors
    /// When the key or the base URL cannot be used, or TLS cannot be set up.
    pub fn new(config: &ProviderConfig) -> Result<Self, SetupError> {
        let mut headers = HeaderMap::new();
        let bearer = secret_header(config.api_key.expose_secret()).and_then(|key| {
            // The key is known to be a legal header value, so is the word before it.
            secret_header(&format!(
                "Bearer {}",
                key.to_str()
                    .map_err(|_| SetupError::ApiKey("is not ASCII"))?
            ))
        })?;
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            http: Http::new(config, headers)?,
            from: config.from.clone(),
            reply_to: config.reply_to.clone(),
        })
    }

    async fn transmit(&self, request: &Request) -> Transmission {
        let expected = request.messages;
        let mut headers = HeaderMap::new();
        let Ok(key) = HeaderValue::from_str(&request.idempotency_key) else {
            let error = SendError {
                kind: ErrorKind::Permanent,
                detail: "the idempotency key is not a legal header value".to_owned(),
            };
            return Failed::unsent(split_if_batch(error, expected)).of_all(expected);
        };
        headers.insert("idempotency-key", key);
        match self
            .http
            .post(request.path, headers, request.body.clone())
            .await
        {
            Ok(answer) => Transmission {
                status: Status::Reply(answer.status),
                results: self.results(&answer, expected),
            },
            Err(Failed { status, error }) => Failed {
                status,
                error: split_if_batch(error, expected),
            }
            .of_all(expected),
        }
    }

    /// One result per message from an answer of any status.
    fn results(&self, answer: &Answer, expected: usize) -> Vec<SendResult> {
        if !(200..300).contains(&answer.status) {
            return whole(expected, self.refusal(answer, expected));
        }
        let accepted = match accepted_ids(&answer.body, expected) {
            Ok(results) if !answer.cut => results,
            Ok(_) => return whole(expected, unreadable(answer, "it was cut off")),
            Err(why) => return whole(expected, unreadable(answer, &why)),
        };
        accepted
            .into_iter()
            .map(|created| {
                created
                    .map(|message_id| Accepted { message_id })
                    .map_err(|message| SendError {
                        kind: ErrorKind::Permanent,
                        detail: format!("not created: {}", self.http.redact(&message)),
                    })
            })
            .collect()
    }

    fn refusal(&self, answer: &Answer, expected: usize) -> SendError {
        let error: Option<ApiError> = serde_json::from_slice(&answer.body).ok();
        let kind = classify(answer, error.as_ref(), expected > 1, Utc::now());
        let words = match &error {
            Some(error) => format!("HTTP {} {}: {}", answer.status, error.name, error.message),
            None => format!("HTTP {}, not an answer of the API", answer.status),
        };
        SendError {
            kind,
            detail: self.http.redact(&words),
        }
    }
}

impl Provider for Resend {
    fn name(&self) -> &'static str {
        ProviderKind::Resend.name()
    }

    fn recovery(&self) -> Recovery {
        Recovery::Repeat { within: KEY_LIFE }
    }

    fn encode(&self, batch: &Batch) -> Request {
        let email = |message| Email::new(message, &self.from, self.reply_to.as_deref());
        let (path, body) = match batch.messages.as_slice() {
            [message] => (SINGLE, serde_json::to_vec(&email(message))),
            messages => (
                BATCH,
                serde_json::to_vec(&messages.iter().map(email).collect::<Vec<_>>()),
            ),
        };
        Request {
            path,
            body: body.expect("strings and lists of strings always have a JSON form"),
            idempotency_key: batch.idempotency_key.clone(),
            messages: batch.messages.len(),
        }
    }

    fn send<'a>(&'a self, request: &'a Request) -> Sending<'a> {
        Box::pin(self.transmit(request))
    }

    fn advertised_rate(&self) -> Option<f64> {
        self.http.advertised_rate()
    }
}

/// The request's object, its fields in the order they are written: a change of order is a change of bytes, which makes
/// Resend refuse every repetition that spans the upgrade.
#[derive(Serialize)]
struct Email<'a> {
    from: &'a str,
    to: [&'a str; 1],
    subject: &'a str,
    html: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Headers::is_empty")]
    headers: Headers<'a>,
    tags: [Tag; 2],
}

impl<'a> Email<'a> {
    fn new(message: &'a Message, from: &'a str, reply_to: Option<&'a str>) -> Self {
        Self {
            from,
            to: [&message.to],
            subject: &message.subject,
            html: &message.html,
            text: &message.text,
            reply_to,
            headers: Headers(&message.headers),
            tags: [
                Tag {
                    name: "delivery",
                    value: message.delivery_id.hyphenated().to_string(),
                },
                Tag {
                    name: "type",
                    value: tag_value(&message.email_type),
                },
            ],
        }
    }
}

#[derive(Serialize)]
struct Tag {
    name: &'static str,
    value: String,
}

/// Resend takes ASCII letters, digits, `_` and `-`, up to 256 (docs/providers.md#resend-message); a code is made of these, and one that
/// is not must not cost the letter.
fn tag_value(value: &str) -> String {
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    value.chars().take(256).map(legal).collect()
}

/// An object that keeps the order of the list.
struct Headers<'a>(&'a [(String, String)]);

impl Headers<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The same answer for every message of a request.
fn whole(expected: usize, error: SendError) -> Vec<SendResult> {
    vec![Err(error); expected]
}

/// What is permanent for a request of one is, for a batch, the fault of some member.
fn split_if_batch(mut error: SendError, expected: usize) -> SendError {
    if expected > 1 && error.kind == ErrorKind::Permanent {
        error.kind = ErrorKind::BatchRefused;
    }
    error
}

fn unreadable(answer: &Answer, why: &str) -> SendError {
    SendError {
        kind: ErrorKind::unknown(false, answer.retry_after),
        detail: format!(
            "HTTP {}, but the answer cannot be used: {why}",
            answer.status
        ),
    }
}

#[cfg(test)]
#[path = "resend_tests.rs"]
mod tests;
