//! The questions that letters ask, from the claim to the signal: the pages over HTTP with the sidecar's rights, and once with
//! a real browser.

#![expect(clippy::unwrap_used, reason = "tests")]

mod browser;

use std::path::PathBuf;

use letters::{Category, Recipient, Site, samples};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::support::TestDb;
use crate::support::web::{Web, send};

/// The letters that ask; no other may hold them back.
const ASKING: [&str; 3] = ["E-SEC-02", "E-RET-02", "E-RET-04"];

/// A letter that was claimed, and where its button leads below the server.
struct Asked {
    user: Uuid,
    path: String,
}

/// Lets something cause a letter, claims it, writes it, and takes the address of its button.
async fn asked(db: &TestDb, code: &str, name: &str) -> Asked {
    let user = db
        .sign_up(&format!("{name} Martin"), &format!("{name}@example.com"))
        .await;
    match code {
        "E-SEC-02" => {
            db.query(
                "select public.email_signal('suspicious_login', $1, null, '{\"ip\": \"198.51.100.77\", \"country\": \"VN\", \"device\": \"Chrome sur Windows\"}', '2026-03-03T02:14:00Z')",
                &[&user],
            )
            .await;
            // The fact is older than the installation.
            db.query(
                "insert into public.email_outbox (email_type, user_id, dedupe_key, payload)
                 select 'E-SEC-02', $1, 'suspicious_login:' || s.id, s.payload || jsonb_build_object('signal_id', s.id, 'occurred_at', s.occurred_at)
                 from public.email_signals s where s.user_id = $1 and s.kind = 'suspicious_login'
                 on conflict do nothing",
                &[&user],
            )
            .await;
        }
        "E-RET-04" => {
            db.query(
                "update public.users set created_at = public.email_now() - interval '31 days' where id = $1",
                &[&user],
            )
            .await;
            db.query(
                "insert into public.email_outbox (email_type, user_id, dedupe_key, payload)
                 select 'E-RET-04', u.id, format('inactive_30d:%s:%s:J30', u.id, u.created_at::date), jsonb_build_object('step', 'J30', 'last_active_day', u.created_at::date::text)
                 from public.users u where u.id = $1",
                &[&user],
            )
            .await;
        }
        _ => {
            db.query(
                "with p as (
                     insert into public.projects (owner_id, name, plan, api_key, hmac_secret, envs) values ($1, 'Checkout API', 'free', gen_random_uuid()::text, gen_random_uuid()::text, '{prod}') returning id
                 )
                 insert into public.deployments (project_id, deployment_number, state, started_at, env)
                 select p.id, n, 'analyzed', date_trunc('week', public.email_now() at time zone 'Europe/Paris') at time zone 'Europe/Paris' - interval '10 days' + n * interval '1 minute', 'prod'
                 from p cross join generate_series(1, 20) n",
                &[&user],
            )
            .await;
            db.query(
                "insert into public.email_outbox (email_type, user_id, project_id, dedupe_key)
                 select 'E-RET-02', $1, p.id, format('activity_drop:%s:%s', p.id, to_char((public.email_now() at time zone 'Europe/Paris')::date - 7, 'IYYY-\"W\"IW'))
                 from public.projects p where p.owner_id = $1",
                &[&user],
            )
            .await;
        }
    }
    let rows = db
        .query(
            "select delivery_id, context, category, unsubscribe_token
             from public.email_claim('test', 'console', 100, interval '1 minute')
             where email_type = $1",
            &[&code],
        )
        .await;
    assert_eq!(rows.len(), 1, "{code}");
    let row = &rows[0];
    let recipient = Recipient {
        delivery_id: row.get("delivery_id"),
        category: row.get::<_, &str>("category").parse::<Category>().unwrap(),
        unsubscribe_token: row.get("unsubscribe_token"),
        subject: None,
    };
    let context: Value = row.get("context");
    let letter = letters::render(code, &context, &recipient, &site()).unwrap();
    let (_, button) = letter.html.split_once("class=\"button\"").unwrap();
    let (_, href) = button.split_once("href=\"").unwrap();
    let (href, _) = href.split_once('"').unwrap();
    let path = href.strip_prefix("https://mail.example.com").unwrap();
    assert!(path.starts_with("/answer/"), "{href}");
    assert!(letter.text.contains(href), "{}", letter.text);
    Asked {
        user,
        path: path.to_owned(),
    }
}

