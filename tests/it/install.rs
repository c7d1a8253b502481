//! `migrate`: once, twice, at the same time, half-way, by hand, and refusing what it must refuse.

use std::process::Output;

use crate::support::{BINARY, TestDb, migrate, skip};

async fn mailer(db: &TestDb, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(BINARY);
    command.args(args).env_clear().env("DATABASE_URL", db.url());
    command.output().await.expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everything of ours that a second migrate could touch.
const STATE: &str = "
select md5(string_agg(line, ' ' order by line)) from (
    select 'proc ' || p.oid || ' ' || p.xmin from pg_proc p where p.proname like 'email\\_%'
    union all
    select 'class ' || c.oid || ' ' || c.xmin from pg_class c where c.relname like 'email\\_%'
    union all
    select 'trigger ' || t.oid || ' ' || t.xmin from pg_trigger t where t.tgname like 'email\\_%'
    union all
    select 'type ' || t.code || ' ' || t.xmin from public.email_types t
) state (line)";

#[tokio::test]
async fn a_second_migrate_changes_nothing_and_says_so() {
    let db = TestDb::new().await;
    let before: String = db.value(STATE, &[]).await;
    let second = mailer(&db, &["migrate"]).await;
    assert!(second.status.success(), "{}", stderr(&second));
    assert_eq!(stdout(&second), "nothing to do: everything is applied\n");
    assert_eq!(db.value::<String>(STATE, &[]).await, before);
}

/// An upgrade applies files that changed, in any combination: none may need another one's objects to be gone.
#[tokio::test]
async fn every_file_can_be_applied_again_alone_and_all_together() {
    let db = TestDb::new().await;
    let paths = db
        .query("select path from public.email_sql_files order by path", &[])
        .await;
    for row in &paths {
        let path: String = row.get(0);
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
        let text = std::fs::read_to_string(file).expect("the file");
        let applied = db
            .client()
            .await
            .batch_execute(&format!("begin; {text}; rollback"))
            .await;
        let said = applied
            .as_ref()
            .map_or_else(crate::support::describe, |()| "done".to_owned());
        db.exec("rollback").await;
        assert_eq!(said, "done", "{path}");
    }
    db.exec("update public.email_sql_files set checksum = ''")
        .await;
    let again = mailer(&db, &["migrate"]).await;
    assert!(again.status.success(), "{}", stderr(&again));
}

#[tokio::test]
async fn check_lists_what_is_pending_exits_3_and_changes_nothing() {
    let db = TestDb::bare().await;
    let pending = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(pending.status.code(), Some(3));
    let lines = stdout(&pending);
    assert!(
        lines.starts_with("pending  V01__roles_and_sql_files\n"),
        "{lines}"
    );
    assert!(
        lines.contains("pending  sql/triggers/E-TRX-01_welcome.sql\n"),
        "{lines}"
    );
    let tables: i64 = db
        .value(
            "select count(*) from pg_class where relname like 'email\\_%'",
            &[],
        )
        .await;
    assert_eq!(tables, 0);

    migrate(db.url()).await.expect("it migrates");
    let done = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(
        (done.status.code(), stdout(&done).as_str()),
        (Some(0), "nothing pending, nothing drifted\n")
    );
}

#[tokio::test]
async fn what_was_changed_by_hand_is_reported_and_left_alone() {
    let db = TestDb::new().await;
    db.exec("alter table public.users disable trigger email_trx_01_insert")
        .await;
    let check = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(check.status.code(), Some(3));
    assert!(
        stdout(&check).starts_with("drifted  sql/triggers/E-TRX-01_welcome.sql"),
        "{}",
        stdout(&check)
    );

    let again = mailer(&db, &["migrate"]).await;
    assert!(again.status.success());
    let enabled: String = db
        .value(
            "select tgenabled::text from pg_trigger where tgname = 'email_trx_01_insert'",
            &[],
        )
        .await;
    assert_eq!(
        enabled, "D",
        "a trigger that a person disabled stays disabled"
    );

    db.exec("alter table public.users enable trigger email_trx_01_insert")
        .await;
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(0)
    );
    db.exec("drop function public.email_step(text) cascade")
        .await;
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(3),
        "a dropped function is drift too"
    );
}

