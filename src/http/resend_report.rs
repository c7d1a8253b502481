//! Resend's events in our words (docs/providers.md#resend-webhooks).

use serde_json::{Value, json};

use super::report::{Malformed, Report, details};
use crate::db::events::Event;

/// `None`: nothing that concerns letters.
pub(super) fn read(body: &[u8], id: &str) -> Result<Option<Event>, Malformed> {
    let body: Value = serde_json::from_slice(body).map_err(|_| Malformed)?;
    let report = Report::of(&body)?;
    let kind = report.word("type").ok_or(Malformed)?;
    let data = report.get("data");
    let Some((kind, address_state, details)) = meaning(kind, data) else {
        return Ok(None);
    };
    Ok(Some(Event {
        provider: "resend",
        id: id.chars().take(255).collect(),
        kind,
        occurred_at: report.time("created_at"),
        delivery: data.get("tags").delivery(),
        message_id: data.id("email_id"),
        address: data.only("to").or_else(|| data.id("email")),
        address_state,
        details,
    }))
}

type Meaning = (Option<&'static str>, Option<&'static str>, Value);

fn meaning(kind: &str, data: Report<'_>) -> Option<Meaning> {
    let plain = |kind| Some((Some(kind), None, json!({})));
    match kind {
        "email.sent" => plain("sent"),
        "email.delivered" => plain("delivered"),
        "email.delivery_delayed" => plain("delayed"),
        "email.opened" => plain("opened"),
        "email.bounced" => Some(bounced(data.get("bounce"))),
        "email.complained" => Some((Some("complained"), Some("complained"), json!({}))),
        "email.suppressed" => Some(suppressed(data.get("suppressed"))),
        "email.failed" => {
            let reason = data.get("failed").sentence("reason");
            Some((
                Some("failed"),
                None,
                details([("reason", reason.map(Value::from))]),
            ))
        }
        "email.clicked" => {
            let click = data.get("click");
            let about = details([
                ("link", click.link("link").map(Value::from)),
                ("user_agent", click.word("userAgent").map(Value::from)),
            ]);
            Some((Some("clicked"), None, about))
        }
        "suppression.added" => Some((None, Some(origin(data)), json!({}))),
        "suppression.removed" => Some((None, Some("reactivated"), json!({}))),
        _ => None,
    }
}

/// Only a permanent bounce is about the address; a full mailbox is about today.
fn bounced(bounce: Report<'_>) -> Meaning {
    let kind = bounce.word("type");
    let hard = kind == Some("Permanent");
    let about = details([
        ("hard", Some(hard.into())),
        ("kind", kind.map(Value::from)),
        ("sub_kind", bounce.word("subType").map(Value::from)),
        ("message", bounce.sentence("message").map(Value::from)),
    ]);
    (Some("bounced"), hard.then_some("bounced"), about)
}

fn suppressed(suppressed: Report<'_>) -> Meaning {
    let reason = suppressed.word("reason");
    let state = match reason {
        Some("previous_bounce") => Some("bounced"),
        Some("previous_complaint") => Some("complained"),
        _ => None,
    };
    let reason = format!(
        "on the provider's suppression list: {}",
        reason.unwrap_or("no reason given")
    );
    (
        Some("suppressed"),
        state,
        json!({ "reason": reason.chars().take(200).collect::<String>() }),
    )
}

fn origin(data: Report<'_>) -> &'static str {
    match data.word("origin") {
        Some("bounce") => "bounced",
        Some("complaint") => "complained",
        _ => "manual",
    }
}
