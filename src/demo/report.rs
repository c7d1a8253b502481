//! What the provider would report about a letter, as Resend posts it to `/webhooks/resend`: an event in JSON, signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::sandbox::ledger::Entry;

/// What the sidecar's `EMAIL_WEBHOOK_SECRET` holds, and signs.
const KEY: &[u8] = b"demo-webhook-signing-key";

/// The setting for the sidecar.
pub(super) fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Nobody has that mailbox.
    Bounced,
    /// Its recipient looked at it.
    Opened,
    /// Its recipient used its button.
    Clicked,
}

/// A request: headers and body.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) headers: [(&'static str, String); 3],
    pub(super) body: String,
}

impl Report {
    /// About a letter of the ledger, signed now.
    pub(super) fn about(self, entry: &Entry, now: DateTime<Utc>) -> Signed {
        sign(&Uuid::new_v4(), &self.event(entry, now).to_string(), now)
    }

    fn event(self, entry: &Entry, now: DateTime<Utc>) -> Value {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (name, more) = match self {
            Self::Bounced => (
                "email.bounced",
                json!({"bounce": {"type": "Permanent", "subType": "General", "message": "Mailbox does not exist",
                    "diagnosticCode": ["smtp; 550 5.1.1 user unknown"]}}),
            ),
            Self::Opened => ("email.opened", json!({})),
            Self::Clicked => (
                "email.clicked",
                json!({"click": {"link": "https://app.seqpulse.example/dashboard", "timestamp": time(now),
                    "ipAddress": "192.0.2.7", "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}}),
            ),
        };
        let mut data = json!({
            "email_id": entry.id,
            "created_at": time(entry.at),
            "from": entry.from,
            "to": [entry.to],
            "subject": entry.subject,
            "tags": {"delivery": entry.delivery, "type": entry.email_type},
        });
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        json!({"type": name, "created_at": time(now), "data": data})
    }
}

/// As Svix signs: HMAC-SHA256 over id, timestamp and body.
fn sign(id: &Uuid, body: &str, now: DateTime<Utc>) -> Signed {
    let id = format!("msg_{}", id.simple());
    let timestamp = now.timestamp().to_string();
    let signature = Hmac::<Sha256>::new_from_slice(KEY).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
            STANDARD.encode(mac.finalize().into_bytes())
        },
    );
    Signed {
        headers: [
            ("svix-id", id),
            ("svix-timestamp", timestamp),
            ("svix-signature", format!("v1,{signature}")),
        ],
        body: body.to_owned(),
    }
}
