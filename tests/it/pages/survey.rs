//! The preferences, and the survey.

use reqwest::StatusCode;
use uuid::Uuid;

use super::{opt_ins, reader, sent};
use crate::support::TestDb;
use crate::support::web::Web;

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
