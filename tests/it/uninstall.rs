//! `sql/uninstall.sql`: the application is left exactly as it was before.

use std::process::Command;

use nix::sys::signal::Signal;
use throwaway::cluster::Cluster;

use crate::support::{
    SEQPULSE_SCHEMA, Sidecar, TestDb, connect_to, migrate, sandbox, shared_cluster, skip,
};

/// The application's own journal: the commented part of its schema file.
pub(crate) fn own_journal() -> String {
    SEQPULSE_SCHEMA
        .split_once("-- CREATE TABLE email_deliveries")
        .map(|(_, rest)| format!("-- CREATE TABLE email_deliveries{rest}"))
        .expect("the schema file has that part")
        .lines()
        .map(|line| line.strip_prefix("-- ").unwrap_or(line).to_owned() + "\n")
        .collect()
}

/// People, a project, and what the application's own sender did.
const LIFE: &str = "
insert into public.users (id, name, email, hashed_password, created_at, updated_at) values
    ('00000000-0000-4000-8000-000000000001', 'Nassir', 'nassir@seqpulse.test', 'x', '2026-01-01Z', '2026-01-01Z'),
    ('00000000-0000-4000-8000-000000000002', 'Awa', 'awa@seqpulse.test', 'x', '2026-01-02Z', '2026-01-02Z');
insert into public.projects (id, name, owner_id, api_key, hmac_secret, created_at, updated_at) values
    ('00000000-0000-4000-8000-000000000003', 'Shop', '00000000-0000-4000-8000-000000000001', 'k', 's', '2026-01-03Z', '2026-01-03Z');
insert into public.deployments (id, deployment_number, project_id, env, state, started_at) values
    ('00000000-0000-4000-8000-000000000004', 1, '00000000-0000-4000-8000-000000000003', 'prod', 'running', '2026-01-04Z');
grant select on public.users to public;
comment on table public.users is 'Who uses it';";

const SENT: &str = "
insert into public.email_deliveries (id, user_id, project_id, email_type, dedupe_key, status, provider_message_id, payload_json, sent_at, created_at) values
    ('00000000-0000-4000-8000-000000000005', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000003', 'E-ACT-04',
     'first_verdict_available:00000000-0000-4000-8000-000000000003', 'sent', 'm-1', '{\"to_email\": \"nassir@seqpulse.test\"}', '2026-01-05Z', '2026-01-05Z');";

/// Everything `pg_dump` knows, one statement or row a line, without the words it makes up anew each time.
fn dump(db: &TestDb) -> String {
    let output = Command::new(shared_cluster().bin().program("pg_dump"))
        .args(["--inserts", "--dbname", db.url()])
        .output()
        .expect("pg_dump runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .collect::<Vec<_>>()
        .join("\n")
}

fn uninstall_at(url: &str, settings: &[&str]) -> (bool, String) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/uninstall.sql");
    let mut command = Command::new(shared_cluster().bin().program("psql"));
    command.args(["--no-psqlrc", "--quiet", "--dbname", url, "--file", file]);
    for setting in settings {
        command.args(["-v", setting]);
    }
    let output = command.env("LC_ALL", "C").output().expect("psql runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

fn uninstall(db: &TestDb, settings: &[&str]) {
    let (done, said) = uninstall_at(db.url(), settings);
    assert!(done, "{said}");
}

/// What differs, for people.
fn difference(before: &str, after: &str) -> String {
    let without = |text: &str, other: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !other.lines().any(|o| o == *line))
            .map(str::to_owned)
            .collect()
    };
    format!(
        "only before: {:#?}\nonly after: {:#?}",
        without(before, after),
        without(after, before)
    )
}

fn tools_are_here() -> bool {
    let bin = shared_cluster().bin();
    bin.program("pg_dump").is_file() && bin.program("psql").is_file()
}

/// Everything a sidecar does to a database: it registers, runs every schedule, and sends.
async fn use_it(db: &TestDb) {
    db.exec("select public.email_arm(); select public.email_enqueue('E-TRX-01', '00000000-0000-4000-8000-000000000002', 'by hand')")
        .await;
    let sandbox = sandbox().await;
    let mut sidecar = Sidecar::start(db, "resend", &sandbox.url()).await;
    db.wait_until("select count(*) = 1 from public.email_deliveries where status = 'sent' and email_type = 'E-TRX-01'").await;
    db.wait_until("select bool_and(last_started_at is not null) from public.email_schedules")
        .await;
    sidecar.stop().await;
}

#[tokio::test]
async fn nothing_of_us_is_left() {
    if !tools_are_here() {
        return skip("pg_dump and psql are not installed (Debian: postgresql-client-15)");
    }
    let db = TestDb::bare().await;
    db.exec(LIFE).await;
    let before = dump(&db);
    migrate(db.url()).await.expect("migrate");
    assert_ne!(dump(&db), before);
    use_it(&db).await;
    uninstall(&db, &["journal=drop"]);
    let after = dump(&db);
    assert!(before == after, "{}", difference(&before, &after));
}

