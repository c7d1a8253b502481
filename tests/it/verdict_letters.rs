//! The letters of verdicts, from the rows that the application writes: what SQL says of them is what the letters' samples hold,
//! so that the golden letters are those that a person would get.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use serde_json::{Map, Value};

use crate::support::TestDb;

/// Name of the sample, code, project and plan, number of the deployment, kind of verdict (`tests/sql/support/verdicts.sql`). The
/// pipeline of those that end in `-failed` failed.
const CASES: &[(&str, &str, &str, i32, &str)] = &[
    ("E-ACT-04", "API Gateway", "free", 12, "cpu"),
    ("E-ACT-04-ok", "API Gateway", "free", 12, "ok"),
    ("E-ACT-04-failed", "API Gateway", "pro", 12, "ok"),
    ("E-ACT-04-rollback", "API Gateway", "pro", 12, "traffic"),
    ("E-ACT-04-unmeasured", "API Gateway", "free", 12, "silent"),
    ("E-ACT-05", "Checkout API", "free", 48, "traffic"),
    ("E-ACT-05-peak", "Checkout API", "pro", 49, "peak"),
    ("E-ACT-05-warning", "Checkout API", "free", 47, "cpu"),
    ("E-ACT-05-already", "Checkout API", "free", 46, "already"),
    ("E-ACT-05-two", "Checkout API", "pro", 45, "two"),
    (
        "E-ACT-05-incomplete",
        "Checkout API",
        "free",
        44,
        "incomplete",
    ),
    ("E-ACT-05-silent", "Checkout API", "free", 43, "silent"),
    ("E-ACT-05-nothing", "Checkout API", "free", 42, "nothing"),
    ("E-ACT-05-refused", "Checkout API", "free", 41, "refused"),
    ("E-ACT-05-older", "Checkout API", "pro", 9, "older"),
];

const SAMPLES: &str = "crates/letters/src/verdict_samples.json";

/// The context that SQL gives for the one row of a code in the outbox, without what every letter has.
async fn context(db: &TestDb, code: &str) -> Value {
    db.value(
        "select g.context - '{first_name,time_zone,cta_path}'::text[] from public.email_outbox o
         cross join lateral public.email_gates(array[o.id]) g where o.email_type = $1 order by o.id desc limit 1",
        &[&code],
    )
    .await
}

#[tokio::test]
async fn the_samples_are_what_the_applications_rows_give() {
    let db = TestDb::new().await;
    db.exec("create schema fixture").await;
    db.exec(include_str!("../sql/support/verdicts.sql")).await;
    db.exec(
        "insert into public.users (id, name, email, hashed_password) values ('6d1f2a40-0000-4000-8000-000000000001', 'Nassir Martin', 'nassir@example.com', 'x')",
    )
    .await;
    let mut samples = Map::new();
    for (name, project, plan, number, kind) in CASES {
        let code = &name[..8];
        let result = if name.ends_with("-failed") {
            "failed"
        } else {
            "success"
        };
        db.exec(&format!(
            "delete from public.projects;
             insert into public.projects (id, owner_id, name, plan, api_key, hmac_secret, envs)
             values ('9b7e1d34-2c58-4f6a-8e21-0d4f6b3a7c88', '6d1f2a40-0000-4000-8000-000000000001', '{project}', '{plan}', 'k', 's', '{{prod}}');
             insert into public.deployments (id, project_id, deployment_number, env, state, pipeline_result, started_at)
             values ('c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e81', '9b7e1d34-2c58-4f6a-8e21-0d4f6b3a7c88', {number}, 'prod', 'analyzed', '{result}', '2026-03-03 12:55Z');
             select fixture.analysed('c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e81', '{kind}', '2026-03-03 13:00Z');
             delete from public.email_outbox;
             insert into public.email_outbox (email_type, user_id, project_id, dedupe_key, payload)
             values ('{code}', '6d1f2a40-0000-4000-8000-000000000001', '9b7e1d34-2c58-4f6a-8e21-0d4f6b3a7c88', '{name}', '{{\"deployment_id\": \"c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e81\"}}')"
        ))
        .await;
        samples.insert((*name).to_owned(), context(&db, code).await);
    }
    for (name, then) in [
        ("E-ACT-05-several", ["two", "incomplete", "already"]),
        ("E-ACT-05-blind", ["silent", "nothing", "refused"]),
    ] {
        samples.insert(name.to_owned(), several(&db, then).await);
    }

    let printed = serde_json::to_string_pretty(&Value::Object(samples)).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLES);
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        std::fs::write(&file, &printed).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap() == printed,
        "{SAMPLES} is not what the rows give; INSTA_UPDATE=always writes it"
    );
}

/// A warning at once, and three more within the hour, of these kinds: the newest of them is the letter.
async fn several(db: &TestDb, then: [&str; 3]) -> Value {
    db.exec(
        "delete from public.email_outbox; delete from public.deployments; update public.email_types set active_since = '2026-01-01'",
    )
    .await;
    for (number, kind, minutes) in [
        (51, "cpu", 0),
        (52, then[0], 12),
        (53, then[1], 25),
        (54, then[2], 40),
    ] {
        db.exec(&format!(
            "set email.clock_offset = '{minutes} minutes';
             insert into public.deployments (id, project_id, deployment_number, env, state, started_at)
             values ('c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e{number}', '9b7e1d34-2c58-4f6a-8e21-0d4f6b3a7c88', {number}, 'prod', 'analyzed', '2026-03-03 12:55Z');
             select fixture.analysed('c2a4e6f8-1b3d-4f5a-9c7e-8d0b2a4c6e{number}', '{kind}', '2026-03-03 13:00Z'::timestamptz + interval '{minutes} minutes')"
        ))
        .await;
    }
    let mut context = context(db, "E-ACT-05").await;
    // When the test ran is no part of the letter.
    context.as_object_mut().unwrap().remove("digest");
    context
}
