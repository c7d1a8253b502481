//! No letter waits for the poll: producers wake a sidecar that sleeps, and only such a one (docs/rules.md#wake-up).
//!
//! The poll is an hour here, and a sidecar asks by itself after 50 s at the earliest, so that a letter that arrives within
//! [`LOST`] was announced or looked for.

use std::time::Duration;

use standin::Sandbox;
use tokio_postgres::Client;

use crate::support::{Sidecar, SidecarBuilder, TestDb, sandbox, wait_for};

/// Waiting so long means that the wake-up was lost: the rest is well below it, the poll well above.
const LOST: Duration = Duration::from_secs(30);

const LANES_HELD: &str = "select count(distinct objid) from pg_locks
    where locktype = 'advisory' and classid = public.email_wake_key() and mode = 'ExclusiveLock' and granted
      and database = (select oid from pg_database where datname = current_database())";

fn sidecar(db: &TestDb, sandbox: &Sandbox) -> SidecarBuilder {
    Sidecar::builder(db, "resend", &sandbox.url())
        .env("EMAIL_POLL_SECONDS", "3600")
        .env("RUST_LOG", "info")
}

async fn asleep(db: &TestDb) {
    wait_for("a sidecar to keep the watch", async || {
        db.value::<i64>(LANES_HELD, &[]).await == 8
    })
    .await;
}

