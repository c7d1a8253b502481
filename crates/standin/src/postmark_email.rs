//! What Postmark checks about one message (docs/providers.md#postmark-message).

use std::collections::{BTreeMap, HashSet};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use chrono_tz::America::New_York;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::address;
use super::exchange::Reply;
use super::ledger::Fate;
use super::settings::Settings;

const MAX_RECIPIENTS: usize = 50;
const MAX_SUBJECT_CHARS: usize = 2000;
const MAX_FROM_CHARS: usize = 255;
const MAX_TAG_CHARS: usize = 1000;
const MAX_PART_BYTES: usize = 5 << 20;
/// Fields, characters of a key, characters of a value.
const METADATA: (usize, usize, usize) = (10, 20, 80);
/// File name endings that are refused; the real list is longer.
const EXECUTABLE: [&str; 8] = ["exe", "bat", "cmd", "com", "js", "msi", "scr", "vbs"];

/// An error in the API's shape.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: i64,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: i64, message: &str) -> Self {
        Self {
            code,
            message: message.to_owned(),
        }
    }

    /// Two fields and nothing else, also inside a batch.
    pub(super) fn body(&self) -> Value {
        json!({"ErrorCode": self.code, "Message": self.message})
    }

    /// With 422, as nearly always.
    pub(super) fn reply(&self) -> Reply {
        self.reply_with(StatusCode::UNPROCESSABLE_ENTITY)
    }

    pub(super) fn reply_with(&self, status: StatusCode) -> Reply {
        Reply::json(status, &self.body()).with_header("x-pm-apierrorcode", &self.code.to_string())
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(300, message)
}

/// The parts of a message that matter beyond its bytes.
#[derive(Debug)]
pub(super) struct Email {
    pub(super) from: String,
    /// Bare addresses.
    pub(super) recipients: Vec<String>,
    pub(super) subject: String,
    pub(super) stream: String,
    pub(super) tag: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
}

/// Bodies stay as they are written, so that they are not copied.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Fields<'a> {
    from: Option<String>,
    to: Option<String>,
    cc: Option<String>,
    bcc: Option<String>,
    reply_to: Option<String>,
    subject: Option<String>,
    #[serde(borrow)]
    html_body: Option<&'a RawValue>,
    #[serde(borrow)]
    text_body: Option<&'a RawValue>,
    message_stream: Option<String>,
    tag: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
    headers: Option<Vec<Header>>,
    #[serde(rename = "TrackOpens")]
    _track_opens: Option<bool>,
    track_links: Option<String>,
    attachments: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Header {
    name: String,
    #[serde(rename = "Value")]
    _value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    name: String,
}

impl Email {
    pub(super) fn check(raw: &RawValue, settings: &Settings) -> Result<Self, Refusal> {
        let fields: Fields<'_> = serde_json::from_str(raw.get())
            .map_err(|error| Refusal::new(403, &format!("Invalid field: {error}.")))?;
        let from = sender(&fields, settings)?;
        let recipients = recipients(&fields)?;
        let subject = fields.subject.clone().unwrap_or_default();
        if subject.chars().count() > MAX_SUBJECT_CHARS {
            return Err(invalid("The 'Subject' is longer than 2000 characters."));
        }
        check_parts(&fields)?;
        let stream = fields
            .message_stream
            .clone()
            .unwrap_or_else(|| "outbound".to_owned());
        if !settings.streams.contains(&stream) {
            let message = format!("The '{stream}' stream does not exist on this server.");
            return Err(Refusal::new(1235, &message));
        }
        if fields
            .tag
            .as_ref()
            .is_some_and(|tag| tag.chars().count() > MAX_TAG_CHARS)
        {
            return Err(invalid("The 'Tag' is longer than 1000 characters."));
        }
        if fields
            .headers
            .iter()
            .flatten()
            .any(|header| header.name.is_empty())
        {
            return Err(invalid("A header has no name."));
        }
        let links = fields.track_links.as_deref().unwrap_or("None");
        if !["None", "HtmlAndText", "HtmlOnly", "TextOnly"].contains(&links) {
            return Err(invalid("Invalid 'TrackLinks' value."));
        }
        let metadata = metadata(fields.metadata.unwrap_or_default())?;
        Ok(Self {
            from,
            recipients,
            subject,
            stream,
            tag: fields.tag,
            metadata,
        })
    }

    fn bounce_type(&self) -> Option<String> {
        self.recipients.iter().find_map(|address| {
            let address = address.to_lowercase();
            Some(
                address
                    .strip_suffix("@bounce-testing.postmarkapp.com")?
                    .replace('_', ""),
            )
        })
    }

    /// The test addresses (docs/providers.md#postmark-test-addresses); everybody else gets their letter.
    pub(super) fn test_fate(&self) -> Fate {
        if self.bounce_type().is_some() {
            Fate::Bounced
        } else {
            Fate::Delivered
        }
    }

