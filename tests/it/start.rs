//! `run` refuses what it must not work on, says what to do, and waits for a database that is away.

use std::net::TcpListener;

use throwaway::cluster::{Cluster, StopMode};

use crate::support::{SidecarBuilder, TestDb, migrate, wait_for};

fn console(url: &str) -> SidecarBuilder {
    SidecarBuilder::command(&["run"])
        .env("DATABASE_URL", url)
        .env("HTTP_LISTEN", "off")
}

#[tokio::test]
async fn a_database_that_was_never_migrated_is_refused() {
    let db = TestDb::bare().await;
    let (status, log) = console(db.url()).run().await;
    assert_eq!(status.code(), Some(1));
    assert_eq!(
        log,
        "seqpulse-mailer: this database is not migrated: run \"seqpulse-mailer migrate\" against it first\n"
    );
}

#[tokio::test]
async fn a_database_that_is_behind_or_ahead_is_refused() {
    let db = TestDb::new().await;
    db.exec("insert into public.email_schema_history (version, name, applied_on, checksum) values (9999, 'from_the_future', '2030-01-01T00:00:00Z', '1')")
        .await;
    let (status, log) = console(db.url()).run().await;
    assert_eq!(status.code(), Some(1));
    assert!(
        log.contains("migrations up to V9999, but this binary knows only V"),
        "{log}"
    );
    let refused = migrate(db.url()).await.expect_err("migrate refuses it too");
    assert!(
        refused.contains("use the newer seqpulse-mailer"),
        "{refused}"
    );

    db.exec("delete from public.email_schema_history where version > 3")
        .await;
    let (status, log) = console(db.url()).run().await;
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("up to V3, this binary needs V"), "{log}");
    assert!(
        log.contains("run \"seqpulse-mailer migrate\" first"),
        "{log}"
    );
}

#[tokio::test]
async fn a_database_that_is_away_is_waited_for() {
    let mut cluster = Cluster::builder().start().expect("a cluster");
    let admin = crate::support::connect_to(&cluster.url("postgres")).await;
    admin
        .batch_execute(crate::support::SEQPULSE_SCHEMA)
        .await
        .expect("SEQPULSE's tables");
    drop(admin);
    migrate(&cluster.url("postgres"))
        .await
        .expect("it migrates");
    cluster.stop(StopMode::Fast).expect("stops");
    let mut sidecar = console(&cluster.url("postgres")).spawn();
    sidecar.wait_for_log("retry_in_ms").await;
    cluster.start().expect("starts again");
    sidecar.wait_for_log("listening").await;
    assert_eq!(sidecar.stop().await.code(), Some(0));
}

#[tokio::test]
async fn sigterm_ends_the_waiting_too() {
    // Bound and never listened on: nobody else takes the port, and nobody answers.
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let mut sidecar = console(&format!("postgres://nobody@127.0.0.1:{port}/none")).spawn();
    sidecar.wait_for_log("retry_in_ms").await;
    assert_eq!(sidecar.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_wrong_password_is_not_waited_for() {
    let db = TestDb::new().await;
    let (status, log) = console(&db.url_as("nobody_we_know")).run().await;
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("nobody_we_know"), "{log}");
}

#[tokio::test]
async fn what_enabled_letters_need_is_asked_for_at_start() {
    let db = TestDb::new().await;
    let sender = |db: &TestDb| crate::support::Sidecar::builder(db, "resend", "http://127.0.0.1:9");
    let (status, log) = sender(&db).without("EMAIL_POSTAL_ADDRESS").run().await;
    assert_eq!(status.code(), Some(2));
    assert!(
        log.contains("EMAIL_POSTAL_ADDRESS is missing")
            && log.contains("for example EMAIL_POSTAL_ADDRESS="),
        "{log}"
    );
    let (status, log) = sender(&db).without("EMAIL_REVIEW_URL").run().await;
    assert_eq!(status.code(), Some(2));
    assert!(log.contains("EMAIL_REVIEW_URL is missing"), "{log}");

    db.exec("update public.email_types set enabled = code = 'E-TRX-01'")
        .await;
    let mut sidecar = sender(&db)
        .without("EMAIL_POSTAL_ADDRESS")
        .without("EMAIL_REVIEW_URL")
        .spawn();
    sidecar.wait_for_log("listening").await;
    assert_eq!(sidecar.stop().await.code(), Some(0));
}

#[tokio::test]
async fn run_needs_only_the_workers_role() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let role = format!("mailer_{}", db.name());
    db.exec(&format!("create role {role} login in role email_worker"))
        .await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    let mut sidecar = console(&db.url_as(&role)).spawn();
    db.wait_until("select status = 'sent' from public.email_outbox")
        .await;
    let (status, checks) = SidecarBuilder::command(&["doctor"])
        .env("DATABASE_URL", &db.url_as(&role))
        .run()
        .await;
    assert_eq!(status.code(), Some(0), "{checks}");
    sidecar.stop().await;
    for forbidden in [
        "select hashed_password from public.users",
        "select api_key from public.projects",
        "delete from public.email_deliveries",
    ] {
        let client = crate::support::connect_to(&db.url_as(&role)).await;
        assert!(
            client.batch_execute(forbidden).await.is_err(),
            "{forbidden}"
        );
    }
    db.exec(&format!("drop owned by {role}; drop role {role}"))
        .await;
}

#[tokio::test]
async fn doctor_fails_when_something_is_wrong_and_says_what_to_do() {
    let db = TestDb::new().await;
    let doctor = async || {
        SidecarBuilder::command(&["doctor"])
            .env("DATABASE_URL", db.url())
            .run()
            .await
    };
    let (status, checks) = doctor().await;
    assert_eq!(status.code(), Some(0), "{checks}");
    for (wrong, line) in [
        (
            "alter table public.users disable trigger email_trx_01_insert",
            "FAIL  triggers        sql/triggers/E-TRX-01_welcome.sql: changed, dropped or disabled",
        ),
        (
            "select public.email_pause(null, 'migration du fournisseur')",
            "FAIL  sending         paused: migration du fournisseur; to start again: select public.email_resume()",
        ),
        (
            "update public.email_settings set armed_for = null",
            "FAIL  armed           nothing is sent",
        ),
        (
            "insert into public.email_trigger_errors (source, error) values ('users', '42703: x')",
            "FAIL  trigger errors  1 facts",
        ),
    ] {
        db.exec(wrong).await;
        let (status, checks) = doctor().await;
        assert_eq!(status.code(), Some(1), "{checks}");
        assert!(checks.contains(line), "{checks}");
    }
    // What is away is said, not waited for.
    let (status, checks) = SidecarBuilder::command(&["doctor"])
        .env("DATABASE_URL", "postgres://a@127.0.0.1:9/b")
        .run()
        .await;
    assert_eq!(status.code(), Some(1));
    wait_for("a line about the database", async || {
        checks.contains("FAIL  database")
    })
    .await;
}
