//! What the documents tell people to type is typed here.
//!
//! - `docs/*.md`: every block that begins with three backticks and `sql` is run and undone, as the role it names
//!   (`sql as email_reader`), or as the owner.
//! - `README.md`: every indented line is a command, a setting or a statement; each is run with addresses of this test put in,
//!   and a line nobody runs fails the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use standin::Sandbox;

use crate::reference::{SCENE, run};
use crate::support::{SidecarBuilder, TestDb, migrate, sandbox};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Block {
    line: usize,
    role: Option<String>,
    sql: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let words: Vec<&str> = info.split_whitespace().collect();
                if words.first() == Some(&"sql") {
                    open = Some(Block {
                        line: number + 2,
                        role: words
                            .get(2)
                            .filter(|_| words[1] == "as")
                            .map(|&role| role.to_owned()),
                        sql: String::new(),
                    });
                }
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.sql.push_str(line);
                block.sql.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of SQL is not closed");
    blocks
}

#[tokio::test]
async fn the_sql_of_the_documents_runs() {
    let db = TestDb::new().await;
    db.exec(SCENE).await;
    let mut files: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"))
        .expect("docs")
        .map(|entry| entry.expect("readable").file_name())
        .filter_map(|name| name.to_str().map(str::to_owned))
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "md")
        })
        .collect();
    files.sort();
    let (mut ran, mut wrong) = (0, Vec::new());
    for name in files {
        let text = file(&format!("docs/{name}"));
        // What monitoring shows is what a dashboard may see; the rest says whom it is for.
        let usual = if name == "monitoring.md" {
            "email_reader"
        } else if name == "reference.md" {
            "email_admin"
        } else {
            "postgres"
        };
        for block in blocks(&text) {
            let role = block.role.as_deref().unwrap_or(usual);
            if let Err(error) = run(&db, role, &block.sql).await {
                wrong.push(format!(
                    "docs/{name}:{} as {role}: {error}\n{}",
                    block.line, block.sql
                ));
            }
            ran += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran > 30, "only {ran} blocks were found");
}

