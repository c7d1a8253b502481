//! `doctor`: one line per thing that can be wrong with an installation.
//!
//! What the database knows about itself it says in `public.email_doctor()`, which a DBA can call too; what only a client
//! sees (versions, TLS, rights, the key's shape) is checked here.

use std::fmt;

use pgconnect::connect;
use pgconnect::pool::describe;
use tokio_postgres::Client;

use crate::config::Config;
use crate::db::version;
use crate::migrate;
use crate::provider::ProviderKind;

const SESSION_FACTS: &str = include_str!("db/sql/session_facts.sql");
const DOCTOR: &str = include_str!("db/sql/doctor.sql");

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    Warn,
    Fail,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// Prints the checks as they are made; answers whether none failed.
#[derive(Debug, Default)]
struct Report {
    failed: bool,
}

impl Report {
    fn line(&mut self, status: Status, check: &str, detail: &str) {
        self.failed |= status == Status::Fail;
        say!("{status:<5} {check:<15} {detail}");
    }
}

/// Makes every check and prints one line each; answers whether none failed.
pub(crate) async fn examine(config: &Config) -> bool {
    let mut report = Report::default();
    match config.key_warning() {
        Some(warning) => report.line(Status::Warn, "provider key", warning),
        None if config.provider_kind == ProviderKind::Console => report.line(
            Status::Ok,
            "provider",
            "console: letters are printed and settled as sent, nothing leaves",
        ),
        None => report.line(
            Status::Ok,
            "provider key",
            &format!("shaped like a key of {}", config.provider_kind.name()),
        ),
    }
    for warning in config
        .warnings()
        .iter()
        .filter(|warning| config.key_warning() != Some(warning.as_str()))
    {
        report.line(Status::Warn, "settings", warning);
    }
    match connect::connect(&config.database).await {
        Err(error) => report.line(Status::Fail, "database", &error.to_string()),
        Ok((client, connection)) => {
            tokio::spawn(connection);
            if let Err(error) = ask(&client, &mut report).await {
                report.line(Status::Fail, "database", &describe(&error));
            }
        }
    }
    !report.failed
}

async fn ask(client: &Client, report: &mut Report) -> Result<(), tokio_postgres::Error> {
    let facts = client.query_typed_one(SESSION_FACTS, &[]).await?;
    let server: String = facts.try_get("server_version")?;
    report.line(
        Status::Ok,
        "database",
        &format!(
            "PostgreSQL {server}, as role {}",
            facts.try_get::<_, String>("role_name")?
        ),
    );
    let tls: String = facts.try_get("tls")?;
    let remote: bool = facts.try_get("remote")?;
    match (tls.is_empty(), remote) {
        (false, _) => report.line(Status::Ok, "TLS", &tls),
        (true, false) => report.line(Status::Ok, "TLS", "not used, on this machine"),
        (true, true) => report.line(
            Status::Warn,
            "TLS",
            "not used, and the server is another machine: letters and addresses cross the network as they are; sslmode=verify-full",
        ),
    }
    if let Err(error) = version::check(client, migrate::newest_version()).await {
        report.line(Status::Fail, "schema", &error.to_string());
        return Ok(());
    }
    report.line(Status::Ok, "schema", "the version this binary needs");
    let not_allowed: String = facts.try_get("not_allowed")?;
    if !not_allowed.is_empty() {
        let detail = format!(
            "this role may not call {not_allowed}; make it a member: grant email_worker to …"
        );
        report.line(Status::Fail, "privileges", &detail);
        return Ok(());
    }
    report.line(Status::Ok, "privileges", "the role may do what run needs");
    for row in client.query_typed(DOCTOR, &[]).await? {
        let status = match row.try_get("status")? {
            "ok" => Status::Ok,
            "warn" => Status::Warn,
            _ => Status::Fail,
        };
        report.line(status, row.try_get("check_name")?, row.try_get("detail")?);
    }
    Ok(())
}
