//! `docs/reference.md`: every table, view and function with its COMMENT, who may use it, and an example that was run; and the list
//! of files in `sql/README.md`.
//!
//! `make reference` (or `UPDATE_GOLDEN=1`) writes both anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::{TestDb, describe};

const EXAMPLES: &str = include_str!("../reference_examples.sql");

/// What the examples and the documents speak of: a user, a project, row 42 that waits and row 43 that has failed.
pub(crate) const SCENE: &str = "
insert into public.users (id, name, email, hashed_password) values ('00000000-0000-4000-8000-000000000001', 'Nassir', 'nassir@seqpulse.test', 'x');
insert into public.projects (id, name, owner_id, api_key, hmac_secret)
values ('00000000-0000-4000-8000-000000000002', 'Shop', '00000000-0000-4000-8000-000000000001', 'k', 's');
insert into public.email_preferences (user_id) values ('00000000-0000-4000-8000-000000000001') on conflict do nothing;
insert into public.email_outbox (id, email_type, user_id, dedupe_key, run_at) overriding system value
values (42, 'E-TRX-01', '00000000-0000-4000-8000-000000000001', 'scene:42', now() + interval '1 day');
insert into public.email_outbox (id, email_type, user_id, dedupe_key, status, last_error, finished_at) overriding system value
values (43, 'E-TRX-01', '00000000-0000-4000-8000-000000000001', 'scene:43', 'failed', 'HTTP 422', now());
insert into public.email_deliveries (user_id, email_type, dedupe_key, status, payload_json, error_message, outbox_id)
values ('00000000-0000-4000-8000-000000000001', 'E-TRX-01', 'scene:43', 'failed', '{\"to_email\": \"nassir@seqpulse.test\"}', 'HTTP 422', 43);";

/// The examples by function, in the order of the file.
fn examples() -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    for line in EXAMPLES.lines() {
        match line.strip_prefix("-- email_") {
            Some(name) => examples.push((format!("email_{name}"), String::new())),
            None => {
                if let Some((_, sql)) = examples.last_mut() {
                    sql.push_str(line);
                    sql.push('\n');
                }
            }
        }
    }
    for (_, sql) in &mut examples {
        *sql = sql.trim().to_owned();
    }
    examples
}

/// Runs SQL as this role and undoes it.
pub(crate) async fn run(db: &TestDb, role: &str, sql: &str) -> Result<(), String> {
    let client = db.client().await;
    let result = client
        .batch_execute(&format!("begin; set local role {role}; {sql}"))
        .await;
    client.batch_execute("rollback").await.expect("undone");
    result.map_err(|error| describe(&error))
}

#[tokio::test]
async fn every_example_runs_as_email_admin() {
    let db = TestDb::new().await;
    db.exec(SCENE).await;
    for (name, sql) in examples() {
        let answer = run(&db, "email_admin", &sql).await;
        assert_eq!(answer, Ok(()), "{name}: {sql}");
    }
}

struct Function {
    name: String,
    signature: String,
    callers: String,
    comment: String,
}

