//! What the providers report about a message, in their own words and shapes (docs/providers.md#resend-webhooks and docs/providers.md#postmark-webhooks).

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ledger::{Api, Entry, Fate};

/// Postmark's types of bounce by the local part of a test address, `_` left out: name, code, whether it makes the address
/// inactive. The first one stands for every local part that is not listed.
const BOUNCES: [(&str, i64, bool); 12] = [
    ("HardBounce", 1, true),
    ("Transient", 2, false),
    ("Unsubscribe", 16, false),
    ("AutoResponder", 64, false),
    ("AddressChange", 128, false),
    ("DnsError", 256, false),
    ("SpamNotification", 512, false),
    ("SoftBounce", 4096, false),
    ("BadEmailAddress", 100_000, true),
    ("ManuallyDeactivated", 100_002, true),
    ("Blocked", 100_006, false),
    ("SMTPApiError", 100_007, false),
];

/// Something that happens to an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// Resend: will be tried.
    Sent,
    /// The receiving server took it.
    Delivered,
    /// A temporary problem.
    Delayed,
    /// Refused for good; the provider lists the address.
    Bounced,
    /// Refused for now.
    SoftBounced,
    /// Marked as spam; the provider lists the address.
    Complained,
    /// Resend: the address is on the list, nothing went out.
    Suppressed,
    /// Could not be sent after all.
    Failed,
    /// The pixel was fetched.
    Opened,
    /// A link was followed.
    Clicked,
    /// Postmark: the recipient used Postmark's own link.
    Unsubscribed,
    /// Postmark: and came back.
    Resubscribed,
    /// The list got the address: Postmark's `SubscriptionChange` beside a hard bounce, Resend's `suppression.added`.
    Listed,
    /// The list lost it again.
    Unlisted,
}

/// Who opened or clicked, and what; what is missing gets a usual value.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Reader {
    /// For `opened` and `clicked`.
    pub user_agent: Option<String>,
    /// For `clicked`.
    pub link: Option<String>,
}

const USUAL_AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0";

/// What happens to a message by itself after it was accepted.
pub(super) fn of_itself(entry: &Entry) -> Vec<Happening> {
    use Happening::{Bounced, Complained, Delivered, Listed, Sent, Suppressed};
    match (entry.api, entry.fate) {
        (Api::Resend, Fate::Delivered) => vec![Sent, Delivered],
        (Api::Resend, Fate::Bounced) => vec![Sent, Bounced],
        (Api::Resend, Fate::Complained) => vec![Sent, Delivered, Complained],
        (Api::Resend, Fate::Suppressed) => vec![Suppressed],
        (Api::Postmark, Fate::Bounced) if bounce_of(&entry.to).2 => vec![Bounced, Listed],
        (Api::Postmark, Fate::Bounced) => vec![Bounced],
        (Api::Postmark, _) => vec![Delivered],
    }
}

/// The report; `None` where the provider has no such report.
pub(super) fn body(
    entry: &Entry,
    happening: Happening,
    reader: &Reader,
    at: DateTime<Utc>,
) -> Option<Value> {
    match entry.api {
        Api::Resend => resend(entry, happening, reader, at),
        Api::Postmark => postmark(entry, happening, reader, at),
    }
}

fn resend(
    entry: &Entry,
    happening: Happening,
    reader: &Reader,
    at: DateTime<Utc>,
) -> Option<Value> {
    let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let list = json!({"id": Uuid::new_v4(), "email": entry.to, "origin": "bounce", "source_id": entry.id, "created_at": time});
    let (kind, name, more) = match happening {
        Happening::Sent => ("email.sent", "", json!(null)),
        Happening::Delivered => ("email.delivered", "", json!(null)),
        Happening::Delayed => ("email.delivery_delayed", "", json!(null)),
        Happening::Bounced => (
            "email.bounced",
            "bounce",
            json!({"type": "Permanent", "subType": "General", "message": "The recipient's email provider sent a hard bounce message.",
                "diagnosticCode": [format!("smtp; 550 5.1.1 <{}> user unknown", entry.to)]}),
        ),
        Happening::SoftBounced => (
            "email.bounced",
            "bounce",
            json!({"type": "Transient", "subType": "MailboxFull", "message": "The recipient's mailbox is full."}),
        ),
        Happening::Complained => ("email.complained", "", json!(null)),
        Happening::Suppressed => (
            "email.suppressed",
            "suppressed",
            json!({"type": "OnAccountSuppressionList", "message": "The address is on the suppression list.", "reason": "previous_bounce"}),
        ),
        Happening::Failed => (
            "email.failed",
            "failed",
            json!({"reason": "reached_daily_quota"}),
        ),
        Happening::Opened => ("email.opened", "", json!(null)),
        Happening::Clicked => (
            "email.clicked",
            "click",
            json!({"link": link(reader), "timestamp": time, "ipAddress": "192.0.2.1", "userAgent": agent(reader)}),
        ),
        Happening::Listed => {
            return Some(json!({"type": "suppression.added", "created_at": time, "data": list}));
        }
        Happening::Unlisted => {
            return Some(json!({"type": "suppression.removed", "created_at": time, "data": list}));
        }
        Happening::Unsubscribed | Happening::Resubscribed => return None,
    };
    let mut data = json!({
        "email_id": entry.id,
        "message_id": format!("<{}@sandbox.example>", entry.id.simple()),
        "created_at": entry.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "from": entry.from,
        "to": [entry.to],
        "subject": entry.subject,
        "tags": {"delivery": entry.delivery, "type": entry.email_type},
    });
    if !name.is_empty() {
        data[name] = more;
    }
    Some(json!({"type": kind, "created_at": time, "data": data}))
}

