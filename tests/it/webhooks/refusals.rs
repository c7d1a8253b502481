//! What is not genuine, not readable, or too much at once.

use reqwest::Method;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    POSTMARK, RESEND, SECRET, events, from_postmark, from_resend, journal, letter, now,
    postmark_event, resend_event, resend_request, signature, state,
};
use crate::support::TestDb;
use crate::support::web::Web;
use crate::support::web::send;

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
