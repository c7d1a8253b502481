//! What a sidecar that is gone leaves behind: when it is missed, who takes it over, and what is suspected of having killed it.

use crate::delivery::settled;
use crate::outcomes::{impatient, sign_up_many};
use crate::support::{TestDb, sandbox, wait_for};

/// Somebody whose session is long gone, and that nobody has missed yet.
const REGISTER_GONE: &str = "
    insert into public.email_workers (id, hostname, pid, version, provider, state, session_pid, session_start)
    values ('gone', 'there', 1, '0', 'resend', 'running', 2147483647, 'epoch')";

async fn claim(db: &TestDb, worker: &str, letters: u32, lease: &str) {
    db.exec(&format!(
        "select count(*) from public.email_claim('{worker}', 'resend', {letters}, '{lease}')"
    ))
    .await;
}

async fn take_over(db: &TestDb, worker: &str, lease: &str) -> i64 {
    db.value(
        &format!(
            "select count(*) from public.email_take_over('{worker}', 'resend', '{lease}', '{{}}')"
        ),
        &[],
    )
    .await
}

async fn in_status(db: &TestDb, status: &str) -> i64 {
    db.value(
        "select count(*) from public.email_outbox where status = $1",
        &[&status],
    )
    .await
}

async fn heartbeat(db: &TestDb, worker: &str) {
    db.exec(&format!(
        "select count(*) from public.email_heartbeat('{worker}', 'here', 2, '0', 'resend', 'running', 0, pg_backend_pid())"
    ))
    .await;
}

async fn is_missed(db: &TestDb) -> bool {
    db.value(
        "select lost_at is not null from public.email_workers where id = 'gone'",
        &[],
    )
    .await
}

#[tokio::test]
async fn whoever_says_that_it_lives_misses_those_who_do_not() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 3).await;
    db.exec(REGISTER_GONE).await;
    claim(&db, "gone", 2, "1 hour").await;
    heartbeat(&db, "young").await;
    assert!(is_missed(&db).await, "by a heartbeat");
    let next: f64 = db.value("select public.email_next_seconds()", &[]).await;
    assert!(
        next <= 1.0,
        "and sleepers are up when its grace is over: {next}"
    );
    // Another session of the same sidecar, as after a restart of Postgres.
    heartbeat(&db, "gone").await;
    assert!(!is_missed(&db).await, "a sign of life");
    heartbeat(&db, "young").await;
    assert!(!is_missed(&db).await, "that session is there");

    db.exec("update public.email_workers set session_pid = 2147483647 where id = 'gone'")
        .await;
    assert_eq!(take_over(&db, "young", "1 hour").await, 0);
    assert!(is_missed(&db).await, "by whoever looks");
    assert_eq!(in_status(&db, "sending").await, 2, "it has its grace");
    // A sidecar that starts now goes on from there.
    db.exec("update public.email_workers set lost_at = lost_at - public.email_grace() where id = 'gone'")
        .await;
    assert_eq!(take_over(&db, "younger", "1 hour").await, 0);
    assert_eq!(in_status(&db, "queued").await, 3, "nothing of it was sent");
}

#[tokio::test]
async fn all_that_never_left_goes_back_at_once_and_what_was_under_way_comes_before_what_is_only_asked_for()
 {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 9).await;
    db.exec(REGISTER_GONE).await;
    db.exec("update public.email_workers set lost_at = clock_timestamp() - interval '1 hour' where id = 'gone'")
        .await;
    let record = |state: &str| {
        format!(
            "insert into public.email_batches (batch_id, state, provider, endpoint, worker, recovery, in_flight_until, resolve_until,
                 members, idempotency_key, body_sha256, settings, tracked)
             select batch_id, '{state}', 'resend', '/', 'gone', 'repeat', clock_timestamp(), clock_timestamp() + interval '1 day',
                 array_agg(id), 'key', decode(repeat('00', 32), 'hex'), '{{}}', array_agg(false)
             from public.email_outbox o
             where status = 'sending' and not exists (select from public.email_batches b where b.batch_id = o.batch_id)
             group by batch_id"
        )
    };
    claim(&db, "gone", 2, "0 seconds").await;
    db.exec(&record("unknown")).await;
    claim(&db, "gone", 1, "1 hour").await;
    db.exec(&record("sending")).await;
    for _ in 0..3 {
        claim(&db, "gone", 2, "1 hour").await;
    }
    assert_eq!(take_over(&db, "heir", "1 hour").await, 1, "under way");
    assert_eq!(in_status(&db, "queued").await, 6, "three batches at once");
    let known = "array(select batch_id from public.email_outbox where locked_by = 'heir')";
    let asked: i64 = db
        .value(
            &format!(
                "select count(*) from public.email_take_over('heir', 'resend', '1 hour', {known})"
            ),
            &[],
        )
        .await;
    assert_eq!(asked, 2, "and then the one whose outcome is unknown");
}

