//! The switch from SEQPULSE's own sender, as a DBA plays it: a journal with history, jobs that wait, an application that goes
//! on working before, during and after. Every letter once.
//!
//! Long because the switch is one story, played in order.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{BINARY, Sidecar, TestDb, sandbox, wait_for};

/// The journal as the application made it: the commented part of its schema.
const JOURNAL: &str = "
create table email_deliveries (
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
create unique index uq_email_deliveries_dedupe_key on email_deliveries (dedupe_key);
create index ix_email_deliveries_user_id on email_deliveries (user_id);
create index ix_email_deliveries_project_id on email_deliveries (project_id);
create index ix_email_deliveries_email_type on email_deliveries (email_type);
create index ix_email_deliveries_created_at on email_deliveries (created_at);
create index ix_email_deliveries_sent_at on email_deliveries (sent_at);";

/// What the application does when somebody signs up: a user, and a job for their welcome.
const SIGN_UP: &str = "
with signed_up as (
    insert into users (name, email, hashed_password) values ($1, $2, 'x') returning id, email
)
insert into scheduled_jobs (job_type, scheduled_at, job_metadata)
select 'email_send', now(), jsonb_build_object(
    'user_id', id, 'to_email', email, 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:' || id, 'project_id', null,
    'context', jsonb_build_object('first_name', split_part($1, ' ', 1)))
from signed_up";

async fn mailer(db: &TestDb, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(BINARY);
    command.args(args).env_clear().env("DATABASE_URL", db.url());
    command.output().await.expect("the binary starts")
}

async fn migrated(db: &TestDb) -> String {
    let output = mailer(db, &["migrate"]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn sign_up(client: &Client, name: &str) {
    let email = format!("{}@seqpulse.test", name.to_lowercase().replace(' ', "."));
    client
        .execute(SIGN_UP, &[&name, &email])
        .await
        .expect("the application's statement goes through");
}

/// One row of the journal, as the application's sender left it.
async fn history(db: &TestDb, name: &str, status: &str, message_id: Option<&str>) -> Uuid {
    let email = format!("{}@seqpulse.test", name.to_lowercase());
    let user = db.sign_up(name, &email).await;
    db.query(
        "insert into email_deliveries (id, user_id, email_type, dedupe_key, status, provider_message_id, payload_json, sent_at)
         values (gen_random_uuid(), $1, 'E-TRX-01', 'welcome_signup:' || ($1::uuid)::text, $2::text, $3,
                 jsonb_build_object('to_email', $4::text), case when $2::text = 'sent' then now() end)",
        &[&user, &status, &message_id, &email],
    )
    .await;
    user
}

/// A job of the application's for a letter it may have begun before.
async fn job_for(db: &TestDb, user: Uuid, status: &str) {
    db.query(
        "insert into scheduled_jobs (job_type, scheduled_at, status, job_metadata)
         select 'email_send', now(), $2::text, jsonb_build_object(
             'user_id', id, 'to_email', email, 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:' || id,
             'project_id', null, 'context', '{}'::jsonb)
         from users where id = $1",
        &[&user, &status],
    )
    .await;
}

#[expect(clippy::too_many_lines, reason = "one story, told in order")]
// Long because each step changes what the next one meets.
#[tokio::test]
async fn the_switch_loses_nothing_and_sends_nothing_twice() {
    let db = TestDb::bare().await;
    db.exec(JOURNAL).await;
    let sandbox = sandbox().await;

    // Before: what the application's sender did, and what it left.
    let sent = history(&db, "Sent", "sent", Some("m1")).await;
    let suppressed = history(&db, "Suppressed", "suppressed", None).await;
    let failed = history(&db, "Failed", "failed", None).await;
    let accepted = history(&db, "Accepted", "failed", Some("m2")).await;
    let unknown = history(&db, "Unknown", "queued", None).await;
    let running = db.sign_up("Running", "running@seqpulse.test").await;
    for user in [sent, suppressed, failed, accepted, unknown] {
        job_for(&db, user, "pending").await;
    }
    job_for(&db, running, "running").await;
    for n in 0..20 {
        sign_up(db.client().await, &format!("Before {n}")).await;
    }
    let slack = r#"{"channel": "slack", "payload": {"text": "Rollback recommandé"}}"#;
    let alerted: Uuid = db
        .value(
            "insert into scheduled_jobs (job_type, scheduled_at, job_metadata)
             select 'notification_outbox', now(), jsonb_build_object('notifications', jsonb_build_array(
                 $1::text::jsonb, jsonb_build_object('channel', 'email', 'payload', jsonb_build_object(
                     'user_id', id, 'to_email', email, 'email_type', 'E-TRX-01', 'dedupe_key', 'welcome_signup:alert', 'project_id', null,
                     'context', '{}'::jsonb))))
             from users where email = 'running@seqpulse.test'
             returning id",
            &[&slack],
        )
        .await;
    let foreign: Uuid = db
        .value(
            "insert into scheduled_jobs (job_type, scheduled_at, job_metadata)
             values ('email_send', now(), '{\"user_id\": \"00000000-0000-0000-0000-000000000001\", \"email_type\": \"E-NEW-01\", \"dedupe_key\": \"new:1\"}')
             returning id",
            &[],
        )
        .await;

    let pending = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(pending.status.code(), Some(3));
    let pending = String::from_utf8_lossy(&pending.stdout).into_owned();
    assert!(
        pending.contains("to move  27 pending email and notification jobs"),
        "{pending}"
    );

    // During: the application signs people up while migrate is at work, and in the open transaction of a slow request.
    let stop = Arc::new(AtomicBool::new(false));
    let application = {
        let (client, stop) = (db.connect().await, Arc::clone(&stop));
        tokio::spawn(async move {
            let mut signed_up = 0;
            while !stop.load(Ordering::Relaxed) {
                sign_up(&client, &format!("During {signed_up}")).await;
                signed_up += 1;
            }
            signed_up
        })
    };
    let said = migrated(&db).await;
    stop.store(true, Ordering::Relaxed);
    let during: usize = application.await.expect("no statement failed");
    assert!(during > 0);
    assert!(
        said.contains("adopting the journal email_deliveries: about"),
        "{said}"
    );
    assert!(
        said.contains("the journal holds 5 rows: 1 sent, 1 suppressed, 2 failed, 1 queued"),
        "{said}"
    );
    let moved = said
        .lines()
        .find(|line| line.starts_with("moved "))
        .expect("it says what it moved");
    assert!(
        moved.contains("E-TRX-01") && moved.contains("; 1 left as they are"),
        "{moved}"
    );
    // Four of history; and whoever signed up between the trigger on users and the one on scheduled_jobs has theirs already.
    assert!(
        moved.contains(" of them gave no letter (sent before, or the type is disabled)"),
        "{moved}"
    );
    let again = migrated(&db).await;
    assert!(again.contains("nothing to do"), "{again}");

    // After: the trigger on users and the application's job mean the same letter.
    for n in 0..20 {
        sign_up(db.client().await, &format!("After {n}")).await;
    }
    let left: Vec<String> = db
        .query(
            "select job_type || ' ' || status from scheduled_jobs where status <> 'completed' order by 1",
            &[],
        )
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(
        left,
        [
            "email_send pending",
            "email_send running",
            "notification_outbox pending"
        ]
    );
    let untouched: bool = db
        .value(
            "select job_metadata = jsonb_build_object('notifications', jsonb_build_array($2::text::jsonb)) from scheduled_jobs where id = $1",
            &[&alerted, &slack],
        )
        .await;
    assert!(untouched, "the slack part is all that is left");
    let noted: String = db
        .value(
            "select error from email_trigger_errors where replayed_at is null and row_data ->> 'job_id' = ($1::uuid)::text",
            &[&foreign],
        )
        .await;
    assert_eq!(noted, "23503: unknown email type \"E-NEW-01\"");

    // Sending: everything else waits for its time.
    db.exec("update email_types set enabled = false where code <> 'E-TRX-01'")
        .await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.wait_until(
        "select not exists (select from email_outbox where status in ('queued', 'sending'))",
    )
    .await;
    let mut letters: BTreeMap<String, usize> = BTreeMap::new();
    for entry in sandbox.entries() {
        *letters.entry(entry.to.to_string()).or_default() += 1;
    }
    let twice: Vec<_> = letters.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let mut expected: Vec<String> = (0..20)
        .flat_map(|n| [format!("before.{n}"), format!("after.{n}")])
        .chain((0..during).map(|n| format!("during.{n}")))
        .chain(["failed".into(), "running".into()])
        .map(|name| format!("{name}@seqpulse.test"))
        .collect();
    expected.sort();
    assert_eq!(letters.into_keys().collect::<Vec<_>>(), expected);

    // History is kept and honoured, and what nobody knows is listed.
    let kept: i64 = db
        .value(
            "select count(*) from email_deliveries where outbox_id is null and (user_id, status) in (($1, 'sent'), ($2, 'suppressed'), ($3, 'failed'), ($4, 'queued'))",
            &[&sent, &suppressed, &accepted, &unknown],
        )
        .await;
    assert_eq!(kept, 4);
    let listed: Vec<Uuid> = db
        .query("select user_id from email_unknown_outcomes", &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(listed, [unknown]);
}

/// The indexes of the journal, by name and definition.
const JOURNAL_INDEXES: &str =
    "select indexname::text from pg_indexes where tablename = 'email_deliveries' order by 1";

#[tokio::test]
async fn a_journal_in_another_shape_is_adopted_with_what_it_has() {
    let db = TestDb::bare().await;
    // As an object mapper would have made it: a constraint of another name, no other index, fewer columns.
    db.exec(
        "create table email_deliveries (
             id uuid primary key,
             user_id uuid not null references users (id) on delete cascade,
             project_id uuid references projects (id) on delete set null,
             email_type text not null,
             dedupe_key text not null constraint journal_once unique,
             status text not null,
             created_at timestamptz not null
         );
         create index journal_by_user on email_deliveries (user_id, email_type);
         create index journal_by_type on email_deliveries (email_type, created_at);",
    )
    .await;
    let said = migrated(&db).await;
    for sentence in [
        "index journal_once stays and does the work of uq_email_deliveries_dedupe_key",
        "index journal_by_user stays and does the work of ix_email_deliveries_user_id",
        "building index ix_email_deliveries_created_at",
        "index journal_by_type stays and does the work of email_deliveries_kpi_idx",
        "dropped 2 foreign keys of email_deliveries",
    ] {
        assert!(said.contains(sentence), "{sentence}\n{said}");
    }
    let indexes: Vec<String> = db
        .query(JOURNAL_INDEXES, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(
        indexes,
        [
            "email_deliveries_pkey",
            "ix_email_deliveries_created_at",
            "journal_by_type",
            "journal_by_user",
            "journal_once"
        ]
    );
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(0)
    );
    db.exec("update email_types set enabled = false where code <> 'E-TRX-01'")
        .await;
    let sandbox = sandbox().await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    db.wait_until("select exists (select from email_deliveries where status = 'sent')")
        .await;
}

#[tokio::test]
async fn a_journal_that_cannot_be_adopted_is_refused_with_what_is_wrong() {
    let db = TestDb::bare().await;
    db.exec("create table email_deliveries (id bigint primary key, dedupe_key text, status text, payload_json json, created_at timestamptz)").await;
    let output = mailer(&db, &["migrate"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "seqpulse-mailer: the journal email_deliveries cannot be adopted: its column id is of type bigint where uuid is needed; it lacks the column user_id; \
         it lacks the column email_type; its column payload_json is of type json where jsonb is needed\n"
    );

    let db = TestDb::bare().await;
    db.exec(&JOURNAL.replace("create unique index", "create index"))
        .await;
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    for _ in 0..2 {
        db.query(
            "insert into email_deliveries (id, user_id, email_type, dedupe_key) values (gen_random_uuid(), $1, 'E-TRX-01', 'twice')",
            &[&user],
        )
        .await;
    }
    db.exec("alter index uq_email_deliveries_dedupe_key rename to by_key")
        .await;
    let output = mailer(&db, &["migrate"]).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("uq_email_deliveries_dedupe_key"), "{said}");
    assert!(said.contains("23505"), "{said}");
    // The duplicate is settled by a person; the next run builds the index anew.
    db.exec("delete from email_deliveries where id = (select id from email_deliveries limit 1)")
        .await;
    migrated(&db).await;
}

#[tokio::test]
async fn a_transaction_that_holds_the_journal_is_waited_for_without_holding_up_others() {
    let db = TestDb::bare().await;
    db.exec(JOURNAL).await;
    let mut reader = db.connect().await;
    let open = reader.transaction().await.expect("a transaction");
    open.query_one("select count(*) from email_deliveries", &[])
        .await
        .expect("a count");
    let migrating = {
        let mut command = tokio::process::Command::new(BINARY);
        command
            .arg("migrate")
            .env_clear()
            .env("DATABASE_URL", db.url())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().expect("the binary starts")
    };
    // It tries, gives way, and tries again: others read and write in between, each within the time-out.
    wait_for("migrate to wait for the journal", async || {
        db.value::<bool>(
            "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')",
            &[],
        )
        .await
    })
    .await;
    db.exec("set statement_timeout = '10s'").await;
    for _ in 0..5 {
        db.exec("select count(*) from email_deliveries").await;
    }
    open.commit().await.expect("it ends");
    let output = migrating.wait_with_output().await.expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn the_hand_over_is_installed_when_the_scheduler_appears_and_forgotten_when_it_goes() {
    let db = TestDb::bare().await;
    db.exec("alter table scheduled_jobs rename to elsewhere")
        .await;
    let said = migrated(&db).await;
    assert!(
        !said.contains("applied  sql/triggers/scheduled_jobs_handover.sql"),
        "{said}"
    );
    assert!(
        said.contains(
            "waits    sql/triggers/scheduled_jobs_handover.sql: there is no table scheduled_jobs"
        ),
        "{said}"
    );
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(0)
    );

    db.exec("alter table elsewhere rename to scheduled_jobs")
        .await;
    sign_up(db.client().await, "Waiting").await;
    let pending = mailer(&db, &["migrate", "--check"]).await;
    assert_eq!(pending.status.code(), Some(3));
    assert_eq!(
        String::from_utf8_lossy(&pending.stdout),
        "pending  sql/triggers/scheduled_jobs_handover.sql\n\
         to move  1 pending email and notification jobs of the application's scheduler: migrate takes the emails out of them\n"
    );
    let said = migrated(&db).await;
    assert!(
        said.contains("applied  sql/triggers/scheduled_jobs_handover.sql"),
        "{said}"
    );
    assert!(
        said.contains(
            "moved 1 pending job of the application's scheduler; 1 of them gave no letter"
        ),
        "the trigger on users came first: {said}"
    );

    db.exec("drop table scheduled_jobs").await;
    assert!(
        migrated(&db)
            .await
            .contains("waits    sql/triggers/scheduled_jobs_handover.sql")
    );
    db.exec("create table scheduled_jobs (id uuid primary key default gen_random_uuid(), job_type varchar(50), scheduled_at timestamptz, status varchar(20) default 'pending', job_metadata jsonb)").await;
    assert_eq!(
        mailer(&db, &["migrate", "--check"]).await.status.code(),
        Some(3)
    );
    assert!(
        migrated(&db)
            .await
            .contains("applied  sql/triggers/scheduled_jobs_handover.sql")
    );
    sign_up(db.client().await, "Back").await;
    let taken: i64 = db
        .value(
            "select count(*) from scheduled_jobs where status = 'completed'",
            &[],
        )
        .await;
    assert_eq!(taken, 1);
}
