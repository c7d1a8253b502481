//! The running server: where it is, stopping, starting, its configuration.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use nix::unistd::User;

use super::error::{ClusterError, Doing};
use crate::leash::Leash;
use crate::pg_bin::PgBin;

/// The bootstrap superuser.
pub const SUPERUSER: &str = "postgres";

/// How long starting or stopping may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a server is stopped; the names are those of `pg_ctl -m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions, writes a checkpoint.
    Fast,
    /// Ends at once, without a checkpoint; the next start recovers.
    Immediate,
    /// SIGKILL of the postmaster: its children notice on their own.
    Kill,
}

impl StopMode {
    fn signal(self) -> Signal {
        match self {
            Self::Fast => Signal::SIGINT,
            Self::Immediate => Signal::SIGQUIT,
            Self::Kill => Signal::SIGKILL,
        }
    }
}

/// A running private Postgres. Dropping it stops the server and removes every file.
#[derive(Debug)]
pub struct Cluster {
    pub(super) bin: PgBin,
    pub(super) dir: PathBuf,
    /// Whom the server runs as when this process is root.
    pub(super) owner: Option<User>,
    pub(super) port: u16,
    /// None: stopped.
    pub(super) server: Option<Child>,
    /// The last stop was a SIGKILL, so the old backends may still be ending when it starts again.
    pub(super) killed: bool,
    pub(super) pg_cron: bool,
    /// The last field: dropped after `Drop` below has stopped the server, it removes the directory.
    pub(super) leash: Leash,
}

impl Cluster {
    /// Whether the Postgres that would be used has `pg_cron` installed.
    pub fn supports_pg_cron() -> bool {
        PgBin::find().is_ok_and(|bin| bin.has_extension("pg_cron"))
    }

    /// Whether this server preloads `pg_cron`.
    pub fn pg_cron_loaded(&self) -> bool {
        self.pg_cron
    }

    /// The programs this server was started from.
    pub fn bin(&self) -> &PgBin {
        &self.bin
    }

    /// On 127.0.0.1; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address of a database for the superuser (no password: loopback is trusted).
    pub fn url(&self, database: &str) -> String {
        self.url_as(SUPERUSER, database)
    }

