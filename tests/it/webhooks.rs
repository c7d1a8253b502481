//! Webhooks over HTTP into Postgres, with the rights of the sidecar: genuine ones of every kind, and everything else.

mod cases;
mod live;

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
async fn resends_own_list_is_followed_for_people_we_know() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let change = |kind: &str, email: &str, origin: &str| {
        json!({"type": kind, "created_at": "2026-09-01T08:15:09Z",
            "data": {"id": "s", "email": email, "origin": origin, "source_id": "x", "created_at": "2026-09-01T08:15:09Z"}})
    };
    for (number, (origin, reason)) in [
        ("bounce", "bounced"),
        ("complaint", "complained"),
        ("manual", "manual"),
    ]
    .into_iter()
    .enumerate()
    {
        let added = change("suppression.added", "LEA@example.com", origin);
        assert_eq!(
            from_resend(&web, &format!("a{number}"), &added).await,
            StatusCode::OK
        );
        assert_eq!(suppression(&db, &lea).await.as_deref(), Some(reason));
        let removed = change("suppression.removed", "lea@example.com", origin);
        assert_eq!(
            from_resend(&web, &format!("b{number}"), &removed).await,
            StatusCode::OK
        );
        assert_eq!(suppression(&db, &lea).await, None);
    }
    let stranger = change("suppression.added", "stranger@example.com", "bounce");
    assert_eq!(
        from_resend(&web, "stranger", &stranger).await,
        StatusCode::OK
    );
    assert_eq!(
        db.value::<i64>("select count(*) from public.email_suppressions", &[])
            .await,
        0
    );
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

#[tokio::test]
async fn leaving_at_postmark_ends_marketing_and_coming_back_lifts_it() {
    let db = TestDb::new().await;
    let web = Web::start(&db, POSTMARK).await;
    let lea = letter(&db, "lea", "E-CONV-01").await;
    let change = |suppress: bool, origin: &str, reason: Value| {
        json!({"RecordType": "SubscriptionChange", "MessageID": null, "ServerID": 23, "MessageStream": "broadcast",
            "ChangedAt": "2026-09-01T09:00:00.0000000Z", "Recipient": "Lea@example.com", "Origin": origin,
            "SuppressSending": suppress, "SuppressionReason": reason, "Tag": null, "Metadata": {}})
    };
    let left = change(true, "Recipient", json!("ManualSuppression"));
    assert_eq!(from_postmark(&web, &left).await, StatusCode::OK);
    assert_eq!(
        suppression(&db, &lea).await.as_deref(),
        Some("unsubscribed")
    );
    assert!(!marketing(&db, &lea).await);

    // Somebody of ours reactivating the address does not take back what the person asked for.
    from_postmark(&web, &change(false, "Customer", Value::Null)).await;
    assert_eq!(
        suppression(&db, &lea).await.as_deref(),
        Some("unsubscribed")
    );
    from_postmark(&web, &change(false, "Recipient", Value::Null)).await;
    assert_eq!(suppression(&db, &lea).await, None);
    assert!(marketing(&db, &lea).await);

    // Who had left on our own page before does not come back by Postmark's.
    db.exec("update public.email_preferences set marketing_opt_in = false")
        .await;
    from_postmark(&web, &left).await;
    from_postmark(&web, &change(false, "Recipient", Value::Null)).await;
    assert!(!marketing(&db, &lea).await);

    // With the letter it came from, it is an event of that letter too.
    let with_letter = postmark_event(
        &lea,
        "SubscriptionChange",
        &json!({"Recipient": "lea@example.com", "Origin": "Recipient", "SuppressSending": true, "SuppressionReason": "ManualSuppression", "ChangedAt": "2026-09-01T09:00:00Z"}),
    );
    from_postmark(&web, &with_letter).await;
    from_postmark(&web, &with_letter).await;
    assert_eq!(events(&db, &lea).await, ["unsubscribed"]);
}