#[tokio::test]
async fn the_applications_own_journal_is_given_back() {
    if !tools_are_here() {
        return skip("pg_dump and psql are not installed (Debian: postgresql-client-15)");
    }
    let db = TestDb::bare().await;
    db.exec(LIFE).await;
    db.exec(&own_journal()).await;
    db.exec(SENT).await;
    let before = dump(&db);
    migrate(db.url()).await.expect("migrate");
    uninstall(&db, &["journal=restore"]);
    let after = dump(&db);
    assert!(before == after, "{}", difference(&before, &after));

    // What was sent meanwhile stays in it, and people who left do not keep the keys from being made.
    migrate(db.url()).await.expect("migrate again");
    use_it(&db).await;
    db.exec("delete from public.users where name = 'Awa'").await;
    let (done, said) = uninstall_at(db.url(), &["journal=restore"]);
    assert!(
        done && said.contains("email_deliveries_user_id_fkey holds for new rows only"),
        "{said}"
    );
    let letters: i64 = db
        .value("select count(*) from public.email_deliveries", &[])
        .await;
    assert_eq!(letters, 2);
}

#[tokio::test]
async fn a_kept_journal_still_decides_duplicates_when_we_come_back() {
    if !tools_are_here() {
        return skip("pg_dump and psql are not installed (Debian: postgresql-client-15)");
    }
    let db = TestDb::bare().await;
    db.exec(LIFE).await;
    migrate(db.url()).await.expect("migrate");
    use_it(&db).await;
    // keep is the default.
    uninstall(&db, &[]);
    let left: Vec<String> = db
        .query(
            "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname like 'email\\_%' and c.relkind in ('r', 'v', 'S')
             union all select p.proname::text from pg_proc p where p.proname like 'email\\_%'
             union all select t.tgname::text from pg_trigger t where t.tgname like 'email\\_%'",
            &[],
        )
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(left, ["email_deliveries"]);
    db.exec("update public.users set is_active = true where name = 'Awa'")
        .await;
    migrate(db.url()).await.expect("migrate again");
    let again: Option<i64> = db
        .value(
            "select public.email_enqueue('E-TRX-01', '00000000-0000-4000-8000-000000000002', 'by hand')",
            &[],
        )
        .await;
    assert_eq!(again, None, "the journal remembers");
}

#[tokio::test]
async fn it_refuses_what_would_do_harm_and_changes_nothing() {
    if !tools_are_here() {
        return skip("psql is not installed (Debian: postgresql-client-15)");
    }
    let db = TestDb::new().await;
    let sandbox = sandbox().await;
    let mut sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    let (done, said) = uninstall_at(db.url(), &["journal=drop"]);
    assert!(!done && said.contains("1 sidecars are running"), "{said}");
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_exit().await;

    let (done, said) = uninstall_at(db.url(), &["journal=perhaps"]);
    assert!(
        !done && said.contains("journal=perhaps is not known"),
        "{said}"
    );

    let mut other = db.connect().await;
    let busy = other.transaction().await.expect("a transaction");
    busy.batch_execute("lock table public.users in row exclusive mode")
        .await
        .expect("a writer");
    let (done, said) = uninstall_at(db.url(), &["journal=drop"]);
    assert!(!done && said.contains("lock timeout"), "{said}");
    busy.rollback().await.expect("over");
    let triggers: i64 = db
        .value("select count(*) from pg_trigger where tgname like 'email\\_%' and tgrelid = 'public.users'::regclass", &[])
        .await;
    assert!(triggers >= 2, "nothing was changed");

    uninstall(&db, &["journal=drop"]);
    let (done, said) = uninstall_at(db.url(), &[]);
    assert!(
        !done && said.contains("is not installed in this database"),
        "{said}"
    );
}

#[tokio::test]
async fn the_jobs_of_pg_cron_and_the_roles_go_too() {
    if !tools_are_here() {
        return skip("psql is not installed (Debian: postgresql-client-15)");
    }
    if !Cluster::supports_pg_cron() {
        return skip("pg_cron is not installed (Debian: postgresql-15-cron)");
    }
    let cluster = Cluster::builder()
        .pg_cron("app")
        .start()
        .expect("a cluster");
    let url = cluster.url("app");
    let client = connect_to(&url).await;
    client.batch_execute(SEQPULSE_SCHEMA).await.expect("loads");
    migrate(&url).await.expect("migrate");
    client
        .batch_execute("select cron.schedule('of somebody else', '0 0 1 1 *', 'select 1'); create role sidecar login in role email_worker")
        .await
        .expect("a job and a login");
    let (done, said) = uninstall_at(&url, &["journal=drop", "roles=drop"]);
    assert!(done, "{said}");
    let left = client
        .query("select jobname from cron.job", &[])
        .await
        .expect("jobs");
    let left: Vec<String> = left.iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["of somebody else"]);
    let roles: i64 = client
        .query_one(
            "select count(*) from pg_roles where rolname like 'email\\_%'",
            &[],
        )
        .await
        .expect("a count")
        .get(0);
    assert_eq!(roles, 0);
}