#[tokio::test]
async fn what_tables_need_is_watched_like_every_other_function() {
    let db = TestDb::new().await;
    db.exec("create or replace function public.email_now() returns timestamptz language sql stable parallel safe as 'select pg_catalog.now()'")
        .await;
    let check = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(check.status.code(), Some(3));
    assert!(
        stdout(&check).starts_with("drifted  sql/core/01_clock.sql"),
        "{}",
        stdout(&check)
    );

    // Without the function that fingerprints, nothing can be compared, so every file is applied anew.
    db.exec("drop function public.email_fingerprint(text[])")
        .await;
    let check = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(check.status.code(), Some(3));
    assert!(
        stdout(&check).starts_with("pending  sql/core/00_installing.sql"),
        "{}",
        stdout(&check)
    );
    let mended = mailer(&db, &["migrate"]).await;
    assert!(mended.status.success(), "{}", stderr(&mended));
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(0)
    );
}

#[tokio::test]
async fn two_migrates_at_once_wait_for_each_other() {
    let db = TestDb::bare().await;
    let (one, two) = tokio::join!(mailer(&db, &["migrate"]), mailer(&db, &["migrate"]));
    assert!(one.status.success(), "{}", stderr(&one));
    assert!(two.status.success(), "{}", stderr(&two));
    let idle = "nothing to do: everything is applied\n";
    let outputs = [stdout(&one), stdout(&two)];
    assert_eq!(
        outputs.iter().filter(|output| *output == idle).count(),
        1,
        "{outputs:?}"
    );
}

#[tokio::test]
async fn a_role_that_appears_later_gets_its_grants_from_the_next_migrate() {
    let db = TestDb::new().await;
    db.exec("update public.email_sql_files set checksum = 'made while a role was missing'")
        .await;
    let output = mailer(&db, &["migrate"]).await;
    assert!(
        stdout(&output).contains("applied  sql/core/90_grants.sql"),
        "{}",
        stdout(&output)
    );
}

#[tokio::test]
async fn the_sql_files_run_with_plain_psql_too() {
    if std::process::Command::new("psql")
        .arg("--version")
        .output()
        .is_err()
    {
        return skip("psql is not installed (Debian: postgresql-client-15)");
    }
    let db = TestDb::only(&["E-TRX-01"]).await;
    db.exec("drop function public.email_trx_01_trigger() cascade")
        .await;
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/sql/triggers/E-TRX-01_welcome.sql"
    );
    let psql = tokio::process::Command::new("psql")
        .args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            db.url(),
            "-f",
            file,
        ])
        .output()
        .await
        .expect("psql is installed");
    assert!(psql.status.success(), "{}", stderr(&psql));
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(0)
    );
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    assert_eq!(
        db.value::<i64>("select count(*) from public.email_outbox", &[])
            .await,
        1
    );
}

#[tokio::test]
async fn a_database_that_is_not_seqpulses_is_refused_by_name() {
    let db = TestDb::bare().await;
    db.exec("drop table public.sdh_hints").await;
    let output = mailer(&db, &["migrate"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "seqpulse-mailer: this database lacks SEQPULSE's tables: sdh_hints (is DATABASE_URL the application's own database?)\n"
    );
}

#[tokio::test]
async fn an_existing_journal_is_adopted_with_its_rows() {
    let db = TestDb::bare().await;
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    db.exec(
        "create table email_deliveries (
             id uuid primary key,
             user_id uuid not null references users (id) on delete cascade,
             project_id uuid references projects (id) on delete set null,
             email_type varchar(40) not null,
             dedupe_key varchar(255) not null,
             status varchar(20) not null default 'queued',
             provider_message_id varchar(255),
             payload_json jsonb,
             error_message text,
             sent_at timestamptz,
             created_at timestamptz not null default now()
         );
         create unique index uq_email_deliveries_dedupe_key on email_deliveries (dedupe_key);",
    )
    .await;
    db.query(
        "insert into email_deliveries (id, user_id, email_type, dedupe_key, status, sent_at)
         values (gen_random_uuid(), $1::uuid, 'E-TRX-01', 'welcome_signup:' || ($1::uuid)::text, 'sent', now())",
        &[&user],
    )
    .await;
    migrate(db.url()).await.expect("it migrates");
    let again: Option<i64> = db
        .value(
            "select public.email_enqueue('E-TRX-01', $1::uuid, 'welcome_signup:' || ($1::uuid)::text)",
            &[&user],
        )
        .await;
    assert_eq!(again, None, "what the application sent is not sent again");
    db.query("delete from users where id = $1", &[&user]).await;
    let kept: i64 = db
        .value(
            "select count(*) from email_deliveries where status = 'sent'",
            &[],
        )
        .await;
    assert_eq!(
        kept, 1,
        "deleting a user does not erase the memory of what was sent"
    );
}