#[tokio::test]
async fn what_postmarks_list_says_about_an_address_is_taken_over() {
    let db = TestDb::new().await;
    let web = Web::start(&db, POSTMARK).await;
    for (name, stream, origin, reason, expected) in [
        ("hard", "outbound", "Recipient", "HardBounce", "bounced"),
        (
            "spam",
            "outbound",
            "Recipient",
            "SpamComplaint",
            "complained",
        ),
        (
            "staff",
            "outbound",
            "Customer",
            "ManualSuppression",
            "manual",
        ),
        (
            "closed",
            "broadcast",
            "Admin",
            "ManualSuppression",
            "unsubscribed",
        ),
    ] {
        let letter = letter(&db, name, "E-TRX-01").await;
        let event = postmark_event(
            &letter,
            "SubscriptionChange",
            &json!({"MessageStream": stream, "Recipient": letter.email, "Origin": origin, "SuppressSending": true, "SuppressionReason": reason}),
        );
        assert_eq!(from_postmark(&web, &event).await, StatusCode::OK);
        assert_eq!(
            suppression(&db, &letter).await.as_deref(),
            Some(expected),
            "{name}"
        );
        assert!(
            events(&db, &letter).await.is_empty(),
            "{name}: the bounce comes as an event of its own"
        );
        let back = json!({"RecordType": "SubscriptionChange", "MessageStream": stream, "Recipient": letter.email, "Origin": "Recipient", "SuppressSending": false});
        assert_eq!(from_postmark(&web, &back).await, StatusCode::OK);
        assert_eq!(suppression(&db, &letter).await, None, "{name}");
    }
}

#[tokio::test]
async fn a_stronger_reason_replaces_a_weaker_one_and_never_the_reverse() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let bounce = json!({"bounce": {"type": "Permanent"}});
    for (known, event, more, expected) in [
        ("unsubscribed", "email.complained", &json!({}), "complained"),
        ("complained", "email.bounced", &bounce, "bounced"),
        ("bounced", "email.complained", &json!({}), "bounced"),
        ("manual", "email.bounced", &bounce, "manual"),
    ] {
        db.exec("delete from public.email_suppressions").await;
        db.query(
            "insert into public.email_suppressions (email, reason) values ($1, $2)",
            &[&lea.email.to_uppercase(), &known],
        )
        .await;
        from_resend(
            &web,
            &format!("{known} {event}"),
            &resend_event(&lea, event, more),
        )
        .await;
        assert_eq!(
            suppression(&db, &lea).await.as_deref(),
            Some(expected),
            "{known} then {event}"
        );
    }
}

#[tokio::test]
async fn the_same_event_again_is_stored_once_also_at_the_same_moment() {
    let db = TestDb::new().await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let web = Web::start(&db, RESEND).await;
    let event = resend_event(&lea, "email.delivered", &json!({}));
    let answers =
        futures_util::future::join_all((0..8).map(|_| from_resend(&web, "msg_same", &event))).await;
    assert!(
        answers.iter().all(|status| *status == StatusCode::OK),
        "{answers:?}"
    );
    from_resend(&web, "msg_other", &event).await;
    assert_eq!(events(&db, &lea).await, ["delivered", "delivered"]);

    let max = letter(&db, "max", "E-TRX-01").await;
    let web = Web::start_again(&db, POSTMARK).await;
    let delivery = postmark_event(
        &max,
        "Delivery",
        &json!({"Recipient": max.email, "DeliveredAt": "2026-09-01T08:15:09.4020000Z"}),
    );
    for _ in 0..3 {
        from_postmark(&web, &delivery).await;
    }
    assert_eq!(
        events(&db, &max).await,
        ["delivered"],
        "the same fields, no trace id"
    );
    for trace in ["trace-1", "trace-1", "trace-2"] {
        let request = web
            .request(Method::POST, "/webhooks/postmark")
            .basic_auth("hook", Some("open sesame"))
            .header("x-pm-webhook-trace-id", trace)
            .body(delivery.to_string());
        assert_eq!(send(request).await.status, StatusCode::OK);
    }
    assert_eq!(
        events(&db, &max).await.len(),
        3,
        "trace ids tell events apart"
    );
}

#[tokio::test]
async fn events_may_come_in_any_order() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    for (id, kind) in ["email.failed", "email.delivered", "email.sent"]
        .into_iter()
        .enumerate()
    {
        from_resend(
            &web,
            &format!("msg_{id}"),
            &resend_event(&lea, kind, &json!({})),
        )
        .await;
    }
    assert_eq!(
        journal(&db, &lea).await.0,
        "failed",
        "a late \"sent\" does not turn it back"
    );
    assert_eq!(events(&db, &lea).await, ["failed", "delivered", "sent"]);
}

