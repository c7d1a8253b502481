//! docs/rules.md#never-break-the-application: a trigger of ours never breaks the application.

use crate::support::TestDb;

const SIGN_UP: &str = "insert into public.users (name, email, hashed_password)
    values ('Nassir', 'nassir-' || gen_random_uuid() || '@seqpulse.test', 'secret')";

async fn users(db: &TestDb) -> i64 {
    db.value("select count(*) from public.users", &[]).await
}

#[tokio::test]
async fn users_sign_up_whatever_is_wrong_with_the_mailer() {
    for sabotage in [
        "drop table public.email_outbox cascade",
        "drop table public.email_outbox, public.email_trigger_errors, public.email_types, public.email_deliveries cascade",
        "alter table public.email_types rename to elsewhere",
        "alter table public.email_outbox add column must_have text not null",
        "drop function public.email_trx_01_enqueue(jsonb)",
        "drop function public.email_guard(text, text, jsonb, text, text)",
        "drop function public.email_trx_01_enqueue(jsonb), public.email_guard(text, text, jsonb, text, text), public.email_note_errors(text, text, text[], jsonb[])",
        "drop function public.email_outbox_admit() cascade",
        "drop function public.email_now() cascade",
        "alter table public.users drop column is_active",
        "alter table public.users drop column created_at",
        "alter table public.email_outbox add constraint never check (false) not valid",
    ] {
        let db = TestDb::only(&["E-TRX-01"]).await;
        db.exec(sabotage).await;
        db.exec(SIGN_UP).await;
        db.exec("update public.users set name = 'Nadia'").await;
        assert_eq!(users(&db).await, 1, "after: {sabotage}");
    }
}

#[tokio::test]
async fn what_failed_is_noted_without_secrets_and_made_up_for_later() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    db.exec("alter table public.email_outbox add constraint never check (false) not valid")
        .await;
    db.exec(SIGN_UP).await;
    let noted: String = db
        .value("select error || ' ' || source || ' ' || email_type || ' ' || row_data from public.email_trigger_errors", &[])
        .await;
    assert!(noted.starts_with("23514: "), "{noted}");
    assert!(noted.contains(" users E-TRX-01 "), "{noted}");
    assert!(
        !noted.contains("secret") && !noted.contains("nassir"),
        "{noted}"
    );
    assert_eq!(
        db.value::<i32>("select public.email_replay_errors()", &[])
            .await,
        0,
        "still broken: stays open"
    );

    db.exec("alter table public.email_outbox drop constraint never")
        .await;
    assert_eq!(
        db.value::<i32>("select public.email_replay_errors()", &[])
            .await,
        1
    );
    assert_eq!(
        db.value::<i64>(
            "select count(*) from public.email_outbox where status = 'queued'",
            &[]
        )
        .await,
        1
    );
    assert_eq!(
        db.value::<i32>("select public.email_replay_errors()", &[])
            .await,
        0,
        "once only"
    );
}

#[tokio::test]
async fn one_poison_row_does_not_cost_the_others_of_its_statement() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    db.exec("alter table public.email_outbox add constraint poison check (user_id <> '00000000-0000-0000-0000-000000000013')").await;
    db.exec(
        "insert into public.users (id, name, email, hashed_password) values
         (gen_random_uuid(), 'A', 'a@seqpulse.test', 'x'),
         ('00000000-0000-0000-0000-000000000013', 'B', 'b@seqpulse.test', 'x'),
         (gen_random_uuid(), 'C', 'c@seqpulse.test', 'x')",
    )
    .await;
    assert_eq!(users(&db).await, 3);
    assert_eq!(
        db.value::<i64>("select count(*) from public.email_outbox", &[])
            .await,
        2
    );
    assert_eq!(
        db.value::<i64>("select count(*) from public.email_trigger_errors", &[])
            .await,
        1
    );
}

#[tokio::test]
async fn a_locked_outbox_holds_the_application_up_for_a_moment_only() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let mut other = db.connect().await;
    let lock = other.transaction().await.expect("a transaction");
    lock.batch_execute("lock table public.email_outbox in access exclusive mode")
        .await
        .expect("the lock");
    // Ends because of lock_timeout, far before the lock does: without it this test would never end.
    db.exec(SIGN_UP).await;
    lock.rollback().await.expect("rolled back");
    let error: String = db
        .value(
            "select error from public.email_trigger_errors where email_type = 'E-TRX-01'",
            &[],
        )
        .await;
    assert!(error.starts_with("55P03: "), "{error}");
    db.exec("select public.email_replay_errors()").await;
    let welcomes: i64 = db
        .value("select count(*) from public.email_outbox", &[])
        .await;
    assert_eq!(welcomes, 1, "made up for, once the lock is gone");
}

#[tokio::test]
async fn the_applications_own_timeout_still_ends_its_statement() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    db.exec(
        "create function public.slow() returns trigger language plpgsql as $$begin perform pg_sleep(60); return new; end$$;
         create trigger slow before insert on public.email_outbox for each row execute function public.slow();
         set statement_timeout = '200ms'",
    )
    .await;
    let client = db.client().await;
    let error = client
        .batch_execute(SIGN_UP)
        .await
        .expect_err("the time-out is let through");
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::QUERY_CANCELED)
    );
    assert_eq!(
        users(&db).await,
        0,
        "and undoes the statement, as the application expects"
    );
}

#[tokio::test]
async fn the_applications_role_needs_no_right_on_anything_of_ours() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let role = format!("app_{}", db.name());
    db.exec(&format!(
        "create role {role} login; grant select, insert, update on public.users to {role}"
    ))
    .await;
    let client = crate::support::connect_to(&db.url_as(&role)).await;
    client
        .batch_execute(SIGN_UP)
        .await
        .expect("it may sign users up");
    assert_eq!(
        db.value::<i64>("select count(*) from public.email_outbox", &[])
            .await,
        1
    );
    drop(client);
    db.exec(&format!("drop owned by {role}; drop role {role}"))
        .await;
}