fn postmark(
    entry: &Entry,
    happening: Happening,
    reader: &Reader,
    at: DateTime<Utc>,
) -> Option<Value> {
    // Seven digits, as .NET writes it.
    let time = at.format("%Y-%m-%dT%H:%M:%S%.6f0Z").to_string();
    let bounce = |(kind, code, inactive): (&str, i64, bool)| {
        let id = i64::try_from(entry.seq).unwrap_or(i64::MAX);
        json!({"ID": id * 16 + i64::from(happening as u8), "Type": kind, "TypeCode": code, "Name": kind, "ServerID": 1,
            "Description": "A bounce of the sandbox", "Details": "smtp;550 5.1.1 user unknown", "Email": entry.to,
            "From": entry.from, "BouncedAt": time, "DumpAvailable": false, "Inactive": inactive, "CanActivate": inactive,
            "Subject": entry.subject})
    };
    let change = |suppress: bool, reason: Option<&str>| {
        json!({"ServerID": 1, "Recipient": entry.to, "ChangedAt": time, "Origin": "Recipient",
            "SuppressSending": suppress, "SuppressionReason": reason})
    };
    let seen = json!({"Recipient": entry.to, "ReceivedAt": time, "UserAgent": agent(reader), "OS": {}, "Client": {}, "Geo": {}, "Platform": "Desktop"});
    let (kind, more) = match happening {
        Happening::Delivered => (
            "Delivery",
            json!({"ServerID": 1, "Recipient": entry.to, "DeliveredAt": time, "Details": "250 2.0.0 OK"}),
        ),
        Happening::Delayed => ("Bounce", bounce(BOUNCES[1])),
        Happening::Bounced => ("Bounce", bounce(bounce_of(&entry.to))),
        Happening::SoftBounced => ("Bounce", bounce(("SoftBounce", 4096, false))),
        Happening::Complained => ("SpamComplaint", bounce(("SpamComplaint", 100_001, true))),
        Happening::Failed => ("Bounce", bounce(("SMTPApiError", 100_007, false))),
        Happening::Opened => (
            "Open",
            merged(seen, json!({"FirstOpen": true, "ReadSeconds": 0})),
        ),
        Happening::Clicked => (
            "Click",
            merged(
                seen,
                json!({"OriginalLink": link(reader), "ClickLocation": "HTML"}),
            ),
        ),
        Happening::Unsubscribed => (
            "SubscriptionChange",
            change(true, Some("ManualSuppression")),
        ),
        Happening::Listed => ("SubscriptionChange", change(true, Some("HardBounce"))),
        Happening::Resubscribed | Happening::Unlisted => {
            ("SubscriptionChange", change(false, None))
        }
        Happening::Sent | Happening::Suppressed => return None,
    };
    let mut metadata = json!({});
    for (name, value) in [("delivery", &entry.delivery), ("attempt", &entry.attempt)] {
        if let Some(value) = value {
            metadata[name] = json!(value);
        }
    }
    let frame = json!({"RecordType": kind, "MessageStream": entry.stream, "MessageID": entry.id, "Tag": entry.email_type, "Metadata": metadata});
    Some(merged(frame, more))
}

/// One call per kind, as Postmark makes them when a webhook is saved: each must be answered 200.
pub(super) fn postmark_samples() -> Vec<Value> {
    let about = json!({"MessageStream": "outbound", "MessageID": Uuid::nil(), "Metadata": {"example": "value"}, "Tag": "example",
        "ServerID": 1, "Recipient": "john@example.com", "Email": "john@example.com", "Type": "HardBounce", "TypeCode": 1, "ID": 42,
        "Inactive": true, "SuppressSending": true, "Origin": "Recipient", "SuppressionReason": "HardBounce"});
    let kinds = [
        "Delivery",
        "Bounce",
        "SpamComplaint",
        "Open",
        "Click",
        "SubscriptionChange",
    ];
    kinds
        .map(|kind| merged(json!({"RecordType": kind}), about.clone()))
        .into()
}

fn agent(reader: &Reader) -> &str {
    reader.user_agent.as_deref().unwrap_or(USUAL_AGENT)
}

fn link(reader: &Reader) -> &str {
    reader
        .link
        .as_deref()
        .unwrap_or("https://app.example.com/dashboard")
}

fn bounce_of(to: &str) -> (&'static str, i64, bool) {
    let address = to.to_lowercase();
    let local = address.strip_suffix("@bounce-testing.postmarkapp.com");
    let wanted = local.unwrap_or_default().replace('_', "");
    let listed = BOUNCES
        .iter()
        .find(|(name, ..)| name.eq_ignore_ascii_case(&wanted));
    *listed.unwrap_or(&BOUNCES[0])
}

fn merged(mut into: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut into, more) {
        fields.extend(more);
    }
    into
}
