//! What each role may do, and that it may do nothing else (docs/rules.md#rights). Read from Postgres's own catalogue and tried as the
//! role itself, so that a grant in a new file cannot pass unseen; the grants one by one stand in `tests/schema.sql`.
//!
//! Long because the expected rights of all roles stand here as one list.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::support::{TestDb, describe};

/// Every privilege of our four roles, one line each: `role: PRIVILEGE kind name`.
const PRIVILEGES: &str = "
with roles as (
    select r.oid, r.rolname from pg_roles r where r.rolname in ('email_worker', 'email_reader', 'email_admin', 'email_app')
)
select r.rolname || ': ' || p.privilege
from roles r
cross join lateral (
    select a.privilege_type || ' on ' || case c.relkind when 'S' then 'sequence ' else 'table ' end || c.relname
    from pg_class c cross join lateral aclexplode(c.relacl) a
    where c.relnamespace = 'public'::regnamespace and a.grantee = r.oid
    union all
    select a.privilege_type || ' on column ' || c.relname || '.' || t.attname
    from pg_class c join pg_attribute t on t.attrelid = c.oid cross join lateral aclexplode(t.attacl) a
    where c.relnamespace = 'public'::regnamespace and a.grantee = r.oid
    union all
    select a.privilege_type || ' on function ' || f.proname
    from pg_proc f cross join lateral aclexplode(f.proacl) a
    where f.pronamespace = 'public'::regnamespace and a.grantee = r.oid
    union all
    select a.privilege_type || ' on schema ' || n.nspname
    from pg_namespace n cross join lateral aclexplode(n.nspacl) a where a.grantee = r.oid
    union all
    select a.privilege_type || ' on database'
    from pg_database d cross join lateral aclexplode(d.datacl) a where d.datname = current_database() and a.grantee = r.oid
    union all
    select 'member of ' || g.rolname from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid
    union all
    select 'may log in or more' from pg_roles x where x.oid = r.oid
    and (x.rolcanlogin or x.rolsuper or x.rolcreaterole or x.rolcreatedb or x.rolreplication or x.rolbypassrls)
) p (privilege)
order by 1";

async fn privileges(db: &TestDb, role: &str) -> BTreeSet<String> {
    let prefix = format!("{role}: ");
    db.query(PRIVILEGES, &[])
        .await
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        .collect()
}

/// A session that is this role from now on.
async fn session_of(db: &TestDb, role: &str) -> Client {
    let client = db.connect().await;
    client
        .batch_execute(&format!("set role {role}"))
        .await
        .expect("the role exists");
    client
}

/// What Postgres says to a statement of this role; it is undone.
async fn tried(client: &Client, statement: &str) -> String {
    let result = client
        .batch_execute(&format!("begin; {statement}; rollback"))
        .await;
    let answer = result
        .as_ref()
        .map_or_else(describe, |()| "done".to_owned());
    client.batch_execute("rollback").await.expect("undone");
    answer
}

async fn refused(db: &TestDb, role: &str, statements: &[&str]) {
    let client = session_of(db, role).await;
    for statement in statements {
        let answer = tried(&client, statement).await;
        assert!(
            answer.starts_with("42501: "),
            "{role} may not \"{statement}\", but: {answer}"
        );
    }
}

