//! Every statement of the dashboards and alerts runs on our schema, for whoever may read numbers only.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio_postgres::Client;

use crate::support::{TestDb, describe};

/// What Grafana puts in for its macros.
const MACROS: [(&str, &str); 2] = [
    ("$__timeFrom()", "(now() - interval '7 days')"),
    ("$__timeTo()", "now()"),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/grafana")
}

/// One panel of a dashboard that asks the database.
struct Panel {
    name: String,
    format: String,
    sql: String,
}

fn panels(file: &str) -> Vec<Panel> {
    let text = fs::read_to_string(directory().join(file)).expect("the dashboard");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    board["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .filter(|panel| panel["type"] != "row")
        .flat_map(|panel| {
            let targets = panel["targets"].as_array().expect("targets");
            assert!(!targets.is_empty(), "{panel}");
            targets.iter().map(move |target| Panel {
                name: format!("{file}: {}", text(&panel["title"])),
                format: text(&target["format"]),
                sql: MACROS
                    .iter()
                    .fold(text(&target["rawSql"]), |sql, (name, value)| {
                        sql.replace(name, value)
                    }),
            })
        })
        .collect()
}

/// A database in which every panel has something to show, and a session of `email_reader`.
async fn observed() -> (TestDb, Client) {
    let db = TestDb::new().await;
    db.exec(
        "insert into public.users (id, name, email, hashed_password) values ('00000000-0000-4000-8000-000000000001', 'Nadia', 'nadia@seqpulse.test', 'x');
         select public.email_enqueue('E-RET-03', '00000000-0000-4000-8000-000000000001', 'waits');
         update public.email_outbox set reason = 'waits until 2027-01-01 10:00' where dedupe_key = 'waits';
         insert into public.email_outbox (email_type, user_id, dedupe_key, status, reason, finished_at)
         values ('E-RET-03', '00000000-0000-4000-8000-000000000001', 'held', 'suppressed', 'expired', now());
         insert into public.email_outbox (email_type, user_id, dedupe_key, status, last_error, finished_at)
         values ('E-RET-03', '00000000-0000-4000-8000-000000000001', 'failed', 'failed', 'no', now());
         insert into public.email_deliveries (id, user_id, email_type, dedupe_key, status, sent_at, variant)
         values ('00000000-0000-4000-b000-000000000001', '00000000-0000-4000-8000-000000000001', 'E-CONV-01', 'k', 'sent', now() - interval '8 days', 'A');
         insert into public.email_deliveries (user_id, email_type, dedupe_key, status, created_at, payload_json)
         values ('00000000-0000-4000-8000-000000000001', 'E-CONV-01', 'h', 'suppressed', now() - interval '8 days', '{\"reason\": \"holdout\"}');
         insert into public.email_subject_variants (email_type, variant, subject) values ('E-CONV-01', 'A', 'Sujet');
         insert into public.email_events (email_delivery_id, event_type, occurred_at) values ('00000000-0000-4000-b000-000000000001', 'opened', now());
         insert into public.email_workers (id, hostname, pid, version, provider, state) values ('w', 'h', 1, '1', 'console', 'running');
         insert into public.email_trigger_errors (source, email_type, error) values ('users', 'E-TRX-01', 'x');
         insert into public.email_suppressions (email, reason) values ('x@seqpulse.test', 'bounced');
         insert into public.email_preferences (user_id) values ('00000000-0000-4000-8000-000000000001') on conflict do nothing;
         update public.email_types set holdout_percent = 10 where code = 'E-CONV-01';
         select public.email_signal('quota_refused', '00000000-0000-4000-8000-000000000001', null, '{}')",
    )
    .await;
    let reader = db.connect().await;
    reader
        .batch_execute("set role email_reader")
        .await
        .expect("the role");
    (db, reader)
}

#[tokio::test]
async fn every_panel_shows_something_to_a_reader() {
    let (_db, reader) = observed().await;
    let mut panels = panels("kpis.json");
    panels.extend(self::panels("operation.json"));
    assert!(panels.len() >= 25, "only {} panels", panels.len());
    let mut wrong = Vec::new();
    for panel in panels {
        assert!(
            !panel.sql.contains("$__"),
            "{}: an unknown macro",
            panel.name
        );
        match reader.query(&panel.sql, &[]).await {
            Err(error) => wrong.push(format!("{}: {}", panel.name, describe(&error))),
            Ok(rows) if rows.is_empty() => wrong.push(format!("{}: no row", panel.name)),
            // Grafana finds the time axis by this name.
            Ok(rows) if panel.format == "time_series" && rows[0].columns()[0].name() != "time" => {
                wrong.push(format!("{}: no time", panel.name));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The statements of `alerts.sql` by name.
fn alerts() -> Vec<(String, String)> {
    let text = fs::read_to_string(directory().join("alerts.sql")).expect("the alerts");
    text.split("-- alert: ")
        .skip(1)
        .map(|alert| {
            let (name, sql) = alert.split_once('\n').expect("a name and a statement");
            (name.to_owned(), sql.trim().trim_end_matches(';').to_owned())
        })
        .collect()
}

async fn firing(reader: &Client) -> Vec<String> {
    let mut firing = Vec::new();
    for (name, sql) in alerts() {
        let count = format!("select a.firing::bigint from ({sql}) a");
        match reader.query(&count, &[]).await {
            Err(error) => panic!("{name}: {}", describe(&error)),
            Ok(rows) => {
                assert_eq!(rows.len(), 1, "{name}: one row");
                if rows[0].get::<_, i64>(0) > 0 {
                    firing.push(name);
                }
            }
        }
    }
    firing
}

#[tokio::test]
async fn alerts_are_silent_until_there_is_a_reason() {
    let db = TestDb::new().await;
    db.exec("insert into public.email_workers (id, hostname, pid, version, provider, state) values ('w', 'h', 1, '1', 'console', 'running')")
        .await;
    let reader = db.connect().await;
    reader
        .batch_execute("set role email_reader")
        .await
        .expect("the role");
    assert_eq!(firing(&reader).await, Vec::<String>::new());
    db.exec(
        "insert into public.email_outbox (email_type, user_id, dedupe_key, run_at) values ('E-TRX-01', gen_random_uuid(), 'late', now() - interval '2 minutes');
         insert into public.email_outbox (email_type, user_id, dedupe_key, status, last_error, finished_at) values ('E-TRX-01', gen_random_uuid(), 'failed', 'failed', 'no', now());
         update public.email_workers set last_seen_at = now() - interval '1 minute';
         select public.email_pause(null, 'x');
         select public.email_pause('E-RET-01', 'x');
         insert into public.email_trigger_errors (source, error, occurred_at) values ('users', 'x', now() - interval '1 hour');
         update public.email_schedules set last_success_at = now() - interval '1 year';
         insert into public.email_deliveries (user_id, email_type, dedupe_key, status, sent_at)
         select gen_random_uuid(), 'E-RET-03', 'k' || n, 'sent', now() from generate_series(1, 1000) n;
         insert into public.email_events (email_delivery_id, event_type, occurred_at)
         select d.id, case when n <= 2 then 'complained' else 'bounced' end, now()
         from generate_series(1, 60) n join public.email_deliveries d on d.dedupe_key = 'k' || n",
    )
    .await;
    let every: Vec<String> = alerts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(firing(&reader).await, every);
}
