//! Opens, clicks, order, repetition, and people who were forgotten.

use reqwest::Method;
use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{
    POSTMARK, RESEND, events, from_postmark, from_resend, journal, letter, postmark_event,
    resend_event, state, suppression,
};
use crate::support::TestDb;
use crate::support::web::Web;
use crate::support::web::send;

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
