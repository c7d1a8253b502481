//! The children of the demo: this program again, as `migrate` and as `run`.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use throwaway::cluster::Cluster;
use throwaway::leash::Leash;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::error::{DemoError, doing};

/// The database of the demo, and of `pg_cron` in its cluster.
pub(super) const DATABASE: &str = "seqpulse";
/// The role of `sql/sidecar.sql`.
pub(super) const SIDECAR_ROLE: &str = "seqpulse_mailer";

/// How long a part may take to come up or to go down on a machine that is busy with other things.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The sandbox signs its reports with it, as Resend does.
pub(super) const WEBHOOK_SECRET: &str = "whsec_ZGVtby13ZWJob29rLXNpZ25pbmcta2V5";

/// `run` as a child process of its own, as a service manager would start it.
#[derive(Debug)]
pub(super) struct Sidecar {
    pub(super) child: Child,
    /// Of its HTTP server.
    pub(super) listen: SocketAddr,
    log: PathBuf,
    /// The child ends with this process, however that ends.
    _leash: Leash,
}

impl Sidecar {
    pub(super) fn start(cluster: &Cluster, sandbox_url: &str) -> Result<Self, DemoError> {
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
            .env("EMAIL_FROM", "SEQPULSE <bonjour@mail.seqpulse.example>")
            .env("EMAIL_REPLY_TO", "support@seqpulse.example")
            .env(
                "EMAIL_POSTAL_ADDRESS",
                "SEQPULSE SAS, 12 rue de la Paix, 75002 Paris",
            )
            .env("EMAIL_REVIEW_URL", "https://avis.example/seqpulse")
            .env("FRONTEND_URL", "https://app.seqpulse.example")
            .env("PUBLIC_URL", format!("http://{listen}"))
            .env("HTTP_LISTEN", listen.to_string())
            .env("EMAIL_WEBHOOK_SECRET", WEBHOOK_SECRET)
            // A moved clock is taken up within one poll.
            .env("EMAIL_POLL_SECONDS", "1")
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

    /// SIGTERM, and waits; a process that ignores it is killed with the leash.
    pub(super) async fn drain(&mut self) -> Result<(), DemoError> {
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
    pub(super) fn log(&self) -> String {
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
pub(super) async fn migrate(url: &str) -> Result<String, DemoError> {
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
