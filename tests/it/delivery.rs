//! A letter's life through the real binary: from an INSERT to the provider's ledger and the journal.
//!
//! Long because each fault is a short test of the same letter, read as one list.

use nix::sys::signal::Signal;
use standin::Sandbox;
use standin::fault::{DropAt, Fault, FaultRule};
use uuid::Uuid;

use crate::support::{Sidecar, TestDb, sandbox, wait_for};

/// Every outbox row ended, and the journal and the provider agree: each letter once.
pub(crate) async fn settled(db: &TestDb, sandbox: &Sandbox, letters: usize) {
    db.wait_until(
        "select not exists (select from public.email_outbox where status in ('queued', 'sending'))",
    )
    .await;
    assert_eq!(sandbox.count(), letters, "the provider's ledger");
    assert_eq!(sandbox.distinct_deliveries(), letters, "no letter twice");
    let sent: i64 = db
        .value(
            "select count(*) from public.email_deliveries where status = 'sent'",
            &[],
        )
        .await;
    assert_eq!(usize::try_from(sent), Ok(letters), "the journal");
}

async fn welcome_goes_all_the_way(provider: &str) {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let _sidecar = Sidecar::start(&db, provider, &sandbox.url()).await;
    let user = db.sign_up("Nassir Benali", "nassir@seqpulse.test").await;
    settled(&db, &sandbox, 1).await;

    let entry = sandbox.entries().remove(0);
    assert_eq!(&*entry.to, "nassir@seqpulse.test");
    assert_eq!(
        &*entry.subject,
        "Bienvenue sur SEQPULSE - Crée ton premier projet en 2\u{a0}minutes"
    );
    assert_eq!(entry.email_type.as_deref(), Some("E-TRX-01"));
    let source = sandbox
        .source(entry.id)
        .expect("the body is kept")
        .to_string();
    assert!(source.contains("Bonjour Nassir,"), "{source}");
    assert!(source.contains("auto-generated"), "{source}");
    assert!(
        !source.contains("List-Unsubscribe"),
        "a transactional letter has no unsubscribe link: {source}"
    );

    let row = db
        .query(
            "select d.id, d.status as journal, d.provider, d.provider_message_id, d.payload_json ->> 'to_email' as to_email, d.payload_json ->> 'subject' as subject,
                    d.sent_at is not null as has_sent_at, o.status as outbox, o.attempts, o.finished_at is not null as has_ended,
                    d.outbox_id = o.id as knows_its_row
             from public.email_deliveries d join public.email_outbox o using (dedupe_key)
             where d.dedupe_key = 'welcome_signup:' || ($1::uuid)::text",
            &[&user],
        )
        .await
        .remove(0);
    assert_eq!(
        Some(row.get::<_, Uuid>("id").to_string().as_str()),
        entry.delivery.as_deref()
    );
    assert_eq!(row.get::<_, &str>("journal"), "sent");
    assert_eq!(row.get::<_, &str>("provider"), provider);
    assert_eq!(
        row.get::<_, &str>("provider_message_id"),
        entry.id.to_string()
    );
    assert_eq!(row.get::<_, &str>("to_email"), "nassir@seqpulse.test");
    assert_eq!(row.get::<_, &str>("subject"), &*entry.subject);
    assert!(row.get::<_, bool>("has_sent_at"));
    assert_eq!(
        (row.get::<_, &str>("outbox"), row.get::<_, i32>("attempts")),
        ("sent", 0)
    );
    assert!(row.get::<_, bool>("has_ended") && row.get::<_, bool>("knows_its_row"));
}

#[tokio::test]
async fn a_sign_up_becomes_a_welcome_through_resend() {
    welcome_goes_all_the_way("resend").await;
}

#[tokio::test]
async fn a_sign_up_becomes_a_welcome_through_postmark() {
    welcome_goes_all_the_way("postmark").await;
}

#[tokio::test]
async fn many_sign_ups_go_out_in_few_requests_once_each() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    db.exec(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', 'nadia' || n || '@seqpulse.test', 'x' from generate_series(1, 250) n",
    )
    .await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    settled(&db, &sandbox, 250).await;
    assert_eq!(sandbox.requests().len(), 3, "batches of 100, 100 and 50");
}

#[tokio::test]
async fn two_sidecars_share_the_work_and_send_nothing_twice() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let _one = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("EMAIL_BATCH_SIZE", "7")
        .spawn();
    let _two = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("EMAIL_BATCH_SIZE", "7")
        .spawn();
    db.wait_until("select count(*) = 2 from public.email_workers where session_pid is not null")
        .await;
    for round in 0..20 {
        db.exec(&format!(
            "insert into public.users (name, email, hashed_password)
             select 'Nadia', 'nadia' || n || '.{round}@seqpulse.test', 'x' from generate_series(1, 25) n"
        ))
        .await;
    }
    settled(&db, &sandbox, 500).await;
}