#[tokio::test]
async fn a_letter_is_found_by_the_providers_id_when_ours_is_missing() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let mut event = resend_event(&lea, "email.delivered", &json!({}));
    event["data"]["tags"] = json!([{"name": "delivery", "value": Uuid::new_v4()}]);
    from_resend(&web, "wrong id", &event).await;
    event["data"]
        .as_object_mut()
        .expect("an object")
        .remove("tags");
    from_resend(&web, "no id", &event).await;
    assert_eq!(events(&db, &lea).await, ["delivered", "delivered"]);

    let before = state(&db).await;
    event["data"]["email_id"] = json!(Uuid::new_v4());
    assert_eq!(from_resend(&web, "nobody's", &event).await, StatusCode::OK);
    for data in [
        json!({}),
        json!(null),
        json!({"tags": 7, "to": {}, "email_id": []}),
    ] {
        let event = json!({"type": "email.bounced", "created_at": 12, "data": data});
        assert_eq!(
            from_resend(&web, "odd", &event).await,
            StatusCode::OK,
            "{event}"
        );
    }
    assert_eq!(state(&db).await, before);
}

#[tokio::test]
async fn opens_and_clicks_are_stored_only_with_consent() {
    let db = TestDb::new().await;
    let web = Web::start(&db, POSTMARK).await;
    let open =
        json!({"ReceivedAt": "2026-09-01T08:15:09Z", "UserAgent": "Mozilla/5.0 (iPhone) Mail"});
    let consenting = letter(&db, "consenting", "E-RET-01").await;
    let silent = letter(&db, "silent", "E-RET-01").await;
    db.query(
        "update public.email_preferences set tracking_consent = false where user_id = $1",
        &[&silent.user],
    )
    .await;
    let security = letter(&db, "security", "E-SEC-01").await;
    let copy = letter(&db, "copy", "E-ACT-04").await;
    db.query("update public.email_deliveries set payload_json = '{\"to_email\": \"ops@example.org\"}' where id = $1", &[&copy.delivery]).await;
    // A copy for another account goes by that account's consent.
    let theirs = letter(&db, "theirs", "E-ACT-04").await;
    db.query("update public.email_deliveries set payload_json = '{\"to_email\": \"Consenting@example.com\"}' where id = $1", &[&theirs.delivery]).await;
    db.query(
        "update public.email_preferences set tracking_consent = false where user_id = $1",
        &[&theirs.user],
    )
    .await;
    for (letter, expected) in [
        (&theirs, 2),
        (&consenting, 2),
        (&silent, 0),
        (&security, 0),
        (&copy, 0),
    ] {
        for kind in ["Open", "Click"] {
            assert_eq!(
                from_postmark(&web, &postmark_event(letter, kind, &open)).await,
                StatusCode::OK
            );
        }
        assert_eq!(
            events(&db, letter).await.len(),
            expected,
            "{}",
            letter.email
        );
    }
    assert!(web.vitals.metrics().contains("outcome=\"not tracked\"} 6"));
}

#[tokio::test]
async fn machines_that_open_letters_are_marked() {
    let db = TestDb::new().await;
    let web = Web::start(&db, POSTMARK).await;
    let delivered = json!({"DeliveredAt": "2026-09-01T08:15:09.000Z"});
    let open = |at: &str, agent: &str| json!({"ReceivedAt": at, "UserAgent": agent});
    let person = "Mozilla/5.0 (Windows NT 10.0) Outlook";
    let late = "2026-09-01T08:20:00Z";
    for (name, order, what, machine) in [
        ("person", "after", open(late, person), false),
        ("apple", "after", open(late, "Mozilla/5.0"), true),
        ("scanner", "after", open(late, "BarracudaCentral/1.0"), true),
        (
            "gmail",
            "after",
            open(late, "Mozilla/5.0 (via ggpht.com GoogleImageProxy)"),
            false,
        ),
        (
            "gmail-at-once",
            "after",
            open(
                "2026-09-01T08:15:10Z",
                "Mozilla/5.0 (via ggpht.com GoogleImageProxy)",
            ),
            true,
        ),
        (
            "at-once",
            "before",
            open("2026-09-01T08:15:10.9Z", person),
            true,
        ),
        (
            "slow-enough",
            "before",
            open("2026-09-01T08:15:11Z", person),
            false,
        ),
        ("unnamed", "after", json!({"ReceivedAt": late}), false),
    ] {
        let letter = letter(&db, name, "E-RET-01").await;
        let delivery = postmark_event(&letter, "Delivery", &delivered);
        if order == "after" {
            from_postmark(&web, &delivery).await;
        }
        from_postmark(&web, &postmark_event(&letter, "Open", &what)).await;
        if order == "before" {
            from_postmark(&web, &delivery).await;
        }
        let marked: bool = db
            .value("select coalesce((details ->> 'machine')::boolean, false) from public.email_events where email_delivery_id = $1 and event_type = 'opened'", &[&letter.delivery])
            .await;
        assert_eq!(marked, machine, "{name}");
    }
}

