//! Making what a server runs on: a new data directory, a copy of another server's, databases.

use std::io::Write as _;
use std::process::Stdio;

use super::error::{ClusterError, Doing};
use super::server::{Cluster, SUPERUSER};

impl Cluster {
    pub(super) fn initdb(&self) -> Result<(), ClusterError> {
        // C.UTF-8 sorts by code point and knows letters beyond ASCII, as a production database's locale does; systems
        // without it have C.
        let mut reason = String::new();
        for locale in ["C.UTF-8", "C"] {
            let output = self
                .command("initdb")?
                .args([
                    "--encoding=UTF8",
                    "--auth=trust",
                    "--no-sync",
                    "--no-instructions",
                ])
                .arg(format!("--username={SUPERUSER}"))
                .arg(format!("--locale={locale}"))
                .arg("--pgdata")
                .arg(self.pgdata())
                .stderr(Stdio::piped())
                .output()
                .doing(|| format!("running {}", self.bin.program("initdb").display()))?;
            if output.status.success() {
                return Ok(());
            }
            reason = String::from_utf8_lossy(&output.stderr).into_owned();
        }
        Err(ClusterError::Initdb(reason.trim().to_owned()))
    }

    /// Copies a running server and becomes its standby (`-R`).
    pub(super) fn base_backup(&self, primary: u16) -> Result<(), ClusterError> {
        let output = self
            .command("pg_basebackup")?
            .args(["--host=127.0.0.1", "--checkpoint=fast", "--no-sync"])
            .args(["--wal-method=stream", "--write-recovery-conf"])
            .arg(format!("--port={primary}"))
            .arg(format!("--username={SUPERUSER}"))
            .arg("--pgdata")
            .arg(self.pgdata())
            .stderr(Stdio::piped())
            .output()
            .doing(|| format!("running {}", self.bin.program("pg_basebackup").display()))?;
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr);
        Err(ClusterError::Initdb(reason.trim().to_owned()))
    }

    /// In single-user mode, so that a preloaded `pg_cron` never finds its database missing (and no client is needed).
    pub(super) fn create_database(&self, database: &str) -> Result<(), ClusterError> {
        let error = |reason: String| ClusterError::CreateDatabase {
            database: database.to_owned(),
            reason,
        };
        let mut child = self
            .command("postgres")?
            .args(["--single", "-j", "-c", "shared_preload_libraries=", "-D"])
            .arg(self.pgdata())
            .arg("template1")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .doing(|| "starting PostgreSQL in single-user mode".to_owned())?;
        let statement = format!("create database \"{}\";\n\n", database.replace('"', "\"\""));
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(statement.as_bytes())
                .doing(|| "talking to single-user PostgreSQL".to_owned())?;
        }
        let output = child
            .wait_with_output()
            .doing(|| "waiting for single-user PostgreSQL".to_owned())?;
        let printed = String::from_utf8_lossy(&output.stderr);
        // Single-user mode exits 0 after a failed statement too.
        if output.status.success() && !printed.contains("ERROR:") {
            Ok(())
        } else {
            Err(error(printed.trim().to_owned()))
        }
    }
}
