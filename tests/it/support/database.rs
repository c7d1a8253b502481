//! One cluster per test run, one database per test.

use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use throwaway::cluster::Cluster;
use tokio::sync::OnceCell;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use tokio_postgres::{Client, NoTls, Row};

use super::wait_for;

/// The application's schema, as the application would have made it.
pub(crate) const SEQPULSE_SCHEMA: &str = include_str!("../../seqpulse_schema.sql");

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_seqpulse-mailer");

/// Databases that tests are cloned from; nobody connects to them once they are made.
const BARE_TEMPLATE: &str = "template_bare";
const MIGRATED_TEMPLATE: &str = "template_migrated";

/// The cluster of this test run. Statics are not dropped: its watchdog removes it when this process ends.
pub(crate) fn shared_cluster() -> &'static Cluster {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| match Cluster::builder().start() {
        Ok(cluster) => cluster,
        Err(error) => panic!("tests need a PostgreSQL server: {error}"),
    });
    &CLUSTER
}

/// Connects and serves the connection in the background of the current runtime.
pub(crate) async fn connect_to(url: &str) -> Client {
    try_connect_to(url)
        .await
        .unwrap_or_else(|error| panic!("connecting to {url}: {error}"))
}

async fn try_connect_to(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends with the client; what goes wrong on it is reported by the statement it breaks.
    tokio::spawn(connection);
    Ok(client)
}

/// Runs the real `migrate` on a database. The one place that knows how a database is migrated.
pub(crate) async fn migrate(url: &str) -> Result<(), String> {
    let mut command = Command::new(BINARY);
    command.arg("migrate").env_clear().env("DATABASE_URL", url);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| format!("{BINARY}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "migrate: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A database of one test; dropped with it.
#[derive(Debug)]
pub(crate) struct TestDb {
    name: String,
    url: String,
    client: OnceCell<Client>,
}

impl TestDb {
    /// SEQPULSE's schema with the mailer installed and armed, no data.
    pub(crate) async fn new() -> Self {
        // A failure is kept, so that every test says why it could not run.
        static TEMPLATE: OnceCell<Result<(), String>> = OnceCell::const_new();
        let made = TEMPLATE
            .get_or_init(async || {
                bare_template().await;
                clone_database(BARE_TEMPLATE, MIGRATED_TEMPLATE).await;
                migrate(&shared_cluster().url(MIGRATED_TEMPLATE)).await?;
                close_template(MIGRATED_TEMPLATE).await;
                Ok(())
            })
            .await;
        if let Err(reason) = made {
            panic!("the template database cannot be made: {reason}");
        }
        let db = Self::cloned_from(MIGRATED_TEMPLATE).await;
        // A clone has another name than the database that was migrated: it would rightly refuse to send.
        db.exec("select public.email_arm()").await;
        db
    }

    /// As [`TestDb::new`], with every other kind of email disabled: for tests that count letters.
    pub(crate) async fn only(codes: &[&str]) -> Self {
        let db = Self::new().await;
        db.query(
            "update public.email_types set enabled = false where code <> all($1::text[])",
            &[&codes],
        )
        .await;
        db
    }

    /// SEQPULSE's schema without the mailer, no data.
    pub(crate) async fn bare() -> Self {
        bare_template().await;
        Self::cloned_from(BARE_TEMPLATE).await
    }

    async fn cloned_from(template: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        clone_database(template, &name).await;
        let url = shared_cluster().url(&name);
        Self {
            name,
            url,
            client: OnceCell::new(),
        }
    }

    /// Its name in the shared cluster.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Address for the superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Address for another role.
    pub(crate) fn url_as(&self, role: &str) -> String {
        shared_cluster().url_as(role, &self.name)
    }

    /// A session of its own, for tests that need two of them or a setting.
    pub(crate) async fn connect(&self) -> Client {
        connect_to(&self.url).await
    }

    /// The session behind the helpers below.
    pub(crate) async fn client(&self) -> &Client {
        self.client.get_or_init(|| self.connect()).await
    }

    /// Runs one or several statements without parameters.
    #[track_caller]
    pub(crate) fn exec(&self, sql: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let result = self.client().await.batch_execute(sql).await;
            result.unwrap_or_else(|error| panic!("{caller}: {}\n{sql}", describe(&error)));
        }
    }

    /// Runs a query and gives its rows.
    #[track_caller]
    pub(crate) fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = Vec<Row>> {
        let caller = std::panic::Location::caller();
        async move {
            let result = self.client().await.query(sql, params).await;
            result.unwrap_or_else(|error| panic!("{caller}: {}\n{sql}", describe(&error)))
        }
    }

    /// Runs a query that gives exactly one row, and takes its first column.
    #[track_caller]
    pub(crate) fn value<T: FromSqlOwned>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        let rows = self.query(sql, params);
        async move {
            let rows = rows.await;
            assert_eq!(rows.len(), 1, "{caller}: one row expected\n{sql}");
            rows[0].get(0)
        }
    }

    /// Polls a query of one boolean until it is true.
    #[track_caller]
    pub(crate) fn wait_until(&self, condition: &str) -> impl Future<Output = ()> {
        wait_for(condition, async || {
            self.value::<Option<bool>>(condition, &[]).await == Some(true)
        })
    }

    /// Moves the database's clock (an interval such as `3 days`) for sessions to come, and for the helpers' own.
    pub(crate) async fn set_clock_offset(&self, offset: &str) {
        let value = offset.replace('\'', "''");
        self.exec(&format!(
            "alter database \"{}\" set email.clock_offset = '{value}'; set email.clock_offset = '{value}'",
            self.name
        ))
        .await;
    }

    /// Inserts a user as the application does and gives its id.
    pub(crate) async fn sign_up(&self, name: &str, email: &str) -> uuid::Uuid {
        self.value(
            "insert into users (name, email, hashed_password) values ($1, $2, 'x') returning id",
            &[&name, &email],
        )
        .await
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let url = shared_cluster().url("postgres");
        let statement = format!("drop database if exists \"{}\" with (force)", self.name);
        // A thread with a runtime of its own: this may run inside a test's runtime, which may be going away. Failing
        // costs disk space until the run ends, nothing else.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                try_connect_to(&url)
                    .await?
                    .batch_execute(&statement)
                    .await
                    .map_err(anyhow::Error::from)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("could not drop database {}", self.name);
        }
    }
}