async fn functions(db: &TestDb) -> Vec<Function> {
    db.query(
        "select p.proname::text,
            p.proname || '(' || pg_get_function_arguments(p.oid) || ') → ' || pg_get_function_result(p.oid),
            coalesce((
                select string_agg(r.rolname, ', ' order by r.rolname) from pg_roles r
                where r.rolname in ('email_worker', 'email_reader', 'email_admin', 'email_app') and has_function_privilege(r.oid, p.oid, 'execute')
            ), ''),
            coalesce(obj_description(p.oid, 'pg_proc'), '')
         from pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname like 'email\\_%' and p.proname !~ '^email_[a-z]+_[0-9]{2}_'
         and p.prorettype <> 'trigger'::regtype
         order by p.proname, pg_get_function_arguments(p.oid)",
        &[],
    )
    .await
    .iter()
    .map(|row| Function {
        name: row.get(0),
        signature: row.get(1),
        callers: row.get(2),
        comment: row.get(3),
    })
    .collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Tables or views with their columns.
async fn relations(db: &TestDb, kind: &str, out: &mut String) {
    let rows = db
        .query(
            "select c.relname::text, coalesce(obj_description(c.oid, 'pg_class'), ''), a.attname::text,
                format_type(a.atttypid, a.atttypmod) || case when a.attnotnull and c.relkind = 'r' then '' when c.relkind = 'r' then ', null' else '' end,
                coalesce(col_description(c.oid, a.attnum), ''),
                coalesce((
                    select string_agg(r.rolname, ', ' order by r.rolname) from pg_roles r
                    where r.rolname in ('email_worker', 'email_reader', 'email_admin') and has_table_privilege(r.oid, c.oid, 'select')
                ), '')
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relname like 'email\\_%' and c.relkind::text = $1
             order by c.relname, a.attnum",
            &[&kind],
        )
        .await;
    let mut before = String::new();
    for row in &rows {
        let [name, about, column, column_type, comment, readers]: [String; 6] =
            std::array::from_fn(|index| row.get(index));
        if name != before {
            let readers = if readers.is_empty() {
                "Read through functions only.".to_owned()
            } else {
                format!("Readable as a whole by {readers}.")
            };
            let _ = write!(
                out,
                "\n### {name}\n\n{about} {readers}\n\n| column | type | meaning |\n|---|---|---|\n"
            );
            before = name;
        }
        let _ = writeln!(out, "| `{column}` | {column_type} | {} |", cell(&comment));
    }
}

#[tokio::test]
async fn beside_the_schema_dump_the_reference_is_current() {
    let db = TestDb::new().await;
    let functions = functions(&db).await;
    let by_name: BTreeMap<String, String> = examples().into_iter().collect();
    let mut out = String::from(
        "# Reference\n\nEvery table, view and function, as its COMMENT in the database says (`\\d+` and `\\df+` show the same). Written by \
         `make reference`; do not edit: the comments stand beside what they describe, in `migrations/` and `sql/`.\n\n\
         Every name is in the schema `public`. The functions of one code (`email_trx_01_enqueue` and so on) are described at the top of \
         its file in `sql/triggers/`.\n\n## Functions for people\n",
    );
    for (name, example) in examples() {
        for function in functions.iter().filter(|function| function.name == name) {
            let _ = write!(
                out,
                "\n### {name}\n\n`{}`\n\n{} May be called by {}.\n\n```sql\n{example}\n```\n",
                function.signature, function.comment, function.callers
            );
        }
    }
    out.push_str("\n## Views\n");
    relations(&db, "v", &mut out).await;
    out.push_str("\n## Tables\n");
    relations(&db, "r", &mut out).await;
    out.push_str("\n## Functions the rest is made of\n\n| function | may be called by | what it does |\n|---|---|---|\n");
    for function in functions
        .iter()
        .filter(|function| !by_name.contains_key(&function.name))
    {
        let callers = if function.callers.is_empty() {
            "its owner"
        } else {
            &function.callers
        };
        let _ = writeln!(
            out,
            "| `{}` | {callers} | {} |",
            cell(&function.signature),
            cell(&function.comment)
        );
    }

    let out = out
        .replace("timestamp with time zone", "timestamptz")
        .replace("double precision", "float8");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &out).expect("docs/reference.md can be written");
        return;
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let stale: Vec<&str> = out
        .lines()
        .filter(|line| !written.lines().any(|known| known == *line))
        .collect();
    assert!(
        written == out,
        "docs/reference.md is not what the comments say; run `make reference`. New:\n{}",
        stale.join("\n")
    );
}

/// The groups of `sql/README.md`, in its order.
const GROUPS: [&str; 4] = [
    "Before the tables",
    "A row's life",
    "People",
    "Clock and figures",
];

/// Which group a file of `sql/core` belongs to; its number says when it is applied.
fn group(file: &str) -> &'static str {
    let number: u32 = file
        .get(..2)
        .and_then(|number| number.parse().ok())
        .expect("a file of sql/core begins with two digits");
    match number {
        0..10 => GROUPS[0],
        10..50 => GROUPS[1],
        62 | 66 | 70..80 | 84..90 => GROUPS[3],
        _ if file == "65_segments.sql" => GROUPS[3],
        _ => GROUPS[2],
    }
}

/// The first sentence of a file's header.
fn sentence(text: &str) -> String {
    let paragraph: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("-- "))
        .collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph
        .match_indices(['.', '?'])
        .map(|(at, _)| at + 1)
        .find(|end| paragraph[*end..].is_empty() || paragraph[*end..].starts_with(' '));
    paragraph[..end.unwrap_or(paragraph.len())].to_owned()
}

/// The functions and views that a file makes, in its order.
fn makes(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        let rest = line
            .strip_prefix("create or replace function public.")
            .or_else(|| line.strip_prefix("create view public."));
        let Some(rest) = rest else { continue };
        let name: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[test]
fn beside_the_schema_dump_the_list_of_sql_files_is_current() {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let mut files: Vec<String> = fs::read_dir(sql.join("core"))
        .expect("sql/core")
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a name in UTF-8")
        })
        .collect();
    files.sort();
    let mut list = String::new();
    for title in GROUPS {
        let _ = write!(
            list,
            "\n### {title}\n\n| file | what it is about | what it makes |\n|---|---|---|\n"
        );
        for file in files.iter().filter(|file| group(file) == title) {
            let text = fs::read_to_string(sql.join("core").join(file)).expect("the file");
            let about = sentence(&text);
            assert!(!about.is_empty(), "sql/core/{file} has no header");
            let makes: Vec<String> = makes(&text)
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            let _ = writeln!(
                list,
                "| [{file}](core/{file}) | {} | {} |",
                cell(&about),
                makes.join(" ")
            );
        }
    }
    list.push_str("\nOne file per code stands in [triggers/](triggers/): cause, key, time, what must still be true, and figures.\n\n");

    let path = sql.join("README.md");
    let written = fs::read_to_string(&path).expect("sql/README.md");
    let (before, rest) = written
        .split_once("from the files' headers -->\n")
        .expect("where the list begins");
    let (found, after) = rest
        .split_once("<!-- end of files -->")
        .expect("where the list ends");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let new =
            format!("{before}from the files' headers -->\n{list}<!-- end of files -->{after}");
        fs::write(&path, new).expect("sql/README.md can be written");
        return;
    }
    assert!(
        found == list,
        "the list in sql/README.md is not what the files say; run `make reference`"
    );
}
