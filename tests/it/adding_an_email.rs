//! Follows `docs/adding-an-email.md` to the letter: writes its files into a copy of this repository, builds that, and reads
//! the new letter at the provider.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Sidecar, TestDb, sandbox, shared_cluster, skip};

/// What the document says to do with a block.
#[derive(Debug)]
enum Step {
    /// A new file.
    Write { path: String, text: String },
    /// Lines after the one line that reads `anchor`.
    Insert {
        path: String,
        anchor: String,
        text: String,
    },
    /// A statement for the database, at the end.
    Then(String),
}

/// The quoted words of a line.
fn quoted(line: &str) -> Vec<String> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut words = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            if line.contains('`') {
                words = quoted(line);
            }
            continue;
        };
        let text = lines
            .by_ref()
            .take_while(|line| *line != "```")
            .fold(String::new(), |text, line| text + line + "\n");
        // "In a new file `path`", "In `path`, after the line `anchor`"
        match (kind.rsplit_once('-').map(|(_, what)| what), &words[..]) {
            (Some("file"), [path, ..]) => steps.push(Step::Write {
                path: path.clone(),
                text,
            }),
            (Some("lines"), [.., path, anchor]) => steps.push(Step::Insert {
                path: path.clone(),
                anchor: anchor.clone(),
                text,
            }),
            (Some("then"), _) => steps.push(Step::Then(text)),
            other => panic!("nobody knows what to do with a block of {other:?}"),
        }
    }
    steps
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["-R", "-p"])
        .arg(from)
        .arg(to)
        .status()
        .expect("cp");
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}

/// The repository without its history and what was built.
fn copy_repository(to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for name in [
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
        "src",
        "crates",
        "migrations",
        "sql",
        "templates",
        "tests",
        "benches",
    ] {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), to);
    }
}

/// Where this test's own program was built: `target/debug`.
fn built() -> PathBuf {
    Path::new(crate::support::BINARY)
        .parent()
        .expect("a directory")
        .to_owned()
}

/// Builds the copy. What it depends on is built already: those files are linked into its own target directory, so that only
/// our own code is compiled and this repository's program stays what it is.
fn build(repository: &Path) -> PathBuf {
    let target = repository.join("target");
    let debug = target.join("debug");
    fs::create_dir_all(&debug).expect("a directory");
    for part in ["deps", "build", ".fingerprint"] {
        let linked = Command::new("cp")
            .args(["-R", "-l", "-p"])
            .arg(built().join(part))
            .arg(&debug)
            .status()
            .expect("cp");
        assert!(linked.success(), "linking {part}");
    }
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "--offline",
            "--bin",
            "seqpulse-mailer",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(repository)
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    debug.join("seqpulse-mailer")
}

#[tokio::test]
async fn the_document_leads_from_nothing_to_an_inbox() {
    if built().file_name().is_none_or(|name| name != "debug") {
        return skip("the program under test is not a debug build");
    }
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let repository = scratch.path().join("seqpulse-mailer");
    copy_repository(&repository);
    let (mut files, mut lines, mut then) = (0, 0, Vec::new());
    for step in steps(include_str!("../../docs/adding-an-email.md")) {
        match step {
            Step::Write { path, text } => {
                let path = repository.join(path);
                assert!(!path.exists(), "{} exists already", path.display());
                fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
                fs::write(path, text).expect("written");
                files += 1;
            }
            Step::Insert { path, anchor, text } => {
                let path = repository.join(path);
                let before = fs::read_to_string(&path).expect("the file");
                let anchor = format!("{anchor}\n");
                assert_eq!(
                    before.matches(&anchor).count(),
                    1,
                    "{}: {anchor}",
                    path.display()
                );
                fs::write(path, before.replace(&anchor, &format!("{anchor}{text}")))
                    .expect("written");
                lines += 1;
            }
            Step::Then(sql) => then.push(sql),
        }
    }
    assert_eq!((files, lines, then.len()), (7, 3, 1), "what the page shows");
    let program = tokio::task::spawn_blocking({
        let repository = repository.clone();
        move || build(&repository)
    })
    .await
    .expect("built");

    let db = TestDb::new().await;
    let migrated = Command::new(&program)
        .arg("migrate")
        .env_clear()
        .env("DATABASE_URL", db.url())
        .output()
        .expect("it starts");
    assert!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    for sql in then {
        db.exec(&sql).await;
    }
    let user = db.sign_up("Nassir Benali", "nassir@seqpulse.test").await;
    db.exec(&format!(
        "insert into public.projects (id, name, owner_id, api_key, hmac_secret) values (gen_random_uuid(), 'Boutique', '{user}', 'k', 's');
         update public.projects set plan = 'pro'"
    ))
    .await;
    db.set_clock_offset("11 minutes").await;
    let sandbox = sandbox().await;
    let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url()).spawn_program(&program);
    db.wait_until("select status = 'sent' from public.email_outbox where email_type = 'E-NEW-01'")
        .await;
    let subjects: Vec<String> = sandbox
        .entries()
        .iter()
        .map(|entry| entry.subject.to_string())
        .collect();
    assert!(
        subjects.contains(&"Boutique passe au plan Pro - merci\u{a0}!".to_owned()),
        "{subjects:?}"
    );
    sidecar.stop().await;
    its_test_passes(&program, &repository).await;
}

/// The page's own pgTAP file, on a database the built program migrated.
async fn its_test_passes(program: &Path, repository: &Path) {
    if !shared_cluster().bin().program("psql").is_file() {
        return skip("psql is not installed (Debian: postgresql-client-15)");
    }
    let db = TestDb::new().await;
    let migrated = Command::new(program)
        .arg("migrate")
        .env_clear()
        .env("DATABASE_URL", db.url())
        .status()
        .expect("it starts");
    assert!(migrated.success());
    db.exec(&format!(
        "create schema tap; create extension pgtap schema tap; alter database \"{}\" set search_path = public, tap",
        db.name()
    ))
    .await;
    let output = Command::new(shared_cluster().bin().program("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--dbname",
            db.url(),
            "--file",
        ])
        .arg(repository.join("tests/sql/E-NEW-01.sql"))
        .output()
        .expect("psql runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("ok 4 - ") && !said.contains("not ok"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
