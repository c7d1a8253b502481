//! Webhooks over HTTP into Postgres, with the rights of the sidecar: genuine ones of every kind, and everything else.

mod cases;
mod lists;
mod live;
mod opens;
mod refusals;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::web::{Web, send};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BASIC: &str = "hook:open sesame";

const RESEND: &[(&str, &str)] = &[
    ("EMAIL_PROVIDER", "resend"),
    ("EMAIL_API_KEY", "re_test"),
    ("EMAIL_FROM", "bonjour@seqpulse.test"),
    ("PUBLIC_URL", "http://127.0.0.1:8025"),
    ("EMAIL_WEBHOOK_SECRET", SECRET),
];
const POSTMARK: &[(&str, &str)] = &[
    ("EMAIL_PROVIDER", "postmark"),
    ("EMAIL_API_KEY", "11111111-2222-3333-4444-555555555555"),
    ("EMAIL_FROM", "bonjour@seqpulse.test"),
    ("PUBLIC_URL", "http://127.0.0.1:8025"),
    ("EMAIL_WEBHOOK_SECRET", BASIC),
];

impl cases::Case {
    async fn check(&self, db: &TestDb, letter: &Letter) {
        let stored = events(db, letter).await.join(" ");
        let reason = suppression(db, letter).await.unwrap_or_default();
        let status = journal(db, letter).await.0;
        assert_eq!(
            (stored.as_str(), reason.as_str(), status.as_str()),
            (self.event, self.suppression, self.status),
            "{self:?}"
        );
    }
}

/// One letter in the journal.
struct Letter {
    user: Uuid,
    delivery: Uuid,
    message: Uuid,
    email: String,
}

/// A user who consents to tracking, and a letter that went out.
async fn letter(db: &TestDb, name: &str, code: &str) -> Letter {
    let email = format!("{name}@example.com");
    let user = db.sign_up(&format!("{name} Martin"), &email).await;
    db.query(
        "insert into public.email_preferences (user_id, tracking_consent) values ($1, true)
         on conflict (user_id) do update set tracking_consent = true",
        &[&user],
    )
    .await;
    let message = Uuid::new_v4();
    let delivery = db
        .value(
            "insert into public.email_deliveries (user_id, email_type, dedupe_key, status, sent_at, provider_message_id, payload_json)
             values ($1, $2, $3, 'sent', public.email_now() - interval '1 hour', $4, jsonb_build_object('to_email', $5::text))
             returning id",
            &[&user, &code, &format!("key:{name}"), &message.to_string(), &email],
        )
        .await;
    Letter {
        user,
        delivery,
        message,
        email,
    }
}

/// An event of Resend about a letter, with what its type adds.
fn resend_event(letter: &Letter, kind: &str, more: &Value) -> Value {
    let mut data = json!({
        "email_id": letter.message, "message_id": "<0100abc@eu-west-1.example>", "created_at": "2026-09-01T08:15:02.120Z",
        "from": "SeqPulse <hello@mail.example.com>", "to": [letter.email], "subject": "Bienvenue",
        "tags": {"delivery": letter.delivery, "type": "E-TRX-01"},
    });
    let fields = data.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    json!({"type": kind, "created_at": "2026-09-01T08:15:09.402Z", "data": data})
}

fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> String {
    let key = STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

fn resend_request(
    web: &Web,
    id: &str,
    timestamp: i64,
    signature: &str,
    body: &str,
) -> RequestBuilder {
    web.request(Method::POST, "/webhooks/resend")
        .header("svix-id", id)
        .header("svix-timestamp", timestamp.to_string())
        .header("svix-signature", signature)
        .header("content-type", "application/json")
        .body(body.to_owned())
}

async fn from_resend(web: &Web, id: &str, event: &Value) -> StatusCode {
    let body = event.to_string();
    let signed = signature(SECRET, id, now(), &body);
    send(resend_request(web, id, now(), &signed, &body))
        .await
        .status
}

async fn from_postmark(web: &Web, event: &Value) -> StatusCode {
    let request = web
        .request(Method::POST, "/webhooks/postmark")
        .basic_auth("hook", Some("open sesame"))
        .body(event.to_string());
    send(request).await.status
}

/// An event of Postmark about a letter.
fn postmark_event(letter: &Letter, kind: &str, more: &Value) -> Value {
    let mut event = json!({
        "RecordType": kind, "MessageStream": "broadcast", "MessageID": letter.message,
        "Metadata": {"delivery": letter.delivery}, "Tag": "E-TRX-01",
    });
    let fields = event.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    event
}

/// Types of a letter's events, in the order of arrival.
async fn events(db: &TestDb, letter: &Letter) -> Vec<String> {
    db.query(
        "select event_type from public.email_events where email_delivery_id = $1 order by id",
        &[&letter.delivery],
    )
    .await
    .iter()
    .map(|row| row.get(0))
    .collect()
}

async fn suppression(db: &TestDb, letter: &Letter) -> Option<String> {
    db.query(
        "select reason from public.email_suppressions where lower(email) = lower($1)",
        &[&letter.email],
    )
    .await
    .first()
    .map(|row| row.get(0))
}

/// Status and reason in the journal.
async fn journal(db: &TestDb, letter: &Letter) -> (String, Option<String>) {
    let rows = db
        .query(
            "select status, payload_json ->> 'reason' from public.email_deliveries where id = $1",
            &[&letter.delivery],
        )
        .await;
    (rows[0].get(0), rows[0].get(1))
}

async fn marketing(db: &TestDb, letter: &Letter) -> bool {
    db.value(
        "select marketing_opt_in from public.email_preferences where user_id = $1",
        &[&letter.user],
    )
    .await
}

/// Everything a webhook could change, as one text.
async fn state(db: &TestDb) -> String {
    db.value(
        "select concat_ws('|',
            (select jsonb_agg(to_jsonb(e) order by e.id) from public.email_events e),
            (select jsonb_agg(to_jsonb(s) order by s.email) from public.email_suppressions s),
            (select jsonb_agg(to_jsonb(d) order by d.id) from public.email_deliveries d),
            (select jsonb_agg(to_jsonb(p) order by p.user_id) from public.email_preferences p))",
        &[],
    )
    .await
}

#[tokio::test]
async fn every_event_of_resend_is_taken_as_what_it_means() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    for (number, case) in cases::resend().into_iter().enumerate() {
        let letter = letter(&db, &format!("r{number}"), "E-TRX-01").await;
        let body = resend_event(&letter, case.kind, &case.more);
        let id = format!("msg_{number}");
        assert_eq!(
            from_resend(&web, &id, &body).await,
            StatusCode::OK,
            "{case:?}"
        );
        case.check(&db, &letter).await;
    }
    let failed: Vec<(Option<String>, Option<String>)> = db
        .query("select error_message, payload_json ->> 'reason' from public.email_deliveries where status = 'failed'", &[])
        .await
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(
        failed,
        [(
            Some("reached_daily_quota".into()),
            Some("reached_daily_quota".into())
        )]
    );
    // What is kept says nothing about the person beyond what happened.
    let kept: String = db
        .value(
            "select string_agg(provider_event_id || details::text, ' ') from public.email_events",
            &[],
        )
        .await;
    for personal in ["example.com", "192.0.2.7", "iPhone", "project=1"] {
        assert!(!kept.contains(personal), "{personal} in {kept}");
    }
    for unrelated in ["domain.updated", "contact.created", "email.received"] {
        let event =
            json!({"type": unrelated, "created_at": "2026-09-01T08:15:09Z", "data": {"id": "x"}});
        assert_eq!(from_resend(&web, unrelated, &event).await, StatusCode::OK);
    }
    for taken in ["stored", "of no concern"] {
        assert!(
            web.vitals.metrics().contains(&format!(
                "webhooks_total{{provider=\"resend\",outcome=\"{taken}\"}}"
            )),
            "{taken}"
        );
    }
}

#[tokio::test]
async fn every_event_of_postmark_is_taken_as_what_it_means() {
    let db = TestDb::new().await;
    let web = Web::start(&db, POSTMARK).await;
    for (number, case) in cases::postmark().into_iter().enumerate() {
        let letter = letter(&db, &format!("p{number}"), "E-TRX-01").await;
        let body = postmark_event(&letter, case.kind, &case.more);
        assert_eq!(from_postmark(&web, &body).await, StatusCode::OK, "{case:?}");
        case.check(&db, &letter).await;
    }
    let kept: String = db
        .value(
            "select string_agg(provider_event_id || details::text, ' ') from public.email_events",
            &[],
        )
        .await;
    for personal in ["example.com", "192.0.2.7", "Macintosh"] {
        assert!(!kept.contains(personal), "{personal} in {kept}");
    }
}