    /// Whether that bounce makes the address inactive: an unknown type and a complaint count as hard.
    pub(super) fn bounces_hard(&self) -> bool {
        const SOFT: [&str; 7] = [
            "softbounce",
            "transient",
            "dnserror",
            "spamnotification",
            "autoresponder",
            "addresschange",
            "blocked",
        ];
        self.bounce_type()
            .is_some_and(|kind| !SOFT.contains(&kind.as_str()))
    }
}

fn sender(fields: &Fields<'_>, settings: &Settings) -> Result<String, Refusal> {
    let from = fields.from.clone().unwrap_or_default();
    let address = address::parse(&from).filter(|_| from.chars().count() <= MAX_FROM_CHARS);
    let Some(address) = address else {
        return Err(invalid(&format!("Invalid 'From' address: '{from}'.")));
    };
    if !settings.knows_domain(address::domain(address)) {
        let message = format!(
            "The 'From' address you supplied ({address}) is not a Sender Signature on your account."
        );
        return Err(Refusal::new(400, &message));
    }
    Ok(from)
}

fn recipients(fields: &Fields<'_>) -> Result<Vec<String>, Refusal> {
    let mut bare = Vec::new();
    for (name, list) in [
        ("To", &fields.to),
        ("Cc", &fields.cc),
        ("Bcc", &fields.bcc),
        ("ReplyTo", &fields.reply_to),
    ] {
        let mailboxes = list
            .iter()
            .flat_map(|list| list.split(','))
            .filter(|mailbox| !mailbox.trim().is_empty());
        for mailbox in mailboxes {
            let Some(address) = address::parse(mailbox) else {
                return Err(invalid(&format!(
                    "Invalid '{name}' address: '{}'.",
                    mailbox.trim()
                )));
            };
            if name != "ReplyTo" {
                bare.push(address.to_owned());
            }
        }
        if name == "To" && bare.is_empty() {
            return Err(invalid("Zero recipients specified"));
        }
    }
    if bare.len() > MAX_RECIPIENTS {
        return Err(invalid("Too many recipients: at most 50."));
    }
    Ok(bare)
}

fn check_parts(fields: &Fields<'_>) -> Result<(), Refusal> {
    let has_text = |raw: Option<&RawValue>| {
        raw.is_some_and(|raw| raw.get().starts_with('"') && raw.get().len() > 2)
    };
    if !has_text(fields.html_body) && !has_text(fields.text_body) {
        return Err(invalid(
            "Provide either email TextBody or HtmlBody or both.",
        ));
    }
    let is_too_long =
        |raw: Option<&RawValue>| raw.is_some_and(|raw| raw.get().len() > MAX_PART_BYTES);
    if is_too_long(fields.html_body) || is_too_long(fields.text_body) {
        return Err(invalid("A body is larger than 5 MB."));
    }
    let ending = |name: &str| {
        name.rsplit_once('.')
            .map(|(_, ending)| ending.to_ascii_lowercase())
            .unwrap_or_default()
    };
    let attachments = fields.attachments.iter().flatten();
    match attachments
        .map(|file| ending(&file.name))
        .find(|ending| EXECUTABLE.contains(&ending.as_str()))
    {
        Some(ending) => Err(Refusal::new(
            411,
            &format!("The file type .{ending} is not allowed."),
        )),
        None => Ok(()),
    }
}

fn metadata(metadata: BTreeMap<String, Value>) -> Result<Vec<(String, String)>, Refusal> {
    let (fields, key_chars, value_chars) = METADATA;
    if metadata.len() > fields {
        return Err(invalid("Metadata may have at most 10 fields."));
    }
    let mut seen = HashSet::new();
    let mut checked = Vec::with_capacity(metadata.len());
    for (name, value) in metadata {
        let Value::String(value) = value else {
            return Err(invalid("Metadata values must be strings."));
        };
        if name.chars().count() > key_chars {
            return Err(invalid(&format!(
                "The metadata field '{name}' has a name longer than 20 characters."
            )));
        }
        if value.chars().count() > value_chars {
            return Err(invalid(&format!(
                "The metadata field '{name}' has a value longer than 80 characters."
            )));
        }
        if !seen.insert(name.to_lowercase()) {
            return Err(invalid(&format!(
                "The metadata field '{name}' occurs twice."
            )));
        }
        checked.push((name, value));
    }
    Ok(checked)
}

/// Seven fraction digits and the time of the US east coast (docs/providers.md#postmark-transport).
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    let local = at.with_timezone(&New_York);
    let ticks = local.timestamp_subsec_nanos() / 100;
    format!(
        "{}.{ticks:07}{}",
        local.format("%Y-%m-%dT%H:%M:%S"),
        local.format("%:z")
    )
}
