//! What must hold for every object of ours, read from Postgres's own catalogue, so that no new file can forget it.

use std::collections::BTreeMap;

use crate::support::{TestDb, describe};

/// Runs a query that lists offenders in its first column and says what is wrong with them.
async fn none_of(db: &TestDb, complaint: &str, query: &str) {
    let offenders: Vec<String> = db
        .query(query, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(
        offenders.is_empty(),
        "{complaint}:\n  {}",
        offenders.join("\n  ")
    );
}

#[tokio::test]
async fn security_definer_functions_pin_their_search_path() {
    let db = TestDb::new().await;
    none_of(
        &db,
        "SECURITY DEFINER without \"set search_path = pg_catalog, pg_temp\"",
        "select p.oid::regprocedure::text
         from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%' and p.prosecdef
           and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)",
    )
    .await;
}

#[tokio::test]
async fn public_may_nothing() {
    let db = TestDb::new().await;
    none_of(
        &db,
        "functions that PUBLIC may execute",
        "select p.oid::regprocedure::text
         from pg_proc p
         cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%' and a.grantee = 0",
    )
    .await;
    none_of(
        &db,
        "tables, views and sequences that PUBLIC may touch",
        "select c.oid::regclass::text || ' ' || a.privilege_type
         from pg_class c
         cross join lateral aclexplode(c.relacl) a
         where c.relnamespace = 'public'::regnamespace and c.relname like 'email\\_%' and a.grantee = 0",
    )
    .await;
}

#[tokio::test]
async fn everything_says_what_it_is() {
    let db = TestDb::new().await;
    none_of(
        &db,
        "tables and views without a COMMENT",
        "select c.oid::regclass::text
         from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relname like 'email\\_%' and c.relkind in ('r', 'p', 'v', 'm')
           and obj_description(c.oid, 'pg_class') is null",
    )
    .await;
    none_of(
        &db,
        "columns without a COMMENT",
        "select c.oid::regclass::text || '.' || a.attname
         from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relname like 'email\\_%' and c.relkind in ('r', 'p')
           and col_description(c.oid, a.attnum) is null",
    )
    .await;
    none_of(
        &db,
        "functions without a COMMENT",
        "select p.oid::regprocedure::text
         from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%'
           and obj_description(p.oid, 'pg_proc') is null",
    )
    .await;
}

#[tokio::test]
async fn everything_of_ours_carries_the_prefix() {
    let (bare, migrated) = (TestDb::bare().await, TestDb::new().await);
    let names = "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace
                 union all
                 select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
                 union all
                 select t.typname::text from pg_type t where t.typnamespace = 'public'::regnamespace";
    let known: Vec<String> = bare
        .query(names, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    let foreign: Vec<String> = migrated
        .query(names, &[])
        .await
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|name| !known.contains(name))
        // Array types are named after their table with a leading underscore; constraints' indexes by kind.
        .filter(|name| {
            !["email_", "_email_", "uq_email_", "pk_email_", "ix_email_"]
                .iter()
                .any(|p| name.starts_with(p))
        })
        .collect();
    assert!(foreign.is_empty(), "without the prefix email_: {foreign:?}");
}

/// What is not in that file would be left behind, or would keep it from dropping the rest.
#[tokio::test]
async fn uninstall_knows_every_object_of_ours() {
    let script = include_str!("../../sql/uninstall.sql");
    let db = TestDb::new().await;
    let objects = db
        .query(
            "select c.relname::text from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relname like 'email\\_%' and c.relkind in ('r', 'p', 'm')
             union
             select o.name from (
                 select 'view ' || c.relname, c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
                 union all
                 select 'function ' || p.proname, p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
             ) o (object, name)
             where o.name like 'email\\_%'
             and not exists (select from public.email_sql_files f where o.object = any(f.objects))",
            &[],
        )
        .await;
    let forgotten: Vec<String> = objects
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|name| {
            !script.contains(&format!("'{name}'")) && !script.contains(&format!("public.{name};"))
        })
        .collect();
    assert!(
        forgotten.is_empty(),
        "add to the lists at the top of sql/uninstall.sql: {forgotten:?}"
    );
}

/// What depends on the application's tables, their columns and row types, as the catalogue describes it.
const DEPENDENTS: &str = "
select pg_describe_object(d.classid, d.objid, d.objsubid) || ' -> '
    || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) || ' (' || d.deptype::text || ')'
from pg_depend d
join pg_class c on (d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid)
    or (d.refclassid = 'pg_type'::regclass and d.refobjid = c.reltype)
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'email\\_%'
order by 1";

#[tokio::test]
async fn nothing_of_ours_depends_on_the_applications_columns() {
    let (bare, migrated) = (TestDb::bare().await, TestDb::new().await);
    let known: Vec<String> = bare
        .query(DEPENDENTS, &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect();
    let ours: Vec<String> = migrated
        .query(DEPENDENTS, &[])
        .await
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|line| !known.contains(line))
        // A trigger depends on its table as a whole: that is what a trigger is.
        .filter(|line| {
            let on_the_table = |rest: &str| rest.starts_with("table ") && rest.ends_with(" (a)");
            !line
                .split_once(" -> ")
                .is_some_and(|(who, what)| who.starts_with("trigger email_") && on_the_table(what))
        })
        .collect();
    assert!(
        ours.is_empty(),
        "these depend on the application's tables:\n  {}",
        ours.join("\n  ")
    );
}

/// What the application's own migrations may do, and what Postgres answers.
async fn alterations(db: &TestDb) -> BTreeMap<String, String> {
    let columns = db
        .query(
            "select c.oid::regclass::text, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)
             from pg_class c
             join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'email\\_%'",
            &[],
        )
        .await;
    let mut statements = Vec::new();
    for row in &columns {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        statements.push(format!("alter table {table} drop column {column}"));
        statements.push(format!(
            "alter table {table} alter column {column} type text using {column}::text"
        ));
        statements.push(format!(
            "alter table {table} alter column {column} type {kind}"
        ));
        statements.push(format!(
            "alter table {table} rename column {column} to renamed"
        ));
        statements.push(format!("drop table {table}"));
        statements.push(format!("alter table {table} rename to renamed"));
        statements.push(format!("truncate {table} cascade"));
    }
    let mut answers = BTreeMap::new();
    for statement in statements {
        let result = db
            .client()
            .await
            .batch_execute(&format!("begin; {statement}"))
            .await;
        db.exec("rollback").await;
        let answer = result
            .as_ref()
            .map_or_else(describe, |()| "done".to_owned());
        answers.insert(statement, answer);
    }
    answers
}

#[tokio::test]
async fn the_application_alters_its_tables_as_if_we_were_not_there() {
    let (without, with) = (TestDb::bare().await, TestDb::new().await);
    let (without, with) = (alterations(&without).await, alterations(&with).await);
    assert!(without.len() > 100, "too few statements: {}", without.len());
    let different: Vec<String> = without
        .iter()
        .filter(|(statement, answer)| with.get(*statement) != Some(answer))
        .map(|(statement, answer)| {
            format!(
                "{statement}: without us \"{answer}\", with us {:?}",
                with.get(statement)
            )
        })
        .collect();
    assert!(different.is_empty(), "{}", different.join("\n"));
}
