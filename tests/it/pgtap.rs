//! Runs `tests/sql/*.sql` (pgTAP) through `pg_prove`, each file against a database of its own. `PGTAP_ONLY=E-RET` runs those
//! whose name contains that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::{StreamExt, stream};

use crate::support::{TestDb, shared_cluster, skip};

/// As many files at a time: they spend their time in Postgres.
const PARALLEL: usize = 4;

#[tokio::test]
async fn every_sql_test_passes() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .expect("tests/sql exists")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    if let Ok(part) = std::env::var("PGTAP_ONLY") {
        files.retain(|file| {
            let name = file.file_name().unwrap_or_default();
            name.to_string_lossy().contains(&part)
        });
    }
    files.sort();
    assert!(
        !files.is_empty(),
        "no such tests in {}",
        directory.display()
    );
    if Command::new("pg_prove").arg("--version").output().is_err() {
        return skip("pg_prove is not installed (Debian: libtap-parser-sourcehandler-pgtap-perl)");
    }
    if !shared_cluster().bin().has_extension("pgtap") && !has_pgtap().await {
        return skip("pgTAP is not installed (Debian: postgresql-15-pgtap)");
    }
    let reports: Vec<Result<String, String>> = stream::iter(files)
        .map(prove)
        .buffered(PARALLEL)
        .collect()
        .await;
    let failed: Vec<&String> = reports
        .iter()
        .filter_map(|report| report.as_ref().err())
        .collect();
    for passed in reports.iter().flatten() {
        println!("{passed}");
    }
    assert!(
        failed.is_empty(),
        "{} of {} SQL tests failed\n{}",
        failed.len(),
        reports.len(),
        failed
            .iter()
            .map(|text| text.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// pgTAP has no library, only a script: the catalogue knows it.
async fn has_pgtap() -> bool {
    let db = TestDb::bare().await;
    db.value(
        "select exists (select from pg_available_extensions where name = 'pgtap')",
        &[],
    )
    .await
}

/// One file; the error carries its name and what `pg_prove` said, which names the assertion.
async fn prove(file: PathBuf) -> Result<String, String> {
    let db = TestDb::new().await;
    // In a schema of its own, so that what a test says about public is about us and the application.
    db.exec("create schema tap; create extension pgtap schema tap")
        .await;
    db.exec(&format!(
        "alter database \"{}\" set search_path = public, tap",
        db.name()
    ))
    .await;
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut command = Command::new("pg_prove");
    command
        .args([
            "--norc",
            "--nocolor",
            "--failures",
            "--comments",
            "--host",
            "127.0.0.1",
            "--username",
            "postgres",
        ])
        .args([
            "--port",
            &shared_cluster().port().to_string(),
            "--dbname",
            db.name(),
        ])
        .arg(&file)
        // The person's own psql settings must not change what a test says.
        .env("PSQLRC", "/dev/null")
        .env_remove("PGOPTIONS");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("pg_prove runs");
    let printed = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // A file that dies before its plan exits 0 in some versions: only "PASS" counts.
    if output.status.success() && printed.contains("Result: PASS") {
        let tests = printed
            .split("Tests=")
            .nth(1)
            .and_then(|rest| rest.split(',').next())
            .unwrap_or("?");
        // What the file measured, told with diag().
        let notes: String = printed
            .lines()
            .filter(|line| line.starts_with("# "))
            .fold(String::new(), |notes, line| notes + "\n  " + line);
        Ok(format!("{name}: {tests} assertions hold{notes}"))
    } else {
        Err(format!("--- {name}\n{printed}"))
    }
}
