//! Postmark's events in our words (docs/providers.md#postmark-webhooks).

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::report::{Malformed, Report, details};
use crate::db::events::Event;

/// What the sidecar is set to: which stream carries which letters.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    pub(super) transactional: String,
    pub(super) marketing: String,
}

/// `None`: nothing that concerns letters.
pub(super) fn read(
    body: &[u8],
    trace: Option<&str>,
    streams: &Streams,
) -> Result<Option<Event>, Malformed> {
    let bytes = body;
    let body: Value = serde_json::from_slice(body).map_err(|_| Malformed)?;
    let report = Report::of(&body)?;
    let kind = report.word("RecordType").ok_or(Malformed)?;
    let Some(Meaning {
        event,
        state,
        time,
        about,
    }) = meaning(kind, report, streams)
    else {
        return Ok(None);
    };
    Ok(Some(Event {
        provider: "postmark",
        id: trace
            .filter(|trace| !trace.is_empty() && trace.len() <= 200)
            .map_or_else(|| identity(kind, report, bytes), str::to_owned),
        kind: event,
        occurred_at: report.time(time),
        delivery: report.get("Metadata").delivery(),
        message_id: report.id("MessageID"),
        address: report.id("Recipient").or_else(|| report.id("Email")),
        address_state: state,
        details: about,
    }))
}

struct Meaning {
    event: Option<&'static str>,
    state: Option<&'static str>,
    /// The field that says when.
    time: &'static str,
    about: Value,
}

impl Meaning {
    fn new(event: &'static str, time: &'static str, about: Value) -> Self {
        Self {
            event: Some(event),
            state: None,
            time,
            about,
        }
    }

    fn with(self, state: &'static str) -> Self {
        Self {
            state: Some(state),
            ..self
        }
    }
}

fn meaning(kind: &str, report: Report<'_>, streams: &Streams) -> Option<Meaning> {
    let agent = ("user_agent", report.word("UserAgent").map(Value::from));
    match kind {
        "Delivery" => Some(Meaning::new("delivered", "DeliveredAt", json!({}))),
        "Bounce" => bounce(report),
        "SpamComplaint" => {
            Some(Meaning::new("complained", "BouncedAt", json!({})).with("complained"))
        }
        "Open" => Some(Meaning::new("opened", "ReceivedAt", details([agent]))),
        "Click" => {
            let link = report.link("OriginalLink").map(Value::from);
            let about = details([("link", link), agent]);
            Some(Meaning::new("clicked", "ReceivedAt", about))
        }
        "SubscriptionChange" => Some(subscription(report, streams)),
        _ => None,
    }
}

/// `Inactive` is the authority on whether Postmark refuses the address from now on; the code says why.
fn bounce(report: Report<'_>) -> Option<Meaning> {
    let code = report.number("TypeCode");
    let kind = report.word("Type");
    let inactive = report.flag("Inactive") == Some(true);
    let is = |number, name| code == Some(number) || (code.is_none() && kind == Some(name));
    let hard = inactive || is(1, "HardBounce") || is(100_000, "BadEmailAddress");
    let message = report
        .sentence("Details")
        .or_else(|| report.sentence("Description"));
    let about = |hard: bool| {
        details([
            ("hard", Some(hard.into())),
            ("kind", kind.map(Value::from)),
            ("message", message.clone().map(Value::from)),
        ])
    };
    let new = |event, about| Meaning::new(event, "BouncedAt", about);
    Some(if is(16, "Unsubscribe") {
        new("unsubscribed", json!({"via": "provider"})).with("unsubscribed")
    } else if is(100_001, "SpamComplaint") {
        new("complained", json!({})).with("complained")
    } else if is(100_002, "ManuallyDeactivated") {
        new("bounced", about(true)).with("manual")
    } else if is(100_007, "SMTPApiError") || is(100_010, "TemplateRenderingFailed") {
        let reason = message.clone().or_else(|| kind.map(str::to_owned));
        new("failed", details([("reason", reason.map(Value::from))]))
    } else if hard {
        new("bounced", about(true)).with("bounced")
    } else if is(2, "Transient") {
        new("delayed", about(false))
    } else if [32, 64, 128, 16_384, 100_008]
        .iter()
        .any(|answer| code == Some(*answer))
    {
        // Answers of people and robots, which came because the letter arrived.
        return None;
    } else {
        new("bounced", about(false))
    })
}

/// A bounce and a complaint come as events of their own as well: here they are about the address only.
fn subscription(report: Report<'_>, streams: &Streams) -> Meaning {
    let by_recipient = report.word("Origin") == Some("Recipient");
    let (event, state) = if report.flag("SuppressSending") == Some(false) {
        (
            None,
            if by_recipient {
                "resubscribed"
            } else {
                "reactivated"
            },
        )
    } else {
        match report.word("SuppressionReason") {
            Some("HardBounce") => (None, "bounced"),
            Some("SpamComplaint") => (None, "complained"),
            _ if by_recipient => (Some("unsubscribed"), "unsubscribed"),
            // An operator closed one stream: that of marketing is an opt-out, any other stops the address.
            _ if report.word("MessageStream") == Some(&streams.marketing)
                && streams.marketing != streams.transactional =>
            {
                (None, "unsubscribed")
            }
            _ => (None, "manual"),
        }
    };
    Meaning {
        event,
        state: Some(state),
        time: "ChangedAt",
        about: match event {
            Some(_) => json!({"via": "provider"}),
            None => json!({}),
        },
    }
}

/// The fields that make an event the same when it is sent again, hashed, because an address is among them.
fn identity(kind: &str, report: Report<'_>, body: &[u8]) -> String {
    let fields = [
        "MessageID",
        "Recipient",
        "Email",
        "DeliveredAt",
        "BouncedAt",
        "ReceivedAt",
        "ChangedAt",
        "OriginalLink",
    ];
    let mut hash = Sha256::new();
    hash.update(kind);
    match report.number("ID") {
        Some(id) => hash.update(format!("\0ID\0{id}")),
        None if fields.iter().any(|name| report.word(name).is_some()) => {
            for name in fields {
                hash.update(format!(
                    "\0{name}\0{}",
                    report.word(name).unwrap_or_default()
                ));
            }
        }
        None => hash.update(body),
    }
    let mut id = String::from("postmark:");
    for byte in &hash.finalize()[..16] {
        // Writing to a String does not fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}
