//! The policy under competition: several real sidecars, one slot per recipient and category.

use std::collections::HashMap;

use standin::Sandbox;
use standin::fault::{Fault, FaultRule};
use tokio_postgres::Client;

use crate::support::{Sidecar, SidecarBuilder, TestDb, sandbox, wait_for};

const USERS: usize = 500;

/// What every user has waiting of the one category and of the other, heaviest first.
const MARKETING: [&str; 4] = ["E-CONV-04", "E-RET-04", "E-RET-03", "E-ADV-02"];
const PRODUCT: [&str; 2] = ["E-ACT-01", "E-ACT-01"];
const CODES: [&str; 5] = ["E-ACT-01", "E-CONV-04", "E-RET-04", "E-RET-03", "E-ADV-02"];

/// Six due capped letters each, in one statement. They stay true: no projects, nothing done for three weeks.
const SIX_EACH: &str = "
insert into public.email_outbox (email_type, user_id, dedupe_key, payload)
select c.code, u.id, replace(c.key, '{user}', u.id::text), '{\"feature\": \"sdh\"}'
from public.users u
cross join (values
    ('E-ADV-02', 'review_request:{user}'), ('E-ACT-01', 'no_project_after_signup:{user}'), ('E-ACT-01', 'again:{user}'),
    ('E-CONV-04', 'pro_feature:{user}:sdh:2026-01'),
    ('E-RET-04', 'inactive_30d:{user}:' || to_char((now() - interval '21 days') at time zone 'UTC', 'YYYY-MM-DD') || ':J30'),
    ('E-RET-03', 'inactive_14d:{user}:' || to_char((now() - interval '21 days') at time zone 'UTC', 'YYYY-MM-DD'))
) c (code, key)
order by md5(u.id::text || c.key)";

async fn people(db: &TestDb, number: usize) {
    db.exec(&format!(
        "insert into public.users (name, email, hashed_password, created_at)
         select 'Nadia', 'nadia' || n || '@seqpulse.test', 'x', now() - interval '21 days' from generate_series(1, {number}) n"
    ))
    .await;
    db.exec("update public.email_types set active_since = '-infinity', expires_after = '30 days'")
        .await;
}

fn hurried(db: &TestDb, sandbox: &Sandbox) -> SidecarBuilder {
    Sidecar::builder(db, "resend", &sandbox.url()).env("EMAIL_POLL_SECONDS", "1")
}

/// Nothing is due or on its way any more.
async fn at_rest(db: &TestDb) {
    db.wait_until(
        "select not exists (
            select from public.email_outbox o
            where o.status = 'sending' or o.status = 'queued' and o.run_at <= public.email_now() + interval '10 seconds')",
    )
    .await;
}

async fn no_violations(db: &TestDb) {
    let violations: i64 = db
        .value("select count(*) from public.email_cap_violations", &[])
        .await;
    assert_eq!(violations, 0, "the journal shows the cap was kept");
}

async fn race() {
    let db = TestDb::only(&CODES).await;
    let sandbox = sandbox().await;
    people(&db, USERS).await;
    db.exec("delete from public.email_outbox").await;
    db.exec(SIX_EACH).await;
    let _sidecars: Vec<Sidecar> = (0..4).map(|_| hurried(&db, &sandbox).spawn()).collect();

    for day in 0..MARKETING.len() {
        if day > 0 {
            // A minute on top: the slot moved to when the letter was sent.
            db.set_clock_offset(&format!("{day} days {day} minutes"))
                .await;
        }
        let (marketing, product) = (&MARKETING[..=day], &PRODUCT[..PRODUCT.len().min(day + 1)]);
        let sent =
            i64::try_from(USERS * (marketing.len() + product.len())).expect("a few thousand");
        db.wait_until(&format!(
            "select count(*) >= {sent} from public.email_deliveries where status = 'sent'"
        ))
        .await;
        at_rest(&db).await;
        let letters = sandbox.entries();
        let mut of_user: HashMap<String, Vec<&str>> = HashMap::new();
        for letter in &letters {
            of_user
                .entry(letter.to.to_string())
                .or_default()
                .push(letter.email_type.as_deref().unwrap_or("none"));
        }
        assert_eq!(of_user.len(), USERS, "everybody was written to");
        let others: Vec<_> = of_user
            .iter()
            .filter(|(_, codes)| {
                let (product_sent, marketing_sent): (Vec<&str>, Vec<&str>) =
                    codes.iter().partition(|code| PRODUCT.contains(code));
                marketing_sent != marketing || product_sent != product
            })
            .collect();
        assert!(
            others.is_empty(),
            "day {day}: one more letter of each category, by weight: {others:?}"
        );
        no_violations(&db).await;
    }
    let slots: i64 = db
        .value("select count(*) from public.email_marketing_slots", &[])
        .await;
    assert_eq!(usize::try_from(slots), Ok(2 * USERS));
    let deadlocks: i64 = db
        .value(
            "select deadlocks from pg_stat_database where datname = current_database()",
            &[],
        )
        .await;
    assert_eq!(deadlocks, 0, "no two claims waited for each other");
}

