//! A pgbouncer in transaction mode between the sidecars and Postgres, as many installations have it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use nix::unistd::{User, getuid};
use standin::Sandbox;
use tempfile::TempDir;
use throwaway::leash::Leash;

use crate::support::{Sidecar, TestDb, sandbox, shared_cluster, skip, wait_for};

static LEASH: LazyLock<Leash> = LazyLock::new(|| Leash::new().expect("a shell"));

/// A running pgbouncer; ends with this value.
struct Pooler {
    child: Child,
    dir: TempDir,
    port: u16,
}

impl Pooler {
    /// In front of the shared cluster, with so many sessions for each database. `None` where pgbouncer is not installed.
    async fn start(sessions: u32) -> Option<Self> {
        let program = installed()?;
        for _ in 0..5 {
            let mut pooler = Self::launch(&program, sessions);
            let mut running = true;
            wait_for("pgbouncer to accept connections", async || {
                running = matches!(pooler.child.try_wait(), Ok(None));
                !running
                    || tokio::net::TcpStream::connect(("127.0.0.1", pooler.port))
                        .await
                        .is_ok()
            })
            .await;
            // Somebody else took the port between our asking for a free one and its start.
            if running {
                return Some(pooler);
            }
        }
        panic!("pgbouncer does not start");
    }

    fn launch(program: &Path, sessions: u32) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("seqpulse-pgbouncer-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .expect("a temporary directory");
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let path = |name: &str| dir.path().join(name);
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             pool_mode = transaction\ndefault_pool_size = {sessions}\n\
             auth_type = trust\nauth_file = {}\nlogfile = {}\n",
            shared_cluster().port(),
            path("users").display(),
            path("log").display(),
        );
        fs::write(path("settings"), settings).expect("a file");
        fs::write(path("users"), "\"postgres\" \"\"\n").expect("a file");
        let mut command = Command::new(program);
        command
            .arg("-q")
            .arg(path("settings"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // It refuses to run as root.
        if getuid().is_root() {
            let user = ["postgres", "nobody"]
                .iter()
                .find_map(|name| User::from_name(name).ok().flatten())
                .expect("an unprivileged user");
            let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
            for name in ["", "settings", "users"] {
                chown(path(name), Some(uid), Some(gid)).expect("root may");
            }
            command.uid(uid).gid(gid);
        }
        let child = LEASH
            .attach(&mut command)
            .spawn()
            .expect("pgbouncer starts");
        Self { child, dir, port }
    }

    /// The address of a database behind it.
    fn url(&self, db: &TestDb) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, db.name())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of pgbouncer\n{}---", self.log());
        }
    }
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join("pgbouncer"))
        .find(|program| program.is_file())
}

const NOT_INSTALLED: &str = "pgbouncer is not installed (Debian: pgbouncer)";

async fn all_sent(db: &TestDb, letters: usize, sandbox: &Sandbox) {
    db.wait_until(
        "select not exists (select from public.email_outbox where status in ('queued', 'sending'))",
    )
    .await;
    assert_eq!(sandbox.count(), letters);
    assert_eq!(sandbox.distinct_deliveries(), letters, "no letter twice");
}

#[tokio::test]
async fn sidecars_share_a_pooler_and_hear_on_a_line_of_their_own() {
    let Some(pooler) = Pooler::start(3).await else {
        return skip(NOT_INSTALLED);
    };
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    // The poll comes too late for this test: what goes out was heard.
    let sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("DATABASE_URL", &pooler.url(&db))
        .env("EMAIL_LISTEN_URL", db.url())
        .env("EMAIL_POLL_SECONDS", "600");
    let mut one = sidecar.clone().spawn();
    let mut two = sidecar.env("EMAIL_BATCH_SIZE", "7").spawn();
    db.wait_until("select count(*) = 2 from public.email_workers where session_pid is not null")
        .await;
    for round in 0..10 {
        db.exec(&format!(
            "insert into public.users (name, email, hashed_password)
             select 'Nadia', 'nadia' || n || '.{round}@seqpulse.test', 'x' from generate_series(1, 20) n"
        ))
        .await;
    }
    all_sent(&db, 200, &sandbox).await;
    assert!(one.stop().await.success());
    assert!(two.stop().await.success());
}

#[tokio::test]
async fn without_a_line_of_their_own_the_poll_serves() {
    // One session for everybody: what listens and what works are the same, and notifications reach nobody.
    let Some(pooler) = Pooler::start(1).await else {
        return skip(NOT_INSTALLED);
    };
    let db = TestDb::only(&["E-TRX-01"]).await;
    let sandbox = sandbox().await;
    let mut sidecar = Sidecar::builder(&db, "resend", &sandbox.url())
        .env("DATABASE_URL", &pooler.url(&db))
        .env("EMAIL_POLL_SECONDS", "1")
        .spawn();
    db.wait_until("select count(*) = 1 from public.email_workers")
        .await;
    for name in ["Nassir", "Nadia", "Karim"] {
        db.sign_up(name, &format!("{name}@seqpulse.test")).await;
        db.wait_until("select not exists (select from public.email_outbox where status in ('queued', 'sending'))")
            .await;
    }
    all_sent(&db, 3, &sandbox).await;
    assert!(sidecar.stop().await.success());
}
