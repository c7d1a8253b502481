//! Leaving a list by the link of a letter.

use reqwest::Method;
use reqwest::StatusCode;
use uuid::Uuid;

use super::{opt_ins, reader, sent};
use crate::support::TestDb;
use crate::support::web::Web;
use crate::support::web::send;

#[tokio::test]
async fn following_an_unsubscribe_link_changes_nothing() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    for method in [Method::GET, Method::HEAD] {
        let answer = send(web.request(method, &format!("/unsubscribe/{token}?c=marketing"))).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(opt_ins(&db, user).await, (true, true));
}

#[tokio::test]
async fn one_click_leaves_the_list_of_the_link_whatever_the_mail_client_sends() {
    let db = TestDb::new().await;
    let web = Web::start(&db, &[]).await;
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (name, content_type, body) in [
        (
            "urlencoded",
            "application/x-www-form-urlencoded",
            "List-Unsubscribe=One-Click",
        ),
        ("multipart", "multipart/form-data; boundary=b", multipart),
        ("button", "application/x-www-form-urlencoded", ""),
        ("untyped", "", "List-Unsubscribe=One-Click"),
    ] {
        let (user, token) = reader(&db, name).await;
        let mut request = web
            .request(Method::POST, &format!("/unsubscribe/{token}?c=marketing"))
            .header("user-agent", "")
            .body(body);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let answer = send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(opt_ins(&db, user).await, (false, true), "{name}");
    }
}

#[tokio::test]
async fn the_link_says_which_list_and_without_one_both_are_left() {
    let db = TestDb::new().await;
    let web = Web::start(&db, &[]).await;
    for (name, query, expected) in [
        ("product", "?c=product", (true, false)),
        ("marketing", "?c=marketing", (false, true)),
        ("both", "", (false, false)),
        ("mangled", "?c=security", (false, false)),
    ] {
        let (user, token) = reader(&db, name).await;
        let answer = web.post(&format!("/unsubscribe/{token}{query}"), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(opt_ins(&db, user).await, expected, "{name}");
    }
}

#[tokio::test]
async fn an_unknown_or_truncated_token_gets_the_same_page() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    let text = token.to_string();
    let stranger = Uuid::new_v4().to_string();
    for (method, other) in [
        (Method::GET, stranger.as_str()),
        (Method::GET, &text[..20]),
        (Method::POST, stranger.as_str()),
        (Method::POST, &text[..20]),
        (Method::POST, "11111111-2222-4333-8444-55555555555x"),
    ] {
        let ask =
            |token: &str| web.request(method.clone(), &format!("/unsubscribe/{token}?c=product"));
        let (theirs, ours) = (send(ask(other)).await, send(ask(&stranger)).await);
        assert_eq!(
            (theirs.status, ours.status),
            (StatusCode::OK, StatusCode::OK)
        );
        assert_eq!(
            theirs.body.replace(other, "TOKEN"),
            ours.body.replace(&stranger, "TOKEN"),
            "{method} {other}"
        );
    }
    assert_eq!(
        opt_ins(&db, user).await,
        (true, true),
        "nobody else's token touched it"
    );
    let known = send(web.request(Method::POST, &format!("/unsubscribe/{token}?c=product"))).await;
    let unknown =
        send(web.request(Method::POST, &format!("/unsubscribe/{stranger}?c=product"))).await;
    assert_eq!(
        known.body.replace(&text, ""),
        unknown.body.replace(&stranger, "")
    );
}

#[tokio::test]
async fn leaving_is_recorded_once_with_the_newest_letter_of_the_list() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    sent(&db, user, "E-CONV-01", "older").await;
    db.exec("update public.email_deliveries set sent_at = sent_at - interval '1 day'")
        .await;
    let newest = sent(&db, user, "E-CONV-02", "newest").await;
    sent(&db, user, "E-RET-01", "another list").await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/unsubscribe/{token}?c=marketing");
    let clicks = futures_util::future::join_all((0..4).map(|_| web.post(&path, ""))).await;
    assert!(clicks.iter().all(|answer| answer.status == StatusCode::OK));
    let rows = db
        .query(
            "select email_delivery_id, event_type from public.email_events",
            &[],
        )
        .await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, Uuid>(0), newest);
    assert_eq!(rows[0].get::<_, &str>(1), "unsubscribed");
}

#[tokio::test]
async fn what_is_queued_or_waits_for_a_retry_does_not_go_out_any_more() {
    let db = TestDb::only(&["E-CONV-04", "E-SEC-02"]).await;
    let (user, token) = reader(&db, "lea").await;
    let enqueue = "select public.email_enqueue($1, $2, $3, $4)";
    let payload =
        serde_json::json!({"feature": "sdh", "ip": "192.0.2.1", "country": "FR", "device": "x"});
    db.query(enqueue, &[&"E-CONV-04", &user, &"first", &payload])
        .await;
    db.query(enqueue, &[&"E-CONV-04", &user, &"retried", &payload])
        .await;
    db.query(enqueue, &[&"E-SEC-02", &user, &"security", &payload])
        .await;
    db.exec("update public.email_outbox set retry_at = clock_timestamp(), attempts = 1 where dedupe_key = 'retried'").await;
    let web = Web::start(&db, &[]).await;
    web.post(
        &format!("/unsubscribe/{token}?c=marketing"),
        "List-Unsubscribe=One-Click",
    )
    .await;
    db.query(
        "select * from public.email_claim('test', 'console', 10, interval '1 minute')",
        &[],
    )
    .await;
    let rows = db
        .query("select dedupe_key, status, coalesce(reason, '') from public.email_outbox order by dedupe_key", &[])
        .await;
    let ended: Vec<(String, String, String)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let opted_out = |key: &str| {
        (
            key.to_owned(),
            "suppressed".to_owned(),
            "opted out of marketing".to_owned(),
        )
    };
    assert_eq!(ended[0], opted_out("first"));
    assert_eq!(ended[1], opted_out("retried"));
    assert_eq!(ended[2].1, "sending", "security still goes out");
}

#[tokio::test]
async fn a_contact_without_an_account_opts_out_as_an_address() {
    let db = TestDb::new().await;
    let token: Uuid = db
        .value(
            "insert into public.email_project_contacts (project_id, email, role) values (gen_random_uuid(), 'Ops@example.com', 'admin') returning unsubscribe_token",
            &[],
        )
        .await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/preferences/{token}");
    let page = web.get(&path).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body
            .contains("name=\"product_updates_opt_in\" value=\"1\" checked")
    );
    assert!(
        !page.body.contains("timezone")
            && !page.body.contains("tracking_consent")
            && !page.body.contains("marketing_opt_in")
    );

    web.post(&format!("/unsubscribe/{token}?c=product"), "")
        .await;
    let reason = "select reason from public.email_suppressions where email = 'Ops@example.com'";
    assert_eq!(db.value::<String>(reason, &[]).await, "unsubscribed");
    assert!(!web.get(&path).await.body.contains(" checked"));

    web.post(&path, "save=1&product_updates_opt_in=1").await;
    assert!(db.query(reason, &[]).await.is_empty(), "came back");
    web.post(&path, "save=1").await;
    assert_eq!(db.value::<String>(reason, &[]).await, "unsubscribed");
    db.exec("update public.email_suppressions set reason = 'complained'")
        .await;
    web.post(&path, "save=1&product_updates_opt_in=1").await;
    assert_eq!(
        db.value::<String>(reason, &[]).await,
        "complained",
        "a complaint is not taken back by a box"
    );
}