/// `POLICY_RACES` says how often (1).
#[tokio::test]
async fn four_sidecars_and_six_due_letters_each_are_one_letter_a_day_and_category_by_weight() {
    let races = std::env::var("POLICY_RACES").map_or(1, |races| {
        races.parse().expect("POLICY_RACES is a number of races")
    });
    for _ in 0..races {
        race().await;
    }
}

#[tokio::test]
async fn a_crash_between_slot_and_sending_loses_neither_the_slot_nor_the_letter() {
    let db = TestDb::only(&CODES).await;
    let sandbox = sandbox().await;
    people(&db, 1).await;
    db.exec("delete from public.email_outbox").await;
    db.exec(SIX_EACH).await;
    // Long enough that nothing was accepted when the sidecar dies.
    sandbox.add_fault(FaultRule::once(Fault::Latency { ms: 600_000 }));
    let mut first = hurried(&db, &sandbox)
        .env("EMAIL_LEASE_SECONDS", "2")
        .spawn();
    let holder = "select s.outbox_id from public.email_marketing_slots s join public.email_outbox o on o.id = s.outbox_id and o.email_type = 'E-ACT-01'";
    db.wait_until(&format!(
        "select exists ({holder}) and exists (select from public.email_outbox where status = 'sending')"
    ))
    .await;
    let held: i64 = db.value(holder, &[]).await;
    first.kill9().await;
    assert_eq!(sandbox.count(), 0, "nothing was sent");
    sandbox.clear_faults();

    // Nobody else gets the slot, before the lease is over or after.
    let _second = hurried(&db, &sandbox)
        .env("EMAIL_LEASE_SECONDS", "2")
        .spawn();
    db.wait_until("select count(*) >= 2 from public.email_deliveries where status = 'sent'")
        .await;
    at_rest(&db).await;
    let letters = sandbox.entries();
    let mut codes: Vec<_> = letters
        .iter()
        .map(|letter| letter.email_type.as_deref())
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [Some("E-ACT-01"), Some("E-CONV-04")],
        "the same letter of each category, once"
    );
    assert_eq!(db.value::<i64>(holder, &[]).await, held);
    let waiting: i64 = db
        .value(
            "select count(*) from public.email_outbox where status = 'queued' and reason like 'cap: %'",
            &[],
        )
        .await;
    assert_eq!(waiting, 4, "the others wait for tomorrow");
    no_violations(&db).await;
}

/// Two claims at once: one gives a slot back that the other's letter waits for, and wants one that the other has.
#[tokio::test]
async fn a_claim_that_gives_a_slot_back_and_one_that_waits_for_it_do_not_wait_for_each_other() {
    let db = TestDb::only(&["E-ADV-01", "E-ADV-02"]).await;
    let user = |n: usize| format!("00000000-0000-0000-0000-00000000000{n}");
    let (first, both, ended) = (user(1), user(2), user(3));
    db.exec(&format!(
        "insert into public.users (id, name, email, hashed_password) select id, 'Nadia', id || '@seqpulse.test', 'x'
         from unnest(array['{first}', '{both}', '{ended}']::uuid[]) id;
         delete from public.email_outbox;
         insert into public.email_outbox (email_type, user_id, dedupe_key, priority, run_at, due_at, slot) values
         ('E-ADV-02', '{ended}', 'one:ended', 50, now() - interval '9 minutes', now() - interval '99 days', '{ended}'),
         ('E-ADV-02', '{first}', 'one:first', 50, now() - interval '8 minutes', now(), null),
         ('E-ADV-02', '{both}', 'one:both', 50, now() - interval '7 minutes', now(), null),
         ('E-ADV-01', '{both}', 'two:both', 50, now() - interval '6 minutes', now(), null),
         ('E-ADV-01', '{ended}', 'two:ended', 50, now() - interval '5 minutes', now(), null);
         insert into public.email_marketing_slots (recipient, category, last_at, outbox_id)
         select slot, 'marketing', now(), id from public.email_outbox where slot is not null"
    ))
    .await;
    // The first claim stops in the middle of taking its slots.
    let blocking = db.connect().await;
    blocking
        .batch_execute(&format!(
            "begin; insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ('{first}', 'marketing', now(), 0)"
        ))
        .await
        .expect("a lock");
    let claim = |session: Client, letters: usize| {
        tokio::spawn(async move {
            let claim = format!(
                "select count(*) from public.email_claim('sidecar', 'resend', {letters}, '1 hour')"
            );
            session.batch_execute(&claim).await
        })
    };
    let waiting = async || {
        db.value::<i64>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            &[],
        )
        .await
    };
    let one = claim(db.connect().await, 3);
    wait_for("the first claim to stop", async || waiting().await == 1).await;
    let two = claim(db.connect().await, 2);
    wait_for("the second claim to end, or stop too", async || {
        two.is_finished() || waiting().await == 2
    })
    .await;
    blocking.batch_execute("rollback").await.expect("an end");
    for claim in [one, two] {
        claim.await.expect("no panic").expect("no deadlock");
    }
    let asked_again: bool = db
        .value(
            "select status = 'queued' and run_at <= public.email_now() and reason is null from public.email_outbox where dedupe_key = 'two:ended'",
            &[],
        )
        .await;
    assert!(asked_again, "who waited for the slot is looked at again");
}

