//! The pages that letters link to, over HTTP, against Postgres, with the rights of the sidecar.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::web::{Answer, Web, send};

/// Somebody with a token, as a claim makes one.
async fn reader(db: &TestDb, name: &str) -> (Uuid, Uuid) {
    let user = db
        .sign_up(&format!("{name} Martin"), &format!("{name}@example.com"))
        .await;
    let token = db.value("select public.email_token($1)", &[&user]).await;
    (user, token)
}

/// A letter in the journal that went out.
async fn sent(db: &TestDb, user: Uuid, code: &str, key: &str) -> Uuid {
    db.value(
        "insert into public.email_deliveries (user_id, email_type, dedupe_key, status, sent_at, payload_json)
         select $1, $2, $3, 'sent', public.email_now(), jsonb_build_object('to_email', u.email)
         from public.users u where u.id = $1
         returning id",
        &[&user, &code, &key],
    )
    .await
}

async fn opt_ins(db: &TestDb, user: Uuid) -> (bool, bool) {
    let rows = db
        .query(
            "select marketing_opt_in, product_updates_opt_in from public.email_preferences where user_id = $1",
            &[&user],
        )
        .await;
    (rows[0].get(0), rows[0].get(1))
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer
        .headers
        .get(name)
        .map_or("", |value| value.to_str().expect("text"))
}

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
    let db = TestDb::only(&["E-CONV-03", "E-SEC-02"]).await;
    let (user, token) = reader(&db, "lea").await;
    let enqueue = "select public.email_enqueue($1, $2, $3, $4)";
    let payload =
        serde_json::json!({"feature": "sdh", "ip": "192.0.2.1", "country": "FR", "device": "x"});
    db.query(enqueue, &[&"E-CONV-03", &user, &"first", &payload])
        .await;
    db.query(enqueue, &[&"E-CONV-03", &user, &"retried", &payload])
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

#[tokio::test]
async fn preferences_are_shown_and_saved() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/preferences/{token}");
    let page = web.get(&path).await;
    assert_eq!(page.status, StatusCode::OK);
    for ticked in ["product_updates_opt_in", "marketing_opt_in"] {
        assert!(
            page.body
                .contains(&format!("name=\"{ticked}\" value=\"1\" checked")),
            "{ticked}"
        );
    }
    assert!(
        page.body.contains("name=\"tracking_consent\" value=\"1\">"),
        "consent is never given in advance"
    );
    assert!(page.body.contains("<option selected>Europe/Paris</option>"));

    let saved = web
        .post(
            &path,
            "save=1&product_updates_opt_in=1&tracking_consent=1&timezone=Asia%2FTokyo",
        )
        .await;
    assert_eq!(saved.status, StatusCode::OK);
    assert!(saved.body.contains("role=\"status\""));
    assert!(saved.body.contains("<option selected>Asia/Tokyo</option>"));
    let row = &db
        .query(
            "select marketing_opt_in, product_updates_opt_in, security_opt_in, tracking_consent, timezone
             from public.email_preferences where user_id = $1",
            &[&user],
        )
        .await[0];
    assert_eq!(
        (
            row.get(0),
            row.get(1),
            row.get(2),
            row.get(3),
            row.get::<_, String>(4)
        ),
        (false, true, true, true, "Asia/Tokyo".to_owned())
    );

    // A zone nobody knows keeps the old one; a zone that only the database has is shown.
    web.post(&path, "save=1&timezone=Mars%2FOlympus").await;
    let zone = "select timezone from public.email_preferences where user_id = $1";
    assert_eq!(db.value::<String>(zone, &[&user]).await, "Asia/Tokyo");
    db.exec("update public.email_preferences set timezone = 'posixrules'")
        .await;
    assert!(
        web.get(&path)
            .await
            .body
            .contains("<option selected>posixrules</option>")
    );
}

#[tokio::test]
async fn who_opted_out_as_an_address_is_shown_so_and_may_come_back() {
    let db = TestDb::new().await;
    let (_, token) = reader(&db, "lea").await;
    db.exec("insert into public.email_suppressions (email, reason, source) values ('LEA@example.com', 'unsubscribed', 'postmark')").await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/preferences/{token}");
    assert!(!web.get(&path).await.body.contains(" checked"));
    web.post(&path, "save=1&marketing_opt_in=1").await;
    assert_eq!(
        db.value::<i64>("select count(*) from public.email_suppressions", &[])
            .await,
        0
    );
}