/// Server errors print as `db error`: this shows what the server said.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!(
            "{}: {} {}",
            db.code().code(),
            db.message(),
            db.detail().unwrap_or_default()
        ),
        None => error.to_string(),
    }
}

async fn bare_template() {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(async || {
            clone_database("template0", BARE_TEMPLATE).await;
            let client = connect_to(&shared_cluster().url(BARE_TEMPLATE)).await;
            client
                .batch_execute(SEQPULSE_SCHEMA)
                .await
                .expect("SEQPULSE's schema loads");
            // As PostgreSQL has it from 15 on.
            client
                .batch_execute("revoke create on schema public from public")
                .await
                .expect("a superuser may");
            drop(client);
            close_template(BARE_TEMPLATE).await;
        })
        .await;
}

async fn clone_database(template: &str, name: &str) {
    let admin = connect_to(&shared_cluster().url("postgres")).await;
    let statement = format!("create database \"{name}\" template \"{template}\"");
    let result = admin.batch_execute(&statement).await;
    result.unwrap_or_else(|error| panic!("{statement}: {}", describe(&error)));
}

/// Locks everybody out, autovacuum included, so that cloning never finds the template in use.
async fn close_template(name: &str) {
    let admin = connect_to(&shared_cluster().url("postgres")).await;
    let statement = format!("alter database \"{name}\" allow_connections false");
    admin
        .batch_execute(&statement)
        .await
        .expect("closing a template");
    wait_for("the template to be left", async || {
        let sessions = "select count(*) from pg_stat_activity where datname = $1";
        admin
            .query_one(sessions, &[&name])
            .await
            .expect("a count")
            .get::<_, i64>(0)
            == 0
    })
    .await;
}