/// The clock of the database's `email_now()` at this time of the coming Monday in Paris.
async fn monday(db: &TestDb, time: &str) {
    let offset: String = db
        .value(
            "select (((date_trunc('week', now() at time zone 'Europe/Paris') + interval '7 days' + $1::text::interval) at time zone 'Europe/Paris') - now())::text",
            &[&time],
        )
        .await;
    db.set_clock_offset(&offset).await;
}

/// The weekly report at 08:00, a first verdict at 08:20, a refused deployment at 09:00.
#[tokio::test]
async fn three_letters_of_an_ordinary_monday_leave_within_a_minute_of_their_causes() {
    let db = TestDb::only(&["E-RET-01", "E-ACT-04", "E-CONV-03"]).await;
    let sandbox = sandbox().await;
    let id = |n: usize| format!("00000000-0000-0000-0000-00000000000{n}");
    let (user, project, deployment, old) = (id(1), id(2), id(3), id(4));
    db.exec("update public.email_types set active_since = '-infinity'")
        .await;
    // Last week's deployment and its verdict, in another project, are what the report is about.
    monday(&db, "-3 days").await;
    db.exec(&format!(
        "insert into public.users (id, name, email, hashed_password, created_at) values ('{user}', 'Nadia', 'nadia@seqpulse.test', 'x', now() - interval '60 days');
         insert into public.projects (id, owner_id, name, plan, api_key, hmac_secret) values ('{project}', '{user}', 'New', 'free', 'new', 'new'), ('{old}', '{user}', 'Old', 'free', 'old', 'old');
         insert into public.deployments (project_id, deployment_number, env, state, started_at, finished_at)
         values ('{old}', 1, 'prod', 'analyzed', public.email_now(), public.email_now());
         insert into public.email_signals (kind, user_id, occurred_at) values ('verdict_viewed', '{user}', public.email_now())"
    ))
    .await;
    monday(&db, "7 hours 59 minutes 55 seconds").await;
    let _sidecar = hurried(&db, &sandbox).spawn();
    let sent = async |code: &str| {
        db.wait_until(&format!(
            "select exists (select from public.email_deliveries where status = 'sent' and email_type = '{code}')"
        ))
        .await;
    };
    db.exec("select public.email_scan('E-RET-01')").await;
    sent("E-RET-01").await;

    monday(&db, "8 hours 20 minutes").await;
    db.exec(&format!(
        "insert into public.deployments (id, project_id, deployment_number, env, state, started_at, finished_at)
         values ('{deployment}', '{project}', 1, 'prod', 'analyzed', public.email_now() - interval '5 minutes', public.email_now());
         insert into public.deployment_verdicts (deployment_id, verdict, confidence, created_at) values ('{deployment}', 'ok', 0.9, public.email_now())"
    ))
    .await;
    sent("E-ACT-04").await;

    monday(&db, "9 hours").await;
    db.exec(&format!(
        "insert into public.email_signals (kind, user_id, project_id, occurred_at) values ('quota_refused', '{user}', '{project}', public.email_now())"
    ))
    .await;
    sent("E-CONV-03").await;

    let late: i64 = db
        .value(
            "select count(*) from public.email_outbox o join public.email_deliveries d on d.outbox_id = o.id
             where d.sent_at - o.due_at not between interval '0' and interval '1 minute'",
            &[],
        )
        .await;
    assert_eq!(late, 0, "each within a minute of its cause");
    assert_eq!(sandbox.count(), 3);
    no_violations(&db).await;
}