#[tokio::test]
async fn nothing_is_kept_about_somebody_who_was_forgotten() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    db.query(
        "insert into public.email_forgotten (user_id) values ($1)",
        &[&lea.user],
    )
    .await;
    db.exec("update public.email_deliveries set payload_json = null")
        .await;
    from_resend(
        &web,
        "msg",
        &resend_event(
            &lea,
            "email.bounced",
            &json!({"bounce": {"type": "Permanent"}}),
        ),
    )
    .await;
    let by_address =
        json!({"type": "suppression.added", "data": {"email": lea.email, "origin": "bounce"}});
    from_resend(&web, "by address", &by_address).await;
    assert_eq!(suppression(&db, &lea).await, None);
}

#[tokio::test]
async fn a_crowd_at_the_door_has_four_connections_and_no_more() {
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let other = db.connect().await;
    other
        .batch_execute("begin; update public.email_deliveries set status = status")
        .await
        .expect("locked");
    let failed = resend_event(&lea, "email.failed", &json!({}));
    let ids: Vec<String> = (0..30).map(|number| format!("msg_{number}")).collect();
    let crowd = futures_util::future::join_all(ids.iter().map(|id| from_resend(&web, id, &failed)));
    let watch = async {
        let sessions = format!(
            "from pg_stat_activity where usename = 'web_of_{}'",
            db.name()
        );
        let blocked = format!("select count(*) = 4 {sessions} and wait_event_type = 'Lock'");
        db.wait_until(&blocked).await;
        let open: i64 = db.value(&format!("select count(*) {sessions}"), &[]).await;
        other.batch_execute("rollback").await.expect("free");
        open
    };
    let (answers, open) = tokio::join!(crowd, watch);
    assert_eq!(open, 4);
    assert!(
        answers
            .iter()
            .all(|status| [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(status)),
        "{answers:?}"
    );
    let stored = answers
        .iter()
        .filter(|status| **status == StatusCode::OK)
        .count();
    assert_eq!(events(&db, &lea).await.len(), stored, "200 means stored");
}

#[tokio::test]
async fn what_is_not_genuine_changes_nothing() {
    let db = TestDb::new().await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let before = state(&db).await;
    let event = resend_event(&lea, "email.complained", &json!({})).to_string();
    let web = Web::start(&db, RESEND).await;
    let good = signature(SECRET, "msg", now(), &event);
    let other = signature(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg",
        now(),
        &event,
    );
    let tampered = event.replace("complained", "bounced");
    let old = now() - 301;
    for (what, request) in [
        (
            "another key",
            resend_request(&web, "msg", now(), &other, &event),
        ),
        (
            "another body",
            resend_request(&web, "msg", now(), &good, &tampered),
        ),
        (
            "another id",
            resend_request(&web, "msg2", now(), &good, &event),
        ),
        (
            "replayed",
            resend_request(
                &web,
                "msg",
                old,
                &signature(SECRET, "msg", old, &event),
                &event,
            ),
        ),
        (
            "no signature",
            web.request(Method::POST, "/webhooks/resend")
                .body(event.clone()),
        ),
        (
            "empty signature",
            resend_request(&web, "msg", now(), "v1,", &event),
        ),
    ] {
        assert_eq!(
            send(request).await.status,
            StatusCode::UNAUTHORIZED,
            "{what}"
        );
    }
    assert_eq!(
        from_postmark(&web, &json!({"RecordType": "Bounce"})).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "set up for Resend"
    );

    let web = Web::start_again(&db, POSTMARK).await;
    let event = postmark_event(&lea, "SpamComplaint", &json!({}));
    for (user, password) in [("hook", "open"), ("Hook", "open sesame"), ("", "")] {
        let request = web
            .request(Method::POST, "/webhooks/postmark")
            .basic_auth(user, Some(password))
            .body(event.to_string());
        assert_eq!(
            send(request).await.status,
            StatusCode::UNAUTHORIZED,
            "{user}"
        );
    }
    let request = web
        .request(Method::POST, "/webhooks/postmark")
        .body(event.to_string());
    let answer = send(request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.headers.contains_key("www-authenticate"));
    assert_eq!(state(&db).await, before);
}

#[tokio::test]
async fn what_is_genuine_but_unreadable_is_refused_for_good() {
    let db = TestDb::new().await;
    let before = state(&db).await;
    let web = Web::start(&db, RESEND).await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{\"data\": {}}",
        "{\"type\": 7}",
        "\u{feff}{}",
    ] {
        let signed = signature(SECRET, "msg", now(), body);
        let status = send(resend_request(&web, "msg", now(), &signed, body))
            .await
            .status;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}");
    }
    let large = json!({"type": "email.sent", "padding": "x".repeat(300 * 1024)}).to_string();
    let signed = signature(SECRET, "msg", now(), &large);
    let status = send(resend_request(&web, "msg", now(), &signed, &large))
        .await
        .status;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        web.get("/webhooks/resend").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );

    let web = Web::start_again(&db, POSTMARK).await;
    for event in [json!([]), json!({"MessageID": "x"}), json!("RecordType")] {
        assert_eq!(
            from_postmark(&web, &event).await,
            StatusCode::BAD_REQUEST,
            "{event}"
        );
    }
    // The calls by which Postmark verifies an address are samples of each kind, about nobody.
    for kind in [
        "Delivery",
        "Bounce",
        "SpamComplaint",
        "Open",
        "Click",
        "SubscriptionChange",
        "SomethingNew",
    ] {
        let sample = json!({"RecordType": kind, "MessageID": "00000000-0000-0000-0000-000000000000", "Recipient": "john@example.com", "Email": "john@example.com", "Type": "HardBounce", "TypeCode": 1, "Inactive": true, "SuppressSending": true, "Origin": "Recipient", "SuppressionReason": "HardBounce", "Metadata": {"example": "value"}});
        assert_eq!(from_postmark(&web, &sample).await, StatusCode::OK, "{kind}");
    }
    assert_eq!(state(&db).await, before);
}

