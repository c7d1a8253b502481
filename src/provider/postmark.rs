//! Postmark: requests, and what each answer means (docs/providers.md#postmark).
//!
//! There is no idempotency key: an unknown outcome is resolved by searching for the batch id, which travels with every
//! message as metadata `attempt`. A body's `ErrorCode` is never an HTTP status, whatever it looks like.

mod answer;

use std::collections::BTreeMap;

use letters::Category;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::answer::{Said, by_code, classify, objects};
use super::ProviderConfig;
use super::http::{Answer, Http, secret_header};
use super::{
    Accepted, Batch, ErrorKind, Found, Message, Provider, ProviderKind, Recovery, Request, Search,
    Searching, SendError, SendResult, Sending, SetupError, Status, Transmission,
};

const SINGLE: &str = "/email";
const BATCH: &str = "/email/batch";
const SEARCH: &str = "/messages/outbound";

/// The Postmark API.
#[derive(Debug)]
pub struct Postmark {
    http: Http,
    from: String,
    reply_to: Option<String>,
    stream_transactional: String,
    stream_marketing: String,
}

impl Postmark {
    /// Checks the settings; calls nobody.
    ///
    /// # Errors
    /// When the key or the base URL cannot be used, or TLS cannot be set up.
    pub fn new(config: &ProviderConfig) -> Result<Self, SetupError> {
        let mut headers = HeaderMap::new();
        let token = secret_header(config.api_key.expose_secret())?;
        headers.insert(HeaderName::from_static("x-postmark-server-token"), token);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self {
            http: Http::new(config, headers)?,
            from: config.from.clone(),
            reply_to: config.reply_to.clone(),
            stream_transactional: config.stream_transactional.clone(),
            stream_marketing: config.stream_marketing.clone(),
        })
    }

    fn email<'a>(&'a self, message: &'a Message, attempt: Uuid) -> Email<'a> {
        Email {
            from: &self.from,
            to: &message.to,
            reply_to: self.reply_to.as_deref(),
            subject: &message.subject,
            tag: &message.email_type,
            html_body: &message.html,
            text_body: &message.text,
            message_stream: self.stream(message.category),
            metadata: Metadata {
                delivery: message.delivery_id,
                attempt,
            },
            track_opens: message.track,
            track_links: if message.track { "HtmlAndText" } else { "None" },
            headers: message
                .headers
                .iter()
                .map(|(name, value)| Header { name, value })
                .collect(),
        }
    }

    fn stream(&self, category: Category) -> &str {
        match category {
            Category::Security | Category::Transactional => &self.stream_transactional,
            Category::Product | Category::Marketing => &self.stream_marketing,
        }
    }

    /// What of this the provider has, in every stream it may be in (one search sees one stream, docs/providers.md#postmark-search).
    async fn find(&self, wanted: &Search) -> Result<Vec<Found>, SendError> {
        let (filter, id, categories) = match wanted {
            Search::Batch { id, categories } => ("metadata_attempt", id, categories.as_slice()),
            Search::Delivery { id, category } => {
                ("metadata_delivery", id, std::slice::from_ref(category))
            }
        };
        let id = id.hyphenated().to_string();
        let mut streams: Vec<&str> = categories.iter().map(|&c| self.stream(c)).collect();
        streams.sort_unstable();
        streams.dedup();
        let mut found = Vec::new();
        for stream in streams {
            // A request carries at most 500 messages, so one page holds them all.
            let parameters = [
                ("count", "500"),
                ("offset", "0"),
                ("messagestream", stream),
                (filter, &id),
            ];
            let answer = self
                .http
                .get(SEARCH, &parameters)
                .await
                .map_err(|failed| failed.error)?;
            found.extend(self.hits(&answer, filter, &id)?);
        }
        Ok(found)
    }

    /// The messages of a search's answer; those that do not carry what was asked for are left out.
    fn hits(&self, answer: &Answer, filter: &str, id: &str) -> Result<Vec<Found>, SendError> {
        if !(200..300).contains(&answer.status) {
            let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
            let kind = classify(answer, said.as_ref(), false);
            return Err(self.error(kind, answer.status, said.as_ref()));
        }
        let unreadable = |why: String| SendError {
            kind: ErrorKind::transient(false, answer.retry_after),
            detail: format!("the answer to a search cannot be used: {why}"),
        };
        if answer.cut {
            return Err(unreadable("it was cut off".into()));
        }
        let page: SearchPage = serde_json::from_slice(&answer.body)
            .map_err(|error| unreadable(format!("it is not the JSON expected ({error})")))?;
        let key = filter.trim_start_matches("metadata_");
        Ok(page
            .messages
            .into_iter()
            .filter(|hit| hit.metadata.get(key).is_some_and(|value| value == id))
            .filter_map(|hit| {
                Some(Found {
                    delivery_id: hit.metadata.get("delivery")?.parse().ok()?,
                    message_id: hit.message_id,
                })
            })
            .collect())
    }

    async fn transmit(&self, request: &Request) -> Transmission {
        let expected = request.messages;
        match self
            .http
            .post(request.path, HeaderMap::new(), request.body.clone())
            .await
        {
            Ok(answer) => Transmission {
                status: Status::Reply(answer.status),
                results: self.results(&answer, expected),
            },
            Err(mut failed) => {
                if expected > 1 && failed.error.kind == ErrorKind::Permanent {
                    failed.error.kind = ErrorKind::BatchRefused;
                }
                failed.of_all(expected)
            }
        }
    }

    /// One result per message from an answer of any status.
    fn results(&self, answer: &Answer, expected: usize) -> Vec<SendResult> {
        if !(200..300).contains(&answer.status) {
            let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
            let kind = classify(answer, said.as_ref(), expected > 1);
            return vec![Err(self.error(kind, answer.status, said.as_ref())); expected];
        }
        match objects(answer, expected) {
            Ok(objects) => objects
                .into_iter()
                .map(|said| self.item(answer.status, &said))
                .collect(),
            Err(why) => {
                let kind = ErrorKind::unknown(false, answer.retry_after);
                let detail = format!(
                    "HTTP {}, but the answer cannot be used: {why}",
                    answer.status
                );
                vec![Err(SendError { kind, detail }); expected]
            }
        }
    }

    /// What one object of a 2xx answer says about its message.
    fn item(&self, status: u16, said: &Said) -> SendResult {
        match (said.error_code.unwrap_or(0), &said.message_id) {
            // Without `ErrorCode`: "accepted, but delivery may be delayed" (docs/providers.md#postmark-message).
            (0, Some(message_id)) if !message_id.is_empty() => Ok(Accepted {
                message_id: message_id.clone(),
            }),
            (0, _) => Err(SendError {
                kind: ErrorKind::unknown(false, None),
                detail: format!("HTTP {status} with neither a message id nor an error"),
            }),
            (code, _) => Err(self.error(by_code(code, &said.message, false), status, Some(said))),
        }
    }

    fn error(&self, kind: ErrorKind, status: u16, said: Option<&Said>) -> SendError {
        let words = match said {
            Some(Said {
                error_code: Some(code),
                message,
                ..
            }) => {
                format!("HTTP {status}, Postmark error {code}: {message}")
            }
            _ => format!("HTTP {status}, not an answer of the API"),
        };
        SendError {
            kind,
            detail: self.http.redact(&words),
        }
    }
}

impl Provider for Postmark {
    fn name(&self) -> &'static str {
        ProviderKind::Postmark.name()
    }

    fn recovery(&self) -> Recovery {
        Recovery::Search
    }

    fn encode(&self, batch: &Batch) -> Request {
        let email = |message| self.email(message, batch.id);
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

    fn search<'a>(&'a self, wanted: &'a Search) -> Searching<'a> {
        Box::pin(self.find(wanted))
    }
}

/// The request's object, its fields in the order they are written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Email<'a> {
    from: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    subject: &'a str,
    tag: &'a str,
    html_body: &'a str,
    text_body: &'a str,
    message_stream: &'a str,
    metadata: Metadata,
    track_opens: bool,
    track_links: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<Header<'a>>,
}

/// Keys of at most 20 and values of at most 80 characters (docs/providers.md#postmark-message); UUIDs are written in lower case.
#[derive(Serialize)]
struct Metadata {
    delivery: Uuid,
    attempt: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Header<'a> {
    name: &'a str,
    value: &'a str,
}

/// One page of `GET /messages/outbound`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SearchPage {
    messages: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Hit {
    #[serde(rename = "MessageID")]
    message_id: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[cfg(test)]
#[path = "postmark_tests.rs"]
mod tests;