#[tokio::test]
async fn taking_over_waits_for_nobody_who_is_settling() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 3).await;
    claim(&db, "slow", 3, "0 seconds").await;
    let settling = db.connect().await;
    settling
        .batch_execute("begin; select from public.email_outbox where batch_position = 1 for update")
        .await
        .expect("a lock");
    db.exec("set lock_timeout = '5s'").await;
    assert_eq!(take_over(&db, "heir", "1 hour").await, 0);
    assert_eq!(
        in_status(&db, "sending").await,
        3,
        "all of a batch or nothing"
    );
    settling.batch_execute("commit").await.expect("no deadlock");
    assert_eq!(take_over(&db, "heir", "1 hour").await, 0);
    assert_eq!(in_status(&db, "queued").await, 3);
}

/// Those that are alone get away; the row with this key takes its sidecar down.
const SETTLE_THE_LONELY: &str = "
    select public.email_settle(o.locked_by, o.batch_id, array[o.id], array['sent'], array['id'], array[null], array['s'], array[null::double precision])
    from public.email_outbox o
    where o.status = 'sending' and o.id <> (select min(id) from public.email_outbox)
    and (select count(*) from public.email_outbox x where x.batch_id = o.batch_id and x.status = 'sending') = 1";

#[tokio::test]
async fn a_row_that_takes_its_sidecars_down_is_given_up_alone() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 4).await;
    let mut died_with = 0;
    // Sidecars that die between the claim and the request.
    for round in 0..20 {
        let worker = format!("victim {round}");
        take_over(&db, &worker, "0 seconds").await;
        claim(&db, &worker, 100, "0 seconds").await;
        let with_company: bool = db
            .value(
                "select count(*) > 1 from public.email_outbox where locked_by = $1 and status = 'sending'",
                &[&worker],
            )
            .await;
        died_with += usize::from(with_company);
        db.exec(SETTLE_THE_LONELY).await;
    }
    assert_eq!(
        (in_status(&db, "failed").await, in_status(&db, "sent").await),
        (1, 3)
    );
    assert_eq!(
        died_with, 3,
        "it takes others along three times and no more"
    );
    let row = db
        .query(
            "select last_error, claims from public.email_outbox where status = 'failed'",
            &[],
        )
        .await
        .remove(0);
    assert!(
        row.get::<_, &str>(0)
            .starts_with("given up: claimed five times alone")
    );
    assert_eq!(
        row.get::<_, i32>(1),
        8,
        "three times with others, five times alone"
    );
    let journal: String = db
        .value(
            "select error_message from public.email_deliveries where status = 'failed'",
            &[],
        )
        .await;
    assert_eq!(journal, row.get::<_, &str>(0));
}

#[tokio::test]
async fn no_row_is_given_up_for_what_it_died_of_in_company() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 4).await;
    for round in 0..40 {
        // There is always one that is new, and goes first.
        db.exec(&format!(
            "insert into public.users (name, email, hashed_password) values ('Nadia', 'urgent{round}@seqpulse.test', 'x');
             update public.email_outbox set priority = 100 + {round} where id = (select max(id) from public.email_outbox)"
        ))
        .await;
        let worker = format!("victim {round}");
        take_over(&db, &worker, "0 seconds").await;
        claim(&db, &worker, 100, "0 seconds").await;
        if round % 4 == 3 {
            db.exec(
                &SETTLE_THE_LONELY
                    .replace("o.id <> (select min(id) from public.email_outbox)", "true"),
            )
            .await;
        }
    }
    assert_eq!(in_status(&db, "failed").await, 0);
    assert!(in_status(&db, "sent").await > 0, "alone they get away");
}