#[tokio::test]
async fn the_same_key_from_ten_sessions_at_once_is_one_letter() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    db.exec("update public.email_types set active_since = '-infinity'")
        .await;
    let mut sessions = Vec::new();
    for _ in 0..10 {
        let client = db.connect().await;
        sessions.push(tokio::spawn(async move {
            let mut ids = 0;
            for round in 0..20 {
                let id: Option<i64> = client
                    .query_one(
                        "select public.email_enqueue('E-TRX-01', $1, 'race:' || $2)",
                        &[&user, &round.to_string()],
                    )
                    .await
                    .expect("silent, whoever wins")
                    .get(0);
                ids += usize::from(id.is_some());
            }
            ids
        }));
    }
    let mut enqueued = 0;
    for session in sessions {
        enqueued += session.await.expect("no session fails");
    }
    assert_eq!(enqueued, 20, "each key has one winner");
    settled(&db, &sandbox, 21).await;
}

#[tokio::test]
async fn the_same_user_again_is_no_second_letter_even_when_the_outbox_row_is_gone() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    settled(&db, &sandbox, 1).await;
    db.exec("delete from public.email_outbox").await;
    db.query("delete from public.users where id = $1", &[&user])
        .await;
    db.query("insert into public.users (id, name, email, hashed_password) values ($1, 'Nassir', 'nassir@seqpulse.test', 'x')", &[&user])
        .await;
    // A sign-up does not ask the journal, because an id that was just made cannot be in it; the claim does.
    db.sign_up("Nadia", "nadia@seqpulse.test").await;
    db.wait_until(
        "select count(*) = 1 from public.email_outbox where status = 'suppressed' and reason like 'duplicate%'",
    )
    .await;
    settled(&db, &sandbox, 2).await;
}

#[tokio::test]
async fn a_payload_that_does_not_fit_fails_alone_and_names_the_field() {
    let db = TestDb::only(&["E-TRX-01", "E-SEC-01"]).await;
    let sandbox = sandbox().await;
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    // A code whose own file leaves a field of its letter to the payload: here, nothing fills it in.
    db.exec(
        "create or replace function public.email_sec_01_current(ids bigint[]) returns table (id bigint, untrue text, context jsonb)
         language sql as $$select o.id, null::text, '{}'::jsonb from public.email_outbox o where o.id = any(ids)$$",
    )
    .await;
    db.query(
        "select public.email_enqueue('E-SEC-01', $1, 'broken')",
        &[&user],
    )
    .await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    settled(&db, &sandbox, 1).await;
    let row = db
        .query(
            "select status, last_error from public.email_outbox where dedupe_key = 'broken'",
            &[],
        )
        .await
        .remove(0);
    assert_eq!(row.get::<_, &str>(0), "failed");
    assert_eq!(
        row.get::<_, &str>(1),
        "E-SEC-01: field `enabled` is missing"
    );
    let journal: String = db.value("select status || ' ' || error_message from public.email_deliveries where dedupe_key = 'broken'", &[]).await;
    assert_eq!(journal, "failed E-SEC-01: field `enabled` is missing");
}

#[tokio::test]
async fn a_poison_row_in_sql_fails_alone_too() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    let poison = db.sign_up("Poison", "poison@seqpulse.test").await;
    db.exec(&format!(
        "create or replace function public.email_trx_01_current(ids bigint[]) returns table (id bigint, untrue text, context jsonb)
         language sql as $$
         select o.id, null::text, case when o.user_id = '{poison}' then jsonb_build_object('x', ('not a number ' || o.id)::integer) else '{{}}' end
         from public.email_outbox o where o.id = any(ids)$$"
    ))
    .await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    settled(&db, &sandbox, 1).await;
    let error: String = db
        .value(
            "select last_error from public.email_outbox where status = 'failed'",
            &[],
        )
        .await;
    assert!(
        error.starts_with("22P02: invalid input syntax for type integer"),
        "{error}"
    );
}

#[tokio::test]
async fn a_member_the_provider_refuses_does_not_take_its_batch_along() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    db.exec(
        "insert into public.users (name, email, hashed_password)
         select 'Nadia', case n when 13 then 'not an address' else 'nadia' || n || '@seqpulse.test' end, 'x' from generate_series(1, 40) n",
    )
    .await;
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    settled(&db, &sandbox, 39).await;
    let failed: i64 = db.value("select count(*) from public.email_outbox where status = 'failed' and last_error is not null", &[]).await;
    assert_eq!(failed, 1);
}

#[tokio::test]
async fn a_server_error_is_tried_again_and_counted() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let error = Fault::Status {
        status: 503,
        html: true,
        accept: false,
        retry_after: None,
        name: None,
        code: None,
        message: None,
        location: None,
    };
    sandbox.add_fault(FaultRule::once(error));
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    settled(&db, &sandbox, 1).await;
    let attempts: i32 = db
        .value("select attempts from public.email_outbox", &[])
        .await;
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn an_answer_that_never_came_is_asked_for_again_and_not_sent_again() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::once(Fault::AcceptThenDrop {
        at: DropAt::BeforeStatus,
    }));
    let _sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    settled(&db, &sandbox, 1).await;
    assert_eq!(
        sandbox.requests().len(),
        2,
        "the same request twice, one letter"
    );
}