fn site() -> Site {
    samples::site()
}

/// What was told about a user on our own pages.
async fn told(db: &TestDb, user: Uuid) -> Vec<String> {
    db.query(
        "select kind || ' ' || payload::text from public.email_signals
         where user_id = $1 and kind in ('login_confirmed', 'login_disowned', 'still_active', 'integration_check_requested')
         order by id",
        &[&user],
    )
    .await
    .iter()
    .map(|row| row.get(0))
    .collect()
}

#[tokio::test]
async fn opening_the_page_records_nothing() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    for (code, button) in [
        ("E-SEC-02", "Ce n’était pas moi</button>"),
        ("E-RET-04", "Oui, je reste actif</button>"),
        ("E-RET-02", "Demander un check intégration</button>"),
    ] {
        let letter = asked(&db, code, &code.to_lowercase()).await;
        for method in [Method::GET, Method::HEAD] {
            let answer = send(web.request(method, &letter.path)).await;
            assert_eq!(answer.status, StatusCode::OK, "{code}");
        }
        let page = web.get(&letter.path).await.body;
        assert!(page.contains(button), "{code}: {page}");
        assert_eq!(told(&db, letter.user).await, Vec::<String>::new(), "{code}");
    }
}

#[tokio::test]
async fn pressing_the_button_records_the_answer_once() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    for (code, said, kind, heading) in [
        ("E-SEC-02", "disowned", "login_disowned", "C’est signalé"),
        ("E-RET-04", "active", "still_active", "Merci, c’est noté"),
        (
            "E-RET-02",
            "check",
            "integration_check_requested",
            "Votre demande est enregistrée",
        ),
    ] {
        let letter = asked(&db, code, &code.to_lowercase()).await;
        for round in 0..2 {
            let answer = web.post(&letter.path, &format!("answer={said}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{code} {round}");
            assert!(
                answer.body.contains(&format!("<h1>{heading}</h1>")),
                "{code} {round}: {}",
                answer.body
            );
        }
        let kinds: Vec<String> = told(&db, letter.user)
            .await
            .iter()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, [kind], "{code}");
        let page = web.get(&letter.path).await.body;
        assert!(page.contains("role=\"status\""), "{code}: {page}");
    }
}

#[tokio::test]
async fn two_presses_at_once_record_one_answer() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let letter = asked(&db, "E-RET-04", "lea").await;
    let press = || web.post(&letter.path, "answer=active");
    let (a, b, c, d) = tokio::join!(press(), press(), press(), press());
    for answer in [a, b, c, d] {
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(told(&db, letter.user).await, ["still_active {}"]);
}

#[tokio::test]
async fn a_report_stays_and_a_confirmation_does_not() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let letter = asked(&db, "E-SEC-02", "lea").await;
    let signal: i64 = db
        .value(
            "select id from public.email_signals where user_id = $1 and kind = 'suspicious_login'",
            &[&letter.user],
        )
        .await;
    let confirmed = web.post(&letter.path, "answer=confirmed").await;
    assert!(confirmed.body.contains("C’était donc vous"));
    let disowned = web.post(&letter.path, "answer=disowned").await;
    assert!(disowned.body.contains("<h1>C’est signalé</h1>"));
    assert!(
        disowned
            .body
            .contains("href=\"http://localhost:3000/dashboard/settings\""),
        "{}",
        disowned.body
    );
    let again = web.post(&letter.path, "answer=confirmed").await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(
        told(&db, letter.user).await,
        [
            format!("login_confirmed {{\"signal_id\": {signal}}}"),
            format!("login_disowned {{\"signal_id\": {signal}}}")
        ]
    );
}

