//! `plpgsql_check` over every PL/pgSQL function of ours: it finds the misspelt column that `create function` accepts.
//!
//! Trigger functions are checked once per table, because only then do `new`, `old` and the transition tables have columns;
//! one that serves several triggers of a table gets the transition tables of all of them (it tells them by `tg_op`).
//!
//! Errors, warnings, extra warnings (unused variables, shadowing) and security warnings (SQL put together from text) fail
//! the test. Performance hints are off: they ask for volatility marks that change no plan of ours.

use crate::support::{TestDb, skip};

/// Every check of an ordinary function, and of each trigger with its function.
const CHECKS: &str = "
with ours as (
    select p.oid, p.prorettype = 'trigger'::regtype as is_trigger
    from pg_proc p
    join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%' and l.lanname = 'plpgsql'
),
targets as (
    select o.oid, 0::oid as relation, null::name as old_table, null::name as new_table
    from ours o
    where not o.is_trigger
    union all
    select o.oid, t.tgrelid, max(t.tgoldtable::text)::name, max(t.tgnewtable::text)::name
    from ours o
    join pg_trigger t on t.tgfoid = o.oid and not t.tgisinternal
    where o.is_trigger
    group by o.oid, t.tgrelid
)
select t.oid::regprocedure::text, nullif(t.relation, 0)::regclass::text, c.level, c.lineno, c.message, c.detail, c.hint, c.query
from targets t
left join lateral plpgsql_check_function_tb(
    t.oid, t.relation, fatal_errors => false, other_warnings => true, extra_warnings => true,
    performance_warnings => false, security_warnings => true, oldtable => t.old_table, newtable => t.new_table
) c on true
order by 1, 2, c.lineno";

/// Trigger functions that no trigger uses: nothing could check them, and nothing needs them.
const UNUSED: &str = "
select p.oid::regprocedure::text
from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%' and p.prorettype = 'trigger'::regtype
  and not exists (select from pg_trigger t where t.tgfoid = p.oid)";

/// Functions that execute text they are given by design: only their owner, the migrating role, may call them.
const TAKES_SQL: [&str; 1] = ["email_grant(text,text)"];

#[tokio::test]
async fn no_function_has_anything_to_complain_about() {
    let db = TestDb::new().await;
    if !db
        .value::<bool>(
            "select exists (select from pg_available_extensions where name = 'plpgsql_check')",
            &[],
        )
        .await
    {
        return skip("plpgsql_check is not installed (Debian: postgresql-15-plpgsql-check)");
    }
    db.exec("create extension plpgsql_check").await;
    let rows = db.query(CHECKS, &[]).await;
    assert!(!rows.is_empty(), "no function of ours was found");
    let complaints: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let level: String = row.get::<_, Option<String>>(2)?;
            let text = |column: usize| row.get::<_, Option<String>>(column).unwrap_or_default();
            let table = row
                .get::<_, Option<String>>(1)
                .map(|table| format!(" on {table}"))
                .unwrap_or_default();
            let line = row.get::<_, Option<i32>>(3).unwrap_or_default();
            let function = text(0);
            if level == "security" && TAKES_SQL.contains(&function.as_str()) {
                return None;
            }
            Some(format!(
                "{function}{table}, line {line}: {level}: {}\n    {}",
                text(4),
                [text(5), text(6), text(7)].join(" ").trim()
            ))
        })
        .collect();
    assert!(
        complaints.is_empty(),
        "{} complaints\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    let unused: Vec<String> = db
        .query(UNUSED, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(
        unused.is_empty(),
        "trigger functions without a trigger: {unused:?}"
    );
}
