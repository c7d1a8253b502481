//! What to start, and making the directory it lives in.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{User, getuid};

use super::error::{ClusterError, Doing};
use super::server::{Cluster, conf_line};
use crate::leash::Leash;
use crate::pg_bin::PgBin;

/// What the leash does at the end.
const WATCHDOG: &str = include_str!("watchdog.sh");

/// Longest path of a Unix socket that every system takes (`sun_path`), less the file name Postgres appends.
const LONGEST_SOCKET_DIR: usize = 80;

/// What to start; see [`Cluster::builder`].
#[derive(Debug, Clone)]
pub struct ClusterBuilder {
    bin: Option<PgBin>,
    fsync: bool,
    max_connections: u32,
    databases: Vec<String>,
    pg_cron: Option<String>,
    primary: Option<u16>,
    settings: Vec<(String, String)>,
}

impl Default for ClusterBuilder {
    /// No fsync, 200 connections, no extension preloaded, no database but `postgres`.
    fn default() -> Self {
        Self {
            bin: None,
            fsync: false,
            max_connections: 200,
            databases: Vec::new(),
            pg_cron: None,
            primary: None,
            settings: Vec::new(),
        }
    }
}

impl ClusterBuilder {
    /// Uses this installation instead of the one [`PgBin::find`] finds.
    #[must_use]
    pub fn bin(mut self, bin: PgBin) -> Self {
        self.bin = Some(bin);
        self
    }

    /// Whether commits reach the disk (default: no, the cluster does not outlive a power cut anyway). Benchmarks say yes.
    #[must_use]
    pub fn fsync(mut self, on: bool) -> Self {
        self.fsync = on;
        self
    }

    /// Default 200.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Creates this database before the server takes connections.
    #[must_use]
    pub fn database(mut self, name: &str) -> Self {
        self.databases.push(name.to_owned());
        self
    }

    /// Preloads `pg_cron` for this database (which is created) where the extension is installed; elsewhere only creates
    /// the database. [`Cluster::pg_cron_loaded`] tells which.
    #[must_use]
    pub fn pg_cron(mut self, database: &str) -> Self {
        self.pg_cron = Some(database.to_owned());
        self.database(database)
    }

    /// A hot standby that streams from this running server, instead of a new cluster.
    #[must_use]
    pub fn standby_of(mut self, primary: &Cluster) -> Self {
        self.primary = Some(primary.port());
        self
    }

    /// One more line of `postgresql.conf`; the last one of a name wins.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the directory, initialises it, starts the server and waits until it accepts connections. Blocks.
    pub fn start(self) -> Result<Cluster, ClusterError> {
        let bin = match self.bin.clone() {
            Some(bin) => bin,
            None => PgBin::find()?,
        };
        let owner = unprivileged_user()?;
        let dir = make_directory(owner.as_ref())?;
        let leash = start_watchdog(&dir)?;
        let pg_cron = self.pg_cron.is_some() && bin.has_extension("pg_cron");
        let mut cluster = Cluster {
            bin,
            dir,
            owner,
            port: 0,
            server: None,
            killed: false,
            pg_cron,
            leash,
        };
        match self.primary {
            Some(port) => cluster.base_backup(port)?,
            None => cluster.initdb()?,
        }
        cluster.append_conf(&self.conf(pg_cron, &cluster.dir))?;
        for database in &self.databases {
            cluster.create_database(database)?;
        }
        cluster.start_on_a_free_port()?;
        Ok(cluster)
    }

    /// The lines appended to `postgresql.conf`.
    fn conf(&self, pg_cron: bool, dir: &Path) -> String {
        let on_off = |on: bool| if on { "on" } else { "off" };
        let socket_dir = if dir.as_os_str().len() <= LONGEST_SOCKET_DIR {
            dir.to_string_lossy()
        } else {
            "".into()
        };
        let mut settings: Vec<(String, String)> = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &socket_dir),
            ("max_connections", &self.max_connections.to_string()),
            ("fsync", on_off(self.fsync)),
            ("full_page_writes", on_off(self.fsync)),
            ("shared_buffers", "64MB"),
            // Nothing outside the directory is left when the server is killed.
            ("dynamic_shared_memory_type", "mmap"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("log_line_prefix", "%m [%p] %q%d %a: "),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(database) = self.pg_cron.as_ref().filter(|_| pg_cron) {
            settings.push(("shared_preload_libraries".to_owned(), "pg_cron".to_owned()));
            settings.push(("cron.database_name".to_owned(), database.clone()));
            settings.push(("cron.host".to_owned(), Ipv4Addr::LOCALHOST.to_string()));
        }
        settings.extend(self.settings.iter().cloned());
        settings.iter().fold(String::new(), |text, (name, value)| {
            text + &conf_line(name, value)
        })
    }
}

impl Cluster {
    /// Defaults: no fsync, 200 connections, no extension preloaded, no database but `postgres`.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }
}

/// Whom to run Postgres as: None unless this process is root.
fn unprivileged_user() -> Result<Option<User>, ClusterError> {
    if !getuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(Some)
        .ok_or(ClusterError::NoUnprivilegedUser)
}

fn make_directory(owner: Option<&User>) -> Result<PathBuf, ClusterError> {
    let dir = tempfile::Builder::new()
        .prefix("seqpulse-pg-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .doing(|| "making a temporary directory (TMPDIR)".to_owned())?;
    if let Some(user) = owner {
        chown(dir.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .doing(|| format!("giving {} to user {}", dir.path().display(), user.name))?;
    }
    // From here on removing it is the watchdog's task.
    Ok(dir.keep())
}

fn start_watchdog(dir: &Path) -> Result<Leash, ClusterError> {
    let leash = Leash::with_script(WATCHDOG, &[dir.as_os_str()]);
    if leash.is_err() {
        // Best effort: the error is the one to report.
        let _removed = fs::remove_dir_all(dir);
    }
    leash.doing(|| "starting /bin/sh as the cluster's watchdog".to_owned())
}
