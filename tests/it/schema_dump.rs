//! The golden dump `tests/schema.sql`: what the migrations and SQL files add up to, for people who review a change.
//!
//! `make schema` (or `UPDATE_GOLDEN=1`) writes it anew. Function bodies are left out: they are files of this repository.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{TestDb, shared_cluster, skip};

/// The major version whose `pg_dump` wrote the file; others print the same schema differently.
const GOLDEN_MAJOR: u32 = 15;

#[tokio::test]
async fn the_schema_is_the_one_people_have_read() {
    let bin = shared_cluster().bin();
    if bin.major() != GOLDEN_MAJOR {
        // Not skip(): no tool is missing, and make test on another Debian must be able to pass.
        eprintln!(
            "skipped: tests/schema.sql is a dump of PostgreSQL {GOLDEN_MAJOR}, this is {}",
            bin.major()
        );
        return;
    }
    if !bin.program("pg_dump").is_file() {
        return skip("pg_dump is not installed (Debian: postgresql-client-15)");
    }
    let (bare, migrated) = (TestDb::bare().await, TestDb::new().await);
    let known: BTreeSet<String> = objects(&dump(&bare)).into_iter().collect();
    let ours: Vec<String> = objects(&dump(&migrated))
        .into_iter()
        .filter(|object| !known.contains(object))
        .collect();
    let header = "-- What migrations/ and sql/ add up to, without function bodies. Written by `make schema`; do not edit.\n\n";
    let actual = format!("{header}{}\n", ours.join("\n\n"));

    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema.sql");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &actual).expect("tests/schema.sql can be written");
        return;
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        actual == expected,
        "the schema differs from tests/schema.sql; if that is meant, run `make schema` and read the change\n{}",
        diff(&golden, &actual)
    );
}

fn dump(db: &TestDb) -> String {
    let output = Command::new(shared_cluster().bin().program("pg_dump"))
        .args([
            "--schema-only",
            "--no-owner",
            "--schema=public",
            "--dbname",
            db.url(),
        ])
        .output()
        .expect("pg_dump runs");
    assert!(
        output.status.success(),
        "pg_dump: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("pg_dump prints UTF-8")
}

/// The dump's statements, one object each: `pg_dump` puts a comment of three lines, "-- Name: …" in the middle, before
/// every one. The text before the first (settings of the session) is nobody's object.
fn objects(dump: &str) -> Vec<String> {
    let without_marks: String = dump
        .lines()
        // psql commands such as \restrict carry a random word.
        .filter(|line| {
            *line != "--"
                && !line.starts_with('\\')
                && *line != "-- PostgreSQL database dump complete"
        })
        .fold(String::new(), |text, line| text + line + "\n");
    without_marks
        .split("\n-- Name: ")
        .skip(1)
        .map(statement)
        .collect()
}

/// One object without its heading, blank lines and function body.
fn statement(object: &str) -> String {
    let body = object.split_once('\n').map_or("", |(_heading, body)| body);
    let text: Vec<&str> = body
        .lines()
        // Settings that pg_dump changes between two objects.
        .filter(|line| !line.trim().is_empty() && !line.starts_with("SET default_"))
        .collect();
    let text = text.join("\n");
    if !text.starts_with("CREATE FUNCTION") && !text.starts_with("CREATE PROCEDURE") {
        return text;
    }
    match text
        .find("\n    AS ")
        .or_else(|| text.find("\n    BEGIN ATOMIC"))
    {
        Some(end) => format!("{};", &text[..end]),
        None => text,
    }
}

/// `diff -u` of the file and the text, or both sizes when there is no `diff`.
fn diff(golden: &Path, actual: &str) -> String {
    let run = || -> std::io::Result<String> {
        let mut child = Command::new("diff")
            .args([
                "-u",
                "--label",
                "tests/schema.sql",
                "--label",
                "this database",
            ])
            .arg(golden)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(actual.as_bytes())?;
        Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
    };
    run().unwrap_or_else(|error| {
        format!(
            "(diff cannot be run: {error}; the database's schema has {} bytes)",
            actual.len()
        )
    })
}
