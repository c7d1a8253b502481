//! Two sessions at once: one runs a schedule, one scans, one holds back a blast.

use std::time::Duration;

use tokio_postgres::Client;

use crate::support::TestDb;

/// Long enough to see that somebody waits.
const A_MOMENT: Duration = Duration::from_millis(300);

/// So many people whose last activity was 14 days and an hour ago.
async fn with_lapsed(people: i32) -> TestDb {
    let db = TestDb::new().await;
    db.exec("update public.email_types set active_since = '-infinity'")
        .await;
    db.query(
        "insert into public.users (name, email, hashed_password, created_at)
         select 'Nadia', 'user' || n || '@example.com', 'x', now() - interval '14 days 1 hour' from generate_series(1, $1) n",
        &[&people],
    )
    .await;
    db
}

async fn scan(client: &Client) -> i32 {
    client
        .query_one("select public.email_scan('E-RET-03')", &[])
        .await
        .expect("a scan")
        .get(0)
}

#[tokio::test]
async fn a_scan_waits_for_the_one_before_it_and_sees_what_it_left() {
    let db = with_lapsed(3).await;
    let first = db.connect().await;
    let second = db.connect().await;
    first.batch_execute("begin").await.expect("begin");
    assert_eq!(scan(&first).await, 3);
    let mut waiting = Box::pin(scan(&second));
    assert!(
        tokio::time::timeout(A_MOMENT, &mut waiting).await.is_err(),
        "the second scan did not wait"
    );
    first.batch_execute("commit").await.expect("commit");
    assert_eq!(waiting.await, 0, "it found what the first had enqueued");
}

#[tokio::test]
async fn a_blast_let_through_is_let_through_once_also_by_two_at_once() {
    let db = with_lapsed(3).await;
    db.exec("update public.email_settings set blast_limit = 2")
        .await;
    assert_eq!(scan(db.client().await).await, 0, "held back");
    db.exec("select public.email_resume('E-RET-03')").await;
    let first = db.connect().await;
    let second = db.connect().await;
    first.batch_execute("begin").await.expect("begin");
    assert_eq!(scan(&first).await, 3, "let through");
    db.exec(
        "insert into public.users (name, email, hashed_password, created_at)
         select 'Late', 'late' || n || '@example.com', 'x', now() - interval '14 days 1 hour' from generate_series(1, 3) n",
    )
    .await;
    let mut waiting = Box::pin(scan(&second));
    assert!(
        tokio::time::timeout(A_MOMENT, &mut waiting).await.is_err(),
        "the second scan did not wait"
    );
    first.batch_execute("commit").await.expect("commit");
    assert_eq!(waiting.await, 0, "the permission was used up");
    assert_eq!(
        db.value::<i64>(
            "select count(*) from public.email_outbox where email_type = 'E-RET-03'",
            &[]
        )
        .await,
        3
    );
}

#[tokio::test]
async fn a_schedule_is_run_by_one_at_a_time_and_the_others_take_the_next() {
    let db = TestDb::new().await;
    let due = "select public.email_run_due_schedule('sidecar')";
    let first = db.connect().await;
    let second = db.connect().await;
    first.batch_execute("begin").await.expect("begin");
    let taken: String = first.query_one(due, &[]).await.expect("a run").get(0);
    let mut others = Vec::new();
    while let Some(name) = second
        .query_one(due, &[])
        .await
        .expect("a run")
        .get::<_, Option<String>>(0)
    {
        others.push(name);
    }
    assert!(!others.contains(&taken), "{taken} ran twice at once");
    let schedules: i64 = db
        .value("select count(*) from public.email_schedules", &[])
        .await;
    assert_eq!(
        i64::try_from(others.len()),
        Ok(schedules - 1),
        "nobody waits for it, the rest is run: {others:?}"
    );
    assert!(
        second
            .query_one("select public.email_run_schedule($1)", &[&taken])
            .await
            .expect("an answer")
            .get::<_, Option<i32>>(0)
            .is_none(),
        "whoever asks for it by name is told that it is being run"
    );
    first.batch_execute("commit").await.expect("commit");
    assert!(
        second
            .query_one(due, &[])
            .await
            .expect("an answer")
            .get::<_, Option<String>>(0)
            .is_none(),
        "it is not due again"
    );
}

#[tokio::test]
async fn what_a_dead_sidecar_was_running_is_due_again() {
    let db = TestDb::new().await;
    let due = "select public.email_run_due_schedule('sidecar')";
    let first = db.connect().await;
    first.batch_execute("begin").await.expect("begin");
    let taken: String = first.query_one(due, &[]).await.expect("a run").get(0);
    drop(first);
    db.wait_until(&format!(
        "select not exists (select from pg_locks l where l.relation = 'public.email_schedules'::regclass and l.mode = 'RowShareLock' and l.pid <> pg_backend_pid())
         and exists (select from public.email_schedules where name = '{taken}' and last_success_at is null)"
    ))
    .await;
    assert_eq!(db.value::<String>(due, &[]).await, taken);
}