#[tokio::test]
async fn a_preferences_link_nobody_has_or_a_form_without_fields_changes_nothing() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    for token in [
        Uuid::new_v4().to_string(),
        token.to_string()[..30].to_owned(),
    ] {
        let path = format!("/preferences/{token}");
        assert_eq!(web.get(&path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(
            web.post(&path, "save=1").await.status,
            StatusCode::NOT_FOUND
        );
    }
    let answer = web
        .post(
            &format!("/preferences/{token}"),
            "List-Unsubscribe=One-Click",
        )
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(opt_ins(&db, user).await, (true, true));
}

#[tokio::test]
async fn a_score_link_shows_the_form_and_sending_it_records_the_answer_once() {
    let db = TestDb::only(&["E-ADV-02"]).await;
    let (user, token) = reader(&db, "lea").await;
    sent(&db, user, "E-ADV-01", "nps_survey:lea:30d").await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/nps/{token}");
    let page = web.get(&format!("{path}?score=9")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("value=\"9\" required checked"));
    let answers = "select count(*) from public.email_signals where kind = 'nps_answered'";
    assert_eq!(
        db.value::<i64>(answers, &[]).await,
        0,
        "a GET records nothing"
    );

    let thanks = web
        .post(
            &format!("{path}?score=9"),
            "score=10&comment=Tr%C3%A8s+utile%0D%0A%3Cb%3E",
        )
        .await;
    assert_eq!(thanks.status, StatusCode::OK);
    let again = web.post(&path, "score=0").await;
    assert!(again.body.contains("déjà répondu"));
    let rows = db
        .query(
            "select user_id, payload from public.email_signals where kind = 'nps_answered'",
            &[],
        )
        .await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, Uuid>(0), user);
    assert_eq!(
        rows[0].get::<_, serde_json::Value>(1),
        serde_json::json!({"score": 10, "comment": "Très utile\n<b>"})
    );
    let asked = "select count(*) from public.email_outbox where email_type = 'E-ADV-02'";
    assert_eq!(
        db.value::<i64>(asked, &[]).await,
        1,
        "a promoter is asked for a review"
    );
}

#[tokio::test]
async fn a_score_may_stand_in_the_link_only() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    sent(&db, user, "E-ADV-01", "nps_survey:lea:30d").await;
    let web = Web::start(&db, &[]).await;
    web.post(&format!("/nps/{token}?score=6"), "").await;
    let score = "select (payload ->> 'score')::integer from public.email_signals where kind = 'nps_answered'";
    assert_eq!(db.value::<i32>(score, &[]).await, 6);
}

#[tokio::test]
async fn an_answer_before_the_survey_is_the_answer_to_it() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/nps/{token}");
    web.post(&path, "score=8").await;
    sent(&db, user, "E-ADV-01", &format!("nps_survey:{user}:30d")).await;
    assert!(
        web.post(&path, "score=3")
            .await
            .body
            .contains("déjà répondu")
    );
    // Another survey, with a key of its own, is another question.
    sent(&db, user, "E-ADV-01", &format!("nps_survey:{user}:1y")).await;
    db.exec("update public.email_deliveries set created_at = created_at + interval '1 year' where dedupe_key like '%1y'").await;
    web.post(&path, "score=3").await;
    let scores = "select string_agg(payload ->> 'score', ' ' order by id) from public.email_signals where kind = 'nps_answered'";
    assert_eq!(db.value::<String>(scores, &[]).await, "8 3");
}

