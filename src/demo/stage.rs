//! Sets the demo up: Postgres, the application's tables, `migrate`, the sandbox and the sidecar, all as in production but
//! for the sandbox, which runs inside this process.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use super::cluster::{Cluster, ClusterError};
use super::leash::Leash;
use super::show::Show;
use crate::sandbox::ledger::Entry;
use crate::sandbox::{Sandbox, SandboxOptions};

const SEQPULSE_SCHEMA: &str = include_str!("../../tests/seqpulse_schema.sql");
const APPLICATION: &str = include_str!("sql/application.sql");
const SIDECAR: &str = include_str!("sql/sidecar.sql");
const WORKERS: &str = include_str!("sql/workers.sql");

/// The database of the demo, and of `pg_cron` in its cluster.
const DATABASE: &str = "seqpulse";
/// Roles of `sql/application.sql` and `sql/sidecar.sql`.
const APPLICATION_ROLE: &str = "seqpulse_app";
const SIDECAR_ROLE: &str = "seqpulse_mailer";

/// How long a part may take to come up or to go down on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the demo could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No Postgres.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A statement failed.
    #[error("{}", crate::db::pool::describe(.0))]
    Query(#[from] tokio_postgres::Error),
    /// The operating system said no.
    #[error("{doing}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// What it answered.
        source: io::Error,
    },
    /// A command of this program failed.
    #[error("{command} ended with {status}:\n{output}")]
    Child {
        /// Which one.
        command: &'static str,
        /// How.
        status: ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The sidecar never registered itself.
    #[error("the sidecar did not get to work in time; its log ends with:\n{0}")]
    Idle(String),
    /// A bug.
    #[error("a task of the demo panicked")]
    Panic(#[from] JoinError),
}

/// Attaches what was attempted to an I/O error.
fn doing(doing: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::Io { doing, source }
}

/// Everything that runs. Dropped in this order, which is the order of taking down; nothing is left behind.
#[derive(Debug)]
pub(super) struct Stage {
    sidecar: Sidecar,
    application: Client,
    sandbox: Sandbox,
    cluster: Cluster,
}

impl Stage {
    /// Starts everything and says so as it goes.
    pub(super) async fn set_up(show: Show) -> Result<Self, DemoError> {
        let cluster = spawn_blocking(|| Cluster::builder().pg_cron(DATABASE).start()).await??;
        let pg_cron = if cluster.pg_cron_loaded() {
            "with"
        } else {
            "without"
        };
        show.item(
            "PostgreSQL",
            &format!(
                "{} on 127.0.0.1:{}, {pg_cron} pg_cron",
                cluster.bin().major(),
                cluster.port()
            ),
        );

        let superuser = connect(&cluster.url(DATABASE)).await?;
        superuser.batch_execute(APPLICATION).await?;
        let application = connect(&cluster.url_as(APPLICATION_ROLE, DATABASE)).await?;
        application.batch_execute(SEQPULSE_SCHEMA).await?;
        show.item(
            "application",
            &format!("SEQPULSE's tables, owned by {APPLICATION_ROLE}"),
        );

        let installed = migrate(&cluster.url(DATABASE)).await?;
        show.item("migrate", &installed);

        let sandbox = Sandbox::start(SandboxOptions::default())
            .await
            .map_err(doing("starting the sandbox"))?;
        show.item(
            "sandbox",
            &format!("stands in for Resend; inbox at {}", sandbox.url()),
        );

        superuser.batch_execute(SIDECAR).await?;
        let sidecar = Sidecar::start(&cluster, &sandbox.url())?;
        let mut stage = Self {
            sidecar,
            application,
            sandbox,
            cluster,
        };
        stage.wait_for_sidecar(&superuser).await?;
        show.item(
            "sidecar",
            &format!(
                "process {}, as role {SIDECAR_ROLE}",
                stage.sidecar.child.id()
            ),
        );
        Ok(stage)
    }

    /// The application's session.
    pub(super) fn application(&self) -> &Client {
        &self.application
    }

    /// A session that may read the journal.
    pub(super) async fn observer(&self) -> Result<Client, DemoError> {
        connect(&self.database_url()).await
    }

    /// Where a person may look on with psql.
    pub(super) fn database_url(&self) -> String {
        self.cluster.url(DATABASE)
    }

    /// Where a person reads what arrived.
    pub(super) fn inbox_url(&self) -> String {
        self.sandbox.url()
    }

    /// The sidecar's own HTTP.
    pub(super) fn sidecar_url(&self) -> String {
        format!("http://{}", self.sidecar.listen)
    }

    /// What has arrived so far.
    pub(super) fn arrived(&self) -> Vec<Entry> {
        self.sandbox.entries()
    }

    /// The end of the sidecar's log.
    pub(super) fn sidecar_log(&self) -> String {
        self.sidecar.log()
    }

    /// An error when the sidecar has ended, which it never should.
    pub(super) fn check_sidecar(&mut self) -> Result<(), DemoError> {
        match self
            .sidecar
            .child
            .try_wait()
            .map_err(doing("looking after the sidecar"))?
        {
            None => Ok(()),
            Some(status) => Err(DemoError::Child {
                command: "run",
                status,
                output: self.sidecar.log(),
            }),
        }
    }

    /// Lets the sidecar finish, then takes everything down.
    pub(super) async fn take_down(mut self) -> Result<(), DemoError> {
        self.sidecar.drain().await?;
        // Stopping Postgres blocks.
        spawn_blocking(move || drop(self)).await?;
        Ok(())
    }

    async fn wait_for_sidecar(&mut self, observer: &Client) -> Result<(), DemoError> {
        let start = Instant::now();
        while observer.query_one(WORKERS, &[]).await?.get::<_, i64>(0) == 0 {
            self.check_sidecar()?;
            if start.elapsed() > PATIENCE {
                return Err(DemoError::Idle(self.sidecar.log()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// `run` as a child process of its own, as a service manager would start it.
#[derive(Debug)]
struct Sidecar {
    child: Child,
    /// Of its HTTP server.
    listen: SocketAddr,
    log: PathBuf,
    /// The child ends with this process, however that ends.
    _leash: Leash,
}

impl Sidecar {
    fn start(cluster: &Cluster, sandbox_url: &str) -> Result<Self, DemoError> {
        let leash = Leash::new().map_err(doing("starting /bin/sh"))?;
        let log = cluster.dir().join("sidecar.log");
        let output = File::create(&log).map_err(doing("making the sidecar's log"))?;
        let errors = output
            .try_clone()
            .map_err(doing("making the sidecar's log"))?;
        let listen = free_address().map_err(doing("looking for a free port"))?;
        let mut command = this_program()?;
        command
            .arg("run")
            .env("DATABASE_URL", cluster.url_as(SIDECAR_ROLE, DATABASE))
            .env("EMAIL_PROVIDER", "resend")
            .env("EMAIL_PROVIDER_URL", sandbox_url)
            .env("EMAIL_API_KEY", "re_demo_0000000000000000000000")
            .env("EMAIL_FROM", "SeqPulse <bonjour@mail.seqpulse.example>")
            .env("EMAIL_REPLY_TO", "support@seqpulse.example")
            .env(
                "EMAIL_POSTAL_ADDRESS",
                "SeqPulse SAS, 12 rue de la Paix, 75002 Paris",
            )
            .env("EMAIL_REVIEW_URL", "https://avis.example/seqpulse")
            .env("FRONTEND_URL", "https://app.seqpulse.example")
            .env("PUBLIC_URL", format!("http://{listen}"))
            .env("HTTP_LISTEN", listen.to_string())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        let child = leash
            .attach(&mut command)
            .spawn()
            .map_err(doing("starting the sidecar"))?;
        Ok(Self {
            child,
            listen,
            log,
            _leash: leash,
        })
    }

    /// SIGTERM, and waits; whoever ignores it is killed with the leash.
    async fn drain(&mut self) -> Result<(), DemoError> {
        let looking_after = "looking after the sidecar";
        let pid = i32::try_from(self.child.id())
            .map_err(io::Error::other)
            .map_err(doing(looking_after))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)
            .map_err(io::Error::from)
            .map_err(doing(looking_after))?;
        let start = Instant::now();
        while self
            .child
            .try_wait()
            .map_err(doing(looking_after))?
            .is_none()
            && start.elapsed() < PATIENCE
        {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// The end of what it has printed.
    fn log(&self) -> String {
        tail(&fs::read(&self.log).unwrap_or_default())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended already, and then this fails.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// This program again, with nothing of this process's environment but what finding programs and time zones needs: a
/// developer's own `DATABASE_URL` must not get in.
fn this_program() -> Result<Command, DemoError> {
    let mut command = Command::new(env::current_exe().map_err(doing("finding this program"))?);
    let kept = env::vars_os()
        .filter(|(name, _)| name == "PATH" || name == "RUST_LOG" || name == "RUST_BACKTRACE");
    command.env_clear().envs(kept);
    Ok(command)
}

/// Runs `migrate` and says how much it applied.
async fn migrate(url: &str) -> Result<String, DemoError> {
    let mut command = this_program()?;
    command.arg("migrate").env("DATABASE_URL", url);
    let output = spawn_blocking(move || command.output())
        .await?
        .map_err(doing("running migrate"))?;
    let printed = [output.stdout, output.stderr].concat();
    if !output.status.success() {
        return Err(DemoError::Child {
            command: "migrate",
            status: output.status,
            output: tail(&printed),
        });
    }
    let printed = String::from_utf8_lossy(&printed);
    let applied = printed
        .lines()
        .filter(|line| line.starts_with("applied"))
        .count();
    Ok(format!("{applied} migrations and SQL files applied"))
}

async fn connect(url: &str) -> Result<Client, DemoError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends with the client; what goes wrong on it is reported by the statement it breaks.
    tokio::spawn(connection);
    Ok(client)
}

/// Free now; links in the letters point at it, so it must be known before the sidecar starts.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The last lines of a log.
fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
