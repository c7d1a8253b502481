//! The providers' own lists of people who left, and suppressions.

use reqwest::StatusCode;
use serde_json::Value;
use serde_json::json;

use super::{
    POSTMARK, RESEND, events, from_postmark, from_resend, letter, marketing, postmark_event,
    resend_event, suppression,
};
use crate::support::TestDb;
use crate::support::web::Web;

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