#[tokio::test]
async fn a_stranger_gets_nowhere() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let letter = asked(&db, "E-SEC-02", "lea").await;
    let other = asked(&db, "E-RET-04", "tom").await;
    let id = &letter.path[.."/answer/".len() + 36];
    let key = &letter.path[id.len()..];
    let another_key = &other.path[id.len()..];
    for path in [
        id.to_owned(),
        format!("{id}-"),
        format!("{id}-{}", "0".repeat(32)),
        format!("{id}{another_key}"),
        format!("/answer/{}{key}", Uuid::new_v4()),
        format!("{}x", letter.path),
        "/answer/nobody".to_owned(),
    ] {
        for method in [Method::GET, Method::POST] {
            let request = web
                .request(method.clone(), &path)
                .header("content-type", "application/x-www-form-urlencoded");
            let answer = send(request.body("answer=confirmed")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            assert!(
                answer.body.contains("Ce lien ne fonctionne pas")
                    && answer
                        .body
                        .contains("mailto:support@seqpulse.test?subject="),
                "{method} {path}: {}",
                answer.body
            );
        }
    }
    assert_eq!(told(&db, letter.user).await, Vec::<String>::new());
    assert_eq!(told(&db, other.user).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_form_that_is_not_ours_records_nothing() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let letter = asked(&db, "E-SEC-02", "lea").await;
    for form in [
        "",
        "answer=",
        "answer=active",
        "answer=login_confirmed",
        "List-Unsubscribe=One-Click",
    ] {
        let answer = web.post(&letter.path, form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form}");
    }
    assert_eq!(told(&db, letter.user).await, Vec::<String>::new());
}

#[tokio::test]
async fn forgetting_a_user_ends_the_link() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let letter = asked(&db, "E-RET-02", "lea").await;
    db.query("select public.email_forget_user($1)", &[&letter.user])
        .await;
    assert_eq!(web.get(&letter.path).await.status, StatusCode::NOT_FOUND);
    let answer = web.post(&letter.path, "answer=check").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(told(&db, letter.user).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_retried_letter_keeps_its_link() {
    let db = TestDb::only(&ASKING).await;
    let letter = asked(&db, "E-RET-04", "lea").await;
    let again = "select x.context ->> 'answer_key' = right($1, 32)
        from public.email_outbox o
        cross join lateral public.email_gates(array[o.id]) x
        where o.email_type = 'E-RET-04'";
    assert!(db.value::<bool>(again, &[&letter.path]).await);
}

#[tokio::test]
async fn the_catalogue_begins_with_the_letters_own_buttons() {
    let db = TestDb::new().await;
    let rows = db
        .query(
            "select code, params ->> 'cta_path' from public.email_types order by code",
            &[],
        )
        .await;
    let told: Vec<(String, Option<String>)> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(told.len(), letters::CODES.len());
    for (code, path) in told {
        assert_eq!(path.as_deref(), letters::button(&code), "{code}");
    }
}

/// Every answer page as a person sees it, without its style sheet.
#[tokio::test]
async fn answer_pages_read_as_they_were_proofread() {
    let db = TestDb::only(&ASKING).await;
    let web = Web::start(&db, &[]).await;
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/pages");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (code, answers) in [
        ("E-SEC-02", ["confirmed", "disowned"].as_slice()),
        ("E-RET-04", &["active"]),
        ("E-RET-02", &["check"]),
    ] {
        let letter = asked(&db, code, &code.to_lowercase()).await;
        let mut pages = vec![(code.to_owned(), web.get(&letter.path).await)];
        for answer in answers {
            let said = web.post(&letter.path, &format!("answer={answer}")).await;
            pages.push((format!("{code}-{answer}"), said));
            pages.push((
                format!("{code}-{answer}-before"),
                web.get(&letter.path).await,
            ));
        }
        for (name, page) in pages {
            if let Some(directory) = std::env::var_os("KEEP_PAGES").map(PathBuf::from) {
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::write(
                    directory.join(format!("E-page-answer-{name}.html")),
                    &page.body,
                )
                .unwrap();
            }
            let (before, rest) = page.body.split_once("<style>").unwrap();
            let (_, after) = rest.split_once("</style>").unwrap();
            let text = format!("{before}…{after}").replace('\u{a0}', "~");
            settings.bind(|| insta::assert_snapshot!(format!("answer-{name}"), text));
        }
    }
}