#[tokio::test]
async fn scores_that_are_none_and_people_we_do_not_ask_record_nothing() {
    let db = TestDb::new().await;
    let (_, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    for score in ["11", "-1", "9.5", "neuf", "99999999999999999999"] {
        let path = format!("/nps/{token}?score={score}");
        assert_eq!(
            web.get(&path).await.status,
            StatusCode::BAD_REQUEST,
            "{score}"
        );
        assert_eq!(
            web.post(&path, "").await.status,
            StatusCode::BAD_REQUEST,
            "{score}"
        );
    }
    assert_eq!(
        web.post(&format!("/nps/{token}"), "comment=x").await.status,
        StatusCode::BAD_REQUEST
    );
    let contact: Uuid = db
        .value(
            "insert into public.email_project_contacts (project_id, email, role) values (gen_random_uuid(), 'ops@example.com', 'admin') returning unsubscribe_token",
            &[],
        )
        .await;
    for token in [contact, Uuid::new_v4()] {
        let answer = web.post(&format!("/nps/{token}"), "score=9").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        db.value::<i64>(
            "select count(*) from public.email_signals where kind = 'nps_answered'",
            &[]
        )
        .await,
        0
    );
}

#[tokio::test]
async fn pages_keep_their_token_to_themselves() {
    let db = TestDb::new().await;
    let (_, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    for path in [
        format!("/unsubscribe/{token}"),
        format!("/preferences/{token}"),
        format!("/nps/{token}"),
        format!("/preferences/{}", Uuid::new_v4()),
    ] {
        let answer = web.get(&path).await;
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert!(header(&answer, "x-robots-tag").contains("noindex"));
        let policy = header(&answer, "content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        let style = answer
            .body
            .split_once("<style>")
            .and_then(|(_, rest)| rest.split_once("</style>"));
        let hash = STANDARD.encode(Sha256::digest(style.expect("a style sheet").0));
        assert!(
            policy.contains(&format!("style-src 'sha256-{hash}'")),
            "{policy}"
        );
        assert!(answer.headers.get("set-cookie").is_none());
        assert!(!answer.body.contains("<script") && !answer.body.contains(" style=\""));
        assert!(
            answer.body.len() < 32 * 1024,
            "{path}: {} bytes",
            answer.body.len()
        );
    }
}

#[tokio::test]
async fn too_much_is_refused_before_anything_changes() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    for path in ["unsubscribe", "preferences", "nps"] {
        let answer = web
            .post(&format!("/{path}/{token}"), &"x".repeat(300 * 1024))
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    assert_eq!(opt_ins(&db, user).await, (true, true));
    assert_eq!(
        web.request(Method::DELETE, &format!("/unsubscribe/{token}"))
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn without_a_database_readers_are_told_to_come_back() {
    let web = Web::at("postgres://nobody@127.0.0.1:1/none", &[]).await;
    let token = Uuid::new_v4();
    let asked = web.get(&format!("/unsubscribe/{token}")).await;
    assert_eq!(asked.status, StatusCode::OK, "asking needs none");
    for answer in [
        web.post(&format!("/unsubscribe/{token}"), "").await,
        web.get(&format!("/preferences/{token}")).await,
        web.post(&format!("/nps/{token}"), "score=9").await,
    ] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&answer, "retry-after"), "60");
        assert!(answer.body.contains("rien n’a été changé"));
    }
}

#[tokio::test]
async fn pages_follow_a_clock_that_was_moved() {
    let db = TestDb::new().await;
    let (user, token) = reader(&db, "lea").await;
    let web = Web::start(&db, &[]).await;
    let path = format!("/preferences/{token}");
    web.get(&path).await;
    db.set_clock_offset("3 days").await;
    let reply = seqpulse_mailer::db::workers::HeartbeatReply {
        armed: true,
        paused: None,
        clock_offset: Some("3 days".into()),
        pooled: false,
        lag: None,
    };
    web.vitals.seen(&reply, true);
    web.post(&path, "save=1").await;
    let moved = "select updated_at > now() + interval '2 days' from public.email_preferences where user_id = $1";
    assert!(db.value::<bool>(moved, &[&user]).await);
}

/// Every page as a person sees it, without its style sheet and with the zones left out.
#[tokio::test]
async fn pages_read_as_they_were_proofread() {
    let db = TestDb::new().await;
    let (user, _) = reader(&db, "lea").await;
    let token = "11111111-2222-4333-8444-555555555555";
    let contact = "66666666-2222-4333-8444-555555555555";
    db.query(
        "update public.email_preferences set unsubscribe_token = $2::text::uuid where user_id = $1",
        &[&user, &token],
    )
    .await;
    db.query("insert into public.email_project_contacts (project_id, email, role, unsubscribe_token) values (gen_random_uuid(), 'o@example.com', 'admin', $1::text::uuid)", &[&contact]).await;
    sent(&db, user, "E-ADV-01", "nps_survey:lea:30d").await;
    let web = Web::start(&db, &[]).await;
    let pages = [
        (
            "unsubscribe-marketing",
            web.get(&format!("/unsubscribe/{token}?c=marketing")).await,
        ),
        (
            "unsubscribe-product",
            web.get(&format!("/unsubscribe/{token}?c=product")).await,
        ),
        (
            "unsubscribe-both",
            web.get(&format!("/unsubscribe/{token}")).await,
        ),
        (
            "preferences",
            web.get(&format!("/preferences/{token}")).await,
        ),
        (
            "preferences-contact",
            web.get(&format!("/preferences/{contact}")).await,
        ),
        (
            "preferences-saved",
            web.post(
                &format!("/preferences/{token}"),
                "save=1&product_updates_opt_in=1",
            )
            .await,
        ),
        ("preferences-unknown", web.get("/preferences/nobody").await),
        (
            "preferences-incomplete",
            web.post(&format!("/preferences/{token}"), "").await,
        ),
        (
            "unsubscribed",
            web.post(&format!("/unsubscribe/{token}?c=marketing"), "")
                .await,
        ),
        ("nps", web.get(&format!("/nps/{token}?score=9")).await),
        (
            "nps-wrong",
            web.get(&format!("/nps/{token}?score=11")).await,
        ),
        (
            "nps-thanks",
            web.post(&format!("/nps/{token}"), "score=9").await,
        ),
        (
            "nps-again",
            web.post(&format!("/nps/{token}"), "score=9").await,
        ),
    ];
    let keep = std::env::var_os("KEEP_PAGES").map(PathBuf::from);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/pages");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, answer) in pages {
        if let Some(directory) = &keep {
            std::fs::create_dir_all(directory).expect("a directory");
            std::fs::write(directory.join(format!("E-page-{name}.html")), &answer.body)
                .expect("a page");
        }
        let text = without(
            &without(&answer.body, "<style>", "</style>"),
            "<optgroup",
            "</select>",
        );
        settings.bind(|| insta::assert_snapshot!(name, text.replace('\u{a0}', "~")));
    }
}

/// The text with everything from one mark to the next left out.
fn without(text: &str, from: &str, to: &str) -> String {
    match text.split_once(from) {
        Some((before, rest)) => {
            let after = rest.split_once(to).map_or("", |(_, after)| after);
            format!("{before}{from}…{to}{after}")
        }
        None => text.to_owned(),
    }
}