    /// Address of a database for another role.
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!(
            "postgres://{user}@{}:{}/{database}",
            Ipv4Addr::LOCALHOST,
            self.port
        )
    }

    /// The temporary directory: `data`, the socket and `postgres.log`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// PGDATA.
    pub fn pgdata(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The server's log so far.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Stops the server and waits until it has ended; no-op when it is stopped.
    pub fn stop(&mut self, mode: StopMode) -> Result<(), ClusterError> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        self.killed = mode == StopMode::Kill;
        signal(&server, mode.signal())
            .doing(|| format!("sending {} to the postmaster", mode.signal()))?;
        let deadline = Instant::now() + PATIENCE;
        while server
            .try_wait()
            .doing(|| "waiting for the postmaster".to_owned())?
            .is_none()
        {
            if Instant::now() > deadline {
                signal(&server, Signal::SIGQUIT)
                    .doing(|| "sending SIGQUIT to the postmaster".to_owned())?;
                server
                    .wait()
                    .doing(|| "waiting for the postmaster".to_owned())?;
                break;
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Starts a stopped server on its old port and waits until it accepts connections; no-op when it runs.
    pub fn start(&mut self) -> Result<(), ClusterError> {
        if self.server.is_some() {
            return Ok(());
        }
        // After a SIGKILL the port and the shared memory stay taken until the last old backend has noticed.
        let deadline = Instant::now() + Duration::from_secs(if self.killed { 20 } else { 0 });
        loop {
            match self.try_start() {
                Err(ClusterError::Start { .. }) if Instant::now() < deadline => {
                    sleep(Duration::from_millis(100));
                }
                other => return other,
            }
        }
    }

    /// [`stop`](Self::stop), then [`start`](Self::start).
    pub fn restart(&mut self, mode: StopMode) -> Result<(), ClusterError> {
        self.stop(mode)?;
        self.start()
    }

    /// Appends to `postgresql.conf`; takes effect at [`reload`](Self::reload) or the next start.
    pub fn append_conf(&self, text: &str) -> Result<(), ClusterError> {
        let path = self.pgdata().join("postgresql.conf");
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .doing(|| format!("writing {}", path.display()))
    }

    /// Appends one setting to `postgresql.conf` and reloads, such as `email.clock_offset`.
    pub fn set(&self, name: &str, value: &str) -> Result<(), ClusterError> {
        self.append_conf(&conf_line(name, value))?;
        self.reload()
    }

    /// Makes the server read its configuration again; sessions take it up within moments.
    pub fn reload(&self) -> Result<(), ClusterError> {
        self.signal_postmaster(Signal::SIGHUP)
    }

    pub(super) fn signal_postmaster(&self, what: Signal) -> Result<(), ClusterError> {
        match &self.server {
            Some(server) => {
                signal(server, what).doing(|| format!("sending {what} to the postmaster"))
            }
            None => Ok(()),
        }
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// One of the server's programs: as the owner, in the watchdog's process group (so that it always finds them, and
    /// so that Ctrl-C in a terminal does not reach them), in a directory the owner may be in.
    pub(super) fn command(&self, program: &str) -> Result<Command, ClusterError> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .doing(|| format!("opening {}", self.log_path().display()))?;
        let mut command = Command::new(self.bin.program(program));
        command
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.leash.attach(&mut command);
        if let Some(user) = &self.owner {
            // The standard library drops root's supplementary groups along with the uid.
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(command)
    }

    /// A port that is free now may be taken a moment later: tries a few.
    pub(super) fn start_on_a_free_port(&mut self) -> Result<(), ClusterError> {
        let mut attempts = 5;
        loop {
            self.port = free_port()?;
            attempts -= 1;
            match self.try_start() {
                Err(ClusterError::Start { .. })
                    if attempts > 0 && TcpListener::bind(self.address()).is_err() => {}
                other => return other,
            }
        }
    }

    fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }

    /// One attempt: starts the postmaster and waits for `ready` in its pid file, which is how `pg_ctl` waits.
    fn try_start(&mut self) -> Result<(), ClusterError> {
        let mut server = self
            .command("postgres")?
            .arg("-D")
            .arg(self.pgdata())
            .args(["-p", &self.port.to_string()])
            .spawn()
            .doing(|| format!("starting {}", self.bin.program("postgres").display()))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = server
                .try_wait()
                .doing(|| "waiting for the postmaster".to_owned())?
            {
                return Err(ClusterError::Start {
                    reason: status.to_string(),
                    log: self.log_tail(),
                });
            }
            if self.says_ready(server.id()) {
                self.server = Some(server);
                self.killed = false;
                return Ok(());
            }
            if Instant::now() > deadline {
                let _gone = signal(&server, Signal::SIGQUIT);
                let _status = server.wait();
                return Err(ClusterError::Start {
                    reason: "not ready in time".to_owned(),
                    log: self.log_tail(),
                });
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Line 1 of the pid file is the postmaster's, line 8 its state.
    fn says_ready(&self, pid: u32) -> bool {
        let text = fs::read_to_string(self.pgdata().join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Reaped here, so that the watchdog does not wait for a zombie. Nobody needs the checkpoint of a fast stop.
        let _stopped = self.stop(StopMode::Immediate);
    }
}

/// Sends a signal to a child that has not been waited for.
fn signal(child: &Child, what: Signal) -> io::Result<()> {
    let pid = i32::try_from(child.id()).expect("a process id fits i32");
    kill(Pid::from_raw(pid), what).map_err(io::Error::from)
}

/// `name = 'value'` with its quotes doubled.
pub(super) fn conf_line(name: &str, value: &str) -> String {
    format!("{name} = '{}'\n", value.replace('\'', "''"))
}

/// Below the range the kernel hands out to outgoing connections, so that the port is still free after a restart.
fn free_port() -> Result<u16, ClusterError> {
    let ports = 20_000..32_000_u16;
    let start = RandomState::new().hash_one(std::process::id());
    let count = u64::try_from(ports.len()).expect("a small number");
    (0..count)
        .filter_map(|offset| {
            ports
                .clone()
                .nth(usize::try_from((start.wrapping_add(offset)) % count).ok()?)
        })
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))
        .doing(|| "looking for a free port on 127.0.0.1".to_owned())
}