#[tokio::test]
async fn the_application_may_tell_facts_and_nothing_else() {
    let db = TestDb::new().await;
    let expected: BTreeSet<String> = [
        "EXECUTE on function email_signal",
        "INSERT on table email_signals",
        "USAGE on schema public",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(privileges(&db, "email_app").await, expected);
    let client = session_of(&db, "email_app").await;
    for allowed in [
        "select public.email_signal('login', gen_random_uuid(), null, '{\"ip\": \"203.0.113.1\"}')",
        "insert into public.email_signals (kind, user_id) values ('quota_refused', gen_random_uuid())",
    ] {
        assert_eq!(tried(&client, allowed).await, "done", "{allowed}");
    }
    refused(
        &db,
        "email_app",
        &[
            "select count(*) from public.email_signals",
            "insert into public.email_outbox (email_type, user_id, dedupe_key) values ('E-TRX-01', gen_random_uuid(), 'x')",
            "select public.email_enqueue('E-TRX-01', gen_random_uuid(), 'x')",
            "select * from public.email_health",
            "select email from public.users",
        ],
    )
    .await;
}

/// Columns of the application's tables that a sidecar has no business with.
const APPLICATION_SECRETS: [&str; 8] = [
    "users.hashed_password",
    "users.twofa_secret_encrypted",
    "users.twofa_recovery_codes_hash",
    "users.twofa_last_totp_step",
    "users.is_superuser",
    "projects.api_key",
    "projects.hmac_secret",
    "subscriptions.stripe_subscription_id",
];

#[tokio::test]
async fn a_sidecar_reads_what_it_needs_of_the_application_and_writes_nothing_there() {
    let db = TestDb::new().await;
    let application = "
        select c.relname || '.' || a.attname, c.relname::text
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'email\\_%'
        and has_column_privilege('email_worker', c.oid, a.attnum, 'select')";
    let readable: Vec<String> = db
        .query(application, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    for secret in APPLICATION_SECRETS {
        assert!(
            !readable.iter().any(|column| column == secret),
            "email_worker may read {secret}"
        );
    }
    assert!(readable.iter().any(|column| column == "users.email"));
    let written: Vec<String> = db
        .query(
            "select r.name || ': ' || p.name || ' on ' || c.relname
             from pg_class c
             cross join unnest(array['email_worker', 'email_reader', 'email_admin', 'email_app']) r (name)
             cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (name)
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'email\\_%'
             and (has_table_privilege(r.name, c.oid, p.name)
                 or (p.name in ('insert', 'update', 'references') and has_any_column_privilege(r.name, c.oid, p.name)))",
            &[],
        )
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(written, Vec::<String>::new(), "the application's own data");
}

#[tokio::test]
async fn a_sidecar_changes_no_rule_and_forgets_nothing() {
    let db = TestDb::new().await;
    let held = privileges(&db, "email_worker").await;
    let too_much: Vec<&String> = held
        .iter()
        .filter(|privilege| {
            let deletes = privilege.starts_with("DELETE on ")
                && privilege.as_str() != "DELETE on table email_workers";
            deletes
                || ["TRUNCATE", "REFERENCES", "TRIGGER", "CREATE", "member of", "may log in"]
                    .iter()
                    .any(|word| privilege.starts_with(word))
                // Rules are the DBA's: a sidecar may pause, and note what it ran.
                || [
                    "email_types",
                    "email_schedules",
                    "email_settings",
                    "email_sql_files",
                    "email_schema_history",
                    "email_project_contacts",
                    "email_subject_variants",
                ]
                .iter()
                .any(|table| {
                    privilege.as_str() == format!("INSERT on table {table}")
                        || privilege.as_str() == format!("UPDATE on table {table}")
                })
        })
        .collect();
    assert!(too_much.is_empty(), "email_worker: {too_much:?}");
    refused(
        &db,
        "email_worker",
        &[
            "delete from public.email_outbox",
            "delete from public.email_deliveries",
            "delete from public.email_suppressions",
            "delete from public.email_trigger_errors",
            "truncate public.email_outbox",
            "update public.email_types set enabled = false",
            "update public.email_settings set armed_for = 'here'",
            "update public.email_settings set marketing_cooldown = '0'",
            "update public.email_signals set payload = '{}'",
            "insert into public.email_types (code) values ('E-NEW-01')",
            "create table public.mine ()",
            "alter table public.email_outbox disable trigger all",
            "drop table public.email_outbox",
            "select public.email_arm()",
            "select public.email_pause(null, 'x')",
            "select public.email_resume(null)",
            "select hashed_password from public.users",
            "select * from public.users",
            "select api_key from public.projects",
            "update public.users set email = 'x'",
            "select public.email_schedule_sync()",
        ],
    )
    .await;
}

#[tokio::test]
async fn an_admin_acts_through_functions_and_cannot_unremember() {
    let db = TestDb::new().await;
    // Every function for operators (docs/rules.md#rights) that exists; a new one of these names without the grant fails here.
    let missing: Vec<String> = db
        .query(
            "select p.oid::regprocedure::text from pg_proc p
             where p.pronamespace = 'public'::regnamespace and p.proname = any(array['email_enqueue', 'email_signal', 'email_retry', 'email_retry_failed',
                 'email_cancel', 'email_pause', 'email_resume', 'email_enable_phase', 'email_explain', 'email_audience', 'email_unsubscribe',
                 'email_forget_user', 'email_dry_run', 'email_scan', 'email_arm', 'email_replay_errors', 'email_now', 'email_doctor', 'email_cleanup', 'email_erase_contexts'])
             and not has_function_privilege('email_admin', p.oid, 'execute')",
            &[],
        )
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(missing.is_empty(), "email_admin may not call {missing:?}");
    let user = db.sign_up("Nassir", "nassir@seqpulse.test").await;
    let client = session_of(&db, "email_admin").await;
    for allowed in [
        &format!("select public.email_enqueue('E-TRX-01', '{user}', 'again')") as &str,
        "select public.email_pause('E-TRX-01'), public.email_resume('E-TRX-01')",
        "select public.email_pause(null, 'x'), public.email_resume(null)",
        "update public.email_types set enabled = false where code = 'E-TRX-01'",
        "update public.email_types set enabled = true where code = 'E-TRX-01'",
        "update public.email_settings set marketing_cooldown = '48 hours'",
        "insert into public.email_suppressions (email, reason) values ('x@example.com', 'manual'); delete from public.email_suppressions",
        "select * from public.email_doctor()",
        "select * from public.email_health",
        "select payload_json from public.email_deliveries",
        "select count(*) from public.email_audience('E-RET-03')",
        "select public.email_scan('E-RET-03')",
        "select public.email_run_schedule('clean up outbox')",
        "select public.email_arm()",
        "select public.email_cancel((select max(id) from public.email_outbox), 'x'), public.email_retry((select max(id) from public.email_outbox))",
        "select public.email_retry_failed(), public.email_enable_phase(1)",
        "select public.email_explain((select max(id) from public.email_outbox)), public.email_explain(gen_random_uuid(), 'E-RET-03')",
        "select public.email_dry_run('E-RET-03', '1 day')",
        "select public.email_forget_user(gen_random_uuid())",
    ] {
        assert_eq!(tried(&client, allowed).await, "done", "{allowed}");
    }
    refused(
        &db,
        "email_admin",
        &[
            "delete from public.email_deliveries",
            "update public.email_deliveries set status = 'queued'",
            "delete from public.email_outbox",
            "truncate public.email_deliveries",
            "drop table public.email_outbox",
            "alter table public.email_outbox disable trigger all",
            "create table public.mine ()",
            "select email from public.users",
            "update public.users set email = 'x'",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_reader_only_reads() {
    let db = TestDb::new().await;
    let held = privileges(&db, "email_reader").await;
    let more: Vec<&String> = held
        .iter()
        .filter(|privilege| {
            !privilege.starts_with("SELECT on ")
                && !privilege.starts_with("EXECUTE on function ")
                && privilege.as_str() != "USAGE on schema public"
        })
        .collect();
    assert!(more.is_empty(), "email_reader: {more:?}");
    // A function is the reader's only because a view calls it, or because it tells nothing about people.
    let functions: Vec<String> = db
        .query(
            "select p.oid::regprocedure::text from pg_proc p
             where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%' and has_function_privilege('email_reader', p.oid, 'execute')
             and p.proname <> all(array['email_now', 'email_identity', 'email_mask'])
             and not exists (
                 select from pg_depend d join pg_rewrite w on w.oid = d.objid
                 where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
             )",
            &[],
        )
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(functions.is_empty(), "no view calls {functions:?}");
    refused(
        &db,
        "email_reader",
        &[
            "select to_email from public.email_outbox",
            "select payload from public.email_outbox",
            "select last_error from public.email_outbox",
            "select payload_json from public.email_deliveries",
            "select dedupe_key from public.email_deliveries",
            "select email from public.email_suppressions",
            "select unsubscribe_token from public.email_preferences",
            "select email from public.email_project_contacts",
            "select payload from public.email_signals",
            "select row_data from public.email_trigger_errors",
            "select details from public.email_events",
            "select recipient from public.email_marketing_slots",
            "select email from public.users",
            "select public.email_pause(null, 'x')",
        ],
    )
    .await;
}

/// Words that stand only in what is personal: whoever may read one of them somewhere may read about a person.
const PERSONAL: [&str; 7] = [
    "zebrafish",
    "Quagga",
    "203.0.113.77",
    "Okapi-Phone",
    "Ouagadougou",
    "5ecre7",
    "11111111-2222-4333-8444-555555555555",
];

/// One person's traces everywhere, also in what failed.
const TRACES: &str = "
insert into public.users (id, name, email, hashed_password, created_at)
values ('00000000-0000-4000-8000-000000000001', 'Zebrafish Quagga', 'zebrafish@mail.test', '5ecre7', now());
insert into public.projects (id, name, owner_id, api_key, hmac_secret)
values ('00000000-0000-4000-8000-000000000002', 'Quagga shop', '00000000-0000-4000-8000-000000000001', '5ecre7', '5ecre7');
insert into public.email_preferences (user_id, unsubscribe_token)
values ('00000000-0000-4000-8000-000000000001', '11111111-2222-4333-8444-555555555555')
on conflict (user_id) do update set unsubscribe_token = excluded.unsubscribe_token;
insert into public.email_project_contacts (project_id, email, role) values ('00000000-0000-4000-8000-000000000002', 'zebrafish@mail.test', 'admin');
insert into public.email_suppressions (email, reason, source) values ('zebrafish@mail.test', 'unsubscribed', 'zebrafish@mail.test asked');
select public.email_signal('suspicious_login', '00000000-0000-4000-8000-000000000001', null,
    '{\"ip\": \"203.0.113.77\", \"country\": \"BF\", \"device\": \"Okapi-Phone\", \"city\": \"Ouagadougou\"}', now(), 'zebrafish');
select public.email_signal('invitation_created', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002',
    '{\"invitation_id\": \"i\", \"invitee_email\": \"zebrafish@mail.test\", \"inviter_name\": \"Quagga\"}');
insert into public.email_outbox (email_type, user_id, dedupe_key, to_email, payload)
values ('E-ACT-05', '00000000-0000-4000-8000-000000000001', 'critical_verdict_alert:x:zebrafish@mail.test', 'zebrafish@mail.test', '{\"device\": \"Okapi-Phone\"}');
insert into public.email_outbox (email_type, user_id, dedupe_key, status, last_error, finished_at)
values ('E-TRX-01', '00000000-0000-4000-8000-000000000001', 'f:zebrafish@mail.test', 'failed', 'no mailbox zebrafish@mail.test (<zebrafish@mail.test>)', now());
create temporary table claimed as select * from public.email_claim('me', 'resend', 100, interval '1 minute');
select public.email_settle('me', c.batch_id, array_agg(c.id), array_agg('permanent'::text), array_agg(null::text), array_agg('refused zebrafish@mail.test'::text),
    array_agg('Bonjour Zebrafish'::text), array_agg(null::double precision))
from claimed c group by c.batch_id;
insert into public.email_events (email_delivery_id, event_type, occurred_at, provider_event_id, details)
select d.id, 'bounced', now(), 'zebrafish' || d.id, '{\"ip\": \"203.0.113.77\", \"to\": \"zebrafish@mail.test\"}' from public.email_deliveries d;
insert into public.email_trigger_errors (source, email_type, error, row_data) values ('users', 'E-TRX-01', '23505: zebrafish@mail.test', '{\"name\": \"Quagga\"}');
insert into public.email_marketing_slots (recipient, category, last_at, outbox_id) values ('zebrafish@mail.test', 'marketing', now(), 1);
drop table claimed;";

#[tokio::test]
async fn whatever_a_reader_reads_tells_about_nobody() {
    let db = TestDb::new().await;
    db.exec(TRACES).await;
    let columns = db
        .query(
            "select c.relname::text, quote_ident(a.attname), a.attnum > 0 and has_column_privilege('email_reader', c.oid, a.attnum, 'select')
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'm', 'p')",
            &[],
        )
        .await;
    let reader = session_of(&db, "email_reader").await;
    let (mut read, mut hidden, mut told) = (0, 0, Vec::new());
    for row in &columns {
        let (table, column, readable): (String, String, bool) =
            (row.get(0), row.get(1), row.get(2));
        let statement =
            format!("select coalesce(string_agg({column}::text, ' '), '') from public.{table}");
        let session = if readable { &reader } else { db.client().await };
        let text: String = match session.query_one(&statement, &[]).await {
            Ok(row) => row.get(0),
            Err(error) => panic!("{statement}: {}", describe(&error)),
        };
        let personal = PERSONAL
            .iter()
            .any(|word| text.to_lowercase().contains(&word.to_lowercase()));
        match (readable, personal) {
            (true, true) => told.push(format!("{table}.{column}: {text}")),
            (true, false) => read += 1,
            (false, true) => hidden += 1,
            (false, false) => {}
        }
    }
    assert!(told.is_empty(), "email_reader reads\n{}", told.join("\n"));
    // The traces are there to be found, and the reader does read.
    assert!(hidden >= 15, "only {hidden} columns hold a trace");
    assert!(read >= 50, "only {read} columns were read");
    let masked: String = reader
        .query_one(
            "select string_agg(d.to_email || ' ' || d.error_message, '; ') from public.email_deliveries_masked d where d.to_email is not null",
            &[],
        )
        .await
        .expect("the masked view")
        .get(0);
    assert!(
        masked.contains("z…@mail.test refused z…@mail.test"),
        "{masked}"
    );
}