#[tokio::test]
async fn the_provider_is_told_to_try_again_when_an_event_cannot_be_stored() {
    let event = json!({"type": "email.sent", "data": {}});
    let without_database = Web::at("postgres://nobody@127.0.0.1:1/none", RESEND).await;
    assert_eq!(
        from_resend(&without_database, "msg", &event).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let unset: Vec<(&str, &str)> = RESEND
        .iter()
        .copied()
        .filter(|(name, _)| *name != "EMAIL_WEBHOOK_SECRET")
        .collect();
    let without_secret = Web::at("postgres://nobody@127.0.0.1:1/none", &unset).await;
    assert_eq!(
        from_resend(&without_secret, "msg", &event).await,
        StatusCode::SERVICE_UNAVAILABLE
    );

    // A row that somebody holds is not waited for: the report comes again.
    let db = TestDb::new().await;
    let web = Web::start(&db, RESEND).await;
    let lea = letter(&db, "lea", "E-TRX-01").await;
    let other = db.connect().await;
    other
        .batch_execute("begin; update public.email_deliveries set status = status")
        .await
        .expect("locked");
    let failed = resend_event(&lea, "email.failed", &json!({}));
    assert_eq!(
        from_resend(&web, "msg", &failed).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert!(events(&db, &lea).await.is_empty());
    other.batch_execute("rollback").await.expect("free");
    assert_eq!(from_resend(&web, "msg", &failed).await, StatusCode::OK);
    assert_eq!(journal(&db, &lea).await.0, "failed");
}
