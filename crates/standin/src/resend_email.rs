//! What Resend checks about one message (docs/providers.md#resend-message).

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::address;
use super::exchange::Reply;
use super::ledger::Fate;
use super::settings::Settings;

const MAX_RECIPIENTS: usize = 50;
const MAX_TAGS: usize = 75;
const MAX_TAG_CHARS: usize = 256;

/// An error in the API's shape.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) name: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, name: &'static str, message: &str) -> Self {
        Self {
            status,
            name,
            message: message.to_owned(),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Reply::json(
            status,
            &json!({"statusCode": self.status, "message": self.message, "name": self.name}),
        )
    }

    /// As opposed to the sender's domain, which is wrong for every message.
    pub(super) fn is_about_the_message(&self) -> bool {
        self.status == 422
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(422, "validation_error", message)
}

/// The parts of a message that matter beyond its bytes.
#[derive(Debug)]
pub(super) struct Email {
    pub(super) from: String,
    /// Bare addresses.
    pub(super) recipients: Vec<String>,
    pub(super) subject: String,
    pub(super) tags: Vec<(String, String)>,
}

/// Every field as it is written, so that bodies are not copied and a wrong type gets the API's own words.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    cc: Option<&'a RawValue>,
    #[serde(borrow)]
    bcc: Option<&'a RawValue>,
    #[serde(borrow)]
    reply_to: Option<&'a RawValue>,
    #[serde(borrow)]
    subject: Option<&'a RawValue>,
    #[serde(borrow)]
    html: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    template: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    tags: Option<&'a RawValue>,
    #[serde(borrow)]
    attachments: Option<&'a RawValue>,
}

fn value(raw: Option<&RawValue>) -> Value {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// A string, or a list of strings.
fn strings(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn is_text(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get().starts_with('"'))
}

impl Email {
    pub(super) fn check(
        raw: &RawValue,
        settings: &Settings,
        in_batch: bool,
    ) -> Result<Self, Refusal> {
        let fields: Fields<'_> = serde_json::from_str(raw.get())
            .map_err(|_| invalid("Each email must be an object with known types"))?;
        let Value::String(from) = value(fields.from) else {
            return Err(missing("from"));
        };
        let Some(sender) = address::parse(&from) else {
            let message = "Invalid `from` field. The email address needs to follow the `email@example.com` or \
                           `Name <email@example.com>` format.";
            return Err(Refusal::new(422, "invalid_from_address", message));
        };
        let domain = address::domain(sender);
        if !settings.knows_domain(domain) {
            let message =
                format!("The {domain} domain is not verified. Please, add and verify your domain");
            return Err(Refusal::new(403, "validation_error", &message));
        }
        let recipients = Self::recipients(&fields)?;
        let subject = match value(fields.subject) {
            Value::String(subject) => subject,
            Value::Null if fields.template.is_some() => String::new(),
            Value::Null => return Err(missing("subject")),
            _ => return Err(invalid("The `subject` must be a string")),
        };
        if !is_text(fields.html) && !is_text(fields.text) && fields.template.is_none() {
            return Err(missing("html` or `text"));
        }
        if in_batch && fields.attachments.is_some() {
            return Err(invalid(
                "The `attachments` field is not supported in batches",
            ));
        }
        check_headers(&value(fields.headers))?;
        Ok(Self {
            from,
            recipients,
            subject,
            tags: tags(value(fields.tags))?,
        })
    }

    fn recipients(fields: &Fields<'_>) -> Result<Vec<String>, Refusal> {
        let Some(to) = strings(value(fields.to)) else {
            return Err(invalid("The `to` must be a string or strings"));
        };
        if to.is_empty() {
            return Err(missing("to"));
        }
        let mut count = to.len();
        let mut bare = Vec::with_capacity(to.len());
        for mailbox in &to {
            bare.push(
                address::parse(mailbox)
                    .ok_or_else(|| bad_address("to"))?
                    .to_owned(),
            );
        }
        for (name, raw) in [
            ("cc", fields.cc),
            ("bcc", fields.bcc),
            ("reply_to", fields.reply_to),
        ] {
            let Some(mailboxes) = strings(value(raw)) else {
                return Err(bad_address(name));
            };
            if mailboxes
                .iter()
                .any(|mailbox| address::parse(mailbox).is_none())
            {
                return Err(bad_address(name));
            }
            if name != "reply_to" {
                count += mailboxes.len();
            }
        }
        if count > MAX_RECIPIENTS {
            return Err(invalid("An email may have at most 50 recipients"));
        }
        Ok(bare)
    }

    /// The test addresses of `resend.dev` (docs/providers.md#resend-test-addresses); everybody else gets their letter.
    pub(super) fn test_fate(&self) -> Fate {
        let test = self.recipients.iter().find_map(|address| {
            address
                .to_lowercase()
                .strip_suffix("@resend.dev")
                .map(|local| local.split('+').next().unwrap_or_default().to_owned())
        });
        match test.as_deref() {
            Some("bounced") => Fate::Bounced,
            Some("complained") => Fate::Complained,
            Some("suppressed") => Fate::Suppressed,
            _ => Fate::Delivered,
        }
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::new(
        422,
        "missing_required_field",
        &format!("Missing `{field}` field."),
    )
}

fn bad_address(field: &str) -> Refusal {
    invalid(&format!(
        "Invalid `{field}` field. The email address needs to follow the `email@example.com` or \
         `Name <email@example.com>` format."
    ))
}

fn check_headers(headers: &Value) -> Result<(), Refusal> {
    match headers {
        Value::Null => Ok(()),
        Value::Object(headers) if headers.values().all(Value::is_string) => Ok(()),
        _ => Err(invalid("The `headers` must be an object of strings")),
    }
}

fn tags(tags: Value) -> Result<Vec<(String, String)>, Refusal> {
    let tags: Vec<Tag> = match tags {
        Value::Null => return Ok(Vec::new()),
        tags => serde_json::from_value(tags)
            .map_err(|_| invalid("The `tags` must be a list of names and values"))?,
    };
    if tags.len() > MAX_TAGS {
        return Err(invalid("An email may have at most 75 tags"));
    }
    let legal = |text: &str| {
        (1..=MAX_TAG_CHARS).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    if tags.iter().all(|tag| legal(&tag.name) && legal(&tag.value)) {
        Ok(tags.into_iter().map(|tag| (tag.name, tag.value)).collect())
    } else {
        Err(invalid(
            "Tags should only contain ASCII letters, numbers, underscores, or dashes.",
        ))
    }
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    value: String,
}