#[tokio::test]
async fn a_key_the_provider_refuses_pauses_everything_and_costs_no_attempt() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.change_settings(|settings| settings.revoked_keys = vec!["*".into()]);
    let sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    db.wait_until("select paused from public.email_health")
        .await;
    sidecar.wait_for_log("nothing is sent: ").await;
    // The pause is committed before the row is given back.
    db.wait_until("select status = 'queued' and attempts = 0 from public.email_outbox")
        .await;
    assert!(
        !sidecar.log().contains("re_test_key"),
        "the key is never logged"
    );

    sandbox.change_settings(|settings| settings.revoked_keys.clear());
    db.exec("select public.email_resume()").await;
    settled(&db, &sandbox, 1).await;
}

#[tokio::test]
async fn what_a_lost_sidecar_held_is_taken_over_and_sent_once() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::once(Fault::AcceptThenDelay { ms: 4000 }));
    let mut first = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("EMAIL_LEASE_SECONDS", "2")
        .spawn();
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    wait_for("the provider to have it", async || sandbox.count() == 1).await;
    first.kill9().await;
    sandbox.clear_faults();
    let _second = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.wait_until(
        "select locked_until < clock_timestamp() or status = 'sent' from public.email_outbox",
    )
    .await;
    settled(&db, &sandbox, 1).await;
}

#[tokio::test]
async fn sigterm_lets_the_request_in_flight_finish_and_exits_0() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sandbox.add_fault(FaultRule::once(Fault::Latency { ms: 700 }));
    let mut sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    db.wait_until("select status = 'sending' from public.email_outbox")
        .await;
    sidecar.signal(Signal::SIGTERM);
    let status = sidecar.wait_exit().await;
    assert_eq!(status.code(), Some(0), "{}", sidecar.log());
    settled(&db, &sandbox, 1).await;
    let state: String = db
        .value("select state from public.email_workers", &[])
        .await;
    assert_eq!(state, "stopped");
}

#[tokio::test]
async fn lost_connections_come_back_by_themselves() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    db.wait_until("select session_pid is not null from public.email_workers")
        .await;
    db.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()").await;
    sidecar.wait_for_log("the LISTEN connection is lost").await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    settled(&db, &sandbox, 1).await;
    db.wait_until("select count(*) = 1 from pg_stat_activity where pid in (select session_pid from public.email_workers)").await;
}

#[tokio::test]
async fn without_notify_the_poll_serves() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    db.exec("update public.email_settings set notify = false")
        .await;
    let _sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("EMAIL_POLL_SECONDS", "1")
        .spawn();
    db.wait_until("select count(*) = 1 from public.email_workers where session_pid is not null")
        .await;
    let mut client = db.connect().await;
    // Two-phase commit cannot be combined with NOTIFY: this is whom the setting is for.
    let transaction = client.transaction().await.expect("a transaction");
    transaction
        .batch_execute("insert into public.users (name, email, hashed_password) values ('Nassir', 'nassir@seqpulse.test', 'x')")
        .await
        .expect("signs up");
    transaction.commit().await.expect("commits");
    settled(&db, &sandbox, 1).await;
}

#[tokio::test]
async fn a_scheduled_letter_waits_for_its_time_and_a_moved_clock_is_taken_up() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let _sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("EMAIL_POLL_SECONDS", "1")
        .spawn();
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    settled(&db, &sandbox, 1).await;
    db.query("select public.email_enqueue('E-TRX-01', $1, 'later', '{}', public.email_now() + interval '3 days')", &[&user]).await;
    db.wait_until(
        "select last_seen_at > started_at + interval '2 seconds' from public.email_workers",
    )
    .await;
    assert_eq!(sandbox.count(), 1, "not before its time");
    db.set_clock_offset("3 days").await;
    settled(&db, &sandbox, 2).await;
}

#[tokio::test]
async fn a_restored_copy_sends_nothing_until_it_is_armed() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    db.exec("update public.email_settings set armed_for = 'another cluster/another name'")
        .await;
    let sidecar = Sidecar::start(&db, "resend", &sandbox.url()).await;
    sidecar.wait_for_log("select public.email_arm()").await;
    db.sign_up("Nassir", "nassir@seqpulse.test").await;
    let queued: i64 = db
        .value(
            "select count(*) from public.email_outbox where status = 'queued'",
            &[],
        )
        .await;
    assert_eq!((queued, sandbox.count()), (1, 0));
    db.exec("select public.email_arm()").await;
    settled(&db, &sandbox, 1).await;
}
