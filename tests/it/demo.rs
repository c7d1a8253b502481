//! The demo from the outside: exit 0 when every letter arrived, and nothing left behind, however it ends.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::{SidecarBuilder, wait_for};

/// The demo in a temporary directory of its own, so that what it leaves can be told from what others do.
fn demo(arguments: &[&str], directory: &Path) -> SidecarBuilder {
    // Postgres runs as an unprivileged user when we are root: it must be able to get there.
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(directory, everyone).expect("our own directory");
    let directory = directory.to_str().expect("UTF-8");
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = std::env::var("SEQPULSE_PG_BIN").unwrap_or_default();
    SidecarBuilder::command(arguments)
        .env("TMPDIR", directory)
        .env("PATH", &path)
        .env("SEQPULSE_PG_BIN", &bin)
}

fn leftovers(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("our own directory");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[tokio::test]
async fn every_letter_arrives_and_nothing_is_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let (status, printed) = demo(&["demo", "--exit"], directory.path()).run().await;
    assert!(status.success(), "{status}\n{printed}");
    assert!(
        printed.contains(
            "22 of 22 kinds of email, 35 of 35 letters arrived; 3 held back, as they must"
        ),
        "{printed}"
    );
    for step in [
        "E-TRX-02 J5",
        "E-ACT-04 ok",
        "E-ACT-05 rollback",
        "E-RET-04 J37",
        "E-BILL-01 J10",
    ] {
        assert!(printed.contains(step), "{step} is missing\n{printed}");
    }
    for told in [
        "held back: address suppressed: bounced",
        "held back: opted out of marketing",
        "held back: E-ACT-05 tells this recipient of the deployment",
    ] {
        assert!(printed.contains(told), "{told} is missing\n{printed}");
    }
    // Whether the heavier letter has taken the slot already, or is about to, is a matter of moments.
    assert!(
        printed.contains("one capped marketing email in 24:00:00, the slot is free at")
            || printed.contains("E-RET-02 is heavier marketing mail, due at"),
        "no letter waited for the cap\n{printed}"
    );
    // What happened in the two weeks, worked out from the scenes: Chloé came back, the 7 days of
    // Maëlys' last letter are not over, one invoice was paid, Éloïse upgraded after her first quota letter.
    for (kpi, of) in [
        // Three alerts, one of them to a user who consents; opened.
        ("alert_open_rate", "100.00 %   1 of 3, 1 measured"),
        ("dunning_recovery_rate", "100.00 %   1 of 1"),
        ("reactivation_rate", "100.00 %   1 of 1"),
        ("quota_email_to_upgrade", "100.00 %   1 of 1"),
    ] {
        let line = printed
            .lines()
            .find(|line| line.contains(kpi))
            .unwrap_or_default();
        assert!(line.contains(of), "{line}\n{printed}");
    }
    assert!(
        !printed.contains('\x1b'),
        "colours although nobody looks at a terminal\n{printed}"
    );
    assert_eq!(leftovers(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn ctrl_c_and_sigkill_leave_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut child = demo(&["demo"], directory.path()).spawn();
        child.wait_for_log("inbox at").await;
        child.signal(signal);
        child.wait_exit().await;
        wait_for("the directory to be empty", async || {
            leftovers(directory.path()).is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn a_machine_without_postgres_is_told_what_to_install() {
    let directory = tempfile::tempdir().expect("a directory");
    let (status, printed) = demo(&["demo", "--exit"], directory.path())
        .env("SEQPULSE_PG_BIN", "/nonexistent")
        .run()
        .await;
    assert_eq!(status.code(), Some(1), "{printed}");
    assert!(printed.contains("SEQPULSE_PG_BIN"), "{printed}");
}