#[tokio::test]
async fn what_a_sidecar_holds_itself_is_no_proof_of_its_death() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    sign_up_many(&db, 1).await;
    claim(&db, "gone", 1, "0 seconds").await;
    db.exec("update public.email_outbox set claims = 8, locked_by = 'self'")
        .await;
    assert_eq!(
        take_over(&db, "self", "0 seconds").await,
        1,
        "its answer was lost"
    );
    assert_eq!(take_over(&db, "other", "0 seconds").await, 0, "now it died");
    assert_eq!(in_status(&db, "failed").await, 1);
}

#[tokio::test]
async fn nothing_is_claimed_beside_a_suspect_until_it_is_on_record() {
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    sign_up_many(&db, 5).await;
    claim(&db, "gone", 5, "0 seconds").await;
    db.exec("update public.email_outbox set claims = 3").await;
    // Nothing can be put on record.
    let blocking = db.connect().await;
    blocking
        .batch_execute("begin; lock table public.email_batches in share mode")
        .await
        .expect("a lock");
    let _sidecar = impatient(&db, "resend", &sandbox)
        .env("EMAIL_LEASE_SECONDS", "3600")
        .spawn();
    let waits = "select exists (select from pg_locks where relation = 'public.email_batches'::regclass and not granted)";
    db.wait_until(waits).await;
    // A whole poll later it has still not gone on.
    db.exec("create temp table before as select last_seen_at from public.email_workers")
        .await;
    wait_for("two heartbeats", async || {
        db.value::<bool>(
            "select max(w.last_seen_at) > max(b.last_seen_at) + interval '1.5 seconds' from public.email_workers w, before b",
            &[],
        )
        .await
    })
    .await;
    let alone: i64 = db
        .value(
            "select count(*) from public.email_outbox where claims = 4",
            &[],
        )
        .await;
    assert_eq!(alone, 1);
    blocking.batch_execute("commit").await.expect("an end");
    settled(&db, &sandbox, 5).await;
}

/// A copy carries the links of whoever reads it, and is tracked if that person agreed: also when it is taken over.
#[tokio::test]
async fn a_copy_that_is_taken_over_carries_the_links_the_claim_gave_it() {
    let db = TestDb::only(&["E-ADV-02"]).await;
    let owner = db.sign_up("Owner", "owner@seqpulse.test").await;
    let reader = db.sign_up("Reader", "reader@seqpulse.test").await;
    let project: uuid::Uuid = db
        .value(
            "insert into projects (name, owner_id, api_key, hmac_secret) values ('P', $1, 'a', 'h') returning id",
            &[&owner],
        )
        .await;
    db.query(
        "insert into public.email_project_contacts (project_id, email, role) values ($1, 'mere@seqpulse.test', 'admin')",
        &[&project],
    )
    .await;
    db.query(
        "insert into public.email_preferences (user_id, tracking_consent) values ($1, false), ($2, true)",
        &[&owner, &reader],
    )
    .await;
    for to in [
        "owner@seqpulse.test",
        "reader@seqpulse.test",
        "mere@seqpulse.test",
    ] {
        db.query(
            "insert into public.email_outbox (email_type, user_id, project_id, to_email, dedupe_key) values ('E-ADV-02', $1, $2, $3::text, 'review:' || $3)",
            &[&owner, &project, &to],
        )
        .await;
    }
    let links = "to_email as recipient, null::uuid as unsubscribe_token, null::boolean as tracking";
    db.exec(&format!("create temp table links as select {links} from public.email_outbox limit 0; create temp table again as table links"))
        .await;
    db.exec("insert into links select recipient, unsubscribe_token, tracking from public.email_claim('gone', 'resend', 100, '0 seconds')")
        .await;
    db.exec("update public.email_outbox set claims = 3").await;
    for _ in 0..3 {
        db.exec("insert into again select recipient, unsubscribe_token, tracking from public.email_take_over('heir', 'resend', '1 hour', array(select batch_id from public.email_outbox where locked_by = 'heir'))")
            .await;
    }
    let told = "select recipient || ' ' || unsubscribe_token || ' ' || tracking from";
    let texts = async |table: &str| -> Vec<String> {
        let rows = db.query(&format!("{told} {table} order by 1"), &[]).await;
        rows.iter().map(|row| row.get(0)).collect()
    };
    let claimed = texts("links").await;
    assert_eq!(claimed.len(), 3);
    assert!(
        claimed.iter().any(|links| links.ends_with(" true")),
        "{claimed:?}"
    );
    assert_eq!(texts("again").await, claimed);
}
