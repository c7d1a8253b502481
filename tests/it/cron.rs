//! The schedules where `pg_cron` is: its jobs follow `email_schedules`, and it runs them.

use std::time::{Duration, Instant};

use throwaway::cluster::Cluster;
use tokio_postgres::Client;

use crate::support::{SEQPULSE_SCHEMA, connect_to, migrate, skip};

/// `pg_cron` starts jobs when a minute begins.
const TWO_MINUTES: Duration = Duration::from_secs(120);

async fn text(client: &Client, sql: &str) -> String {
    client
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{sql}"))
        .get::<_, Option<String>>(0)
        .unwrap_or_default()
}

#[tokio::test]
async fn pg_cron_runs_the_schedules() {
    if !Cluster::supports_pg_cron() {
        return skip("pg_cron is not installed (Debian: postgresql-15-cron)");
    }
    let cluster = Cluster::builder()
        .pg_cron("app")
        .start()
        .expect("a cluster");
    let url = cluster.url("app");
    let client = connect_to(&url).await;
    client
        .batch_execute(SEQPULSE_SCHEMA)
        .await
        .expect("the application's schema");

    // The extension is preloaded and not created yet: migrate does that too.
    migrate(&url).await.expect("migrate");
    assert_eq!(
        text(&client, JOBS).await,
        text(&client, SCHEDULES).await,
        "one job per schedule, under its name and at its times"
    );
    assert_eq!(
        text(
            &client,
            "select count(*)::text from public.email_schedules where cron_job_id is null"
        )
        .await,
        "0"
    );
    let jobs = text(&client, JOBS).await;
    migrate(&url).await.expect("migrate again");
    assert_eq!(text(&client, JOBS).await, jobs, "nothing is made twice");

    the_jobs_follow_the_table(&client).await;
    a_role_that_may_not_leaves_them_to_the_sidecars(&client).await;
    what_went_wrong_is_told(&client).await;
    its_notes_are_kept_small(&client).await;
    it_runs_them(&client, &cluster).await;
}

/// Edited, disabled, removed; and other people's jobs stay.
async fn the_jobs_follow_the_table(client: &Client) {
    client
        .batch_execute(
            "update public.email_schedules set cron = '3 4 * * *' where code = 'E-RET-03';
             update public.email_schedules set enabled = false where code = 'E-RET-04';
             delete from public.email_schedules where code = 'E-ADV-01';
             select cron.schedule('of somebody else', '0 0 1 1 *', 'select 1')",
        )
        .await
        .expect("edits");
    assert_eq!(
        text(client, "select public.email_schedule_sync()").await,
        text(
            client,
            "select format('pg_cron runs %s schedules as postgres', count(*)) from public.email_schedules where enabled"
        )
        .await
    );
    assert_eq!(
        text(client, JOBS).await,
        text(client, SCHEDULES).await,
        "the jobs follow"
    );
    assert_eq!(
        text(client, "select string_agg(jobname, ',') from cron.job where jobname not like 'seqpulse-mailer: %'").await,
        "of somebody else",
        "other people's jobs stay"
    );
}

async fn a_role_that_may_not_leaves_them_to_the_sidecars(client: &Client) {
    client
        .batch_execute(
            "create role plain;
             grant select, update on public.email_schedules to plain;
             grant execute on function public.email_schedule_sync(), public.email_cron_schema() to plain;
             begin;
             set local role plain",
        )
        .await
        .expect("a role");
    assert_eq!(
        text(client, "select public.email_schedule_sync()").await,
        "pg_cron is installed, but plain has no USAGE on schema cron: the sidecars run the schedules"
    );
    client.batch_execute("rollback").await.expect("undone");
}

async fn what_went_wrong_is_told(client: &Client) {
    assert_eq!(text(client, PROBLEMS).await, "");
    client
        .batch_execute(
            "select cron.unschedule('seqpulse-mailer: scan E-RET-01');
             update cron.job set active = false where jobname = 'seqpulse-mailer: scan E-RET-02'",
        )
        .await
        .expect("sabotage");
    assert_eq!(
        text(client, PROBLEMS).await,
        "scan E-RET-01: its pg_cron job is gone: run select public.email_schedule_sync(); \
         scan E-RET-02: its pg_cron job is not active"
    );
}

/// Ours only.
async fn its_notes_are_kept_small(client: &Client) {
    client
        .batch_execute(
            "insert into cron.job_run_details (jobid, command, username, status, end_time) values
             (1, 'select public.email_run_schedule(''replay errors'', ''pg_cron'')', current_user, 'succeeded', now() - interval '8 days'),
             (1, 'select public.email_run_schedule(''replay errors'', ''pg_cron'')', current_user, 'succeeded', now() - interval '6 days'),
             (9, 'vacuum', current_user, 'succeeded', now() - interval '8 days')",
        )
        .await
        .expect("notes");
    assert_eq!(
        text(
            client,
            "select public.email_run_schedule('clean up pg_cron')::text"
        )
        .await,
        "1"
    );
}

async fn it_runs_them(client: &Client, cluster: &Cluster) {
    client
        .batch_execute(
            "update public.email_schedules set cron = '* * * * *', last_run_by = null, last_success_at = null where name = 'replay errors';
             select public.email_schedule_sync()",
        )
        .await
        .expect("every minute");
    let start = Instant::now();
    while text(client, RUN_BY).await.is_empty() {
        assert!(
            start.elapsed() < TWO_MINUTES,
            "pg_cron did not run the schedule; its log:\n{}",
            cluster.log()
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(text(client, RUN_BY).await, "pg_cron, well");
}

const JOBS: &str = "
select string_agg(jobname || ' at ' || schedule || case when active then '' else ', not active' end, e'\\n' order by jobname)
from cron.job where jobname like 'seqpulse-mailer: %'";

const SCHEDULES: &str = "
select string_agg('seqpulse-mailer: ' || name || ' at ' || cron, e'\\n' order by name) from public.email_schedules where enabled";

const PROBLEMS: &str = "select string_agg(schedule || ': ' || problem, '; ' order by schedule) from public.email_cron_problems()";

const RUN_BY: &str = "
select last_run_by || ', ' || coalesce(last_error, case when last_success_at is not null then 'well' end)
from public.email_schedules where name = 'replay errors'";
