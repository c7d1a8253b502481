//! Settings and usage through the real binary: exit codes, one line per fault, nothing secret.

use std::process::{Command, Output};

use seqpulse_mailer::config::VARIABLES;

use crate::support::BINARY;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied());
    command.output().expect("the binary runs")
}

/// Standard error of a run that must have been refused.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(arguments, environment);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        output.status.code(),
        Some(2),
        "{arguments:?} {environment:?}: {text}"
    );
    assert!(output.stdout.is_empty());
    assert!(!text.contains("hunter2"), "{text}");
    text
}

const DATABASE: (&str, &str) = (
    "DATABASE_URL",
    "postgres://mailer:hunter2@127.0.0.1:1/seqpulse",
);

#[test]
fn one_fault_is_one_line_with_name_and_example() {
    for (arguments, environment, name) in [
        (["migrate"], vec![], "DATABASE_URL"),
        (["run"], vec![], "DATABASE_URL"),
        (
            ["run"],
            vec![("DATABASE_URL", "mysql://root:hunter2@db/x")],
            "DATABASE_URL",
        ),
        (
            ["run"],
            vec![DATABASE, ("EMAIL_LISTEN_URL", "hunter2")],
            "EMAIL_LISTEN_URL",
        ),
        (
            ["run"],
            vec![DATABASE, ("EMAIL_PROVIDER", "pigeon")],
            "EMAIL_PROVIDER",
        ),
        (
            ["run"],
            vec![DATABASE, ("EMAIL_BATCH_SIZE", "many")],
            "EMAIL_BATCH_SIZE",
        ),
        (
            ["migrate"],
            vec![DATABASE, ("LOG_FORMAT", "xml")],
            "LOG_FORMAT",
        ),
    ] {
        let text = refused(&arguments, &environment);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains(&format!("{name} ")) && text.contains(&format!("for example {name}=")),
            "{text}"
        );
    }
}

#[test]
fn every_fault_is_named_at_the_first_start() {
    let environment = [
        DATABASE,
        ("EMAIL_PROVIDER", "resend"),
        ("EMAIL_WEBHOOK_SECRET", "hunter2"),
    ];
    let text = refused(&["run"], &environment);
    let order = [
        "EMAIL_FROM is missing",
        "EMAIL_API_KEY is missing",
        "PUBLIC_URL is missing",
        "EMAIL_WEBHOOK_SECRET must",
    ];
    assert_eq!(text.lines().count(), order.len(), "{text}");
    for (line, expected) in text.lines().zip(order) {
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = Command::new(BINARY);
    command.arg("run").env_clear().envs([DATABASE]);
    command.env(
        "EMAIL_POSTAL_ADDRESS",
        std::ffi::OsStr::from_bytes(b"1 rue Fran\xe7oise"),
    );
    let output = command.output().expect("the binary runs");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("EMAIL_POSTAL_ADDRESS is not valid UTF-8"),
        "{text}"
    );
}

#[test]
fn usage_errors_exit_with_2_and_help_with_0() {
    for arguments in [
        &["send"][..],
        &["run", "--now"],
        &["sandbox", "--listen", "0.0.0.0:1"],
        &[],
    ] {
        refused(arguments, &[]);
    }
    let help = run(&["run", "--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8(help.stdout).expect("text");
    for variable in VARIABLES {
        assert!(text.contains(variable.name), "{} is missing", variable.name);
    }
    let version = run(&["--version"], &[]);
    assert_eq!(
        String::from_utf8(version.stdout).expect("text"),
        format!("seqpulse-mailer {}\n", env!("CARGO_PKG_VERSION"))
    );
}
