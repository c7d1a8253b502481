//! The pages that letters link to, over HTTP, against Postgres, with the rights of the sidecar.

mod survey;
mod unsubscribe;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::web::{Answer, Web};

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