/// The text of the one block that begins with three backticks and this word.
fn block(page: &str, info: &str) -> String {
    let text = file(page);
    let (_, rest) = text
        .split_once(&format!("```{info}\n"))
        .unwrap_or_else(|| panic!("{page} has no block {info}"));
    rest.split("```").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_way_back_of_the_upgrading_page_is_open_and_so_is_the_way_forward() {
    let db = TestDb::new().await;
    let newest: i32 = db
        .value("select max(version) from public.email_schema_history", &[])
        .await;
    db.exec("insert into public.email_schema_history (version, name, applied_on, checksum) values (9999, 'from_the_future', '2030-01-01T00:00:00Z', '1')")
        .await;
    migrate(db.url()).await.expect_err("the schema is newer");
    let back = block("docs/upgrading.md", "sql-back");
    let back = back.replace("version > 9;", &format!("version > {newest};"));
    db.exec(&back).await;
    migrate(db.url())
        .await
        .expect("as if it had never been newer");
    db.exec(&block("docs/upgrading.md", "sql-forward")).await;
    migrate(db.url()).await.expect_err("it is newer again");
}

/// The names the alert query of the monitoring page answers.
async fn alerts(db: &TestDb, query: &str) -> Vec<String> {
    db.query(query.trim_end().trim_end_matches(';'), &[])
        .await
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test]
async fn the_alerts_of_the_monitoring_page_are_silent_when_all_is_well_and_speak_when_it_is_not() {
    let db = TestDb::new().await;
    let query = blocks(&file("docs/monitoring.md"))
        .into_iter()
        .find(|block| block.sql.contains("'nobody sends'"))
        .expect("the alerts")
        .sql;
    assert_eq!(alerts(&db, &query).await, ["nobody sends"]);
    db.exec("insert into public.email_workers (id, hostname, pid, version, provider, state) values ('w', 'h', 1, '0', 'console', 'running')")
        .await;
    assert_eq!(alerts(&db, &query).await, Vec::<String>::new());
    for (wrong, alert) in [
        ("select public.email_pause(null, 'why')", "paused"),
        (
            "update public.email_settings set armed_for = null",
            "not armed",
        ),
        (
            "insert into public.email_trigger_errors (source, error) values ('users', '42703: x')",
            "facts missed",
        ),
        ("select public.email_pause('E-RET-01')", "types paused"),
        (
            "insert into public.email_outbox (email_type, user_id, dedupe_key, run_at) values ('E-TRX-01', gen_random_uuid(), 'late', public.email_now() - interval '2 minutes')",
            "lagging",
        ),
    ] {
        db.exec(wrong).await;
        let said = alerts(&db, &query).await;
        assert!(said.iter().any(|name| name == alert), "{wrong}: {said:?}");
    }
}

/// Targets of the Makefile.
fn targets() -> Vec<String> {
    file("Makefile")
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// `NAME=value` with or without quotes around the value.
fn setting(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let one_word =
        !value.contains(char::is_whitespace) || (value.starts_with('\'') && value.ends_with('\''));
    (!name.is_empty() && name.chars().all(is_name) && one_word)
        .then(|| (name.to_owned(), value.trim_matches('\'').to_owned()))
}

/// The row that the README explains and cancels.
const ROW_OF_THE_README: &str = "insert into public.email_outbox (id, email_type, user_id, dedupe_key, run_at)
    values (4711, 'E-TRX-01', gen_random_uuid(), 'readme', now() + interval '1 day') on conflict do nothing";

#[tokio::test]
async fn the_commands_of_the_readme_run() {
    let db = TestDb::bare().await;
    let sandbox = sandbox().await;
    let role = format!("readme_{}", db.name());
    let scratch = tempfile::tempdir().expect("a directory");
    let targets = targets();
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut statement = String::new();
    let mut ran = 0;
    for line in file("README.md").lines() {
        let Some(command) = line.strip_prefix("    ").map(str::trim) else {
            continue;
        };
        // What follows two spaces and a # or -- explains.
        let command = command
            .split_once("  #")
            .map_or(command, |(command, _)| command)
            .trim_end_matches('\\')
            .trim();
        let command = match command.split_once("; --") {
            Some((statement, _)) => format!("{statement};"),
            None => command.to_owned(),
        };
        let command = command
            .split_once("  --")
            .map_or(command.as_str(), |(command, _)| command)
            .trim();
        if command.is_empty() {
            continue;
        }
        ran += 1;
        // SQL, perhaps over several lines.
        let starts = ["select", "update", "insert", "create role"];
        if !statement.is_empty() || starts.iter().any(|word| command.starts_with(word)) {
            statement.push_str(command);
            statement.push('\n');
            if statement.trim_end().ends_with(';') {
                let sql = std::mem::take(&mut statement).replace("seqpulse_mailer", &role);
                if sql.contains("4711") {
                    db.exec(ROW_OF_THE_README).await;
                }
                db.exec(&sql).await;
            }
            continue;
        }
        if let Some(make) = command.strip_prefix("make ") {
            let target = make.split_whitespace().next().unwrap_or_default();
            assert!(targets.iter().any(|known| known == target), "{line}");
            continue;
        }
        if let Some((name, value)) = setting(command) {
            settings.insert(name, value);
            continue;
        }
        // A command, with settings before it.
        let mut words: Vec<&str> = command.split_whitespace().collect();
        let mut here = settings.clone();
        while let Some((name, value)) = words.first().and_then(|word| setting(word)) {
            here.insert(name, value);
            words.remove(0);
        }
        let args = match words[..] {
            ["seqpulse-mailer", ref args @ ..] | ["cargo", "run", "--", ref args @ ..] => {
                args.to_vec()
            }
            _ => panic!("nobody runs this line of the README: {line}"),
        };
        let url = here.get("DATABASE_URL").cloned().unwrap_or_default();
        let url = if url.contains("seqpulse_mailer") {
            db.url_as(&role)
        } else {
            db.url().to_owned()
        };
        follow(&db, &sandbox, &here, &url, &args, scratch.path()).await;
        settings.clear();
    }
    assert!(ran > 25, "only {ran} lines were found");
    assert!(statement.is_empty(), "not ended: {statement}");
    db.exec(&format!("drop owned by {role}; drop role {role}"))
        .await;
}

/// Runs one command as the README has it, with this test's database, provider and directory.
async fn follow(
    db: &TestDb,
    sandbox: &Sandbox,
    settings: &BTreeMap<String, String>,
    url: &str,
    args: &[&str],
    scratch: &Path,
) {
    let out = scratch.join("out").display().to_string();
    let mut args: Vec<&str> = args.to_vec();
    if let Some(place) = args.iter().position(|&arg| arg == "--out") {
        args[place + 1] = &out;
    }
    let mut command = SidecarBuilder::command(&args);
    for (name, value) in settings {
        command = command.env(name, value);
    }
    command = command.env("DATABASE_URL", url).env("HTTP_LISTEN", "off");
    if settings.contains_key("EMAIL_PROVIDER") {
        command = command
            .env("EMAIL_PROVIDER_URL", &sandbox.url())
            .env("EMAIL_API_KEY", "re_test_key_000000000000");
    }
    if args[..] != ["run"] {
        let (status, said) = command.run().await;
        // A doctor who finds that nobody runs only warns.
        assert_eq!(status.code(), Some(0), "{args:?}: {said}");
        return;
    }
    let user = db
        .sign_up("Nassir", &format!("{}@seqpulse.test", uuid::Uuid::new_v4()))
        .await;
    let mut sidecar = command.spawn();
    db.wait_until(&format!(
        "select exists (select from public.email_outbox where user_id = '{user}' and status = 'sent')"
    ))
    .await;
    assert_eq!(sidecar.stop().await.code(), Some(0), "{}", sidecar.log());
}