async fn sent(client: &Client, key: &str) {
    let arrives = async {
        loop {
            let sent = client
                .query_one(
                    "select exists (select from public.email_deliveries where dedupe_key = $1 and status = 'sent')",
                    &[&key],
                )
                .await
                .expect("a question");
            if sent.get(0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    };
    tokio::time::timeout(LOST, arrives)
        .await
        .unwrap_or_else(|_| panic!("{key} was not announced to anybody"));
}

/// Without a generator of random numbers: the same pauses, between 0 and 8 ms, in every run.
fn pause(producer: u64, round: u64) -> Duration {
    Duration::from_micros((producer * 7_919 + round * 104_729) * 2_654_435_761 % 8_000)
}

/// In every round each producer commits one letter, at its own moment, and all wait for all of them: the last one of a round
/// has no other to wake the sidecar for it, and is committed while the sidecar is busy, about to sleep, or asleep.
async fn produce(db: &TestDb, user: uuid::Uuid, producers: u64, rounds: std::ops::Range<u64>) {
    let mut clients = Vec::new();
    for _ in 0..producers {
        clients.push(db.connect().await);
    }
    for round in rounds {
        let letters = clients.iter_mut().zip(0..).map(|(client, producer)| async move {
            let key = format!("wake:{producer}:{round}");
            tokio::time::sleep(pause(round, producer)).await;
            let transaction = client.transaction().await.expect("begin");
            transaction
                .execute(
                    "insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-BILL-02', $1, $2)",
                    &[&user, &key],
                )
                .await
                .expect("insert");
            tokio::time::sleep(pause(producer, round)).await;
            transaction.commit().await.expect("commit");
            sent(client, &key).await;
        });
        futures_util::future::join_all(letters).await;
    }
}

async fn user_with_bills(db: &TestDb) -> uuid::Uuid {
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    // Any type would do whose letter needs nothing but its payload; this one's default payload is what the tests insert.
    db.exec(
        "alter table public.email_outbox alter column payload
         set default '{\"invoice_id\": \"in_1\", \"amount\": 4900, \"currency\": \"EUR\"}'",
    )
    .await;
    user
}

#[tokio::test]
async fn no_letter_waits_for_the_poll() {
    let db = TestDb::only(&["E-BILL-02"]).await;
    let sandbox = sandbox().await;
    let user = user_with_bills(&db).await;
    let _sidecar = sidecar(&db, &sandbox).spawn();
    asleep(&db).await;
    produce(&db, user, 3, 0..200).await;
    assert_eq!(sandbox.distinct_deliveries(), 600);
}

#[tokio::test]
async fn what_is_committed_while_a_sidecar_falls_asleep_is_seen() {
    let db = TestDb::only(&["E-BILL-02"]).await;
    let sandbox = sandbox().await;
    let user = user_with_bills(&db).await;
    // The moment between a claim that finds nothing and the watch, made long enough to hit.
    db.exec(
        "alter function public.email_sleep(integer) rename to email_sleep_at_once;
         create function public.email_sleep(holding integer) returns table (lanes integer, watched boolean) language plpgsql as
         'begin perform pg_sleep(1); return query select * from public.email_sleep_at_once($1); end'",
    )
    .await;
    // A claim that takes as much as it may counts as work: the watch is given up and taken anew after every letter.
    let _sidecar = sidecar(&db, &sandbox)
        .env("EMAIL_BATCH_SIZE", "1")
        .env("EMAIL_CONCURRENCY", "1")
        .spawn();
    asleep(&db).await;
    for round in 0..3 {
        produce(&db, user, 1, round * 2..round * 2 + 1).await;
        db.wait_until(
            "select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'",
        )
        .await;
        produce(&db, user, 1, round * 2 + 1..round * 2 + 2).await;
    }
}

#[tokio::test]
async fn sidecars_relieve_each_other_when_one_dies() {
    let db = TestDb::only(&["E-BILL-02"]).await;
    let sandbox = sandbox().await;
    let user = user_with_bills(&db).await;
    let mut sidecars = Vec::new();
    for _ in 0..3 {
        sidecars.push(sidecar(&db, &sandbox).spawn());
    }
    db.wait_until("select count(*) = 3 from public.email_workers where session_pid is not null")
        .await;
    let mut rounds = 0..50;
    while !sidecars.is_empty() {
        produce(&db, user, 2, rounds.clone()).await;
        rounds = rounds.end..rounds.end + 50;
        // Nothing is in flight, so that its death costs no letter a lease; the one that keeps the watch, if anybody does.
        asleep(&db).await;
        let holder: i32 = db
            .value(
                "select w.pid from public.email_workers w join pg_locks l on l.pid = w.session_pid
                 where l.locktype = 'advisory' and l.classid = public.email_wake_key() and l.objid = 0 and l.mode = 'ExclusiveLock'
                   and l.database = (select oid from pg_database where datname = current_database())",
                &[],
            )
            .await;
        let position = sidecars
            .iter()
            .position(|sidecar| sidecar.pid().as_raw() == holder)
            .expect("one of ours");
        sidecars.swap_remove(position).kill9().await;
    }
    assert_eq!(sandbox.distinct_deliveries(), 2 * 50 * 3);
}

#[tokio::test]
async fn an_open_transaction_keeps_nobody_elses_letter_waiting() {
    let db = TestDb::only(&["E-BILL-02"]).await;
    let sandbox = sandbox().await;
    let user = user_with_bills(&db).await;
    let _sidecar = sidecar(&db, &sandbox).spawn();
    asleep(&db).await;
    // Two letters at once are work, so that the watch is given up; a transaction that begins then holds its lane.
    let mut open = Vec::new();
    for round in 0..20 {
        let client = db.connect().await;
        client
            .batch_execute(&format!(
                "begin; insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-BILL-02', '{user}', 'open:{round}')"
            ))
            .await
            .expect("insert");
        open.push(client);
        produce(&db, user, 1, round..round + 1).await;
    }
    for client in &open {
        client.batch_execute("commit").await.expect("commit");
    }
    let watcher = db.connect().await;
    for round in 0..20 {
        sent(&watcher, &format!("open:{round}")).await;
    }
}

#[tokio::test]
async fn a_row_of_the_near_future_goes_out_at_its_time() {
    let db = TestDb::only(&["E-BILL-02"]).await;
    let sandbox = sandbox().await;
    let user = user_with_bills(&db).await;
    let _sidecar = sidecar(&db, &sandbox).spawn();
    asleep(&db).await;
    db.query(
        "insert into public.email_outbox (email_type, user_id, dedupe_key, run_at)
         values ('E-BILL-02', $1, 'soon', clock_timestamp() + interval '2 seconds')",
        &[&user],
    )
    .await;
    sent(&db.connect().await, "soon").await;
    let early: bool = db
        .value("select sent_at < run_at from public.email_deliveries join public.email_outbox using (dedupe_key)", &[])
        .await;
    assert!(!early, "not before its time");
}

#[tokio::test]
async fn a_lost_listen_connection_is_taken_up_again_with_its_watch() {
    let db = TestDb::only(&["E-BILL-02"]).await;
    let sandbox = sandbox().await;
    let user = user_with_bills(&db).await;
    let sidecar = sidecar(&db, &sandbox).spawn();
    for round in 0..3 {
        asleep(&db).await;
        db.exec(
            "select pg_terminate_backend(l.pid, 10000) from pg_locks l
             where l.locktype = 'advisory' and l.classid = public.email_wake_key() and l.objid = 0
               and l.database = (select oid from pg_database where datname = current_database())",
        )
        .await;
        produce(&db, user, 1, round..round + 1).await;
    }
    assert!(sidecar.log().contains("the poll serves meanwhile"));
}
